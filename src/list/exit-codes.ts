/** The exit codes of `list`. */
import { EXIT_CODES } from '../command/exit-codes.ts';

const { other, usage, noAccess, notFound, unavailable, interrupted } = EXIT_CODES;

/** Every way in which `list` ends; what the jobs have come to is no part of it. */
export const LIST_EXIT_CODES = {
  done: { code: 0, meaning: 'All restore jobs are listed; there can be none.' },
  other: {
    ...other,
    meaning: 'Anything else: a request that Atlas refuses as it stands, a Kubernetes API server that cannot be asked.',
  },
  usage,
  noAccess,
  notFound: { ...notFound, meaning: 'Atlas has no such cluster, project or legacy backup.' },
  unavailable,
  interrupted: { ...interrupted, meaning: 'Ctrl-C or SIGTERM ended it.' },
} as const;
