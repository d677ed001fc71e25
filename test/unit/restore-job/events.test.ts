import { describe, expect, test } from '@jest/globals';
import type { Condition, ConditionType, Status } from '../../../src/api/legacy-restore-job.ts';
import { listEvents, logFor } from '../../../src/restore-job/events.ts';
import { entryOf, REASONS, type Reason } from '../../../src/restore-job/reasons.ts';

describe('the list of events', () => {
  test('has every reason but the quiet one, and what has no condition', () => {
    const reasons = listEvents().map(({ reason }) => reason);
    const expected = [...Object.keys(REASONS).filter((reason) => reason !== 'DownloadPending'), 'StatusWriteRefused'];
    expect(reasons.toSorted()).toEqual(expected.toSorted());
  });

  test('warns of what needs somebody, and of nothing else', () => {
    const normal = listEvents()
      .filter(({ type }) => type === 'Normal')
      .map(({ reason }) => reason);
    expect(normal).toEqual([
      'JobFinished',
      'JobInProgress',
      'JobFetched',
      'Suspended',
      'DownloadReady',
      'DownloadExpired',
      'MaxDownloadsExceeded',
    ]);
  });
});

describe('the line of the log', () => {
  const condition = (type: ConditionType, reason: Reason): Condition => ({
    type,
    status: entryOf(reason).status,
    reason,
    message: `${reason} in words`,
    lastTransitionTime: '2030-01-01T00:00:00Z',
    observedGeneration: 1,
  });
  const status = (ready: Reason, synced: Reason, download?: Reason): Status => ({
    statusName: 'FINISHED',
    delivery: { statusName: 'READY\nwarn' },
    conditions: [
      condition('Ready', ready),
      condition('Synced', synced),
      ...(download === undefined ? [] : [condition('DownloadAvailable', download)]),
    ],
  });
  const RUNNING = status('JobInProgress', 'JobFetched', 'DownloadPending');
  const FAILING = status('JobInProgress', 'Unauthorized', 'DownloadPending');

  test.each([
    ['the first reconcile', {}, RUNNING, 'JobInProgress'],
    ['a job that finishes', RUNNING, status('JobFinished', 'JobFetched', 'DownloadReady'), 'JobFinished'],
    [
      'a download that expires',
      status('JobFinished', 'JobFetched', 'DownloadReady'),
      status('JobFinished', 'JobFetched', 'DownloadExpired'),
      'DownloadExpired',
    ],
    ['a suspension', RUNNING, status('JobInProgress', 'Suspended', 'DownloadPending'), 'Suspended'],
    ['a repair', FAILING, RUNNING, 'JobInProgress'],
    ['content alone', RUNNING, { ...RUNNING, snapshotId: '1' }, 'JobInProgress'],
  ])('of %s has its reason', (_, before: Status, now: Status, reason) => {
    expect(logFor(now, before, false, true)).toEqual({
      level: 'info',
      message: 'status changed',
      fields: { reason, statusName: 'FINISHED', delivery: 'READY warn' },
    });
  });

  test.each([
    ['a new failure', RUNNING, FAILING, false, 'warn'],
    ['a failure with another reason', FAILING, status('JobInProgress', 'Forbidden'), false, 'warn'],
    ['a failure that repeats itself', FAILING, FAILING, true, 'debug'],
    ['a failure in other words', FAILING, { ...FAILING, lastHandledReconcileAt: 'now' }, false, 'debug'],
  ] as const)('of %s has its words and its reason', (_, before, now, written, level) => {
    const reason = now.conditions?.find(({ type }) => type === 'Synced')?.reason;
    expect(logFor(now, before, true, !written)).toMatchObject({
      level,
      message: `${reason} in words`,
      fields: { reason },
    });
  });

  test('of a reconcile that found nothing new is for whoever debugs', () => {
    expect(logFor(RUNNING, RUNNING, false, false)).toMatchObject({
      level: 'debug',
      message: 'nothing changed',
    });
  });
});
