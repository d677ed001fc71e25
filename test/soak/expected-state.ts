/** What Atlas says about every job: the only writer of the simulator's jobs, and what resources are compared with. */
import type { JobIdentity } from '../support/atlas-simulator/jobs.ts';
import type { JsonObject } from '../support/atlas-simulator/json.ts';
import type { AtlasSimulator } from '../support/atlas-simulator/simulator.ts';

export interface ExpectedState {
  /** From now on Atlas answers with this body and, where given, with another one from a moment on. */
  readonly set: (job: JobIdentity, body: JsonObject, later?: LaterBody) => void;
  /** Throws when nothing was ever set. */
  readonly of: (jobId: string) => ExpectedJob;
  /** How often a body has changed; the first one of a job is none. */
  readonly changes: () => number;
}

/** Times in milliseconds since the epoch. */
export interface LaterBody {
  readonly at: number;
  readonly body: JsonObject;
}

export interface ExpectedJob {
  readonly body: JsonObject;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

export function createExpectedState(atlas: AtlasSimulator): ExpectedState {
  const jobs = new Map<string, { readonly now: ExpectedJob; readonly later: LaterBody | undefined }>();
  let changes = 0;
  return {
    set(job, body, later) {
      if (jobs.has(job.jobId)) changes += 1;
      const now = { body, since: Date.now() };
      jobs.set(job.jobId, { now, later });
      // By the simulator's clock, not by a timer of ours: the operator asks at `expires`, and a late timer would make
      // it see the old body once more and come again after ten minutes, as designed.
      const further = later === undefined ? [] : [{ afterMs: later.at - now.since, body: later.body }];
      atlas.putJob(job, { kind: 'timeline', steps: [{ afterMs: 0, body }, ...further] });
    },
    of(jobId) {
      const job = jobs.get(jobId);
      if (job === undefined) throw new Error(`nothing is known of job ${jobId}`);
      const { now, later } = job;
      return later !== undefined && later.at <= Date.now() ? { body: later.body, since: later.at } : now;
    },
    changes: () => changes,
  };
}
