import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { type BudgetOptions, type Budgets, createBudgets } from '../../../src/atlas/budget.ts';

const START = Date.parse('2030-01-01T00:00:00Z');
const MINUTE = 60_000;

beforeEach(() => {
  jest.useFakeTimers({ now: START });
});

afterEach(() => {
  jest.useRealTimers();
});

/** Budgets whose calls are written down, with the time at which each came. */
function recording(options: Partial<BudgetOptions> = {}): Budgets & { readonly turns: [number, string][] } {
  const turns: [number, string][] = [];
  const budgets = createBudgets({
    requestsPerMinute: 60,
    random: () => 0,
    onReserved: (waiter) => void turns.push([Date.now() - START, waiter]),
    ...options,
  });
  return { ...budgets, turns };
}

const called = ({ turns }: { readonly turns: readonly [number, string][] }) => turns.map(([, waiter]) => waiter);
const admitted = (budgets: Budgets, budget: string, waiter: string) => budgets.admit(budget, waiter).admitted;

/** Uses up what can be had now, and says how much that was. */
function drain(budgets: Budgets, budget = 'b'): number {
  for (let count = 0; ; count += 1) {
    if (admitted(budgets, budget, 'drain')) continue;
    budgets.forget('drain');
    return count;
  }
}

/** Lets time pass until the first call, and says how many milliseconds that took. */
function untilTurn(budgets: { readonly turns: readonly unknown[] }): number {
  const [before, start] = [budgets.turns.length, Date.now()];
  while (budgets.turns.length === before) {
    if (jest.getTimerCount() === 0) throw new Error('nobody will ever be called');
    jest.advanceTimersToNextTimer();
  }
  return Date.now() - start;
}

describe('the usage', () => {
  test('tells the least that is left, and who waits', () => {
    const budgets = recording({ requestsPerMinute: 60 });
    expect(budgets.usage()).toEqual({ paused: 0, waiting: 0, remaining: 12 });
    drain(budgets, 'spent');
    admitted(budgets, 'spent', 'a');
    admitted(budgets, 'other', 'b');
    expect(budgets.usage()).toEqual({ paused: 0, waiting: 1, remaining: 0 });
    jest.advanceTimersByTime(10 * MINUTE);
    // The one that was called has taken one of them.
    expect(budgets.usage()).toEqual({ paused: 0, waiting: 0, remaining: 12 });
    budgets.close();
  });

  test('never tells less than nothing', () => {
    const budgets = recording({ requestsPerMinute: 60 });
    drain(budgets);
    for (let count = 0; count < 5; count += 1) budgets.spend('b');
    expect(budgets.usage().remaining).toBe(0);
  });

  test('of a paused budget nothing is left; each pause is told once', () => {
    const onPause = jest.fn();
    const budgets = recording({ onPause });
    budgets.pause('b', 30_000);
    budgets.pause('b', 31_000);
    expect(budgets.usage()).toEqual({ paused: 1, waiting: 0, remaining: 0 });
    expect(onPause).toHaveBeenCalledTimes(1);
    jest.advanceTimersByTime(32_000);
    budgets.pause('b', 30_000);
    expect(onPause).toHaveBeenCalledTimes(2);
  });

  test('knows no remainder where there is no limit', () => {
    const budgets = recording({ requestsPerMinute: 0 });
    expect(admitted(budgets, 'b', 'a')).toBe(true);
    expect(budgets.usage()).toEqual({ paused: 0, waiting: 0, remaining: undefined });
  });
});

describe('the rate', () => {
  test.each([
    [60, 12],
    [100, 20],
    [1_200, 240],
    [1, 1],
    [4, 1],
  ])('of %p a minute allows a burst of %p', (requestsPerMinute, burst) => {
    const budgets = recording({ requestsPerMinute });
    expect(drain(budgets)).toBe(burst);
    jest.advanceTimersByTime(24 * 60 * MINUTE);
    expect(drain(budgets)).toBe(burst);
  });

  test.each([1, 2, 3, 10, 60, 100, 500])('of %p a minute is what a crowd gets, in its order', (requestsPerMinute) => {
    const budgets = recording({ requestsPerMinute });
    const crowd = Array.from({ length: requestsPerMinute * 4 }, (_, index) => `w${index}`);
    const immediately = crowd.filter((waiter) => admitted(budgets, 'b', waiter));
    jest.advanceTimersByTime(10 * MINUTE);
    expect([...immediately, ...called(budgets)]).toEqual(crowd);
    const inMinute = budgets.turns.filter(([at]) => at > 2 * MINUTE && at <= 3 * MINUTE).length;
    expect(inMinute).toBeGreaterThanOrEqual(Math.floor(requestsPerMinute / 2));
    for (const waiter of called(budgets)) expect(admitted(budgets, 'b', waiter)).toBe(true);
    budgets.close();
  });

  test('is never exceeded in any minute, however requests arrive', () => {
    const arrival = fc.record({
      gapMs: fc.oneof(fc.constant(0), fc.nat(500), fc.nat(90_000)),
      size: fc.integer({ min: 1, max: 60 }),
    });
    const pause = fc.record({ pauseMs: fc.option(fc.nat(30_000), { nil: undefined }) });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.array(fc.oneof({ arbitrary: arrival, weight: 5 }, pause), { minLength: 1, maxLength: 25 }),
        fc.boolean(),
        (requestsPerMinute, events, patient) => {
          const granted: number[] = [];
          const take = (waiter: string) => {
            if (budgets.admit('b', waiter).admitted) granted.push(Date.now());
            // Who does not stand in line asks later, or never.
            else if (!patient) budgets.forget(waiter);
          };
          const budgets = createBudgets({ requestsPerMinute, onReserved: take });
          let waiters = 0;
          for (const event of events) {
            if ('pauseMs' in event) budgets.pause('b', event.pauseMs);
            else {
              jest.advanceTimersByTime(event.gapMs);
              for (let count = 0; count < event.size; count += 1) take(`w${++waiters}`);
            }
          }
          jest.advanceTimersByTime(5 * MINUTE);
          budgets.close();
          granted.forEach((time, index) => {
            const inMinute = granted.slice(index).filter((later) => later < time + MINUTE).length;
            expect(inMinute).toBeLessThanOrEqual(requestsPerMinute);
          });
        },
      ),
      { numRuns: 150 },
    );
  });

  test('lets nobody starve: everybody who stays in line is called', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 120 }),
        fc.array(fc.record({ gapMs: fc.nat(20_000), size: fc.nat(20) }), { minLength: 1, maxLength: 10 }),
        (requestsPerMinute, arrivals) => {
          const waiting = new Set<string>();
          const take = (waiter: string) => {
            if (budgets.admit('b', waiter).admitted) waiting.delete(waiter);
            else waiting.add(waiter);
          };
          const budgets = createBudgets({ requestsPerMinute, onReserved: take });
          let count = 0;
          for (const { gapMs, size } of arrivals) {
            jest.advanceTimersByTime(gapMs);
            for (let index = 0; index < size; index += 1) take(`w${++count}`);
          }
          // Half of the rate is what the smallest limits are left with, beside their burst.
          jest.advanceTimersByTime((2 * count * MINUTE) / requestsPerMinute + MINUTE);
          expect([...waiting]).toEqual([]);
          expect(jest.getTimerCount()).toBe(0);
        },
      ),
      { numRuns: 100 },
    );
  });

  test('counts requests that had to follow at once', () => {
    const budgets = recording();
    for (let count = 0; count < 6; count += 1) {
      expect(admitted(budgets, 'b', `w${count}`)).toBe(true);
      budgets.spend('b');
    }
    expect(admitted(budgets, 'b', 'late')).toBe(false);
    for (let count = 0; count < 12; count += 1) budgets.spend('b');
    // 13 are missing, at 48 a minute.
    expect(untilTurn(budgets)).toBe(Math.ceil((13 * MINUTE) / 48));
  });

  test('heeds how many requests Atlas says are left', () => {
    const budgets = recording();
    budgets.succeeded('b', 3);
    expect(drain(budgets)).toBe(3);
    budgets.succeeded('b', 1_000);
    expect(drain(budgets)).toBe(0);
    expect(drain(budgets, 'other')).toBe(12);
  });
});

describe('the line', () => {
  test('is first come, first served, and newcomers do not overtake it', () => {
    const budgets = recording();
    drain(budgets);
    expect(['a', 'b', 'c'].map((waiter) => admitted(budgets, 'b', waiter))).toEqual([false, false, false]);
    // Asking again moves nobody, neither forward nor back.
    expect(admitted(budgets, 'b', 'c')).toBe(false);
    expect(admitted(budgets, 'b', 'a')).toBe(false);
    untilTurn(budgets);
    expect(called(budgets)).toEqual(['a']);
    jest.advanceTimersByTime(1_000);
    expect(admitted(budgets, 'b', 'new')).toBe(false);
    jest.advanceTimersByTime(MINUTE);
    expect(called(budgets)).toEqual(['a', 'b', 'c', 'new']);
    for (const waiter of called(budgets)) expect(admitted(budgets, 'b', waiter)).toBe(true);
  });

  test('is passed by a list, but not by one list after another', () => {
    const budgets = recording();
    drain(budgets);
    for (const waiter of ['a', 'b', 'c']) budgets.admit('b', waiter);
    for (const waiter of ['l', 'm', 'n', 'o']) expect(budgets.admit('b', waiter, 'list').admitted).toBe(false);
    jest.advanceTimersByTime(MINUTE);
    expect(called(budgets)).toEqual(['l', 'a', 'm', 'b', 'n', 'c', 'o']);
    for (const waiter of ['l', 'm', 'n', 'o']) expect(budgets.admit('b', waiter, 'list').admitted).toBe(true);
  });

  test('is not overtaken in the moment before it is called', () => {
    const budgets = recording();
    budgets.wait('b', 'first');
    expect(admitted(budgets, 'b', 'new')).toBe(false);
    untilTurn(budgets);
    expect(called(budgets)).toEqual(['first', 'new']);
  });

  test('keeps a request for each one who was called', () => {
    const budgets = recording();
    drain(budgets);
    budgets.admit('b', 'called');
    untilTurn(budgets);
    expect(admitted(budgets, 'b', 'other')).toBe(false);
    expect(admitted(budgets, 'b', 'called')).toBe(true);
    // Once: the next one is asked for like any other.
    expect(admitted(budgets, 'b', 'called')).toBe(false);
  });

  test('gives a place without asking for a request', () => {
    const budgets = recording();
    expect(budgets.wait('b', 'w')).toEqual({ admitted: false, pause: undefined });
    untilTurn(budgets);
    expect(called(budgets)).toEqual(['w']);
    expect(drain(budgets)).toBe(11);
    expect(admitted(budgets, 'b', 'w')).toBe(true);
  });

  test('has no room for whoever is forgotten', () => {
    const budgets = recording();
    drain(budgets);
    for (const waiter of ['a', 'b', 'c']) budgets.admit('b', waiter);
    budgets.admit('other', 'b');
    budgets.forget('b');
    budgets.forget('nobody');
    jest.advanceTimersByTime(MINUTE);
    expect(called(budgets)).toEqual(['a', 'c']);
  });

  test('passes on the request of somebody who was called and is forgotten', () => {
    const budgets = recording();
    drain(budgets);
    budgets.admit('b', 'gone');
    untilTurn(budgets);
    budgets.forget('gone');
    expect(admitted(budgets, 'b', 'next')).toBe(true);
    expect(admitted(budgets, 'b', 'after')).toBe(false);
  });

  test('calls nobody after everybody was forgotten', () => {
    const budgets = recording();
    drain(budgets);
    budgets.admit('b', 'gone');
    budgets.forget('gone');
    jest.advanceTimersByTime(MINUTE);
    expect([called(budgets), jest.getTimerCount()]).toEqual([[], 0]);
  });
});

const pausedSince = (start: number) => ({ forMs: Date.now() - start, apiError: undefined });

describe('a pause', () => {
  test('lasts as long as Atlas says, and nobody is admitted or called while it does', () => {
    const budgets = recording();
    budgets.admit('b', 'earlier');
    budgets.pause('b', 30_000);
    expect(budgets.admit('b', 'a')).toEqual({ admitted: false, pause: pausedSince(START) });
    jest.advanceTimersByTime(10_000);
    expect(budgets.wait('b', 'b')).toEqual({ admitted: false, pause: pausedSince(START) });
    jest.advanceTimersByTime(19_999);
    expect([budgets.turns, budgets.usage().paused]).toEqual([[], 1]);
    jest.advanceTimersByTime(1);
    expect([budgets.turns, budgets.usage().paused]).toEqual([[[30_000, 'a']], 0]);
    expect(admitted(budgets, 'b', 'a')).toBe(true);
  });

  test('is not followed by a burst: the bucket at Atlas is empty', () => {
    const budgets = recording();
    budgets.pause('b', 10 * MINUTE);
    for (let count = 0; count < 20; count += 1) budgets.admit('b', `w${count}`);
    jest.advanceTimersByTime(10 * MINUTE);
    expect(called(budgets)).toEqual(['w0']);
    jest.advanceTimersByTime(MINUTE);
    expect(budgets.turns.length).toBeLessThanOrEqual(1 + 48);
  });

  test('is never shortened by another one', () => {
    const budgets = recording();
    budgets.pause('b', 30_000);
    budgets.pause('b', 1_000);
    budgets.pause('b', undefined);
    budgets.admit('b', 'w');
    expect(untilTurn(budgets)).toBe(30_000);
  });

  test('is prolonged by a longer one', () => {
    const budgets = recording();
    budgets.pause('b', 1_000);
    budgets.admit('b', 'w');
    budgets.pause('b', 30_000);
    expect(untilTurn(budgets)).toBe(30_000);
  });

  test.each([Number.POSITIVE_INFINITY, 1e15, 2 ** 31])('of %p milliseconds ends within the hour', (retryAfterMs) => {
    const budgets = recording();
    budgets.pause('b', retryAfterMs);
    budgets.admit('b', 'w');
    expect(untilTurn(budgets)).toBe(60 * MINUTE);
  });

  /** A pause each time that somebody was called: the lengths of the waits. */
  function waits(budgets: ReturnType<typeof recording>, count: number, retryAfterMs?: number): number[] {
    return Array.from({ length: count }, () => {
      budgets.pause('b', retryAfterMs);
      budgets.wait('b', 'w');
      const waited = untilTurn(budgets);
      expect(admitted(budgets, 'b', 'w')).toBe(true);
      return waited;
    });
  }

  test.each([
    ['shortest', 0, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]],
    ['longest', 1, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]],
  ])('without a time doubles with each one that follows: %s', (_, random, expected) => {
    // Without a limit of our own only the pauses count.
    const budgets = recording({ requestsPerMinute: 0, random: () => random });
    expect(waits(budgets, 8)).toEqual(expected);
    budgets.succeeded('b', undefined);
    expect(waits(budgets, 2)).toEqual(expected.slice(0, 2));
  });

  test('of no time at all is one without a time: Atlas would be asked without end', () => {
    const budgets = recording({ requestsPerMinute: 0 });
    expect(waits(budgets, 3, 0)).toEqual([500, 1_000, 2_000]);
  });

  test('is one, however many requests are told of it', () => {
    const budgets = recording({ requestsPerMinute: 0 });
    for (let count = 0; count < 16; count += 1) budgets.pause('b', undefined);
    budgets.wait('b', 'w');
    expect(untilTurn(budgets)).toBe(500);
    expect(admitted(budgets, 'b', 'w')).toBe(true);
    expect(waits(budgets, 1)).toEqual([1_000]);
  });

  test('long after the last one is a short one again', () => {
    const budgets = recording({ requestsPerMinute: 0 });
    waits(budgets, 5);
    jest.advanceTimersByTime(10 * MINUTE);
    expect(waits(budgets, 1)).toEqual([500]);
  });

  test('that follows at once has lasted since the first one, until Atlas answers', () => {
    const budgets = recording();
    budgets.pause('b', 55_000);
    budgets.admit('b', 'w');
    untilTurn(budgets);
    budgets.admit('b', 'w');
    budgets.pause('b', 55_000);
    expect(budgets.wait('b', 'w')).toEqual({ admitted: false, pause: pausedSince(START) });
    untilTurn(budgets);
    expect(admitted(budgets, 'b', 'w')).toBe(true);
    budgets.succeeded('b', undefined);
    budgets.pause('b', 5_000);
    expect(budgets.wait('b', 'w')).toEqual({ admitted: false, pause: pausedSince(Date.now()) });
  });

  test('tells the error of the newest response that asked for it', () => {
    const budgets = recording();
    budgets.pause('b', 55_000, { error: 429, errorCode: 'RATE_LIMITED' });
    expect(budgets.wait('b', 'w').pause?.apiError).toEqual({ error: 429, errorCode: 'RATE_LIMITED' });
    budgets.pause('b', 55_000, { error: 503 });
    expect(budgets.wait('b', 'w').pause?.apiError).toEqual({ error: 503 });
  });

  test('that is over is none: whoever waits then waits for our own rate', () => {
    const budgets = recording();
    budgets.pause('b', 5_000);
    jest.advanceTimersByTime(5_000);
    drain(budgets);
    expect(budgets.admit('b', 'w')).toEqual({ admitted: false, pause: undefined });
    expect(budgets.wait('b', 'v')).toEqual({ admitted: false, pause: undefined });
  });

  test('takes no turn away from a list either', () => {
    const budgets = recording();
    drain(budgets);
    budgets.admit('b', 'l', 'list');
    untilTurn(budgets);
    budgets.admit('b', 'a');
    budgets.admit('b', 'm', 'list');
    budgets.pause('b', 30_000);
    budgets.turns.length = 0;
    expect(untilTurn(budgets)).toBe(30_000);
    jest.advanceTimersByTime(MINUTE);
    expect(called(budgets)).toEqual(['a', 'l', 'm']);
  });

  test('can be looked at without taking a place', () => {
    const budgets = recording();
    expect(budgets.pauseOf('b')).toBeUndefined();
    budgets.pause('b', 30_000, { error: 429 });
    jest.advanceTimersByTime(10_000);
    expect(budgets.pauseOf('b')).toEqual({ forMs: 10_000, apiError: { error: 429 } });
    expect(budgets.usage().waiting).toBe(0);
    jest.advanceTimersByTime(20_000);
    expect(budgets.pauseOf('b')).toBeUndefined();
  });

  test('takes no turn away: who was called before is called again, first', () => {
    const budgets = recording();
    drain(budgets);
    for (const waiter of ['a', 'b', 'c']) budgets.admit('b', waiter);
    untilTurn(budgets);
    expect(called(budgets)).toEqual(['a']);
    budgets.pause('b', 30_000);
    expect(budgets.admit('b', 'a')).toEqual({ admitted: false, pause: expect.anything() });
    budgets.turns.length = 0;
    expect(untilTurn(budgets)).toBe(30_000);
    jest.advanceTimersByTime(MINUTE);
    expect(called(budgets)).toEqual(['a', 'b', 'c']);
    for (const waiter of ['a', 'b', 'c']) expect(admitted(budgets, 'b', waiter)).toBe(true);
  });

  test('is not forgotten while nobody asks', () => {
    const budgets = recording();
    budgets.pause('b', 50 * MINUTE);
    jest.advanceTimersByTime(40 * MINUTE);
    for (let count = 0; count < 5; count += 1) admitted(budgets, `new${count}`, 'w');
    expect(admitted(budgets, 'b', 'w')).toBe(false);
    expect(untilTurn(budgets)).toBe(10 * MINUTE);
  });
});

describe('without a limit', () => {
  test('everybody is admitted', () => {
    const budgets = recording({ requestsPerMinute: 0 });
    for (let count = 0; count < 10_000; count += 1) {
      expect(admitted(budgets, 'b', `w${count}`)).toBe(true);
      budgets.spend('b');
    }
    budgets.succeeded('b', 0);
    expect(admitted(budgets, 'b', 'more')).toBe(true);
  });

  test('a pause holds all the same, and then everybody is called', () => {
    const budgets = recording({ requestsPerMinute: 0 });
    budgets.pause('b', 1_000);
    const crowd = Array.from({ length: 100 }, (_, index) => `w${index}`);
    for (const waiter of crowd) expect(admitted(budgets, 'b', waiter)).toBe(false);
    jest.advanceTimersByTime(999);
    expect(called(budgets)).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(called(budgets)).toEqual(crowd);
    for (const waiter of crowd) expect(admitted(budgets, 'b', waiter)).toBe(true);
  });
});

describe('two budgets', () => {
  test('do not affect each other', () => {
    const budgets = recording();
    expect(drain(budgets, 'a')).toBe(12);
    budgets.pause('b', 30_000);
    expect(drain(budgets, 'c')).toBe(12);
    expect(budgets.usage().paused).toBe(1);
    budgets.pause('d', 30_000);
    expect(budgets.usage().paused).toBe(2);
    budgets.admit('a', 'v');
    budgets.admit('b', 'w');
    jest.advanceTimersByTime(MINUTE);
    expect(called(budgets)).toEqual(['v', 'w']);
    expect([admitted(budgets, 'a', 'v'), admitted(budgets, 'b', 'w')]).toEqual([true, true]);
    budgets.succeeded('b', 0);
    expect([drain(budgets, 'b'), drain(budgets, 'e')]).toEqual([0, 12]);
  });
});

describe('a waiter has one place, in the budget that it asked last', () => {
  test('its place in the queue of another one is gone', () => {
    const budgets = recording();
    for (const budget of ['old', 'new']) {
      drain(budgets, budget);
      admitted(budgets, budget, 'w');
    }
    expect(budgets.usage().waiting).toBe(1);
    jest.advanceTimersByTime(MINUTE);
    expect(called(budgets)).toEqual(['w']);
    expect([admitted(budgets, 'new', 'w'), drain(budgets, 'old')]).toEqual([true, 12]);
  });

  test.each(['admit', 'wait'] as const)('what another one has reserved for it goes to the next (%s)', (ask) => {
    const budgets = recording();
    drain(budgets, 'old');
    for (const waiter of ['w', 'next']) budgets.admit('old', waiter);
    untilTurn(budgets);
    expect(called(budgets)).toEqual(['w']);
    budgets[ask]('new', 'w');
    // No refill is needed for it.
    jest.advanceTimersByTime(1);
    expect([called(budgets).includes('next'), admitted(budgets, 'old', 'next')]).toEqual([true, true]);
    expect(drain(budgets, 'old')).toBe(0);
  });

  test('also after a pause of the other one has taken the reservation back', () => {
    const budgets = recording();
    drain(budgets, 'old');
    budgets.admit('old', 'w');
    untilTurn(budgets);
    budgets.pause('old', 5_000);
    expect(admitted(budgets, 'new', 'w')).toBe(true);
    budgets.turns.length = 0;
    jest.advanceTimersByTime(MINUTE);
    expect(called(budgets)).toEqual([]);
  });

  test('a budget that nobody has a place in is forgotten', () => {
    const budgets = recording();
    drain(budgets, 'old');
    budgets.admit('old', 'w');
    untilTurn(budgets);
    expect(admitted(budgets, 'new', 'w')).toBe(true);
    // Ten requests less than a burst are left in it: one that is forgotten starts with a whole one.
    for (let count = 0; count < 1_000; count += 1) budgets.spend('old');
    jest.advanceTimersByTime(11 * MINUTE);
    admitted(budgets, 'newest', 'v');
    expect(drain(budgets, 'old')).toBe(12);
  });

  test('whatever the order of requests, reservations and pauses', () => {
    const names = fc.constantFrom('a', 'b', 'c');
    const waiters = fc.constantFrom('v', 'w', 'x', 'y');
    const step = fc.oneof(
      fc.record({ kind: fc.constantFrom('admit', 'list', 'wait', 'forget'), budget: names, waiter: waiters }),
      fc.record({ kind: fc.constantFrom('pause', 'pass'), budget: names, ms: fc.nat(20_000) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const budgets = recording({ requestsPerMinute: 5 });
        for (const next of steps) {
          if ('ms' in next) {
            if (next.kind === 'pause') budgets.pause(next.budget, next.ms);
            else jest.advanceTimersByTime(next.ms);
          } else if (next.kind === 'admit') budgets.admit(next.budget, next.waiter);
          else if (next.kind === 'list') budgets.admit(next.budget, `list ${next.waiter}`, 'list');
          else if (next.kind === 'wait') budgets.wait(next.budget, next.waiter);
          else for (const waiter of [next.waiter, `list ${next.waiter}`]) budgets.forget(waiter);
          expect(budgets.usage().waiting).toBeLessThanOrEqual(8);
        }
        for (const waiter of ['v', 'w', 'x', 'y']) for (const who of [waiter, `list ${waiter}`]) budgets.forget(who);
        expect(budgets.usage().waiting).toBe(0);
        // Nothing stays reserved: each budget is whole again.
        jest.advanceTimersByTime(10 * MINUTE);
        expect(['a', 'b', 'c'].map((name) => drain(budgets, name))).toEqual([1, 1, 1]);
        budgets.close();
      }),
      { numRuns: 200 },
    );
  });
});

describe('a wall clock that is set', () => {
  test.each([-60 * MINUTE, 60 * MINUTE])('by %p ms changes neither the refill nor a pause', (step) => {
    const budgets = recording();
    drain(budgets, 'b');
    budgets.pause('paused', 30_000);
    const start = performance.now();
    jest.setSystemTime(Date.now() + step);
    budgets.admit('b', 'w');
    budgets.admit('paused', 'v');
    jest.advanceTimersByTime(1_250);
    expect(called(budgets)).toEqual(['w']);
    expect(admitted(budgets, 'b', 'w')).toBe(true);
    expect(budgets.wait('paused', 'v').pause?.forMs).toBe(1_250);
    while (called(budgets).length < 2) jest.advanceTimersToNextTimer();
    expect(performance.now() - start).toBe(30_000);
  });
});

describe('timers', () => {
  test('run only while somebody waits', () => {
    const budgets = recording();
    drain(budgets);
    budgets.pause('b', 1_000);
    expect(jest.getTimerCount()).toBe(0);
    budgets.admit('b', 'w');
    budgets.admit('b', 'v');
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(MINUTE);
    expect([called(budgets), jest.getTimerCount()]).toEqual([['w', 'v'], 0]);
  });

  test('end with close', () => {
    const budgets = recording();
    for (const budget of ['a', 'b', 'c']) {
      budgets.pause(budget, 1_000);
      budgets.admit(budget, 'w');
    }
    expect(jest.getTimerCount()).toBe(3);
    budgets.close();
    expect([jest.getTimerCount(), budgets.usage().paused]).toEqual([0, 0]);
    jest.advanceTimersByTime(MINUTE);
    expect(called(budgets)).toEqual([]);
  });
});
