/** The exit codes of the commands: stable, scripts compare them. Help and the pages in docs/ are made from here. */
import { entryOf, type Reason, reasonsOf } from '../restore-job/reasons.ts';

/** Every way in which `get` ends. */
export const EXIT_CODES = {
  finished: { code: 0, meaning: 'The restore job has finished, whatever has become of its delivery.' },
  other: {
    code: 1,
    meaning:
      'Anything else: a job status that this version does not know, a request that Atlas refuses as it stands, a Kubernetes API server that cannot be asked.',
  },
  usage: {
    code: 2,
    meaning: 'Wrong usage or settings: flags, variables, the files or the Secret of the credentials, the kubeconfig.',
  },
  inProgress: {
    code: 3,
    meaning: 'The restore job is in progress, or what --watch waits for had not come when --timeout had passed.',
  },
  failed: { code: 4, meaning: 'The restore job is broken or was killed.' },
  noAccess: { code: 5, meaning: 'Atlas gives no access with these credentials, or the account is suspended.' },
  notFound: { code: 6, meaning: 'Atlas has no such restore job, cluster, project or legacy backup.' },
  unavailable: {
    code: 7,
    meaning: 'Atlas cannot be reached, reports an error of its own or a rate limit, or its answer is unusable.',
  },
  nothingToDownload: {
    code: 8,
    meaning: 'There is nothing to download, and never will be: --watch --for=download ends.',
  },
  interrupted: { code: 130, meaning: 'Ctrl-C or SIGTERM ended it, also while watching.' },
} as const satisfies Readonly<Record<string, { readonly code: number; readonly meaning: string }>>;

/** How a restore job, or a failed request to Atlas, ends the command: as the table of reasons says. */
export const exitCodeOf = (reason: Reason): number => entryOf(reason).exitCode ?? EXIT_CODES.other.code;

/** An exit code with the reasons of the failures that end in it. */
export interface ExitCodeDescription {
  readonly code: number;
  readonly meaning: string;
  readonly reasons: readonly string[];
}

/** All exit codes of a command in order; of `get` unless others are given. */
export const listExitCodes = (
  exitCodes: Readonly<Record<string, { readonly code: number; readonly meaning: string }>> = EXIT_CODES,
): readonly ExitCodeDescription[] =>
  Object.values(exitCodes).map(({ code, meaning }) => ({
    code,
    meaning,
    reasons: reasonsOf('Synced').filter((reason) => entryOf(reason).exitCode === code),
  }));
