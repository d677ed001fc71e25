import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ATLAS_APIS, type AtlasApi } from '../../src/api/atlas-api.ts';
import { RestoreJob } from '../../src/api/restore-job.ts';
import { APIS } from '../support/atlas-simulator/apis.ts';
import { failing } from '../support/atlas-simulator/fault-samples.ts';
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
  PUBLISHED_EXAMPLE,
  pendingDownload,
  pointInTimeDownload,
  readyDownload,
  shardedBatch,
  urlV2Download,
  youngJob,
} from '../support/atlas-simulator/recorded-bodies.ts';
import { eventually } from '../support/eventually.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import {
  API_KEY,
  CLUSTER_ID,
  CLUSTER_NAME,
  conditionOf,
  GROUP_ID,
  type NamespacedBed,
  newJobId,
  putJob,
  type Resource,
  startTestBed,
  type TestBed,
} from '../support/test-bed.ts';

/** What the tests of one API use. */
interface Side {
  readonly own: NamespacedBed;
  readonly operator: OperatorProcess;
  readonly clusterName: string;
  /** They take half a minute, in which the other tests run. */
  readonly polled: Promise<void>;
  readonly repaired: Promise<void>;
}

let bed: TestBed;
let sides: ReadonlyMap<AtlasApi, Side>;
beforeAll(async () => {
  bed = await startTestBed();
  bed.atlas.addCluster(GROUP_ID, CLUSTER_ID);
  sides = new Map(await Promise.all(ATLAS_APIS.map(async (api) => [api, await startSide(api)] as const)));
});
afterAll(() => bed?.stop());

/** An operator that asks one API, with a namespace of its own. */
async function startSide(api: AtlasApi): Promise<Side> {
  const own = await bed.inNamespace(api.replaceAll(/[/.]/g, '-'));
  const operator = await own.startOperator({ ATLAS_API: api });
  const clusterName = api === 'public/v1.0' ? CLUSTER_ID : CLUSTER_NAME;
  const side = { own, operator, clusterName };
  const slow = { polled: poll(side), repaired: repair(side) };
  for (const ended of Object.values(slow)) ended.catch(() => {});
  return { ...side, ...slow };
}

const TOMORROW = atlasDate(Date.now() + 86_400_000);
const YESTERDAY = atlasDate(Date.now() - 86_400_000);

type Mirror = (
  name: string,
  body: (job: JobIdentity) => JsonObject,
  spec?: object,
) => Promise<{ readonly job: JobIdentity; readonly resource: Resource }>;

/** Puts a body at Atlas and a resource beside it, and waits for its first reconcile. */
const mirrorTo =
  ({ own, clusterName }: Pick<Side, 'own' | 'clusterName'>): Mirror =>
  async (name, body, spec = {}) => {
    const job = putJob(bed.atlas, body, { clusterName });
    await own.create(name, { clusterName, jobId: job.jobId, ...spec });
    return { job, resource: await reconciled(own, name) };
  };

const reconciled = (own: NamespacedBed, name: string): Promise<Resource> =>
  own.until(
    name,
    'the first reconcile is over',
    ({ status, metadata }) => status.observedGeneration === metadata.generation,
  );

/** How many times the status of a resource was written, as the API server's audit log tells. */
async function statusWrites({ namespace }: NamespacedBed, name: string): Promise<number> {
  const path = `/namespaces/${namespace}/legacyrestorejobs/${name}/status`;
  const lines = (await readFile(bed.controlPlane.auditLog, 'utf8')).split('\n').filter((line) => line.includes(path));
  return lines.filter((line) => line.includes('"verb":"patch"') && /"code":2\d\d/.test(line)).length;
}

/** The members of a recorded body that the design lists, as they must stand in status. */
function listed(body: JsonObject): Record<string, unknown> {
  const { delivery, hashes, timestamp, ...rest } = body;
  const only = (value: unknown, names: readonly string[]): object =>
    Object.fromEntries(Object.entries(Object(value)).filter(([name]) => names.includes(name)));
  return {
    ...only(rest, Object.keys(RestoreJob.shape)),
    delivery: only(delivery, [
      'methodName',
      'statusName',
      'url',
      'urlV2',
      'authHeader',
      'expires',
      'expirationHours',
      'maxDownloads',
      'targetClusterId',
      'targetClusterName',
      'targetGroupId',
    ]),
    ...(timestamp === undefined ? {} : { timestamp: only(timestamp, ['date', 'increment']) }),
    ...(Array.isArray(hashes) ? { hashes: hashes.map((hash) => only(hash, ['fileName', 'hash', 'typeName'])) } : {}),
  };
}

const OWN_FIELDS = [
  'observedGeneration',
  'conditions',
  'reason',
  'failure',
  'lastHandledReconcileAt',
  'lastChangeTime',
  'urlWithheld',
];
const mirroredFields = ({ status }: Resource): object =>
  Object.fromEntries(Object.entries(status).filter(([name]) => !OWN_FIELDS.includes(name)));

async function poll({ own }: Pick<Side, 'own'>): Promise<void> {
  // Alone in its cluster: several are polled by a list.
  const { jobId, clusterName } = putJob(bed.atlas, youngJob, { clusterName: newJobId() });
  await own.create('polled', { jobId, clusterName, interval: '10s' });
  const { metadata, status } = await reconciled(own, 'polled');
  const gets = bed.atlas.requests.ofJob(jobId);
  await eventually('two more polls', () => expect(bed.atlas.requests.ofJob(jobId)).toBeGreaterThanOrEqual(gets + 2), {
    timeoutMs: 60_000,
  });
  expect((await own.get('polled')).metadata.resourceVersion).toBe(metadata.resourceVersion);
  expect(status.lastChangeTime).toBeDefined();
  expect(await statusWrites(own, 'polled')).toBe(1);
}

async function repair(side: Pick<Side, 'own' | 'clusterName'>): Promise<void> {
  const { own } = side;
  const mirror = mirrorTo(side);
  const missing = await mirror('late-secret', youngJob, { credentialsSecretRef: { name: 'late' } });
  // It is expected to come for a minute.
  expect(conditionOf(missing.resource, 'Synced')).toBe('Unknown SecretNotFound');
  expect(conditionOf(missing.resource, 'Ready')).toBe('Unknown SecretNotFound');
  expect(conditionOf(missing.resource, 'Reconciling')).toBe('True SecretNotFound');

  await own.createSecret('wrong', { publicApiKey: API_KEY.publicKey, privateApiKey: 'wrong' });
  const wrong = await mirror('wrong-key', youngJob, { credentialsSecretRef: { name: 'wrong' } });
  expect(conditionOf(wrong.resource, 'Synced')).toBe('Unknown Unauthorized');
  // Two with a cold nonce; a wrong key is not tried in a loop.
  expect(bed.atlas.requests.ofJob(wrong.job.jobId)).toBe(2);

  await own.createSecret('late', { publicApiKey: API_KEY.publicKey, privateApiKey: API_KEY.privateKey });
  await bed.controlPlane.request('PATCH', `/api/v1/namespaces/${own.namespace}/secrets/wrong`, {
    stringData: { privateApiKey: API_KEY.privateKey },
  });
  const isSynced = (now: Resource): boolean => conditionOf(now, 'Synced') === 'True JobFetched';
  for (const name of ['late-secret', 'wrong-key']) await own.until(name, 'it is mirrored', isSynced, 60_000);
}

function sideOf(api: AtlasApi): Side {
  const side = sides.get(api);
  if (side === undefined) throw new Error(`nothing asks ${api}`);
  return side;
}

describe.each(ATLAS_APIS)('with %s', (api) => {
  const isPublic = api === 'public/v1.0';

  let own: NamespacedBed;
  let operator: OperatorProcess;
  let clusterName: string;
  let mirror: Mirror;
  beforeAll(() => {
    const side = sideOf(api);
    ({ own, operator, clusterName } = side);
    mirror = mirrorTo(side);
  });

  describe('every field of every recorded body arrives unchanged', () => {
    const target = { groupId: GROUP_ID, clusterId: newJobId(), clusterName: 'Target' };
    test.each<[string, (job: JobIdentity) => JsonObject]>([
      ['published', () => PUBLISHED_EXAMPLE],
      ['young', youngJob],
      ['open', openJob],
      ['pending', pendingDownload],
      ['ready', (job) => readyDownload(job, TOMORROW)],
      ['fetched', (job) => fetchedDownload(job, TOMORROW)],
      ['url-v2', (job) => urlV2Download(job, TOMORROW)],
      ['encrypted', (job) => encryptedDownload(job, TOMORROW)],
      ['point-in-time', (job) => pointInTimeDownload(job, TOMORROW)],
      ['automated', automatedRestore],
      ['automated-into', (job) => automatedRestoreInto(job, target)],
      ['broken', brokenJob],
      ['killed', killedJob],
      ...['EXPIRED', 'MAX_DOWNLOADS_EXCEEDED', 'FAILED', 'INTERRUPTED'].map(
        (status): [string, (job: JobIdentity) => JsonObject] => [
          `ended-${status.toLowerCase().replaceAll('_', '-')}`,
          (job) => endedDownload(job, status, YESTERDAY),
        ],
      ),
    ])('%s', async (name, body) => {
      const { job, resource } = await mirror(`recorded-${name}`, body);
      expect(mirroredFields(resource)).toEqual(listed(APIS[api].present(body(job))));
      expect(conditionOf(resource, 'Synced')).toBe('True JobFetched');
      expect(JSON.stringify(resource)).not.toContain('authValue');
    });

    test('a sharded batch is found by its id', async () => {
      const jobIds = [newJobId(), newJobId(), newJobId()] as const;
      const batch = { groupId: GROUP_ID, clusterName: clusterName, batchId: newJobId(), jobIds };
      for (const [index, { body, ...job }] of shardedBatch(batch, TOMORROW).entries()) {
        bed.atlas.putJob(job, { kind: 'fixed', body });
        await own.create(`shard-${index}`, { clusterName, jobId: job.jobId });
        await reconciled(own, `shard-${index}`);
      }
      const { status } = await own.get('shard-0');
      const selector = ['--field-selector', `status.batchId=${status.batchId}`];
      const names = await bed.controlPlane.kubectlRun(['get', 'lrj', '-n', own.namespace, '-o', 'name', ...selector]);
      expect(names.trim().split('\n')).toHaveLength(3);
    });

    test('null members are dropped and named, the rest is mirrored', async () => {
      const { resource } = await mirror('odd-timestamp', oddTimestamp);
      expect(resource.status.timestamp).toEqual({});
      const synced = resource.status.conditions?.find(({ type }) => type === 'Synced');
      expect(synced?.message).toContain('timestamp.date, timestamp.increment');
    });
  });

  test('a field that vanishes from Atlas vanishes from status', async () => {
    const { job } = await mirror('vanishing', (id) => fetchedDownload(id, TOMORROW));
    const { hashes: _, snapshotId: __, ...less } = readyDownload(job, TOMORROW);
    bed.atlas.setBody(job.jobId, less);
    const { status } = await own.reconcile('vanishing');
    expect(status).not.toHaveProperty('hashes');
    expect(status).not.toHaveProperty('snapshotId');
    expect(status.statusName).toBe('FINISHED');
  });

  test('a reconcile without a change is one GET and no write, one with a change one GET and one write', async () => {
    const { job } = await mirror('counted', youngJob);
    const gets = () => bed.atlas.requests.ofJob(job.jobId);
    // Each reconcile answers its request, which is a write: the one after it is what is counted.
    await own.reconcile('counted');
    const [getsBefore, writesBefore] = [gets(), await statusWrites(own, 'counted')];
    bed.atlas.setBody(job.jobId, fetchedDownload(job, TOMORROW));
    await own.reconcile('counted');
    expect(gets() - getsBefore).toBe(1);
    await eventually('the audit log has the write', async () =>
      expect((await statusWrites(own, 'counted')) - writesBefore).toBe(1),
    );
  });

  test('polling a job that does not change writes nothing', () => sideOf(api).polled);

  test('the life of a download moves the conditions as kubectl wait needs them', async () => {
    const { job, resource } = await mirror('life', youngJob);
    expect(conditionOf(resource, 'Ready')).toBe('False JobInProgress');
    expect(conditionOf(resource, 'Reconciling')).toBe('True JobInProgress');
    const waiting = bed.controlPlane.kubectlRun([
      'wait',
      '-n',
      own.namespace,
      '--for=condition=Ready',
      'lrj/life',
      '--timeout=60s',
    ]);
    bed.atlas.setBody(job.jobId, readyDownload(job, TOMORROW));
    const ready = await own.reconcile('life');
    expect(await waiting).toContain('condition met');
    expect(conditionOf(ready, 'Ready')).toBe('True JobFinished');
    expect(conditionOf(ready, 'DownloadAvailable')).toBe('True DownloadReady');
    expect(conditionOf(ready, 'Reconciling')).toBe('False JobFinished');
    bed.atlas.setBody(job.jobId, readyDownload(job, atlasDate(Date.now() + 1_800_000)));
    for (let times = 0; times < 3; times++) await own.reconcile('life');
    bed.atlas.setBody(job.jobId, endedDownload(job, 'EXPIRED', YESTERDAY));
    expect(conditionOf(await own.reconcile('life'), 'DownloadAvailable')).toBe('False DownloadExpired');
    await eventually('kubectl describe has all events, each once', async () => {
      const text = await bed.controlPlane.kubectlRun(['describe', 'lrj', 'life', '-n', own.namespace]);
      const events = [...text.matchAll(/^ +((?:Normal|Warning) +\w+) /gm)].map(([, event = '']) =>
        event.split(/ +/).join(' '),
      );
      expect(events.toSorted()).toEqual([
        'Normal DownloadExpired',
        'Normal DownloadReady',
        'Normal JobFinished',
        'Normal JobInProgress',
        'Warning DownloadExpiring',
      ]);
    });
  });

  describe('credentials', () => {
    test('a missing Secret and a wrong key are named; once they are repaired the jobs are mirrored', () =>
      sideOf(api).repaired);

    test.each([
      ['half-key', { publicApiKey: 'abcdefgh' }, 'lacks the key privateApiKey'],
      [
        'two-kinds',
        { publicApiKey: 'a', privateApiKey: 'b', clientId: 'c', clientSecret: 'd' },
        'two kinds of credentials',
      ],
      ['no-keys', { user: 'a' }, 'none of the keys'],
      ['older-keys', { user: 'a', publicApiKey: 'b' }, 'has the older keys user and publicApiKey'],
    ])('a Secret that is no good: %s', async (name, data, message) => {
      await own.createSecret(name, data);
      const { resource, job } = await mirror(`secret-${name}`, youngJob, { credentialsSecretRef: { name } });
      expect(conditionOf(resource, 'Synced')).toBe('Unknown SecretInvalid');
      expect(JSON.stringify(resource.status.conditions)).toContain(message);
      expect(bed.atlas.requests.ofJob(job.jobId)).toBe(0);
    });

    test('a service account', async () => {
      const account = { clientId: 'mdb_sa_id_0123456789abcdef01234567', clientSecret: 'mdb_sa_sk_canary' };
      bed.atlas.addServiceAccount({ ...account, groupIds: [GROUP_ID] });
      await own.createSecret('account', account);
      const tokens = bed.atlas.requests.counts().byKind.token;
      const { resource, job } = await mirror('service-account', youngJob, {
        credentialsSecretRef: { name: 'account' },
      });
      if (!isPublic) {
        expect(conditionOf(resource, 'Synced')).toBe('True JobFetched');
        return;
      }
      expect(conditionOf(resource, 'Synced')).toBe('Unknown SecretInvalid');
      expect(resource.status['failure']).toEqual({ detail: 'Ops Manager was not asked: it has no service accounts' });
      expect(JSON.stringify(resource.status.conditions)).toContain('an API key of Ops Manager into the Secret');
      expect([bed.atlas.requests.ofJob(job.jobId), bed.atlas.requests.counts().byKind.token - tokens]).toEqual([0, 0]);
      // Its Secret is read again, as any that cannot be used: an API key in it is found within half a minute.
      await bed.controlPlane.request('PATCH', `/api/v1/namespaces/${own.namespace}/secrets/account`, {
        data: { clientId: null, clientSecret: null },
        stringData: API_KEY,
      });
      const synced = (now: Resource): boolean => conditionOf(now, 'Synced') === 'True JobFetched';
      await own.until('service-account', 'it is mirrored', synced, 60_000);
    });

    test("the keys of MongoDB's operator for Ops Manager, of an older user", async () => {
      const user = { publicKey: "o'neil+backup@example.com", privateKey: 'f0e1d2c3-personal' };
      bed.atlas.addApiKey({ ...user, groupIds: [GROUP_ID] });
      await own.createSecret('user', user);
      const { resource } = await mirror('user-key', youngJob, { credentialsSecretRef: { name: 'user' } });
      expect(conditionOf(resource, 'Synced')).toBe('True JobFetched');
    });
  });

  describe('errors of Atlas', () => {
    test('a job that does not exist', async () => {
      await own.create('no-job', { clusterName });
      const resource = await reconciled(own, 'no-job');
      expect(conditionOf(resource, 'Synced')).toBe('False JobNotFound');
      expect(conditionOf(resource, 'Stalled')).toBe('True JobNotFound');
      expect(resource.status['failure']).toMatchObject({ error: 404, errorCode: 'RESTORE_JOB_NOT_FOUND' });
      expect(resource.status['reason']).toBe('JobNotFound');
    });

    test('a cluster that does not exist', async () => {
      await own.create('no-cluster', { clusterName: isPublic ? newJobId() : 'Nowhere' });
      const resource = await reconciled(own, 'no-cluster');
      expect(conditionOf(resource, 'Synced')).toBe('False ClusterNotFound');
      expect(resource.status['failure']).toMatchObject({ error: 404, errorCode: 'CLUSTER_NOT_FOUND' });
    });

    test.each([
      [406, 'INVALID_VERSION_DATE'],
      [410, 'VERSION_GONE'],
    ])('a version that is gone names the setting to change: %i', async (status, errorCode) => {
      const { job } = await mirror(`version-${status}`, youngJob);
      bed.atlas.faults.add({ match: { jobId: job.jobId }, when: 'after-auth', fault: failing(status, errorCode) });
      const gone = await own.reconcile(`version-${status}`);
      expect(conditionOf(gone, 'Synced')).toBe('False VersionGone');
      expect(JSON.stringify(gone.status.conditions)).toContain('Set atlas-api to atlas/v2 instead of atlas/v1.0');
    });

    test('an outage keeps the last good content and passes by itself', async () => {
      const { job, resource } = await mirror('outage', youngJob);
      const outage = bed.atlas.faults.add({ match: { jobId: job.jobId }, fault: { kind: 'html', status: 503 } });
      const failing = await own.reconcile('outage');
      expect(conditionOf(failing, 'Synced')).toBe('Unknown AtlasUnavailable');
      expect(conditionOf(failing, 'Ready')).toBe('False JobInProgress');
      expect(mirroredFields(failing)).toEqual(mirroredFields(resource));
      outage.remove();
      await own.until('outage', 'it is mirrored again', (now) => conditionOf(now, 'Synced') === 'True JobFetched');
    });

    test('after the job has finished, errors move only Synced', async () => {
      const { job } = await mirror('finished-outage', (id) => fetchedDownload(id, TOMORROW));
      bed.atlas.removeJob(job.jobId);
      const failing = await own.reconcile('finished-outage');
      expect(conditionOf(failing, 'Synced')).toBe('False JobNotFound');
      expect(conditionOf(failing, 'Ready')).toBe('True JobFinished');
      expect(conditionOf(failing, 'Stalled')).toBeUndefined();
      expect(failing.status.delivery?.statusName).toBe('READY');
    });
  });

  test('suspend: no request to Atlas, one status write; the resume answers what was asked meanwhile', async () => {
    const { job } = await mirror('suspended', youngJob, { interval: '10s' });
    await own.patch('suspended', {
      spec: { suspend: true },
      metadata: { annotations: { 'atlasrestore.dev/requestedAt': 'now' } },
    });
    const suspended = await reconciled(own, 'suspended');
    expect(conditionOf(suspended, 'Synced')).toBe('Unknown Suspended');
    expect(conditionOf(suspended, 'Reconciling')).toBe('False Suspended');
    expect(suspended.status.lastHandledReconcileAt).toBeUndefined();
    const gets = bed.atlas.requests.ofJob(job.jobId);
    await own.patch('suspended', { spec: { suspend: false } });
    const resumed = await own.until(
      'suspended',
      'the request is answered',
      ({ status }) => status.lastHandledReconcileAt === 'now',
    );
    expect(conditionOf(resumed, 'Synced')).toBe('True JobFetched');
    expect(bed.atlas.requests.ofJob(job.jobId)).toBe(gets + 1);
  });

  test('resources that name the same job with the same credential share one fetch', async () => {
    const job = putJob(bed.atlas, youngJob, { clusterName: clusterName });
    bed.atlas.faults.add({
      match: { jobId: job.jobId },
      times: 1,
      when: 'after-auth',
      fault: { kind: 'delay', ms: 1_000 },
    });
    for (const name of ['same-0', 'same-1', 'same-2', 'same-3'])
      await own.create(name, { clusterName, jobId: job.jobId });
    for (const name of ['same-0', 'same-1', 'same-2', 'same-3']) await reconciled(own, name);
    // A cold nonce costs one request more.
    expect(bed.atlas.requests.ofJob(job.jobId)).toBeLessThanOrEqual(2);
  });

  test('a requested reconcile is not answered by a fetch that began before', async () => {
    const { job } = await mirror('asked-first', (id) => readyDownload(id, TOMORROW));
    await own.create('asked-second', { clusterName, jobId: job.jobId });
    await reconciled(own, 'asked-second');
    const { promise: until, resolve: release } = Promise.withResolvers<void>();
    const match = { jobId: job.jobId };
    const held = bed.atlas.faults.add({ match, times: 1, when: 'after-auth', fault: { kind: 'held', until } });
    const first = own.reconcile('asked-first');
    await eventually('Atlas has answered the first', () => expect(held.hits()).toBe(1));
    bed.atlas.setBody(job.jobId, endedDownload(job, 'EXPIRED', YESTERDAY));
    expect((await own.reconcile('asked-second')).status.delivery?.statusName).toBe('EXPIRED');
    release();
    expect((await first).status.delivery?.statusName).toBe('READY');
  });

  describe('the delivery Secret', () => {
    const secretPath = (name: string): string => `/api/v1/namespaces/${own.namespace}/secrets/${name}`;

    test('takes the URL and the header, which stay out of status, and follows Atlas', async () => {
      const { job, resource } = await mirror('delivered', (id) => urlV2Download(id, TOMORROW), {
        deliverySecretName: 'delivered-download',
      });
      expect(resource.status.delivery).not.toHaveProperty('url');
      expect(resource.status.delivery).not.toHaveProperty('urlV2');
      expect(resource.status.delivery).not.toHaveProperty('authHeader');
      expect(conditionOf(resource, 'DownloadAvailable')).toBe('True DownloadReady');
      expect(resource.status['urlWithheld']).toBe(true);
      const secret = await bed.controlPlane.request('GET', secretPath('delivered-download'));
      expect(secret).toMatchObject({
        status: 200,
        body: {
          metadata: { ownerReferences: [{ kind: 'LegacyRestoreJob', name: 'delivered', uid: resource.metadata.uid }] },
        },
      });
      expect(secret).not.toHaveProperty('body.metadata.ownerReferences.0.blockOwnerDeletion');
      expect(Object.keys(Object(Reflect.get(Object(secret.body), 'data'))).sort()).toEqual([
        'authHeader',
        'authValue',
        'url',
        'urlV2',
      ]);
      bed.atlas.setBody(job.jobId, readyDownload(job, TOMORROW));
      await own.reconcile('delivered');
      const renewed = await bed.controlPlane.request('GET', secretPath('delivered-download'));
      expect(Object.keys(Object(Reflect.get(Object(renewed.body), 'data')))).toEqual(['url']);
    });

    test('is not created before there is a URL', async () => {
      await mirror('undelivered', youngJob, { deliverySecretName: 'undelivered-download' });
      expect((await bed.controlPlane.request('GET', secretPath('undelivered-download'))).status).toBe(404);
    });

    test("somebody else's Secret is never touched", async () => {
      await own.createSecret('occupied', { mine: 'precious' });
      const { resource } = await mirror('conflict', (id) => readyDownload(id, TOMORROW), {
        deliverySecretName: 'occupied',
      });
      expect(conditionOf(resource, 'Synced')).toBe('False DeliverySecretConflict');
      expect(conditionOf(resource, 'Ready')).toBe('True JobFinished');
      expect(resource.status.delivery).not.toHaveProperty('url');
      const { body } = await bed.controlPlane.request('GET', secretPath('occupied'));
      expect(body).toMatchObject({ data: { mine: Buffer.from('precious').toString('base64') } });
    });
  });

  test('a status that was edited by hand is repaired at the next reconcile', async () => {
    await mirror('edited', (id) => fetchedDownload(id, TOMORROW));
    const path = `/apis/atlasrestore.dev/v1/namespaces/${own.namespace}/legacyrestorejobs/edited/status`;
    await bed.controlPlane.request('PATCH', path, { status: { statusName: 'BROKEN', snapshotId: null } });
    const { status } = await own.reconcile('edited');
    expect(status.statusName).toBe('FINISHED');
    expect(status.snapshotId).toMatch(/^[0-9a-f]{24}$/);
  });

  test('deleted and created again under one name: nothing of the old one carries over', async () => {
    await mirror('reborn', (id) => fetchedDownload(id, TOMORROW));
    await own.delete('reborn');
    const { resource } = await mirror('reborn', youngJob);
    expect(resource.status.statusName).toBe('IN_PROGRESS');
    expect(resource.status).not.toHaveProperty('hashes');
  });

  test('probes and metrics answer', async () => {
    for (const path of ['livez', 'readyz']) expect((await fetch(`${operator.url}/${path}`)).status).toBe(200);
    const metrics = await (await fetch(`${operator.url}/metrics`)).text();
    expect(metrics).toMatch(/controller_runtime_reconcile_total\{controller="legacyrestorejob",result="success"\} \d+/);
    expect(metrics).toMatch(
      /legacy_restore_atlas_requests_total\{endpoint="restoreJob",auth="digest",code="2xx"\} \d+/,
    );
  });

  test('who is asked is called by its name, in status, events and log', async () => {
    const objects = await bed.controlPlane.kubectlRun(['get', 'lrj,events', '-n', own.namespace, '-o', 'json']);
    const told = JSON.stringify(JSON.parse(objects), (key, value) =>
      key === 'spec' || key === 'links' ? undefined : value,
    );
    const log = operator.log.map(({ msg }) => msg).join('\n');
    const [name, other] = isPublic
      ? ['Ops Manager or Cloud Manager', 'Atlas']
      : ['Atlas', 'Ops Manager or Cloud Manager'];
    for (const text of [told, log]) {
      expect(text).toContain(name);
      expect(text).not.toMatch(new RegExp(`\\b${other}\\b`));
    }
  });
});
