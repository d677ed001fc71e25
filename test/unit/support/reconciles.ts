/** Outcomes, and the results of reconciles with them on a clock that stands still. */
import { expect } from '@jest/globals';
import type { ApiError } from '../../../src/api/api-error.ts';
import { type LegacyRestoreJob, Status } from '../../../src/api/legacy-restore-job.ts';
import { AtlasError, errorFromResponse } from '../../../src/atlas/errors.ts';
import { type Failure, failureOfAtlas } from '../../../src/restore-job/failure.ts';
import type { Outcome, Pause } from '../../../src/restore-job/outcome.ts';
import {
  type ReconcileInput,
  type ReconcileResult,
  reconcileResult,
} from '../../../src/restore-job/reconcile-result.ts';
import type { JsonObject } from '../../support/atlas-simulator/json.ts';
import { atlasDate, pendingDownload, readyDownload } from '../../support/atlas-simulator/recorded-bodies.ts';
import { resource, responseOf, SPEC, written } from './resources.ts';

export const NOW = Date.parse('2030-01-01T00:00:00Z');
export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const REF = { groupId: SPEC.groupId, clusterName: SPEC.clusterName, jobId: SPEC.jobId };

// Outcomes

export const fetched = (body: JsonObject, deliveryFailure?: Failure): Outcome => ({
  kind: 'fetched',
  response: responseOf(body),
  asOf: NOW,
  deliveryFailure,
});

/** As reconcile makes it of an error of the Atlas client. */
export function failed(httpStatus: number, errorCode?: string, detail?: string): Outcome {
  const apiError: ApiError = {
    error: httpStatus,
    ...(errorCode === undefined ? {} : { errorCode }),
    ...(detail === undefined ? {} : { detail }),
  };
  const described = errorCode !== undefined || detail !== undefined;
  return failedBy(errorFromResponse(httpStatus, described ? apiError : undefined, undefined));
}

export const failedBy = (error: AtlasError): Outcome => ({
  kind: 'failed',
  failure: failureOfAtlas(error),
  grace: false,
});

export const unreachable = (code: string): Outcome =>
  failedBy(new AtlasError('ATLAS_UNREACHABLE', (server) => `${server} cannot be reached (${code})`));

/** As reconcile makes it of credentials that cannot be used. */
export const withoutCredentials = (reason: 'SecretNotFound' | 'SecretInvalid', detail: string): Outcome => ({
  kind: 'failed',
  failure: { origin: 'content', reason, detail },
  grace: false,
});

export const refused = (reason: 'DeliverySecretConflict' | 'DeliverySecretForbidden'): Failure =>
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

export const paused = (forMs: number): Pause => ({ forMs, apiError: { error: 429, errorCode: 'RATE_LIMITED' } });

export const SUSPENDED: Outcome = { kind: 'suspended' };
export const PERMANENT = failed(401, 'USER_UNAUTHORIZED', 'not you');
export const TRANSIENT = failed(503);

// Reconciles

/** Jitter is ±0 and full jitter is a half. */
export function reconcile(
  job: LegacyRestoreJob,
  outcome: Outcome,
  more: Partial<ReconcileInput> = {},
): ReconcileResult {
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
export function after(
  outcomes: readonly Outcome[],
  job = resource(),
  more: Partial<ReconcileInput> = {},
): LegacyRestoreJob {
  return outcomes.reduce((before, outcome) => written(before, reconcile(before, outcome, more).status), job);
}

export function statusOf(result: ReconcileResult): Status {
  if (result.status === undefined) throw new Error('nothing was written');
  return result.status;
}

/** `Ready=True/JobFinished Synced=True/JobFetched …` in the order of the list. */
export const shown = (status: Status | undefined): string =>
  (status?.conditions ?? []).map(({ type, status: is, reason }) => `${type}=${is}/${reason}`).join(' ');
export const events = (result: ReconcileResult): string =>
  result.events.map(({ type, reason }) => `${type} ${reason}`).join(', ');
export const next = ({ requeueAfter }: ReconcileResult): number | 'never' => requeueAfter ?? 'never';

export const delivery = (body: JsonObject, members: JsonObject): JsonObject => ({
  ...body,
  delivery: { methodName: 'HTTP', ...members },
});
export const ready = (expiresAt: number): JsonObject => readyDownload(REF, atlasDate(expiresAt));
export const without = (body: JsonObject, name: string): JsonObject =>
  Object.fromEntries(Object.entries(body).filter(([member]) => member !== name));

export const FINISHED = pendingDownload(REF);
export const URL_OF_READY = /https:\/\/api-backup/;
