import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AtlasError, errorFromResponse } from '../../../src/atlas/errors.ts';

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 2_000 }),
  fc.string({ unit: fc.constantFrom('\n', '\r', '\u0000', '\u001b', '\u202e', '\u2028', '\ud800', 'é', '😀', ' ') }),
  fc.constantFrom('x'.repeat(100_000), '\n'.repeat(100_000), '😀'.repeat(50_000)),
);

describe('the error of a response', () => {
  test.each([
    [400, 'ATLAS_REFUSED', 'refused'],
    [401, 'ATLAS_REFUSED', 'refused'],
    [404, 'ATLAS_REFUSED', 'refused'],
    [408, 'ATLAS_SERVER_ERROR', 'unavailable'],
    [425, 'ATLAS_SERVER_ERROR', 'unavailable'],
    [429, 'ATLAS_RATE_LIMITED', 'rateLimited'],
    [500, 'ATLAS_SERVER_ERROR', 'unavailable'],
    [599, 'ATLAS_SERVER_ERROR', 'unavailable'],
    [302, 'ATLAS_UNEXPECTED_STATUS', 'invalidResponse'],
  ])('%s: %s', (httpStatus, code, kind) => {
    expect(errorFromResponse(httpStatus, undefined, 5)).toMatchObject({ code, kind, httpStatus, retryAfterMs: 5 });
  });

  test('says what Atlas answered, without a remedy and without what changes from try to try', () => {
    const apiError = { error: 404, errorCode: 'CLUSTER_NOT_FOUND', detail: 'No cluster named cluster-607 exists.' };
    const error = errorFromResponse(404, apiError, undefined);
    expect(error.message).toBe('Atlas answered 404 CLUSTER_NOT_FOUND');
    expect(error.apiError).toBe(apiError);
    expect([error.name, error instanceof AtlasError, error instanceof Error]).toEqual(['AtlasError', true, true]);
    expect(errorFromResponse(503, undefined, undefined).message).toBe('Atlas answered 503');
  });

  test('is one bounded line of printable text, whatever Atlas writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 599 }), anyText, anyText, (httpStatus, errorCode, detail) => {
        const { message } = errorFromResponse(httpStatus, { error: httpStatus, errorCode, detail }, undefined);
        expect(message).not.toMatch(UNPRINTABLE);
        expect(message.isWellFormed()).toBe(true);
        expect(message.length).toBeLessThan(100);
      }),
      { numRuns: 500 },
    );
  });
});

test('the cause is kept and stays out of the message', () => {
  const cause = new Error('http://user:password@proxy');
  const error = new AtlasError('ATLAS_UNREACHABLE', 'Atlas cannot be reached', { cause });
  expect(error.cause).toBe(cause);
  expect(error.message).not.toContain('password');
});
