/** What becomes of jobs at Atlas: the changes while they run, and the ways in which they end. */
import { setTimeout as delay } from 'node:timers/promises';
import type { JobIdentity } from '../support/atlas-simulator/jobs.ts';
import type { JsonObject } from '../support/atlas-simulator/json.ts';
import {
  atlasDate,
  automatedRestore,
  automatedRestoreInto,
  brokenJob,
  encryptedDownload,
  endedDownload,
  fetchedDownload,
  killedJob,
  oddTimestamp,
  openJob,
  pendingDownload,
  pointInTimeDownload,
  readyDownload,
  urlV2Download,
  youngJob,
} from '../support/atlas-simulator/recorded-bodies.ts';
import type { ExpectedState } from './expected-state.ts';
import type { Random } from './random.ts';

/** The body of a job that is still running, different from change to change. */
export function runningBody(job: JobIdentity, change: number, random: Random): JsonObject {
  return { ...random.pick(RUNNING)(job, random), deploymentJobId: String(change) };
}

/** A way to end. It yields how long it rests between two changes, in milliseconds. */
export type Ending = (life: JobLife) => Generator<number, void> | AsyncGenerator<number, void>;

export interface JobLife {
  readonly job: JobIdentity;
  readonly expectedState: ExpectedState;
  readonly random: Random;
  /** Requests a reconcile. */
  readonly ask: () => Promise<void>;
}

export const chooseEnding = (random: Random): Ending => random.pick(ENDINGS);

const RUNNING: readonly ((job: JobIdentity, random: Random) => JsonObject)[] = [
  (job) => youngJob(job),
  (job) => openJob(job),
  (job, random) => ({ ...youngJob(job), batchId: random.hex(24), pointInTime: random.chance(0.5) }),
  (job, random) => ({
    ...youngJob(job),
    timestamp: { date: atlasDate(Date.now()), increment: random.int(1, 2 ** 31) },
  }),
  (job, random) => ({ ...youngJob(job), encryptionEnabled: true, masterKeyUUID: random.hex(32) }),
  // Members that are null or of another type than documented are not mirrored.
  (job) => ({ ...youngJob(job), batchId: null, links: 'none', pointInTime: 'no' }),
  (job) => ({ ...pendingDownload(job), statusName: 'IN_PROGRESS' }),
  // FINISHED, but open as long as the delivery is pending.
  (job) => pendingDownload(job),
  (job) => oddTimestamp(job),
];

const ENDINGS: readonly Ending[] = [
  final((job) => brokenJob(job)),
  final((job) => killedJob(job)),
  final((job) => automatedRestore(job)),
  final((job, random) =>
    automatedRestoreInto(job, { groupId: job.groupId, clusterId: random.hex(24), clusterName: 'Cluster1' }),
  ),
  final((job, random) =>
    endedDownload(job, random.pick(['FAILED', 'INTERRUPTED', 'MAX_DOWNLOADS_EXCEEDED']), inMs(-60_000)),
  ),
  downloadThatExpires,
  downloadThatExpires,
  downloadThatStays,
  downloadThatStays,
];

const inMs = (ms: number): string => atlasDate(Date.now() + ms);

function final(draw: (job: JobIdentity, random: Random) => JsonObject): Ending {
  return function* ({ job, expectedState, random }) {
    expectedState.set(job, draw(job, random));
    yield 0;
  };
}

const READY = [readyDownload, urlV2Download, encryptedDownload, pointInTimeDownload] as const;

/** Ready for a short while: the operator comes at `expires` and sees what it has become, with or without its hashes. */
async function* downloadThatExpires({ job, expectedState, random }: JobLife): AsyncGenerator<number, void> {
  expectedState.set(job, pendingDownload(job));
  yield random.int(3_000, 10_000);
  const expires = inMs(random.int(5_000, 25_000));
  const at = Date.parse(expires);
  const gone = { at, body: endedDownload(job, 'EXPIRED', expires) };
  expectedState.set(job, random.pick(READY)(job, expires), gone);
  const isFetched = random.chance(0.5);
  yield random.int(2_000, 10_000);
  if (isFetched && Date.now() < at) expectedState.set(job, fetchedDownload(job, expires), gone);
  // No rest: a job that was ready when all else has ended still expires.
  await delay(Math.max(0, at - Date.now()));
  expectedState.set(job, gone.body);
}

/** Ready until tomorrow. Its hashes appear when somebody has fetched it, who asks the operator to look again. */
async function* downloadThatStays({ job, expectedState, random, ask }: JobLife): AsyncGenerator<number, void> {
  const tomorrow = inMs(86_400_000);
  expectedState.set(job, pendingDownload(job));
  yield random.int(3_000, 10_000);
  const ready = random.pick(READY)(job, tomorrow);
  expectedState.set(job, ready);
  yield random.int(8_000, 20_000);
  expectedState.set(job, {
    ...ready,
    hashes: [{ fileName: `${job.jobId}.tar.gz`, hash: random.hex(40), typeName: 'SHA1' }],
  });
  await ask();
}
