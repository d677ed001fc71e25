/** Open jobs of one cluster are polled by its list: what that costs, and that a list never decides what is mirrored. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { failing, otherItems, oversized } from '../support/atlas-simulator/fault-samples.ts';
import type { Fault } from '../support/atlas-simulator/faults.ts';
import type { JobIdentity } from '../support/atlas-simulator/jobs.ts';
import { brokenJob, pendingDownload, youngJob } from '../support/atlas-simulator/recorded-bodies.ts';
import { eventually } from '../support/eventually.ts';
import { metricValue, samplesOf, scrapeText } from '../support/scrape.ts';
import { conditionOf, GROUP_ID, putJob, type Resource, startTestBed, type TestBed } from '../support/test-bed.ts';

let bed: TestBed;
beforeAll(async () => {
  bed = await startTestBed();
});
afterEach(async () => {
  await bed.endOperators();
  bed.atlas.faults.clear();
});
afterAll(() => bed?.stop());

/** A resource and its job. */
interface Mirrored {
  readonly name: string;
  readonly job: JobIdentity;
}

/** Resources for running jobs of a cluster of their own. */
async function createJobs(clusterName: string, count: number, spec: object = {}): Promise<readonly Mirrored[]> {
  const created = Array.from({ length: count }, (_, index) => ({
    name: `${clusterName.toLowerCase()}-${index}`,
    job: putJob(bed.atlas, youngJob, { clusterName }),
  }));
  for (const { name, job } of created)
    await bed.create(name, { clusterName, jobId: job.jobId, interval: '10s', ...spec });
  return created;
}

/** As `createJobs`, once all are mirrored. */
async function mirrorJobs(clusterName: string, count: number, spec: object = {}): Promise<readonly Mirrored[]> {
  const created = await createJobs(clusterName, count, spec);
  for (const { name } of created) await bed.until(name, 'is mirrored', isSynced);
  return created;
}

const isSynced = (resource: Resource): boolean => conditionOf(resource, 'Synced') === 'True JobFetched';
const versions = (jobs: readonly Mirrored[]): Promise<readonly string[]> =>
  Promise.all(jobs.map(async ({ name }) => (await bed.get(name)).metadata.resourceVersion));

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

function finish({ job }: Mirrored): void {
  bed.atlas.setBody(job.jobId, pendingDownload(job));
}
const untilFinished = ({ name }: Mirrored): Promise<Resource> =>
  bed.until(name, 'the change is mirrored', ({ status }) => status.statusName === 'FINISHED');

test('sixty running jobs cost one request per interval, and one more for each that changes', async () => {
  const operator = await bed.startOperator();
  const jobs = await mirrorJobs('Sixty', 60);
  const before = await versions(jobs);
  bed.atlas.requests.reset();
  // Six intervals are watched: that a machine is slow only makes the requests fewer.
  await delay(60_000);
  const quiet = bed.atlas.requests.counts();
  expect(quiet.total).toBeLessThanOrEqual(8);
  expect(quiet.byKind).toMatchObject({ job: 0, list: expect.any(Number) });
  expect(quiet.byKind.list).toBeGreaterThan(1);
  expect(await versions(jobs)).toEqual(before);
  const samples = samplesOf(await scrapeText(operator.url));
  const answers = { result: 'unchanged' };
  expect(metricValue(samples, 'legacy_restore_atlas_list_answers_total', answers)).toBeGreaterThanOrEqual(120);
  expect(metricValue(samples, 'legacy_restore_atlas_requests_total', { endpoint: 'restoreJobs' })).toBeGreaterThan(1);
  // It counts as fetched for as long as lists say that nothing has changed.
  expect(metricValue(samples, 'legacy_restore_mirror_age_seconds')).toBeLessThan(45);

  const changing = jobs.slice(20, 25);
  changing.forEach(finish);
  bed.atlas.requests.reset();
  await Promise.all(changing.map(untilFinished));
  const changed = bed.atlas.requests.counts();
  expect(changed.byKind.list).toBeLessThanOrEqual(2);
  expect(changed.byKind.job).toBe(5);
  expect(requestsFor(changing)).toEqual([1, 1, 1, 1, 1]);
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

test('whatever lists say, each status equals what the job itself says', async () => {
  await bed.startOperator();
  const clusters = await Promise.all(
    Object.entries(LIES).map(async ([clusterName, fault]) => {
      const jobs = await mirrorJobs(clusterName, 4);
      const lie = bed.atlas.faults.add({ match: { kind: 'list', clusterName }, when: 'after-auth', fault });
      return { clusterName, jobs, lie, before: await versions(jobs) };
    }),
  );
  for (const { clusterName, lie } of clusters)
    await eventually(`the list of ${clusterName} was asked for`, () => expect(lie.hits()).toBeGreaterThan(0));
  for (const { jobs } of clusters) for (const job of jobs.slice(3)) finish(job);
  for (const { jobs } of clusters) await Promise.all(jobs.slice(3).map(untilFinished));
  for (const { clusterName, jobs, before } of clusters)
    expect([clusterName, await versions(jobs.slice(0, 3))]).toEqual([clusterName, before.slice(0, 3)]);
  for (const { job } of clusters.flatMap(({ jobs }) => jobs.slice(0, 3))) bed.atlas.setBody(job.jobId, brokenJob(job));
  for (const { name } of clusters.flatMap(({ jobs }) => jobs.slice(0, 3)))
    await bed.until(name, 'is broken', ({ status }) => status.statusName === 'BROKEN');
});

test('nothing of one credential is served to another', async () => {
  const other = { publicKey: 'another1', privateKey: 'f0e1d2c3-b4a5-9687-7869-5a4b3c2d1e0f' };
  bed.atlas.addApiKey({ ...other, groupIds: [GROUP_ID] });
  await bed.createSecret('other-key', { publicApiKey: other.publicKey, privateApiKey: other.privateKey });
  await bed.startOperator();
  const jobs = await mirrorJobs('Shared', 3);
  const others = jobs.map(({ name, job }) => ({ name: `${name}-of-another`, job }));
  for (const { name, job } of others) {
    const { clusterName, jobId } = job;
    await bed.create(name, { clusterName, jobId, interval: '10s', credentialsSecretRef: { name: 'other-key' } });
    await bed.until(name, 'is mirrored', isSynced);
  }
  // From now on this key may not see the project.
  bed.atlas.addApiKey({ ...other, groupIds: [] });
  jobs.forEach(finish);
  await Promise.all(jobs.map(untilFinished));
  for (const { name } of others) {
    const { status } = await bed.until(name, 'is refused', (resource) => !isSynced(resource));
    expect(status).toMatchObject({ statusName: 'IN_PROGRESS', reason: 'Unauthorized' });
  }
});

test('after a restart open jobs wait for the list', async () => {
  const first = await bed.startOperator();
  const jobs = await mirrorJobs('Restarted', 20);
  const before = await versions(jobs);
  await first.stop();
  bed.atlas.requests.reset();
  await bed.startOperator();
  await untilListed('Restarted', 2);
  expect(requestsFor(jobs)).toEqual(jobs.map(() => 0));
  expect(await versions(jobs)).toEqual(before);
});

test('what is suspended or deleted leaves the list, and what a person asked for has its own request', async () => {
  await bed.startOperator();
  const jobs = await mirrorJobs('Leaving', 7);
  const [suspended, deleted, edited, requested] = jobs;
  if (suspended === undefined || deleted === undefined || edited === undefined || requested === undefined)
    throw new Error('too few');
  await untilListed('Leaving', 1);
  await bed.patch(suspended.name, { spec: { suspend: true } });
  await bed.until(suspended.name, 'is suspended', ({ status }) => status.reason === 'Suspended');
  await bed.delete(deleted.name);
  bed.atlas.requests.reset();
  await bed.patch(edited.name, { spec: { interval: '11s' } });
  await bed.until(edited.name, 'is edited', ({ status }) => status.observedGeneration === 2);
  await bed.reconcile(requested.name);
  expect(requestsFor([edited, requested])).toEqual([1, 1]);
  [suspended, deleted].forEach(finish);
  await untilListed('Leaving', 2);
  expect(requestsFor([suspended, deleted])).toEqual([0, 0]);
  expect((await bed.get(suspended.name)).status).toMatchObject({ statusName: 'IN_PROGRESS', reason: 'Suspended' });
});

test('without the setting each job is asked for by itself', async () => {
  await bed.startOperator({ ATLAS_LIST: 'false' });
  const jobs = await mirrorJobs('Unlisted', 4);
  bed.atlas.requests.reset();
  await Promise.all(jobs.map(({ job }) => bed.atlas.requests.until(({ byJobId }) => (byJobId[job.jobId] ?? 0) >= 1)));
  expect(bed.atlas.requests.counts().byKind.list).toBe(0);
});
