import { describe, expect, test } from '@jest/globals';
import type { ApiError } from '../../../src/api/api-error.ts';
import type { Status } from '../../../src/api/legacy-restore-job.ts';
import { RestoreJob } from '../../../src/api/restore-job.ts';
import { errorFromResponse } from '../../../src/atlas/errors.ts';
import type { Failure } from '../../../src/restore-job/failure.ts';
import type { Outcome } from '../../../src/restore-job/outcome.ts';
import type { SyncedReason } from '../../../src/restore-job/reasons.ts';
import {
  automatedRestore,
  brokenJob,
  killedJob,
  openJob,
  PUBLISHED_EXAMPLE,
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
import { conditionOf, resource, SPEC, written } from '../support/resources.ts';

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
