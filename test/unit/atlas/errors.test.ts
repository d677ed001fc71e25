import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { REASONS } from '../../../src/api/reasons.ts';
import { AtlasError, ERROR_CODES, errorFromAnswer, invalidResponse, unavailable } from '../../../src/atlas/errors.ts';

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const LONGEST_REMEDY = Math.max(...Object.values(REASONS).map(({ remedy }) => remedy.length));
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 2_000 }),
  fc.string({ unit: fc.constantFrom('\n', '\r', '\u0000', '\u001b', '\u202e', '\u2028', '\ud800', 'é', '😀', ' ') }),
  fc.constantFrom('x'.repeat(100_000), '\n'.repeat(100_000), '😀'.repeat(50_000)),
);

describe('the message', () => {
  test('says what Atlas answered, its code, its words, and what to do', () => {
    const error = errorFromAnswer({
      httpStatus: 404,
      errorCode: 'CLUSTER_NOT_FOUND',
      detail: 'No cluster named cluster-607 exists in group 6a79.',
      retryAfterMs: undefined,
    });
    expect(error.message).toBe(
      'Atlas answered 404 CLUSTER_NOT_FOUND (No cluster named cluster-607 exists in group 6a79.). ' +
        REASONS.ClusterNotFound.remedy,
    );
    expect([error.name, error instanceof AtlasError, error instanceof Error]).toEqual(['AtlasError', true, true]);
  });

  test.each(ERROR_CODES.map((entry) => [entry.errorCode, entry] as const))(
    'says what to do about %s',
    (errorCode, { httpStatus, kind, reason, remedy }) => {
      const error = errorFromAnswer({ httpStatus, errorCode, detail: undefined, retryAfterMs: undefined });
      expect(error).toMatchObject({ errorCode, httpStatus, kind, reason });
      expect(error.message).toBe(`Atlas answered ${httpStatus} ${errorCode}. ${remedy ?? REASONS[reason].remedy}`);
      expect(error.message).toMatch(/\. [A-Z].{10,}\.$/);
    },
  );

  test('has no gaps where Atlas said nothing', () => {
    const error = errorFromAnswer({ httpStatus: 503, errorCode: undefined, detail: '', retryAfterMs: 5 });
    expect(error.message).toBe(`Atlas answered 503. ${REASONS.AtlasUnavailable.remedy}`);
    expect(error).toMatchObject({ errorCode: undefined, httpStatus: 503, retryAfterMs: 5 });
  });

  test('is one bounded line of printable text, whatever Atlas writes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 100, max: 599 }),
        fc.option(anyText, { nil: undefined }),
        fc.option(anyText, { nil: undefined }),
        (httpStatus, errorCode, detail) => {
          const error = errorFromAnswer({ httpStatus, errorCode, detail, retryAfterMs: undefined });
          expect(error.message).not.toMatch(UNPRINTABLE);
          expect(error.message.isWellFormed()).toBe(true);
          expect(error.message.length).toBeLessThan(LONGEST_REMEDY + 500);
          expect(error.message).toContain(String(httpStatus));
          expect(error.message).toContain(REASONS[error.reason].remedy);
          // The code is a key of comparisons: one word, or nothing.
          expect(error.errorCode ?? 'none').toMatch(/^\w{1,64}$/);
          if (error.errorCode !== undefined) expect(error.message).toContain(` ${error.errorCode}`);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('is the same for the same answer: it is compared', () => {
    const answer = { httpStatus: 429, errorCode: 'RATE_LIMITED', detail: 'Wait.' };
    const [one, other] = [5_000, 6_000].map((retryAfterMs) => errorFromAnswer({ ...answer, retryAfterMs }).message);
    expect(one).toBe(other);
  });
});

test.each([
  ['a bad answer', invalidResponse('Atlas answered 204 instead of 200', { httpStatus: 204 }), 'InvalidResponse', 204],
  ['no answer', unavailable('Atlas cannot be reached (ECONNREFUSED)'), 'AtlasUnavailable', undefined],
] as const)('%s is transient and says what to do', (_, error, reason, httpStatus) => {
  expect(error).toMatchObject({ kind: 'transient', reason, httpStatus, errorCode: undefined, retryAfterMs: undefined });
  expect(error.message).toMatch(/^Atlas .*\. \S/);
  expect(error.message).toContain(REASONS[reason].remedy);
});

test('the cause is kept for logs and stays out of the message', () => {
  const cause = new Error('http://user:password@proxy');
  const error = unavailable('Atlas cannot be reached', cause);
  expect(error.cause).toBe(cause);
  expect(error.message).not.toContain('password');
});
