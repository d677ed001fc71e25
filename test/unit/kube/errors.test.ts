import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { errorFromContent, errorFromNetwork, errorFromStatus, hasStatus, KubeError } from '../../../src/kube/errors.ts';

afterEach(() => {
  jest.restoreAllMocks();
});

describe('an answer that is an error', () => {
  test('tells the request, the status and the words of the API server', () => {
    const body = { kind: 'Status', message: 'secrets "x" is forbidden', reason: 'Forbidden', code: 403 };
    const error = errorFromStatus('GET /api/v1/x', 403, body);
    expect(error.message).toBe('GET /api/v1/x: the API server answered 403: secrets "x" is forbidden');
    expect(error).toMatchObject({ name: 'KubeError', status: 403, reason: 'Forbidden', retryAfterMs: undefined });
  });

  test.each([
    ['a sentence', { message: 'secrets "x" is forbidden' }, 'secrets "x" is forbidden'],
    ['nothing', {}, ''],
    ['no Status object', 'Bad gateway', ''],
    ['several lines', { message: 'a\r\n\u001b[31mb\n' }, 'a [31mb'],
    ['a long text', { message: 'x'.repeat(5_000) }, `${'x'.repeat(1_023)}…`],
  ])('has the sentence of the API server by itself, as one bounded line: %s', (_name, body, expected) => {
    expect(errorFromStatus('GET /api/v1/x', 403, body).statusMessage).toBe(expected);
  });

  test('in a stream has its status in the object alone', () => {
    expect(errorFromStatus('WATCH /x', 0, { code: 410, reason: 'Expired' })).toMatchObject({
      status: 410,
      reason: 'Expired',
    });
    expect(errorFromStatus('WATCH /x', 0, 'what is that').status).toBe(0);
  });

  test.each<[string, string | undefined, unknown, number | undefined]>([
    ['the header', '7', {}, 7_000],
    ['the body', undefined, { details: { retryAfterSeconds: 3 } }, 3_000],
    ['the header before the body', '7', { details: { retryAfterSeconds: 3 } }, 7_000],
    ['a header that is a date', 'Tue, 01 Jan 2030 00:00:30 GMT', {}, 30_000],
    ['a minute at most, when a day is asked for', '86400', {}, 60_000],
    ['a minute at most, when no timer takes so much', '99999999999', {}, 60_000],
    ['a minute at most, also in the body', undefined, { details: { retryAfterSeconds: 1e300 } }, 60_000],
    ['a minute at most, until a date', 'Wed, 02 Jan 2030 00:00:00 GMT', {}, 60_000],
    ['a second at least', '0.001', {}, 1_000],
    ['nothing when the body says 0', undefined, { details: { retryAfterSeconds: 0 } }, undefined],
    ['nothing when the body says less', undefined, { details: { retryAfterSeconds: -3 } }, undefined],
    ['nothing when the header says less', '-3', {}, undefined],
    ['the body when the header says 0', '0', { details: { retryAfterSeconds: 3 } }, 3_000],
    ['nothing when the date has passed', 'Wed, 21 Oct 2015 07:28:00 GMT', {}, undefined],
    ['nothing when the header says 0', '0', {}, undefined],
    ['the body when the header is unreadable', 'soon', { details: { retryAfterSeconds: 3 } }, 3_000],
    ['a body that is odd', undefined, { details: { retryAfterSeconds: 'soon' } }, undefined],
    ['nothing', undefined, undefined, undefined],
  ])('how long to wait stands in %s', (_name, header, body, expected) => {
    jest.spyOn(Date, 'now').mockReturnValue(Date.parse('2030-01-01T00:00:00Z'));
    expect(errorFromStatus('GET /x', 429, body, { 'retry-after': header }).retryAfterMs).toBe(expected);
  });
});

test('what others wrote is one bounded, printable line wherever it goes', () => {
  const text = `a\r\n\u001b[31m\u202e${'x'.repeat(100_000)}`;
  const error = errorFromStatus('PATCH /x', 422, { message: text, reason: text });
  for (const [said, length] of [
    [error.message, 2_048],
    [error.statusMessage, 1_024],
    [error.reason, 128],
    [errorFromNetwork('GET /x', new Error(text)).message, 2_048],
  ] as const) {
    expect(said.length).toBeLessThanOrEqual(length);
    expect(said).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  }
});

test('a wait that is none is none, whoever makes the error', () => {
  const waits = [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 5_000];
  const bounded = waits.map((retryAfterMs) => new KubeError('x', { status: 429, retryAfterMs }).retryAfterMs);
  expect(bounded).toEqual([undefined, undefined, undefined, 60_000, 5_000]);
});

test('a success with the wrong content tells what is missing', () => {
  const error = errorFromContent('GET /x', 302, 'a Lease');
  expect(error.message).toBe(
    "GET /x: the API server's response is not a Lease (a gateway or proxy may answer in its place)",
  );
  expect(error).toMatchObject({ status: 302, reason: 'InvalidResponse', statusMessage: '' });
});

test.each([
  [Object.assign(new Error('connect ECONNREFUSED 10.0.0.1:443'), { code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
  [new Error('other side closed'), 'other side closed'],
  ['no error at all', 'unknown error'],
])('no answer: %s', (cause, words) => {
  const error = errorFromNetwork('GET /x', cause);
  expect(error.message).toBe(`GET /x: the API server cannot be reached (${words})`);
  expect(error).toMatchObject({ status: 0, cause });
});

test('a status is asked for by its number', () => {
  const error = new KubeError('x', { status: 404 });
  expect([hasStatus(error, 404), hasStatus(error, 400, 404), hasStatus(error, 400), hasStatus(error)]).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(hasStatus(Object.assign(new Error('x'), { status: 404 }), 404)).toBe(false);
});
