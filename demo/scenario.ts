/** What the Atlas simulator says about the jobs of the samples. */
import type { Serving } from '../test/support/atlas-simulator/files.ts';
import type { JobIdentity, JobStep } from '../test/support/atlas-simulator/jobs.ts';
import type { JsonObject } from '../test/support/atlas-simulator/json.ts';
import {
  atlasDate,
  automatedRestoreInto,
  endedDownload,
  pendingDownload,
  readyDownload,
  shardedBatch,
  urlV2Download,
  youngJob,
} from '../test/support/atlas-simulator/recorded-bodies.ts';
import type { AtlasSimulator } from '../test/support/atlas-simulator/simulator.ts';
import { BROKEN_ONCE, withFile } from './files.ts';
import { only, type Sample, type Samples } from './samples.ts';

/** Id that the three jobs of the batch share. */
export const BATCH_ID = '5c1e0a9e80eef5354c2b6a10';

/**
 * The operator asks every 10 s ± 10 %: the second answer comes after 9 to 11 s, the third after 18 to 22 s, the fourth
 * after 27 to 33 s. Changes lie between these, so that the demo goes the same way every time.
 */
const BETWEEN = { firstAndSecond: 5_000, secondAndThird: 14_000, thirdAndFourth: 24_500 } as const;

/** Makes the service account of the samples one that Atlas accepts, for the project of the samples. */
export function acceptCredentials(atlas: AtlasSimulator, samples: Samples): void {
  const { clientId, clientSecret } = only(samples.credentials.secrets);
  const groupIds = [...new Set(Object.values(samples).flatMap(({ jobs }) => jobs.map(({ groupId }) => groupId)))];
  atlas.addServiceAccount({ clientId, clientSecret, groupIds });
}

/** A download that takes its time: it runs, finishes, and then its file becomes ready. Fetching it breaks once. */
export function runJob(atlas: AtlasSimulator, sample: Sample): void {
  const job = only(sample.jobs);
  const steps = [
    { afterMs: 0, body: youngJob(job) },
    { afterMs: BETWEEN.secondAndThird, body: pendingDownload(job) },
    { afterMs: BETWEEN.thirdAndFourth, body: readyDownload(job, EXPIRES) },
  ];
  put(atlas, job, minutesAgo(1), steps, BROKEN_ONCE);
}

/** How long the first job of `leaveRunning` runs. */
const LEFT_RUNNING_MS = 40_000;

/** Two jobs of another cluster, for who wants to try something: one finishes soon, the other runs on. */
export function leaveRunning(
  atlas: AtlasSimulator,
  groupId: string,
): readonly [ending: JobIdentity, endless: JobIdentity] {
  const cluster = { groupId, clusterName: 'Inventory' };
  const ending = { ...cluster, jobId: '6b8f03c280eef5354c77ef01' };
  const endless = { ...cluster, jobId: '6b8f03c280eef5354c77ef02' };
  put(atlas, ending, minutesAgo(5), [
    { afterMs: 0, body: youngJob(ending) },
    { afterMs: LEFT_RUNNING_MS, body: readyDownload(ending, EXPIRES) },
  ]);
  put(atlas, endless, minutesAgo(4), [{ afterMs: 0, body: youngJob(endless) }]);
  return [ending, endless];
}

/** The config servers are done, the shards follow one after the other. */
export function runBatch(atlas: AtlasSimulator, { jobs }: Sample): void {
  const [config, first, second] = jobs;
  if (config === undefined || first === undefined || second === undefined) throw new Error('the batch has three jobs');
  const { groupId, clusterName } = config;
  const jobIds = [config.jobId, first.jobId, second.jobId] as const;
  const bodies = shardedBatch({ groupId, clusterName, batchId: BATCH_ID, jobIds }, EXPIRES);
  const doneAfter = [0, BETWEEN.firstAndSecond, BETWEEN.secondAndThird];
  for (const [index, { body, ...job }] of bodies.entries()) {
    const running = { ...youngJob(job), batchId: BATCH_ID, clusterId: body['clusterId'] ?? '' };
    const afterMs = doneAfter[index] ?? 0;
    const steps =
      afterMs === 0
        ? [{ afterMs, body }]
        : [
            { afterMs: 0, body: running },
            { afterMs, body },
          ];
    put(atlas, job, minutesAgo(3), steps);
  }
}

/** A job of long ago. */
export function recallExpired(atlas: AtlasSimulator, sample: Sample): void {
  const job = only(sample.jobs);
  const created = minutesAgo(30 * DAY);
  put(atlas, job, created, [{ afterMs: 0, body: endedDownload(job, 'EXPIRED', atlasDate(created + 2 * DAY_MS)) }]);
}

/** A restore into another cluster of the same project. */
export function restoreAutomatically(atlas: AtlasSimulator, sample: Sample): void {
  const job = only(sample.jobs);
  const target = { groupId: job.groupId, clusterId: '5a66689487d9d61443b4617c', clusterName: 'Staging' };
  put(atlas, job, minutesAgo(40), [{ afterMs: 0, body: automatedRestoreInto(job, target) }]);
}

/** A file that waits to be downloaded. */
export function offerDownload(atlas: AtlasSimulator, sample: Sample): void {
  const job = only(sample.jobs);
  put(atlas, job, minutesAgo(20), [{ afterMs: 0, body: readyDownload(job, EXPIRES) }]);
}

/** A file whose download needs a header with a secret value. */
export function offerGuardedDownload(atlas: AtlasSimulator, sample: Sample): void {
  const job = only(sample.jobs);
  put(atlas, job, minutesAgo(25), [{ afterMs: 0, body: urlV2Download(job, EXPIRES) }]);
}

const DAY = 24 * 60;
const DAY_MS = DAY * 60_000;
const NOW = Date.now();
const EXPIRES = atlasDate(NOW + 2 * DAY_MS);

const minutesAgo = (minutes: number): number => NOW - minutes * 60_000;

function put(
  atlas: AtlasSimulator,
  { groupId, clusterName, jobId }: JobIdentity,
  createdMs: number,
  steps: readonly JobStep[],
  servings?: readonly Serving[],
): void {
  const served = steps.map(({ afterMs, body }) => ({
    afterMs,
    body: withFile(atlas, jobId, datedBody(body, createdMs), servings),
  }));
  atlas.putJob({ groupId, clusterName, jobId }, { kind: 'timeline', steps: served });
}

/** The recorded bodies are from 2018: the demo's jobs are of today. */
function datedBody(body: JsonObject, createdMs: number): JsonObject {
  const snapshot = { date: atlasDate(createdMs - 3_600_000), increment: 1 };
  return { ...body, created: atlasDate(createdMs), timestamp: snapshot };
}
