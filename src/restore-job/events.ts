/** The events and the log line that go with a status that changed. */
import { type Condition, conditionOf, type Status } from '../api/legacy-restore-job.ts';
import { printable } from '../api/printable.ts';
import { entryOf, isReason, meaningOf, REASONS, type Reason } from './reasons.ts';
import { isMirrored } from './state.ts';

/** An event of the API group events.k8s.io, without what it is about. */
export interface EventContent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly note: string;
}

export interface LogLine {
  readonly level: 'info' | 'warn' | 'debug';
  readonly message: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** The conditions whose reasons are emitted, in the order of the events. */
const EMITTED = ['Synced', 'Ready', 'DownloadAvailable'] as const;

/**
 * One event for each of Synced, Ready and DownloadAvailable whose reason changed: what happened while the operator
 * watched, never a poll. Of a job that is mirrored for the first time nothing is told that had ended before. The reasons
 * of before stand in the previous status, so that neither a restart nor another replica repeats an event.
 */
export function eventsFor(status: Status, previous: Status): readonly EventContent[] {
  return EMITTED.flatMap((type) => {
    const now = conditionOf(status, type);
    const before = conditionOf(previous, type);
    if (now === undefined || !isReason(now.reason)) return [];
    // A borrowed reason is emitted for the condition that owns it, and one that is expected to pass once it has not.
    const { condition, event, status: settled } = entryOf(now.reason);
    if (condition !== type || event === 'none' || now.status !== settled) return [];
    if (now.reason === before?.reason && now.status === before.status) return [];
    const { reason, message } = now;
    switch (event) {
      case 'Completion':
        return isMirrored(previous) ? [{ type: 'Normal', reason, note: message }] : [];
      case 'Recovery':
        return wasTold(before) ? [{ type: 'Normal', reason, note: recovery(printable(before.reason, 64)) }] : [];
      default:
        return [{ type: event, reason, note: message }];
    }
  });
}

/** What nobody was told of needs no all-clear. */
const wasTold = (before: Condition | undefined): before is Condition =>
  before !== undefined && (!isReason(before.reason) || before.status === entryOf(before.reason).status);

const recovery = (reason: string): string => `The status equals the last response again, after ${reason}.`;

/** One kind of event as documentation lists it. */
interface EventDescription {
  readonly reason: string;
  readonly type: EventContent['type'];
  readonly meaning: string;
}

/** Every kind of event, in the order of the table of reasons. */
export const listEvents = (): readonly EventDescription[] => [
  ...Object.keys(REASONS)
    .filter(isReason)
    .flatMap((reason): EventDescription[] => {
      const { event } = entryOf(reason);
      const meaning = meaningOf(reason);
      switch (event) {
        case 'none':
          return [];
        case 'Completion':
          return [{ reason, type: 'Normal', meaning: `${meaning} Only where the operator watched it happen.` }];
        case 'Recovery':
          return [{ reason, type: 'Normal', meaning: recovery('the reason named') }];
        default:
          return [{ reason, type: event, meaning }];
      }
    }),
  {
    reason: STATUS_WRITE_REFUSED,
    type: 'Warning',
    meaning: 'The API server refuses the status that the operator wants to write; the next try starts from Atlas.',
  },
];

/** The event about a status that the API server does not take; `said` is its own sentence. */
export const statusWriteRefused = (said: string): EventContent => ({
  type: 'Warning',
  reason: STATUS_WRITE_REFUSED,
  note: `The status could not be written and is dropped: ${said}`,
});

const STATUS_WRITE_REFUSED = 'StatusWriteRefused';

/** Level and message of the log line: quiet while a failure only repeats itself and while nothing changes. */
export function logFor(status: Status, previous: Status, failed: boolean, changed: boolean): LogLine {
  const synced = conditionOf(status, 'Synced');
  const reason = (failed ? synced?.reason : changedReason(status, previous)) ?? '';
  const fields = {
    reason,
    statusName: printable(status.statusName ?? '', 64),
    delivery: printable(status.delivery?.statusName ?? '', 64),
  };
  if (!failed) return changed ? { level: 'info', message: 'status changed', fields } : UNCHANGED(fields);
  const before = conditionOf(previous, 'Synced');
  const repeated = !changed || (reason === before?.reason && synced?.status === before.status);
  // During the grace period it is no news yet.
  const isExpected = isReason(reason) && synced?.status !== entryOf(reason).status;
  return {
    level: repeated || isExpected || !isReason(reason) ? 'debug' : entryOf(reason).level,
    message: synced?.message ?? 'reconcile failed',
    fields,
  };
}

const UNCHANGED = (fields: LogLine['fields']): LogLine => ({ level: 'debug', message: 'nothing changed', fields });

/** The reason that a change is about: the first that is another one, else Ready's. */
function changedReason(status: Status, previous: Status): string | undefined {
  const changed = EMITTED.map((type) => conditionOf(status, type)).find(
    (now) =>
      now !== undefined &&
      now.reason !== ('JobFetched' satisfies Reason) &&
      now.reason !== previous.conditions?.find(({ type }) => type === now.type)?.reason,
  );
  return (changed ?? conditionOf(status, 'Ready'))?.reason;
}
