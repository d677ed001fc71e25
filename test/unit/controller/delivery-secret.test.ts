import { describe, expect, test } from '@jest/globals';
import { deliver } from '../../../src/controller/delivery-secret.ts';
import type { KubeRequest } from '../../../src/kube/client.ts';
import { KubeError } from '../../../src/kube/errors.ts';
import type { Failure } from '../../../src/restore-job/failure.ts';
import { failureMessage } from '../../../src/restore-job/messages.ts';
import type { JsonObject } from '../../support/atlas-simulator/json.ts';
import {
  endedDownload,
  PUBLISHED_EXAMPLE,
  pendingDownload,
  urlV2Download,
} from '../../support/atlas-simulator/recorded-bodies.ts';
import { type FakeClient, fakeClient } from '../support/fake-client.ts';
import { resource, responseOf, SPEC } from '../support/resources.ts';

const NAME = 'cluster0-friday-download';
const job = resource({ spec: { ...SPEC, deliverySecretName: NAME } });
const SECRET = { apiVersion: 'v1', kind: 'Secret' };
const COLLECTION = '/api/v1/namespaces/payments/secrets';
const PATH = `${COLLECTION}/${NAME}`;
const REVIEW_PATH = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
const JOBS = '/apis/atlasrestore.dev/v1/namespaces/payments/legacyrestorejobs/';
const PENDING = pendingDownload(SPEC);
const NOW = Date.parse('2029-12-31T00:00:00Z');
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
const object = (
  changes: { readonly uid?: string; readonly generation?: number; readonly deletionTimestamp?: string } = {},
) => ({
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
  readonly result: Failure | undefined;
  readonly writes: readonly KubeRequest[];
}

/** Writes the Secret of a response, over `secret` (undefined: there is none). */
async function run(
  body: JsonObject,
  secret: unknown,
  onWrite: () => unknown = () => ({}),
  fresh: () => unknown = () => object(),
  allowed = false,
): Promise<Run> {
  const client = clientWith(secret, onWrite, fresh, allowed);
  const result = await deliver({ client, labelSelector: '' }, job, responseOf(body), NOW);
  return { result, writes: client.requests.filter(({ method, path }) => method !== 'GET' && path !== REVIEW_PATH) };
}

const clientWith = (secret: unknown, onWrite: () => unknown, fresh: () => unknown, allowed: boolean): FakeClient =>
  fakeClient({
    request: ({ method, path }) => {
      if (path === REVIEW_PATH) return { status: { allowed } };
      if (method !== 'GET') return onWrite();
      if (path.startsWith(JOBS)) return fresh();
      expect([PATH, `${COLLECTION}/${NAME}`]).toContain(path);
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
  expect(await deliver({ client, labelSelector: '' }, resource(), responseOf(READY), NOW)).toBeUndefined();
  expect(client.requests).toEqual([]);
});

describe('there is none', () => {
  test('and no URL: nothing is created', async () => {
    expect(await run(PENDING, undefined)).toEqual({ result: undefined, writes: [] });
  });

  test('and a URL: it is created, owned by the resource without blocking anything', async () => {
    const { result, writes } = await run(READY, undefined);
    expect(result).toBeUndefined();
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
            labels: {
              'app.kubernetes.io/managed-by': 'legacy-restore-operator',
              'atlasrestore.dev/job': 'cluster0-friday',
            },
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
    expect(await run(READY, present(KEYS))).toEqual({ result: undefined, writes: [] });
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
    expect(result).toBeUndefined();
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
    expect(result).toBeUndefined();
  });
});

describe('there is one that is not ours', () => {
  test.each([
    ['of nobody', []],
    ['of a resource that had the same name', ['uid-0']],
  ])('%s: it is left untouched', async (_name, owners) => {
    const { result, writes } = await run(READY, present(KEYS, owners));
    expect(result).toMatchObject({ reason: 'DeliverySecretConflict' });
    expect(writes).toEqual([]);
    expect(messageOf(result)).toContain(`Secret payments/${NAME} exists and does not belong to this resource. `);
    for (const value of Object.values(KEYS)) expect(JSON.stringify(result)).not.toContain(value);
  });

  test('while there is no URL it is no problem', async () => {
    expect(await run(PENDING, present({}, []))).toEqual({ result: undefined, writes: [] });
  });
});

describe('what the API server refuses', () => {
  test.each<[string, unknown, () => unknown]>([
    ['reading', new KubeError('no', { status: 403, statusMessage: 'not you' }), refuse(403)],
    ['creating', undefined, refuse(403)],
    ['changing', present({}), refuse(403)],
  ])('%s is forbidden', async (_name, secret, onWrite) => {
    const { result } = await run(READY, secret, onWrite);
    expect(result).toMatchObject({ reason: 'DeliverySecretForbidden' });
    expect(messageOf(result)).toContain(`The operator may not write Secret payments/${NAME}: not you. `);
  });

  test('what may not be read is no problem while there is no URL', async () => {
    const { result } = await run(PENDING, new KubeError('no', { status: 403, statusMessage: 'not you' }));
    expect(result).toBeUndefined();
  });

  test.each<[string, unknown, number]>([
    ['a quota or a policy that refuses', undefined, 403],
    ['an immutable Secret, or a policy', present({}), 422],
    ['a webhook that refuses', undefined, 400],
    ['a webhook that is down', undefined, 500],
    ['a Secret that is too large', present({}), 413],
    ['no response', present({}), 0],
    ['a Secret that cannot be read', new KubeError('no', { status: 500, statusMessage: 'not you' }), 500],
  ])('%s: everything else than a missing role, with its own sentence', async (_name, secret, status) => {
    const { result } = await run(READY, secret, refuse(status), () => object(), true);
    expect(result).toMatchObject({ reason: 'DeliverySecretRefused', code: status });
    expect(messageOf(result)).toContain(`Secret payments/${NAME} cannot be written: not you. `);
  });

  test('no response to a read is no refusal: the API server is away', async () => {
    await expect(run(READY, new KubeError('no', { status: 0 }))).rejects.toMatchObject({ status: 0 });
    await expect(run(READY, undefined, undefined, refuse(0))).rejects.toMatchObject({ status: 0 });
  });

  test.each<[string, unknown, number]>([
    ['created', undefined, 409],
    ['changed', present({}), 409],
    ['deleted', present({}), 404],
  ])('a Secret that somebody else %s at the same moment is tried again', async (_name, secret, status) => {
    let races = 0;
    const { result, writes } = await run(READY, secret, () => {
      races += 1;
      if (races > 1) return {};
      return refuse(status)();
    });
    expect([result, writes.length]).toEqual([undefined, 2]);
    expect((await run(READY, secret, refuse(status))).result).toMatchObject({ reason: 'DeliverySecretRefused' });
  });

  test.each([
    ['expired at Atlas', endedDownload(SPEC, 'EXPIRED', '2030-01-01T00:00:00Z')],
    ['is used up', endedDownload(SPEC, 'MAX_DOWNLOADS_EXCEEDED', '2030-01-01T00:00:00Z')],
    ['has failed', endedDownload(SPEC, 'FAILED', '2030-01-01T00:00:00Z')],
    ['is past its expiry', urlV2Download(SPEC, '2029-12-30T00:00:00Z')],
  ])('a refused Secret of a download that %s is given up', async (_name, body) => {
    expect((await run(body, undefined, refuse(403))).result).toBeUndefined();
    expect((await run(body, present({ url: 'x' }, []))).result).toBeUndefined();
  });
});

test('the label is cut to what a label can be', async () => {
  const long = { ...job, name: `${'a'.repeat(62)}.b` };
  const client = clientWith(
    undefined,
    () => ({}),
    () => ({ ...object(), metadata: { ...object().metadata, name: long.name } }),
    false,
  );
  await deliver({ client, labelSelector: '' }, long, responseOf(READY), NOW);
  expect(client.requests.at(-1)).toMatchObject({
    body: { metadata: { labels: { 'atlasrestore.dev/job': 'a'.repeat(62) } } },
  });
});

describe('a resource that is no longer the one that was reconciled', () => {
  test.each<[string, () => unknown]>([
    ['has another spec', () => object({ generation: 2 })],
    ['was created again', () => object({ uid: 'uid-2' })],
    ['is being deleted', () => object({ deletionTimestamp: '2030-01-01T00:00:00Z' })],
    ['was deleted', refuse(404)],
  ])('%s: nothing is written', async (_name, fresh) => {
    for (const secret of [undefined, present({})]) {
      const { result, writes } = await run(READY, secret, () => ({}), fresh);
      expect([result, writes]).toEqual([undefined, []]);
    }
  });

  test('is not looked at where nothing is to be written', async () => {
    const unasked = () => {
      throw new Error('the resource was read');
    };
    expect((await run(READY, present(KEYS), () => ({}), unasked)).result).toBeUndefined();
  });
});

function messageOf(result: Failure | undefined): string {
  if (result === undefined) throw new Error('it was delivered');
  return failureMessage(result, 'resource', 'atlas/v1.0');
}
