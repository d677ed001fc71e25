import { once } from 'node:events';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Agent, request } from 'undici';
import type { ApiKey } from '../support/atlas-simulator/credentials.ts';
import { downloadLifecycle } from '../support/atlas-simulator/lifecycle.ts';
import {
  automatedRestoreInto,
  endedDownload,
  openJob,
  PUBLISHED_EXAMPLE,
  PUBLISHED_EXAMPLE_JOB,
  pendingDownload,
  shardedBatch,
  youngJob,
} from '../support/atlas-simulator/recorded-bodies.ts';
import { askForNonce, digestAuthorization, getWithKey, jobPath } from '../support/atlas-simulator/reference-client.ts';
import { type AtlasSimulator, startAtlasSimulator } from '../support/atlas-simulator/simulator.ts';
import { type SecureAtlas, startSecureAtlas } from '../support/secure-atlas.ts';

const JOB = PUBLISHED_EXAMPLE_JOB;
const OTHER_ID = '6b77893b80eef5354c77ee99';
const KEY: ApiKey = { publicKey: 'publickey', privateKey: 'private-key' };

let atlas: AtlasSimulator;
let clock: number;

beforeEach(async () => {
  clock = Date.parse('2030-01-01T00:00:00Z');
  atlas = await startAtlasSimulator({ now: () => clock });
  atlas.addApiKey(KEY);
  atlas.putJob(JOB, { kind: 'fixed', body: PUBLISHED_EXAMPLE });
});

afterEach(() => atlas.stop());

async function get(uri: string, key: ApiKey = KEY) {
  const { status, headers, text } = await getWithKey(atlas.url, uri, key);
  return { status, headers, text, json: JSON.parse(text) };
}

async function statusName() {
  const { json } = await get(jobPath(JOB));
  return json.statusName;
}

describe('the job', () => {
  test('is served verbatim', async () => {
    const { status, headers, json } = await get(jobPath(JOB));
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('application/json');
    expect(json).toEqual(PUBLISHED_EXAMPLE);
  });

  test('is wrapped on envelope=true and indented on pretty=true', async () => {
    const { text, json } = await get(jobPath(JOB, '?envelope=true&pretty=true'));
    expect(json).toEqual({ status: 200, content: PUBLISHED_EXAMPLE });
    expect(text).toContain('\n  "status": 200');
  });

  test('follows its timeline, and its expiry lies in the future until it has expired', async () => {
    const phases = { runningMs: 1000, pendingMs: 1000, readyMs: 1000, fetchedMs: 1500 };
    atlas.putJob(JOB, { kind: 'timeline', steps: downloadLifecycle(JOB, clock, phases) });
    const seen: unknown[] = [];
    for (let second = 0; second <= 5; second += 1) {
      const { json } = await get(jobPath(JOB));
      const { statusName: delivery, expires } = json.delivery;
      const inFuture = expires === undefined ? undefined : Date.parse(expires) > clock;
      seen.push([json.statusName, delivery, json.hashes?.length, inFuture]);
      clock += 1000;
    }
    expect(seen).toEqual([
      ['IN_PROGRESS', 'NOT_STARTED', undefined, undefined],
      ['FINISHED', 'PENDING', 0, undefined],
      ['FINISHED', 'READY', 0, true],
      ['FINISHED', 'READY', 1, true],
      ['FINISHED', 'READY', 1, true],
      ['FINISHED', 'EXPIRED', 1, false],
    ]);
  });

  test('advances by hand, no further than its last body', async () => {
    atlas.putJob(JOB, { kind: 'by-hand', bodies: [openJob(JOB), pendingDownload(JOB)] });
    expect(await statusName()).toBe('OPEN');
    atlas.advance(JOB.jobId);
    expect(await statusName()).toBe('FINISHED');
    expect(() => atlas.advance(JOB.jobId)).toThrow('no next body');
  });

  test('changes when a body is set, and is gone when it is removed', async () => {
    atlas.setBody(JOB.jobId, youngJob(JOB));
    expect(await statusName()).toBe('IN_PROGRESS');
    atlas.removeJob(JOB.jobId);
    expect((await get(jobPath(JOB))).json.errorCode).toBe('RESTORE_JOB_NOT_FOUND');
  });

  test('is found in its own cluster alone', async () => {
    atlas.addCluster(JOB.groupId, 'Cluster1');
    expect((await get(jobPath({ ...JOB, clusterName: 'Cluster1' }))).json.errorCode).toBe('RESTORE_JOB_NOT_FOUND');
  });

  test('cannot have the id of a job of another cluster', () => {
    const body = youngJob(JOB);
    expect(() => atlas.putJob({ ...JOB, clusterName: 'Cluster1' }, { kind: 'fixed', body })).toThrow(
      'belongs to cluster',
    );
  });
});

describe('errors', () => {
  const SCOPED: ApiKey = { publicKey: 'scoped', privateKey: 's', groupIds: [OTHER_ID] };

  test.each([
    ['a group id with upper case', { groupId: JOB.groupId.toUpperCase() }, KEY, 404, 'INVALID_GROUP_ID'],
    ['an unknown group', { groupId: OTHER_ID }, KEY, 404, 'GROUP_NOT_FOUND'],
    ['a group that the key cannot access', {}, SCOPED, 401, 'USER_CANNOT_ACCESS_GROUP'],
    ['an unknown group that the key does not list', { groupId: JOB.jobId }, SCOPED, 401, 'NOT_IN_GROUP'],
    ['an unknown cluster', { clusterName: 'cluster-607', jobId: 'no-id' }, KEY, 404, 'CLUSTER_NOT_FOUND'],
    ['a job id that is none', { jobId: 'no-id' }, KEY, 404, 'INVALID_JOB_ID'],
    ['an unknown job', { jobId: OTHER_ID }, KEY, 404, 'RESTORE_JOB_NOT_FOUND'],
  ])('%s', async (_, change, key, status, errorCode) => {
    atlas.addApiKey(key);
    const answer = await get(jobPath({ ...JOB, ...change }), key);
    expect(answer.status).toBe(status);
    expect(answer.headers['x-error-code']).toBe(errorCode);
    expect(answer.json).toMatchObject({ error: status, errorCode });
  });

  test('have the recorded form', async () => {
    const { json } = await get(jobPath({ ...JOB, clusterName: 'cluster-607' }));
    expect(json).toEqual({
      detail: `No cluster named cluster-607 exists in group ${JOB.groupId}.`,
      error: 404,
      errorCode: 'CLUSTER_NOT_FOUND',
      parameters: ['cluster-607', JOB.groupId],
      reason: 'Not Found',
    });
  });

  test('come in the order: credentials, access list, payment, query, group', async () => {
    const uri = jobPath({ ...JOB, groupId: 'no-id' }, '?pretty=1');
    const asked = async (key: ApiKey) => (await get(uri, key)).json.errorCode;
    expect(await asked(KEY)).toBe('VALIDATION_ERROR');
    atlas.addApiKey({ ...KEY, suspended: true });
    expect(await asked(KEY)).toBe('ACCOUNT_SUSPENDED');
    atlas.addApiKey({ ...KEY, suspended: true, accessListed: false });
    expect(await asked(KEY)).toBe('IP_ADDRESS_NOT_ON_ACCESS_LIST');
    expect(await asked({ ...KEY, privateKey: 'wrong' })).toBe('UNEXPECTED_ERROR');
  });

  test('are wrapped on envelope=true, but for missing credentials', async () => {
    const uri = jobPath({ ...JOB, jobId: OTHER_ID }, '?envelope=true');
    const wrapped = await get(uri);
    expect(wrapped.status).toBe(200);
    expect(wrapped.json).toMatchObject({ status: 404, content: { error: 404, errorCode: 'RESTORE_JOB_NOT_FOUND' } });
    const { status } = await get(uri, { ...KEY, privateKey: 'wrong' });
    expect(status).toBe(401);
  });

  test('answer other paths and methods, within the API only after authentication', async () => {
    const { statusCode: outside } = await request(`${atlas.url}/api/private/groups`);
    expect(outside).toBe(404);
    const { statusCode: unauthenticated } = await request(`${atlas.url}/api/atlas/v1.0/groups`);
    expect(unauthenticated).toBe(401);
    expect((await get('/api/atlas/v1.0/groups')).json.errorCode).toBe('RESOURCE_NOT_FOUND');

    const uri = jobPath(JOB);
    const nonce = await askForNonce(atlas.url + uri);
    const authorization = digestAuthorization({ ...KEY, nonce, uri, method: 'DELETE' });
    const { statusCode, headers } = await request(atlas.url + uri, { method: 'DELETE', headers: { authorization } });
    expect([statusCode, headers['allow']]).toEqual([405, 'GET']);
  });
});

describe('the rate limit', () => {
  test('is a token bucket per project that is refilled in whole', async () => {
    atlas.configure({ rateLimit: { capacity: 2, refill: 1, periodSeconds: 60 } });
    const other = { ...JOB, groupId: OTHER_ID, jobId: OTHER_ID };
    atlas.putJob(other, { kind: 'fixed', body: youngJob(other) });
    const remaining = async (job = JOB) => (await get(jobPath(job))).headers['ratelimit-remaining'];
    expect([await remaining(), await remaining()]).toEqual(['1', '0']);

    clock += 5000;
    const limited = await get(jobPath(JOB));
    expect(limited.status).toBe(429);
    expect(limited.headers).toMatchObject({ 'retry-after': '55', 'ratelimit-limit': '2', 'ratelimit-remaining': '0' });
    expect(limited.json).toMatchObject({
      errorCode: 'RATE_LIMITED_TOKEN_BUCKET',
      parameters: ['api/atlas/v1.0/groups', 55, 2, 1, 60],
      reason: 'Too Many Requests',
    });
    expect(await remaining(other)).toBe('1');

    clock += 55_000;
    expect(await remaining()).toBe('0');
    expect((await get(jobPath(JOB))).headers['retry-after']).toBe('60');
  });

  test('is off by default, without headers', async () => {
    const { headers } = await get(jobPath(JOB));
    expect(headers['ratelimit-limit']).toBeUndefined();
  });
});

describe('the counters', () => {
  test('tell kinds, jobs, statuses, schemes and refusals apart', async () => {
    await get(jobPath(JOB));
    await get(jobPath(JOB), { ...KEY, privateKey: 'wrong' });
    await request(`${atlas.url}/elsewhere`).then(({ body }) => body.dump());
    expect(atlas.requests.counts()).toEqual({
      total: 5,
      byKind: { job: 4, list: 0, token: 0, revoke: 0, other: 1 },
      byApi: { 'atlas/v1.0': 4, 'atlas/v2': 0, 'public/v1.0': 0 },
      byAuth: { none: 3, digest: 2, bearer: 0, basic: 0, other: 0 },
      byStatus: { 200: 1, 401: 3, 404: 1 },
      withoutStatus: 0,
      byRefusal: { 'wrong-response': 1 },
      byJobId: { [JOB.jobId]: 4 },
    });
    atlas.requests.reset();
    expect([atlas.requests.counts().total, atlas.requests.ofJob(JOB.jobId)]).toEqual([0, 0]);
  });

  test('wake up whoever waits for them', async () => {
    const twice = atlas.requests.until((counts) => counts.byStatus[200] === 2);
    await get(jobPath(JOB));
    await get(jobPath(JOB));
    await expect(twice).resolves.toBeUndefined();
    const never = atlas.requests.until(() => false);
    await Promise.all([expect(never).rejects.toThrow('stopped'), atlas.stop()]);
  });
});

describe('the server', () => {
  describe('with a certificate', () => {
    let secure: SecureAtlas;

    beforeEach(async () => {
      secure = await startSecureAtlas();
      secure.addApiKey(KEY);
      secure.putJob(JOB, { kind: 'fixed', body: PUBLISHED_EXAMPLE });
    });

    afterEach(() => secure.stop());

    const agent = (allowH2: boolean) => {
      const own = new Agent({ allowH2, connect: { ca: secure.ca } });
      return Object.assign(own, { [Symbol.asyncDispose]: () => own.destroy() });
    };

    test.each([
      ['http/1.1', ['http/1.1']],
      ['h2', ['http/1.1', 'h2']],
    ])('speaks %s with whoever offers %p', async (spoken, ALPNProtocols) => {
      const { port } = new URL(secure.url);
      const socket = connect({ port: Number(port), host: '127.0.0.1', ca: secure.ca, ALPNProtocols });
      await once(socket, 'secureConnect');
      expect(socket.alpnProtocol).toBe(spoken);
      socket.destroy();
    });

    test.each([true, false])('is as strict as without (HTTP/2: %p)', async (allowH2) => {
      await using dispatcher = agent(allowH2);
      expect(secure.url).toMatch(/^https:/);
      const { status, text } = await getWithKey(secure.url, jobPath(JOB), KEY, { dispatcher });
      expect([status, JSON.parse(text)]).toEqual([200, PUBLISHED_EXAMPLE]);
      const wrong = await getWithKey(secure.url, jobPath(JOB), { ...KEY, privateKey: 'wrong' }, { dispatcher });
      expect(wrong).toMatchObject({ status: 401, headers: { 'www-authenticate': expect.stringMatching(/^Digest /) } });
      expect(secure.requests.counts().byRefusal).toEqual({ 'wrong-response': 1 });
    });

    test.each(
      [true, false].flatMap((allowH2) =>
        [
          { kind: 'reset', phase: 'before-answer' } as const,
          { kind: 'reset', phase: 'mid-body' } as const,
          { kind: 'raw', bytes: 'no HTTP at all' } as const,
        ].map((fault) => [allowH2, fault] as const),
      ),
    )('breaks the connection (HTTP/2: %p, %j)', async (allowH2, fault) => {
      await using dispatcher = agent(allowH2);
      secure.faults.add({ times: 1, fault });
      await expect(getWithKey(secure.url, jobPath(JOB), KEY, { dispatcher })).rejects.toThrow();
      expect((await getWithKey(secure.url, jobPath(JOB), KEY, { dispatcher })).status).toBe(200);
    });

    test.each(
      [true, false].flatMap((allowH2) =>
        (['accept', 'headers', 'body'] as const).map((phase) => [allowH2, phase] as const),
      ),
    )('stalls until the client gives up (HTTP/2: %p, %s)', async (allowH2, phase) => {
      await using dispatcher = agent(allowH2);
      secure.faults.add({ times: 1, fault: { kind: 'stall', phase } });
      const client = new AbortController();
      const stalled = getWithKey(secure.url, jobPath(JOB), KEY, { dispatcher, signal: client.signal });
      await secure.requests.until(({ withoutStatus }) => withoutStatus === 1);
      client.abort();
      await expect(stalled).rejects.toThrow();
    });
  });

  test('fails to start on a port that is taken', async () => {
    const port = Number(new URL(atlas.url).port);
    await expect(startAtlasSimulator({ port })).rejects.toThrow('EADDRINUSE');
  });
});

describe('the recorded bodies', () => {
  test('of a sharded restore share a batch and nothing else', () => {
    const jobIds = ['6b77893b80eef5354c77ee01', '6b77893b80eef5354c77ee02', '6b77893b80eef5354c77ee03'] as const;
    const bodies = shardedBatch({ ...JOB, batchId: OTHER_ID, jobIds }, '2030-01-01T00:00:00Z').map(({ body }) => body);
    expect(new Set(bodies.map((body) => body['batchId'])).size).toBe(1);
    for (const member of ['id', 'clusterId']) expect(new Set(bodies.map((body) => body[member])).size).toBe(3);
    expect(bodies.map((body) => JSON.stringify(body['hashes']))).toEqual([
      expect.stringContaining('config-'),
      expect.stringContaining('-shard-0-'),
      expect.stringContaining('-shard-1-'),
    ]);
  });

  test('of an automated restore have neither url nor hashes', () => {
    const target = { groupId: OTHER_ID, clusterId: OTHER_ID, clusterName: 'Target' };
    const body = automatedRestoreInto(JOB, target);
    expect(body['hashes']).toBeUndefined();
    expect(body['delivery']).toEqual({
      methodName: 'HTTP',
      statusName: 'READY',
      targetClusterId: OTHER_ID,
      targetClusterName: 'Target',
      targetGroupId: OTHER_ID,
    });
  });

  test('of an ended download keep the job finished', () => {
    const body = endedDownload(JOB, 'MAX_DOWNLOADS_EXCEEDED', '2030-01-01T00:00:00Z');
    expect(body).toMatchObject({ statusName: 'FINISHED', delivery: { statusName: 'MAX_DOWNLOADS_EXCEEDED' } });
  });
});
