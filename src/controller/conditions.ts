/** The conditions after each kind of outcome: the table of the documentation, as pure functions. */
import type { Condition, Status } from '../api/legacy-restore-job.ts';
import { printable } from '../api/printable.ts';
import { type ConditionType, type DownloadReason, REASONS, type ReadyReason, type Reason } from '../api/reasons.ts';
import type { RestoreJob } from '../api/restore-job.ts';
import { MAX_HASHES, type RestoreJobAnswer } from '../atlas/answer.ts';
import { kubeTime } from '../kube/time.ts';
import {
  deliveryState,
  expiresAt,
  hasUrl,
  isDownload,
  isFetched,
  isMirrored,
  type JobState,
  jobState,
} from './job-state.ts';
import type { DeliverySecretResult, Failure } from './outcome.ts';
import { urlExists } from './schedule.ts';

/** A condition before it is known when its status last changed. */
export type Verdict = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

/** `content`: what is mirrored, which is `answer.job` or, where URLs are kept out of status, the same without them. */
export function conditionsAfterAnswer(
  content: RestoreJob,
  answer: RestoreJobAnswer,
  delivery: DeliverySecretResult,
  now: number,
): Verdict[] {
  const state = jobState(content);
  const synced =
    delivery.kind === 'refused'
      ? condition('Synced', 'False', delivery.reason, delivery.message)
      : condition('Synced', 'True', 'JobFetched', fetchedMessage(answer));
  return [
    readyFor(state, content),
    synced,
    ...downloadFor(content, hasUrl(answer.job.delivery), now),
    ...progressFor(state),
    ...endedFor(state, content),
  ];
}

/** The last good content stays; a failure that was reported already keeps its words, so that it writes nothing. */
export function conditionsAfterFailure(status: Status, failure: Failure, now: number): Verdict[] {
  const { kind, reason, message } = failure;
  const state = jobState(status);
  const unknownOrFalse = kind === 'permanent' ? 'False' : 'Unknown';
  const ready = isMirrored(status) ? readyFor(state, status) : condition('Ready', unknownOrFalse, reason, message);
  const synced = condition('Synced', unknownOrFalse, reason, message);
  const download = downloadFor(status, urlExists(status), now);
  return [ready, synced, ...download, ...failureProgress(state, status, failure)].map((next) =>
    unlessRepeated(next, failure, status),
  );
}

export function conditionsAfterSuspend(status: Status, now: number): Verdict[] {
  const state = jobState(status);
  const { meaning } = REASONS.Suspended;
  const ready = isMirrored(status) ? readyFor(state, status) : condition('Ready', 'Unknown', 'Suspended', meaning);
  const synced = condition('Synced', 'Unknown', 'Suspended', meaning);
  return [ready, synced, ...downloadFor(status, urlExists(status), now), ...endedFor(state, status)];
}

/** The end of DownloadAvailable's message from the first visit on that finds less than an hour left and nobody's fetch. */
export const EXPIRES_SOON = 'It expires soon and nobody has fetched it yet.';

const EXPIRES_SOON_MS = 3_600_000;
const MAX_DROPPED_NAMED = 10;

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
function downloadFor(content: RestoreJob, deliveryHasUrl: boolean, now: number): Verdict[] {
  const { delivery } = content;
  if (!isDownload(delivery, deliveryHasUrl)) return [];
  const expires = expiresAt(delivery);
  const told = DOWNLOAD_REASONS[deliveryState(delivery)];
  const past = expires !== undefined && expires <= now;
  if (told === 'DownloadReady' && !past) {
    return [condition('DownloadAvailable', 'True', 'DownloadReady', readyDownloadMessage(content, expires, now))];
  }
  const reason = told === 'DownloadReady' ? 'DownloadExpired' : told;
  const { meaning, remedy } = REASONS[reason];
  return [condition('DownloadAvailable', 'False', reason, `${meaning} ${remedy}`.trim())];
}

/** Changes once while the download is ready: a message that counted down would be written at every visit. */
function readyDownloadMessage(content: RestoreJob, expires: number | undefined, now: number): string {
  const { meaning } = REASONS.DownloadReady;
  if (expires === undefined) return meaning;
  const until = `${meaning.replace(/\.$/, '')} until ${kubeTime(expires)}.`;
  return expires - now < EXPIRES_SOON_MS && !isFetched(content) ? `${until} ${EXPIRES_SOON}` : until;
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
