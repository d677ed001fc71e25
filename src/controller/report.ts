/** Turns what a visit found into status, events, log line and the next visit. Pure: its table is tested row by row. */
import { isDeepStrictEqual } from 'node:util';
import type { Condition, Status } from '../api/legacy-restore-job.ts';
import { type ConditionType, type DownloadReason, REASONS, type ReadyReason, type Reason } from '../api/reasons.ts';
import { RestoreJob } from '../api/restore-job.ts';
import { MAX_HASHES, type RestoreJobAnswer } from '../atlas/answer.ts';
import { printable } from '../atlas/errors.ts';
import type { EventContent } from '../kube/events.ts';
import type { LegacyRestoreJob } from '../kube/legacy-restore-jobs.ts';
import { kubeTime } from '../kube/time.ts';
import { deliveryState, expiresAt, hasUrl, isDownload, isMirrored, type JobState, jobState } from './job-state.ts';
import type { Failure, Outcome } from './outcome.ts';
import {
  intervalOf,
  type NextVisit,
  type Random,
  transientBackoff,
  urlExists,
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

export interface LogLine {
  readonly level: 'info' | 'warn' | 'debug';
  readonly message: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** A pause of a budget becomes visible in the resources that wait for it after so long: shorter ones are everyday life. */
const VISIBLE_PAUSE_MS = 60_000;
const MAX_DROPPED_NAMED = 10;

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
  const state = jobState(status);
  const synced = condition('Synced', 'Unknown', 'Suspended', REASONS.Suspended.meaning);
  const ready = isMirrored(status)
    ? readyFor(state, status)
    : condition('Ready', 'Unknown', 'Suspended', REASONS.Suspended.meaning);
  const conditions = [ready, synced, ...downloadFor(status, urlExists(status), input.now), ...endedFor(state, status)];
  // requestedAt stays unanswered: a visit after the resume answers it.
  return finish(input, mirroredContent(status), conditions, {
    requestedAt: status.lastHandledReconcileAt,
    next: { kind: 'never' },
    failures: 0,
    result: 'suspended',
  });
}

function reportFailed(input: ReportInput, failure: Failure): Report {
  const { job, now, random } = input;
  const failures = input.failures + 1;
  const conditions = failureConditions(job.status, failure, now).map((next) =>
    unlessRepeated(next, failure, job.status),
  );
  return finish(input, mirroredContent(job.status), conditions, {
    requestedAt: input.requestedAt,
    next: visitAfterFailure(failure.kind, job.status, failures, now, random),
    failures,
    result: 'error',
  });
}

function reportFetched(input: ReportInput, { answer, delivery }: Extract<Outcome, { kind: 'fetched' }>): Report {
  const { job, now, random } = input;
  const withheld = job.spec.deliverySecretName !== undefined || !input.deliveryUrlInStatus;
  const content = withheld ? withoutUrls(answer.job) : answer.job;
  const state = jobState(content);
  const refused = delivery.kind === 'refused';
  const synced = refused
    ? condition('Synced', 'False', delivery.reason, delivery.message)
    : condition('Synced', 'True', 'JobFetched', fetchedMessage(answer));
  const answerHasUrl = hasUrl(answer.job.delivery);
  const conditions = [
    readyFor(state, content),
    synced,
    ...downloadFor(content, answerHasUrl, now),
    ...progressFor(state),
    ...endedFor(state, content),
  ];
  const failures = refused ? input.failures + 1 : 0;
  return finish(input, content, conditions, {
    requestedAt: input.requestedAt,
    next: refused
      ? visitAfterFailure('transient', content, failures, now, random)
      : visitAfterAnswer(content, answerHasUrl, intervalOf(job.spec, input.defaultInterval), now, random),
    failures,
    result: refused ? 'error' : 'success',
  });
}

// Conditions

/** A condition before it is known when its status last changed. */
type Verdict = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

const condition = (type: ConditionType, status: Condition['status'], reason: Reason, message: string): Verdict => ({
  type,
  status,
  reason,
  message,
});

const READY: Readonly<Record<JobState, { readonly status: Condition['status']; readonly reason: ReadyReason }>> = {
  running: { status: 'False', reason: 'JobInProgress' },
  finished: { status: 'True', reason: 'JobFinished' },
  broken: { status: 'False', reason: 'JobBroken' },
  killed: { status: 'False', reason: 'JobKilled' },
  unknown: { status: 'Unknown', reason: 'JobStatusUnknown' },
};

function readyFor(state: JobState, content: RestoreJob): Verdict {
  const { status, reason } = READY[state];
  return condition('Ready', status, reason, readyMessage(reason, content));
}

function readyMessage(reason: ReadyReason, content: RestoreJob): string {
  const { meaning, remedy } = REASONS[reason];
  const told = reason === 'JobStatusUnknown' ? ` Atlas says: ${printable(content.statusName ?? 'nothing', 64)}.` : '';
  return `${meaning}${told} ${remedy}`.trim();
}

/** Reconciling while something is still expected to happen. */
function progressFor(state: JobState): Verdict[] {
  if (state === 'running') return [condition('Reconciling', 'True', 'JobInProgress', REASONS.JobInProgress.meaning)];
  if (state === 'unknown')
    return [condition('Reconciling', 'True', 'JobStatusUnknown', REASONS.JobStatusUnknown.meaning)];
  return [];
}

/** Stalled for a job that has ended without success, whatever else happens. */
function endedFor(state: JobState, content: RestoreJob): Verdict[] {
  if (state !== 'broken' && state !== 'killed') return [];
  const { reason } = READY[state];
  return [condition('Stalled', 'True', reason, readyMessage(reason, content))];
}

function failureConditions(status: Status, failure: Failure, now: number): Verdict[] {
  const { kind, reason, message } = failure;
  const state = jobState(status);
  const unknownOrFalse = kind === 'permanent' ? 'False' : 'Unknown';
  const ready = isMirrored(status) ? readyFor(state, status) : condition('Ready', unknownOrFalse, reason, message);
  const synced = condition('Synced', unknownOrFalse, reason, message);
  return [ready, synced, ...downloadFor(status, urlExists(status), now), ...failureProgress(state, status, failure)];
}

/** Once the job is finished, later errors move only Synced; a job that ended without success stays stalled for that. */
function failureProgress(state: JobState, status: Status, { kind, reason, message }: Failure): Verdict[] {
  if (state === 'finished') return [];
  if (state === 'broken' || state === 'killed') return endedFor(state, status);
  return [condition(kind === 'permanent' ? 'Stalled' : 'Reconciling', 'True', reason, message)];
}

/** The words of a failure that was reported already stay: a repeated error writes nothing. */
function unlessRepeated(next: Verdict, failure: Failure, status: Status): Verdict {
  const previous = status.conditions?.find(({ type }) => type === next.type);
  if (previous === undefined || next.reason !== failure.reason) return next;
  const same = previous.status === next.status && previous.reason === next.reason;
  return same && identityOf(previous, failure) === failure.identity ? { ...next, message: previous.message } : next;
}

/** What `Failure.identity` was for a condition that is already in status. */
function identityOf({ message }: Condition, { identity }: Failure): string {
  if (message === identity) return identity;
  // An errorCode is followed by Atlas's words or by a full stop; "Atlas answered 302 instead of 200" has none.
  return /^Atlas answered \d{3} (\w+)(?: \(|\.)/.exec(message)?.[1] ?? '';
}

const DOWNLOAD_REASONS: Readonly<Record<ReturnType<typeof deliveryState>, DownloadReason>> = {
  absent: 'DownloadPending',
  unknown: 'DownloadPending',
  pending: 'DownloadPending',
  ready: 'DownloadReady',
  expired: 'DownloadExpired',
  exhausted: 'MaxDownloadsExceeded',
  failed: 'DownloadFailed',
};

/** Nothing where the delivery is no download. */
function downloadFor({ delivery }: RestoreJob, deliveryHasUrl: boolean, now: number): Verdict[] {
  if (!isDownload(delivery, deliveryHasUrl)) return [];
  const expires = expiresAt(delivery);
  const past = expires !== undefined && expires <= now;
  const told = DOWNLOAD_REASONS[deliveryState(delivery)];
  const reason = told === 'DownloadReady' && past ? 'DownloadExpired' : told;
  const { meaning, remedy } = REASONS[reason];
  const until = reason === 'DownloadReady' && expires !== undefined ? ` until ${kubeTime(expires)}` : '';
  const message = `${meaning.replace(/\.$/, '')}${until}. ${remedy}`.trim();
  return [condition('DownloadAvailable', reason === 'DownloadReady' ? 'True' : 'False', reason, message)];
}

function fetchedMessage({ dropped, hashCount }: RestoreJobAnswer): string {
  const parts: string[] = [REASONS.JobFetched.meaning];
  if (dropped.length > 0) {
    const named = dropped.slice(0, MAX_DROPPED_NAMED).join(', ');
    const more = dropped.length > MAX_DROPPED_NAMED ? ` and ${dropped.length - MAX_DROPPED_NAMED} more` : '';
    parts.push(`Left out, because they are null or of another type than documented: ${named}${more}.`);
  }
  if (hashCount > MAX_HASHES) parts.push(`hashes holds ${MAX_HASHES} of ${hashCount}.`);
  return parts.join(' ');
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
  const { job, now } = input;
  const previous = job.status;
  const changed = !isDeepStrictEqual(content, mirroredContent(previous));
  const lastChangeTime = changed ? kubeTime(now) : previous.lastChangeTime;
  const lastHandledReconcileAt = ending.requestedAt ?? previous.lastHandledReconcileAt;
  const status: Status = {
    observedGeneration: job.generation,
    conditions: verdicts.map((verdict) => dated(verdict, previous, job.generation, now)),
    ...(lastHandledReconcileAt === undefined ? {} : { lastHandledReconcileAt }),
    ...(lastChangeTime === undefined ? {} : { lastChangeTime }),
    ...content,
  };
  const written = isDeepStrictEqual(status, previous);
  return {
    status: written ? undefined : status,
    events: written ? [] : eventsFor(status, previous),
    log: logFor(job, status, written, ending),
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

function withoutUrls(job: RestoreJob): RestoreJob {
  if (job.delivery === undefined) return job;
  const { url: _url, urlV2: _urlV2, authHeader: _authHeader, ...delivery } = job.delivery;
  return { ...job, delivery };
}

// Events and log

const QUIET: ReadonlySet<string> = new Set<Reason>(['JobFetched', 'DownloadPending']);
const WARNINGS: ReadonlySet<string> = new Set<Reason>(['JobBroken', 'JobKilled', 'JobStatusUnknown', 'DownloadFailed']);

/** One event for each of Ready, Synced and DownloadAvailable whose reason changed: the story of the job, never a poll. */
function eventsFor(status: Status, previous: Status): EventContent[] {
  const events: EventContent[] = [];
  for (const type of ['Synced', 'Ready', 'DownloadAvailable'] as const) {
    const now = find(status, type);
    const before = find(previous, type);
    if (now === undefined || now.reason === before?.reason) continue;
    if (type === 'Synced' && now.reason === 'JobFetched' && before !== undefined) {
      events.push({ type: 'Normal', reason: 'JobFetched', note: `Atlas answers again, after ${before.reason}.` });
    }
    // Ready borrows Synced's reason while nothing is mirrored: one event tells it.
    const borrowed = type === 'Ready' && now.reason === find(status, 'Synced')?.reason;
    if (borrowed || QUIET.has(now.reason)) continue;
    const failing = type === 'Synced' && now.reason !== 'Suspended';
    events.push({
      type: failing || WARNINGS.has(now.reason) ? 'Warning' : 'Normal',
      reason: now.reason,
      note: now.message,
    });
  }
  return events;
}

function logFor(job: LegacyRestoreJob, status: Status, written: boolean, { result }: Ending): LogLine | undefined {
  const synced = find(status, 'Synced');
  const fields = {
    statusName: printable(status.statusName ?? '', 64),
    delivery: printable(status.delivery?.statusName ?? '', 64),
    ready: find(status, 'Ready')?.reason ?? '',
    synced: synced?.reason ?? '',
  };
  if (result === 'error') {
    const repeated = written || synced?.reason === find(job.status, 'Synced')?.reason;
    return { level: repeated ? 'debug' : 'warn', message: synced?.message ?? 'the visit failed', fields };
  }
  return written ? undefined : { level: 'info', message: 'status changed', fields };
}

const find = (status: Status, type: ConditionType): Condition | undefined =>
  status.conditions?.find((candidate) => candidate.type === type);
