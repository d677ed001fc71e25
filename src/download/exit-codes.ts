/** The exit codes of `download`. */
import { EXIT_CODES } from '../command/exit-codes.ts';

const { other, usage, inProgress, failed, noAccess, notFound, unavailable, interrupted } = EXIT_CODES;

/** Every way in which `download` ends. */
export const DOWNLOAD_EXIT_CODES = {
  done: { code: 0, meaning: "The file is there and has Atlas's hash, or was not to be verified." },
  other: {
    ...other,
    meaning: 'Anything else: a request that Atlas refuses as it stands, a Kubernetes API server that cannot be asked.',
  },
  usage: {
    ...usage,
    meaning:
      'Wrong usage or settings: flags, variables, credentials, the kubeconfig, a resource whose download is kept from this command, a Node.js without SHA-1.',
  },
  notReady: { ...inProgress, meaning: 'The download is not ready, with --wait not within --timeout.' },
  failed,
  noAccess: { ...noAccess, meaning: 'Atlas or, with --resource, the Kubernetes API server gives no access.' },
  notFound: {
    ...notFound,
    meaning: 'Atlas has no such restore job, cluster, project or legacy backup, or there is no such resource.',
  },
  unavailable,
  nothing: {
    code: 8,
    meaning: 'There is nothing to download: expired, downloaded as often as allowed, failed, or an automated restore.',
  },
  differs: { code: 9, meaning: "The file's hash is not Atlas's." },
  notVerified: { code: 10, meaning: 'The file is there, but Atlas told no hash in time.' },
  notFetched: {
    code: 11,
    meaning:
      'The file cannot be fetched or written: the download host, the directory, or another process that writes it.',
  },
  interrupted: { ...interrupted, meaning: 'Ctrl-C or SIGTERM ended it; the same command goes on where it was.' },
} as const;
