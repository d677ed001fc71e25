import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ApiError } from '../../../src/api/api-error.ts';
import { type Condition, type LegacyRestoreJob, Status } from '../../../src/api/legacy-restore-job.ts';
import { RestoreJob } from '../../../src/api/restore-job.ts';
import { AtlasError, errorFromResponse } from '../../../src/atlas/errors.ts';
import { type Failure, failureOfAtlas } from '../../../src/restore-job/failure.ts';
import type { Outcome, Pause } from '../../../src/restore-job/outcome.ts';
import { REASONS, type SyncedReason } from '../../../src/restore-job/reasons.ts';
import {
  type ReconcileInput,
  type ReconcileResult,
  reconcileResult,
} from '../../../src/restore-job/reconcile-result.ts';
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
  urlV2Download,
  youngJob,
} from '../../support/atlas-simulator/recorded-bodies.ts';
import { conditionOf, kstatus, resource, responseOf, SPEC, stored, written } from '../support/resources.ts';

const NOW = Date.parse('2030-01-01T00:00:00Z');
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const REF = { groupId: SPEC.groupId, clusterName: SPEC.clusterName, jobId: SPEC.jobId };

// Outcomes

const fetched = (body: JsonObject, deliveryFailure?: Failure): Outcome => ({
  kind: 'fetched',
  response: responseOf(body),
  asOf: NOW,
  deliveryFailure,
});

/** As reconcile makes it of an error of the Atlas client. */
function failed(httpStatus: number, errorCode?: string, detail?: string): Outcome {
  const apiError: ApiError = {
    error: httpStatus,
    ...(errorCode === undefined ? {} : { errorCode }),
    ...(detail === undefined ? {} : { detail }),
  };
  const described = errorCode !== undefined || detail !== undefined;
  return failedBy(errorFromResponse(httpStatus, described ? apiError : undefined, undefined));
}

const failedBy = (error: AtlasError): Outcome => ({ kind: 'failed', failure: failureOfAtlas(error), grace: false });

const unreachable = (code: string): Outcome =>
  failedBy(new AtlasError('ATLAS_UNREACHABLE', `Atlas cannot be reached (${code})`));

/** As reconcile makes it of credentials that cannot be used. */
const withoutCredentials = (reason: 'SecretNotFound' | 'SecretInvalid', detail: string): Outcome => ({
  kind: 'failed',
  failure: { origin: 'content', reason, detail },
  grace: false,
});

const refused = (reason: 'DeliverySecretConflict' | 'DeliverySecretForbidden'): Failure =>
  reason === 'DeliverySecretConflict'
    ? { origin: 'content', reason, detail: 'Secret payments/download exists and does not belong to this resource' }
    : {
        origin: 'kubernetes',
        reason,
        verb: 'write',
        object: 'Secret payments/download',
        isForbidden: true,
        code: 403,
        statusReason: 'Forbidden',
        statusMessage: 'secrets "download" is forbidden: not you',
      };

const SUSPENDED: Outcome = { kind: 'suspended' };
const PERMANENT = failed(401, 'USER_UNAUTHORIZED', 'not you');
const TRANSIENT = failed(503);

// Reconciles

/** Jitter is ±0 and full jitter is a half. */
function reconcile(job: LegacyRestoreJob, outcome: Outcome, more: Partial<ReconcileInput> = {}): ReconcileResult {
  const result = reconcileResult({
    job,
    requestedAt: job.requestedAt,
    outcome,
    failures: 0,
    atlasApi: 'atlas/v1.0',
    defaultInterval: MINUTE,
    deliveryUrlInStatus: true,
    missingFields: [],
    now: NOW,
    random: () => 0.5,
    ...more,
  });
  if (result.status !== undefined) expect(Status.parse(result.status)).toEqual(result.status);
  return result;
}

/** The resource after these outcomes, one reconcile each. */
function after(outcomes: readonly Outcome[], job = resource(), more: Partial<ReconcileInput> = {}): LegacyRestoreJob {
  return outcomes.reduce((before, outcome) => written(before, reconcile(before, outcome, more).status), job);
}

function statusOf(result: ReconcileResult): Status {
  if (result.status === undefined) throw new Error('nothing was written');
  return result.status;
}

/** `Ready=True/JobFinished Synced=True/JobFetched …` in the order of the list. */
const shown = (status: Status | undefined): string =>
  (status?.conditions ?? []).map(({ type, status: is, reason }) => `${type}=${is}/${reason}`).join(' ');
const events = (result: ReconcileResult): string =>
  result.events.map(({ type, reason }) => `${type} ${reason}`).join(', ');
const next = ({ requeueAfter }: ReconcileResult): number | 'never' => requeueAfter ?? 'never';

const delivery = (body: JsonObject, members: JsonObject): JsonObject => ({
  ...body,
  delivery: { methodName: 'HTTP', ...members },
});
const ready = (expiresAt: number): JsonObject => readyDownload(REF, atlasDate(expiresAt));
const without = (body: JsonObject, name: string): JsonObject =>
  Object.fromEntries(Object.entries(body).filter(([member]) => member !== name));

const FINISHED = pendingDownload(REF);
const URL_OF_READY = /https:\/\/api-backup/;

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

describe('failures', () => {
  const RUNNING = 'Ready=False/JobInProgress';
  const PENDING = 'DownloadAvailable=False/DownloadPending';
  const NOTHING: readonly Outcome[] = [];

  test.each([
    {
      name: 'permanent, nothing mirrored',
      before: NOTHING,
      outcome: PERMANENT,
      conditions:
        'Ready=False/Unauthorized Synced=False/Unauthorized Reconciling=False/Unauthorized Stalled=True/Unauthorized',
      next: 27 * SECOND,
    },
    {
      name: 'transient, nothing mirrored',
      before: NOTHING,
      outcome: TRANSIENT,
      conditions: 'Ready=Unknown/AtlasUnavailable Synced=Unknown/AtlasUnavailable Reconciling=True/AtlasUnavailable',
      next: SECOND,
    },
    {
      name: 'permanent, running',
      before: [fetched(youngJob(REF))],
      outcome: PERMANENT,
      conditions: `${RUNNING} Synced=False/Unauthorized ${PENDING} Reconciling=False/Unauthorized Stalled=True/Unauthorized`,
      next: 27 * SECOND,
    },
    {
      name: 'transient, running',
      before: [fetched(youngJob(REF))],
      outcome: TRANSIENT,
      conditions: `${RUNNING} Synced=Unknown/AtlasUnavailable ${PENDING} Reconciling=True/AtlasUnavailable`,
      next: SECOND,
    },
    {
      name: 'permanent, a status nobody knows',
      before: [fetched(openJob(REF))],
      outcome: PERMANENT,
      conditions: `Ready=Unknown/JobStatusUnknown Synced=False/Unauthorized ${PENDING} Reconciling=False/Unauthorized Stalled=True/Unauthorized`,
      next: 27 * SECOND,
    },
    {
      name: 'permanent, mirrored without a status',
      before: [fetched(without(youngJob(REF), 'statusName'))],
      outcome: PERMANENT,
      conditions: `Ready=Unknown/JobStatusUnknown Synced=False/Unauthorized ${PENDING} Reconciling=False/Unauthorized Stalled=True/Unauthorized`,
      next: 27 * SECOND,
    },
    {
      name: 'permanent, finished and pending',
      before: [fetched(FINISHED)],
      outcome: PERMANENT,
      conditions: `Ready=True/JobFinished Synced=False/Unauthorized ${PENDING} Reconciling=False/JobFinished`,
      next: 27 * SECOND,
    },
    {
      name: 'permanent, a ready download',
      before: [fetched(ready(NOW + 2 * HOUR))],
      outcome: PERMANENT,
      conditions:
        'Ready=True/JobFinished Synced=False/Unauthorized DownloadAvailable=True/DownloadReady Reconciling=False/JobFinished',
      next: 27 * SECOND,
    },
    {
      name: 'transient, a ready download',
      before: [fetched(ready(NOW + 2 * HOUR))],
      outcome: TRANSIENT,
      conditions:
        'Ready=True/JobFinished Synced=Unknown/AtlasUnavailable DownloadAvailable=True/DownloadReady Reconciling=False/JobFinished',
      next: SECOND,
    },
    {
      name: 'permanent, nothing can change any more',
      before: [fetched(PUBLISHED_EXAMPLE)],
      outcome: PERMANENT,
      conditions:
        'Ready=True/JobFinished Synced=False/Unauthorized DownloadAvailable=False/DownloadExpired Reconciling=False/JobFinished',
      next: 'never',
    },
    {
      name: 'permanent, an automated restore',
      before: [fetched(delivery(FINISHED, { methodName: 'AUTOMATED_RESTORE', statusName: 'READY' }))],
      outcome: PERMANENT,
      conditions: 'Ready=True/JobFinished Synced=False/Unauthorized Reconciling=False/JobFinished',
      next: 'never',
    },
    {
      name: 'permanent, broken',
      before: [fetched(brokenJob(REF))],
      outcome: PERMANENT,
      conditions:
        'Ready=False/JobBroken Synced=False/Unauthorized DownloadAvailable=False/JobBroken Reconciling=False/JobBroken Stalled=True/JobBroken',
      next: 'never',
    },
    {
      name: 'transient, killed',
      before: [fetched(killedJob(REF))],
      outcome: TRANSIENT,
      conditions:
        'Ready=False/JobKilled Synced=Unknown/AtlasUnavailable DownloadAvailable=False/JobKilled Reconciling=False/JobKilled Stalled=True/JobKilled',
      next: SECOND,
    },
  ])('$name', ({ before, outcome, conditions, next: expected }) => {
    const job = after(before);
    const result = reconcile(job, outcome);
    expect({ conditions: shown(result.status), next: next(result) }).toEqual({ conditions, next: expected });
    expect(result).toMatchObject({ failures: 1, result: 'error', log: { level: 'warn' } });
    expect(result.events).toMatchObject([{ type: 'Warning', reason: conditionOf(result.status, 'Synced')?.reason }]);
    // The last good content stays.
    expect(RestoreJob.parse(result.status)).toEqual(RestoreJob.parse(job.status));
    expect(result.status?.lastChangeTime).toBe(job.status.lastChangeTime);
  });

  const CODES: readonly (readonly [number, string | undefined, SyncedReason, string])[] = [
    [400, 'BACKUP_JOB_NOT_FOUND', 'BackupNotEnabled', 'False'],
    [400, 'VALIDATION_ERROR', 'BadRequest', 'False'],
    [401, 'UNEXPECTED_ERROR', 'Unauthorized', 'False'],
    [402, 'ACCOUNT_SUSPENDED', 'PaymentRequired', 'False'],
    [403, 'IP_ADDRESS_NOT_ON_ACCESS_LIST', 'AccessListDenied', 'False'],
    [403, 'ACCESS_FORBIDDEN', 'Forbidden', 'False'],
    [404, 'RESTORE_JOB_NOT_FOUND', 'JobNotFound', 'False'],
    [404, 'CLUSTER_NOT_FOUND', 'ClusterNotFound', 'False'],
    [404, 'INVALID_GROUP_ID', 'GroupNotFound', 'False'],
    [410, 'VERSION_GONE', 'VersionGone', 'False'],
    [500, 'UNEXPECTED_ERROR', 'AtlasUnavailable', 'Unknown'],
    [503, undefined, 'AtlasUnavailable', 'Unknown'],
  ];
  test.each(CODES)('Atlas answers %s %s: Synced says %s', (httpStatus, errorCode, reason, is) => {
    const { status } = reconcile(resource(), failed(httpStatus, errorCode));
    expect(conditionOf(status, 'Synced')).toMatchObject({ status: is, reason });
    expect(conditionOf(status, 'Ready')).toMatchObject({ status: is, reason });
  });

  test.each(['SecretNotFound', 'SecretInvalid'] as const)('%s', (reason) => {
    const result = reconcile(resource(), withoutCredentials(reason, 'Secret payments/atlas-key is not right.'));
    expect(shown(result.status)).toBe(
      `Ready=False/${reason} Synced=False/${reason} Reconciling=False/${reason} Stalled=True/${reason}`,
    );
    expect(conditionOf(result.status, 'Stalled')?.message).toMatch(/^Secret payments\/atlas-key is not right\. [A-Z]/);
  });

  test('once FINISHED, failures move nothing but Synced', () => {
    const others = (status: Status | undefined) => status?.conditions?.filter(({ type }) => type !== 'Synced');
    const job = after([fetched(ready(NOW + 48 * HOUR))]);
    for (const outcome of [PERMANENT, TRANSIENT, failed(404, 'CLUSTER_NOT_FOUND')]) {
      const result = reconcile(job, outcome, { now: NOW + HOUR });
      expect(others(result.status)).toEqual(others(job.status));
    }
  });

  test.each([
    {
      name: 'the same error',
      first: failed(404, 'CLUSTER_NOT_FOUND', 'a'),
      second: failed(404, 'CLUSTER_NOT_FOUND', 'a'),
    },
    {
      name: 'other words',
      first: failed(404, 'CLUSTER_NOT_FOUND', 'a'),
      second: failed(404, 'CLUSTER_NOT_FOUND', 'b'),
    },
    { name: 'no words', first: failed(404, 'CLUSTER_NOT_FOUND', 'a'), second: failed(404, 'CLUSTER_NOT_FOUND') },
    { name: 'the same 5xx', first: failed(503), second: failed(503) },
    {
      name: 'other words without a code',
      first: failed(503, undefined, 'first'),
      second: failed(503, undefined, 'second'),
    },
    { name: 'the same network error', first: unreachable('ECONNRESET'), second: unreachable('ECONNRESET') },
    {
      name: 'the same Secret problem',
      first: withoutCredentials('SecretInvalid', 'Secret a/b lacks the key clientId.'),
      second: withoutCredentials('SecretInvalid', 'Secret a/b lacks the key clientId.'),
    },
  ])('a repeated failure writes nothing and is logged quietly: $name', ({ first, second }) => {
    for (const before of [[], [fetched(youngJob(REF))], [fetched(FINISHED)], [fetched(brokenJob(REF))]]) {
      const result = reconcile(after([...before, first]), second, { now: NOW + HOUR, failures: 1 });
      expect(result.status).toBeUndefined();
      expect(result.events).toEqual([]);
      expect(result.log?.level).toBe('debug');
      expect(result.failures).toBe(2);
    }
  });

  test.each([
    { name: 'another errorCode', first: failed(404, 'INVALID_CLUSTER_ID'), second: failed(404, 'CLUSTER_NOT_FOUND') },
    { name: 'an errorCode where none was', first: failed(404), second: failed(404, 'RESTORE_JOB_NOT_FOUND') },
    { name: 'no errorCode where one was', first: failed(404, 'RESTORE_JOB_NOT_FOUND'), second: failed(404) },
    { name: 'another 5xx', first: failed(502, undefined, 'x'), second: failed(503, undefined, 'x') },
    { name: 'no response where one was', first: failed(503), second: unreachable('ECONNRESET') },
    { name: 'another network error', first: unreachable('ECONNRESET'), second: unreachable('ECONNREFUSED') },
    { name: 'another reason', first: failed(403, 'ACCESS_FORBIDDEN'), second: failed(401, 'USER_UNAUTHORIZED') },
    {
      name: 'another Secret problem',
      first: withoutCredentials('SecretInvalid', 'Secret a/b lacks the key clientId.'),
      second: withoutCredentials('SecretInvalid', 'Secret a/b has an empty clientId.'),
    },
  ])('a failure of another kind is written: $name', ({ first, second }) => {
    for (const before of [[], [fetched(youngJob(REF))], [fetched(FINISHED)]]) {
      const result = reconcile(after([...before, first]), second, { now: NOW + HOUR, failures: 1 });
      if (second.kind !== 'failed') throw new Error('not a failure');
      expect(conditionOf(result.status, 'Synced')?.reason).toBe(second.failure.reason);
      expect(result.status?.failure).toEqual(statusOf(reconcile(resource(), second)).failure);
      expect(conditionOf(result.status, 'Synced')?.message).toBe(
        conditionOf(reconcile(resource(), second).status, 'Synced')?.message,
      );
    }
  });

  test('the back-off grows with the failures in a row and ends with a success', () => {
    const transient = [0, 1, 2, 30].map((failures) => next(reconcile(resource(), TRANSIENT, { failures })));
    const permanent = [0, 1, 2, 30].map((failures) => next(reconcile(resource(), PERMANENT, { failures })));
    expect(transient).toEqual([SECOND, 2 * SECOND, 4 * SECOND, 60 * SECOND]);
    expect(permanent).toEqual([27 * SECOND, 54 * SECOND, 108 * SECOND, 54 * MINUTE]);
    expect(reconcile(resource(), fetched(youngJob(REF)), { failures: 30 }).failures).toBe(0);
  });

  test('a reconcile that the API server interrupted says nothing about the resource', () => {
    const result = reconcile(
      after([fetched(youngJob(REF))]),
      { kind: 'interrupted', error: new Error('x') },
      { failures: 2 },
    );
    expect(result).toEqual({
      status: undefined,
      events: [],
      log: undefined,
      requeueAfter: 4 * SECOND,
      failures: 3,
      result: 'error',
    });
  });
});

describe('status.failure', () => {
  const failureAfter = (outcome: Outcome, job = resource()): Status['failure'] =>
    reconcile(job, outcome).status?.failure;
  const apiError: ApiError = {
    error: 400,
    errorCode: 'VALIDATION_ERROR',
    reason: 'Bad Request',
    detail: 'Validation failed.',
    parameters: ['groupId', '7'],
    badRequestDetail: { fields: [{ field: 'groupId', description: 'must be 24 digits' }, { field: 'jobId' }] },
  };
  const badRequest = (error: ApiError): Outcome => failedBy(errorFromResponse(400, error, undefined));

  test("shows every field of Atlas's error, and the message names the fields of a bad request", () => {
    const { status } = reconcile(resource(), badRequest(apiError));
    expect(status?.failure).toEqual(apiError);
    expect(conditionOf(status, 'Synced')?.message).toBe(
      'Atlas answered 400 VALIDATION_ERROR (Validation failed.; fields groupId: must be 24 digits, jobId). ' +
        'Check spec.groupId, spec.clusterName and spec.jobId. To correct an immutable field, delete the resource and create it again.',
    );
  });

  test('has only the cause where Atlas described nothing', () => {
    expect(failureAfter(failed(503))).toEqual({ detail: 'Atlas answered 503' });
    expect(failureAfter(unreachable('ECONNRESET'))).toEqual({ detail: 'Atlas cannot be reached (ECONNRESET)' });
  });

  test('has the code, the reason and the sentence of the API server', () => {
    const secretly = resource({ spec: { ...SPEC, deliverySecretName: 'download' } });
    const { status } = reconcile(secretly, fetched(ready(NOW + HOUR), refused('DeliverySecretForbidden')));
    expect(status?.failure).toEqual({
      error: 403,
      errorCode: 'Forbidden',
      detail: 'secrets "download" is forbidden: not you',
    });
    expect(conditionOf(status, 'Synced')?.message).toMatch(
      /^The operator may not write Secret payments\/download: secrets "download" is forbidden: not you\. Allow/,
    );
  });

  test('is bounded and printable, whatever came', () => {
    const failure = failureAfter(
      badRequest({
        error: 400,
        errorCode: 'A\nB',
        detail: '\u202e'.repeat(5) + 'ü'.repeat(3_000),
        parameters: Array.from({ length: 40 }, () => 'x'.repeat(5_000)),
        badRequestDetail: { fields: Array.from({ length: 50 }, () => ({ field: 'é'.repeat(2_000) })) },
      }),
    );
    expect(failure?.errorCode).toBe('A B');
    expect(failure?.parameters).toHaveLength(16);
    expect(failure?.badRequestDetail?.fields).toHaveLength(32);
    const texts = [failure?.detail, ...(failure?.parameters ?? []), failure?.badRequestDetail?.fields?.[0]?.field];
    for (const text of texts) expect(Buffer.byteLength(text ?? '')).toBeLessThanOrEqual(1_024);
    expect(JSON.stringify(failure)).not.toMatch(/[\p{Cc}\p{Cf}\ufffd]/u);
  });

  test('is bounded and printable where a webhook says as much as it likes, and so is the message', () => {
    const secretly = resource({ spec: { ...SPEC, deliverySecretName: 'download' } });
    const deliveryFailure: Failure = {
      origin: 'kubernetes',
      reason: 'DeliverySecretRefused',
      verb: 'write',
      object: 'Secret payments/download',
      isForbidden: false,
      code: 400,
      statusReason: '',
      statusMessage: `a\n\u202e${'x'.repeat(5_000)}`,
    };
    const { status } = reconcile(secretly, fetched(ready(NOW + HOUR), deliveryFailure));
    const message = conditionOf(status, 'Synced')?.message ?? '';
    expect([message.length < 600, Buffer.byteLength(status?.failure?.detail ?? '')]).toEqual([true, 1_024]);
    expect(message + status?.failure?.detail).not.toMatch(/[\p{Cc}\p{Cf}\ufffd]/u);
  });

  test('goes with the failure, and is not there while suspended', () => {
    const job = after([PERMANENT]);
    expect(job.status).toHaveProperty('failure');
    expect(reconcile(job, fetched(youngJob(REF))).status).not.toHaveProperty('failure');
    expect(reconcile(job, SUSPENDED).status).not.toHaveProperty('failure');
  });

  test('an installed schema without it leaves the reason to tell failures apart', () => {
    const missingFields = ['status.failure'];
    const job = after([failed(404, 'INVALID_CLUSTER_ID')], resource(), { missingFields });
    expect(job.status).not.toHaveProperty('failure');
    expect(reconcile(job, failed(404, 'CLUSTER_NOT_FOUND'), { missingFields }).status).toBeUndefined();
    expect(reconcile(job, failed(404, 'GROUP_NOT_FOUND'), { missingFields }).status).toBeDefined();
  });
});

describe('the grace period', () => {
  const early = (outcome: Outcome): Outcome => (outcome.kind === 'failed' ? { ...outcome, grace: true } : outcome);
  const missing = withoutCredentials('SecretNotFound', 'Secret payments/atlas-key does not exist');

  test.each([
    ['SecretNotFound', missing, 5 * SECOND],
    [
      'SecretInvalid',
      withoutCredentials('SecretInvalid', 'Secret payments/atlas-key lacks the key clientId'),
      5 * SECOND,
    ],
    ['Unauthorized', PERMANENT, 10 * SECOND],
  ])('%s is expected to pass: nobody is told, and it is tried soon', (reason, outcome, expected) => {
    const result = reconcile(resource(), early(outcome), { failures: 3 });
    expect(shown(result.status)).toBe(`Ready=Unknown/${reason} Synced=Unknown/${reason} Reconciling=True/${reason}`);
    expect(result).toMatchObject({ events: [], failures: 3, requeueAfter: expected, log: { level: 'debug' } });
    expect(result.status?.failure).toBeDefined();
    const again = reconcile(written(resource(), result.status), early(outcome));
    expect(again).toMatchObject({ status: undefined, events: [] });
  });

  test('at its end the failure is told, although the reason is the same', () => {
    const job = after([early(missing)]);
    const result = reconcile(job, missing);
    expect(shown(result.status)).toBe(
      'Ready=False/SecretNotFound Synced=False/SecretNotFound Reconciling=False/SecretNotFound Stalled=True/SecretNotFound',
    );
    expect(events(result)).toBe('Warning SecretNotFound');
    expect(result.log?.level).toBe('warn');
  });

  test('what has passed within it leaves no event', () => {
    const result = reconcile(after([early(missing)]), fetched(youngJob(REF)));
    expect(events(result)).toBe('Normal JobInProgress');
  });
});

describe('an unexpected error of the operator', () => {
  const outcome: Outcome = {
    kind: 'failed',
    failure: { origin: 'content', reason: 'InternalError', detail: 'TypeError' },
    grace: false,
  };

  test('is transient, and its class is told', () => {
    const result = reconcile(resource(), outcome);
    expect(conditionOf(result.status, 'Synced')).toMatchObject({ status: 'Unknown', reason: 'InternalError' });
    expect(result.status?.failure).toEqual({ detail: 'TypeError' });
    expect(events(result)).toBe('Warning InternalError');
  });

  test('gets the permanent back-off after ten in a row', () => {
    expect([8, 9].map((failures) => next(reconcile(resource(), outcome, { failures })))).toEqual([
      60 * SECOND,
      0.9 * 60 * MINUTE,
    ]);
  });
});

describe('content that cannot be stored as it was sent', () => {
  const body = (members: JsonObject): JsonObject => ({ ...youngJob(REF), ...members });

  // As JSON.parse gives it.
  test.each([
    ['a lone surrogate', { masterKeyUUID: 'a\ud800b' }, { masterKeyUUID: 'a\ufffdb' }],
    ['a negative zero', { timestamp: { increment: -0 } }, { timestamp: { increment: 0 } }],
  ])('%s is stored in the form that comes back, so that nothing is written twice', (_, sent, stored) => {
    const response = { ...responseOf(youngJob(REF)), job: { ...responseOf(youngJob(REF)).job, ...sent } };
    const outcome: Outcome = { kind: 'fetched', response, asOf: NOW, deliveryFailure: undefined };
    const result = reconcile(resource(), outcome);
    // toMatchObject takes -0 and 0 for different.
    expect(result.status).toMatchObject(stored);
    expect(reconcile(written(resource(), result.status), outcome).status).toBeUndefined();
  });

  test.each([
    ['a text of 3 MB', 'x'.repeat(3 * 1_048_576), true],
    ['a text of 16 KiB', 'x'.repeat(16 * 1_024), false],
    ['a text of 16 KiB and a byte', 'x'.repeat(16 * 1_024 + 1), true],
    ['a text of 3,000 characters that are stored as six bytes each', '<'.repeat(3_000), true],
  ])('%s: is dropped and named, or kept', (_, text, isDropped) => {
    const status = statusOf(reconcile(resource(), fetched(body({ masterKeyUUID: text }))));
    expect('masterKeyUUID' in status).toBe(!isDropped);
    const message = conditionOf(status, 'Synced')?.message ?? '';
    if (isDropped) expect(message).toContain('too long or of another type than documented: masterKeyUUID.');
    else expect(message).toBe("The status equals Atlas's last response.");
  });

  test('links, then hashes are kept as far as there is room, and it is said how many', () => {
    const hashes = Array.from({ length: 2_000 }, (_, index) => ({
      fileName: `${index}`.padStart(900, 'f'),
      hash: 'h',
    }));
    const links = Array.from({ length: 10 }, () => ({ rel: 'self', href: 'x'.repeat(1_000) }));
    const { status } = reconcile(resource(), fetched(body({ hashes, links })));
    expect(status?.links).toHaveLength(10);
    const kept = status?.hashes?.length ?? 0;
    expect(kept).toBeGreaterThan(500);
    expect(kept).toBeLessThan(600);
    expect(Buffer.byteLength(JSON.stringify(status))).toBeLessThan(530 * 1_024);
    expect(conditionOf(status, 'Synced')?.message).toContain(`hashes holds ${kept} of 2000.`);
  });

  test('whatever it is, it fits and is written once', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.constantFrom('<&>'.repeat(9_000), 'ü'.repeat(9_000)),
    );
    const bodies = fc.record({
      id: fc.constant(REF.jobId),
      statusName: fc.constant('IN_PROGRESS'),
      masterKeyUUID: text,
      hashes: fc.array(fc.record({ fileName: text, hash: text }), { maxLength: 60 }),
      links: fc.array(fc.record({ href: text, rel: text }), { maxLength: 60 }),
    });
    fc.assert(
      fc.property(bodies, (sent) => {
        const first = statusOf(reconcile(resource(), fetched(sent)));
        const { conditions: _conditions, ...content } = first;
        const bytes = JSON.stringify(content).replace(/[<>&]/g, '123456');
        expect(Buffer.byteLength(bytes)).toBeLessThan(513 * 1_024);
        expect(reconcile(written(resource(), first), fetched(sent)).status).toBeUndefined();
      }),
      { numRuns: 50 },
    );
  });
});

describe('a download URL inside links', () => {
  const href = 'https://api-backup.mongodb.com/backup/restore/v2/pull/1/key/file.tar.gz';
  const body = {
    ...ready(NOW + 48 * HOUR),
    links: [
      { rel: 'self', href: 'https://cloud.mongodb.com/x' },
      { rel: 'x', href },
    ],
  };

  test('goes where URLs are kept out of status', () => {
    const { status } = reconcile(resource(), fetched(body), { deliveryUrlInStatus: false });
    expect(status?.links).toEqual([{ rel: 'self', href: 'https://cloud.mongodb.com/x' }]);
    expect(
      reconcile(written(resource(), status), fetched(body), { deliveryUrlInStatus: false }).status,
    ).toBeUndefined();
  });

  test('stays where they may stand there', () => {
    expect(reconcile(resource(), fetched(body)).status?.links).toHaveLength(2);
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

const paused = (forMs: number): Pause => ({ forMs, apiError: { error: 429, errorCode: 'RATE_LIMITED' } });

describe('waiting for a budget', () => {
  const waiting = (forMs: number | undefined): Outcome => ({
    kind: 'waiting',
    pause: forMs === undefined ? undefined : paused(forMs),
  });

  test('behind our own rate: nothing is said, and nobody comes back before the turn', () => {
    const result = reconcile(resource(), waiting(undefined), { failures: 3 });
    expect(result).toMatchObject({
      status: undefined,
      events: [],
      requeueAfter: undefined,
      failures: 3,
      result: 'requeue',
    });
  });

  test('a pause of less than a minute says nothing, and one reconcile is due when it becomes visible', () => {
    const result = reconcile(resource(), waiting(59 * SECOND));
    expect(result).toMatchObject({ status: undefined, events: [], requeueAfter: SECOND });
  });

  test.each([
    {
      name: 'nothing mirrored',
      before: [],
      conditions: 'Ready=Unknown/RateLimited Synced=Unknown/RateLimited Reconciling=True/RateLimited',
    },
    {
      name: 'running',
      before: [fetched(youngJob(REF))],
      conditions:
        'Ready=False/JobInProgress Synced=Unknown/RateLimited DownloadAvailable=False/DownloadPending Reconciling=True/RateLimited',
    },
    {
      name: 'finished',
      before: [fetched(automatedRestore(REF))],
      conditions: 'Ready=True/JobFinished Synced=Unknown/RateLimited Reconciling=False/JobFinished',
    },
  ])('a pause of a minute is visible: $name', ({ before, conditions }) => {
    const job = { ...after(before), requestedAt: 'please' };
    const result = reconcile(job, waiting(MINUTE), { failures: 3 });
    expect(shown(result.status)).toBe(conditions);
    expect(result).toMatchObject({ requeueAfter: undefined, failures: 3, result: 'requeue' });
    expect(result.status?.lastHandledReconcileAt).toBeUndefined();
    // The turn has not come when somebody looks again.
    expect(reconcile(written(job, result.status), waiting(MINUTE), { now: NOW + HOUR }).status).toBeUndefined();
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

describe('what could not be mirrored is named in the message of Synced', () => {
  const synced = (body: JsonObject): string =>
    conditionOf(reconcile(resource(), fetched(body)).status, 'Synced')?.message ?? '';

  test('nothing to name', () => {
    expect(synced(PUBLISHED_EXAMPLE)).toBe(REASONS.JobFetched.meaning);
  });

  test('ill-typed and null members', () => {
    const body = { ...delivery(FINISHED, { statusName: 'READY', expires: 5 }), created: null, hashes: [{ hash: 7 }] };
    expect(synced(body)).toContain(
      'null, too long or of another type than documented: created, delivery.expires, hashes[0].hash.',
    );
  });

  test('the eleventh and more are counted', () => {
    const hashes = Array.from({ length: 13 }, () => ({ hash: null }));
    expect(synced({ ...FINISHED, hashes })).toContain('hashes[9].hash and 3 more.');
  });

  test('2,000 hashes are kept of more', () => {
    const hashes = Array.from({ length: 2_500 }, (_, index) => ({ fileName: `${index}` }));
    const { status } = reconcile(resource(), fetched({ ...FINISHED, hashes }));
    expect(status?.hashes?.at(-1)).toEqual({ fileName: '1999' });
    expect(conditionOf(status, 'Synced')?.message).toContain('hashes holds 2000 of 2500.');
  });
});

describe('the URL kept out of status', () => {
  const V2 = urlV2Download(REF, atlasDate(NOW + 2 * HOUR));
  const secretly = resource({ spec: { ...SPEC, deliverySecretName: 'download' } });
  const ways: readonly { name: string; job: LegacyRestoreJob; more: Partial<ReconcileInput> }[] = [
    { name: 'by deliverySecretName', job: secretly, more: {} },
    { name: 'by the setting', job: resource(), more: { deliveryUrlInStatus: false } },
  ];

  test('without either it is in status, authValue never', () => {
    const { status } = reconcile(resource(), fetched(V2));
    expect(status?.delivery).toMatchObject({
      url: expect.anything(),
      urlV2: expect.anything(),
      authHeader: expect.anything(),
    });
    expect(JSON.stringify(status)).not.toContain(responseOf(V2).authValue);
  });

  test.each(ways)('$name: url, urlV2 and authHeader are absent, the rest is right', ({ job, more }) => {
    const result = reconcile(job, fetched(V2), more);
    expect(result.status?.delivery).toEqual({
      expirationHours: 48,
      maxDownloads: 2147483647,
      methodName: 'HTTP',
      statusName: 'READY',
      expires: '2030-01-01T02:00:00Z',
    });
    expect(shown(result.status)).toBe(
      'Ready=True/JobFinished Synced=True/JobFetched DownloadAvailable=True/DownloadReady Reconciling=False/JobFinished',
    );
    expect(result.status?.urlWithheld).toBe(true);
    expect(next(result)).toBe(10 * MINUTE);
  });

  test.each(ways)(
    '$name: a URL that was in status before goes with the next reconcile, whatever that finds',
    ({ job, more }) => {
      const before = { ...job, status: after([fetched(V2)], resource()).status };
      for (const outcome of [TRANSIENT, PERMANENT, SUSPENDED]) {
        const { status } = reconcile(before, outcome, more);
        expect(status?.delivery).toMatchObject({ statusName: 'READY', expires: '2030-01-01T02:00:00Z' });
        for (const name of ['url', 'urlV2', 'authHeader']) expect(status?.delivery).not.toHaveProperty(name);
        expect(conditionOf(status, 'DownloadAvailable')).toMatchObject({ status: 'True', reason: 'DownloadReady' });
      }
    },
  );

  test.each(ways)('$name: later reconciles still take it for a download', ({ job, more }) => {
    const kept = after([fetched(V2)], job, more);
    expect(reconcile(kept, fetched(V2), more).status).toBeUndefined();
    for (const outcome of [TRANSIENT, PERMANENT, SUSPENDED]) {
      const { status } = reconcile(kept, outcome, more);
      expect(conditionOf(status, 'DownloadAvailable')).toMatchObject({ status: 'True', reason: 'DownloadReady' });
    }
    expect(next(reconcile(kept, PERMANENT, more))).toBe(27 * SECOND);
  });

  test.each(ways)('$name: an automated restore is still told from a download', ({ job, more }) => {
    const result = reconcile(job, fetched(automatedRestore(REF)), more);
    expect(shown(result.status)).toBe('Ready=True/JobFinished Synced=True/JobFetched Reconciling=False/JobFinished');
    expect(result.status).not.toHaveProperty('urlWithheld');
  });

  test.each(['DeliverySecretConflict', 'DeliverySecretForbidden'] as const)(
    '%s: everything but the URL is mirrored, and Atlas is asked as the schedule says',
    (reason) => {
      const result = reconcile(secretly, fetched(V2, refused(reason)), { failures: 1 });
      expect(shown(result.status)).toBe(
        `Ready=True/JobFinished Synced=False/${reason} DownloadAvailable=True/DownloadReady Reconciling=False/JobFinished`,
      );
      expect(JSON.stringify(result.status)).not.toMatch(URL_OF_READY);
      expect(result.status).toMatchObject({ snapshotId: '5a6669d9fcc178211a0d86b9', links: V2['links'] });
      expect(result).toMatchObject({ failures: 2, result: 'error', requeueAfter: 10 * MINUTE });
      expect(events(result)).toBe(`Warning ${reason}, Normal DownloadReady`);
      const again = reconcile(written(secretly, result.status), fetched(V2, refused(reason)), { failures: 2 });
      expect(again).toMatchObject({ status: undefined, events: [], failures: 3, log: { level: 'debug' } });
    },
  );

  test('that there is one is said only where it is kept out, and no longer once it may be shown', () => {
    expect(reconcile(resource(), fetched(V2)).status).not.toHaveProperty('urlWithheld');
    const kept = after([fetched(V2)], resource(), { deliveryUrlInStatus: false });
    expect(kept.status.urlWithheld).toBe(true);
    expect(reconcile(kept, fetched(V2)).status).not.toHaveProperty('urlWithheld');
    // Nobody knows the URL while Atlas does not respond.
    expect(reconcile(kept, TRANSIENT).status?.urlWithheld).toBe(true);
  });
});

describe('fields that the installed schema lacks', () => {
  const missingFields = ['spec.suspend', 'status.hashes', 'status.delivery.url', 'status.snapshotId'];
  const body = fetchedDownload(REF, atlasDate(NOW + HOUR));

  test('are left out of status, and the rest is written', () => {
    const { hashes: _hashes, snapshotId: _snapshot, delivery: told, ...rest } = responseOf(body).job;
    const { url: _url, ...kept } = told ?? {};
    const status = statusOf(reconcile(resource(), fetched(body), { missingFields }));
    expect(RestoreJob.parse(status)).toEqual({ ...rest, delivery: kept });
    expect(shown(status)).toContain('DownloadAvailable=True/DownloadReady');
  });

  test('cause no write, no event and no new time of change at the next reconcile', () => {
    const job = after([fetched(body)], resource(), { missingFields });
    const again = reconcile(job, fetched(body), { missingFields, now: NOW + MINUTE });
    expect([again.status, again.events, next(again)]).toEqual([undefined, [], 10 * MINUTE]);
    const asked = statusOf(
      reconcile({ ...job, requestedAt: 'now' }, fetched(body), { missingFields, now: NOW + MINUTE }),
    );
    expect(asked).toEqual({ ...job.status, lastHandledReconcileAt: 'now' });
  });

  test('cause no write while the cache is of the time before a downgrade', () => {
    const job = after([fetched(body)]);
    const failing = statusOf(reconcile(job, TRANSIENT, { missingFields, now: NOW + MINUTE }));
    expect(failing.lastChangeTime).toBe(job.status.lastChangeTime);
    expect(reconcile(job, fetched(body), { missingFields, now: NOW + MINUTE }).status).toBeUndefined();
  });

  test('are filled by the next reconcile once the schema is current', () => {
    const job = after([fetched(body)], resource(), { missingFields });
    const filled = statusOf(reconcile(job, fetched(body), { now: NOW + MINUTE }));
    expect(RestoreJob.parse(filled)).toEqual(responseOf(body).job);
    expect(filled.lastChangeTime).toBe('2030-01-01T00:01:00Z');
  });

  test('also where one of them is the operator’s own', () => {
    const own = ['status.lastChangeTime', 'status.lastHandledReconcileAt'];
    const job = after([fetched(body)], resource({ requestedAt: 'now' }), { missingFields: own });
    expect(job.status).not.toHaveProperty('lastChangeTime');
    expect(reconcile(job, fetched(body), { missingFields: own, now: NOW + MINUTE }).status).toBeUndefined();
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
