import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isWorthAnotherPage, mostFoundNothing, sparedFetches } from '../../../src/controller/list-costs.ts';

const MINUTE = 60_000;

describe('the fetches that a list spares', () => {
  test.each([
    ['as many as there are jobs, at one interval', [MINUTE, MINUTE, MINUTE], 3],
    ['fewer where a job is fetched less often', [MINUTE, 2 * MINUTE, 4 * MINUTE], 1.75],
    ['none without a job', [], 0],
  ])('are %s', (_, intervals, spared) => {
    expect(sparedFetches(intervals)).toBe(spared);
  });

  test('are never more than the jobs, never less than one, and more with each job', () => {
    const interval = fc.integer({ min: 10_000, max: 86_400_000 });
    fc.assert(
      fc.property(fc.array(interval, { minLength: 1 }), interval, (intervals, another) => {
        const spared = sparedFetches(intervals);
        expect(spared).toBeLessThanOrEqual(intervals.length);
        expect(spared).toBeGreaterThanOrEqual(1);
        if (another >= Math.min(...intervals)) expect(sparedFetches([...intervals, another])).toBeGreaterThan(spared);
      }),
    );
  });
});

describe('another page', () => {
  const base = { pages: 1, barrenPages: 0, unseen: 500, spared: 1_000 };
  test.each([
    ['is read where the rest of many jobs can be on it', base, true],
    ['is read for a single job, once', { ...base, unseen: 1 }, true],
    ['is not read twice for it', { ...base, unseen: 1, pages: 2, barrenPages: 1 }, false],
    ['is read where the first had nothing', { ...base, unseen: 3, spared: 3, barrenPages: 1 }, true],
    [
      'is not read where the pages would cost as much as they spare',
      { pages: 2, barrenPages: 2, unseen: 3, spared: 3 },
      false,
    ],
  ])('%s', (_, readSoFar, worth) => {
    expect(isWorthAnotherPage(readSoFar)).toBe(worth);
  });

  test('is never read where the list would then cost what it spares', () => {
    const nat = fc.nat(100);
    fc.assert(
      fc.property(nat, nat, nat, nat, (pages, barrenPages, unseen, spared) => {
        if (isWorthAnotherPage({ pages, barrenPages, unseen, spared })) expect(pages + 1).toBeLessThan(spared);
      }),
    );
  });
});

test.each([
  ['one or two say nothing', { caused: 2, idle: 2 }, false],
  ['most of three', { caused: 3, idle: 3 }, true],
  ['half is not most', { caused: 6, idle: 3 }, false],
  ['a few of many', { caused: 60, idle: 20 }, false],
  ['most of many', { caused: 60, idle: 31 }, true],
])('whether most fetches found nothing: %s', (_, findings, most) => {
  expect(mostFoundNothing(findings)).toBe(most);
});
