import { describe, expect, test } from '@jest/globals';
import { objectReference } from '../../../src/api/legacy-restore-job.ts';
import {
  collectionPath,
  getLegacyRestoreJob,
  patchStatus,
  toLegacyRestoreJob,
} from '../../../src/controller/legacy-restore-jobs.ts';
import { KubeError } from '../../../src/kube/errors.ts';
import { PUBLISHED_EXAMPLE } from '../../support/atlas-simulator/recorded-bodies.ts';
import { fakeClient } from '../support/fake-client.ts';
import { resource, SPEC } from '../support/resources.ts';

const OBJECT = {
  apiVersion: 'atlasrestore.dev/v1',
  kind: 'LegacyRestoreJob',
  metadata: {
    namespace: 'payments',
    name: 'cluster0-friday',
    uid: 'uid-1',
    resourceVersion: '100',
    generation: 1,
    labels: { team: 'x' },
    annotations: { 'atlasrestore.dev/requestedAt': 'now', 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
    managedFields: [{ manager: 'kubectl' }],
  },
  spec: SPEC,
  status: { observedGeneration: 1, ...PUBLISHED_EXAMPLE, fromTheFuture: true },
};
const COLLECTION = '/apis/atlasrestore.dev/v1/namespaces/payments/legacyrestorejobs';
const PATH = `${COLLECTION}/cluster0-friday`;

describe('what is kept of a resource', () => {
  test('is what its readers need: no managedFields, no labels, no other annotations', () => {
    expect(toLegacyRestoreJob(OBJECT)).toEqual(
      resource({ status: { observedGeneration: 1, ...PUBLISHED_EXAMPLE }, requestedAt: 'now' }),
    );
  });

  test('without status and annotations it is kept, too', () => {
    const { status: _status, ...bare } = { ...OBJECT, metadata: { ...OBJECT.metadata, annotations: undefined } };
    expect(toLegacyRestoreJob(JSON.parse(JSON.stringify(bare)))).toEqual(resource({ status: {} }));
  });

  test('a status that cannot be read counts as empty: it is mirrored again', () => {
    expect(toLegacyRestoreJob({ ...OBJECT, status: { statusName: 7 } })?.status).toEqual({});
    expect(toLegacyRestoreJob({ ...OBJECT, status: { conditions: [{ type: 'Other' }] } })?.status).toEqual({});
  });

  test.each([
    ['nothing', undefined],
    ['a Status', { kind: 'Status', code: 410 }],
    ['no spec', { ...OBJECT, spec: undefined }],
    ['a spec that cannot be', { ...OBJECT, spec: { ...SPEC, groupId: '../../orgs' } }],
    ['no uid', { ...OBJECT, metadata: { ...OBJECT.metadata, uid: undefined } }],
  ])('%s is none of ours', (_name, object) => {
    expect(toLegacyRestoreJob(object)).toBeUndefined();
  });

  test('one that cannot be read is told by its name and its fields, never by a value', () => {
    const told: string[][] = [];
    const spec = { ...SPEC, groupId: 'canary-1', interval: 'canary-2' };
    toLegacyRestoreJob({ ...OBJECT, spec }, (...words) => told.push(words));
    toLegacyRestoreJob(undefined, (...words) => told.push(words));
    expect(told).toEqual([
      ['payments/cluster0-friday', 'spec.groupId'],
      ['/', ''],
    ]);
  });

  test('one that can be read is told to nobody', () => {
    toLegacyRestoreJob(OBJECT, () => {
      throw new Error('it can be read');
    });
  });
});

test('a status is written whole, and only over the version that it was computed from', async () => {
  const client = fakeClient({ request: () => OBJECT });
  const status = { observedGeneration: 1, statusName: 'FINISHED' };
  const written = await patchStatus(client, resource({ resourceVersion: '99' }), status);
  expect(client.requests).toEqual([
    {
      method: 'PATCH',
      path: `${PATH}/status`,
      returns: { apiVersion: 'atlasrestore.dev/v1', kind: 'LegacyRestoreJob' },
      contentType: 'application/json-patch+json',
      body: [
        { op: 'replace', path: '/metadata/resourceVersion', value: '99' },
        { op: 'add', path: '/status', value: status },
      ],
    },
  ]);
  expect(written.resourceVersion).toBe('100');
});

test.each([
  ['nothing of a resource', {}],
  ['another resource', { ...OBJECT, metadata: { ...OBJECT.metadata, uid: 'uid-2' } }],
])('a status whose write is responded to with %s is not written', async (_name, response) => {
  const writing = patchStatus(fakeClient({ request: () => response }), resource(), {});
  await expect(writing).rejects.toMatchObject({ name: 'KubeError', status: 200, reason: 'InvalidResponse' });
});

describe('the resource as it is now', () => {
  const read = async (request: () => unknown, labelSelector = '') => {
    const client = fakeClient({ request });
    return { client, fresh: await getLegacyRestoreJob({ client, labelSelector }, resource()) };
  };
  const refuse = (status: number) => () => {
    throw new KubeError('refused', { status });
  };

  test('is read by its name', async () => {
    const { client, fresh } = await read(() => OBJECT);
    expect(fresh?.uid).toBe('uid-1');
    const returns = { apiVersion: 'atlasrestore.dev/v1', kind: 'LegacyRestoreJob' };
    expect(client.requests).toEqual([{ method: 'GET', path: PATH, returns }]);
  });

  test('with a label selector is read through a list with the selector and its name', async () => {
    const { client, fresh } = await read(() => ({ items: [OBJECT] }), 'shard in (a,b)');
    expect(fresh?.uid).toBe('uid-1');
    const returns = { apiVersion: 'atlasrestore.dev/v1', kind: 'LegacyRestoreJobList' };
    expect(client.requests).toMatchObject([{ method: 'GET', returns }]);
    const [path, query] = client.requests[0]?.path.split('?') ?? [];
    expect([path, Object.fromEntries(new URLSearchParams(query))]).toEqual([
      COLLECTION,
      { fieldSelector: 'metadata.name=cluster0-friday', labelSelector: 'shard in (a,b)' },
    ]);
  });

  test.each<[string, () => unknown, string]>([
    ['deleted', refuse(404), ''],
    ['unreadable', () => ({ ...OBJECT, spec: {} }), ''],
    ['outside the label selector', () => ({ items: [] }), 'shard=a'],
  ])('is none where it is %s', async (_name, request, labelSelector) => {
    expect((await read(request, labelSelector)).fresh).toBeUndefined();
  });

  test('is unknown where the API server does not say', async () => {
    await expect(read(refuse(500))).rejects.toMatchObject({ status: 500 });
    await expect(read(() => ({ items: 'none' }), 'shard=a')).rejects.toMatchObject({ reason: 'InvalidResponse' });
  });
});

test('collections are those of all namespaces or of one', () => {
  expect(collectionPath()).toBe('/apis/atlasrestore.dev/v1/legacyrestorejobs');
  expect(collectionPath('payments')).toBe('/apis/atlasrestore.dev/v1/namespaces/payments/legacyrestorejobs');
});

test('events and owner references name the resource', () => {
  expect(objectReference(resource())).toEqual({
    apiVersion: 'atlasrestore.dev/v1',
    kind: 'LegacyRestoreJob',
    name: 'cluster0-friday',
    namespace: 'payments',
    uid: 'uid-1',
  });
});
