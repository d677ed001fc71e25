import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LIMITS } from '../../../src/download/limits.ts';
import { backoff, nextStep, type Tries } from '../../../src/download/next-step.ts';
import type { TryEnd } from '../../../src/download/transfer.ts';

const NONE: Tries = { fruitless: 0, furthest: 0 };
const BROKEN: TryEnd = { kind: 'broken', what: 'it broke', waitMs: undefined };
const step = (end: TryEnd, size: number, before: Tries = NONE) => nextStep(end, size, before, LIMITS, 1);

test.each<[string, TryEnd, object]>([
  ['complete', { kind: 'complete' }, { kind: 'done' }],
  ['refused', { kind: 'refused', what: '' }, { kind: 'giveUp' }],
  ['denied', { kind: 'denied', what: '' }, { kind: 'look' }],
  ['broken', BROKEN, { kind: 'again', restart: false }],
  ['not resumable', { kind: 'notResumable', what: '' }, { kind: 'again', restart: true }],
])('a try that is %s', (_what, end, expected) => {
  expect(step(end, 0)).toMatchObject(expected);
});

test('bytes that were there before are no progress', () => {
  expect(step(BROKEN, 100, { fruitless: 3, furthest: 99 })).toMatchObject({ tries: { fruitless: 0, furthest: 100 } });
  expect(step(BROKEN, 50, { fruitless: 3, furthest: 99 })).toMatchObject({ tries: { fruitless: 4, furthest: 99 } });
});

test('ten tries in a row without a new byte are the most', () => {
  expect(step(BROKEN, 0, { fruitless: 9, furthest: 0 }).kind).toBe('again');
  expect(step(BROKEN, 0, { fruitless: 10, furthest: 0 }).kind).toBe('giveUp');
  // A job that gives a new link each time, none of which opens the file.
  expect(step({ kind: 'denied', what: '' }, 0, { fruitless: 10, furthest: 0 }).kind).toBe('giveUp');
});

test('waits as long as the host asks, but for an hour at most', () => {
  expect(step({ ...BROKEN, waitMs: 90_000 }, 0)).toMatchObject({ afterMs: 90_000 });
  expect(step({ ...BROKEN, waitMs: 86_400_000 }, 0)).toMatchObject({ afterMs: 3_600_000 });
  expect(step({ ...BROKEN, waitMs: 1 }, 1)).toMatchObject({ afterMs: 1_000 });
});

test('any sequence of tries ends, or brings new bytes', () => {
  const ends = fc.array(
    fc.tuple(
      fc.constantFrom<TryEnd>(BROKEN, { kind: 'notResumable', what: '' }, { kind: 'denied', what: '' }),
      fc.nat(5),
    ),
    { minLength: 100, maxLength: 200 },
  );
  fc.assert(
    fc.property(ends, (tried) => {
      let tries = NONE;
      let count = 0;
      for (const [end, size] of tried) {
        count += 1;
        const next = step(end, size, tries);
        if (next.kind !== 'again' && next.kind !== 'look') break;
        tries = next.tries;
      }
      // Five times a new byte, and each time ten tries without one.
      expect(count).toBeLessThanOrEqual(5 * 11 + 11);
    }),
  );
});

test('the back-off doubles up to a minute, with half of it by chance', () => {
  expect([0, 1, 2, 6, 60].map((count) => backoff(count, LIMITS, 1))).toEqual([1_000, 2_000, 4_000, 60_000, 60_000]);
  expect(backoff(1, LIMITS, 0)).toBe(1_000);
});
