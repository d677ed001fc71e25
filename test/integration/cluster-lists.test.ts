/** Open jobs of one cluster are polled by its list: what that costs, and that a list never decides what is mirrored. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { failing, otherItems, oversized } from '../support/atlas-simulator/fault-samples.ts';
import type { Fault } from '../support/atlas-simulator/faults.ts';
import type { JobIdentity } from '../support/atlas-simulator/jobs.ts';
import { brokenJob, pendingDownload, youngJob } from '../support/atlas-simulator/recorded-bodies.ts';
import { eventually } from '../support/eventually.ts';
import { metricValue, samplesOf, scrapeText } from '../support/scrape.ts';
import {
  conditionOf,
  GROUP_ID,
  type NamespacedBed,
  putJob,
  type Resource,
  startTestBed,
  type TestBed,
} from '../support/test-bed.ts';

let bed: TestBed;
beforeAll(async () => {
  bed = await startTestBed();
});
afterAll(() => bed?.stop());

/** A resource and its job. */
interface Mirrored {
  readonly name: string;
  readonly job: JobIdentity;
}

/** Resources for running jobs of a cluster of their own; resolves once all are mirrored. */
async function mirrorJobs(own: NamespacedBed, clusterName: string, count: number): Promise<readonly Mirrored[]> {
  const created = Array.from({ length: count }, (_, index) => ({
    name: `${clusterName.toLowerCase()}-${index}`,
    job: putJob(bed.atlas, youngJob, { clusterName }),
  }));
  for (const { name, job } of created) await own.create(name, { clusterName, jobId: job.jobId, interval: '10s' });
  for (const { name } of created) await own.until(name, 'is mirrored', isSynced);
  return created;
}

const isSynced = (resource: Resource): boolean => conditionOf(resource, 'Synced') === 'True JobFetched';
const versions = (own: NamespacedBed, jobs: readonly Mirrored[]): Promise<readonly string[]> =>
  Promise.all(jobs.map(async ({ name }) => (await own.get(name)).metadata.resourceVersion));

/** Resolves once the list of a cluster has been asked for so many times more. */
async function untilListed(clusterName: string, times: number): Promise<void> {
  const asIs = otherItems((items) => items);
  const seen = bed.atlas.faults.add({ match: { kind: 'list', clusterName }, when: 'after-auth', fault: asIs });
  await eventually(`lists of ${clusterName}`, () => expect(seen.hits()).toBeGreaterThanOrEqual(times), {
    timeoutMs: 60_000,
  });
  seen.remove();
}

const requestsFor = (jobs: readonly Mirrored[]): readonly number[] =>
  jobs.map(({ job }) => bed.atlas.requests.ofJob(job.jobId));

/** Counts from now on: the requests for the list of a cluster, and those for each of some jobs. */
function countRequests(clusterName: string, jobs: readonly Mirrored[]) {
  const lists = bed.atlas.requests.ofList(clusterName);
  const before = requestsFor(jobs);
  return {
    lists: (): number => bed.atlas.requests.ofList(clusterName) - lists,
    jobs: (): readonly number[] => requestsFor(jobs).map((count, index) => count - (before[index] ?? 0)),
  };
}

function finish({ job }: Mirrored): void {
  bed.atlas.setBody(job.jobId, pendingDownload(job));
}
const untilFinished = (own: NamespacedBed, jobs: readonly Mirrored[]): Promise<unknown> =>
  Promise.all(
    jobs.map(({ name }) => own.until(name, 'the change is mirrored', ({ status }) => status.statusName === 'FINISHED')),
  );

// Each has an operator, a namespace and clusters of its own: what takes time is the waiting for intervals.

test.concurrent('sixty running jobs cost one request per interval, and one more for each that changes', async () => {
  const own = await bed.inNamespace('sixty');
  const operator = await own.startOperator();
  const jobs = await mirrorJobs(own, 'Sixty', 60);
  const before = await versions(own, jobs);
  const quiet = countRequests('Sixty', jobs);
  // Three intervals are watched: that a machine is slow only makes the requests fewer.
  await delay(30_000);
  expect(quiet.lists()).toBeLessThanOrEqual(5);
  expect(quiet.lists()).toBeGreaterThan(1);
  expect(quiet.jobs()).toEqual(jobs.map(() => 0));
  expect(await versions(own, jobs)).toEqual(before);
  const samples = samplesOf(await scrapeText(operator.url));
  const answers = { result: 'unchanged' };
  expect(metricValue(samples, 'legacy_restore_atlas_list_answers_total', answers)).toBeGreaterThanOrEqual(120);
  expect(metricValue(samples, 'legacy_restore_atlas_requests_total', { endpoint: 'restoreJobs' })).toBeGreaterThan(1);
  // It counts as fetched for as long as lists say that nothing has changed.
  expect(metricValue(samples, 'legacy_restore_mirror_age_seconds')).toBeLessThan(25);

  const changing = jobs.slice(20, 25);
  const changed = countRequests('Sixty', jobs);
  changing.forEach(finish);
  await untilFinished(own, changing);
  expect(changed.lists()).toBeLessThanOrEqual(2);
  expect(changed.jobs()).toEqual(jobs.map((job) => (changing.includes(job) ? 1 : 0)));
});

/** What the list of a cluster of four jobs says instead of the truth, for as long as it is asked. */
const LIES: Readonly<Record<string, Fault>> = {
  Finished: otherItems((items) => items.map((item) => ({ ...item, statusName: 'FINISHED' }))),
  Lacking: otherItems((items) => items.slice(1)),
  Empty: otherItems(() => []),
  Twice: otherItems((items) => items.flatMap((item) => [item, { ...item, statusName: 'BROKEN' }])),
  IllTyped: otherItems((items) => [null, {}, ...items.map((item) => ({ ...item, statusName: 7 }))]),
  Failing: failing(500, 'UNEXPECTED_ERROR'),
  Forbidden: failing(403, 'ACCESS_FORBIDDEN'),
  Page: { kind: 'html', status: 200 },
  TooLarge: oversized({ results: [] }, 9 * 1_024 * 1_024),
  Nothing: { kind: 'body', body: '{}' },
};

test.concurrent('whatever lists say, each status equals what the job itself says', async () => {
  const own = await bed.inNamespace('lies');
  await own.startOperator();
  const clusters = await Promise.all(
    Object.entries(LIES).map(async ([clusterName, fault]) => {
      const jobs = await mirrorJobs(own, clusterName, 4);
      const lie = bed.atlas.faults.add({ match: { kind: 'list', clusterName }, when: 'after-auth', fault });
      return { clusterName, jobs, lie, before: await versions(own, jobs) };
    }),
  );
  for (const { clusterName, lie } of clusters)
    await eventually(`the list of ${clusterName} was asked for`, () => expect(lie.hits()).toBeGreaterThan(0));
  for (const { jobs } of clusters) for (const job of jobs.slice(3)) finish(job);
  for (const { jobs } of clusters) await untilFinished(own, jobs.slice(3));
  for (const { clusterName, jobs, before } of clusters)
    expect([clusterName, await versions(own, jobs.slice(0, 3))]).toEqual([clusterName, before.slice(0, 3)]);
  for (const { job } of clusters.flatMap(({ jobs }) => jobs.slice(0, 3))) bed.atlas.setBody(job.jobId, brokenJob(job));
  for (const { name } of clusters.flatMap(({ jobs }) => jobs.slice(0, 3)))
    await own.until(name, 'is broken', ({ status }) => status.statusName === 'BROKEN');
});

test.concurrent('nothing of one credential is served to another', async () => {
  const own = await bed.inNamespace('shared');
  const other = { publicKey: 'another1', privateKey: 'f0e1d2c3-b4a5-9687-7869-5a4b3c2d1e0f' };
  bed.atlas.addApiKey({ ...other, groupIds: [GROUP_ID] });
  await own.createSecret('other-key', { publicApiKey: other.publicKey, privateApiKey: other.privateKey });
  await own.startOperator();
  const jobs = await mirrorJobs(own, 'Shared', 3);
  const others = jobs.map(({ name, job }) => ({ name: `${name}-of-another`, job }));
  for (const { name, job } of others) {
    const { clusterName, jobId } = job;
    await own.create(name, { clusterName, jobId, interval: '10s', credentialsSecretRef: { name: 'other-key' } });
    await own.until(name, 'is mirrored', isSynced);
  }
  // From now on this key may not see the project.
  bed.atlas.addApiKey({ ...other, groupIds: [] });
  jobs.forEach(finish);
  await untilFinished(own, jobs);
  for (const { name } of others) {
    const { status } = await own.until(name, 'is refused', (resource) => !isSynced(resource));
    expect(status).toMatchObject({ statusName: 'IN_PROGRESS', reason: 'Unauthorized' });
  }
});

test.concurrent('after a restart open jobs wait for the list', async () => {
  const own = await bed.inNamespace('restarted');
  const first = await own.startOperator();
  const jobs = await mirrorJobs(own, 'Restarted', 20);
  const before = await versions(own, jobs);
  await first.stop();
  const requests = countRequests('Restarted', jobs);
  await own.startOperator();
  await untilListed('Restarted', 2);
  expect(requests.jobs()).toEqual(jobs.map(() => 0));
  expect(await versions(own, jobs)).toEqual(before);
});

test.concurrent('what is suspended or deleted leaves the list, and what a person asked for has its own request', async () => {
  const own = await bed.inNamespace('leaving');
  await own.startOperator();
  const jobs = await mirrorJobs(own, 'Leaving', 7);
  const [suspended, deleted, edited, requested] = jobs;
  if (suspended === undefined || deleted === undefined || edited === undefined || requested === undefined)
    throw new Error('too few');
  await untilListed('Leaving', 1);
  await own.patch(suspended.name, { spec: { suspend: true } });
  await own.until(suspended.name, 'is suspended', ({ status }) => status.reason === 'Suspended');
  await own.delete(deleted.name);
  const asked = countRequests('Leaving', [edited, requested]);
  const left = countRequests('Leaving', [suspended, deleted]);
  await own.patch(edited.name, { spec: { interval: '11s' } });
  await own.until(edited.name, 'is edited', ({ status }) => status.observedGeneration === 2);
  await own.reconcile(requested.name);
  expect(asked.jobs()).toEqual([1, 1]);
  [suspended, deleted].forEach(finish);
  await untilListed('Leaving', 2);
  expect(left.jobs()).toEqual([0, 0]);
  expect((await own.get(suspended.name)).status).toMatchObject({ statusName: 'IN_PROGRESS', reason: 'Suspended' });
});

test.concurrent('without the setting each job is asked for by itself', async () => {
  const own = await bed.inNamespace('unlisted');
  await own.startOperator({ ATLAS_LIST: 'false' });
  const jobs = await mirrorJobs(own, 'Unlisted', 4);
  const requests = countRequests('Unlisted', jobs);
  await eventually('each is asked for', () => expect(Math.min(...requests.jobs())).toBeGreaterThan(0));
  expect(requests.lists()).toBe(0);
});
