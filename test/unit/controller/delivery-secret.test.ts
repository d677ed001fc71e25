import { describe, expect, test } from '@jest/globals';
import { type Delivered, deliver } from '../../../src/controller/delivery-secret.ts';
import type { KubeRequest } from '../../../src/kube/client.ts';
import { KubeError } from '../../../src/kube/errors.ts';
import { failureMessage } from '../../../src/restore-job/messages.ts';
import type { JsonObject } from '../../support/atlas-simulator/json.ts';
import { PUBLISHED_EXAMPLE, pendingDownload, urlV2Download } from '../../support/atlas-simulator/recorded-bodies.ts';
import { type FakeClient, fakeClient } from '../support/fake-client.ts';
import { resource, responseOf, SPEC } from '../support/resources.ts';

const NAME = 'cluster0-friday-download';
const job = resource({ spec: { ...SPEC, deliverySecretName: NAME } });
const SECRET = { apiVersion: 'v1', kind: 'Secret' };
const COLLECTION = '/api/v1/namespaces/payments/secrets';
const PATH = `${COLLECTION}/${NAME}`;
const JOB_PATH = '/apis/atlasrestore.dev/v1/namespaces/payments/legacyrestorejobs/cluster0-friday';
const PENDING = pendingDownload(SPEC);
const READY = urlV2Download(SPEC, '2030-01-01T00:00:00Z');
const KEYS: Record<string, string> = {
  url: String(responseOf(READY).job.delivery?.url),
  urlV2: String(responseOf(READY).job.delivery?.urlV2),
  authHeader: 'X-Backup-Restore-Key',
  authValue: `key-of-${SPEC.jobId}`,
};

const base64 = (data: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]));

/** The Secret as the API server sends it: owned by the resource, unless told otherwise. */
const present = (data: Readonly<Record<string, string>>, owners: readonly string[] = [job.uid]) => ({
  metadata: { uid: 'secret-uid', resourceVersion: '7', ownerReferences: owners.map((uid) => ({ uid })) },
  data: base64(data),
});

/** The resource as the API server sends it. */
const object = (changes: { readonly uid?: string; readonly generation?: number } = {}) => ({
  metadata: {
    namespace: job.namespace,
    name: job.name,
    uid: job.uid,
    resourceVersion: '200',
    generation: job.generation,
    ...changes,
  },
  spec: job.spec,
});

interface Run {
  readonly result: Delivered;
  readonly writes: readonly KubeRequest[];
}

/** Writes the Secret of a response, over `secret` (undefined: there is none). */
async function run(
  body: JsonObject,
  secret: unknown,
  onWrite: () => unknown = () => ({}),
  fresh: () => unknown = () => object(),
): Promise<Run> {
  const client = clientWith(secret, onWrite, fresh);
  const result = await deliver(client, job, responseOf(body));
  return { result, writes: client.requests.filter(({ method }) => method !== 'GET') };
}

const clientWith = (secret: unknown, onWrite: () => unknown, fresh: () => unknown): FakeClient =>
  fakeClient({
    request: ({ method, path }) => {
      if (method !== 'GET') return onWrite();
      if (path === JOB_PATH) return fresh();
      expect(path).toBe(PATH);
      if (secret === undefined) throw new KubeError('none', { status: 404 });
      if (secret instanceof Error) throw secret;
      return secret;
    },
  });

const refuse = (status: number) => () => {
  throw new KubeError(`the API server answered ${status}`, { status, statusMessage: 'not you' });
};

test('without deliverySecretName nothing is read and nothing written', async () => {
  const client = fakeClient();
  expect(await deliver(client, resource(), responseOf(READY))).toEqual({ kind: 'done' });
  expect(client.requests).toEqual([]);
});

describe('there is none', () => {
  test('and no URL: nothing is created', async () => {
    expect(await run(PENDING, undefined)).toEqual({ result: { kind: 'done' }, writes: [] });
  });

  test('and a URL: it is created, owned by the resource without blocking anything', async () => {
    const { result, writes } = await run(READY, undefined);
    expect(result).toEqual({ kind: 'done' });
    expect(writes).toEqual([
      {
        method: 'POST',
        path: COLLECTION,
        returns: SECRET,
        body: {
          apiVersion: 'v1',
          kind: 'Secret',
          type: 'Opaque',
          metadata: {
            name: NAME,
            namespace: 'payments',
            labels: { 'app.kubernetes.io/managed-by': 'legacy-restore-operator' },
            // Neither blockOwnerDeletion nor controller, and no finalizer.
            ownerReferences: [
              { apiVersion: 'atlasrestore.dev/v1', kind: 'LegacyRestoreJob', name: 'cluster0-friday', uid: job.uid },
            ],
          },
          data: base64(KEYS),
        },
      },
    ]);
  });

  test('only the keys that Atlas gave are in it', async () => {
    const { writes } = await run(PUBLISHED_EXAMPLE, undefined);
    expect(writes).toMatchObject([{ body: { data: { url: expect.any(String) } } }]);
    expect(Object.keys(Object(Object(writes[0]?.body)['data']))).toEqual(['url']);
  });
});

describe('there is one of ours', () => {
  test('with the same content: nothing is written', async () => {
    expect(await run(READY, present(KEYS))).toEqual({ result: { kind: 'done' }, writes: [] });
  });

  test.each<[string, JsonObject, Record<string, string>, Record<string, string>]>([
    ['another value', READY, { ...KEYS, authValue: 'old' }, KEYS],
    ['a key that Atlas did not give before', READY, { url: KEYS['url'] ?? '' }, KEYS],
    [
      'a key that vanished from the response',
      PUBLISHED_EXAMPLE,
      KEYS,
      { url: String(responseOf(PUBLISHED_EXAMPLE).job.delivery?.url) },
    ],
    ['a key that somebody added', READY, { ...KEYS, mine: 'x' }, KEYS],
    ['every key vanished', PENDING, KEYS, {}],
  ])('%s: its data is replaced whole, and only as it was read', async (_name, body, before, after) => {
    const { result, writes } = await run(body, present(before));
    expect(result).toEqual({ kind: 'done' });
    expect(writes).toEqual([
      {
        method: 'PATCH',
        path: PATH,
        returns: SECRET,
        contentType: 'application/json-patch+json',
        body: [
          { op: 'replace', path: '/metadata/resourceVersion', value: '7' },
          { op: 'add', path: '/data', value: base64(after) },
        ],
      },
    ]);
  });

  test('among other owners it is still ours', async () => {
    const { result } = await run(READY, present({}, ['somebody', job.uid]));
    expect(result).toEqual({ kind: 'done' });
  });
});

describe('there is one that is not ours', () => {
  test.each([
    ['of nobody', []],
    ['of a resource that had the same name', ['uid-0']],
  ])('%s: it is left untouched', async (_name, owners) => {
    const { result, writes } = await run(READY, present(KEYS, owners));
    expect(result).toMatchObject({ kind: 'failed', failure: { reason: 'DeliverySecretConflict' } });
    expect(writes).toEqual([]);
    expect(messageOf(result)).toContain(`Secret payments/${NAME} exists and does not belong to this resource. `);
    for (const value of Object.values(KEYS)) expect(JSON.stringify(result)).not.toContain(value);
  });

  test('while there is no URL it is no problem', async () => {
    expect(await run(PENDING, present({}, []))).toEqual({ result: { kind: 'done' }, writes: [] });
  });
});

describe('what the API server refuses', () => {
  test.each<[string, unknown, () => unknown]>([
    ['reading', new KubeError('no', { status: 403, statusMessage: 'not you' }), refuse(403)],
    ['creating', undefined, refuse(403)],
    ['changing', present({}), refuse(403)],
  ])('%s is forbidden', async (_name, secret, onWrite) => {
    const { result } = await run(READY, secret, onWrite);
    expect(result).toMatchObject({ kind: 'failed', failure: { reason: 'DeliverySecretForbidden' } });
    expect(messageOf(result)).toContain(`The operator may not write Secret payments/${NAME}: not you. `);
  });

  test('what may not be read is no problem while there is no URL', async () => {
    const { result } = await run(PENDING, new KubeError('no', { status: 403, statusMessage: 'not you' }));
    expect(result).toEqual({ kind: 'done' });
  });

  test('an immutable Secret is a conflict', async () => {
    const { result } = await run(READY, present({}), refuse(422));
    expect(result).toMatchObject({ kind: 'failed', failure: { reason: 'DeliverySecretConflict' } });
    expect(messageOf(result)).toContain(`Secret payments/${NAME} cannot be written: not you. `);
  });

  test.each<[string, unknown, number]>([
    ['somebody else created it meanwhile', undefined, 409],
    ['somebody else changed it meanwhile', present({}), 409],
    ['it was deleted meanwhile', present({}), 404],
    ['the API server is overloaded', present({}), 429],
    ['the API server is away', undefined, 0],
    ['reading failed', new KubeError('the API server answered 500', { status: 500 }), 500],
  ])('%s: the error goes on', async (_name, secret, status) => {
    const writing = run(READY, secret, refuse(status));
    await expect(writing).rejects.toThrow(KubeError);
    await expect(writing).rejects.toMatchObject({ status });
  });
});

describe('a resource that is no longer the one that was reconciled', () => {
  test.each<[string, () => unknown]>([
    ['has another spec', () => object({ generation: 2 })],
    ['was created again', () => object({ uid: 'uid-2' })],
    ['was deleted', refuse(404)],
  ])('%s: nothing is written', async (_name, fresh) => {
    for (const secret of [undefined, present({})]) {
      const { result, writes } = await run(READY, secret, () => ({}), fresh);
      expect([result, writes]).toEqual([{ kind: 'outdated' }, []]);
    }
  });

  test('is not looked at where nothing is to be written', async () => {
    const unasked = () => {
      throw new Error('the resource was read');
    };
    expect((await run(READY, present(KEYS), () => ({}), unasked)).result).toEqual({ kind: 'done' });
  });
});

function messageOf(result: Delivered): string {
  if (result.kind !== 'failed') throw new Error('it was delivered');
  return failureMessage(result.failure, 'resource');
}
