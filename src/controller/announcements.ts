/** The events and the log line that go with a status that changed. */
import type { Condition, Status } from '../api/legacy-restore-job.ts';
import { printable } from '../api/printable.ts';
import { type ConditionType, REASONS, type Reason, reasonsOf } from '../api/reasons.ts';
import type { EventContent } from '../kube/events.ts';
import { EXPIRES_SOON } from './conditions.ts';

export interface LogCause {
  readonly failed: boolean;
  readonly written: boolean;
}

export interface LogLine {
  readonly level: 'info' | 'warn' | 'debug';
  readonly message: string;
  readonly fields: Readonly<Record<string, string>>;
}

/**
 * One event for each of Ready, Synced and DownloadAvailable whose reason changed, and one when a download that nobody has
 * fetched expires soon: the story of the job, never a poll. What was told already stands in the previous status, so that
 * neither a restart nor another replica tells it again.
 */
export function eventsFor(status: Status, previous: Status): EventContent[] {
  return [
    ...(['Synced', 'Ready', 'DownloadAvailable'] as const).flatMap((type) => eventOfReason(type, status, previous)),
    ...expiryWarning(find(status, 'DownloadAvailable'), find(previous, 'DownloadAvailable')),
  ];
}

/** One kind of event as documentation lists it. */
export interface EventDescription {
  readonly reason: string;
  readonly type: EventContent['type'];
  readonly meaning: string;
}

/** Every kind of event, in the order of the documentation. */
export const listEvents = (): readonly EventDescription[] => [
  ...Object.entries(REASONS)
    .filter(([reason]) => !QUIET.has(reason))
    .map(([reason, { meaning }]) => ({ reason, type: typeOf(reason), meaning })),
  {
    reason: REPAIRED,
    type: 'Normal',
    meaning: "The status equals Atlas's answer again, after the reason that it names.",
  },
  { reason: EXPIRING, type: 'Warning', meaning: `Less than an hour is left of the download. ${EXPIRES_SOON}` },
];

/**
 * One line for a change or a failure, at a level that stays quiet while a failure only repeats itself and while nothing
 * happens. `written`: the status stands in the resource already.
 */
export function logFor(status: Status, previous: Status, { failed, written }: LogCause): LogLine {
  const synced = find(status, 'Synced');
  const fields = {
    reason: (failed ? synced : changed(status, previous))?.reason ?? '',
    statusName: printable(status.statusName ?? '', 64),
    delivery: printable(status.delivery?.statusName ?? '', 64),
  };
  if (failed) {
    const repeated = written || synced?.reason === find(previous, 'Synced')?.reason;
    return { level: repeated ? 'debug' : 'warn', message: synced?.message ?? 'the visit failed', fields };
  }
  return written
    ? { level: 'debug', message: 'nothing changed', fields }
    : { level: 'info', message: 'status changed', fields };
}

/** Reasons of events that are not those of a condition that turned bad or good for the first time. */
const REPAIRED: Reason = 'JobFetched';
const EXPIRING = 'DownloadExpiring';

const QUIET: ReadonlySet<string> = new Set<Reason>(['JobFetched', 'DownloadPending']);
const WARNINGS: ReadonlySet<string> = new Set([
  ...reasonsOf('Synced').filter((reason) => reason !== 'JobFetched' && reason !== 'Suspended'),
  ...(['JobBroken', 'JobKilled', 'JobStatusUnknown', 'DownloadFailed'] satisfies Reason[]),
]);

const typeOf = (reason: string): EventContent['type'] => (WARNINGS.has(reason) ? 'Warning' : 'Normal');

function eventOfReason(type: ConditionType, status: Status, previous: Status): EventContent[] {
  const now = find(status, type);
  const before = find(previous, type);
  if (now === undefined || now.reason === before?.reason) return [];
  if (now.reason === REPAIRED && before !== undefined) {
    const note = `The status equals Atlas's answer again, after ${printable(before.reason, 64)}.`;
    return [{ type: 'Normal', reason: REPAIRED, note }];
  }
  // Ready borrows Synced's reason while nothing is mirrored: one event tells it.
  const borrowed = type === 'Ready' && now.reason === find(status, 'Synced')?.reason;
  if (borrowed || QUIET.has(now.reason)) return [];
  return [{ type: typeOf(now.reason), reason: now.reason, note: now.message }];
}

function expiryWarning(now: Condition | undefined, before: Condition | undefined): EventContent[] {
  const told = before?.message.endsWith(EXPIRES_SOON) ?? false;
  if (now === undefined || told || !now.message.endsWith(EXPIRES_SOON)) return [];
  return [{ type: 'Warning', reason: EXPIRING, note: now.message }];
}

/** The condition that a change is about: the first whose reason is another one, else Ready. */
function changed(status: Status, previous: Status): Condition | undefined {
  const ready = find(status, 'Ready');
  return (
    [find(status, 'Synced'), ready, find(status, 'DownloadAvailable')].find(
      (now) => now !== undefined && now.reason !== REPAIRED && now.reason !== find(previous, now.type)?.reason,
    ) ?? ready
  );
}

const find = (status: Status, type: ConditionType): Condition | undefined =>
  status.conditions?.find((candidate) => candidate.type === type);
