/** What the controller knows of a key beyond the cached resource. Times are monotonic, in milliseconds. */
import type { LegacyRestoreJob } from '../api/legacy-restore-job.ts';
import type { ClusterRef } from '../atlas/urls.ts';
import type { Outcome } from '../restore-job/outcome.ts';
import type { Logger } from '../telemetry/log.ts';

/** What one reconcile observed. */
export interface Observed {
  /** The resource when the reconcile began. */
  readonly job: LegacyRestoreJob;
  readonly outcome: Outcome;
  /** Its lines name the resource and the reconcile that they are about. */
  readonly log: Logger;
  /** Milliseconds until the outcome was known. */
  readonly durationMs: number;
  /** When Atlas is to be asked again, where the outcome is not new; monotonic. */
  readonly refetchAt?: number;
}

/** Why a job has its own fetch although the list of its cluster could answer for it. */
export type OwnFetch =
  /** Until that has worked; `list`: the one that told of something new, undefined where none had an answer. */
  | { readonly kind: 'due'; readonly list: ListFindings | undefined }
  /** No list tells of it, or none tells what its own response does. */
  | { readonly kind: 'until'; readonly at: number };

/** What one list led to. */
export interface ListFindings {
  /** Of the cluster and the credentials. */
  readonly name: string;
  readonly ref: ClusterRef;
  /** Fetches of jobs whose items differed from what is mirrored. */
  caused: number;
  /** Those of them that found nothing new. */
  idle: number;
}

export interface KeyState {
  readonly uid: string;
  /** Failures in a row. */
  failures: number;
  /** An outcome whose status could not be written yet: it is written before Atlas is asked again. */
  unwritten: Observed | undefined;
  /** A download whose delivery Secret was refused: the Secret alone is tried again until Atlas is to be asked. */
  undelivered: (Observed & { readonly refetchAt: number }) | undefined;
  /** Status writes that failed in a row, and whether a refusal was told since the last one that worked. */
  failedWrites: { readonly count: number; readonly told: boolean };
  /** Unexpected errors in a row; undefined where there was none since the last reconcile that worked. */
  unexpected: { readonly count: number; readonly since: number } | undefined;
  /** Until when failures that are expected to pass are not told, and the newest generation that this was granted to. */
  grace: { readonly until: number; readonly generation: number | undefined };
  /** Version of the credentials that were used last. */
  secretVersion: string | undefined;
  /** When the last successful fetch was, or the last list that had nothing new, or since when one is expected. */
  fetchedAt: number;
  /** Undefined where the list of its cluster may answer. */
  ownFetch: OwnFetch | undefined;
}

/** One object for all keys: there are thousands, and few are in trouble. */
export const NO_FAILED_WRITES: KeyState['failedWrites'] = { count: 0, told: false };
const NO_GRACE: KeyState['grace'] = { until: 0, generation: undefined };

/** Whether nothing that went wrong is left over: a fetch may still have to be written, or to be repeated. */
export const isUndisturbed = ({ failures, unwritten, undelivered, failedWrites, unexpected }: KeyState): boolean =>
  failures === 0 &&
  unwritten === undefined &&
  undelivered === undefined &&
  failedWrites.count === 0 &&
  unexpected === undefined;

export interface KeyStates {
  readonly get: (key: string) => KeyState | undefined;
  /** The state of this very resource: that of an earlier one of the same name is dropped. */
  readonly of: (job: LegacyRestoreJob) => KeyState;
  readonly forget: (key: string) => void;
}

/** `fetchExpectedSince`: since when a fetch is expected of a key that is seen for the first time. */
export function createKeyStates(fetchExpectedSince: () => number): KeyStates {
  const states = new Map<string, KeyState>();
  return {
    get: (key) => states.get(key),
    of: (job) => {
      const known = states.get(job.key);
      if (known?.uid === job.uid) return known;
      const fresh: KeyState = {
        uid: job.uid,
        failures: 0,
        unwritten: undefined,
        undelivered: undefined,
        failedWrites: NO_FAILED_WRITES,
        unexpected: undefined,
        grace: NO_GRACE,
        secretVersion: undefined,
        fetchedAt: fetchExpectedSince(),
        ownFetch: undefined,
      };
      states.set(job.key, fresh);
      return fresh;
    },
    forget: (key) => {
      states.delete(key);
    },
  };
}
