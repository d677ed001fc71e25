/**
 * Turns what a reconcile found into its result: the status to write, events, log line and the next reconcile. Pure: its
 * table is tested row by row.
 */
import { isDeepStrictEqual } from 'node:util';
import type { AtlasApi } from '../api/atlas-api.ts';
import {
  type Condition,
  type ConditionType,
  conditionOf,
  type LegacyRestoreJob,
  type Status,
} from '../api/legacy-restore-job.ts';
import { withoutFields } from '../api/schema-fields.ts';
import { kubeTime } from '../api/time.ts';
import { failureOf, findConditions, firstReason, type Observation } from './conditions.ts';
import { type Content, contentOf, storable, withUrls } from './content.ts';
import { type EventContent, eventsFor, type LogLine, logFor } from './events.ts';
import { type Failure, isSameFailure, statusFailureOf } from './failure.ts';
import { messageOf } from './messages.ts';
import type { Fetched, Outcome, Pause } from './outcome.ts';
import { entryOf } from './reasons.ts';
import {
  intervalOf,
  type Random,
  type RequeueAfter,
  requeueAfterFailure,
  requeueAfterFetch,
  transientBackoff,
} from './schedule.ts';
import { timeOf } from './state.ts';

export interface ReconcileInput {
  /** The resource as it is now. */
  readonly job: LegacyRestoreJob;
  /** The annotation's value when the reconcile began: a later one is not answered by this reconcile. */
  readonly requestedAt: string | undefined;
  readonly outcome: Outcome;
  /** Failures in a row before this reconcile. */
  readonly failures: number;
  readonly atlasApi: AtlasApi;
  /** Milliseconds. */
  readonly defaultInterval: number;
  readonly deliveryUrlInStatus: boolean;
  /** Paths of fields that the installed schema lacks: the API server would drop them, so they are not compared. */
  readonly missingFields: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly random: Random;
}

export interface ReconcileResult {
  /** The status to write; undefined when the resource has it already. */
  readonly status: Status | undefined;
  readonly events: readonly EventContent[];
  readonly log: LogLine | undefined;
  readonly requeueAfter: RequeueAfter;
  /** Failures in a row, this reconcile included. */
  readonly failures: number;
  /** Label of the metric that counts reconciles. */
  readonly result: 'success' | 'error' | 'requeue' | 'suspended';
}

/** A pause of a budget shows in the resources that wait for it after so long: shorter ones are everyday life. */
const VISIBLE_PAUSE_MS = 60_000;

export function reconcileResult(input: ReconcileInput): ReconcileResult {
  const { outcome } = input;
  switch (outcome.kind) {
    case 'waiting':
      return resultOfWaiting(input, outcome.pause);
    case 'interrupted':
      return resultOfInterruption(input);
    case 'suspended':
      return resultOfSuspension(input);
    case 'failed':
      return resultOfFailure(input, outcome);
    case 'fetched':
      return resultOfFetch(input, outcome);
  }
}

// One function for each kind of outcome

function resultOfWaiting(input: ReconcileInput, pause: Pause | undefined): ReconcileResult {
  const { failures } = input;
  // The budget adds the key to the work queue; this reconcile only makes the pause visible.
  const quiet = { ...NOTHING_TO_WRITE, failures, result: 'requeue' } as const;
  if (pause === undefined) return quiet;
  if (pause.forMs < VISIBLE_PAUSE_MS) return { ...quiet, requeueAfter: VISIBLE_PAUSE_MS - pause.forMs };
  const failure: Failure = {
    origin: 'atlas',
    reason: 'RateLimited',
    apiError: pause.apiError,
    detail: (server) => `${server} asked to wait`,
  };
  // The reconcile that follows the wait answers requestedAt.
  const shown = resultOfFailure({ ...input, requestedAt: undefined }, { failure, grace: false });
  return { ...shown, requeueAfter: undefined, failures, result: 'requeue' };
}

function resultOfInterruption({ failures, random }: ReconcileInput): ReconcileResult {
  const requeueAfter = transientBackoff(failures + 1, random);
  return { ...NOTHING_TO_WRITE, requeueAfter, failures: failures + 1, result: 'error' };
}

function resultOfSuspension(input: ReconcileInput): ReconcileResult {
  const { job, now } = input;
  const observation: Observation = { content: previousContent(input), sync: { kind: 'suspended' }, at: now };
  return summarize(input, observation, {
    // requestedAt stays unanswered: a reconcile after the resume answers it.
    lastHandledReconcileAt: job.status.lastHandledReconcileAt,
    requeueAfter: () => undefined,
    failures: 0,
    result: 'suspended',
  });
}

function resultOfFailure(
  input: ReconcileInput,
  { failure, grace }: Pick<Extract<Outcome, { kind: 'failed' }>, 'failure' | 'grace'>,
): ReconcileResult {
  const { job, requestedAt, now, random } = input;
  // What is expected to pass makes no back-off grow.
  const failures = input.failures + (grace ? 0 : 1);
  const observation: Observation = {
    content: previousContent(input),
    sync: { kind: 'failed', failure, grace },
    at: now,
  };
  return summarize(input, observation, {
    lastHandledReconcileAt: requestedAt,
    requeueAfter: () =>
      grace
        ? entryOf(failure.reason).graceRetryMs
        : requeueAfterFailure(failure.reason, job.status, failures, now, random),
    failures,
    result: 'error',
  });
}

function resultOfFetch(input: ReconcileInput, { response, asOf, deliveryFailure }: Fetched): ReconcileResult {
  const { job, requestedAt, now, random } = input;
  const { content: stored, dropped } = storable(response.job);
  const content = allowedContent(input, stored);
  const named = { ...response, dropped: [...response.dropped, ...dropped] };
  const observation: Observation = { content, sync: { kind: 'fetched', response: named, deliveryFailure }, at: asOf };
  const failures = deliveryFailure === undefined ? 0 : input.failures + 1;
  const interval = intervalOf(job.spec, input.defaultInterval);
  return summarize(input, observation, {
    lastHandledReconcileAt: requestedAt,
    requeueAfter: (changedAt) => requeueAfterFetch({ content, asOf, changedAt }, interval, now, random),
    failures,
    result: deliveryFailure === undefined ? 'success' : 'error',
  });
}

const NOTHING_TO_WRITE = { status: undefined, events: [], log: undefined, requeueAfter: undefined } as const;

// Status

interface Summary {
  readonly lastHandledReconcileAt: string | undefined;
  /** `changedAt`: when the content last changed, in milliseconds since the epoch. */
  readonly requeueAfter: (changedAt: number | undefined) => RequeueAfter;
  readonly failures: number;
  readonly result: ReconcileResult['result'];
}

/** The one place where facts become status, events and log line. */
function summarize(input: ReconcileInput, observation: Observation, summary: Summary): ReconcileResult {
  const { job, now, missingFields } = input;
  const previous = withoutFields(job.status, missingFields);
  const content = contentOf(withoutFields(observation.content, missingFields));
  const contentChanged = !isDeepStrictEqual(content, contentOf(previous));
  const lastChangeTime = contentChanged ? kubeTime(now) : previous.lastChangeTime;
  const lastHandledReconcileAt = summary.lastHandledReconcileAt ?? previous.lastHandledReconcileAt;
  const failure = describeFailure(failureOf(observation), previous, input);
  const complete: Status = {
    observedGeneration: job.generation,
    conditions: conditionsOf(observation, failure, previous, input),
    reason: firstReason(observation),
    ...(failure === undefined ? {} : { failure: failure.shown }),
    ...(lastHandledReconcileAt === undefined ? {} : { lastHandledReconcileAt }),
    ...(lastChangeTime === undefined ? {} : { lastChangeTime }),
    ...content,
  };
  const status = withoutFields(complete, missingFields);
  const changed = !isDeepStrictEqual(status, previous);
  return {
    status: changed ? status : undefined,
    events: changed ? eventsFor(status, previous) : [],
    log: logFor(status, previous, summary.result === 'error', changed),
    requeueAfter: summary.requeueAfter(lastChangeTime === undefined ? undefined : timeOf(lastChangeTime)),
    failures: summary.failures,
    result: summary.result,
  };
}

/** A failure as status shows it. `repeated`: status tells of it already, and its words stay, so that nothing is written. */
interface DescribedFailure {
  readonly reason: Failure['reason'];
  readonly shown: NonNullable<Status['failure']>;
  readonly repeated: boolean;
}

function describeFailure(
  failure: Failure | undefined,
  previous: Status,
  { missingFields, atlasApi }: ReconcileInput,
): DescribedFailure | undefined {
  if (failure === undefined) return undefined;
  const shown = statusFailureOf(failure, atlasApi);
  const isStored = !missingFields.includes('status.failure');
  const repeated = isSameFailure(previous, failure.reason, shown, isStored);
  return { reason: failure.reason, shown: (repeated ? previous.failure : undefined) ?? shown, repeated };
}

function conditionsOf(
  observation: Observation,
  failure: DescribedFailure | undefined,
  previous: Status,
  { job, atlasApi, now }: ReconcileInput,
): Condition[] {
  return findConditions(observation).map(({ type, status, reason }) => {
    const before = conditionOf(previous, type);
    const isTold = failure?.repeated === true && failure.reason === reason && before?.reason === reason;
    return {
      type,
      status,
      reason,
      message: isTold ? before.message : messageOf(reason, observation, atlasApi),
      lastTransitionTime: before?.status === status ? before.lastTransitionTime : kubeTime(now),
      observedGeneration: job.generation,
    } satisfies Condition & { readonly type: ConditionType };
  });
}

const previousContent = (input: ReconcileInput): Content => allowedContent(input, contentOf(input.job.status));

/** The content without its URLs, where they are kept out of status. */
const allowedContent = ({ job, deliveryUrlInStatus }: ReconcileInput, content: Content): Content =>
  withUrls(content, job.spec.deliverySecretName === undefined && deliveryUrlInStatus);
