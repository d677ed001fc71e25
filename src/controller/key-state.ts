/** What the controller knows of a key beyond the cached resource. */
import type { LegacyRestoreJob } from '../api/legacy-restore-job.ts';
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
}

export interface KeyState {
  readonly uid: string;
  /** Failures in a row. */
  failures: number;
  /** An outcome whose status could not be written yet: it is written before Atlas is asked again. */
  unwritten: Observed | undefined;
  /** Whether the last status write failed. */
  writeFailed: boolean;
  /** Monotonic time of the last successful fetch, or since when one is expected. */
  fetchedAt: number;
}

interface KeyStates {
  readonly get: (key: string) => KeyState | undefined;
  /** The state of this very resource: that of an earlier one of the same name is dropped. */
  readonly of: (job: LegacyRestoreJob) => KeyState;
  readonly forget: (key: string) => void;
}

/** `fetchExpectedSince`: monotonic time since when a fetch is expected of a key that is seen for the first time. */
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
        writeFailed: false,
        fetchedAt: fetchExpectedSince(),
      };
      states.set(job.key, fresh);
      return fresh;
    },
    forget: (key) => {
      states.delete(key);
    },
  };
}
