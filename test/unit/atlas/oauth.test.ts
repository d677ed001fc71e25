import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { type AtlasCredentials, credentialsKey } from '../../../src/atlas/credentials.ts';
import type { HttpResponse, Send } from '../../../src/atlas/http.ts';
import {
  createOAuthAuthentication,
  type OAuthAuthentication,
  type TokenResult,
  type TokenUse,
} from '../../../src/atlas/oauth.ts';
import { atlasErrorOf, testSend } from '../../support/atlas-client.ts';
import { failing } from '../../support/atlas-simulator/fault-samples.ts';
import type { Fault, FaultHandle } from '../../support/atlas-simulator/faults.ts';
import { PUBLISHED_EXAMPLE, PUBLISHED_EXAMPLE_JOB } from '../../support/atlas-simulator/recorded-bodies.ts';
import { jobPath } from '../../support/atlas-simulator/reference-client.ts';
import { type AtlasSimulator, startAtlasSimulator } from '../../support/atlas-simulator/simulator.ts';
import { startRecordingServer } from '../../support/recording-server.ts';

type ServiceAccount = Extract<AtlasCredentials, { kind: 'serviceAccount' }>;
const ACCOUNT: ServiceAccount = {
  kind: 'serviceAccount',
  clientId: 'mdb_sa_id_5a66666887d9d61443b41645',
  clientSecret: 'mdb_sa_sk_Aa0-_.~',
};
const WRONG: ServiceAccount = { ...ACCOUNT, clientSecret: 'wrong' };
const MINUTE = 60_000;
/** The connections to the simulator need real timers. */
const TIMERS = [
  'hrtime',
  'nextTick',
  'queueMicrotask',
  'setImmediate',
  'clearImmediate',
  'setInterval',
  'clearInterval',
  'setTimeout',
  'clearTimeout',
] as const;
const USE: TokenUse = { key: 'key', scope: PUBLISHED_EXAMPLE_JOB.groupId };
const useOf = (credentials: ServiceAccount, scope = USE.scope): TokenUse => ({
  key: credentialsKey(credentials),
  scope,
});

let atlas: AtlasSimulator;
let http: ReturnType<typeof testSend>;
let oauth: OAuthAuthentication;
let clock: number;

beforeEach(async () => {
  clock = Date.parse('2030-01-01T00:00:00Z');
  atlas = await startAtlasSimulator({ now: () => clock });
  atlas.addServiceAccount(ACCOUNT);
  atlas.putJob(PUBLISHED_EXAMPLE_JOB, { kind: 'fixed', body: PUBLISHED_EXAMPLE });
  http = testSend();
  oauth = createOAuthAuthentication({ baseUrl: atlas.url, sendToken: http.send, now: () => clock });
});

afterEach(async () => {
  await http[Symbol.asyncDispose]();
  await atlas.stop();
});

async function ask(credentials = ACCOUNT): Promise<number> {
  const request = { method: 'GET', url: atlas.url + jobPath(PUBLISHED_EXAMPLE_JOB), headers: {} } as const;
  const { status } = await oauth.authenticate(http.send, request, credentials, useOf(credentials));
  return status;
}

const askAtOnce = (count: number, credentials = ACCOUNT) =>
  Promise.all(Array.from({ length: count }, () => ask(credentials)));
const tokenRequests = () => atlas.requests.counts().byKind.token;
const jobRequests = () => atlas.requests.counts().byKind.job;
const failToken = (fault: Fault, times?: number): FaultHandle =>
  atlas.faults.add({ match: { kind: 'token' }, fault, ...(times === undefined ? {} : { times }) });

test('how each request for a token ended is told', async () => {
  const results: TokenResult[] = [];
  const own = createOAuthAuthentication({
    baseUrl: atlas.url,
    sendToken: http.send,
    now: () => clock,
    onToken: (result) => results.push(result),
  });
  const request = { method: 'GET', url: atlas.url + jobPath(PUBLISHED_EXAMPLE_JOB), headers: {} } as const;
  const askOwn = (credentials: typeof ACCOUNT) =>
    own.authenticate(http.send, request, credentials, useOf(credentials)).catch(() => undefined);
  await Promise.all([askOwn(ACCOUNT), askOwn(ACCOUNT)]);
  await askOwn({ ...ACCOUNT, clientSecret: 'wrong' });
  expect(results).toEqual(['granted', 'refused']);
  failToken({ kind: 'status', status: 429 }, 1);
  await askOwn({ ...ACCOUNT, clientSecret: 'another' });
  failToken({ kind: 'html' }, 1);
  await askOwn({ ...ACCOUNT, clientSecret: 'a third' });
  failToken({ kind: 'reset', phase: 'before-answer' }, 1);
  await askOwn({ ...ACCOUNT, clientSecret: 'a fourth' });
  expect(results.slice(2)).toEqual(['refused', 'failed', 'failed']);
});

describe('a token', () => {
  test('serves many jobs, one after the other and at once', async () => {
    expect(new Set(await askAtOnce(50))).toEqual(new Set([200]));
    for (let count = 0; count < 50; count += 1) expect(await ask()).toBe(200);
    expect([tokenRequests(), jobRequests()]).toEqual([1, 100]);
  });

  test('belongs to the values of its credentials', async () => {
    const other: ServiceAccount = { ...ACCOUNT, clientId: 'mdb_sa_id_5a66666887d9d61443b41600' };
    atlas.addServiceAccount({ ...other, groupIds: [] });
    expect(await Promise.all([ask(), ask(other), ask(WRONG).catch(() => 0)])).toEqual([200, 401, 0]);
    expect(await Promise.all([ask(), ask(other), ask(WRONG).catch(() => 0)])).toEqual([200, 401, 0]);
    expect(tokenRequests()).toBe(3);
  });

  test('is renewed before it ends, so that Atlas never sees a dead one', async () => {
    await ask();
    clock += 55 * MINUTE - 1;
    expect([await ask(), tokenRequests()]).toEqual([200, 1]);
    clock += 1;
    expect(new Set(await askAtOnce(10))).toEqual(new Set([200]));
    expect([tokenRequests(), atlas.requests.counts().byRefusal]).toEqual([2, {}]);
  });

  test('of a short life is used for most of it', async () => {
    atlas.configure({ tokenLifetimeSeconds: 50 });
    await ask();
    clock += 39_999;
    expect([await ask(), tokenRequests()]).toEqual([200, 1]);
    clock += 1;
    expect([await ask(), tokenRequests(), atlas.requests.counts().byRefusal]).toEqual([200, 2, {}]);
  });

  test('that expired is replaced', async () => {
    await ask();
    clock += 24 * 60 * MINUTE;
    expect([await ask(), tokenRequests(), atlas.requests.counts().byRefusal]).toEqual([200, 2, {}]);
  });

  test('that was revoked is replaced once, by all who used it together', async () => {
    await ask();
    atlas.revokeAllTokens(ACCOUNT.clientId);
    clock += MINUTE;
    expect(new Set(await askAtOnce(20))).toEqual(new Set([200]));
    expect(tokenRequests()).toBe(2);
    expect(jobRequests()).toBeLessThanOrEqual(1 + 2 * 20);
  });

  test('that has worked is replaced at once, however young it is', async () => {
    await ask();
    atlas.revokeAllTokens(ACCOUNT.clientId);
    expect([await ask(), tokenRequests(), jobRequests()]).toEqual([200, 2, 3]);
  });

  test('that is young and never worked is not replaced for a 401: something else is wrong', async () => {
    atlas.addServiceAccount({ ...ACCOUNT, groupIds: [] });
    await ask();
    clock += 9_999;
    expect([await ask(), tokenRequests(), jobRequests()]).toEqual([401, 1, 2]);
    clock += 1;
    expect([await ask(), tokenRequests()]).toEqual([401, 2]);
  });

  test('that works in one project is not replaced at once for another one, which the account may not see', async () => {
    const other = { ...PUBLISHED_EXAMPLE_JOB, groupId: '5a66666887d9d61443b41699', jobId: 'f'.repeat(24) };
    atlas.addServiceAccount({ ...ACCOUNT, groupIds: [PUBLISHED_EXAMPLE_JOB.groupId] });
    atlas.putJob(other, { kind: 'fixed', body: PUBLISHED_EXAMPLE });
    const request = { method: 'GET', url: atlas.url + jobPath(other), headers: {} } as const;
    for (let count = 0; count < 20; count += 1) {
      expect(await ask()).toBe(200);
      const refused = await oauth.authenticate(http.send, request, ACCOUNT, useOf(ACCOUNT, other.groupId));
      expect(refused.status).toBe(401);
    }
    expect(tokenRequests()).toBe(1);
  });

  test('is not replaced without end where Atlas takes each one and refuses it the next moment', async () => {
    atlas.configure({ tokenRequestsPerMinute: 1_000 });
    for (let elapsed = 0; elapsed < 60 * MINUTE; elapsed += 10_000) {
      await ask();
      atlas.revokeAllTokens(ACCOUNT.clientId);
      clock += 10_000;
      if (elapsed < MINUTE) expect(tokenRequests()).toBeLessThan(10);
    }
    expect(tokenRequests()).toBeLessThan(40);
  });

  test('is not replaced again and again where the credentials lack the access: an account has 100 of them', async () => {
    atlas.configure({ tokenRequestsPerMinute: 1_000 });
    atlas.addServiceAccount({ ...ACCOUNT, groupIds: [] });
    for (let elapsed = 0; elapsed < 60 * MINUTE; elapsed += 11_000) {
      expect(await ask()).toBe(401);
      clock += 11_000;
    }
    expect(tokenRequests()).toBeLessThan(20);
    // What the account may do is looked up for each request: the same token serves once access was granted.
    atlas.addServiceAccount(ACCOUNT);
    expect(await ask()).toBe(200);
  });

  test('that is revoked after such refusals is replaced all the same', async () => {
    atlas.addServiceAccount({ ...ACCOUNT, groupIds: [] });
    await ask();
    clock += MINUTE;
    await ask();
    atlas.addServiceAccount(ACCOUNT);
    atlas.revokeAllTokens(ACCOUNT.clientId);
    clock += 6 * MINUTE;
    expect(await ask()).toBe(200);
  });

  test('is used until it ends when no new one can be had', async () => {
    await ask();
    const fault = failToken({ kind: 'status', status: 500 });
    clock += 55 * MINUTE;
    expect(new Set(await askAtOnce(10))).toEqual(new Set([200]));
    clock += 5 * MINUTE - 1;
    expect(await ask()).toBe(200);
    clock += 1;
    expect(await atlasErrorOf(ask())).toMatchObject({ kind: 'unavailable', reason: 'AtlasUnavailable' });
    fault.remove();
    clock += 6_000;
    expect(await ask()).toBe(200);
    expect(atlas.requests.counts().byRefusal).toEqual({});
  });
});

describe('the token request', () => {
  const recorded = async (credentials: ServiceAccount) => {
    const token = { access_token: 'the-token', expires_in: 3600, token_type: 'Bearer' };
    await using server = await startRecordingServer(({ target }) => ({
      status: 200,
      body: target === '/api/oauth/token' ? JSON.stringify(token) : '{}',
    }));
    const own = createOAuthAuthentication({ baseUrl: server.url, sendToken: http.send, now: () => clock });
    await own.authenticate(http.send, { method: 'GET', url: `${server.url}/job`, headers: {} }, credentials, USE);
    await own.revokeAll();
    return server.requests;
  };
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

  test('is the documented one: the id and the secret themselves, in Basic', async () => {
    const [token, job, revoke] = await recorded(ACCOUNT);
    const authorization = basic(`${ACCOUNT.clientId}:${ACCOUNT.clientSecret.replace('~', '%7E')}`);
    expect(token).toMatchObject({
      method: 'POST',
      target: '/api/oauth/token',
      body: 'grant_type=client_credentials',
      headers: {
        authorization,
        accept: 'application/json',
        'content-type': expect.stringMatching(/^application\/x-www-form-urlencoded(;|$)/),
      },
    });
    expect(job?.headers).toMatchObject({ authorization: 'Bearer the-token' });
    expect(revoke).toMatchObject({ method: 'POST', target: '/api/oauth/revoke', headers: { authorization } });
    expect(Object.fromEntries(new URLSearchParams(revoke?.body))).toEqual({
      token: 'the-token',
      token_type_hint: 'access_token',
    });
  });

  test('carries every secret', async () => {
    const secret: ServiceAccount = { ...ACCOUNT, clientId: 'a:b', clientSecret: 'a:b%41+c d/ü&=😀~*' };
    atlas.addServiceAccount(secret);
    expect(await ask(secret)).toBe(200);
  });
});

describe('a refusal of the token endpoint', () => {
  test.each([true, false])(
    'a wrong secret is not tried again and again, Basic challenge: %p',
    async (basicChallenge) => {
      atlas.configure({ basicChallenge });
      const error = await atlasErrorOf(ask(WRONG));
      expect(error).toMatchObject({
        kind: 'refused',
        reason: 'Unauthorized',
        httpStatus: 401,
        errorCode: 'invalid_client',
      });
      expect(error.detail).toBe('Invalid credentials provided.');
      expect(error.message).not.toContain(WRONG.clientSecret);
      for (let count = 0; count < 50; count += 1) {
        expect(await atlasErrorOf(ask(WRONG))).toMatchObject({ reason: 'Unauthorized' });
        clock += 1_000;
      }
      expect([tokenRequests(), jobRequests()]).toEqual([1, 0]);
      clock += 10_000;
      await atlasErrorOf(ask(WRONG));
      expect(tokenRequests()).toBe(2);
    },
  );

  test('a corrected secret works at once', async () => {
    await atlasErrorOf(ask(WRONG));
    expect(await ask()).toBe(200);
  });

  test('a 429 is waited out as told', async () => {
    atlas.configure({ tokenRequestsPerMinute: 0 });
    const error = await atlasErrorOf(ask());
    expect(error).toMatchObject({
      kind: 'rateLimited',
      reason: 'RateLimited',
      httpStatus: 429,
      errorCode: 'RATE_LIMITED',
      retryAfterMs: 60_000,
    });
    atlas.configure({ tokenRequestsPerMinute: 10 });
    clock += 59_999;
    expect(await atlasErrorOf(ask())).toMatchObject({ kind: 'rateLimited' });
    expect(tokenRequests()).toBe(1);
    clock += 1;
    expect([await ask(), tokenRequests()]).toEqual([200, 2]);
  });

  test.each([5, 90])('an answer that says to wait for %p seconds is held so long', async (seconds) => {
    failToken({ kind: 'status', status: 503, headers: { 'Retry-After': String(seconds) } }, 1);
    await atlasErrorOf(ask());
    clock += seconds * 1_000 - 1;
    expect(await atlasErrorOf(ask())).toMatchObject({ kind: 'unavailable', retryAfterMs: seconds * 1_000 });
    expect(tokenRequests()).toBe(1);
    clock += 1;
    expect([await ask(), tokenRequests()]).toEqual([200, 2]);
  });

  test.each(['0', '-5', 'Sat, 01 Jan 2000 00:00:00 GMT'])(
    'a wait of no time is none: the endpoint would be asked without a pause (%s)',
    async (wait) => {
      failToken({ kind: 'status', status: 429, headers: { 'Retry-After': wait } });
      for (let elapsed = 0; elapsed < 60_000; elapsed += 1_000) {
        expect(await atlasErrorOf(ask())).toMatchObject({ kind: 'rateLimited', retryAfterMs: undefined });
        clock += 1_000;
      }
      expect(tokenRequests()).toBe(1);
    },
  );

  test('a wait without end ends within the hour', async () => {
    for (const wait of ['9'.repeat(400), '86400', 'Fri, 01 Jan 2038 00:00:00 GMT']) {
      failToken({ kind: 'status', status: 429, headers: { 'Retry-After': wait } }, 1);
      await atlasErrorOf(ask());
      clock += 60 * MINUTE;
      expect(await ask()).toBe(200);
      clock += 24 * 60 * MINUTE;
    }
  });

  test.each([
    [
      'too many live tokens',
      403,
      { error: 'access_denied', error_description: 'Too many.' },
      'refused',
      'Forbidden',
      'access_denied',
    ],
    ['a bad request', 400, { error: 'invalid_request' }, 'refused', 'BadRequest', 'invalid_request'],
    [
      'an ApiError',
      403,
      { error: 403, errorCode: 'IP_ADDRESS_NOT_ON_ACCESS_LIST' },
      'refused',
      'AccessListDenied',
      'IP_ADDRESS_NOT_ON_ACCESS_LIST',
    ],
    [
      'an outage',
      503,
      { error: 503, errorCode: 'UNEXPECTED_ERROR' },
      'unavailable',
      'AtlasUnavailable',
      'UNEXPECTED_ERROR',
    ],
    ['another body', 401, [null], 'refused', 'Unauthorized', undefined],
  ])('%s', async (_, status, json, kind, reason, errorCode) => {
    failToken({ kind: 'status', status, json });
    expect(await atlasErrorOf(ask())).toMatchObject({ httpStatus: status, kind, reason, errorCode });
    expect([tokenRequests(), jobRequests()]).toEqual([1, 0]);
  });

  test('an outage is asked about every few seconds, once for all who wait', async () => {
    const fault = failToken({ kind: 'html', status: 502 });
    const failed = () => Promise.all(Array.from({ length: 20 }, () => atlasErrorOf(ask())));
    expect(new Set((await failed()).map(({ reason }) => reason))).toEqual(new Set(['AtlasUnavailable']));
    clock += 5_999;
    await failed();
    expect(tokenRequests()).toBe(1);
    clock += 1;
    await failed();
    expect(tokenRequests()).toBe(2);
    fault.remove();
    clock += 6_000;
    expect(new Set(await askAtOnce(20))).toEqual(new Set([200]));
    expect(tokenRequests()).toBe(3);
  });

  test.each([
    ['a reset', { kind: 'reset', phase: 'before-answer' }, 'unavailable'],
    ['a redirect', { kind: 'redirect', location: 'http://elsewhere.example/' }, 'invalidResponse'],
  ] as const)('%s is transient', async (_, fault, kind) => {
    failToken(fault);
    expect(await atlasErrorOf(ask())).toMatchObject({ kind });
    expect(tokenRequests()).toBe(1);
  });

  const SECRET = 'a-token-that-nobody-may-read';
  test.each([
    ['HTML', `<html>${SECRET}</html>`],
    ['nothing', ''],
    ['an array', `["${SECRET}"]`],
    ['no token', '{"expires_in":3600,"token_type":"Bearer"}'],
    ['a token that is no text', '{"access_token":5,"expires_in":3600,"token_type":"Bearer"}'],
    ['an empty token', '{"access_token":"","expires_in":3600,"token_type":"Bearer"}'],
    ['a token that no header can carry', `{"access_token":"${SECRET}\\n","expires_in":3600,"token_type":"Bearer"}`],
    ['a token that is too long', JSON.stringify({ access_token: 'x'.repeat(8_193), token_type: 'Bearer' })],
    ['no type', `{"access_token":"${SECRET}","expires_in":3600}`],
    ['another type', `{"access_token":"${SECRET}","expires_in":3600,"token_type":"mac"}`],
    ['a lifetime that is none', `{"access_token":"${SECRET}","expires_in":"soon","token_type":"Bearer"}`],
    ['a negative lifetime', `{"access_token":"${SECRET}","expires_in":-1,"token_type":"Bearer"}`],
    ['a restore job', JSON.stringify(PUBLISHED_EXAMPLE)],
  ])('200 with %s is no token', async (_, body) => {
    const fault = failToken({ kind: 'body', body });
    const error = await atlasErrorOf(ask());
    expect(error).toMatchObject({ kind: 'invalidResponse', reason: 'InvalidResponse', httpStatus: 200 });
    expect(error.message).not.toContain(SECRET);
    expect([tokenRequests(), jobRequests()]).toEqual([1, 0]);
    fault.remove();
    clock += 6_000;
    expect(await ask()).toBe(200);
  });

  test.each([
    ['no lifetime, which means an hour', '', 54 * MINUTE, 1],
    ['a lifetime as text', ',"expires_in":"600"', 7 * MINUTE, 1],
    ['no lifetime left, which is good for one request', ',"expires_in":0', 0, 2],
    ['a lifetime without end', ',"expires_in":1e300', 10 * 24 * 60 * MINUTE, 1],
  ])('200 with %s', async (_, lifetime, later, requests) => {
    const server = await startRecordingServer(() => ({
      status: 200,
      body: `{"access_token":"t","token_type":"bearer"${lifetime}}`,
    }));
    await using _server = server;
    const own = createOAuthAuthentication({ baseUrl: server.url, sendToken: http.send, now: () => clock });
    const asked = () =>
      own.authenticate(http.send, { method: 'GET', url: `${server.url}/job`, headers: {} }, ACCOUNT, USE);
    expect((await asked()).status).toBe(200);
    clock += later;
    expect((await asked()).status).toBe(200);
    expect(server.requests.filter(({ target }) => target === '/api/oauth/token')).toHaveLength(requests);
  });

  test('whose caller stops is not held against later ones', async () => {
    const reason = new Error('stopping');
    let stopping = true;
    const send: Send = (request): Promise<HttpResponse> => (stopping ? Promise.reject(reason) : http.send(request));
    const own = createOAuthAuthentication({ baseUrl: atlas.url, sendToken: send, now: () => clock });
    const request = { method: 'GET', url: atlas.url + jobPath(PUBLISHED_EXAMPLE_JOB), headers: {} } as const;
    await expect(own.authenticate(send, request, ACCOUNT, USE)).rejects.toBe(reason);
    stopping = false;
    expect((await own.authenticate(send, request, ACCOUNT, USE)).status).toBe(200);
  });
});

describe('revokeAll', () => {
  test('gives every live token back', async () => {
    atlas.configure({ liveTokensPerAccount: 1 });
    await ask();
    const another = createOAuthAuthentication({ baseUrl: atlas.url, sendToken: http.send, now: () => clock });
    const request = { method: 'GET', url: atlas.url + jobPath(PUBLISHED_EXAMPLE_JOB), headers: {} } as const;
    const asked = () => another.authenticate(http.send, request, ACCOUNT, USE);
    expect(await atlasErrorOf(asked())).toMatchObject({ errorCode: 'access_denied' });
    await oauth.revokeAll();
    clock += MINUTE;
    expect((await asked()).status).toBe(200);
    expect(atlas.requests.counts().byKind.revoke).toBe(1);
  });

  test('leaves alone what has expired or was never had', async () => {
    await oauth.revokeAll();
    await ask();
    clock += 60 * MINUTE;
    await oauth.revokeAll();
    expect(atlas.requests.counts().byKind.revoke).toBe(0);
  });

  test('gives a token back once, and does not use it any more', async () => {
    await ask();
    await oauth.revokeAll();
    await oauth.revokeAll();
    expect(await ask()).toBe(200);
    expect(atlas.requests.counts()).toMatchObject({ byKind: { revoke: 1, token: 2 }, byRefusal: {} });
  });

  test.each([
    failing(500, 'UNEXPECTED_ERROR'),
    { kind: 'reset', phase: 'before-answer' } as const,
    { kind: 'html', status: 200 } as const,
  ])('takes a failure: tokens end by themselves (%j)', async (fault) => {
    await ask();
    atlas.faults.add({ match: { kind: 'revoke' }, fault });
    await expect(oauth.revokeAll()).resolves.toBeUndefined();
  });
});

describe('a wall clock that is set back by an hour', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: Date.parse('2030-01-01T00:00:00Z'), doNotFake: [...TIMERS] });
    oauth = createOAuthAuthentication({ baseUrl: atlas.url, sendToken: http.send });
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  const step = () => jest.setSystemTime(Date.now() - 60 * MINUTE);

  test('makes no token younger: one that is refused is replaced', async () => {
    atlas.addServiceAccount({ ...ACCOUNT, groupIds: [] });
    await ask();
    step();
    jest.advanceTimersByTime(10_000);
    atlas.addServiceAccount(ACCOUNT);
    atlas.revokeAllTokens(ACCOUNT.clientId);
    expect([await ask(), tokenRequests()]).toEqual([200, 2]);
  });

  test('prolongs the life of no token', async () => {
    await ask();
    step();
    jest.advanceTimersByTime(55 * MINUTE);
    expect([await ask(), tokenRequests()]).toEqual([200, 2]);
  });

  test('prolongs no refusal of the token endpoint', async () => {
    failToken({ kind: 'html', status: 502 }, 1);
    await atlasErrorOf(ask());
    step();
    jest.advanceTimersByTime(6_000);
    expect(await ask()).toBe(200);
  });
});

test('tokens of the last thousand credentials are remembered and no more', async () => {
  const answers: string[] = [];
  const send: Send = ({ url }) => {
    answers.push(url);
    const token = { access_token: 'x', expires_in: 3600, token_type: 'Bearer' };
    return Promise.resolve({ status: 200, headers: {}, body: JSON.stringify(token) });
  };
  const own = createOAuthAuthentication({ baseUrl: 'https://atlas.example', sendToken: send, now: () => clock });
  const asked = (index: number) =>
    own.authenticate(send, { method: 'GET', url: 'https://atlas.example/job', headers: {} }, ACCOUNT, {
      ...USE,
      key: `key${index}`,
    });
  for (let index = 0; index <= 1_000; index += 1) await asked(index);
  answers.length = 0;
  await asked(1_000);
  await asked(1);
  expect(answers).toHaveLength(2);
  await asked(0);
  expect(answers).toHaveLength(4);
});
