/** The exit codes of `get`: stable, scripts compare them. Its help and its page in docs/ are made from here. */
import type { SyncedReason } from '../api/reasons.ts';
import type { JobState } from '../controller/job-state.ts';

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
  inProgress: { code: 3, meaning: 'The restore job is in progress.' },
  failed: { code: 4, meaning: 'The restore job is broken or was killed.' },
  noAccess: { code: 5, meaning: 'Atlas gives no access with these credentials, or the account is suspended.' },
  notFound: { code: 6, meaning: 'Atlas has no such restore job, cluster, project or legacy backup.' },
  unavailable: {
    code: 7,
    meaning: 'Atlas cannot be reached, reports an error of its own or a rate limit, or its answer is unusable.',
  },
  interrupted: { code: 130, meaning: 'Ctrl-C or SIGTERM ended it, also while watching.' },
} as const satisfies Readonly<Record<string, { readonly code: number; readonly meaning: string }>>;

export type Exit = keyof typeof EXIT_CODES;

/** How a job that was fetched ends the command. */
export const exitOfState = (state: JobState): Exit => BY_STATE[state];

/** How an error of Atlas ends the command. */
export const exitOfReason = (reason: SyncedReason): Exit => BY_REASON[reason] ?? 'other';

/** All of them in order, with the reasons of those errors of Atlas that end in each. */
export const listExitCodes = (): ReadonlyArray<{
  readonly code: number;
  readonly meaning: string;
  readonly reasons: readonly string[];
}> =>
  Object.entries(EXIT_CODES).map(([exit, { code, meaning }]) => {
    const reasons = Object.entries(BY_REASON).flatMap(([reason, candidate]) => (candidate === exit ? [reason] : []));
    return { code, meaning, reasons };
  });

const BY_STATE: Readonly<Record<JobState, Exit>> = {
  finished: 'finished',
  running: 'inProgress',
  broken: 'failed',
  killed: 'failed',
  unknown: 'other',
};

/** What only the operator meets is not here. */
const BY_REASON: Readonly<Partial<Record<SyncedReason, Exit>>> = {
  BadRequest: 'other',
  VersionGone: 'other',
  Unauthorized: 'noAccess',
  AccessListDenied: 'noAccess',
  Forbidden: 'noAccess',
  PaymentRequired: 'noAccess',
  JobNotFound: 'notFound',
  ClusterNotFound: 'notFound',
  GroupNotFound: 'notFound',
  BackupNotEnabled: 'notFound',
  RateLimited: 'unavailable',
  AtlasUnavailable: 'unavailable',
  InvalidResponse: 'unavailable',
};
