import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import * as z from 'zod';
import type { JobIdentity } from '../support/atlas-simulator/jobs.ts';
import type { JsonObject } from '../support/atlas-simulator/json.ts';
import {
  atlasDate,
  automatedRestore,
  automatedRestoreInto,
  brokenJob,
  endedDownload,
  fetchedDownload,
  killedJob,
  openJob,
  pendingDownload,
  readyDownload,
  urlV2Download,
  youngJob,
} from '../support/atlas-simulator/recorded-bodies.ts';
import { createEtcdClient, type EtcdClient, RESOURCE_PREFIX } from '../support/etcd.ts';
import { eventually } from '../support/eventually.ts';
import { CLUSTER_NAME, GROUP_ID, NAMESPACE, newJobId, startTestBed, type TestBed } from '../support/test-bed.ts';

const RESOURCES = 10_000;
const OPEN = 1_000;
/** Of every resource, and so the window over which first reconciles are spread. */
const INTERVAL_SECONDS = 20;

const HOUR_MS = 3_600_000;
const TOMORROW = atlasDate(Date.now() + 24 * HOUR_MS);
const LONG_AGO = atlasDate(Date.now() - 2 * HOUR_MS);

/** One kind of resource. */
interface Kind {
  /** What Atlas says of its job; nothing, where it does not know the job. */
  readonly body?: (job: JobIdentity) => JsonObject;
  /** What is not usual in its spec. */
  readonly spec?: Readonly<Record<string, unknown>>;
  /** Its download goes into a Secret. */
  readonly inSecret?: boolean;
  /** The list of its cluster answers for it. */
  readonly isListed?: boolean;
}

/** Nothing can happen to these any more, or nobody wants to know. */
const QUIET: Readonly<Record<string, Kind>> = {
  broken: { body: brokenJob },
  killed: { body: killedJob },
  expired: { body: (job) => endedDownload(job, 'EXPIRED', LONG_AGO) },
  'used-up': { body: (job) => endedDownload(job, 'MAX_DOWNLOADS_EXCEEDED', TOMORROW) },
  failed: { body: (job) => endedDownload(job, 'FAILED', TOMORROW) },
  interrupted: { body: (job) => endedDownload(job, 'INTERRUPTED', TOMORROW) },
  'still-ready-long-after': { body: (job) => fetchedDownload(job, LONG_AGO) },
  automated: { body: automatedRestore },
  'automated-into': {
    body: (job) =>
      automatedRestoreInto(job, { groupId: GROUP_ID, clusterId: '5'.repeat(24), clusterName: CLUSTER_NAME }),
  },
  'expired-in-secret': { body: (job) => endedDownload(job, 'EXPIRED', LONG_AGO), inSecret: true },
  suspended: { body: youngJob, spec: { suspend: true } },
};

const OPEN_KINDS: Readonly<Record<string, Kind>> = {
  running: { body: youngJob, isListed: true },
  'of-unknown-status': { body: openJob, isListed: true },
  pending: { body: pendingDownload, isListed: true },
  ready: { body: (job) => readyDownload(job, TOMORROW) },
  fetched: { body: (job) => fetchedDownload(job, TOMORROW) },
  'ready-in-secret': { body: (job) => urlV2Download(job, TOMORROW), inSecret: true },
  'without-delivery': { body: withoutDelivery },
  'not-found': {},
};

function withoutDelivery(job: JobIdentity): JsonObject {
  const { delivery: _, ...body } = pendingDownload(job);
  return body;
}

/** A resource that an operator has mirrored, as etcd has it. */
interface Template {
  readonly name: string;
  readonly jobId: string;
  readonly uid: string;
  readonly kind: Kind;
  readonly stored: string;
}

let bed: TestBed;
let etcd: EtcdClient;
beforeAll(async () => {
  bed = await startTestBed({}, { tls: false });
  etcd = createEtcdClient(bed.controlPlane.etcdUrl);
});
afterAll(() => bed?.stop());

test(`${RESOURCES} resources: a restart asks for what is open, spread over the window, and writes nothing`, async () => {
  const [quiet, open] = await mirrorOneOfEach();
  const quietJobs = await multiply(quiet, RESOURCES - OPEN);
  const openJobs = await multiply(open, OPEN);
  const listed = openJobs.filter(({ kind }) => kind.isListed === true);
  const unlisted = openJobs.filter(({ kind }) => kind.isListed !== true);
  const before = await etcd.revisions(PREFIX);
  expect(before.size).toBe(RESOURCES);
  await untilServed(Math.max(...[...before.values()].map(Number)));
  bed.atlas.requests.reset();

  const operator = await bed.startOperator();
  const working = await operator.waitForLog(({ msg }) => msg === 'starting workers');
  const startedAt = performance.now();
  expect(working['resources']).toBe(RESOURCES);
  const fetches = new Map<string, number>();
  await eventually(
    'each open one that no list answers for has been fetched',
    () => {
      const at = performance.now() - startedAt;
      for (const { jobId } of unlisted) {
        if (!fetches.has(jobId) && bed.atlas.requests.ofJob(jobId) > 0) fetches.set(jobId, at);
      }
      expect(fetches.size).toBe(unlisted.length);
    },
    { timeoutMs: 60_000, intervalMs: 100 },
  );
  // Reconciles under way are finished, with what they write.
  expect(await operator.stop()).toBe(0);

  // The templates are the oldest of 10,000 jobs: no list is read that far for them.
  const copies = listed.slice(open.filter(({ kind }) => kind.isListed === true).length);
  const fetched = [...quietJobs, ...copies].filter(({ jobId }) => bed.atlas.requests.ofJob(jobId) > 0);
  expect(fetched.map(({ jobId }) => jobId)).toEqual([]);
  // They are the newest, on the first two pages of each list; a slow machine has time for several lists.
  expect(bed.atlas.requests.counts().byKind.list).toBeGreaterThan(0);
  expect(bed.atlas.requests.counts().byKind.list).toBeLessThan(listed.length / 10);
  const fifths = [0, 0, 0, 0, 0];
  for (const at of fetches.values()) {
    const fifth = Math.min(4, Math.floor(at / (INTERVAL_SECONDS * 200)));
    fifths[fifth] = (fifths[fifth] ?? 0) + 1;
  }
  expect(Math.max(...fifths)).toBeLessThan(unlisted.length / 3);
  expect(await etcd.revisions(PREFIX)).toEqual(before);
  expect(operator.log.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
});

const PREFIX = `${RESOURCE_PREFIX}${NAMESPACE}/`;

/** The API server hears of what was written behind its back a little later. */
async function untilServed(revision: number): Promise<void> {
  const list = `/apis/atlasrestore.dev/v1/legacyrestorejobs?limit=1&resourceVersion=${revision}`;
  await eventually('the API server has them all', async () => {
    expect((await bed.controlPlane.request('GET', list)).status).toBe(200);
  });
}

/** Lets an operator mirror one job of each kind, and stops it. */
async function mirrorOneOfEach(): Promise<readonly [readonly Template[], readonly Template[]]> {
  const operator = await bed.startOperator();
  const templates = await Promise.all(
    [QUIET, OPEN_KINDS].map((kinds) =>
      Promise.all(Object.entries(kinds).map(([name, kind]) => mirror(`template-${name}`, kind))),
    ),
  );
  expect(await operator.stop()).toBe(0);
  const [quiet = [], open = []] = templates;
  return [quiet, open];
}

async function mirror(name: string, kind: Kind): Promise<Template> {
  const jobId = newJobId();
  putJob(jobId, kind);
  const { metadata } = await bed.create(name, {
    jobId,
    interval: `${INTERVAL_SECONDS}s`,
    ...kind.spec,
    ...(kind.inSecret === true ? { deliverySecretName: downloadOf(name) } : {}),
  });
  await bed.until(name, 'it is mirrored', ({ status }) => status.observedGeneration === metadata.generation);
  // What nobody knows is looked at for an hour after the last change.
  const stored = (await etcd.get(PREFIX + name)).replace(/"lastChangeTime":"[^"]*"/, `"lastChangeTime":"${LONG_AGO}"`);
  return { name, jobId, uid: metadata.uid, kind, stored };
}

function putJob(jobId: string, { body }: Kind): void {
  const job = { groupId: GROUP_ID, clusterName: CLUSTER_NAME, jobId };
  if (body !== undefined) bed.atlas.putJob(job, { kind: 'fixed', body: body(job) });
}

const downloadOf = (name: string): string => `${name}-download`;

/** Makes so many resources of the templates, those included, each with a job of its own; returns all jobs. */
async function multiply(
  templates: readonly Template[],
  count: number,
): Promise<readonly Pick<Template, 'jobId' | 'kind'>[]> {
  const jobs: Pick<Template, 'jobId' | 'kind'>[] = [...templates];
  const stored = new Map(templates.map((template) => [PREFIX + template.name, template.stored]));
  while (jobs.length < count) {
    const template = templates[jobs.length % templates.length];
    if (template === undefined) throw new Error('nothing to multiply');
    const copy = { name: `${template.name}-${jobs.length}`, jobId: newJobId(), uid: randomUUID() };
    const translate = (text: string): string => translated(text, template, copy);
    putJob(copy.jobId, template.kind);
    stored.set(PREFIX + copy.name, translate(template.stored));
    if (template.kind.inSecret === true) await copySecret(downloadOf(template.name), translate);
    jobs.push({ jobId: copy.jobId, kind: template.kind });
  }
  await etcd.putAll(stored);
  return jobs;
}

type Names = Pick<Template, 'name' | 'jobId' | 'uid'>;

/** A text with everything that names one resource replaced by what names another. */
function translated(text: string, from: Names, to: Names): string {
  const keyOf = ({ jobId }: Names): string => Buffer.from(`verification-key-${jobId}`).toString('base64');
  return text
    .replaceAll(from.name, to.name)
    .replaceAll(keyOf(from), keyOf(to))
    .replaceAll(from.jobId, to.jobId)
    .replaceAll(from.uid, to.uid);
}

/** Secrets are stored in a binary form: they are copied through the API server. */
async function copySecret(name: string, translate: (text: string) => string): Promise<void> {
  const path = `/api/v1/namespaces/${NAMESPACE}/secrets`;
  const found = await bed.controlPlane.request('GET', `${path}/${name}`);
  // An ended download has no URL to keep.
  if (found.status === 404) return;
  const { metadata, data } = Secret.parse(found.body);
  const copies = Object.entries(data).map(([key, value]) => [key, translate(Buffer.from(value, 'base64').toString())]);
  const copy = { ...JSON.parse(translate(JSON.stringify({ metadata }))), stringData: Object.fromEntries(copies) };
  const created = await bed.controlPlane.request('POST', path, copy);
  expect(created.status).toBe(201);
}

const Secret = z.object({
  metadata: z.object({ name: z.string(), ownerReferences: z.array(z.looseObject({})) }),
  data: z.record(z.string(), z.string()),
});
