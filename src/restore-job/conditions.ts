/**
 * The conditions, as one declaration: the polarity of each, when it is there, whose reasons it has and which facts it
 * follows from. Facts become a status and a reason here; messages.ts renders the sentence last.
 */
import { CONDITION_TYPES, type Condition, type ConditionType } from '../api/legacy-restore-job.ts';
import type { RestoreJobResponse } from '../api/restore-job.ts';
import type { Content } from './content.ts';
import type { Failure } from './failure.ts';
import { type DownloadReason, entryOf, type ReadyReason, type Reason, type SyncedReason } from './reasons.ts';
import {
  type DeliveryState,
  deliveryState,
  expiresAt,
  hasEnded,
  isDownload,
  isDownloaded,
  isMirrored,
  type JobState,
  jobState,
} from './state.ts';

/** The facts that conditions follow from. */
export interface Observation {
  /** What is mirrored from now on. */
  readonly content: Content;
  readonly sync: Sync;
  /** The instant that the content belongs to, in milliseconds since the epoch. */
  readonly at: number;
}

/** How the content came about. */
export type Sync =
  | {
      readonly kind: 'fetched';
      readonly response: RestoreJobResponse;
      readonly deliveryFailure: Failure | undefined;
    }
  /** The last good content stays. */
  | { readonly kind: 'failed'; readonly failure: Failure; readonly grace: boolean }
  | { readonly kind: 'suspended' };

/** What a condition says, before its sentence. */
export interface Finding {
  readonly type: ConditionType;
  readonly status: Condition['status'];
  readonly reason: Reason;
}

interface ConditionDeclaration {
  /** positive: True is good and expected in the end. negative: True says that the end is not reached. */
  readonly polarity: 'positive' | 'negative';
  /** When the condition is in status at all. */
  readonly present: 'always' | 'for downloads' | 'while True';
  /** The question that it answers. */
  readonly meaning: string;
  /** The conditions whose reasons it borrows where it has none of its own. */
  readonly borrows: readonly ConditionType[];
  readonly follows: (observation: Observation) => Omit<Finding, 'type'> | undefined;
}

export const CONDITIONS: Readonly<Record<ConditionType, ConditionDeclaration>> = {
  Ready: {
    polarity: 'positive',
    present: 'always',
    meaning: 'Has the restore job finished? Once True it stays True.',
    borrows: ['Synced'],
    follows: (observation) => withStatus(readyReason(observation), observation),
  },
  Synced: {
    polarity: 'positive',
    present: 'always',
    meaning: "Does the status equal Atlas's last response?",
    borrows: [],
    follows: (observation) => withStatus(syncedReason(observation), observation),
  },
  DownloadAvailable: {
    polarity: 'positive',
    present: 'for downloads',
    meaning: 'Is there a file to download?',
    borrows: ['Ready'],
    follows: (observation) => {
      const reason = downloadReason(observation);
      return reason === undefined ? undefined : withStatus(reason, observation);
    },
  },
  Reconciling: {
    polarity: 'negative',
    present: 'always',
    meaning: 'Is something still expected to happen by itself?',
    borrows: ['Ready', 'Synced'],
    follows: (observation) => ({
      status: isReconciling(observation) ? 'True' : 'False',
      reason: hasEnded(jobState(observation.content)) ? readyReason(observation) : firstReason(observation),
    }),
  },
  Stalled: {
    polarity: 'negative',
    present: 'while True',
    meaning: 'Does a person have to act?',
    borrows: ['Ready', 'Synced'],
    follows: (observation) => {
      const reason = stalledReason(observation);
      return reason === undefined ? undefined : { status: 'True', reason };
    },
  },
};

/** The conditions that follow from the facts, in their order. */
export const findConditions = (observation: Observation): readonly Finding[] =>
  CONDITION_TYPES.flatMap((type) => {
    const found = CONDITIONS[type].follows(observation);
    return found === undefined ? [] : [{ type, ...found }];
  });

/** What a person looks at first: why the status is not Atlas's, else how the job is. */
export function firstReason(observation: Observation): Reason {
  const synced = syncedReason(observation);
  return entryOf(synced).status === 'True' ? readyReason(observation) : synced;
}

/** How a job is, as the reason of Ready. */
export const readyReasonOf = (content: Content): ReadyReason => READY_REASONS[jobState(content)];

/** What failed, also where the content is Atlas's. */
export function failureOf({ sync }: Observation): Failure | undefined {
  switch (sync.kind) {
    case 'fetched':
      return sync.deliveryFailure;
    case 'failed':
      return sync.failure;
    case 'suspended':
      return undefined;
  }
}

/** The status of the table, but for a failure that is expected to pass. */
function withStatus(reason: Reason, observation: Observation): Omit<Finding, 'type'> {
  const { sync } = observation;
  const isExpected = sync.kind === 'failed' && sync.grace && sync.failure.reason === reason;
  return { status: isExpected ? 'Unknown' : entryOf(reason).status, reason };
}

const READY_REASONS: Readonly<Record<JobState, ReadyReason>> = {
  running: 'JobInProgress',
  finished: 'JobFinished',
  broken: 'JobBroken',
  killed: 'JobKilled',
  unknown: 'JobStatusUnknown',
};

function readyReason(observation: Observation): ReadyReason | SyncedReason {
  const { content, sync } = observation;
  if (sync.kind === 'fetched' || isMirrored(content)) return readyReasonOf(content);
  return syncedReason(observation);
}

function syncedReason({ sync }: Observation): SyncedReason {
  switch (sync.kind) {
    case 'fetched':
      return sync.deliveryFailure?.reason ?? 'JobFetched';
    case 'failed':
      return sync.failure.reason;
    case 'suspended':
      return 'Suspended';
  }
}

const DOWNLOAD_REASONS: Readonly<Record<DeliveryState, DownloadReason>> = {
  absent: 'DownloadPending',
  unknown: 'DownloadPending',
  pending: 'DownloadPending',
  ready: 'DownloadReady',
  expired: 'DownloadExpired',
  exhausted: 'MaxDownloadsExceeded',
  failed: 'DownloadFailed',
};

/** A download that nobody has fetched is worth a warning from then on. */
const EXPIRES_SOON_MS = 3_600_000;

function downloadReason({ content, at }: Observation): DownloadReason | ReadyReason | undefined {
  if (!isDownload(content)) return undefined;
  const state = jobState(content);
  // A job that has failed brings no file any more.
  if (state === 'broken' || state === 'killed') return READY_REASONS[state];
  const reason = DOWNLOAD_REASONS[deliveryState(content.delivery)];
  const expires = expiresAt(content.delivery);
  if (reason !== 'DownloadReady' || expires === undefined) return reason;
  if (expires <= at) return 'DownloadExpired';
  return expires - at < EXPIRES_SOON_MS && !isDownloaded(content) ? 'DownloadExpiring' : 'DownloadReady';
}

/** Once the job is finished, failures move only Synced. */
function stalledReason({ content, sync }: Observation): Reason | undefined {
  const state = jobState(content);
  if (state === 'broken' || state === 'killed') return READY_REASONS[state];
  if (state === 'finished' || sync.kind !== 'failed' || sync.grace) return undefined;
  return entryOf(sync.failure.reason).retry === 'permanent' ? sync.failure.reason : undefined;
}

const isReconciling = (observation: Observation): boolean =>
  !hasEnded(jobState(observation.content)) &&
  observation.sync.kind !== 'suspended' &&
  stalledReason(observation) === undefined;
