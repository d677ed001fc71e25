import { describe, expect, test } from '@jest/globals';
import { REASONS } from '../../../src/api/reasons.ts';
import { listEvents } from '../../../src/controller/announcements.ts';

describe('the list of events', () => {
  test('has every reason but the quiet one, that the status is repaired, and that a download expires soon', () => {
    const reasons = listEvents().map(({ reason }) => reason);
    const expected = [...Object.keys(REASONS).filter((reason) => reason !== 'DownloadPending'), 'DownloadExpiring'];
    expect(reasons.toSorted()).toEqual(expected.toSorted());
  });

  test('warns of what needs somebody, and of nothing else', () => {
    const normal = listEvents()
      .filter(({ type }) => type === 'Normal')
      .map(({ reason }) => reason);
    expect(normal).toEqual([
      'JobFinished',
      'JobInProgress',
      'Suspended',
      'DownloadReady',
      'DownloadExpired',
      'MaxDownloadsExceeded',
      'JobFetched',
    ]);
  });
});
