import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { errorFromNetwork, errorFromStatus, hasStatus, KubeError } from '../../../src/kube/errors.ts';

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
    ['a header that is a date', 'Tue, 01 Jan 2030 00:01:30 GMT', {}, 90_000],
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
