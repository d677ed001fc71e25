/** Turns what a visit found into status, events, log line and the next visit. Pure: its table is tested row by row. */
import { isDeepStrictEqual } from 'node:util';
import type { Condition, LegacyRestoreJob, Status } from '../api/legacy-restore-job.ts';
import { REASONS } from '../api/reasons.ts';
import { RestoreJob } from '../api/restore-job.ts';
import { withoutFields } from '../api/schema-fields.ts';
import type { EventContent } from '../kube/events.ts';
import { kubeTime } from '../kube/time.ts';
import { eventsFor, type LogLine, logFor } from './announcements.ts';
import { conditionsAfterAnswer, conditionsAfterFailure, conditionsAfterSuspend, type Verdict } from './conditions.ts';
import { hasUrl } from './job-state.ts';
import type { Failure, Fetched, Outcome } from './outcome.ts';
import {
  intervalOf,
  type NextVisit,
  type Random,
  transientBackoff,
  visitAfterAnswer,
  visitAfterFailure,
} from './schedule.ts';

export interface ReportInput {
  /** The resource as it is now. */
  readonly job: LegacyRestoreJob;
  /** The annotation's value when the visit began: a later one is not answered by this visit. */
  readonly requestedAt: string | undefined;
  readonly outcome: Outcome;
  /** Failures in a row before this visit. */
  readonly failures: number;
  readonly defaultInterval: number;
  readonly deliveryUrlInStatus: boolean;
  /** Paths of fields that the installed schema lacks: the API server would drop them, so they are not compared. */
  readonly missingFields: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly random: Random;
}

export interface Report {
  /** The status to write; undefined when it is written already. */
  readonly status: Status | undefined;
  readonly events: readonly EventContent[];
  readonly log: LogLine | undefined;
  readonly next: NextVisit;
  /** Failures in a row, this visit included. */
  readonly failures: number;
  /** Label of the metric that counts visits. */
  readonly result: 'success' | 'error' | 'requeue' | 'suspended';
}

/** A pause of a budget becomes visible in the resources that wait for it after so long: shorter ones are everyday life. */
const VISIBLE_PAUSE_MS = 60_000;

export function report(input: ReportInput): Report {
  const { outcome } = input;
  switch (outcome.kind) {
    case 'waiting':
      return reportWaiting(input, outcome.pausedSince);
    case 'interrupted':
      return reportInterrupted(input);
    case 'suspended':
      return reportSuspended(input);
    case 'failed':
      return reportFailed(input, outcome.failure);
    case 'fetched':
      return reportFetched(input, outcome);
  }
}

// One function for each kind of outcome

function reportWaiting(input: ReportInput, pausedSince: number | undefined): Report {
  const { now } = input;
  const quiet: Report = {
    status: undefined,
    events: [],
    log: undefined,
    next: { kind: 'never' },
    failures: input.failures,
    result: 'requeue',
  };
  if (pausedSince === undefined) return quiet;
  const visibleAt = pausedSince + VISIBLE_PAUSE_MS;
  // Whoever waits is called at its turn; this visit only makes the pause visible.
  if (now < visibleAt) return { ...quiet, next: { kind: 'after', ms: visibleAt - now } };
  const { meaning, remedy } = REASONS.RateLimited;
  const failure: Failure = { kind: 'transient', reason: 'RateLimited', message: `${meaning} ${remedy}`, identity: '' };
  // The visit that follows the wait answers requestedAt.
  return {
    ...reportFailed({ ...input, requestedAt: undefined }, failure),
    next: { kind: 'never' },
    failures: input.failures,
    result: 'requeue',
  };
}

function reportInterrupted({ failures, random }: ReportInput): Report {
  const next: NextVisit = { kind: 'after', ms: transientBackoff(failures + 1, random) };
  return { status: undefined, events: [], log: undefined, next, failures: failures + 1, result: 'error' };
}

function reportSuspended(input: ReportInput): Report {
  const { status } = input.job;
  // requestedAt stays unanswered: a visit after the resume answers it.
  return finish(input, allowedContent(input, mirroredContent(status)), conditionsAfterSuspend(status, input.now), {
    requestedAt: status.lastHandledReconcileAt,
    next: { kind: 'never' },
    failures: 0,
    result: 'suspended',
  });
}

function reportFailed(input: ReportInput, failure: Failure): Report {
  const { job, now, random } = input;
  const failures = input.failures + 1;
  // The last good content stays, but for a URL that may no longer stand in status.
  const content = allowedContent(input, mirroredContent(job.status));
  return finish(input, content, conditionsAfterFailure(job.status, failure, now), {
    requestedAt: input.requestedAt,
    next: visitAfterFailure(failure.kind, job.status, failures, now, random),
    failures,
    result: 'error',
  });
}

function reportFetched(input: ReportInput, { answer, asOf, delivery }: Fetched): Report {
  const { job, now, random } = input;
  const content = allowedContent(input, answer.job);
  const refused = delivery.kind === 'refused';
  const failures = refused ? input.failures + 1 : 0;
  const interval = intervalOf(job.spec, input.defaultInterval);
  return finish(input, content, conditionsAfterAnswer(content, answer, delivery, now), {
    requestedAt: input.requestedAt,
    next: refused
      ? visitAfterFailure('transient', content, failures, now, random)
      : visitAfterAnswer({ content, hasUrl: hasUrl(answer.job.delivery), asOf }, interval, now, random),
    failures,
    result: refused ? 'error' : 'success',
  });
}

// Status

interface Ending {
  /** What lastHandledReconcileAt becomes. */
  readonly requestedAt: string | undefined;
  readonly next: NextVisit;
  readonly failures: number;
  readonly result: Report['result'];
}

function finish(input: ReportInput, content: RestoreJob, verdicts: readonly Verdict[], ending: Ending): Report {
  const { job, now, missingFields } = input;
  const previous = withoutFields(job.status, missingFields);
  const keepable = mirroredContent(withoutFields(content, missingFields));
  const changed = !isDeepStrictEqual(keepable, mirroredContent(previous));
  const lastChangeTime = changed ? kubeTime(now) : previous.lastChangeTime;
  const lastHandledReconcileAt = ending.requestedAt ?? previous.lastHandledReconcileAt;
  const complete: Status = {
    observedGeneration: job.generation,
    conditions: verdicts.map((verdict) => dated(verdict, previous, job.generation, now)),
    ...(lastHandledReconcileAt === undefined ? {} : { lastHandledReconcileAt }),
    ...(lastChangeTime === undefined ? {} : { lastChangeTime }),
    ...keepable,
  };
  const status = withoutFields(complete, missingFields);
  const written = isDeepStrictEqual(status, previous);
  return {
    status: written ? undefined : status,
    events: written ? [] : eventsFor(status, previous),
    log: logFor(status, previous, { failed: ending.result === 'error', written }),
    next: ending.next,
    failures: ending.failures,
    result: ending.result,
  };
}

function dated(verdict: Verdict, previous: Status, observedGeneration: number, now: number): Condition {
  const before = previous.conditions?.find(({ type }) => type === verdict.type);
  const lastTransitionTime = before?.status === verdict.status ? before.lastTransitionTime : kubeTime(now);
  return { ...verdict, lastTransitionTime, observedGeneration };
}

/** The part of a status that comes from Atlas. */
function mirroredContent(status: Status): RestoreJob {
  return RestoreJob.parse(status);
}

/** The content without its URLs, where they are kept out of status. */
function allowedContent({ job, deliveryUrlInStatus }: ReportInput, content: RestoreJob): RestoreJob {
  const allowed = job.spec.deliverySecretName === undefined && deliveryUrlInStatus;
  if (allowed || content.delivery === undefined) return content;
  const { url: _url, urlV2: _urlV2, authHeader: _authHeader, ...delivery } = content.delivery;
  return { ...content, delivery };
}
