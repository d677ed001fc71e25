/** When a resource is reconciled next: the table of the documentation, as pure functions. */
import { parseDuration } from '../api/duration.ts';
import {
  conditionOf,
  INTERVAL_BOUNDS,
  type LegacyRestoreJob,
  type Spec,
  type Status,
} from '../api/legacy-restore-job.ts';
import { type Content, contentOf } from './content.ts';
import { entryOf, type FailureReason, type Reason } from './reasons.ts';
import { deliveryState, expiresAt, hasEnded, hasUrl, isAutomatedRestore, jobState, timeOf } from './state.ts';

/** Milliseconds until the next reconcile; undefined where only a change of the resource leads to one. */
export type RequeueAfter = number | undefined;

/** Uniform in [0, 1). */
export type Random = () => number;

/** Mirrored content and its times, in milliseconds since the epoch. */
interface DatedContent {
  readonly content: Content;
  /** When Atlas was asked: since then it may say something else. */
  readonly asOf: number;
  /** When the content last changed; undefined where nobody knows. */
  readonly changedAt: number | undefined;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** While a download is ready its hashes can still appear, and what nobody knows can become known. */
const WATCHFUL_MS = 10 * MINUTE_MS;
const LONGEST_SPREAD_MS = 5 * MINUTE_MS;
const JITTER = 0.1;
const BACKOFF_MS = {
  transient: { first: 2_000, max: 2 * MINUTE_MS },
  permanent: { first: 30_000, max: HOUR_MS },
} as const;

/** How often a running job is fetched, in milliseconds: spec.interval within its bounds, else the setting. */
export function intervalOf(spec: Spec, defaultInterval: number): number {
  const interval = spec.interval === undefined ? undefined : parseDuration(spec.interval);
  return Math.min(INTERVAL_BOUNDS.max, Math.max(INTERVAL_BOUNDS.min, interval ?? defaultInterval));
}

/** Whether a person asked for something that no reconcile has answered yet. */
export function isUrgent(job: LegacyRestoreJob): boolean {
  if (job.status.observedGeneration !== job.generation) return true;
  return isRequested(job) && job.spec.suspend !== true;
}

/** Whether the annotation requests a reconcile that has not been made yet. */
export const isRequested = ({ requestedAt, status }: LegacyRestoreJob): boolean =>
  requestedAt !== undefined && requestedAt !== status.lastHandledReconcileAt;

/** The first reconcile after a start of the operator. Open resources are spread: a restart is no stampede on Atlas. */
export function requeueAfterStart(
  job: LegacyRestoreJob,
  defaultInterval: number,
  now: number,
  random: Random,
): RequeueAfter {
  if (isUrgent(job)) return 0;
  if (job.spec.suspend === true || !canChange(job.status, now)) return undefined;
  return random() * Math.min(intervalOf(job.spec, defaultInterval), LONGEST_SPREAD_MS);
}

/** Whether anything can still change at Atlas, as far as this status tells. `now`: milliseconds since the epoch. */
export const canChange = (status: Status, now: number): boolean =>
  requeueAfterFetch(datedContentOf(status, now), MINUTE_MS, now, () => 0) !== undefined;

/** The next reconcile after a fetch. */
export function requeueAfterFetch(dated: DatedContent, interval: number, now: number, random: Random): RequeueAfter {
  const jittered = (ms: number): number => ms * (1 - JITTER + random() * 2 * JITTER);
  switch (jobState(dated.content)) {
    case 'running':
    case 'unknown':
      return jittered(interval);
    case 'broken':
    case 'killed':
      return undefined;
    case 'finished':
      return requeueForDelivery(dated, interval, now, jittered);
  }
}

/** The next reconcile after a list that had nothing new: never before the interval, so that many jobs make none early. */
export const requeueAfterList = (interval: number, random: Random): number => interval * (1 + random() * JITTER);

/** Whether a job is fetched at its interval: while it runs and while its delivery is prepared. */
export function isPolled(content: Content): boolean {
  const { delivery } = content;
  if (!hasEnded(jobState(content))) return true;
  const isPending = delivery !== undefined && !isAutomatedRestore(delivery) && deliveryState(delivery) === 'pending';
  return isPending && jobState(content) === 'finished';
}

/** The next reconcile after a failure; `failures` counts those in a row, this one included. */
export function requeueAfterFailure(
  reason: FailureReason,
  status: Status,
  failures: number,
  now: number,
  random: Random,
): RequeueAfter {
  const { retry, permanentAfter = Number.POSITIVE_INFINITY } = entryOf(reason);
  if (retry === 'transient')
    return failures < permanentAfter ? transientBackoff(failures, random) : permanentBackoff(failures, random);
  // Nothing can change any more, and what was requested has been answered.
  return canChange(status, now) ? permanentBackoff(failures, random) : undefined;
}

/** Milliseconds until the next try of what a person has to correct, exponential up to an hour. */
export const permanentBackoff = (failures: number, random: Random): number =>
  backoff(BACKOFF_MS.permanent, failures) * (1 - random() * 2 * JITTER);

/** Milliseconds until the next try, exponential with full jitter. */
export function transientBackoff(failures: number, random: Random): number {
  return Math.max(BACKOFF_MS.transient.first / 4, backoff(BACKOFF_MS.transient, failures) * random());
}

function requeueForDelivery(
  dated: DatedContent,
  interval: number,
  now: number,
  jittered: (ms: number) => number,
): RequeueAfter {
  const { content, changedAt = Number.NEGATIVE_INFINITY } = dated;
  const { delivery } = content;
  if (delivery !== undefined && isAutomatedRestore(delivery)) return undefined;
  switch (deliveryState(delivery)) {
    case 'pending':
      return jittered(interval);
    case 'ready':
      if (hasUrl(content)) return requeueForDownload(dated, now, jittered);
      // An automated restore that does not say so, or a URL that is not there yet.
      return now < changedAt + HOUR_MS ? jittered(WATCHFUL_MS) : undefined;
    case 'expired':
    case 'exhausted':
    case 'failed':
      return undefined;
    case 'absent':
    case 'unknown':
      return jittered(WATCHFUL_MS);
  }
}

/** Often enough to see the hashes appear, and once exactly when the download expires. */
function requeueForDownload(
  { content: { delivery }, asOf }: DatedContent,
  now: number,
  jittered: (ms: number) => number,
): RequeueAfter {
  const expires = delivery === undefined ? undefined : expiresAt(delivery);
  if (expires === undefined) return jittered(HOUR_MS);
  // A response may be late, and its status later still: what counts is that Atlas was asked after the end.
  const askedSinceEnd = asOf >= expires;
  if (askedSinceEnd) return now >= expires + HOUR_MS ? undefined : jittered(WATCHFUL_MS);
  return Math.min(jittered(WATCHFUL_MS), Math.max(0, expires - now) + 1_000);
}

/** What a status holds, also after a restart. */
function datedContentOf(status: Status, now: number): DatedContent {
  return {
    content: contentOf(status),
    asOf: sawTheEnd(status) ? now : Number.NEGATIVE_INFINITY,
    changedAt: status.lastChangeTime === undefined ? undefined : timeOf(status.lastChangeTime),
  };
}

/** Only a response to a request after the end of the download leads to these two together. */
const sawTheEnd = (status: Status): boolean =>
  hasReason(status, 'Synced', 'JobFetched') && hasReason(status, 'DownloadAvailable', 'DownloadExpired');

const hasReason = (status: Status, type: 'Synced' | 'DownloadAvailable', reason: Reason): boolean =>
  conditionOf(status, type)?.reason === reason;

const backoff = ({ first, max }: { readonly first: number; readonly max: number }, failures: number): number =>
  Math.min(max, first * 2 ** Math.min(30, Math.max(0, failures - 1)));
