import { arch, platform } from 'node:os';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { AtlasClient, AtlasClientOptions, AtlasRequestRecord } from '../../../src/atlas/client.ts';
import type { AtlasCredentials } from '../../../src/atlas/credentials.ts';
import { unsupportedError } from '../../../src/atlas/ops-manager.ts';
import type { RestoreJobRef } from '../../../src/atlas/urls.ts';
import { atlasErrorOf, clientOf, fetchJob } from '../../support/atlas-client.ts';
import { deprecated, failing, rateLimited } from '../../support/atlas-simulator/fault-samples.ts';
import {
  PUBLISHED_EXAMPLE_JOB as JOB,
  PUBLISHED_EXAMPLE,
  youngJob,
} from '../../support/atlas-simulator/recorded-bodies.ts';
import { type AtlasSimulator, startAtlasSimulator } from '../../support/atlas-simulator/simulator.ts';
import { eventually } from '../../support/eventually.ts';
import { type RecordingServer, startRecordingServer } from '../../support/recording-server.ts';

const KEY = { kind: 'apiKey', publicKey: 'publickey', privateKey: 'private-key' } as const;
const WRONG_KEY = { ...KEY, privateKey: 'wrong' } as const;
const ACCOUNT = { kind: 'serviceAccount', clientId: 'mdb_sa_id_1', clientSecret: 'mdb_sa_sk_1' } as const;

let atlas: AtlasSimulator;
let client: AtlasClient;

beforeEach(async () => {
  atlas = await startAtlasSimulator();
  atlas.addApiKey(KEY);
  atlas.addServiceAccount(ACCOUNT);
  atlas.putJob(JOB, { kind: 'fixed', body: PUBLISHED_EXAMPLE });
  client = clientOf(atlas);
});

afterEach(async () => {
  await client.close();
  await atlas.stop();
});

/** So many jobs of the same cluster. */
function putJobs(count: number): readonly RestoreJobRef[] {
  return Array.from({ length: count }, (_, index) => {
    const job = { ...JOB, jobId: (index + 1).toString(16).padStart(24, '0') };
    atlas.putJob(job, { kind: 'fixed', body: youngJob(job) });
    return job;
  });
}

const get = (credentials: AtlasCredentials = KEY, ref: RestoreJobRef = JOB) => fetchJob(client, ref, credentials);

describe('a fetch', () => {
  test.each([KEY, ACCOUNT])('brings the job: $kind', async (credentials) => {
    const answer = await get(credentials);
    expect(answer).toEqual({ job: PUBLISHED_EXAMPLE, authValue: undefined, dropped: [], hashCount: 1 });
  });

  test.each([
    ['a nonce', KEY, { total: 1_001, byKind: { job: 1_001, token: 0, revoke: 0, other: 0 } }],
    ['a token', ACCOUNT, { total: 1_001, byKind: { job: 1_000, token: 1, revoke: 0, other: 0 } }],
  ])('costs one request once there is %s', async (_, credentials, counts) => {
    for (const job of putJobs(1_000)) expect((await get(credentials, job)).job.id).toBe(job.jobId);
    expect(atlas.requests.counts()).toMatchObject({ ...counts, byRefusal: {} });
  });

  test.each([
    ['one API key, its counts in any order', KEY, false],
    ['one API key, its counts in strict order', KEY, true],
    ['one service account', ACCOUNT, false],
  ])('32 at once are never refused: %s', async (_, credentials, strictNc) => {
    atlas.configure({ strictNc });
    const jobs = putJobs(32);
    for (let round = 0; round < 5; round += 1) {
      const answers = await Promise.all(jobs.map((job) => get(credentials, job)));
      expect(answers.map(({ job }) => job.id)).toEqual(jobs.map(({ jobId }) => jobId));
    }
  });

  test.each([
    ['a wrong key', WRONG_KEY, 'Unauthorized', 2],
    ['a wrong secret', { ...ACCOUNT, clientSecret: 'wrong' }, 'Unauthorized', 1],
  ])('with %s ends with few requests', async (_, credentials, reason, requests) => {
    expect(await atlasErrorOf(get(credentials))).toMatchObject({ kind: 'refused', reason });
    expect(atlas.requests.counts().total).toBe(requests);
  });

  test.each([
    ['a cluster', { ...JOB, clusterName: 'Cluster9' }, 'ClusterNotFound'],
    ['a job', { ...JOB, jobId: '6b77893b80eef5354c77ee99' }, 'JobNotFound'],
    ['a project', { ...JOB, groupId: '5a66666887d9d61443b41699' }, 'GroupNotFound'],
  ])('of %s that does not exist says so', async (_, ref, reason) => {
    expect(await atlasErrorOf(get(KEY, ref))).toMatchObject({ kind: 'refused', reason, httpStatus: 404 });
  });

  test.each([
    ['an address that is not allowed', { accessListed: false }, 'AccessListDenied'],
    ['an organization that has not paid', { suspended: true }, 'PaymentRequired'],
    ['another project', { groupIds: [] }, 'Unauthorized'],
  ])('with the credentials of %s says so', async (_, access, reason) => {
    atlas.addApiKey({ ...KEY, ...access });
    atlas.addServiceAccount({ ...ACCOUNT, ...access });
    expect(await atlasErrorOf(get(KEY))).toMatchObject({ kind: 'refused', reason });
    expect(await atlasErrorOf(get(ACCOUNT))).toMatchObject({ kind: 'refused', reason });
  });

  test('survives an outage', async () => {
    atlas.faults.add({ times: 1, fault: { kind: 'html' } });
    expect(await atlasErrorOf(get())).toMatchObject({
      kind: 'unavailable',
      reason: 'AtlasUnavailable',
      httpStatus: 503,
    });
    expect((await get()).job.id).toBe(JOB.jobId);
  });
});

describe('the request', () => {
  let server: RecordingServer;
  const answer = { status: 200, body: '{"id":"x"}' };

  beforeEach(async () => {
    server = await startRecordingServer(() => answer);
  });

  afterEach(async () => {
    await server[Symbol.asyncDispose]();
  });

  async function requestOf(ref: Partial<RestoreJobRef>, options: Partial<AtlasClientOptions> = {}) {
    await using own = clientOf(server, options);
    await fetchJob(own, { ...JOB, ...ref }, KEY);
    const [request] = server.requests;
    if (request === undefined) throw new Error('no request arrived');
    return request;
  }

  const PATH = `/api/atlas/v1.0/groups/${JOB.groupId}/clusters/Cluster0/restoreJobs/${JOB.jobId}`;

  test('is the documented one', async () => {
    expect(await requestOf({})).toMatchObject({
      method: 'GET',
      target: PATH,
      body: '',
      headers: {
        accept: 'application/json',
        'user-agent': `legacy-restore-operator/1.2.3 (${platform()};${arch()})`,
      },
    });
  });

  test.each([
    ['atlas/v1.0', 'application/json'],
    ['atlas/v2', 'application/vnd.atlas.2023-01-01+json'],
    ['public/v1.0', 'application/json'],
  ] as const)('is one of %s, and accepts %s', async (api, accept) => {
    const clusterName = '5a66689487d9d61443b46149';
    const { target, headers } = await requestOf({ clusterName }, { api });
    expect(target).toBe(`/api/${api}/groups/${JOB.groupId}/clusters/${clusterName}/restoreJobs/${JOB.jobId}`);
    expect(headers.accept).toBe(accept);
  });

  test.each([
    [true, true, '?envelope=true&pretty=true'],
    [true, false, '?envelope=true'],
    [false, true, '?pretty=true'],
  ])('asks for an envelope (%p) and for pretty JSON (%p)', async (envelope, pretty, query) => {
    expect((await requestOf({}, { envelope, pretty })).target).toBe(PATH + query);
  });

  test('keeps the path of the base URL', async () => {
    const { target } = await requestOf({}, { baseUrl: `${server.url}/proxy/atlas` });
    expect(target).toBe(`/proxy/atlas${PATH}`);
  });

  test.each([
    '../../other',
    'a/b',
    'a\\b',
    '/',
    '?envelope=false',
    '#fragment',
    '%2e%2e',
    '%2F',
    'a;b=c',
    'a b',
    'a\nb',
    'ümläut 😀',
    '@host',
    '//host',
  ])('keeps a name inside of its segment: %p', async (clusterName) => {
    const { target } = await requestOf({ clusterName });
    const [, segment, ...more] =
      /^\/api\/atlas\/v1\.0\/groups\/[0-9a-f]{24}\/clusters\/([^/?#\\;@ ]+)\/restoreJobs\/[0-9a-f]{24}$/.exec(target) ??
      [];
    expect([decodeURIComponent(segment ?? ''), more]).toEqual([clusterName, []]);
  });

  // Whatever their encoding, URLs resolve them: they can only become another name, which no cluster has.
  test.each(['.', '..'])('keeps even %p inside of its segment', async (dots) => {
    for (const [ref, segment] of [
      [{ clusterName: dots }, 4],
      [{ groupId: dots }, 2],
      [{ jobId: dots }, 6],
    ] as const) {
      await using own = clientOf(server);
      await fetchJob(own, { ...JOB, ...ref }, KEY);
      const segments = server.requests.at(-1)?.target.replace('/api/atlas/v1.0/', '').split('/') ?? [];
      expect(segments).toHaveLength(6);
      expect([segments[0], segments[2], segments[4]]).toEqual(['groups', 'clusters', 'restoreJobs']);
      expect(segments[segment - 1]).toMatch(/^(%25..)+$/i);
    }
  });
});

describe('the API', () => {
  const CLUSTER_ID = '5a66689487d9d61443b46149';
  const BY_ID = { ...JOB, clusterName: CLUSTER_ID };
  const { clusterName: _name, hashes: _hashes, ...PUBLIC_EXAMPLE } = PUBLISHED_EXAMPLE;

  beforeEach(() => {
    atlas.addCluster(JOB.groupId, CLUSTER_ID);
  });

  test.each(['atlas/v1.0', 'atlas/v2'] as const)('%s is asked for a job and for all of a cluster', async (api) => {
    await using own = clientOf(atlas, { api });
    for (const credentials of [KEY, ACCOUNT]) {
      expect((await fetchJob(own, JOB, credentials)).job).toEqual(PUBLISHED_EXAMPLE);
      expect((await own.list(JOB, credentials)).jobs).toMatchObject([{ id: JOB.jobId, dropped: [] }]);
    }
  });

  test.each([false, true])('public/v1.0 is asked with the id of the cluster, envelope=%j', async (envelope) => {
    atlas.removeJob(JOB.jobId);
    atlas.putJob(BY_ID, { kind: 'fixed', body: PUBLISHED_EXAMPLE });
    await using own = clientOf(atlas, { api: 'public/v1.0', envelope });
    expect(await fetchJob(own, BY_ID, KEY)).toMatchObject({ job: PUBLIC_EXAMPLE, dropped: [], hashCount: 0 });
    expect((await own.list(BY_ID, KEY)).jobs).toMatchObject([{ id: JOB.jobId, dropped: [] }]);
    const missing = fetchJob(own, { ...BY_ID, jobId: '6b77893b80eef5354c77ee99' }, KEY);
    expect(await atlasErrorOf(missing)).toMatchObject({ reason: 'JobNotFound', httpStatus: 404 });
  });

  test('that has another version of Atlas is told apart', async () => {
    await using own = clientOf(atlas, { api: 'atlas/v2' });
    for (const [status, errorCode] of [
      [406, 'INVALID_VERSION_DATE'],
      [410, 'VERSION_GONE'],
      [410, ''],
    ] as const) {
      atlas.faults.add({ times: 1, when: 'after-auth', fault: failing(status, errorCode) });
      expect(await atlasErrorOf(fetchJob(own, JOB, KEY))).toMatchObject({ reason: 'VersionGone', httpStatus: status });
    }
  });

  test.each([
    ['name of a cluster', JOB, KEY, { code: 'ATLAS_CLUSTER_ID_REQUIRED', reason: 'ClusterNotFound' }],
    ['service account', BY_ID, ACCOUNT, { code: 'ATLAS_NO_SERVICE_ACCOUNTS', reason: 'SecretInvalid' }],
  ] as const)('public/v1.0 of an Ops Manager takes no %s: nothing is sent', async (_what, ref, credentials, error) => {
    await using own = clientOf(atlas, { api: 'public/v1.0' });
    expect(await atlasErrorOf(fetchJob(own, ref, credentials))).toMatchObject(error);
    expect(await atlasErrorOf(own.list(ref, credentials))).toMatchObject(error);
    expect(atlas.requests.counts().total).toBe(0);
  });

  test('public/v1.0 of Cloud Manager takes a service account', () => {
    const address = { api: 'public/v1.0', baseUrl: 'https://cloud.mongodb.com' } as const;
    expect(unsupportedError(address, BY_ID, ACCOUNT)).toBeUndefined();
  });

  test.each(["o'neil+backup@example.com", 'back\\slash@example.com', '"quoted"@example.com'])(
    'the user %s of an older key',
    async (publicKey) => {
      atlas.removeJob(JOB.jobId);
      atlas.putJob(BY_ID, { kind: 'fixed', body: PUBLISHED_EXAMPLE });
      const key = { kind: 'apiKey', publicKey, privateKey: 'personal-key' } as const;
      atlas.addApiKey(key);
      await using own = clientOf(atlas, { api: 'public/v1.0' });
      for (let times = 0; times < 2; times += 1) expect((await fetchJob(own, BY_ID, key)).job.id).toBe(JOB.jobId);
      expect(atlas.requests.counts()).toMatchObject({ total: 3, byRefusal: {} });
    },
  );
});

describe('envelope and pretty', () => {
  test.each([KEY, ACCOUNT])('do not change what is read: $kind', async (credentials) => {
    await using own = clientOf(atlas, { envelope: true, pretty: true });
    expect((await fetchJob(own, JOB, credentials)).job).toEqual(PUBLISHED_EXAMPLE);
    // The second one re-uses the nonce, and its signature covers the query too.
    expect((await fetchJob(own, JOB, credentials)).job).toEqual(PUBLISHED_EXAMPLE);
    expect(atlas.requests.counts()).toMatchObject({ byRefusal: {}, byKind: { job: credentials === KEY ? 3 : 2 } });
    const missing = fetchJob(own, { ...JOB, clusterName: 'Cluster9' }, credentials);
    expect(await atlasErrorOf(missing)).toMatchObject({ reason: 'ClusterNotFound', httpStatus: 404 });
  });

  test('an envelope with a 429 pauses the budget like a 429', async () => {
    await using own = clientOf(atlas, { envelope: true });
    atlas.faults.add({ when: 'after-auth', times: 1, fault: rateLimited('30') });
    expect(await atlasErrorOf(fetchJob(own, JOB, KEY))).toMatchObject({ kind: 'rateLimited', retryAfterMs: 30_000 });
    expect(own.budgets().paused).toBe(1);
  });
});

describe('a fetch in flight', () => {
  test('is shared by all who ask for the same job with the same credentials', async () => {
    const equal = { ...KEY };
    const answers = await Promise.all([
      ...Array.from({ length: 10 }, (_, index) => fetchJob(client, JOB, KEY, `w${index}`)),
      fetchJob(client, { ...JOB }, equal, 'other'),
    ]);
    expect(new Set(answers).size).toBe(1);
    expect(atlas.requests.counts().total).toBe(2);
    await get();
    expect(atlas.requests.counts().total).toBe(3);
  });

  describe('and somebody who needs to know how it is now', () => {
    const OLD = youngJob(JOB);
    const NEW = PUBLISHED_EXAMPLE;

    /** A fetch that Atlas has answered already; the answer arrives with `release`. */
    async function heldFetch(own: AtlasClient) {
      atlas.setBody(JOB.jobId, OLD);
      await fetchJob(own, JOB, KEY);
      const { promise: until, resolve: release } = Promise.withResolvers<void>();
      const fault = atlas.faults.add({ times: 1, when: 'after-auth', fault: { kind: 'held', until } });
      const answer = fetchJob(own, JOB, KEY, 'first');
      await eventually('Atlas has answered', () => expect(fault.hits()).toBe(1));
      return { answer, release };
    }

    test('another one is begun; who comes later shares that', async () => {
      const { answer: held, release } = await heldFetch(client);
      atlas.setBody(JOB.jobId, NEW);
      const fresh = client.fetch(JOB, KEY, 'second', { begun: 'now' });
      const later = client.fetch(JOB, KEY, 'third');
      if (fresh.kind === 'waiting' || later.kind === 'waiting') throw new Error('nobody has to wait');
      expect((await fresh.response).job).toEqual(NEW);
      expect(later.response).toBe(fresh.response);
      release();
      expect((await held).job.statusName).toBe(OLD['statusName']);
    });

    test('the end of the old one does not make the new one unknown', async () => {
      const { answer: held, release: releaseOld } = await heldFetch(client);
      const { promise: until, resolve: releaseNew } = Promise.withResolvers<void>();
      atlas.faults.add({ times: 1, when: 'after-auth', fault: { kind: 'held', until } });
      const fresh = client.fetch(JOB, KEY, 'second', { begun: 'now' });
      releaseOld();
      await held;
      const later = client.fetch(JOB, KEY, 'third');
      releaseNew();
      if (fresh.kind === 'waiting' || later.kind === 'waiting') throw new Error('nobody has to wait');
      expect(await later.response).toBe(await fresh.response);
    });

    test('the budget counts it like any other', async () => {
      // A burst of three: a cold nonce, and two fetches.
      await using own = clientOf(atlas, { requestsPerMinute: 15 });
      const { answer: held, release } = await heldFetch(own);
      expect(own.fetch(JOB, KEY, 'second', { begun: 'now' }).kind).toBe('waiting');
      expect(own.fetch(JOB, KEY, 'third').kind).toBe('fetching');
      release();
      await held;
    });
  });

  test('is not shared by other jobs', async () => {
    const jobs = putJobs(10);
    const answers = await Promise.all(jobs.map((job) => get(KEY, job)));
    expect(answers.map(({ job }) => job.id)).toEqual(jobs.map(({ jobId }) => jobId));
  });

  test('never crosses from one credential to another', async () => {
    atlas.addApiKey({ publicKey: 'scoped', privateKey: 's', groupIds: [] });
    const scoped = { kind: 'apiKey', publicKey: 'scoped', privateKey: 's' } as const;
    const wrongAccount = { ...ACCOUNT, clientSecret: 'wrong' };
    for (let round = 0; round < 3; round += 1) {
      const outcomes = await Promise.allSettled(
        [KEY, WRONG_KEY, scoped, ACCOUNT, wrongAccount].map((credentials) => get(credentials)),
      );
      expect(outcomes.map(({ status }) => status)).toEqual([
        'fulfilled',
        'rejected',
        'rejected',
        'fulfilled',
        'rejected',
      ]);
    }
  });

  test('fails for all who share it, and is not remembered', async () => {
    atlas.faults.add({ times: 1, fault: failing(500, 'UNEXPECTED_ERROR') });
    const [first, second] = await Promise.all([get(), get()].map(atlasErrorOf));
    // The simulator fails one request only.
    expect([first?.reason, second?.reason]).toEqual(['AtlasUnavailable', 'AtlasUnavailable']);
    expect((await get()).job.id).toBe(JOB.jobId);
  });

  test('is shared even by somebody whom the budget would let wait', async () => {
    await using own = clientOf(atlas, { requestsPerMinute: 5 });
    const first = own.fetch(JOB, KEY, 'a');
    expect([first.kind, own.fetch(JOB, KEY, 'b').kind]).toEqual(['fetching', 'fetching']);
    const [other = JOB] = putJobs(1);
    expect(own.fetch(other, KEY, 'c').kind).toBe('waiting');
    if (first.kind === 'fetching') await first.response;
  });
});

describe('the budget', () => {
  /** A client whose calls can be awaited. */
  function calledClient(options: Partial<AtlasClientOptions> = {}) {
    const calls: string[] = [];
    let { promise, resolve } = Promise.withResolvers<void>();
    const own = clientOf(atlas, {
      onReserved: (waiter) => {
        calls.push(waiter);
        resolve();
      },
      ...options,
    });
    const nextCall = async () => {
      await promise;
      ({ promise, resolve } = Promise.withResolvers<void>());
    };
    return { own, calls, nextCall };
  }

  test('is paused by a 429 for as long as it says; then whoever waits is called and admitted', async () => {
    const { own, calls, nextCall } = calledClient();
    await using _ = own;
    atlas.faults.add({ times: 1, when: 'after-auth', fault: rateLimited('0.2') });
    const error = await atlasErrorOf(fetchJob(own, JOB, KEY));
    expect(error).toMatchObject({ kind: 'rateLimited', reason: 'RateLimited', retryAfterMs: 200 });
    expect(own.budgets().paused).toBe(1);
    expect(own.wait(JOB, KEY, 'first')).toEqual({
      kind: 'waiting',
      pause: expect.objectContaining({ forMs: expect.any(Number) }),
    });
    expect(own.fetch(JOB, KEY, 'second')).toEqual({
      kind: 'waiting',
      pause: expect.objectContaining({ forMs: expect.any(Number) }),
    });
    // Other credentials and other projects are not concerned.
    expect((await fetchJob(own, JOB, ACCOUNT)).job.id).toBe(JOB.jobId);
    expect(await atlasErrorOf(fetchJob(own, { ...JOB, groupId: 'f'.repeat(24) }, KEY))).toMatchObject({
      reason: 'GroupNotFound',
    });
    expect(calls).toEqual([]);
    await nextCall();
    expect([calls, own.budgets().paused]).toEqual([['first', 'second'], 0]);
    expect((await fetchJob(own, JOB, KEY, 'first')).job.id).toBe(JOB.jobId);
  });

  test('is paused by the wait that the body of a 429 tells', async () => {
    atlas.faults.add({ times: 1, fault: rateLimited(undefined, 55) });
    expect(await atlasErrorOf(get())).toMatchObject({ kind: 'rateLimited', retryAfterMs: 55_000 });
    expect(client.budgets().paused).toBe(1);
  });

  test('is paused by a 429 that tells nothing', async () => {
    atlas.faults.add({ times: 1, fault: { kind: 'status', status: 429 } });
    expect(await atlasErrorOf(get())).toMatchObject({ kind: 'rateLimited', retryAfterMs: undefined });
    expect([client.budgets().paused, client.fetch(JOB, KEY, 'w').kind]).toEqual([1, 'waiting']);
  });

  test('is paused by a 503 that says for how long', async () => {
    atlas.faults.add({ times: 1, fault: { kind: 'html', headers: { 'Retry-After': '30' } } });
    expect(await atlasErrorOf(get())).toMatchObject({ kind: 'unavailable', retryAfterMs: 30_000 });
    expect([client.budgets().paused, client.fetch(JOB, KEY, 'w').kind]).toEqual([1, 'waiting']);
  });

  test('is not paused by a 503 that does not', async () => {
    atlas.faults.add({ times: 1, fault: { kind: 'html' } });
    expect(await atlasErrorOf(get())).toMatchObject({ kind: 'unavailable', retryAfterMs: undefined });
    expect([client.budgets().paused, (await get()).job.id]).toEqual([0, JOB.jobId]);
  });

  test.each([403, 404, 302])('is not paused by a %s, whatever Retry-After it has', async (status) => {
    atlas.faults.add({ times: 1, fault: { kind: 'status', status, headers: { 'Retry-After': '3600' } } });
    expect(await atlasErrorOf(get())).toMatchObject({ httpStatus: status });
    expect([client.budgets().paused, (await get()).job.id]).toEqual([0, JOB.jobId]);
  });

  test('is paused by a 429 of the token endpoint', async () => {
    atlas.configure({ tokenRequestsPerMinute: 0 });
    expect(await atlasErrorOf(get(ACCOUNT))).toMatchObject({ kind: 'rateLimited', retryAfterMs: 60_000 });
    expect([client.budgets().paused, client.fetch(JOB, ACCOUNT, 'w').kind]).toEqual([1, 'waiting']);
    expect((await get(KEY)).job.id).toBe(JOB.jobId);
  });

  test('a second Retry-After of a gateway does no harm', async () => {
    atlas.faults.add({ times: 1, fault: { kind: 'status', status: 429, headers: { 'Retry-After': ['30', '40'] } } });
    expect(await atlasErrorOf(get())).toMatchObject({ kind: 'rateLimited', retryAfterMs: 30_000 });
  });

  test('counts the second request of a cold nonce', async () => {
    // A burst of two.
    await using own = clientOf(atlas, { requestsPerMinute: 10 });
    await fetchJob(own, JOB, KEY);
    expect(own.fetch(JOB, KEY, 'w')).toEqual({ kind: 'waiting', pause: undefined });
    await fetchJob(own, JOB, ACCOUNT);
    await fetchJob(own, JOB, ACCOUNT);
    expect(own.fetch(JOB, ACCOUNT, 'w')).toEqual({ kind: 'waiting', pause: undefined });
  });

  test('heeds the remaining requests that Atlas tells', async () => {
    atlas.configure({ rateLimit: { capacity: 3, refill: 3, periodSeconds: 60 } });
    await using own = clientOf(atlas, { requestsPerMinute: 100 });
    for (let count = 0; count < 3; count += 1) await fetchJob(own, JOB, KEY);
    expect(own.fetch(JOB, KEY, 'w')).toEqual({ kind: 'waiting', pause: undefined });
    expect(atlas.requests.counts().byStatus).not.toHaveProperty('429');
  });

  test('is paused for just as long as it was told', async () => {
    jest.useFakeTimers({ now: Date.now(), doNotFake: [...NOT_THE_CLOCKS] });
    try {
      await using own = clientOf(atlas);
      atlas.faults.add({ times: 1, fault: rateLimited('1800') });
      await atlasErrorOf(fetchJob(own, JOB, KEY));
      jest.advanceTimersByTime(1_799_999);
      expect(own.budgets().paused).toBe(1);
      jest.advanceTimersByTime(1);
      expect([own.budgets().paused, (await fetchJob(own, JOB, KEY)).job.id]).toEqual([0, JOB.jobId]);
    } finally {
      jest.useRealTimers();
    }
  });

  test.each(['0', '-5', 'Sat, 01 Jan 2000 00:00:00 GMT'])(
    'is paused by a 429 that says to wait for no time, as by one that tells nothing (%s)',
    async (wait) => {
      atlas.faults.add({ times: 1, fault: rateLimited(wait, 0) });
      expect(await atlasErrorOf(get())).toMatchObject({ kind: 'rateLimited', retryAfterMs: undefined });
      expect([client.budgets().paused, client.fetch(JOB, KEY, 'w').kind]).toEqual([1, 'waiting']);
    },
  );

  test.each(['86400', '9'.repeat(300), 'Fri, 01 Jan 2038 00:00:00 GMT'])(
    'is paused for at most an hour (%s)',
    async (wait) => {
      atlas.faults.add({ times: 1, fault: rateLimited(wait) });
      expect(await atlasErrorOf(get())).toMatchObject({ kind: 'rateLimited', retryAfterMs: 3_600_000 });
    },
  );

  test('frees what was reserved for somebody who joins a fetch under way', async () => {
    const { own, calls, nextCall } = calledClient({ requestsPerMinute: 60 });
    await using _ = own;
    own.wait(JOB, KEY, 'joins');
    own.wait(JOB, KEY, 'queued');
    await nextCall();
    expect(calls).toEqual(['joins', 'queued']);
    const before = own.budgets().remaining ?? Number.NaN;
    const [first, joined] = [own.fetch(JOB, KEY, 'queued'), own.fetch(JOB, KEY, 'joins')];
    expect(joined).toBe(first);
    expect(own.budgets()).toMatchObject({ waiting: 0, remaining: before + 1 });
    if (first.kind === 'fetching') await first.response;
  });

  test('frees the place of somebody whose credentials have changed', async () => {
    await using own = clientOf(atlas, { requestsPerMinute: 60 });
    own.wait(JOB, KEY, 'w');
    expect(own.budgets().waiting).toBe(1);
    const fetching = own.fetch(JOB, ACCOUNT, 'w');
    // At once: a moment later its turn would have come.
    expect([fetching.kind, own.budgets().waiting]).toEqual(['fetching', 0]);
    if (fetching.kind === 'fetching') await fetching.response;
  });

  test('is told that a new trouble began after any answer, also one that is no job', async () => {
    jest.useFakeTimers({ now: Date.now(), doNotFake: [...NOT_THE_CLOCKS] });
    try {
      await using own = clientOf(atlas);
      const pause = async () => {
        atlas.faults.add({ times: 1, fault: rateLimited('30') });
        await atlasErrorOf(fetchJob(own, JOB, KEY));
        const since = performance.now() - (own.wait(JOB, KEY, 'w').pause?.forMs ?? Number.NaN);
        own.forget('w');
        jest.advanceTimersByTime(30_000);
        return since;
      };
      const start = performance.now();
      expect([await pause(), await pause()]).toEqual([start, start]);
      const missing = { ...JOB, clusterName: 'Cluster9' };
      expect(await atlasErrorOf(fetchJob(own, missing, KEY))).toMatchObject({ kind: 'refused' });
      expect(await pause()).toBe(start + 60_000);
    } finally {
      jest.useRealTimers();
    }
  });
});

/** Everything that jest could replace but for the two clocks. */
const NOT_THE_CLOCKS = [
  ...(['hrtime', 'nextTick', 'queueMicrotask', 'setImmediate', 'clearImmediate'] as const),
  ...(['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] as const),
];

describe('what is told of requests', () => {
  test('every request: its endpoint, its kind of credentials and its status', async () => {
    const records: AtlasRequestRecord[] = [];
    const own = clientOf(atlas, { observer: { request: (record) => void records.push(record) } });
    await fetchJob(own, JOB, KEY);
    await fetchJob(own, JOB, ACCOUNT);
    atlas.faults.add({ times: 1, fault: { kind: 'reset', phase: 'before-answer' } });
    await atlasErrorOf(fetchJob(own, JOB, KEY));
    await own.close();
    expect(records.map(({ endpoint, auth, status }) => [endpoint, auth, status])).toEqual([
      ['restoreJob', 'digest', 401],
      ['restoreJob', 'digest', 200],
      ['token', 'serviceAccount', 200],
      ['restoreJob', 'serviceAccount', 200],
      ['restoreJob', 'digest', 0],
      ['revoke', 'serviceAccount', 200],
    ]);
    for (const { durationMs } of records) expect(durationMs).toBeGreaterThanOrEqual(0);
  });

  test('a deprecation, once', async () => {
    const onDeprecation = jest.fn();
    await using own = clientOf(atlas, { observer: { deprecation: onDeprecation } });
    await fetchJob(own, JOB, KEY);
    expect(onDeprecation).not.toHaveBeenCalled();
    atlas.faults.add({ when: 'after-auth', fault: deprecated('@1577836800', 'Tue, 01 Jan 2030 00:00:00 GMT') });
    for (let count = 0; count < 3; count += 1) await fetchJob(own, JOB, KEY);
    expect(onDeprecation.mock.calls).toEqual([
      [{ deprecation: '@1577836800', sunset: 'Tue, 01 Jan 2030 00:00:00 GMT' }],
    ]);
  });

  test('a deprecation in text that a log would not survive', async () => {
    const onDeprecation = jest.fn();
    await using own = clientOf(atlas, { observer: { deprecation: onDeprecation } });
    const headers = { Deprecation: `a\u009bb\u00ad${'x'.repeat(5_000)}`, Sunset: ['one', 'two'] };
    atlas.faults.add({ fault: { kind: 'status', status: 410, headers } });
    await atlasErrorOf(fetchJob(own, JOB, KEY));
    expect(onDeprecation.mock.calls).toEqual([
      [{ deprecation: expect.stringMatching(/^a b x{100,130}…$/), sunset: expect.stringContaining('one') }],
    ]);
  });

  test.each([
    ['an error', 'Deprecation', { deprecation: '@1577836800', sunset: undefined }],
    ['a sunset alone', 'Sunset', { deprecation: undefined, sunset: '@1577836800' }],
  ])('a deprecation that comes with %s', async (_, header, notice) => {
    const onDeprecation = jest.fn();
    await using own = clientOf(atlas, { observer: { deprecation: onDeprecation } });
    atlas.faults.add({ fault: { kind: 'status', status: 410, headers: { [header]: '@1577836800' } } });
    expect(await atlasErrorOf(fetchJob(own, JOB, KEY))).toMatchObject({ reason: 'VersionGone' });
    expect(onDeprecation.mock.calls).toEqual([[notice]]);
  });
});

describe('the end', () => {
  test("of the caller's signal ends every fetch with its reason", async () => {
    const caller = new AbortController();
    await using own = clientOf(atlas, { signal: caller.signal });
    atlas.faults.add({ fault: { kind: 'stall', phase: 'accept' } });
    const fetches = [...putJobs(5), JOB].flatMap((job) => [
      fetchJob(own, job, KEY),
      fetchJob(own, { ...job, clusterName: 'Cluster9' }, ACCOUNT),
    ]);
    const outcomes = Promise.allSettled(fetches);
    await atlas.requests.until((counts) => counts.withoutStatus === 7);
    const reason = new Error('the operator stops');
    caller.abort(reason);
    for (const outcome of await outcomes) expect(outcome).toEqual({ status: 'rejected', reason });
    await expect(fetchJob(own, JOB, KEY)).rejects.toBe(reason);
  });

  test('gives tokens back and calls nobody any more', async () => {
    const calls: string[] = [];
    atlas.configure({ liveTokensPerAccount: 1 });
    const own = clientOf(atlas, { onReserved: (waiter) => void calls.push(waiter) });
    await fetchJob(own, JOB, ACCOUNT);
    expect(await atlasErrorOf(get(ACCOUNT))).toMatchObject({ errorCode: 'access_denied' });
    own.wait(JOB, ACCOUNT, 'w');
    await own.close();
    expect(atlas.requests.counts().byKind.revoke).toBe(1);
    await using next = clientOf(atlas);
    expect((await fetchJob(next, JOB, ACCOUNT)).job.id).toBe(JOB.jobId);
    expect(calls).toEqual([]);
  });

  test('comes although Atlas has gone', async () => {
    const own = clientOf(atlas);
    await fetchJob(own, JOB, ACCOUNT);
    await atlas.stop();
    await expect(own.close()).resolves.toBeUndefined();
  });
});
