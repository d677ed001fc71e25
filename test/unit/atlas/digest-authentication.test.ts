import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type AtlasCredentials, credentialsKey } from '../../../src/atlas/credentials.ts';
import { createDigestAuthentication, type DigestAuthentication } from '../../../src/atlas/digest-authentication.ts';
import type { HttpRequest, HttpResponse, Send } from '../../../src/atlas/http.ts';
import { testSend } from '../../support/atlas-client.ts';
import { PUBLISHED_EXAMPLE, PUBLISHED_EXAMPLE_JOB } from '../../support/atlas-simulator/recorded-bodies.ts';
import { jobPath } from '../../support/atlas-simulator/reference-client.ts';
import { type AtlasSimulator, startAtlasSimulator } from '../../support/atlas-simulator/simulator.ts';

type ApiKey = Extract<AtlasCredentials, { kind: 'apiKey' }>;
const KEY: ApiKey = { kind: 'apiKey', publicKey: 'publickey', privateKey: 'private-key' };
const WRONG: ApiKey = { ...KEY, privateKey: 'wrong' };

/** The Authorization headers of a scripted server, and what it answers to each. */
interface Scripted {
  readonly send: Send;
  readonly authorizations: readonly (string | undefined)[];
}

function scripted(
  answer: (authorization: string | undefined, count: number) => HttpResponse | Promise<HttpResponse>,
): Scripted {
  const authorizations: (string | undefined)[] = [];
  return {
    authorizations,
    send: ({ headers }) => {
      authorizations.push(headers['authorization']);
      return Promise.resolve(answer(headers['authorization'], authorizations.length));
    },
  };
}

const OK: HttpResponse = { status: 200, headers: {}, body: '' };
const challenge = (nonce: string, more = ''): HttpResponse => ({
  status: 401,
  headers: { 'www-authenticate': `Digest realm="r", nonce="${nonce}", qop="auth", algorithm=MD5${more}` },
  body: '',
});
const REQUEST: HttpRequest = { method: 'GET', url: 'https://atlas.example/path?a=b%2Fc&d', headers: { 'x-own': '1' } };
const part = (authorization: string | undefined, name: string) =>
  new RegExp(`[ ,]${name}="?([^",]*)`).exec(authorization ?? '')?.[1];

describe('with the Atlas simulator', () => {
  let atlas: AtlasSimulator;
  let http: ReturnType<typeof testSend>;
  let digest: DigestAuthentication;
  let clock: number;

  beforeEach(async () => {
    clock = Date.parse('2030-01-01T00:00:00Z');
    atlas = await startAtlasSimulator({ now: () => clock });
    atlas.addApiKey(KEY);
    atlas.putJob(PUBLISHED_EXAMPLE_JOB, { kind: 'fixed', body: PUBLISHED_EXAMPLE });
    http = testSend();
    digest = createDigestAuthentication();
  });

  afterEach(async () => {
    await http[Symbol.asyncDispose]();
    await atlas.stop();
  });

  async function ask(credentials = KEY, query = ''): Promise<number> {
    const url = atlas.url + jobPath(PUBLISHED_EXAMPLE_JOB, query);
    const request = { method: 'GET', url, headers: {} } as const;
    const { status } = await digest.authenticate(http.send, request, credentials, credentialsKey(credentials));
    return status;
  }

  test('a cold nonce costs two requests, a warm one costs one', async () => {
    expect(await ask()).toBe(200);
    expect(atlas.requests.counts()).toMatchObject({ total: 2, byAuth: { none: 1, digest: 1 }, byRefusal: {} });
    for (let count = 0; count < 100; count += 1) expect(await ask()).toBe(200);
    expect(atlas.requests.counts()).toMatchObject({ total: 102, byAuth: { none: 1, digest: 101 }, byRefusal: {} });
  });

  test('the uri that is signed has the query', async () => {
    expect(await ask(KEY, '?envelope=true&pretty=true')).toBe(200);
    expect(await ask(KEY, '?pretty=true')).toBe(200);
    expect(atlas.requests.counts().byRefusal).toEqual({});
  });

  test.each([
    [['MD5', 'SHA-256'], 'separate'],
    [['SHA-256', 'MD5'], 'separate'],
    [['MD5', 'SHA-256'], 'combined'],
    [['SHA-256', 'MD5'], 'combined'],
    [['SHA-256'], 'combined'],
  ] as const)('the challenges %j, %s, are answered', async (algorithms, challengeLayout) => {
    atlas.configure({ algorithms, challengeLayout });
    expect([await ask(), await ask()]).toEqual([200, 200]);
    expect(atlas.requests.counts()).toMatchObject({ total: 3, byRefusal: {} });
  });

  test('a nonce that has gone stale is replaced at once', async () => {
    await ask();
    atlas.expireNonces();
    expect(await ask()).toBe(200);
    expect(atlas.requests.counts()).toMatchObject({ total: 4, byRefusal: { 'stale-nonce': 1 } });
    clock += 60_000;
    expect(await ask()).toBe(200);
    expect(await ask()).toBe(200);
    expect(atlas.requests.counts()).toMatchObject({ total: 7, byRefusal: { 'stale-nonce': 2 } });
  });

  test('a wrong key is refused after two requests, and again each time', async () => {
    for (let count = 1; count <= 5; count += 1) {
      expect(await ask(WRONG)).toBe(401);
      expect(atlas.requests.counts().total).toBe(2 * count);
    }
  });

  test('a key that is revoked while its nonce lives is refused after two requests, a new one works', async () => {
    await ask();
    atlas.removeApiKey(KEY.publicKey);
    expect(await ask()).toBe(401);
    expect(atlas.requests.counts().total).toBe(4);
    expect(await ask()).toBe(401);
    expect(atlas.requests.counts().total).toBe(6);
    atlas.addApiKey(KEY);
    expect(await ask()).toBe(200);
  });

  test('a wrong key disturbs the nonce of the right one in nothing', async () => {
    await ask();
    await ask(WRONG);
    atlas.requests.reset();
    expect(await ask()).toBe(200);
    expect(atlas.requests.counts().total).toBe(1);
  });

  test.each([false, true])('32 at once are never refused for good, strict counts: %p', async (strictNc) => {
    atlas.configure({ strictNc });
    const worker = async () => {
      const statuses: number[] = [];
      for (let count = 0; count < 15; count += 1) statuses.push(await ask());
      return statuses;
    };
    const statuses = await Promise.all(Array.from({ length: 32 }, worker));
    expect(new Set(statuses.flat())).toEqual(new Set([200]));
    const { total, byRefusal } = atlas.requests.counts();
    expect(total).toBeLessThanOrEqual(3 * 32 * 15);
    // A server that does not insist on the order is asked once each, but for the first of each worker.
    if (!strictNc) expect([byRefusal, total]).toEqual([{}, 32 * 15 + 32]);
  });

  test('32 at once survive that all nonces go stale under way', async () => {
    atlas.configure({ strictNc: true });
    await ask();
    const asked = Array.from({ length: 32 }, () => ask());
    atlas.expireNonces();
    expect(new Set(await Promise.all(asked))).toEqual(new Set([200]));
  });
});

describe('an exchange', () => {
  const exchange = (digest: DigestAuthentication, { send }: Scripted, credentials = KEY) =>
    digest.authenticate(send, REQUEST, credentials, credentialsKey(credentials));

  test('signs path and query, counts from one, and leaves other headers alone', async () => {
    const digest = createDigestAuthentication();
    const seen: HttpRequest[] = [];
    const send: Send = (request) => {
      seen.push(request);
      return Promise.resolve(seen.length === 1 ? challenge('n') : OK);
    };
    for (let count = 0; count < 3; count += 1) await digest.authenticate(send, REQUEST, KEY, 'key');
    expect(seen[0]).toEqual(REQUEST);
    const headers = seen.slice(1).map((request) => request.headers['authorization']);
    expect(headers.map((header) => part(header, 'nc'))).toEqual(['00000001', '00000002', '00000003']);
    expect(headers.map((header) => part(header, 'uri'))).toEqual(headers.map(() => '/path?a=b%2Fc&d'));
    expect(new Set(headers.map((header) => part(header, 'cnonce'))).size).toBe(3);
    for (const header of headers) expect(part(header, 'cnonce')).toMatch(/^[0-9a-f]{32}$/);
    for (const request of seen)
      expect(request).toMatchObject({ method: 'GET', url: REQUEST.url, headers: { 'x-own': '1' } });
  });

  test('shares a nonce only once it has worked', async () => {
    const digest = createDigestAuthentication();
    const { promise: held, resolve: release } = Promise.withResolvers<HttpResponse>();
    const server = scripted((authorization, count) => {
      if (authorization === undefined) return challenge(`n${count}`);
      return part(authorization, 'nonce') === 'n1' ? held : OK;
    });
    const first = exchange(digest, server);
    await new Promise<void>((resolve) => void setImmediate(resolve));
    expect(server.authorizations).toHaveLength(2);
    // Its count 2 could overtake the count 1 that is under way.
    const second = exchange(digest, server);
    expect((await second).status).toBe(200);
    expect(server.authorizations.map((header) => part(header, 'nonce'))).toEqual([undefined, 'n1', undefined, 'n3']);
    release(OK);
    expect((await first).status).toBe(200);
  });

  test('gives up when the server finds every nonce stale', async () => {
    const digest = createDigestAuthentication();
    const server = scripted((_, count) => challenge(`n${count}`, ', stale=true'));
    expect((await exchange(digest, server)).status).toBe(401);
    expect(server.authorizations).toHaveLength(3);
  });

  test.each([
    ['stale=true', 3, 200],
    ['stale=false', 2, 401],
  ])(
    'answers the second challenge only when it says that the nonce was at fault: %s',
    async (stale, requests, status) => {
      const server = scripted((_, count) => (count < 3 ? challenge(`n${count}`, `, ${stale}`) : OK));
      expect((await exchange(createDigestAuthentication(), server)).status).toBe(status);
      expect(server.authorizations).toHaveLength(requests);
    },
  );

  test.each([
    ['without a challenge', {}],
    ['with one that cannot be answered', { 'www-authenticate': 'Basic realm="r"' }],
  ])('gives back a 401 %s', async (_, headers) => {
    const server = scripted(() => ({ status: 401, headers, body: 'why' }));
    expect(await exchange(createDigestAuthentication(), server)).toMatchObject({ status: 401, body: 'why' });
    expect(server.authorizations).toEqual([undefined]);
  });

  test('keeps its nonce over an answer that is no 401, and starts anew after a 401', async () => {
    const digest = createDigestAuthentication();
    const answers = [challenge('n1'), { ...OK, status: 503 }, { ...OK, status: 404 }, { ...OK, status: 401 }, OK];
    const server = scripted((_, count) => answers[count - 1] ?? OK);
    const statuses: number[] = [];
    for (let count = 0; count < 4; count += 1) statuses.push((await exchange(digest, server)).status);
    expect(statuses).toEqual([503, 404, 401, 200]);
    expect(server.authorizations.map((header) => part(header, 'nc'))).toEqual([
      undefined,
      '00000001',
      '00000002',
      '00000003',
      undefined,
    ]);
  });

  test('gives every key a nonce of its own', async () => {
    const digest = createDigestAuthentication();
    const server = scripted((authorization, count) => (authorization === undefined ? challenge(`n${count}`) : OK));
    const other = { ...KEY, privateKey: 'other' };
    await exchange(digest, server);
    await exchange(digest, server, other);
    await exchange(digest, server);
    await exchange(digest, server, other);
    const nonces = server.authorizations.map((header) => part(header, 'nonce'));
    expect(nonces).toEqual([undefined, 'n1', undefined, 'n3', 'n1', 'n3']);
  });

  test('remembers the last thousand keys and no more', async () => {
    const digest = createDigestAuthentication();
    const server = scripted((authorization, count) => (authorization === undefined ? challenge(`n${count}`) : OK));
    const ask = (index: number) => exchange(digest, server, { ...KEY, publicKey: `key${index}` });
    for (let index = 0; index <= 1_000; index += 1) await ask(index);
    const before = server.authorizations.length;
    await ask(1_000);
    await ask(1);
    expect(server.authorizations).toHaveLength(before + 2);
    await ask(0);
    expect(server.authorizations).toHaveLength(before + 4);
  });

  test('passes on that no answer came', async () => {
    const failure = new Error('reset');
    const server = scripted(() => Promise.reject(failure));
    await expect(exchange(createDigestAuthentication(), server)).rejects.toBe(failure);
  });
});
