/** Resources in every state of their lives, as the operator itself writes them, and the health that each must have. */
import type { LegacyRestoreJob } from '../../../src/api/legacy-restore-job.ts';
import { API_VERSION, KIND } from '../../../src/api/legacy-restore-job.ts';
import { AtlasError, errorFromResponse } from '../../../src/atlas/errors.ts';
import { atlasErrorCodes } from '../../../src/restore-job/atlas-failures.ts';
import { type Failure, failureOfAtlas } from '../../../src/restore-job/failure.ts';
import type { Outcome } from '../../../src/restore-job/outcome.ts';
import { entryOf, meaningOf } from '../../../src/restore-job/reasons.ts';
import { reconcileResult } from '../../../src/restore-job/reconcile-result.ts';
import { resource, responseOf, SPEC, written } from '../../unit/support/resources.ts';
import type { JsonObject } from '../atlas-simulator/json.ts';
import {
  atlasDate,
  automatedRestore,
  automatedRestoreInto,
  brokenJob,
  endedDownload,
  fetchedDownload,
  killedJob,
  openJob,
  pendingDownload,
  pointInTimeDownload,
  readyDownload,
  urlV2Download,
  youngJob,
} from '../atlas-simulator/recorded-bodies.ts';

/** What Argo CD, kstatus and Flux's healthCheckExprs make of a resource, by the situation it is in. */
export const HEALTH = {
  'not reconciled yet, or changed since': { argocd: 'Progressing', kstatus: 'InProgress', flux: 'InProgress' },
  'running, or in a status nobody knows': { argocd: 'Progressing', kstatus: 'InProgress', flux: 'InProgress' },
  'not finished, and an error that may pass': { argocd: 'Progressing', kstatus: 'InProgress', flux: 'InProgress' },
  'not finished, and an error that needs a person': { argocd: 'Degraded', kstatus: 'Failed', flux: 'Failed' },
  'not finished, and suspended': { argocd: 'Suspended', kstatus: 'InProgress', flux: 'Current' },
  'BROKEN or KILLED, whatever comes later': { argocd: 'Degraded', kstatus: 'Failed', flux: 'Failed' },
  'FINISHED, whatever comes later': { argocd: 'Healthy', kstatus: 'Current', flux: 'Current' },
} as const;
export type Situation = keyof typeof HEALTH;

export interface Life {
  readonly name: string;
  readonly situation: Situation;
  /** The resource as the API server has it. */
  readonly object: ReturnType<typeof sent>;
}

/** All of them. */
export function lives(): readonly Life[] {
  return [
    life('fresh', 'not reconciled yet, or changed since', []),
    ...OPEN.map(([name, body]) => life(name, 'running, or in a status nobody knows', [fetched(body)])),
    ...ENDED.map(([name, body]) => life(name, 'BROKEN or KILLED, whatever comes later', [fetched(body)])),
    ...FINISHED.map(([name, body]) => life(name, 'FINISHED, whatever comes later', [fetched(body)])),
    ...BEGINNINGS.flatMap(([name, before, situation]) =>
      FAILURES.map((failure) =>
        life(`${name}, then ${nameOf(failure)}`, situation ?? situationOf(failure), [...before, failure]),
      ),
    ),
    ...BEGINNINGS.map(([name, before, situation]) =>
      life(`${name}, then suspended`, situation ?? 'not finished, and suspended', before, 'suspended'),
    ),
    ...FAILURES.map((failure) =>
      life(`${nameOf(failure)}, then suspended`, 'not finished, and suspended', [failure], 'suspended'),
    ),
    ...REFUSALS.map((delivery) =>
      life(`running, ${delivery.reason}`, 'running, or in a status nobody knows', [fetched(youngJob(SPEC), delivery)]),
    ),
    ...REFUSALS.map((delivery) =>
      life(`finished, ${delivery.reason}`, 'FINISHED, whatever comes later', [fetched(READY, delivery)]),
    ),
  ];
}

/** The same resource after a change of its spec that the operator has not seen. */
export function changed({ name, object }: Life): Life {
  const metadata = { ...object.metadata, generation: object.metadata.generation + 1 };
  return {
    name: `${name}, then changed`,
    situation: 'not reconciled yet, or changed since',
    object: { ...object, metadata },
  };
}

const NOW = Date.parse('2030-01-01T00:00:00Z');
const TOMORROW = atlasDate(NOW + 86_400_000);
const SOON = atlasDate(NOW + 1_800_000);
const YESTERDAY = atlasDate(NOW - 86_400_000);
const READY = readyDownload(SPEC, TOMORROW);
const TARGET = { groupId: SPEC.groupId, clusterId: '5a66689487d9d61443b46150', clusterName: 'Target' };

type Body = readonly [string, JsonObject];

const OPEN: readonly Body[] = [
  ['running', youngJob(SPEC)],
  ['a status nobody knows', openJob(SPEC)],
  ['no status', { ...youngJob(SPEC), statusName: null }],
];
const ENDED: readonly Body[] = [
  ['broken', brokenJob(SPEC)],
  ['killed', killedJob(SPEC)],
];
const FINISHED: readonly Body[] = [
  ...['NOT_STARTED', 'PENDING', 'IN_PROGRESS', 'PAUSED'].map(
    (statusName): Body => [
      `finished, delivery ${statusName}`,
      { ...pendingDownload(SPEC), delivery: { methodName: 'HTTP', statusName } },
    ],
  ),
  ...['EXPIRED', 'MAX_DOWNLOADS_EXCEEDED', 'FAILED', 'INTERRUPTED'].map(
    (statusName): Body => [`finished, delivery ${statusName}`, endedDownload(SPEC, statusName, YESTERDAY)],
  ),
  ['finished, no delivery', { ...READY, delivery: null }],
  ['finished, download ready', READY],
  ['finished, download ready with a header', urlV2Download(SPEC, TOMORROW)],
  ['finished, download of a point in time', pointInTimeDownload(SPEC, TOMORROW)],
  ['finished, download fetched', fetchedDownload(SPEC, TOMORROW)],
  ['finished, download past its expiry', readyDownload(SPEC, YESTERDAY)],
  ['finished, download that expires soon', readyDownload(SPEC, SOON)],
  ['finished, handed over', automatedRestore(SPEC)],
  ['finished, handed over to a cluster', automatedRestoreInto(SPEC, TARGET)],
];

const fetched = (body: JsonObject, deliveryFailure?: Failure): Outcome => ({
  kind: 'fetched',
  response: responseOf(body),
  asOf: NOW,
  deliveryFailure,
});

/** Lives before something else happens, and what they stay in whatever that is. */
const BEGINNINGS: readonly (readonly [string, readonly Outcome[], Situation?])[] = [
  ['fresh', []],
  ...OPEN.map(([name, body]) => [name, [fetched(body)]] as const),
  ...ENDED.map(([name, body]) => [name, [fetched(body)], 'BROKEN or KILLED, whatever comes later'] as const),
  ['finished', [fetched(READY)], 'FINISHED, whatever comes later'],
];

/** One failure of each error code of Atlas, of each HTTP status, of each trouble with the Secret, and a pause that lasts. */
const FAILURES: readonly Exclude<Outcome, { kind: 'suspended' | 'fetched' | 'interrupted' }>[] = [
  ...[
    ...atlasErrorCodes(),
    ...[400, 401, 402, 403, 404, 410, 500, 503].map((httpStatus) => ({ httpStatus, errorCode: 'UNEXPECTED_ERROR' })),
  ]
    .map(({ httpStatus, errorCode }) => errorFromResponse(httpStatus, { error: httpStatus, errorCode }, undefined))
    .concat(new AtlasError('ATLAS_NOT_A_RESTORE_JOB', 'The response is not JSON'))
    .flatMap((error) => (error.kind === 'rateLimited' ? [] : [failed(failureOfAtlas(error))])),
  ...(['SecretNotFound', 'SecretInvalid', 'SecretUnreadable', 'InternalError'] as const).map((reason) =>
    failed({ origin: 'content', reason, detail: meaningOf(reason) }),
  ),
  { kind: 'waiting', pause: { forMs: 3_600_000, apiError: { error: 429, errorCode: 'RATE_LIMITED' } } },
];

function failed(failure: Failure) {
  return { kind: 'failed', failure, grace: false } as const;
}

const REFUSALS: readonly Failure[] = (
  ['DeliverySecretConflict', 'DeliverySecretForbidden', 'DeliverySecretRefused'] as const
).map((reason) => ({ origin: 'content', reason, detail: meaningOf(reason) }));

type AnyFailure = (typeof FAILURES)[number];

function nameOf(failure: AnyFailure): string {
  if (failure.kind === 'waiting') return 'RateLimited';
  const { reason, origin } = failure.failure;
  return origin === 'atlas' ? `${reason} ${failure.failure.apiError?.errorCode ?? ''}` : reason;
}

const situationOf = (failure: AnyFailure): Situation =>
  failure.kind === 'failed' && entryOf(failure.failure.reason).retry === 'permanent'
    ? 'not finished, and an error that needs a person'
    : 'not finished, and an error that may pass';

/** A resource that was reconciled with these outcomes, one after the other. */
function life(name: string, situation: Situation, outcomes: readonly Outcome[], end?: 'suspended'): Life {
  const before = outcomes.reduce(reconciled, resource());
  if (end === undefined) return { name, situation, object: sent(before) };
  const job = { ...before, generation: before.generation + 1, spec: { ...SPEC, suspend: true } };
  return { name, situation, object: sent(reconciled(job, { kind: 'suspended' })) };
}

function reconciled(job: LegacyRestoreJob, outcome: Outcome): LegacyRestoreJob {
  const { status } = reconcileResult({
    job,
    requestedAt: undefined,
    outcome,
    failures: 0,
    atlasApi: 'atlas/v1.0',
    defaultInterval: 60_000,
    deliveryUrlInStatus: true,
    missingFields: [],
    now: NOW,
    random: () => 0.5,
  });
  return written(job, status);
}

const sent = ({ namespace, name, generation, spec, status }: LegacyRestoreJob) => ({
  apiVersion: API_VERSION,
  kind: KIND,
  metadata: { namespace, name, generation },
  spec,
  status,
});
