import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Condition, type LegacyRestoreJob, Status } from '../../../src/api/legacy-restore-job.ts';
import { RestoreJob } from '../../../src/api/restore-job.ts';
import { AtlasError } from '../../../src/atlas/errors.ts';
import type { Outcome } from '../../../src/restore-job/outcome.ts';
import { REASONS } from '../../../src/restore-job/reasons.ts';
import type { ReconcileInput, ReconcileResult } from '../../../src/restore-job/reconcile-result.ts';
import type { JsonObject } from '../../support/atlas-simulator/json.ts';
import {
  atlasDate,
  automatedRestore,
  automatedRestoreInto,
  brokenJob,
  endedDownload,
  fetchedDownload,
  killedJob,
  openJob,
  PUBLISHED_EXAMPLE,
  pendingDownload,
  readyDownload,
  youngJob,
} from '../../support/atlas-simulator/recorded-bodies.ts';
import {
  after,
  delivery,
  events,
  FINISHED,
  failed,
  failedBy,
  fetched,
  HOUR,
  MINUTE,
  NOW,
  next,
  PERMANENT,
  paused,
  REF,
  ready,
  reconcile,
  refused,
  SECOND,
  SUSPENDED,
  shown,
  statusOf,
  TRANSIENT,
  unreachable,
  without,
  withoutCredentials,
} from '../support/reconciles.ts';
import { conditionOf, kstatus, resource, responseOf, SPEC, stored, written } from '../support/resources.ts';

describe('what Atlas responds', () => {
  const RUNNING = 'Ready=False/JobInProgress Synced=True/JobFetched';
  const DONE = 'Ready=True/JobFinished Synced=True/JobFetched';
  const PENDING = 'DownloadAvailable=False/DownloadPending';
  const AT_REST = 'Reconciling=False/JobFinished';

  interface Row {
    readonly name: string;
    readonly body: JsonObject;
    readonly conditions: string;
    readonly events: string;
    readonly next: number | 'never';
  }
  const ended = (
    name: string,
    deliveryStatus: string,
    reason: string,
    severity: 'Normal' | 'Warning' = 'Normal',
  ): Row => ({
    name,
    body: endedDownload(REF, deliveryStatus, atlasDate(NOW + HOUR)),
    conditions: `${DONE} DownloadAvailable=False/${reason} ${AT_REST}`,
    events: severity === 'Warning' ? `Warning ${reason}` : '',
    next: 'never',
  });
  const rows: readonly Row[] = [
    {
      name: 'running',
      body: youngJob(REF),
      conditions: `${RUNNING} ${PENDING} Reconciling=True/JobInProgress`,
      events: 'Normal JobInProgress',
      next: MINUTE,
    },
    {
      name: 'a status nobody knows',
      body: openJob(REF),
      conditions: `Ready=Unknown/JobStatusUnknown Synced=True/JobFetched ${PENDING} Reconciling=True/JobStatusUnknown`,
      events: 'Warning JobStatusUnknown',
      next: MINUTE,
    },
    {
      name: 'no status',
      body: without(youngJob(REF), 'statusName'),
      conditions: `Ready=Unknown/JobStatusUnknown Synced=True/JobFetched ${PENDING} Reconciling=True/JobStatusUnknown`,
      events: 'Warning JobStatusUnknown',
      next: MINUTE,
    },
    {
      name: 'broken',
      body: brokenJob(REF),
      conditions:
        'Ready=False/JobBroken Synced=True/JobFetched DownloadAvailable=False/JobBroken Reconciling=False/JobBroken Stalled=True/JobBroken',
      events: 'Warning JobBroken',
      next: 'never',
    },
    {
      name: 'killed',
      body: killedJob(REF),
      conditions:
        'Ready=False/JobKilled Synced=True/JobFetched DownloadAvailable=False/JobKilled Reconciling=False/JobKilled Stalled=True/JobKilled',
      events: 'Warning JobKilled',
      next: 'never',
    },
    ...['NOT_STARTED', 'PENDING', 'IN_PROGRESS'].map((statusName) => ({
      name: `finished, delivery ${statusName}`,
      body: delivery(FINISHED, { statusName }),
      conditions: `${DONE} ${PENDING} ${AT_REST}`,
      events: '',
      next: MINUTE,
    })),
    {
      name: 'finished, delivery of a status nobody knows',
      body: delivery(FINISHED, { statusName: 'PAUSED' }),
      conditions: `${DONE} ${PENDING} ${AT_REST}`,
      events: '',
      next: 10 * MINUTE,
    },
    {
      name: 'finished, no delivery',
      body: without(FINISHED, 'delivery'),
      conditions: `${DONE} ${AT_REST}`,
      events: '',
      next: 10 * MINUTE,
    },
    {
      name: 'a download long before it expires',
      body: ready(NOW + 48 * HOUR),
      conditions: `${DONE} DownloadAvailable=True/DownloadReady ${AT_REST}`,
      events: 'Normal DownloadReady',
      next: 10 * MINUTE,
    },
    {
      name: 'a download five minutes before it expires',
      body: ready(NOW + 5 * MINUTE),
      conditions: `${DONE} DownloadAvailable=True/DownloadExpiring ${AT_REST}`,
      events: 'Warning DownloadExpiring',
      next: 5 * MINUTE + SECOND,
    },
    {
      name: 'a download a second before it expires',
      body: ready(NOW + SECOND),
      conditions: `${DONE} DownloadAvailable=True/DownloadExpiring ${AT_REST}`,
      events: 'Warning DownloadExpiring',
      next: 2 * SECOND,
    },
    {
      name: 'a download at the instant it expires',
      body: ready(NOW),
      conditions: `${DONE} DownloadAvailable=False/DownloadExpired ${AT_REST}`,
      events: '',
      next: 10 * MINUTE,
    },
    {
      name: 'a download that expired a second less than an hour ago, still READY',
      body: ready(NOW - HOUR + SECOND),
      conditions: `${DONE} DownloadAvailable=False/DownloadExpired ${AT_REST}`,
      events: '',
      next: 10 * MINUTE,
    },
    {
      name: 'a download that expired an hour ago, still READY',
      body: ready(NOW - HOUR),
      conditions: `${DONE} DownloadAvailable=False/DownloadExpired ${AT_REST}`,
      events: '',
      next: 'never',
    },
    {
      name: 'a download without expires',
      body: delivery(FINISHED, { statusName: 'READY', url: 'https://example.org/x' }),
      conditions: `${DONE} DownloadAvailable=True/DownloadReady ${AT_REST}`,
      events: 'Normal DownloadReady',
      next: HOUR,
    },
    {
      name: 'a download whose expires is no date',
      body: delivery(FINISHED, { statusName: 'READY', url: 'https://example.org/x', expires: 'expires 3' }),
      conditions: `${DONE} DownloadAvailable=True/DownloadReady ${AT_REST}`,
      events: 'Normal DownloadReady',
      next: HOUR,
    },
    {
      name: 'a download with nothing but urlV2',
      body: delivery(FINISHED, {
        statusName: 'READY',
        urlV2: 'https://example.org/x',
        expires: atlasDate(NOW + 48 * HOUR),
      }),
      conditions: `${DONE} DownloadAvailable=True/DownloadReady ${AT_REST}`,
      events: 'Normal DownloadReady',
      next: 10 * MINUTE,
    },
    ended('a download that expired at Atlas', 'EXPIRED', 'DownloadExpired'),
    ended('a download that is used up', 'MAX_DOWNLOADS_EXCEEDED', 'MaxDownloadsExceeded'),
    ended('a download that failed', 'FAILED', 'DownloadFailed', 'Warning'),
    ended('a download that was interrupted', 'INTERRUPTED', 'DownloadFailed', 'Warning'),
    {
      name: 'the published example',
      body: PUBLISHED_EXAMPLE,
      conditions: `${DONE} DownloadAvailable=False/DownloadExpired ${AT_REST}`,
      events: '',
      next: 'never',
    },
    {
      name: 'an automated restore by its method',
      body: delivery(FINISHED, { methodName: 'AUTOMATED_RESTORE', statusName: 'PENDING' }),
      conditions: `${DONE} ${AT_REST}`,
      events: '',
      next: 'never',
    },
    {
      name: 'an automated restore by its target',
      body: automatedRestoreInto(REF, {
        groupId: REF.groupId,
        clusterId: '5a66689487d9d61443b46149',
        clusterName: 'B',
      }),
      conditions: `${DONE} ${AT_REST}`,
      events: '',
      next: 'never',
    },
    {
      name: 'READY without a url or a target: most likely an automated restore',
      body: automatedRestore(REF),
      conditions: `${DONE} ${AT_REST}`,
      events: '',
      next: 10 * MINUTE,
    },
  ];

  test.each(rows)('$name', (row) => {
    const result = reconcile(resource(), fetched(row.body));
    expect({ conditions: shown(result.status), events: events(result), next: next(result) }).toEqual({
      conditions: row.conditions,
      events: row.events,
      next: row.next,
    });
    expect(result).toMatchObject({ failures: 0, result: 'success', log: { level: 'info' } });
  });

  test.each(rows)('$name: the same response again writes nothing and says nothing', (row) => {
    const { status, events: told, log } = reconcile(after([fetched(row.body)]), fetched(row.body), { now: NOW + 999 });
    expect({ status, told, level: log?.level }).toEqual({ status: undefined, told: [], level: 'debug' });
  });

  test('every field is mirrored under its own name', () => {
    const { status } = reconcile(resource(), fetched(PUBLISHED_EXAMPLE));
    expect(RestoreJob.parse(status)).toEqual(PUBLISHED_EXAMPLE);
  });

  test('an interval of the spec goes before the setting', () => {
    const job = resource({ spec: { ...SPEC, interval: '90s' } });
    expect(next(reconcile(job, fetched(youngJob(REF))))).toBe(90 * SECOND);
  });

  test('a status nobody knows is named, a line break in it is not passed on', () => {
    const status = reconcile(resource(), fetched({ ...youngJob(REF), statusName: 'OPEN\nWIDE' })).status;
    expect(conditionOf(status, 'Ready')?.message).toContain('Atlas says: OPEN WIDE.');
  });

  test('until when a download is ready stands in its message', () => {
    const { status } = reconcile(resource(), fetched(ready(NOW + HOUR)));
    expect(conditionOf(status, 'DownloadAvailable')?.message).toContain('until 2030-01-01T01:00:00Z');
  });
});

describe('the story of a job', () => {
  test.each([
    { name: 'it finishes', before: [fetched(youngJob(REF))], outcome: fetched(FINISHED), told: 'Normal JobFinished' },
    {
      name: 'it breaks',
      before: [fetched(youngJob(REF))],
      outcome: fetched(brokenJob(REF)),
      told: 'Warning JobBroken',
    },
    {
      name: 'its download gets ready',
      before: [fetched(FINISHED)],
      outcome: fetched(ready(NOW + HOUR)),
      told: 'Normal DownloadReady',
    },
    {
      name: 'hashes appear',
      before: [fetched(ready(NOW + HOUR))],
      outcome: fetched(fetchedDownload(REF, atlasDate(NOW + HOUR))),
      told: '',
    },
    {
      name: 'it finishes, and its download is ready at once',
      before: [fetched(youngJob(REF))],
      outcome: fetched(ready(NOW + HOUR)),
      told: 'Normal JobFinished, Normal DownloadReady',
    },
    {
      name: 'it finishes, and nothing of its download was seen',
      before: [fetched(youngJob(REF))],
      outcome: fetched(endedDownload(REF, 'EXPIRED', atlasDate(NOW - HOUR))),
      told: 'Normal JobFinished, Normal DownloadExpired',
    },
    {
      name: 'its download is used up',
      before: [fetched(ready(NOW + HOUR))],
      outcome: fetched(endedDownload(REF, 'MAX_DOWNLOADS_EXCEEDED', atlasDate(NOW + HOUR))),
      told: 'Normal MaxDownloadsExceeded',
    },
    {
      name: 'it has ended before the first try that works',
      before: [PERMANENT],
      outcome: fetched(automatedRestore(REF)),
      told: 'Normal JobFetched',
    },
    {
      name: 'its download expires',
      before: [fetched(ready(NOW + HOUR))],
      outcome: fetched(endedDownload(REF, 'EXPIRED', atlasDate(NOW + HOUR))),
      told: 'Normal DownloadExpired',
    },
    {
      name: 'Atlas answers again',
      before: [fetched(youngJob(REF)), TRANSIENT],
      outcome: fetched(youngJob(REF)),
      told: 'Normal JobFetched',
    },
    {
      name: 'the first try failed',
      before: [PERMANENT],
      outcome: fetched(youngJob(REF)),
      told: 'Normal JobFetched, Normal JobInProgress',
    },
    {
      name: 'another error',
      before: [fetched(youngJob(REF)), TRANSIENT],
      outcome: PERMANENT,
      told: 'Warning Unauthorized',
    },
    { name: 'it is suspended', before: [fetched(youngJob(REF))], outcome: SUSPENDED, told: 'Normal Suspended' },
    {
      name: 'it is resumed',
      before: [fetched(youngJob(REF)), SUSPENDED],
      outcome: fetched(youngJob(REF)),
      told: 'Normal JobFetched',
    },
  ])('$name', ({ before, outcome, told }) => {
    expect(events(reconcile(after(before), outcome))).toBe(told);
  });

  test('a download turns into an automated restore: the condition goes', () => {
    const result = reconcile(after([fetched(FINISHED)]), fetched(automatedRestore(REF)));
    expect(shown(result.status)).toBe('Ready=True/JobFinished Synced=True/JobFetched Reconciling=False/JobFinished');
  });

  test('the clock alone makes a download unavailable, also while Atlas cannot be asked', () => {
    const job = after([fetched(ready(NOW + HOUR))]);
    const result = reconcile(job, TRANSIENT, { now: NOW + HOUR });
    expect(conditionOf(result.status, 'DownloadAvailable')).toMatchObject({
      status: 'False',
      reason: 'DownloadExpired',
    });
  });
});

describe('a download that expires soon', () => {
  const EXPIRES = NOW + 2 * HOUR;
  const LATE = { now: EXPIRES - HOUR + SECOND };
  const READY = after([fetched(ready(EXPIRES))]);
  const at = (asOf: number, body: JsonObject): Outcome => ({
    ...fetched(body),
    kind: 'fetched',
    response: responseOf(body),
    asOf,
    deliveryFailure: undefined,
  });
  const late = (body: JsonObject): Outcome => at(LATE.now, body);
  const available = (status: Status | undefined) => conditionOf(status, 'DownloadAvailable');

  test('and that nobody has downloaded changes the reason once, with a warning', () => {
    const early = reconcile(READY, at(EXPIRES - HOUR, ready(EXPIRES)), { now: EXPIRES - HOUR });
    expect([early.status, early.events]).toEqual([undefined, []]);
    const first = reconcile(READY, late(ready(EXPIRES)), LATE);
    expect(first.events).toMatchObject([{ type: 'Warning', reason: 'DownloadExpiring' }]);
    expect(available(first.status)).toMatchObject({ status: 'True', reason: 'DownloadExpiring' });
    expect(available(first.status)?.message).toContain('until 2030-01-01T02:00:00Z. ');
    expect(available(first.status)?.lastTransitionTime).toBe(available(READY.status)?.lastTransitionTime);
    expect(first.status?.lastChangeTime).toBe(READY.status.lastChangeTime);
    // Whoever reconciles it next, after a restart or as another replica, finds in status that it was told.
    const told = written(READY, first.status);
    for (const outcome of [at(EXPIRES - MINUTE, ready(EXPIRES)), TRANSIENT, PERMANENT, SUSPENDED]) {
      const later = reconcile(told, outcome, { now: EXPIRES - MINUTE });
      expect(events(later)).not.toContain('DownloadExpiring');
      if (outcome.kind === 'fetched') expect(later.status).toBeUndefined();
    }
  });

  test.each([
    ['a transient error', TRANSIENT, 'Warning AtlasUnavailable, Warning DownloadExpiring'],
    ['a permanent error', PERMANENT, 'Warning Unauthorized, Warning DownloadExpiring'],
  ])('is told through %s too', (_, outcome, told) => {
    expect(events(reconcile(READY, outcome, LATE))).toBe(told);
  });

  test('is ready again once somebody has downloaded it', () => {
    const body = fetchedDownload(REF, atlasDate(EXPIRES));
    expect(events(reconcile(READY, late(body), LATE))).toBe('');
    const expiring = after([late(ready(EXPIRES))], READY, LATE);
    const { status } = reconcile(expiring, late(body), LATE);
    expect(available(status)).toMatchObject({
      status: 'True',
      reason: 'DownloadReady',
      message: 'The restore file can be downloaded until 2030-01-01T02:00:00Z.',
    });
  });

  test('is told again when Atlas had given it more time', () => {
    const expiring = after([late(ready(EXPIRES))], READY, LATE);
    const extended = reconcile(expiring, late(ready(EXPIRES + HOUR)), LATE);
    expect(available(extended.status)?.reason).toBe('DownloadReady');
    const later = { now: LATE.now + HOUR };
    const result = reconcile(written(expiring, extended.status), at(later.now, ready(EXPIRES + HOUR)), later);
    expect(events(result)).toBe('Warning DownloadExpiring');
  });

  test('a response to a request from before the end says nothing of the end', () => {
    const result = reconcile(READY, at(EXPIRES - SECOND, ready(EXPIRES)), { now: EXPIRES + MINUTE });
    expect(available(result.status)?.reason).toBe('DownloadExpiring');
    expect(next(result)).toBe(SECOND);
  });

  test.each([
    ['without a time', delivery(FINISHED, { statusName: 'READY', url: 'https://example.org/x' })],
    ['that is no download', automatedRestore(REF)],
    ['that is over', endedDownload(REF, 'EXPIRED', atlasDate(EXPIRES))],
  ])('never is one %s', (_, body) => {
    expect(events(reconcile(after([fetched(FINISHED)]), late(body), LATE))).not.toContain('DownloadExpiring');
  });
});

describe('status.reason, what to look at first', () => {
  test.each([
    { name: 'in sync: how the job is', before: [], outcome: fetched(brokenJob(REF)), reason: 'JobBroken' },
    { name: 'a failure goes first', before: [fetched(FINISHED)], outcome: PERMANENT, reason: 'Unauthorized' },
    { name: 'suspended', before: [fetched(youngJob(REF))], outcome: SUSPENDED, reason: 'Suspended' },
  ])('$name', ({ before, outcome, reason }) => {
    expect(reconcile(after(before), outcome).status?.reason).toBe(reason);
  });
});

describe('READY without a url or a target', () => {
  const mirrored = after([fetched(automatedRestore(REF))]);
  const later = (minutes: number) => ({ now: NOW + minutes * MINUTE });

  test('is looked at for an hour after the last change, also when fetches fail, then never', () => {
    expect(next(reconcile(mirrored, fetched(automatedRestore(REF)), later(59)))).toBe(10 * MINUTE);
    expect(next(reconcile(mirrored, fetched(automatedRestore(REF)), later(60)))).toBe('never');
    expect(next(reconcile(mirrored, PERMANENT, later(59)))).toBe(27 * SECOND);
    expect(next(reconcile(mirrored, PERMANENT, later(60)))).toBe('never');
  });

  test('a url that appears makes it a download', () => {
    const result = reconcile(mirrored, fetched(ready(NOW + 48 * HOUR)), later(10));
    expect(conditionOf(result.status, 'DownloadAvailable')).toMatchObject({ status: 'True', reason: 'DownloadReady' });
  });
});

describe('suspended', () => {
  test.each([
    {
      name: 'nothing mirrored',
      before: [],
      conditions: 'Ready=Unknown/Suspended Synced=Unknown/Suspended Reconciling=False/Suspended',
    },
    {
      name: 'running: Reconciling turns False',
      before: [fetched(youngJob(REF))],
      conditions:
        'Ready=False/JobInProgress Synced=Unknown/Suspended DownloadAvailable=False/DownloadPending Reconciling=False/Suspended',
    },
    {
      name: 'stalled by an error: Stalled goes',
      before: [fetched(youngJob(REF)), PERMANENT],
      conditions:
        'Ready=False/JobInProgress Synced=Unknown/Suspended DownloadAvailable=False/DownloadPending Reconciling=False/Suspended',
    },
    {
      name: 'broken: Stalled stays',
      before: [fetched(brokenJob(REF))],
      conditions:
        'Ready=False/JobBroken Synced=Unknown/Suspended DownloadAvailable=False/JobBroken Reconciling=False/JobBroken Stalled=True/JobBroken',
    },
    {
      name: 'killed: Stalled stays',
      before: [fetched(killedJob(REF))],
      conditions:
        'Ready=False/JobKilled Synced=Unknown/Suspended DownloadAvailable=False/JobKilled Reconciling=False/JobKilled Stalled=True/JobKilled',
    },
    {
      name: 'finished',
      before: [fetched(ready(NOW + 48 * HOUR))],
      conditions:
        'Ready=True/JobFinished Synced=Unknown/Suspended DownloadAvailable=True/DownloadReady Reconciling=False/JobFinished',
    },
  ])('$name', ({ before, conditions }) => {
    const job = { ...after(before), generation: 2, requestedAt: 'please' };
    const result = reconcile(job, SUSPENDED, { failures: 5 });
    expect(shown(result.status)).toBe(conditions);
    expect(result).toMatchObject({ requeueAfter: undefined, failures: 0, result: 'suspended' });
    expect(result.status).toMatchObject({ observedGeneration: 2 });
    expect(result.status?.lastHandledReconcileAt).toBeUndefined();
    expect(RestoreJob.parse(result.status)).toEqual(RestoreJob.parse(job.status));
    expect(reconcile(written(job, result.status), SUSPENDED, { now: NOW + HOUR }).status).toBeUndefined();
  });
});

describe('generations, requests and times', () => {
  test.each([
    { name: 'an answer', outcome: fetched(youngJob(REF)) },
    { name: 'a permanent failure', outcome: PERMANENT },
    { name: 'a transient failure', outcome: TRANSIENT },
    { name: 'a suspend', outcome: SUSPENDED },
    {
      name: 'a delivery Secret that was refused',
      outcome: fetched(ready(NOW + 48 * HOUR), refused('DeliverySecretConflict')),
    },
  ])(
    '$name observes the generation, on top and in every condition, also where it changes nothing else',
    ({ outcome }) => {
      const job = { ...after([outcome]), generation: 7 };
      const status = statusOf(reconcile(job, outcome, { now: NOW + HOUR }));
      expect(status.observedGeneration).toBe(7);
      expect(status.conditions?.map(({ observedGeneration }) => observedGeneration)).toEqual(
        status.conditions?.map(() => 7),
      );
      expect(shown(status)).toBe(shown(job.status));
    },
  );

  test.each([
    { name: 'an answer', outcome: fetched(youngJob(REF)), answered: true },
    { name: 'a permanent failure', outcome: PERMANENT, answered: true },
    { name: 'a transient failure', outcome: TRANSIENT, answered: true },
    { name: 'a suspend', outcome: SUSPENDED, answered: false },
  ])('requestedAt and $name', ({ outcome, answered }) => {
    const before = { ...after([outcome]), requestedAt: 'monday' };
    const monday = written(before, reconcile(before, outcome).status);
    expect(monday.status.lastHandledReconcileAt).toBe(answered ? 'monday' : undefined);
    const tuesday = reconcile({ ...monday, requestedAt: 'tuesday' }, outcome).status;
    expect(tuesday?.lastHandledReconcileAt).toBe(answered ? 'tuesday' : undefined);
    // An annotation that was taken away changes nothing.
    expect(reconcile({ ...monday, requestedAt: undefined }, outcome).status).toBeUndefined();
  });

  test('a request that came during the reconcile is not answered by it', () => {
    const job = resource({ requestedAt: 'second' });
    expect(reconcile(job, fetched(FINISHED), { requestedAt: 'first' }).status?.lastHandledReconcileAt).toBe('first');
    expect(reconcile(job, fetched(FINISHED), { requestedAt: undefined }).status).not.toHaveProperty(
      'lastHandledReconcileAt',
    );
  });

  test('lastChangeTime moves only with the mirrored content', () => {
    const job = after([fetched(youngJob(REF))]);
    const time = (outcome: Outcome, changed = job) =>
      reconcile(changed, outcome, { now: NOW + HOUR }).status?.lastChangeTime;
    expect(job.status.lastChangeTime).toBe('2030-01-01T00:00:00Z');
    expect(time(TRANSIENT)).toBe('2030-01-01T00:00:00Z');
    expect(time(SUSPENDED)).toBe('2030-01-01T00:00:00Z');
    expect(time(fetched(youngJob(REF)), { ...job, generation: 2 })).toBe('2030-01-01T00:00:00Z');
    expect(time(fetched(pendingDownload(REF)))).toBe('2030-01-01T01:00:00Z');
    expect(reconcile(resource(), PERMANENT).status).not.toHaveProperty('lastChangeTime');
  });

  test('lastTransitionTime moves only with the status of its condition', () => {
    const running = after([fetched(youngJob(REF))]);
    const { status } = reconcile(running, fetched(brokenJob(REF)), { now: NOW + HOUR });
    const times = Object.fromEntries((status?.conditions ?? []).map((one) => [one.type, one.lastTransitionTime]));
    expect(times).toEqual({
      Ready: '2030-01-01T00:00:00Z', // False before and after, for another reason
      Synced: '2030-01-01T00:00:00Z',
      DownloadAvailable: '2030-01-01T00:00:00Z',
      Reconciling: '2030-01-01T01:00:00Z',
      Stalled: '2030-01-01T01:00:00Z',
    });
  });

  test('a field that vanished from Atlas vanishes from status', () => {
    const { batchId: _batchId, hashes: _hashes, ...less } = PUBLISHED_EXAMPLE;
    const { status } = reconcile(after([fetched(PUBLISHED_EXAMPLE)]), fetched(less));
    expect(RestoreJob.parse(status)).toEqual(less);
  });

  test('fields that nobody knows are dropped and never compared', () => {
    const job = after([fetched(youngJob(REF))]);
    expect(reconcile(job, fetched({ ...youngJob(REF), polls: 17 })).status).toBeUndefined();
  });
});

describe('whatever happens', () => {
  const CANARY = 'canary-8f3a';
  const word = fc.constantFrom(
    'READY',
    'PENDING',
    'EXPIRED',
    'FAILED',
    'NOT_STARTED',
    'MAX_DOWNLOADS_EXCEEDED',
    'PAUSED',
  );
  const odd = fc.constantFrom<JsonObject[string]>(null, 7, true, [], {}, 'x'.repeat(200));
  const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
  const deliveries = fc.record({
    methodName: fc.constantFrom('HTTP', 'AUTOMATED_RESTORE', 'SCP', 'QUERY'),
    statusName: fc.oneof({ weight: 9, arbitrary: word }, { weight: 1, arbitrary: odd }),
    url: optional(fc.constant(`https://example.org/${CANARY}-url`)),
    urlV2: optional(fc.constant(`https://example.org/${CANARY}-v2`)),
    authHeader: optional(fc.constant(`x-${CANARY}-header`)),
    authValue: optional(fc.constant(`${CANARY}-value`)),
    expires: optional(
      fc.oneof(
        fc.integer({ min: -2, max: 50 }).map((hours) => atlasDate(NOW + hours * HOUR)),
        fc.string(),
      ),
    ),
    targetClusterName: optional(fc.constantFrom('', 'Cluster1')),
  });
  const bodies = fc
    .record({
      id: fc.constant(REF.jobId),
      statusName: fc.oneof(
        { weight: 9, arbitrary: fc.constantFrom('IN_PROGRESS', 'FINISHED', 'BROKEN', 'KILLED', 'OPEN') },
        { weight: 1, arbitrary: fc.oneof(odd, fc.string()) },
      ),
      delivery: fc.oneof({ weight: 9, arbitrary: optional(deliveries) }, { weight: 1, arbitrary: odd }),
      hashes: optional(fc.array(fc.record({ hash: fc.oneof(fc.string(), odd) }), { maxLength: 20 })),
      created: optional(odd),
    })
    // Undefined members go, as on the wire.
    .map((body): JsonObject => JSON.parse(JSON.stringify(body)));
  const deliveryFailures = fc.constantFrom(
    undefined,
    refused('DeliverySecretConflict'),
    refused('DeliverySecretForbidden'),
  );
  const failures = fc
    .tuple(
      fc.constantFrom(400, 401, 403, 404, 410, 500, 503),
      optional(fc.constantFrom('A_CODE', 'CLUSTER_NOT_FOUND')),
      fc.string(),
    )
    .map(([status, code, detail]) => failed(status, code, detail));
  const outcomes = fc.oneof(
    { weight: 4, arbitrary: fc.tuple(bodies, deliveryFailures).map(([body, failure]) => fetched(body, failure)) },
    { weight: 2, arbitrary: failures },
    fc.constantFrom(SUSPENDED, withoutCredentials('SecretNotFound', 'Secret a/b does not exist.'), invalidOutcome(), {
      kind: 'interrupted' as const,
      error: new Error(CANARY),
    }),
    fc.constantFrom(0, 59, 61).map((seconds): Outcome => ({ kind: 'waiting', pause: paused(seconds * SECOND) })),
  );
  const steps = fc.array(
    fc.record({
      outcome: outcomes,
      minutes: fc.integer({ min: 0, max: 600 }),
      edited: fc.boolean(),
      requestedAt: optional(fc.constantFrom('one', 'two')),
      deliverySecretName: optional(fc.constant('download')),
      deliveryUrlInStatus: fc.boolean(),
      random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    }),
    { maxLength: 12 },
  );

  function invalidOutcome(): Outcome {
    return failedBy(new AtlasError('ATLAS_NOT_A_RESTORE_JOB', 'Atlas answered 200, but not with a restore job'));
  }

  test('the promises of the status hold after every reconcile of any life', () => {
    fc.assert(
      fc.property(steps, (life) => {
        let job = resource();
        let now = NOW;
        let failuresInARow = 0;
        for (const { outcome, minutes, edited, requestedAt, deliverySecretName, deliveryUrlInStatus, random } of life) {
          now += minutes * MINUTE;
          const { deliverySecretName: _before, ...spec } = job.spec;
          job = {
            ...job,
            requestedAt,
            generation: job.generation + (edited ? 1 : 0),
            spec: edited ? { ...spec, ...(deliverySecretName === undefined ? {} : { deliverySecretName }) } : job.spec,
          };
          const given = { now, deliveryUrlInStatus, failures: failuresInARow, random: () => random };
          const result = reconcile(job, outcome, given);
          holds(job, outcome, given, result);
          job = written(job, result.status);
          failuresInARow = result.failures;
          expect(reconcile(job, outcome, given).status).toBeUndefined();
        }
      }),
      { numRuns: 400 },
    );
  });

  function holds(
    job: LegacyRestoreJob,
    outcome: Outcome,
    given: Partial<ReconcileInput>,
    result: ReconcileResult,
  ): void {
    expectRequeue(result.requeueAfter);
    expect(result.failures).toBeGreaterThanOrEqual(0);
    const told = JSON.stringify([result.events, result.log, result.status?.conditions]);
    expect(told).not.toContain(CANARY);
    expect(told).not.toMatch(/https?:\/\//);
    const now = written(job, result.status);
    if (kstatus(now) === 'Current') expect(now.status.statusName).toBe('FINISHED');
    if (result.status === undefined) return;
    expect(result.status.observedGeneration).toBe(job.generation);
    expectConditions(result.status, job.status, given.now);
    const content = RestoreJob.parse(result.status);
    const withheld = job.spec.deliverySecretName !== undefined || given.deliveryUrlInStatus === false;
    const kept = outcome.kind === 'fetched' ? outcome.response.job : RestoreJob.parse(job.status);
    if (withheld) expect(JSON.stringify(content)).not.toContain(CANARY);
    else expect(content).toEqual(kept);
    expect(JSON.stringify(result.status)).not.toContain(`${CANARY}-value`);
    const mirrored = ({ urlWithheld, ...status }: Status) =>
      JSON.stringify([sorted(RestoreJob.parse(status)), urlWithheld]);
    const changed = mirrored(result.status) !== mirrored(job.status);
    expect(result.status.lastChangeTime).toBe(changed ? shortTime(given.now) : job.status.lastChangeTime);
  }

  function expectConditions(status: Status, before: Status, now: number | undefined): void {
    const conditions: readonly Condition[] = status.conditions ?? [];
    const types = conditions.map(({ type }) => type);
    expect(new Set(types).size).toBe(types.length);
    expect(types.slice(0, 2)).toEqual(['Ready', 'Synced']);
    expect(types).toContain('Reconciling');
    const reconciling = conditionOf(status, 'Reconciling')?.status;
    expect(['True', 'False']).toContain(reconciling);
    if (types.includes('Stalled'))
      expect([conditionOf(status, 'Stalled')?.status, reconciling]).toEqual(['True', 'False']);
    if (status.statusName === 'FINISHED') {
      expect(conditionOf(status, 'Ready')?.status).toBe('True');
      expect(reconciling).toBe('False');
      expect(types).not.toContain('Stalled');
    } else {
      expect(conditionOf(status, 'Ready')?.status).not.toBe('True');
    }
    const synced = conditionOf(status, 'Synced');
    expect(status.reason).toBe(synced?.status === 'True' ? conditionOf(status, 'Ready')?.reason : synced?.reason);
    const failing = synced?.status !== 'True' && synced?.reason !== 'Suspended';
    expect(status.failure !== undefined).toBe(failing);
    for (const condition of conditions) {
      expect(condition.message).not.toBe('');
      expect(condition.message.length).toBeLessThan(1_000);
      expect(condition.message).not.toMatch(/[\n\r]/);
      expect(condition.observedGeneration).toBe(status.observedGeneration);
      expect(Object.keys(REASONS)).toContain(condition.reason);
      const previous = conditionOf(before, condition.type);
      if (previous?.status === condition.status) expect(condition.lastTransitionTime).toBe(previous.lastTransitionTime);
      else expect(condition.lastTransitionTime).toBe(shortTime(now));
    }
  }

  function expectRequeue(requeueAfter: number | undefined): void {
    if (requeueAfter === undefined) return;
    expect(requeueAfter).toBeGreaterThanOrEqual(0);
    expect(requeueAfter).toBeLessThanOrEqual(1.1 * 24 * HOUR);
  }

  const sorted = (value: object): unknown => stored(Status.parse(value));
  const shortTime = (time: number | undefined): string => `${new Date(time ?? 0).toISOString().slice(0, 19)}Z`;
});

test('with public/v1.0 neither status nor events nor the log say Atlas', () => {
  const outcomes = [
    youngJob,
    openJob,
    brokenJob,
    pendingDownload,
    (ref: typeof REF) => readyDownload(ref, atlasDate(NOW)),
  ]
    .map((body) => fetched(body(REF)))
    .concat([PERMANENT, TRANSIENT, unreachable('ECONNRESET')]);
  for (const outcome of outcomes) {
    const { status, events: emitted, log } = reconcile(resource(), outcome, { atlasApi: 'public/v1.0' });
    const { links: _, ...told } = status ?? {};
    expect(JSON.stringify([told, emitted, log])).not.toMatch(/\bAtlas\b/);
    expect(JSON.stringify(told)).toContain('Ops Manager or Cloud Manager');
  }
});
