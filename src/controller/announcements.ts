/** The events and the log line that go with a status that changed. */
import { isDeepStrictEqual } from 'node:util';
import type { Condition, Status } from '../api/legacy-restore-job.ts';
import type { ConditionType, Reason } from '../api/reasons.ts';
import { printable } from '../atlas/errors.ts';
import type { EventContent } from '../kube/events.ts';

export interface LogLine {
  readonly level: 'info' | 'warn' | 'debug';
  readonly message: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** One event for each of Ready, Synced and DownloadAvailable whose reason changed: the story of the job, never a poll. */
export function eventsFor(status: Status, previous: Status): EventContent[] {
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

/** One line for a change or a failure, at a level that stays quiet while a failure only repeats itself. */
export function logFor(status: Status, previous: Status, failed: boolean): LogLine | undefined {
  const written = isDeepStrictEqual(status, previous);
  const synced = find(status, 'Synced');
  const fields = {
    statusName: printable(status.statusName ?? '', 64),
    delivery: printable(status.delivery?.statusName ?? '', 64),
    ready: find(status, 'Ready')?.reason ?? '',
    synced: synced?.reason ?? '',
  };
  if (failed) {
    const repeated = written || synced?.reason === find(previous, 'Synced')?.reason;
    return { level: repeated ? 'debug' : 'warn', message: synced?.message ?? 'the visit failed', fields };
  }
  return written ? undefined : { level: 'info', message: 'status changed', fields };
}

const QUIET: ReadonlySet<string> = new Set<Reason>(['JobFetched', 'DownloadPending']);
const WARNINGS: ReadonlySet<string> = new Set<Reason>(['JobBroken', 'JobKilled', 'JobStatusUnknown', 'DownloadFailed']);

const find = (status: Status, type: ConditionType): Condition | undefined =>
  status.conditions?.find((candidate) => candidate.type === type);
