import { createServer } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type HttpRequest, MAX_BODY_BYTES } from '../../../src/atlas/http.ts';
import { atlasErrorOf, testSend } from '../../support/atlas-client.ts';
import { invalidUtf8, truncatedJson, wrongContentLength } from '../../support/atlas-simulator/fault-samples.ts';
import type { Fault } from '../../support/atlas-simulator/faults.ts';
import { PUBLISHED_EXAMPLE, PUBLISHED_EXAMPLE_JOB } from '../../support/atlas-simulator/recorded-bodies.ts';
import { jobPath } from '../../support/atlas-simulator/reference-client.ts';
import { type AtlasSimulator, startAtlasSimulator } from '../../support/atlas-simulator/simulator.ts';
import { startRecordingServer } from '../../support/recording-server.ts';

let atlas: AtlasSimulator;

beforeEach(async () => {
  atlas = await startAtlasSimulator();
});

afterEach(() => atlas.stop());

const get = (url: string): HttpRequest => ({ method: 'GET', url, headers: {} });
const jobRequest = (): HttpRequest => get(atlas.url + jobPath(PUBLISHED_EXAMPLE_JOB));
const once = (fault: Fault) => void atlas.faults.add({ times: 1, fault });

describe('an exchange', () => {
  test('sends method, target, headers and body, and gives back what came', async () => {
    await using server = await startRecordingServer(() => ({
      status: 418,
      headers: { 'x-one': '1', 'x-two': ['a', 'b'] },
      body: 'Jäsøn 😀',
    }));
    await using http = testSend({ userAgent: 'name/1 (os;arch)' });
    const url = `${server.url}/path?a=b%2Fc`;
    const answer = await http.send({ method: 'POST', url, headers: { authorization: 'Basic x' }, body: 'a=b' });
    expect(answer).toMatchObject({ status: 418, headers: { 'x-one': '1', 'x-two': ['a', 'b'] }, body: 'Jäsøn 😀' });
    expect(server.requests).toMatchObject([
      {
        method: 'POST',
        target: '/path?a=b%2Fc',
        body: 'a=b',
        headers: { 'user-agent': 'name/1 (os;arch)', accept: 'application/json', authorization: 'Basic x' },
      },
    ]);
  });

  test.each([301, 302, 303, 307, 308] as const)('does not follow %p: credentials go nowhere else', async (status) => {
    await using elsewhere = await startRecordingServer(() => ({ status: 200 }));
    await using http = testSend();
    once({ kind: 'redirect', status, location: `${elsewhere.url}/` });
    const answer = await http.send({ ...jobRequest(), headers: { authorization: 'Bearer x' } });
    expect(answer).toMatchObject({ status, headers: { location: `${elsewhere.url}/` } });
    expect(elsewhere.requests).toEqual([]);
  });

  test('leaves JSON that ends in the middle to its reader', async () => {
    await using http = testSend();
    once(truncatedJson(PUBLISHED_EXAMPLE));
    const { status, body } = await http.send(jobRequest());
    expect(status).toBe(200);
    expect(() => JSON.parse(body)).toThrow(SyntaxError);
  });
});

describe('a body', () => {
  test('may have this size and not a byte more', async () => {
    await using http = testSend();
    once({ kind: 'body', body: 'x'.repeat(MAX_BODY_BYTES) });
    expect((await http.send(jobRequest())).body).toHaveLength(MAX_BODY_BYTES);
    once({ kind: 'body', body: 'x'.repeat(MAX_BODY_BYTES + 1) });
    const error = await atlasErrorOf(http.send(jobRequest()));
    expect(error).toMatchObject({ kind: 'invalidResponse', reason: 'InvalidResponse' });
    expect(error.message).toContain('8 MiB');
    expect((await http.send(jobRequest())).status).toBe(401);
  });

  test('is cut off without its length having been told', async () => {
    await using http = testSend();
    const head = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n';
    once({ kind: 'raw', bytes: head + 'x'.repeat(MAX_BODY_BYTES + 1) });
    expect(await atlasErrorOf(http.send(jobRequest()))).toMatchObject({ reason: 'InvalidResponse' });
  });

  test('must be UTF-8', async () => {
    await using http = testSend();
    once(invalidUtf8());
    const error = await atlasErrorOf(http.send(jobRequest()));
    expect(error).toMatchObject({ kind: 'invalidResponse', reason: 'InvalidResponse' });
    expect(error.message).toContain('UTF-8');
  });

  /** A body in Latin-1, as old gateways write it. */
  const LATIN_1 = Buffer.from('\u00e9', 'latin1');

  test.each([
    ['gzip', 'gzip'],
    ['GZIP , br', 'gzip, br'],
    [`\u001b${'x'.repeat(500)}`, `${'x'.repeat(63)}…`],
  ])('in an encoding that nobody asked for: %p', async (encoding, named) => {
    await using server = await startRecordingServer(() => ({
      status: 200,
      headers: { 'content-encoding': encoding.replace('\u001b', '\u009b') },
      body: gzipSync('{}').toString('latin1'),
    }));
    await using http = testSend();
    const error = await atlasErrorOf(http.send(get(server.url)));
    expect(error).toMatchObject({ code: 'ATLAS_RESPONSE_ENCODED', reason: 'InvalidResponse', httpStatus: 200 });
    expect(error.message).toBe(`Atlas's response has the content encoding ${named}, which was not asked for`);
    expect(server.requests[0]?.headers).toMatchObject({ 'accept-encoding': 'identity' });
  });

  test('in the encoding identity is as it is', async () => {
    await using server = await startRecordingServer(() => ({
      status: 200,
      headers: { 'content-encoding': 'identity' },
      body: '{}',
    }));
    await using http = testSend();
    expect(await http.send(get(server.url))).toMatchObject({ status: 200, body: '{}' });
  });

  test.each([
    ['is encoded', { 'Content-Encoding': 'gzip' }, gzipSync('{}'), ''],
    ['is no UTF-8', {}, LATIN_1, '\ufffd'],
  ])('that %s takes nothing from a status that says enough by itself', async (_, headers, body, read) => {
    await using http = testSend();
    once({ kind: 'transform', transform: () => ({ status: 429, headers: { ...headers, 'Retry-After': '5' }, body }) });
    expect(await http.send(jobRequest())).toMatchObject({ status: 429, headers: { 'retry-after': '5' }, body: read });
  });

  test('may come in pieces that divide a character', async () => {
    await using http = testSend();
    const bytes = Buffer.from('😀');
    const chunk = (part: Buffer) => [Buffer.from(`${part.length}\r\n`), part, Buffer.from('\r\n')];
    const head = Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    const chunks = [...chunk(bytes.subarray(0, 1)), ...chunk(bytes.subarray(1)), Buffer.from('0\r\n\r\n')];
    once({ kind: 'raw', bytes: Buffer.concat([head, ...chunks]) });
    expect((await http.send(jobRequest())).body).toBe('😀');
  });
});

describe('the deadline', () => {
  test.each(['accept', 'headers', 'body'] as const)('ends an exchange that stalls: %s', async (phase) => {
    await using patient = testSend();
    await using http = testSend({ timeoutMs: 150, dispatcher: patient.dispatcher });
    // The other request is for another job: on a busy machine the deadline can pass before the first one has arrived.
    const other = { ...PUBLISHED_EXAMPLE_JOB, jobId: 'a'.repeat(24) };
    atlas.faults.add({ match: { jobId: PUBLISHED_EXAMPLE_JOB.jobId }, fault: { kind: 'stall', phase } });
    const error = await atlasErrorOf(http.send(jobRequest()));
    expect(error).toMatchObject({ kind: 'unavailable', reason: 'AtlasUnavailable', httpStatus: undefined });
    expect(error.message).toBe('Atlas did not answer within 0.15s');
    // The connection that stalled is not used again.
    expect((await patient.send(get(atlas.url + jobPath(other)))).status).toBe(401);
  });

  test('is one for the whole exchange, not one for each piece', async () => {
    await using http = testSend({ timeoutMs: 150 });
    // A server that is never silent for long and never done.
    const dripping = createServer((_, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json' });
      const timer = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(timer));
    });
    await new Promise<void>((resolve) => void dripping.listen(0, '127.0.0.1', resolve));
    const address = dripping.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    try {
      expect(await atlasErrorOf(http.send(get(`http://127.0.0.1:${port}/`)))).toMatchObject({
        reason: 'AtlasUnavailable',
      });
    } finally {
      dripping.closeAllConnections();
      dripping.close();
    }
  });
});

describe('a connection', () => {
  test.each([
    ['that is reset before the answer', { kind: 'reset', phase: 'before-answer' }, ' (ECONNRESET)'],
    ['that is reset in the middle of the body', { kind: 'reset', phase: 'mid-body' }, ' (UND_ERR_SOCKET)'],
    ['that ends before the promised length', wrongContentLength(PUBLISHED_EXAMPLE, 10), ' (UND_ERR_SOCKET)'],
    ['that speaks something else', { kind: 'raw', bytes: 'no HTTP at all\r\n\r\n' }, ''],
  ] as const)('%s', async (_, fault, code) => {
    await using http = testSend();
    once(fault);
    const error = await atlasErrorOf(http.send(jobRequest()));
    expect(error).toMatchObject({ kind: 'unavailable', reason: 'AtlasUnavailable', httpStatus: undefined });
    expect(error.message).toBe(`Atlas cannot be reached${code}`);
    expect((await http.send(jobRequest())).status).toBe(401);
  });

  test('that is refused, without naming the address', async () => {
    await using http = testSend();
    const request = jobRequest();
    await atlas.stop();
    const error = await atlasErrorOf(http.send(request));
    expect(error).toMatchObject({ kind: 'unavailable', reason: 'AtlasUnavailable' });
    expect(error.message).toContain('(ECONNREFUSED)');
    expect(error.message).not.toContain('127.0.0.1');
  });
});

describe("the caller's signal", () => {
  test.each(['accept', 'headers', 'body'] as const)('ends an exchange with its reason: %s', async (phase) => {
    const caller = new AbortController();
    await using http = testSend({ signal: caller.signal });
    once({ kind: 'stall', phase });
    const exchange = http.send(jobRequest());
    await atlas.requests.until((counts) => counts.withoutStatus === 1);
    const reason = new Error('the operator stops');
    caller.abort(reason);
    await expect(exchange).rejects.toBe(reason);
  });

  test('lets none begin once it is aborted', async () => {
    const reason = new Error('the operator stops');
    await using http = testSend({ signal: AbortSignal.abort(reason) });
    await expect(http.send(jobRequest())).rejects.toBe(reason);
    expect(atlas.requests.counts().total).toBe(0);
  });
});
