import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Condition, LegacyRestoreJob, Status } from '../../../src/api/legacy-restore-job.ts';
import type { Content } from '../../../src/restore-job/content.ts';
import { entryOf, type Reason } from '../../../src/restore-job/reasons.ts';
import {
  intervalOf,
  isUrgent,
  type RequeueAfter,
  requeueAfterFailure,
  requeueAfterFetch,
  requeueAfterStart,
  transientBackoff,
} from '../../../src/restore-job/schedule.ts';
import { resource, SPEC } from '../support/resources.ts';

const NOW = Date.parse('2030-01-01T00:00:00Z');
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const ALMOST_ONE = 1 - Number.EPSILON;

const at = (ms: number): string => new Date(NOW + ms).toISOString();
const finished = (delivery?: Content['delivery']): Content =>
  delivery === undefined ? { statusName: 'FINISHED' } : { statusName: 'FINISHED', delivery };
const download = (members: Content['delivery'] = {}): Content =>
  finished({ methodName: 'HTTP', statusName: 'READY', url: 'https://example.org/x', ...members });

/** Earliest and latest next reconcile over all random numbers, in milliseconds. */
function bounds(requeueAfter: (random: () => number) => RequeueAfter): readonly [number, number] | 'never' {
  const [low, high] = [requeueAfter(() => 0), requeueAfter(() => ALMOST_ONE)];
  if (low === undefined || high === undefined) {
    expect(low).toEqual(high);
    return 'never';
  }
  const [first, last] = [Math.round(low), Math.round(high)];
  return first <= last ? [first, last] : [last, first];
}

const afterFetch = (content: Content, { asOf = NOW, changedAt = NOW, interval = MINUTE } = {}) =>
  bounds((random) => requeueAfterFetch({ content, asOf, changedAt }, interval, NOW, random));

describe('after a fetch', () => {
  test.each<{ name: string; content: Content; expected: readonly [number, number] | 'never' }>([
    { name: 'running', content: { statusName: 'IN_PROGRESS' }, expected: [54 * SECOND, 66 * SECOND] },
    { name: 'a status nobody knows', content: { statusName: 'OPEN' }, expected: [54 * SECOND, 66 * SECOND] },
    { name: 'no status', content: {}, expected: [54 * SECOND, 66 * SECOND] },
    { name: 'broken', content: { statusName: 'BROKEN' }, expected: 'never' },
    { name: 'killed', content: { statusName: 'KILLED' }, expected: 'never' },
    { name: 'broken with a download', content: { ...download(), statusName: 'BROKEN' }, expected: 'never' },
    ...['NOT_STARTED', 'PENDING', 'IN_PROGRESS'].map((statusName) => ({
      name: `finished, ${statusName}`,
      content: finished({ statusName }),
      expected: [54 * SECOND, 66 * SECOND] as const,
    })),
    { name: 'finished, no delivery', content: finished(), expected: [9 * MINUTE, 11 * MINUTE] },
    {
      name: 'finished, delivery of a status nobody knows',
      content: finished({ statusName: 'PAUSED' }),
      expected: [9 * MINUTE, 11 * MINUTE],
    },
    {
      name: 'finished, delivery without a status',
      content: finished({ methodName: 'HTTP' }),
      expected: [9 * MINUTE, 11 * MINUTE],
    },
    { name: 'ready', content: download({ expires: at(48 * HOUR) }), expected: [9 * MINUTE, 11 * MINUTE] },
    {
      name: 'ready, expires before the next reconcile',
      content: download({ expires: at(10 * MINUTE) }),
      expected: [9 * MINUTE, 10 * MINUTE + SECOND],
    },
    {
      name: 'ready, expires in a millisecond',
      content: download({ expires: at(1) }),
      expected: [1_001, 1_001],
    },
    { name: 'ready, expires now', content: download({ expires: at(0) }), expected: [9 * MINUTE, 11 * MINUTE] },
    {
      name: 'ready, expired for almost an hour',
      content: download({ expires: at(1 - HOUR) }),
      expected: [9 * MINUTE, 11 * MINUTE],
    },
    { name: 'ready, expired for an hour', content: download({ expires: at(-HOUR) }), expected: 'never' },
    { name: 'ready, no expires', content: download(), expected: [54 * MINUTE, 66 * MINUTE] },
    ...['', 'soon', 'expires 3', '2030-13-01T00:00:00Z', '0'].map((expires) => ({
      name: `ready, expires "${expires}" counts as none`,
      content: download({ expires }),
      expected: [54 * MINUTE, 66 * MINUTE] as const,
    })),
    ...['EXPIRED', 'MAX_DOWNLOADS_EXCEEDED', 'FAILED', 'INTERRUPTED'].map((statusName) => ({
      name: `finished, ${statusName}`,
      content: download({ statusName, expires: at(HOUR) }),
      expected: 'never' as const,
    })),
    {
      name: 'automated by its method, still pending',
      content: finished({ methodName: 'AUTOMATED_RESTORE', statusName: 'PENDING' }),
      expected: 'never',
    },
    ...(['targetClusterId', 'targetClusterName', 'targetGroupId'] as const).map((field) => ({
      name: `automated by ${field}`,
      content: finished({ methodName: 'HTTP', statusName: 'PENDING', [field]: 'x' }),
      expected: 'never' as const,
    })),
    {
      name: 'a target that is empty is none',
      content: finished({ methodName: 'HTTP', statusName: 'PENDING', targetClusterName: '' }),
      expected: [54 * SECOND, 66 * SECOND],
    },
    {
      name: 'READY without a url, just changed',
      content: finished({ methodName: 'HTTP', statusName: 'READY' }),
      expected: [9 * MINUTE, 11 * MINUTE],
    },
  ])('$name', ({ content, expected }) => {
    expect(afterFetch(content)).toEqual(expected);
  });

  test('READY without a url: for an hour after the last change', () => {
    const content = finished({ methodName: 'HTTP', statusName: 'READY', expires: at(48 * HOUR) });
    expect(afterFetch(content, { changedAt: NOW - HOUR + 1 })).toEqual([9 * MINUTE, 11 * MINUTE]);
    expect(afterFetch(content, { changedAt: NOW - HOUR })).toBe('never');
    const unknown = { content, asOf: NOW, changedAt: undefined };
    expect(bounds((random) => requeueAfterFetch(unknown, MINUTE, NOW, random))).toBe('never');
  });

  test('a url that is kept out of status still makes it a download', () => {
    const content = finished({ methodName: 'HTTP', statusName: 'READY', expires: at(48 * HOUR) });
    const longAgo = { changedAt: NOW - 24 * HOUR };
    expect(afterFetch({ ...content, urlWithheld: true }, longAgo)).toEqual([9 * MINUTE, 11 * MINUTE]);
    expect(afterFetch(content, longAgo)).toBe('never');
  });

  test('the interval is the one of the resource', () => {
    expect(afterFetch({ statusName: 'IN_PROGRESS' }, { interval: HOUR })).toEqual([54 * MINUTE, 66 * MINUTE]);
  });

  test('a response from before the end of the download says nothing about its end', () => {
    for (const expires of [at(0), at(-MINUTE), at(-HOUR), at(-24 * HOUR)]) {
      const content = download({ expires });
      expect(afterFetch(content, { asOf: Date.parse(expires) - 1 })).toEqual([SECOND, SECOND]);
      expect(afterFetch(content, { asOf: Date.parse(expires) })).not.toEqual([SECOND, SECOND]);
    }
  });
});

describe('the interval', () => {
  test.each([
    { name: 'the setting where the spec has none', interval: undefined, expected: MINUTE },
    { name: 'that of the spec', interval: '1h30m', expected: 90 * MINUTE },
    { name: 'not below 10 s', interval: '1s', expected: 10 * SECOND },
    { name: 'not above 24 h', interval: '48h', expected: 24 * HOUR },
    { name: 'the setting where the spec cannot be read', interval: 'often', expected: MINUTE },
  ])('$name', ({ interval, expected }) => {
    expect(intervalOf({ ...SPEC, ...(interval === undefined ? {} : { interval }) }, MINUTE)).toBe(expected);
  });
});

describe('after a failure', () => {
  const permanent = (status: Status, failures: number) =>
    bounds((random) => requeueAfterFailure('Unauthorized', status, failures, NOW, random));
  const transient = (status: Status, failures: number) =>
    bounds((random) => requeueAfterFailure('AtlasUnavailable', status, failures, NOW, random));

  test('a permanent one: from half a minute to an hour, doubling, never sooner than four fifths of it', () => {
    expect([1, 2, 3, 7, 8, 100].map((failures) => permanent({}, failures))).toEqual([
      [24 * SECOND, 30 * SECOND],
      [48 * SECOND, MINUTE],
      [96 * SECOND, 2 * MINUTE],
      [0.8 * 32 * MINUTE, 32 * MINUTE],
      [48 * MINUTE, HOUR],
      [48 * MINUTE, HOUR],
    ]);
  });

  test('a permanent one where nothing can change any more: never', () => {
    for (const status of [{ statusName: 'BROKEN' }, { statusName: 'KILLED' }, download({ statusName: 'EXPIRED' })])
      expect(permanent(status, 1)).toBe('never');
    expect(permanent(download({ expires: at(HOUR) }), 1)).toEqual([24 * SECOND, 30 * SECOND]);
  });

  test('a transient one: full jitter below two seconds to two minutes, doubling, and at least half a second', () => {
    expect([1, 2, 3, 6, 7, 1_000].map((failures) => transient({}, failures))).toEqual([
      [500, 2 * SECOND],
      [500, 4 * SECOND],
      [500, 8 * SECOND],
      [500, 64 * SECOND],
      [500, 2 * MINUTE],
      [500, 2 * MINUTE],
    ]);
    expect(transient({ statusName: 'BROKEN' }, 1)).toEqual([500, 2 * SECOND]);
  });
});

describe('the first reconcile after a start', () => {
  const seen = (status: Status, overrides: Partial<LegacyRestoreJob> = {}): LegacyRestoreJob =>
    resource({ status: { observedGeneration: 1, ...status }, ...overrides });
  const first = (job: LegacyRestoreJob, defaultInterval = MINUTE) =>
    bounds((random) => requeueAfterStart(job, defaultInterval, NOW, random));
  const condition = (type: Condition['type'], reason: Reason): Condition => ({
    type,
    status: entryOf(reason).status,
    reason,
    message: '',
    lastTransitionTime: '',
    observedGeneration: 1,
  });
  const withheld: Status = { ...finished({ methodName: 'HTTP', statusName: 'READY' }), urlWithheld: true };
  const suspended = { ...SPEC, suspend: true };

  test.each<{ name: string; job: LegacyRestoreJob; expected: readonly [number, number] | 'never' }>([
    { name: 'new', job: resource(), expected: [0, 0] },
    { name: 'changed', job: seen({ statusName: 'BROKEN' }, { generation: 2 }), expected: [0, 0] },
    { name: 'requested', job: seen({ statusName: 'BROKEN' }, { requestedAt: 'now' }), expected: [0, 0] },
    {
      name: 'requested once more',
      job: seen({ statusName: 'BROKEN', lastHandledReconcileAt: 'a' }, { requestedAt: 'b' }),
      expected: [0, 0],
    },
    {
      name: 'requested and answered',
      job: seen({ statusName: 'BROKEN', lastHandledReconcileAt: 'a' }, { requestedAt: 'a' }),
      expected: 'never',
    },
    { name: 'open: spread over its interval', job: seen({ statusName: 'IN_PROGRESS' }), expected: [0, MINUTE] },
    {
      name: 'open with a long interval: spread over five minutes',
      job: seen({ statusName: 'IN_PROGRESS' }, { spec: { ...SPEC, interval: '24h' } }),
      expected: [0, 5 * MINUTE],
    },
    { name: 'nothing mirrored: spread', job: seen({}), expected: [0, MINUTE] },
    { name: 'a download: spread', job: seen(download({ expires: at(HOUR) })), expected: [0, MINUTE] },
    { name: 'a download whose url is kept out of status: spread', job: seen(withheld), expected: [0, MINUTE] },
    {
      name: 'an automated restore: never',
      job: seen(finished({ methodName: 'HTTP', statusName: 'READY', targetClusterId: 'x' })),
      expected: 'never',
    },
    {
      name: 'READY without a url, changed less than an hour ago: spread',
      job: seen({ ...finished({ statusName: 'READY' }), lastChangeTime: at(1 - HOUR) }),
      expected: [0, MINUTE],
    },
    {
      name: 'READY without a url, changed an hour ago: never',
      job: seen({ ...finished({ statusName: 'READY' }), lastChangeTime: at(-HOUR) }),
      expected: 'never',
    },
    { name: 'broken: never', job: seen({ statusName: 'BROKEN' }), expected: 'never' },
    { name: 'killed: never', job: seen({ statusName: 'KILLED' }), expected: 'never' },
    { name: 'expired: never', job: seen(download({ statusName: 'EXPIRED' })), expected: 'never' },
    {
      name: 'expired for an hour, and looked at since: never',
      job: seen({
        ...download({ expires: at(-HOUR) }),
        conditions: [condition('Synced', 'JobFetched'), condition('DownloadAvailable', 'DownloadExpired')],
      }),
      expected: 'never',
    },
    {
      name: 'expired for an hour, and not looked at since: spread',
      job: seen({
        ...download({ expires: at(-HOUR) }),
        conditions: [condition('Synced', 'JobFetched'), condition('DownloadAvailable', 'DownloadReady')],
      }),
      expected: [0, MINUTE],
    },
    {
      name: 'expired for an hour, and looked at in vain since: spread',
      job: seen({
        ...download({ expires: at(-HOUR) }),
        conditions: [condition('Synced', 'AtlasUnavailable'), condition('DownloadAvailable', 'DownloadExpired')],
      }),
      expected: [0, MINUTE],
    },
    { name: 'suspended: never', job: seen({ statusName: 'IN_PROGRESS' }, { spec: suspended }), expected: 'never' },
    {
      name: 'suspended and requested: never',
      job: seen({ statusName: 'IN_PROGRESS' }, { spec: suspended, requestedAt: 'now' }),
      expected: 'never',
    },
    { name: 'just suspended: now', job: seen({}, { spec: suspended, generation: 2 }), expected: [0, 0] },
  ])('$name', ({ job, expected }) => {
    expect(first(job)).toEqual(expected);
    expect(isUrgent(job)).toBe(expected !== 'never' && expected[1] === 0);
  });
});

describe('whatever the numbers', () => {
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const failures = fc.integer({ min: 0, max: 10_000 });
  const word = fc.oneof(
    fc.constantFrom(
      'IN_PROGRESS',
      'FINISHED',
      'BROKEN',
      'KILLED',
      'READY',
      'PENDING',
      'EXPIRED',
      'FAILED',
      'constructor',
    ),
    fc.string(),
  );
  const expires = fc.oneof(
    fc.string(),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    fc.constantFrom('+275760-09-13T00:00:00Z', '-000001-01-01T00:00:00Z', '9999-12-31T23:59:59Z'),
  );
  const optional = { requiredKeys: [] };
  const content: fc.Arbitrary<Content> = fc.record(
    {
      statusName: word,
      delivery: fc.record({ methodName: word, statusName: word, url: fc.string(), expires }, optional),
    },
    optional,
  );

  function sane(requeueAfter: RequeueAfter, most: number): void {
    if (requeueAfter === undefined) return;
    expect(requeueAfter).toBeGreaterThanOrEqual(0);
    expect(requeueAfter).toBeLessThanOrEqual(most);
  }

  test('no reconcile lies in the past, is not a number, or is later than it can be', () => {
    fc.assert(
      fc.property(
        content,
        fc.boolean(),
        failures,
        random,
        fc.integer(),
        fc.nat(),
        (job, urlWithheld, count, luck, now, old) => {
          const draw = () => luck;
          const dated = { content: { ...job, urlWithheld }, asOf: now - old, changedAt: now - old };
          sane(requeueAfterFetch(dated, 24 * HOUR, now, draw), 1.1 * 24 * HOUR);
          sane(requeueAfterFailure('Unauthorized', job, count, now, draw), HOUR);
          sane(requeueAfterFailure('AtlasUnavailable', job, count, now, draw), 2 * MINUTE);
          sane(requeueAfterStart(resource({ status: job }), 24 * HOUR, now, draw), 5 * MINUTE);
          const ms = transientBackoff(count, draw);
          expect(ms >= 500 && ms <= 2 * MINUTE).toBe(true);
        },
      ),
    );
  });

  test('a job whose delivery has ended is never reconciled again', () => {
    const ended = fc.constantFrom('EXPIRED', 'MAX_DOWNLOADS_EXCEEDED', 'FAILED', 'INTERRUPTED');
    fc.assert(
      fc.property(content, ended, fc.boolean(), random, (job, statusName, urlWithheld, luck) => {
        const over = { ...job, urlWithheld, statusName: 'FINISHED', delivery: { ...job.delivery, statusName } };
        const dated = { content: over, asOf: NOW, changedAt: NOW };
        expect(requeueAfterFetch(dated, MINUTE, NOW, () => luck)).toBeUndefined();
        expect(requeueAfterFailure('Unauthorized', over, 1, NOW, () => luck)).toBeUndefined();
        const restarted = resource({ status: { ...over, observedGeneration: 1 } });
        expect(requeueAfterStart(restarted, MINUTE, NOW, () => luck)).toBeUndefined();
      }),
    );
  });

  test('a reconcile is due within a second or so of `expires`, or before it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 72 * HOUR }), random, (ms, luck) => {
        const dated = { content: download({ expires: at(ms) }), asOf: NOW, changedAt: NOW };
        expect(requeueAfterFetch(dated, MINUTE, NOW, () => luck)).toBeLessThanOrEqual(ms + SECOND);
      }),
    );
  });
});
