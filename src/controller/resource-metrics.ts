/** The gauges over all resources: one pass over the cache for each scrape. */
import { type Condition, conditionOf, type LegacyRestoreJob, type Status } from '../api/legacy-restore-job.ts';
import { DELIVERY_STATUS_NAMES, JOB_STATUS_NAMES } from '../api/restore-job.ts';
import { entryOf, reasonsOf } from '../restore-job/reasons.ts';
import { canChange } from '../restore-job/schedule.ts';
import { deliveryState, expiresAt, isDownload, isDownloaded, isMirrored } from '../restore-job/state.ts';
import { type Metrics, NO_REASON, OTHER_REASON } from '../telemetry/metrics.ts';

/** What is told of all resources together. */
interface ResourceFigures {
  /** How many there are of each job status. */
  readonly byStatus: Readonly<Record<string, number>>;
  readonly byDelivery: Readonly<Record<string, number>>;
  /** Of each reason of Synced and each of its statuses. */
  readonly bySynced: Readonly<Record<string, SyncedCounts>>;
  /** Downloads that expire within EXPIRING_SOON_MS. */
  readonly expiringSoon: { readonly fetched: number; readonly unfetched: number };
  /** The greatest age among the resources that are to be fetched, in milliseconds; 0 where there is none. */
  readonly mirrorAgeMs: number;
  /** By how much that age is beyond the interval of its resource, at most, in milliseconds; 0 where it never is. */
  readonly overdueMs: number;
}

type SyncedCounts = Readonly<Partial<Record<Condition['status'], number>>>;

const EXPIRING_SOON_MS = 6 * 3_600_000;

/**
 * Counts. `ageMs` tells how many milliseconds ago a resource was fetched, `intervalMs` how many may lie between two
 * fetches; `now` is in milliseconds since the epoch. What others have written into a status makes no new label: names that
 * nobody knows count together.
 */
export function countResources(
  jobs: Iterable<LegacyRestoreJob>,
  ageMs: (job: LegacyRestoreJob) => number,
  intervalMs: (job: LegacyRestoreJob) => number,
  now: number,
): ResourceFigures {
  const byStatus = zeros([...JOB_STATUS_NAMES, OTHER, NONE]);
  const byDelivery = zeros([...DELIVERY_STATUS_NAMES, OTHER, NONE]);
  const bySynced = syncedZeros();
  const expiringSoon = { fetched: 0, unfetched: 0 };
  let mirrorAgeMs = 0;
  let overdueMs = 0;
  for (const job of jobs) {
    const { status, spec } = job;
    count(byStatus, isMirrored(status) ? known(byStatus, status.statusName) : NONE);
    count(byDelivery, status.delivery === undefined ? NONE : known(byDelivery, status.delivery.statusName));
    countSynced(bySynced, status);
    if (expiresSoon(job, now)) expiringSoon[isDownloaded(status) ? 'fetched' : 'unfetched'] += 1;
    if (spec.suspend !== true && !job.deleting && canChange(status, now) && !isRefused(job)) {
      const age = ageMs(job);
      mirrorAgeMs = Math.max(mirrorAgeMs, age);
      overdueMs = Math.max(overdueMs, age - intervalMs(job));
    }
  }
  return { byStatus, byDelivery, bySynced, expiringSoon, mirrorAgeMs, overdueMs };
}

/** Brings the gauges up to date. */
export function setResourceMetrics(metrics: Metrics, figures: ResourceFigures): void {
  for (const [status, value] of Object.entries(figures.byStatus)) metrics.resources.set({ status }, value);
  for (const [delivery, value] of Object.entries(figures.byDelivery))
    metrics.resourcesByDelivery.set({ delivery }, value);
  // A pair that is not usual must not stay once nobody is in it.
  metrics.resourcesBySynced.reset();
  for (const [reason, counts] of Object.entries(figures.bySynced)) {
    for (const [status, value] of Object.entries(counts)) metrics.resourcesBySynced.set({ status, reason }, value);
  }
  metrics.downloadsExpiringSoon.set({ fetched: 'true' }, figures.expiringSoon.fetched);
  metrics.downloadsExpiringSoon.set({ fetched: 'false' }, figures.expiringSoon.unfetched);
  metrics.mirrorAge.set(figures.mirrorAgeMs / 1_000);
  metrics.mirrorOverdue.set(figures.overdueMs / 1_000);
}

const OTHER = 'other';
const NONE = 'none';

const zeros = (names: readonly string[]): Record<string, number> => Object.fromEntries(names.map((name) => [name, 0]));

/** Every reason with the status that it comes with. */
const SYNCED_PAIRS: ReadonlyArray<readonly [reason: string, status: Condition['status']]> = [
  ...reasonsOf('Synced').map((reason) => [reason, entryOf(reason).status] as const),
  [NO_REASON, 'Unknown'],
];

function syncedZeros(): Record<string, Partial<Record<Condition['status'], number>>> {
  const zero: Record<string, Partial<Record<Condition['status'], number>>> = {};
  for (const [reason, status] of SYNCED_PAIRS) zero[reason] = { [status]: 0 };
  return zero;
}

function countSynced(
  counts: Record<string, Partial<Record<Condition['status'], number>>>,
  resourceStatus: Status,
): void {
  const { status, reason } = conditionOf(resourceStatus, 'Synced') ?? { status: 'Unknown', reason: NO_REASON };
  const name = Object.hasOwn(counts, reason) ? reason : OTHER_REASON;
  const ofReason = counts[name] ?? {};
  ofReason[status] = (ofReason[status] ?? 0) + 1;
  counts[name] = ofReason;
}

function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

const known = (counts: Readonly<Record<string, number>>, name = OTHER): string =>
  Object.hasOwn(counts, name) && name !== NONE ? name : OTHER;

/**
 * Whether a person has to correct something first. One such resource, left lying, would make the age grow for ever and
 * hide what it is for: that fetching has come to a halt.
 */
const isRefused = ({ status }: LegacyRestoreJob): boolean => conditionOf(status, 'Synced')?.status === 'False';

function expiresSoon({ status }: LegacyRestoreJob, now: number): boolean {
  if (!isDownload(status) || deliveryState(status.delivery) !== 'ready') return false;
  const expires = expiresAt(status.delivery);
  return expires !== undefined && expires > now && expires - now <= EXPIRING_SOON_MS;
}
