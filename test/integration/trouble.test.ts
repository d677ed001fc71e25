/** Trouble in the cluster: what is refused, unreadable, missing or going, and what people are told of it. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  atlasDate,
  brokenJob,
  endedDownload,
  fetchedDownload,
  pendingDownload,
  readyDownload,
  youngJob,
} from '../support/atlas-simulator/recorded-bodies.ts';
import { createEtcdClient } from '../support/etcd.ts';
import { eventually } from '../support/eventually.ts';
import { fastClock } from '../support/fast-clock.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import {
  API_KEY,
  conditionOf,
  GROUP_ID,
  NAMESPACE,
  putJob,
  type Resource,
  startTestBed,
  type TestBed,
} from '../support/test-bed.ts';

const TOMORROW = atlasDate(Date.now() + 86_400_000);
const CRD = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/legacyrestorejobs.atlasrestore.dev';
const SECRETS = `/api/v1/namespaces/${NAMESPACE}/secrets`;

let bed: TestBed;
let operator: OperatorProcess;
let refusedStatus: Promise<void>;
let refusedSecrets: Promise<void>;
beforeAll(async () => {
  bed = await startTestBed();
  // Expected to come for a minute: what takes so long is set up first, and looked at last.
  await bed.createSecret('wrong-key', { publicApiKey: API_KEY.publicKey, privateApiKey: 'wrong' });
  await bed.create('end-wrong-key', { jobId: job(youngJob).jobId, credentialsSecretRef: { name: 'wrong-key' } });
  await bed.create('end-no-secret', { jobId: job(youngJob).jobId, credentialsSecretRef: { name: 'nowhere' } });
  await bed.createSecret('unreadable', { publicApiKey: API_KEY.publicKey, privateApiKey: API_KEY.privateKey });
  const etcd = createEtcdClient(bed.controlPlane.etcdUrl);
  await etcd.putAll(new Map([[`/registry/secrets/${NAMESPACE}/unreadable`, 'no Secret at all']]));
  await bed.create('unreadable', { jobId: job(youngJob).jobId, credentialsSecretRef: { name: 'unreadable' } });
  operator = await bed.startOperator(fastClock(0.1));
  // They take half a minute, in which the other tests run.
  refusedStatus = refuseStatus();
  refusedSecrets = refuseSecrets();
  for (const ended of [refusedStatus, refusedSecrets]) ended.catch(() => {});
});
afterAll(() => bed?.stop());

const job = (body: Parameters<typeof putJob>[1]) => putJob(bed.atlas, body);

async function eventsOf(name: string): Promise<readonly string[]> {
  const path = `/apis/events.k8s.io/v1/namespaces/${NAMESPACE}/events`;
  const { body } = await bed.controlPlane.request('GET', path);
  const items: readonly { readonly regarding: { readonly name: string }; readonly reason: string }[] = Reflect.get(
    Object(body),
    'items',
  );
  return items.filter(({ regarding }) => regarding.name === name).map(({ reason }) => reason);
}

/** Refuses what the expression does not admit, of the resources of a group, with a reason, until the clean-up. */
async function policy(
  cleanup: AsyncDisposableStack,
  name: string,
  resource: string,
  expression: string,
  reason: 'Forbidden' | 'Invalid',
): Promise<void> {
  const [apiGroup = '', plural = ''] = resource.split('/').length === 1 ? ['', resource] : resource.split(/\/(.*)/);
  const collection = '/apis/admissionregistration.k8s.io/v1';
  const spec = {
    failurePolicy: 'Fail',
    matchConstraints: {
      resourceRules: [
        { apiGroups: [apiGroup], apiVersions: ['*'], operations: ['CREATE', 'UPDATE'], resources: [plural] },
      ],
    },
    validations: [{ expression, reason, message: `refused by ${name}` }],
  };
  const binding = { policyName: name, validationActions: ['Deny'] };
  cleanup.defer(async () => {
    await bed.controlPlane.request('DELETE', `${collection}/validatingadmissionpolicybindings/${name}`);
    await bed.controlPlane.request('DELETE', `${collection}/validatingadmissionpolicies/${name}`);
  });
  const created = await Promise.all([
    bed.controlPlane.request('POST', `${collection}/validatingadmissionpolicies`, { metadata: { name }, spec }),
    bed.controlPlane.request('POST', `${collection}/validatingadmissionpolicybindings`, {
      metadata: { name },
      spec: binding,
    }),
  ]);
  expect(created.map(({ status }) => status)).toEqual([201, 201]);
}

const synced =
  (wanted: string) =>
  (resource: Resource): boolean =>
    conditionOf(resource, 'Synced') === wanted;

test('a status that is refused by a policy is told once and dropped, and what Atlas says later is mirrored', () =>
  refusedStatus);

async function refuseStatus(): Promise<void> {
  await using cleanup = new AsyncDisposableStack();
  const { jobId } = job(youngJob);
  await bed.create('refused', { jobId, interval: '10s' });
  await bed.until('refused', 'it is mirrored', synced('True JobFetched'));
  const isFinished = "has(object.status.statusName) && object.status.statusName == 'FINISHED'";
  const expression = `object.metadata.name != 'refused' || !(${isFinished})`;
  await policy(cleanup, 'no-finished', 'atlasrestore.dev/legacyrestorejobs/status', expression, 'Forbidden');
  bed.atlas.setBody(jobId, pendingDownload({ groupId: GROUP_ID, clusterName: 'Cluster0', jobId }));
  await eventually(
    'the refusal is told',
    async () => expect(await eventsOf('refused')).toContain('StatusWriteRefused'),
    { timeoutMs: 60_000 },
  );
  bed.atlas.setBody(jobId, brokenJob({ groupId: GROUP_ID, clusterName: 'Cluster0', jobId }));
  await bed.until('refused', 'the job is broken', ({ status }) => status.statusName === 'BROKEN', NAMESPACE, 60_000);
  const told = operator.log.filter(({ name, level }) => name === 'refused' && level === 'warn');
  expect(told).toMatchObject([{ msg: 'the status is refused and dropped, the next try starts from Atlas' }]);
  expect((await eventsOf('refused')).filter((reason) => reason === 'StatusWriteRefused')).toHaveLength(1);
}

test('a status that is too large is kept as far as there is room', async () => {
  const { jobId } = job((id) => ({
    ...fetchedDownload(id, TOMORROW),
    masterKeyUUID: 'x'.repeat(3 * 1_048_576),
    hashes: Array.from({ length: 2_000 }, (_, index) => ({
      fileName: `${index}`.padStart(900, 'f'),
      typeName: 'SHA1',
    })),
  }));
  await bed.create('large', { jobId });
  const { status } = await bed.until('large', 'it is mirrored', synced('True JobFetched'));
  expect(status).not.toHaveProperty('masterKeyUUID');
  expect(status.hashes?.length).toBeGreaterThan(500);
  expect(JSON.stringify(status.conditions)).toMatch(/masterKeyUUID.*hashes holds \d+ of 2000/);
});

test('text that cannot be stored as it was sent is written once', async () => {
  const { jobId } = job(youngJob);
  const body = JSON.stringify({ ...youngJob({ groupId: GROUP_ID, clusterName: 'Cluster0', jobId }), clusterId: 'X' });
  const odd = body.replace('"X"', '"a\\ud800b"').replace('"increment":1', '"increment":-0');
  bed.atlas.faults.add({ match: { jobId }, when: 'after-auth', fault: { kind: 'body', body: odd } });
  await bed.create('odd-text', { jobId });
  await bed.until('odd-text', 'it is mirrored', synced('True JobFetched'));
  // A time without fractions: a second write within the same second would not move it.
  const lastChangeTime = '2020-01-01T00:00:00Z';
  const path = `/apis/atlasrestore.dev/v1/namespaces/${NAMESPACE}/legacyrestorejobs/odd-text/status`;
  expect((await bed.controlPlane.request('PATCH', path, { status: { lastChangeTime } })).status).toBe(200);
  const { status } = await bed.reconcile('odd-text');
  expect(status).toMatchObject({ clusterId: 'a\ufffdb', timestamp: { increment: 0 }, lastChangeTime });
});

describe('a delivery Secret that is refused', () => {
  test('by a policy or by a webhook that is down: all but the URL is mirrored, and it is written once it may be', () =>
    refusedSecrets);

  test('and the download is over: it is given up', async () => {
    await using cleanup = new AsyncDisposableStack();
    const { jobId } = job((id) => endedDownload(id, 'EXPIRED', atlasDate(Date.now() - 86_400_000)));
    await policy(cleanup, 'no-expired', 'secrets', "object.metadata.name != 'refused-expired'", 'Forbidden');
    await untilRefused('refused-expired');
    await bed.create('expired', { jobId, deliverySecretName: 'refused-expired' });
    await bed.until('expired', 'it is in sync', synced('True JobFetched'));
  });
});

async function refuseSecrets(): Promise<void> {
  const specs = {
    forbidden: { deliverySecretName: 'refused-forbidden' },
    invalid: { deliverySecretName: 'refused-invalid' },
    hooked: { deliverySecretName: 'hooked' },
  };
  const named = (name: string) => `object.metadata.name != '${name}'`;
  await using cleanup = new AsyncDisposableStack();
  await policy(cleanup, 'no-forbidden', 'secrets', named(specs.forbidden.deliverySecretName), 'Forbidden');
  await policy(cleanup, 'no-invalid', 'secrets', named(specs.invalid.deliverySecretName), 'Invalid');
  await webhook(cleanup, specs.hooked.deliverySecretName);
  const ready = (id: Parameters<typeof readyDownload>[0]) => readyDownload(id, TOMORROW);
  const jobIds = new Map<string, string>();
  for (const { deliverySecretName } of Object.values(specs)) await untilRefused(deliverySecretName);
  for (const [name, spec] of Object.entries(specs)) {
    const { jobId } = job(ready);
    jobIds.set(name, jobId);
    await bed.create(name, { jobId, ...spec });
  }
  for (const name of Object.keys(specs)) {
    const { status } = await bed.until(name, 'it is told', synced('False DeliverySecretRefused'), NAMESPACE, 60_000);
    expect(status).toMatchObject({ statusName: 'FINISHED', urlWithheld: true, reason: 'DeliverySecretRefused' });
    expect(status.failure?.detail).toMatch(/refused by no-|failed calling webhook/);
  }
  const requests = [...jobIds.values()].map((jobId) => bed.atlas.requests.ofJob(jobId));
  await cleanup.disposeAsync();
  for (const name of Object.keys(specs)) {
    await bed.until(name, 'it is delivered', synced('True JobFetched'), NAMESPACE, 120_000);
  }
  // The Secret alone was tried again.
  expect([...jobIds.values()].map((jobId) => bed.atlas.requests.ofJob(jobId))).toEqual(requests);
  const secret = await bed.controlPlane.request('GET', `${SECRETS}/hooked`);
  expect(secret).toMatchObject({ status: 200, body: { metadata: { labels: { 'atlasrestore.dev/job': 'hooked' } } } });
}

/** Admission hears of its configuration a moment later. */
async function untilRefused(name: string): Promise<void> {
  await eventually(`Secret ${name} is refused`, async () => {
    const { status } = await bed.controlPlane.request('POST', `${SECRETS}?dryRun=All`, { metadata: { name } });
    expect(status).toBeGreaterThanOrEqual(400);
  });
}

/** A webhook that nobody serves, for one Secret, until the clean-up. */
async function webhook(cleanup: AsyncDisposableStack, name: string): Promise<void> {
  const path = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';
  cleanup.defer(async () => {
    await bed.controlPlane.request('DELETE', `${path}/down`);
  });
  const created = await bed.controlPlane.request('POST', path, {
    metadata: { name: 'down' },
    webhooks: [
      {
        name: 'down.example.com',
        clientConfig: { url: 'https://127.0.0.1:9/' },
        rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['secrets'] }],
        matchConditions: [{ name: 'one', expression: `object.metadata.name == '${name}'` }],
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        timeoutSeconds: 1,
      },
    ],
  });
  expect(created.status).toBe(201);
}

test('a status that is refused with a 404, as the subresource is missing for a moment, is written once it is there again', async () => {
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(async () => {
    await bed.controlPlane.request('PATCH', CRD, { spec: { versions: await versions(true) } });
  });
  const { jobId } = job(youngJob);
  await bed.create('no-subresource', { jobId, interval: '10s' });
  await bed.until('no-subresource', 'it is mirrored', synced('True JobFetched'));
  await bed.controlPlane.request('PATCH', CRD, { spec: { versions: await versions(false) } });
  bed.atlas.setBody(jobId, brokenJob({ groupId: GROUP_ID, clusterName: 'Cluster0', jobId }));
  await operator.waitForLog(
    ({ name, msg }) => name === 'no-subresource' && msg === 'the status could not be written and is tried again',
  );
  await bed.controlPlane.request('PATCH', CRD, { spec: { versions: await versions(true) } });
  await bed.until(
    'no-subresource',
    'the job is broken',
    ({ status }) => status.statusName === 'BROKEN',
    NAMESPACE,
    60_000,
  );
});

/** The versions of the CRD, with the status subresource or without. */
async function versions(subresource: boolean): Promise<readonly unknown[]> {
  const { body } = await bed.controlPlane.request('GET', CRD);
  const found: readonly object[] = Reflect.get(Object(Reflect.get(Object(body), 'spec')), 'versions');
  return found.map((version) => ({ ...version, subresources: subresource ? { status: {} } : null }));
}

test('a resource that only waits for a foreign finalizer is not polled and gets no delivery Secret', async () => {
  const { jobId } = job((id) => readyDownload(id, TOMORROW));
  await bed.create('finalized', { jobId, suspend: true });
  await bed.patch('finalized', { metadata: { finalizers: ['example.com/hold'] } });
  await bed.until('finalized', 'it is suspended', synced('Unknown Suspended'));
  await bed.delete('finalized');
  await bed.patch('finalized', { spec: { suspend: false, deliverySecretName: 'finalized-download' } });
  const other = job(youngJob);
  await bed.create('after-finalized', { jobId: other.jobId });
  await bed.until('after-finalized', 'it is mirrored', synced('True JobFetched'));
  expect(bed.atlas.requests.ofJob(jobId)).toBe(0);
  expect((await bed.controlPlane.request('GET', `${SECRETS}/finalized-download`)).status).toBe(404);
});

test('a Secret that the API server cannot give is told once it has lasted', async () => {
  const resource = await bed.until('unreadable', 'it is told', synced('Unknown SecretUnreadable'), NAMESPACE, 90_000);
  expect(resource.status.failure).toMatchObject({ error: 500 });
  expect(conditionOf(resource, 'Reconciling')).toBe('True SecretUnreadable');
  expect(await eventsOf('unreadable')).toEqual(['SecretUnreadable']);
});

describe('kubectl wait --for=condition=Reconciling=false', () => {
  const wait = (name: string, timeout: string): Promise<string> =>
    bed.controlPlane.kubectlRun([
      'wait',
      '-n',
      NAMESPACE,
      '--for=condition=Reconciling=false',
      `lrj/${name}`,
      `--timeout=${timeout}`,
    ]);

  test('returns for every end, good or bad', async () => {
    await bed.create('end-finished', { jobId: job((id) => readyDownload(id, TOMORROW)).jobId });
    await bed.create('end-broken', { jobId: job(brokenJob).jobId });
    await bed.create('end-not-found');
    await bed.create('end-suspended', { jobId: job(youngJob).jobId, suspend: true });
    const names = ['finished', 'broken', 'not-found', 'suspended', 'wrong-key', 'no-secret'];
    const results = await Promise.all(names.map((name) => wait(`end-${name}`, '90s')));
    for (const result of results) expect(result).toContain('condition met');
    const reasons = await Promise.all(names.map(async (name) => (await bed.get(`end-${name}`)).status.reason));
    expect(reasons).toEqual(['JobFinished', 'JobBroken', 'JobNotFound', 'Suspended', 'Unauthorized', 'SecretNotFound']);
  });

  test('does not return for a running job', async () => {
    await bed.create('not-ended', { jobId: job(youngJob).jobId });
    await bed.until('not-ended', 'it is mirrored', synced('True JobFetched'));
    await expect(wait('not-ended', '1s')).rejects.toThrow('timed out');
  });
});
