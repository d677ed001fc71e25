/** Every time and number that a download waits or counts by: in one place, so that tests can have shorter ones. */

/** Times in milliseconds. */
export interface Limits {
  /** Between two looks at the job, while the download is not ready or the hash is not there. */
  readonly poll: number;
  /** How long rights that are missing are waited for: in a cluster, a Role can come after the pod that needs it. */
  readonly rights: number;
  /** Between two requests for a reconcile of the resource, while its hash is not there. */
  readonly requestReconcile: number;
  /** How long a download host may say nothing. */
  readonly silence: number;
  /** The first wait after a try that failed, which doubles up to the longest. */
  readonly backoff: { readonly first: number; readonly longest: number };
  /** The longest wait that a download host can ask for. */
  readonly retryAfter: number;
  /** How many tries in a row may bring no new byte. */
  readonly fruitlessTries: number;
  /** Between two heartbeats of a part. */
  readonly heartbeat: number;
  /** The age from which on a heartbeat is that of a process that is gone. */
  readonly staleHeartbeat: number;
  /** How long a part of somebody else is waited for. */
  readonly partInUse: number;
  /** Between two lines of progress where there is no terminal. */
  readonly progress: number;
}

export const LIMITS: Limits = {
  poll: 10_000,
  rights: 30_000,
  requestReconcile: 60_000,
  silence: 60_000,
  backoff: { first: 1_000, longest: 60_000 },
  retryAfter: 3_600_000,
  fruitlessTries: 10,
  heartbeat: 5_000,
  staleHeartbeat: 30_000,
  partInUse: 60_000,
  progress: 10_000,
};
