/** When a resource is visited next: the table of the documentation, as pure functions. */
import { parseDuration } from '../api/duration.ts';
import type { LegacyRestoreJob } from '../api/legacy-restore-job.ts';
import { type Condition, INTERVAL_BOUNDS, type Spec, type Status } from '../api/legacy-restore-job.ts';
import type { ConditionType } from '../api/reasons.ts';
import type { RestoreJob } from '../api/restore-job.ts';
import { deliveryState, expiresAt, hasUrl, isAutomatedRestore, jobState } from './job-state.ts';

export type NextVisit =
  | { readonly kind: 'never' }
  /** Milliseconds from now. */
  | { readonly kind: 'after'; readonly ms: number };

/** Uniform in [0, 1). */
export type Random = () => number;

/** What is known of a job. */
export interface Knowledge {
  readonly content: RestoreJob;
  /** Whether the delivery has a URL, also where that is kept out of status. */
  readonly hasUrl: boolean;
  /** Since when Atlas may have said something else, in milliseconds since the epoch: when it was asked. */
  readonly asOf: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** While a download is ready its hashes can still appear, and what nobody knows can become known. */
const WATCHFUL_MS = 10 * MINUTE_MS;
const LONGEST_SPREAD_MS = 5 * MINUTE_MS;
const JITTER = 0.1;
const TRANSIENT_BACKOFF_MS = { first: 2_000, max: 2 * MINUTE_MS };
const PERMANENT_BACKOFF_MS = { first: 30_000, max: HOUR_MS };

const never: NextVisit = { kind: 'never' };
const after = (ms: number): NextVisit => ({ kind: 'after', ms });

/** How often a running job is asked for, in milliseconds: spec.interval within its bounds, else the setting. */
export function intervalOf(spec: Spec, defaultInterval: number): number {
  const interval = spec.interval === undefined ? undefined : parseDuration(spec.interval);
  return Math.min(INTERVAL_BOUNDS.max, Math.max(INTERVAL_BOUNDS.min, interval ?? defaultInterval));
}

/** Whether a person asked for something that no visit has answered yet. */
export function isUrgent(job: LegacyRestoreJob): boolean {
  if (job.status.observedGeneration !== job.generation) return true;
  return isRequested(job) && job.spec.suspend !== true;
}

/** Whether the annotation asks for a visit that has not been made yet. */
export const isRequested = ({ requestedAt, status }: LegacyRestoreJob): boolean =>
  requestedAt !== undefined && requestedAt !== status.lastHandledReconcileAt;

/** The first visit after a start of the operator. Open resources are spread: a restart is no stampede on Atlas. */
export function firstVisit(job: LegacyRestoreJob, defaultInterval: number, now: number, random: Random): NextVisit {
  if (isUrgent(job)) return after(0);
  if (job.spec.suspend === true) return never;
  if (!canChange(job.status, now)) return never;
  return after(random() * Math.min(intervalOf(job.spec, defaultInterval), LONGEST_SPREAD_MS));
}

/** Whether anything can still change at Atlas, as far as this status tells. */
export const canChange = (status: Status, now: number): boolean =>
  visitAfterAnswer(knowledgeIn(status, now), MINUTE_MS, now, () => 0).kind !== 'never';

/** The next visit after Atlas answered. */
export function visitAfterAnswer(
  { content, hasUrl: urlIsThere, asOf }: Knowledge,
  interval: number,
  now: number,
  random: Random,
): NextVisit {
  const jittered = (ms: number): NextVisit => after(ms * (1 - JITTER + random() * 2 * JITTER));
  switch (jobState(content)) {
    case 'running':
    case 'unknown':
      return jittered(interval);
    case 'broken':
    case 'killed':
      return never;
    case 'finished':
      break;
  }
  const { delivery } = content;
  if (delivery !== undefined && isAutomatedRestore(delivery, urlIsThere)) return never;
  switch (deliveryState(delivery)) {
    case 'pending':
      return jittered(interval);
    case 'ready':
      return visitForDownload(delivery === undefined ? undefined : expiresAt(delivery), asOf, now, jittered);
    case 'expired':
    case 'exhausted':
    case 'failed':
      return never;
    case 'absent':
    case 'unknown':
      return jittered(WATCHFUL_MS);
  }
}

/** The next visit after a failure; `failures` counts those in a row, this one included. */
export function visitAfterFailure(
  kind: 'permanent' | 'transient',
  status: Status,
  failures: number,
  now: number,
  random: Random,
): NextVisit {
  if (kind === 'transient') return after(transientBackoff(failures, random));
  // Nothing can change any more, and what was asked for has been answered.
  if (!canChange(status, now)) return never;
  const ceiling = backoff(PERMANENT_BACKOFF_MS, failures);
  return after(ceiling * (1 - random() * 2 * JITTER));
}

/** Milliseconds until the next try, exponential with full jitter. */
export function transientBackoff(failures: number, random: Random): number {
  return Math.max(TRANSIENT_BACKOFF_MS.first / 4, backoff(TRANSIENT_BACKOFF_MS, failures) * random());
}

/** Where the url is kept out of status, the condition DownloadAvailable tells a download from an automated restore. */
export function urlExists(status: Status): boolean {
  return hasUrl(status.delivery) || (status.conditions ?? []).some(({ type }) => type === 'DownloadAvailable');
}

/** Often enough to see the hashes appear, and once exactly when the download expires. */
function visitForDownload(
  expires: number | undefined,
  asOf: number,
  now: number,
  jittered: (ms: number) => NextVisit,
): NextVisit {
  if (expires === undefined) return jittered(HOUR_MS);
  // Nobody has looked since it expired: an answer may be late, and its status later still.
  const looked = asOf >= expires;
  if (looked && now >= expires + HOUR_MS) return never;
  const regular = jittered(WATCHFUL_MS);
  if (looked || regular.kind === 'never') return regular;
  return after(Math.min(regular.ms, Math.max(0, expires - now) + 1_000));
}

/** A status tells what it knew of the end of its download by DownloadAvailable, which was true before. */
function knowledgeIn(status: Status, now: number): Knowledge {
  const is = (type: ConditionType, wanted: Condition['status']): boolean =>
    (status.conditions ?? []).some((condition) => condition.type === type && condition.status === wanted);
  const sinceEnd = is('Synced', 'True') && is('DownloadAvailable', 'False');
  return { content: status, hasUrl: urlExists(status), asOf: sinceEnd ? now : Number.NEGATIVE_INFINITY };
}

const backoff = ({ first, max }: { readonly first: number; readonly max: number }, failures: number): number =>
  Math.min(max, first * 2 ** Math.min(30, Math.max(0, failures - 1)));
