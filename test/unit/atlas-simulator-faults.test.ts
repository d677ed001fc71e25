import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Agent } from 'undici';
import type { ApiKey } from '../support/atlas-simulator/credentials.ts';
import {
  deeplyNested,
  deprecated,
  failing,
  invalidUtf8,
  manyHashes,
  oversized,
  rateLimited,
  truncatedJson,
  wrongContentLength,
} from '../support/atlas-simulator/fault-samples.ts';
import { type Fault, replyWithFault } from '../support/atlas-simulator/faults.ts';
import { PUBLISHED_EXAMPLE, PUBLISHED_EXAMPLE_JOB, youngJob } from '../support/atlas-simulator/recorded-bodies.ts';
import { get, getWithKey, jobPath, postForm } from '../support/atlas-simulator/reference-client.ts';
import { type AtlasSimulator, startAtlasSimulator } from '../support/atlas-simulator/simulator.ts';
import { eventually } from '../support/eventually.ts';

const JOB = PUBLISHED_EXAMPLE_JOB;
const OTHER_JOB = { ...JOB, jobId: '6b77893b80eef5354c77ee99' };
const KEY: ApiKey = { publicKey: 'publickey', privateKey: 'private-key' };

let atlas: AtlasSimulator;
let dispatcher: Agent;

beforeEach(async () => {
  dispatcher = new Agent();
  atlas = await startAtlasSimulator();
  atlas.addApiKey(KEY);
  atlas.putJob(JOB, { kind: 'fixed', body: PUBLISHED_EXAMPLE });
  atlas.putJob(OTHER_JOB, { kind: 'fixed', body: youngJob(OTHER_JOB) });
});

afterEach(async () => {
  await dispatcher.destroy();
  await atlas.stop();
});

function ask(job = JOB, query = '') {
  return getWithKey(atlas.url, jobPath(job, query), KEY, { dispatcher });
}

// One request, no credentials: what a fault before authentication does to it.
function askOnce(signal?: AbortSignal) {
  return get(atlas.url + jobPath(JOB), undefined, signal === undefined ? { dispatcher } : { dispatcher, signal });
}

describe('a fault', () => {
  test('strikes as often as it was told, then never again', async () => {
    const handle = atlas.faults.add({ times: 2, fault: { kind: 'status', status: 500 } });
    const statuses: number[] = [];
    for (let count = 0; count < 3; count += 1) statuses.push((await askOnce()).status);
    expect(statuses).toEqual([500, 500, 401]);
    expect(handle.hits()).toBe(2);
    atlas.faults.add({ times: 0, fault: { kind: 'status', status: 500 } });
    expect((await askOnce()).status).toBe(401);
  });

  test('strikes until it is removed, or all are cleared', async () => {
    const first = atlas.faults.add({ fault: { kind: 'status', status: 500 } });
    atlas.faults.add({ fault: { kind: 'status', status: 502 } });
    expect((await askOnce()).status).toBe(500);
    first.remove();
    expect((await askOnce()).status).toBe(502);
    atlas.faults.clear();
    expect((await askOnce()).status).toBe(401);
  });

  test('strikes only what it is meant for', async () => {
    const fault: Fault = { kind: 'status', status: 418 };
    const struckBy = async (match: object) => {
      const handle = atlas.faults.add({ match, fault });
      await Promise.allSettled([ask(JOB), ask(OTHER_JOB)]);
      await postForm(`${atlas.url}/api/oauth/token`, { id: 'client', secret: 's' }, {});
      atlas.faults.clear();
      return handle.hits();
    };
    // A request for a nonce, and one with an answer to the challenge unless the first one was struck.
    expect(await struckBy({ jobId: JOB.jobId })).toBe(1);
    expect(await struckBy({ groupId: JOB.groupId })).toBe(2);
    expect(await struckBy({ groupId: JOB.groupId, jobId: 'none' })).toBe(0);
    expect(await struckBy({ publicKey: KEY.publicKey })).toBe(2);
    expect(await struckBy({ publicKey: 'other' })).toBe(0);
    expect(await struckBy({ kind: 'token' })).toBe(1);
    expect(await struckBy({ clientId: 'client' })).toBe(1);
    expect(await struckBy({ kind: 'revoke' })).toBe(0);
  });

  test('after authentication leaves the challenge alone, and wears the envelope', async () => {
    atlas.faults.add({ when: 'after-auth', fault: failing(503, 'UNEXPECTED_ERROR') });
    expect((await askOnce()).status).toBe(401);
    expect((await ask()).status).toBe(503);
    const wrapped = await ask(JOB, '?envelope=true');
    expect(wrapped.status).toBe(200);
    expect(JSON.parse(wrapped.text)).toMatchObject({ status: 503, content: { errorCode: 'UNEXPECTED_ERROR' } });
  });
});

describe('kinds', () => {
  test('status: with headers and the recorded body', async () => {
    atlas.faults.add({ fault: rateLimited('Wed, 21 Oct 2030 07:28:00 GMT') });
    const { status, headers, text } = await askOnce();
    expect(status).toBe(429);
    expect(headers).toMatchObject({ 'retry-after': 'Wed, 21 Oct 2030 07:28:00 GMT', 'ratelimit-remaining': '0' });
    expect(JSON.parse(text).parameters).toEqual(['api/atlas/v1.0/groups', 55, 10, 5, 60]);
  });

  test('html', async () => {
    atlas.faults.add({ fault: { kind: 'html' } });
    const { status, headers, text } = await askOnce();
    expect([status, headers['content-type']]).toEqual([503, 'text/html']);
    expect(text).toMatch(/^<html>/);
  });

  test('redirect', async () => {
    atlas.faults.add({ fault: { kind: 'redirect', location: 'http://elsewhere.example/' } });
    const { status, headers } = await askOnce();
    expect([status, headers['location']]).toEqual([302, 'http://elsewhere.example/']);
  });

  test.each([
    ['before-answer', { code: 'ECONNRESET' }],
    ['mid-body', { code: 'UND_ERR_SOCKET' }],
  ] as const)('reset: %s', async (phase, error) => {
    atlas.faults.add({ times: 1, fault: { kind: 'reset', phase } });
    await expect(askOnce()).rejects.toMatchObject(error);
    expect((await askOnce()).status).toBe(401);
    expect(atlas.requests.counts().withoutStatus).toBe(1);
  });

  test.each(['accept', 'headers', 'body'] as const)('stall: %s, until the client gives up', async (phase) => {
    atlas.faults.add({ times: 1, fault: { kind: 'stall', phase } });
    const patience = new AbortController();
    const answer = askOnce(patience.signal);
    await atlas.requests.until((counts) => counts.withoutStatus === 1);
    patience.abort();
    await expect(answer).rejects.toMatchObject({ name: 'AbortError' });
    expect((await askOnce()).status).toBe(401);
  });

  test.each([
    ['accept', /^$/],
    ['headers', /^HTTP\/1\.1 200 OK\r\nContent-Type: applica$/],
    ['body', /^HTTP\/1\.1 200 OK\r\n[\s\S]*Content-Length: \d+\r\n[\s\S]*\r\n\r\n\{"clusterName[^}]*$/],
  ] as const)('stall: %s sends so much and no more, until the simulator stops', async (phase, expected) => {
    atlas.faults.add({ fault: { kind: 'stall', phase } });
    const { hostname, port } = new URL(atlas.url);
    const socket = connect(Number(port), hostname);
    let received = '';
    const closed = once(socket, 'close');
    const enough = new Promise<void>((resolve) => {
      socket.on('data', (bytes) => {
        received += bytes.toString();
        if (expected.test(received)) resolve();
      });
      if (expected.test(received)) resolve();
    });
    socket.write(`GET ${jobPath(JOB)} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
    await Promise.all([enough, atlas.requests.until((counts) => counts.withoutStatus === 1)]);
    await atlas.stop();
    await closed;
    expect(received).toMatch(expected);
  });

  test('delay: the usual answer, later; a stop does not wait for it', async () => {
    const handle = atlas.faults.add({ times: 1, fault: { kind: 'delay', ms: 1 } });
    expect((await ask()).status).toBe(200);
    expect(handle.hits()).toBe(1);
    atlas.faults.add({ fault: { kind: 'delay', ms: 3_600_000 } });
    const answer = expect(askOnce()).rejects.toThrow();
    await atlas.requests.until((counts) => counts.total === 3);
    await atlas.stop();
    await answer;
    const usual = () => Promise.reject(new Error('answered after the stop'));
    const late = replyWithFault({ kind: 'delay', ms: 3_600_000 }, usual, { stopped: AbortSignal.abort() });
    await expect(late).rejects.toMatchObject({ name: 'AbortError' });
  });

  test('held: the usual answer as it was when the request came; a stop does not wait for it', async () => {
    const { promise: until, resolve: release } = Promise.withResolvers<void>();
    const handle = atlas.faults.add({ times: 1, when: 'after-auth', fault: { kind: 'held', until } });
    const answer = ask();
    await eventually('the request has come', () => expect(handle.hits()).toBe(1));
    atlas.setBody(JOB.jobId, youngJob(JOB));
    release();
    expect(JSON.parse((await answer).text)).toEqual(PUBLISHED_EXAMPLE);
    atlas.faults.add({ fault: { kind: 'held', until: new Promise(() => {}) } });
    const cut = expect(askOnce()).rejects.toThrow();
    await atlas.requests.until((counts) => counts.total === 3);
    await atlas.stop();
    await cut;
  });

  test('transform: the usual answer, changed', async () => {
    atlas.faults.add({ when: 'after-auth', fault: deprecated('@1577836800', 'Tue, 01 Jan 2030 00:00:00 GMT') });
    const { status, headers, text } = await ask();
    expect(headers).toMatchObject({ deprecation: '@1577836800', sunset: 'Tue, 01 Jan 2030 00:00:00 GMT' });
    expect([status, JSON.parse(text)]).toEqual([200, PUBLISHED_EXAMPLE]);
  });

  test('body: truncated, not UTF-8, too big, too deep, too many', async () => {
    const served = async (fault: Fault) => {
      atlas.faults.add({ times: 1, fault });
      const { status, text } = await askOnce();
      expect(status).toBe(200);
      return text;
    };
    const truncated = await served(truncatedJson(PUBLISHED_EXAMPLE));
    expect(() => JSON.parse(truncated)).toThrow(SyntaxError);
    expect(await served(invalidUtf8())).toContain('\uFFFD');
    expect((await served(oversized(PUBLISHED_EXAMPLE))).length).toBeGreaterThan(5_000_000);
    expect(await served(deeplyNested(PUBLISHED_EXAMPLE))).toContain('[[[[[[[[');
    expect(JSON.parse(await served(manyHashes(PUBLISHED_EXAMPLE))).hashes).toHaveLength(10_000);
  });

  test('raw: a Content-Length that promises more than is sent', async () => {
    atlas.faults.add({ times: 1, fault: wrongContentLength(PUBLISHED_EXAMPLE, 10) });
    await expect(askOnce()).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' });
    atlas.faults.add({ times: 1, fault: { kind: 'raw', bytes: 'no HTTP at all\r\n\r\n' } });
    await expect(askOnce()).rejects.toMatchObject({ name: 'HTTPParserError' });
    expect((await askOnce()).status).toBe(401);
  });
});

test('the token endpoint fails as scripted', async () => {
  atlas.addServiceAccount({ clientId: 'client', clientSecret: 'secret' });
  atlas.faults.add({ match: { kind: 'token' }, when: 'after-auth', times: 1, fault: { kind: 'html', status: 502 } });
  const token = (secret: string) =>
    postForm(`${atlas.url}/api/oauth/token`, { id: 'client', secret }, { grant_type: 'client_credentials' });
  expect((await token('wrong')).status).toBe(401);
  expect((await token('secret')).status).toBe(502);
  expect((await token('secret')).status).toBe(200);
});
