/** What mirrored content means: the only place that knows Atlas's status names. */
import {
  type DELIVERY_STATUS_NAMES,
  type JOB_STATUS_NAMES,
  type RestoreDelivery,
  RestoreJob,
} from '../api/restore-job.ts';
import type { Content } from './content.ts';

/** `unknown`: no status, or one that this version does not know. */
export type JobState = 'running' | 'finished' | 'broken' | 'killed' | 'unknown';

export type DeliveryState = 'absent' | 'pending' | 'ready' | 'expired' | 'exhausted' | 'failed' | 'unknown';

const JOB_STATES: Readonly<Record<(typeof JOB_STATUS_NAMES)[number], JobState>> = {
  IN_PROGRESS: 'running',
  FINISHED: 'finished',
  BROKEN: 'broken',
  KILLED: 'killed',
};

const DELIVERY_STATES: Readonly<Record<(typeof DELIVERY_STATUS_NAMES)[number], DeliveryState>> = {
  NOT_STARTED: 'pending',
  PENDING: 'pending',
  IN_PROGRESS: 'pending',
  READY: 'ready',
  EXPIRED: 'expired',
  MAX_DOWNLOADS_EXCEEDED: 'exhausted',
  FAILED: 'failed',
  INTERRUPTED: 'failed',
};

/** Methods that bring the data to its place themselves: there is nothing to download. */
const PUSHED_METHODS: readonly string[] = ['AUTOMATED_RESTORE', 'SCP', 'CLIENT_PIT_SCP', 'THIRD_PARTY_COPY'];

const FIELDS = Object.keys(RestoreJob.shape);

export const jobState = ({ statusName }: RestoreJob): JobState => known(JOB_STATES, statusName ?? '') ?? 'unknown';

/** Whether the job has come to an end, good or bad. */
export const hasEnded = (state: JobState): boolean => state !== 'running' && state !== 'unknown';

/** Whether a status holds anything from Atlas; Atlas can leave out any field, statusName too. */
export const isMirrored = (status: RestoreJob): boolean => FIELDS.some((field) => Object.hasOwn(status, field));

export function deliveryState(delivery: RestoreDelivery | undefined): DeliveryState {
  if (delivery === undefined) return 'absent';
  return known(DELIVERY_STATES, delivery.statusName ?? '') ?? 'unknown';
}

/** Whether Atlas gave a URL to download from, also where that is kept out of status. */
export const hasUrl = ({ delivery, urlWithheld }: Content): boolean =>
  urlWithheld === true || delivery?.url !== undefined || delivery?.urlV2 !== undefined;

/** Whether Atlas says that the data goes into a cluster: by the method or, where it reports HTTP instead, by a target. */
export function isAutomatedRestore(delivery: RestoreDelivery): boolean {
  const { methodName, targetClusterId, targetClusterName, targetGroupId } = delivery;
  const hasTarget = [targetClusterId, targetClusterName, targetGroupId].some(
    (target) => target !== undefined && target !== '',
  );
  return methodName === 'AUTOMATED_RESTORE' || hasTarget;
}

/** Whether there is, or will be, or was, something to download. READY without a URL is most likely an automated restore. */
export function isDownload(content: Content): content is Content & { readonly delivery: RestoreDelivery } {
  const { delivery } = content;
  if (delivery === undefined || isAutomatedRestore(delivery)) return false;
  if (hasUrl(content)) return true;
  return deliveryState(delivery) !== 'ready' && !PUSHED_METHODS.includes(delivery.methodName ?? '');
}

/** What becomes of the download: there is a file now, or there can be one later, or never. */
export type DownloadOutlook = 'available' | 'expected' | 'never';

/** `now`: milliseconds since the epoch. */
export function downloadOutlook(job: RestoreJob, now: number): DownloadOutlook {
  const state = jobState(job);
  if (state === 'broken' || state === 'killed') return 'never';
  const { delivery } = job;
  if (delivery === undefined) return 'expected';
  if (!isDownload(job) || OVER.has(deliveryState(delivery))) return 'never';
  if (deliveryState(delivery) !== 'ready') return 'expected';
  return (expiresAt(delivery) ?? Number.POSITIVE_INFINITY) > now ? 'available' : 'never';
}

/** Whether there is a URL, and the delivery is not over yet. `now`: milliseconds since the epoch. */
export function hasDownloadableUrl(content: Content, now: number): boolean {
  const { delivery } = content;
  if (delivery === undefined || !hasUrl(content) || OVER.has(deliveryState(delivery))) return false;
  return (expiresAt(delivery) ?? Number.POSITIVE_INFINITY) > now;
}

const OVER: ReadonlySet<DeliveryState> = new Set<DeliveryState>(['expired', 'exhausted', 'failed']);

/** Whether somebody has downloaded the file: Atlas gives its hashes only then. */
export const isDownloaded = ({ hashes }: RestoreJob): boolean => (hashes?.length ?? 0) > 0;

/** When the download expires, in milliseconds since the epoch; undefined when Atlas does not say or not readably. */
export const expiresAt = ({ expires = '' }: RestoreDelivery): number | undefined => timeOf(expires);

/** A date of Atlas in milliseconds since the epoch; undefined when it is none. */
export function timeOf(date: string): number | undefined {
  // Date.parse finds a date in almost any text with a number ("expires 3" is March 2001), which would end the reconciles.
  if (!/^\d{4}-\d{2}-\d{2}(T|$)/.test(date)) return undefined;
  // A time without a zone would be read as one of the zone that this process runs in: Atlas's are UTC.
  const time = Date.parse(/T[\d:.]*$/.test(date) ? `${date}Z` : date);
  return Number.isNaN(time) ? undefined : time;
}

function known<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
