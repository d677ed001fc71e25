import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import {
  type CredentialsReader,
  type CredentialsResult,
  createCredentialsReader,
} from '../../../src/controller/credentials.ts';
import { KubeError } from '../../../src/kube/errors.ts';
import { failureMessage } from '../../../src/restore-job/messages.ts';
import { type FakeClient, fakeClient } from '../support/fake-client.ts';
import { resource, SPEC } from '../support/resources.ts';

const PUBLIC = 'canary-public';
const PRIVATE = 'canary-private';
const CLIENT = 'mdb_sa_id_canary';
const SECRET = 'mdb_sa_sk_canary';
const SECOND = 1_000;

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

/** A Secret as the API server sends it. */
const secret = (data: Readonly<Record<string, string>> | null, resourceVersion = '1', uid = 'secret-uid') => ({
  metadata: { uid, resourceVersion },
  data:
    data &&
    Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')])),
});

interface Setup {
  readonly client: FakeClient;
  readonly reader: CredentialsReader;
  readonly read: () => Promise<CredentialsResult>;
  readonly readAgain: () => Promise<CredentialsResult>;
}

/** A reader of one resource's Secret, which is what `answer` returns or throws. */
function setup(answer: () => unknown, job = resource(), directory = '', namespaces: readonly string[] = []): Setup {
  const client = fakeClient({ request: answer });
  const reader = createCredentialsReader({ client, defaultDirectory: directory, defaultNamespaces: namespaces });
  const source = reader.sourceOf(job);
  return { client, reader, read: () => reader.read(source), readAgain: () => reader.readAgain(source) };
}

function messageOf(result: CredentialsResult): string {
  if (result.ok) throw new Error('the credentials were taken');
  return `${result.failure.reason}: ${failureMessage(result.failure, 'resource', 'atlas/v1.0')}`;
}

const REMEDY = 'Give it publicApiKey and privateApiKey, publicKey and privateKey, or clientId and clientSecret.';
const NONE = 'holds none of the keys publicApiKey, privateApiKey, publicKey, privateKey, clientId, clientSecret';

describe('what a Secret holds', () => {
  test('an API key', async () => {
    const { client, read } = setup(() => secret({ publicApiKey: PUBLIC, privateApiKey: PRIVATE }));
    expect(await read()).toMatchObject({
      ok: true,
      credentials: { kind: 'apiKey', publicKey: PUBLIC, privateKey: PRIVATE },
    });
    expect(client.requests).toMatchObject([{ method: 'GET', path: '/api/v1/namespaces/payments/secrets/atlas-key' }]);
  });

  test("an API key, as MongoDB's operator for Ops Manager writes it", async () => {
    const { read } = setup(() => secret({ publicKey: 'backup@example.com', privateKey: PRIVATE, user: 'x' }));
    expect(await read()).toMatchObject({
      ok: true,
      credentials: { kind: 'apiKey', publicKey: 'backup@example.com', privateKey: PRIVATE },
    });
  });

  test('a service account', async () => {
    const { read } = setup(() => secret({ clientId: CLIENT, clientSecret: SECRET }));
    expect(await read()).toMatchObject({
      ok: true,
      credentials: { kind: 'serviceAccount', clientId: CLIENT, clientSecret: SECRET },
    });
  });

  test('other keys are ignored, such as those of the MongoDB Atlas operator', async () => {
    const { read } = setup(() => secret({ orgId: 'x', publicApiKey: PUBLIC, privateApiKey: PRIVATE }));
    expect(await read()).toMatchObject({ ok: true });
  });

  test('a line end and blanks around a value are no part of it', async () => {
    const { read } = setup(() => secret({ publicApiKey: `${PUBLIC}\n`, privateApiKey: ` ${PRIVATE}\r\n` }));
    expect(await read()).toMatchObject({ credentials: { publicKey: PUBLIC, privateKey: PRIVATE } });
  });

  test.each<[string, Record<string, string> | null, string]>([
    [
      'both kinds',
      { publicApiKey: PUBLIC, privateApiKey: PRIVATE, clientId: CLIENT, clientSecret: SECRET },
      'holds two kinds of credentials (publicApiKey, privateApiKey, clientId, clientSecret)',
    ],
    [
      'one kind and half of the other',
      { publicApiKey: PUBLIC, privateApiKey: PRIVATE, clientSecret: SECRET },
      'holds two kinds of credentials (publicApiKey, privateApiKey, clientSecret)',
    ],
    ['no public key', { privateApiKey: PRIVATE }, 'lacks the key publicApiKey'],
    ['no private key', { publicApiKey: PUBLIC }, 'lacks the key privateApiKey'],
    ['no client id', { clientSecret: SECRET }, 'lacks the key clientId'],
    ['no client secret', { clientId: CLIENT }, 'lacks the key clientSecret'],
    ['an empty public key', { publicApiKey: '', privateApiKey: PRIVATE }, 'has an empty publicApiKey'],
    ['a blank private key', { publicApiKey: PUBLIC, privateApiKey: ' \n' }, 'has an empty privateApiKey'],
    ['an empty client id', { clientId: '', clientSecret: SECRET }, 'has an empty clientId'],
    ['an empty client secret', { clientId: CLIENT, clientSecret: '' }, 'has an empty clientSecret'],
    ['nothing', {}, NONE],
    ['no data', null, NONE],
    ['other keys only', { password: PRIVATE }, NONE],
    ['an e-mail alone', { user: PRIVATE }, NONE],
    ['no public key beside privateKey', { privateKey: PRIVATE }, 'lacks the key publicKey'],
    ['no private key beside publicKey', { publicKey: PUBLIC }, 'lacks the key privateKey'],
    ['an empty publicKey', { publicKey: '', privateKey: PRIVATE }, 'has an empty publicKey'],
    [
      'the keys of both operators of MongoDB',
      { publicApiKey: PUBLIC, privateApiKey: PRIVATE, publicKey: PUBLIC, privateKey: PRIVATE },
      'holds two kinds of credentials (publicApiKey, privateApiKey, publicKey, privateKey)',
    ],
    [
      'a pair that is none',
      { publicApiKey: PUBLIC, privateKey: PRIVATE },
      'holds two kinds of credentials (publicApiKey, privateKey)',
    ],
    [
      'an older Secret for Ops Manager',
      { user: PUBLIC, publicApiKey: PRIVATE },
      'has the older keys user and publicApiKey: rename them to publicKey and privateKey',
    ],
    [
      'a line end within a value',
      { publicApiKey: PUBLIC, privateApiKey: `${PRIVATE}\n${PRIVATE}` },
      'has control characters in privateApiKey',
    ],
    [
      'a value of 64 KB',
      { publicApiKey: PUBLIC, privateApiKey: 'canary'.repeat(10_923) },
      'has a privateApiKey of 65538 characters, which is longer than any credential',
    ],
    [
      'a value in quotes, as from an env file',
      { publicApiKey: `"${PUBLIC}"`, privateApiKey: PRIVATE },
      'has a publicApiKey in quotes, which are not part of it',
    ],
    [
      'a zero-width character',
      { publicApiKey: PUBLIC, privateApiKey: `canary\u200b${PRIVATE}` },
      'has invisible characters in privateApiKey, such as a zero-width space',
    ],
    ['two words', { publicApiKey: PUBLIC, privateApiKey: `canary ${PRIVATE}` }, 'has white space in privateApiKey'],
    [
      'a client secret that was encoded twice',
      { clientId: CLIENT, clientSecret: Buffer.from('mdb_sa_sk_canary').toString('base64') },
      'has a clientSecret that is encoded with base64 twice',
    ],
    [
      'a private key that was encoded twice',
      { publicApiKey: PUBLIC, privateApiKey: Buffer.from('c0ffee00-1234-4321-abcd-0123456789ab\n').toString('base64') },
      'has a privateApiKey that is encoded with base64 twice',
    ],
  ])('%s is refused, and no value is told', async (_name, data, problem) => {
    const message = messageOf(await setup(() => secret(data)).read());
    expect(message).toBe(`SecretInvalid: Secret payments/atlas-key ${problem}. ${REMEDY}`);
    expect(message).not.toContain('canary');
  });

  test('the version changes with the resourceVersion and with the uid', async () => {
    const versions = ['1 a', '2 a', '2 b'].map((version) => version.split(' '));
    const { readAgain } = setup(() => {
      const [resourceVersion, uid] = versions.shift() ?? [];
      return secret({}, resourceVersion, uid);
    });
    const seen: string[] = [];
    for (let round = 0; round < 3; round++) {
      seen.push((await readAgain()).version);
      jest.advanceTimersByTime(2 * SECOND);
    }
    expect(new Set(seen).size).toBe(3);
  });
});

describe('a Secret that cannot be read', () => {
  const refuse = (status: number) => () => {
    throw new KubeError(`the API server answered ${status}`, { status });
  };

  test.each([
    [404, 'Secret payments/atlas-key does not exist.'],
    [403, 'The operator may not read Secret payments/atlas-key.'],
  ])('%i is a problem of the resource', async (status, problem) => {
    expect(messageOf(await setup(refuse(status)).read())).toContain(`SecretNotFound: ${problem}`);
  });

  test('a Secret that appears, or may be read, has another version', async () => {
    const absent = await setup(refuse(404)).read();
    const forbidden = await setup(refuse(403)).read();
    const present = await setup(() => secret({})).read();
    expect(new Set([absent.version, forbidden.version, present.version]).size).toBe(3);
  });

  test.each([0, 429, 500])('%i is a problem of the API server', async (status) => {
    await expect(setup(refuse(status)).read()).rejects.toThrow(KubeError);
  });
});

describe('default credentials', () => {
  const { credentialsSecretRef: _ref, ...WITHOUT } = SPEC;
  const bare = resource({ spec: WITHOUT });
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'credentials-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const unread = () => {
    throw new Error('no Secret is read');
  };

  test.each([
    ['none, and the resource names no Secret', []],
    ['no folder, whatever namespaces are granted it', ['payments']],
  ])('%s', async (_name, namespaces) => {
    expect(messageOf(await setup(unread, bare, '', namespaces).read())).toBe(
      `SecretInvalid: spec.credentialsSecretRef is missing, and the operator grants no default credentials to this namespace: name a Secret there. ${REMEDY}`,
    );
  });

  test('not for a namespace that they are not granted to', async () => {
    await writeFile(join(directory, 'publicApiKey'), PUBLIC);
    await writeFile(join(directory, 'privateApiKey'), PRIVATE);
    const { read } = setup(unread, bare, directory, ['pay', 'payments2']);
    expect(messageOf(await read())).toContain('grants no default credentials to this namespace');
  });

  test('for a granted namespace, from the files of the folder', async () => {
    await writeFile(join(directory, 'clientId'), `${CLIENT}\n`);
    await writeFile(join(directory, 'clientSecret'), `${SECRET}\n`);
    await writeFile(join(directory, 'other'), 'x');
    const { read } = setup(unread, bare, directory, ['payments']);
    expect(await read()).toMatchObject({ ok: true, credentials: { clientId: CLIENT, clientSecret: SECRET } });
  });

  test('a Secret that the resource names goes first', async () => {
    const { client, read } = setup(() => secret({}), resource(), directory, ['payments']);
    await read();
    expect(client.requests).toHaveLength(1);
  });

  test('a folder without usable files is refused, and no value is told', async () => {
    await writeFile(join(directory, 'privateApiKey'), PRIVATE);
    const message = messageOf(await setup(unread, bare, directory, ['payments']).read());
    expect(message).toContain('The folder of the default credentials lacks the key publicApiKey.');
    expect(message).not.toContain('canary');
    await rm(join(directory, 'privateApiKey'));
    expect(messageOf(await setup(unread, bare, directory, ['payments']).read())).toContain('holds none of the keys');
  });

  test('their version changes with their content, and only then', async () => {
    const { readAgain } = setup(unread, bare, directory, ['payments']);
    const version = async () => {
      jest.advanceTimersByTime(2 * SECOND);
      const result = await readAgain();
      return result.version;
    };
    const empty = await version();
    await writeFile(join(directory, 'publicApiKey'), PUBLIC);
    const half = await version();
    await writeFile(join(directory, 'other'), 'x');
    expect(half).not.toBe(empty);
    expect(await version()).toBe(half);
    expect(half).not.toContain('canary');
  });
});

describe('reading as little as possible', () => {
  const good = () => secret({ publicApiKey: PUBLIC, privateApiKey: PRIVATE });

  test('a hundred readers at the same time cost one request', async () => {
    const { client, read } = setup(good);
    const results = await Promise.all(Array.from({ length: 100 }, read));
    expect(client.requests).toHaveLength(1);
    expect(new Set(results).size).toBe(1);
  });

  test('within half a minute the same answer serves, then it is read again', async () => {
    const { client, read } = setup(good);
    await read();
    jest.advanceTimersByTime(30 * SECOND);
    await read();
    expect(client.requests).toHaveLength(1);
    jest.advanceTimersByTime(1);
    await read();
    expect(client.requests).toHaveLength(2);
  });

  test('what was read again serves the others, too', async () => {
    const { client, read, readAgain } = setup(good);
    await read();
    jest.advanceTimersByTime(20 * SECOND);
    await readAgain();
    jest.advanceTimersByTime(20 * SECOND);
    await read();
    expect(client.requests).toHaveLength(2);
  });

  test('readAgain passes by the cache, unless somebody has just read', async () => {
    const { client, readAgain } = setup(good);
    await Promise.all([readAgain(), readAgain()]);
    jest.advanceTimersByTime(SECOND);
    await readAgain();
    expect(client.requests).toHaveLength(1);
    jest.advanceTimersByTime(1);
    await readAgain();
    expect(client.requests).toHaveLength(2);
  });

  test('two Secrets are two, also of one name in two namespaces', async () => {
    const { client, reader } = setup(good);
    for (const job of [
      resource(),
      resource({ namespace: 'other' }),
      resource({ spec: { ...SPEC, credentialsSecretRef: { name: 'b' } } }),
    ])
      await reader.read(reader.sourceOf(job));
    expect(new Set(client.requests.map(({ path }) => path)).size).toBe(3);
  });

  test('a problem of the resource is kept like an answer', async () => {
    const { client, read } = setup(() => {
      throw new KubeError('gone', { status: 404 });
    });
    await read();
    await read();
    expect(client.requests).toHaveLength(1);
  });

  test('a failed read is not kept', async () => {
    let fails = true;
    const { client, read } = setup(() => {
      if (!fails) return good();
      throw new KubeError('down', { status: 500 });
    });
    await Promise.all([expect(read()).rejects.toThrow('down'), expect(read()).rejects.toThrow('down')]);
    expect(client.requests).toHaveLength(1);
    fails = false;
    expect(await read()).toMatchObject({ ok: true });
  });
});
