import type { JsonObject } from './json.ts';

/** The three ids that name a restore job. */
export interface JobIdentity {
  readonly groupId: string;
  readonly clusterName: string;
  readonly jobId: string;
}

/** A body that is served from `afterMs` milliseconds after `putJob` on, until the next step. */
export interface JobStep {
  readonly afterMs: number;
  readonly body: JsonObject;
}

/** How a job answers over time. */
export type JobScript =
  | { readonly kind: 'fixed'; readonly body: JsonObject }
  /** Follows the clock; the first step is served from the start, whatever its `afterMs`. */
  | { readonly kind: 'timeline'; readonly steps: readonly JobStep[] }
  /** Starts with the first body; `advance` goes to the next one. */
  | { readonly kind: 'by-hand'; readonly bodies: readonly JsonObject[] };

/** The projects, clusters and jobs that the simulator knows. */
export interface Jobs {
  /** Makes a cluster known, and its project. */
  addCluster(groupId: string, clusterName: string): void;
  /** Adds or replaces a job, and makes its project and cluster known. Job ids are unique in Atlas: throws when another cluster has it. */
  putJob(identity: JobIdentity, script: JobScript): void;
  /** Serves this body from now on. Throws when the job is unknown. */
  setBody(jobId: string, body: JsonObject): void;
  /** Goes to the next body of a `by-hand` job. Throws when there is none. */
  advance(jobId: string): void;
  /** The job is not found any more; its project and cluster stay. */
  removeJob(jobId: string): void;
  hasGroup(groupId: string): boolean;
  hasCluster(groupId: string, clusterName: string): boolean;
  /** What the job says now, or undefined when that cluster has no such job. */
  jobBody(identity: JobIdentity): JsonObject | undefined;
  /** What all jobs of a cluster say now, newest first: by `created`, and what was put last before what was put earlier. */
  jobBodies(groupId: string, clusterName: string): readonly JsonObject[];
}

/** `now` in milliseconds since the epoch. */
export function createJobs(now: () => number): Jobs {
  const clusters = new Map<string, Set<string>>();
  const jobs = new Map<string, JobState>();

  function addCluster(groupId: string, clusterName: string): void {
    clusters.set(groupId, (clusters.get(groupId) ?? new Set()).add(clusterName));
  }

  function known(jobId: string): JobState {
    const job = jobs.get(jobId);
    if (job === undefined) throw new Error(`no job ${jobId} was put`);
    return job;
  }

  return {
    addCluster,
    putJob(identity, script) {
      const other = jobs.get(identity.jobId)?.identity;
      if (other !== undefined && !sameCluster(other, identity)) {
        throw new Error(`job ${identity.jobId} belongs to cluster ${other.clusterName} of group ${other.groupId}`);
      }
      addCluster(identity.groupId, identity.clusterName);
      jobs.set(identity.jobId, { identity, startedAt: now(), script });
    },
    setBody(jobId, body) {
      jobs.set(jobId, { ...known(jobId), script: { kind: 'fixed', body } });
    },
    advance(jobId) {
      const job = known(jobId);
      if (job.script.kind !== 'by-hand' || job.script.bodies.length < 2)
        throw new Error(`job ${jobId} has no next body`);
      jobs.set(jobId, { ...job, script: { kind: 'by-hand', bodies: job.script.bodies.slice(1) } });
    },
    removeJob: (jobId) => void jobs.delete(jobId),
    hasGroup: (groupId) => clusters.has(groupId),
    hasCluster: (groupId, clusterName) => clusters.get(groupId)?.has(clusterName) === true,
    jobBody(identity) {
      const job = jobs.get(identity.jobId);
      return job !== undefined && sameCluster(job.identity, identity) ? currentBody(job, now()) : undefined;
    },
    jobBodies: (groupId, clusterName) =>
      [...jobs.values()]
        .filter(({ identity }) => identity.groupId === groupId && identity.clusterName === clusterName)
        .reverse()
        .map((job) => currentBody(job, now()))
        .filter((body) => body !== undefined)
        .sort((a, b) => createdAt(b) - createdAt(a)),
  };
}

interface JobState {
  readonly identity: JobIdentity;
  readonly startedAt: number;
  readonly script: JobScript;
}

function sameCluster(a: JobIdentity, b: JobIdentity): boolean {
  return a.groupId === b.groupId && a.clusterName === b.clusterName;
}

function createdAt({ created }: JsonObject): number {
  const time = typeof created === 'string' ? Date.parse(created) : 0;
  return Number.isNaN(time) ? 0 : time;
}

function currentBody({ script, startedAt }: JobState, now: number): JsonObject | undefined {
  switch (script.kind) {
    case 'fixed':
      return script.body;
    case 'by-hand':
      return script.bodies[0];
    case 'timeline':
      return (script.steps.findLast((step) => startedAt + step.afterMs <= now) ?? script.steps[0])?.body;
  }
}
