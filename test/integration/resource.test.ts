import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as z from 'zod';
import { type ControlPlane, startControlPlane } from '../support/control-plane/control-plane.ts';
import { installCrds } from '../support/installation.ts';

const COLLECTION = '/apis/atlasrestore.dev/v1/namespaces/default/legacyrestorejobs';
const SPEC = {
  groupId: '5a66666887d9d61443b41645',
  clusterName: 'Cluster0',
  jobId: '6b77893b80eef5354c77ee15',
  credentialsSecretRef: { name: 'atlas-key' },
};

let controlPlane: ControlPlane;
beforeAll(async () => {
  controlPlane = await startControlPlane();
  await installCrds(controlPlane);
});
afterAll(() => controlPlane?.stop());

const create = (name: string, spec: object) =>
  controlPlane.request('POST', COLLECTION, {
    apiVersion: 'atlasrestore.dev/v1',
    kind: 'LegacyRestoreJob',
    metadata: { name },
    spec: { ...SPEC, ...spec },
  });

const Refusal = z.object({ details: z.object({ causes: z.array(z.object({ message: z.string() })) }) });
const causesOf = (body: unknown): readonly string[] => Refusal.parse(body).details.causes.map(({ message }) => message);

describe('the API server refuses', () => {
  test.each([
    ['a groupId in upper case', { groupId: '5A66666887D9D61443B41645' }, "should match '^([a-f0-9]{24})$'"],
    ['a groupId that is too short', { groupId: '5a66' }, "should match '^([a-f0-9]{24})$'"],
    ['a jobId with other characters', { jobId: '6b77893b80eef5354c77ee1z' }, "should match '^([a-f0-9]{24})$'"],
    ['a jobId that is too long', { jobId: '6b77893b80eef5354c77ee150' }, "should match '^([a-f0-9]{24})$'"],
    ['a cluster name with a slash', { clusterName: 'a/b' }, 'should match'],
    ['an empty cluster name', { clusterName: '' }, 'should match'],
    ['a cluster name that is too long', { clusterName: 'a'.repeat(65) }, 'clusterName must have at most 64 characters'],
    ['an interval that is too short', { interval: '9s' }, 'interval must be a duration from 10s to 24h'],
    ['an interval that is too long', { interval: '24h1s' }, 'interval must be a duration from 10s to 24h'],
    ['an interval that is no duration', { interval: 'soon' }, 'interval must be a duration from 10s to 24h'],
    ['a negative interval', { interval: '-1m' }, 'interval must be a duration from 10s to 24h'],
    ['an empty interval', { interval: '' }, 'interval must be a duration from 10s to 24h'],
    [
      'an interval beyond any duration',
      { interval: '9999999999999999h' },
      'interval must be a duration from 10s to 24h',
    ],
    ['a delivery Secret with a name that no Secret can have', { deliverySecretName: 'A_b' }, 'deliverySecretName'],
  ])('%s', async (_, spec, message) => {
    const { status, body } = await create('refused', spec);
    expect(status).toBe(422);
    // One message for one mistake.
    expect(causesOf(body)).toEqual([expect.stringContaining(message)]);
  });

  test.each(['groupId', 'clusterName', 'jobId'])('a missing %s', async (field) => {
    const { status, body } = await create('refused', { [field]: undefined });
    expect(status).toBe(422);
    expect(JSON.stringify(body)).toContain(`spec.${field}: Required value`);
  });

  test('a Secret reference without a name', async () => {
    const { status, body } = await create('refused', { credentialsSecretRef: {} });
    expect(status).toBe(422);
    expect(JSON.stringify(body)).toContain('spec.credentialsSecretRef.name: Required value');
  });

  test.each([
    ['groupId', '5a66666887d9d61443b41646'],
    ['clusterName', 'Cluster1'],
    ['jobId', '6b77893b80eef5354c77ee16'],
  ])('a changed %s', async (field, value) => {
    const name = `immutable-${field.toLowerCase()}`;
    expect((await create(name, {})).status).toBe(201);
    const { status, body } = await controlPlane.request('PATCH', `${COLLECTION}/${name}`, { spec: { [field]: value } });
    expect(status).toBe(422);
    expect(JSON.stringify(body)).toContain(`${field} is immutable: create another LegacyRestoreJob`);
  });
});

test.each(['10s', '90s', '1h30m', '1.5h', '24h'])('the interval %s is accepted', async (interval) => {
  const { status } = await create(`interval-${interval.replace('.', '-')}`, { interval });
  expect(status).toBe(201);
});

test('a fresh resource does not look current: its observedGeneration is -1', async () => {
  const { body } = await create('fresh', {});
  expect(body).toMatchObject({ metadata: { generation: 1 }, status: { observedGeneration: -1 } });
});

test('status is a subresource: it cannot be written with the rest, nor the rest with it', async () => {
  await create('subresource', {});
  const path = `${COLLECTION}/subresource`;
  await controlPlane.request('PATCH', path, { status: { statusName: 'FINISHED' } });
  expect((await controlPlane.request('GET', path)).body).toMatchObject({ status: { observedGeneration: -1 } });
  await controlPlane.request('PATCH', `${path}/status`, {
    status: { statusName: 'FINISHED' },
    spec: { suspend: true },
  });
  const { body } = await controlPlane.request('GET', path);
  expect(body).toMatchObject({ status: { statusName: 'FINISHED' } });
  expect(body).not.toHaveProperty('spec.suspend');
});

test('any text that Atlas could send fits into the mirrored fields', async () => {
  await create('lenient', {});
  const odd = { expires: 'next Friday', statusName: 'SOMETHING_NEW', maxDownloads: 2_147_483_648 };
  const status = {
    statusName: 'OPEN',
    created: '2018-13-45',
    delivery: odd,
    hashes: [{ hash: 'x'.repeat(5_000) }],
    masterKeyUUID: '',
  };
  const answer = await controlPlane.request('PATCH', `${COLLECTION}/lenient/status`, { status });
  expect(answer).toMatchObject({ status: 200, body: { status } });
});

test('resources are found by their ids, status and batch', async () => {
  await create('selected', { jobId: 'aaaaaaaaaaaaaaaaaaaaaaaa' });
  await controlPlane.request('PATCH', `${COLLECTION}/selected/status`, {
    status: { statusName: 'BROKEN', batchId: 'bbbb' },
  });
  for (const selector of ['spec.jobId=aaaaaaaaaaaaaaaaaaaaaaaa', 'status.batchId=bbbb', 'status.statusName=BROKEN']) {
    expect(await controlPlane.kubectlRun(['get', 'lrj', '-o', 'name', '--field-selector', selector])).toBe(
      'legacyrestorejob.atlasrestore.dev/selected\n',
    );
  }
  const found = await controlPlane.kubectlRun([
    'get',
    'atlas',
    '-o',
    'name',
    '--field-selector',
    'spec.groupId=5a66666887d9d61443b41645,spec.clusterName=Cluster0,spec.jobId=aaaaaaaaaaaaaaaaaaaaaaaa',
  ]);
  expect(found).toBe('legacyrestorejob.atlasrestore.dev/selected\n');
});

test('kubectl get shows the columns, the expiry also where it lies in the future', async () => {
  await create('columns', {});
  const delivery = { statusName: 'READY', methodName: 'HTTP', expires: '2999-01-01T00:00:00Z' };
  await controlPlane.request('PATCH', `${COLLECTION}/columns/status`, { status: { statusName: 'FINISHED', delivery } });
  const wide = await controlPlane.kubectlRun(['get', 'lrj', 'columns', '-o', 'wide']);
  expect(wide).toMatch(
    /^NAME +CLUSTER +STATUS +DELIVERY +EXPIRES +READY +REASON +AGE +JOB +METHOD +BATCH +SYNCED +SNAPSHOT *\n/,
  );
  expect(wide).toMatch(/columns +Cluster0 +FINISHED +READY +2999-01-01T00:00:00Z/);
});

test('kubectl explain describes every field to the last', async () => {
  const text = await controlPlane.kubectlRun(['explain', 'lrj', '--recursive']);
  const fields = [...text.matchAll(/^ {4}(\w+)\t/gm)];
  expect(fields.length).toBeGreaterThan(0);
  expect(await controlPlane.kubectlRun(['explain', 'lrj.status.delivery'])).toContain(
    'Whoever holds it can read the data',
  );
  expect(await controlPlane.kubectlRun(['explain', 'lrj.status.hashes.typeName'])).toContain(
    'Algorithm of the checksum',
  );
  expect(await controlPlane.kubectlRun(['explain', 'lrj.spec.credentialsSecretRef.name'])).toContain(
    'Name of the Secret',
  );
});
