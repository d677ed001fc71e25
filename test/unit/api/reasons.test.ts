import { describe, expect, test } from '@jest/globals';
import { CONDITION_TYPES, REASONS } from '../../../src/api/reasons.ts';

const of = (condition: string): string[] =>
  Object.entries(REASONS)
    .filter(([, entry]) => entry.condition === condition)
    .map(([reason]) => reason);

describe('the reasons that scripts and alerts compare', () => {
  test('the conditions', () => {
    expect(CONDITION_TYPES).toEqual(['Ready', 'Synced', 'DownloadAvailable', 'Reconciling', 'Stalled']);
  });

  test.each([
    ['Ready', ['JobFinished', 'JobInProgress', 'JobBroken', 'JobKilled', 'JobStatusUnknown']],
    [
      'Synced',
      [
        'JobFetched',
        'SecretNotFound',
        'SecretInvalid',
        'Unauthorized',
        'AccessListDenied',
        'Forbidden',
        'PaymentRequired',
        'BackupNotEnabled',
        'JobNotFound',
        'ClusterNotFound',
        'GroupNotFound',
        'BadRequest',
        'VersionGone',
        'RateLimited',
        'AtlasUnavailable',
        'InvalidResponse',
        'DeliverySecretConflict',
        'DeliverySecretForbidden',
        'Suspended',
      ],
    ],
    [
      'DownloadAvailable',
      ['DownloadReady', 'DownloadPending', 'DownloadExpired', 'MaxDownloadsExceeded', 'DownloadFailed'],
    ],
  ])('of %s: all that are promised, and no other', (condition, reasons) => {
    expect(of(condition).toSorted()).toEqual(reasons.toSorted());
  });

  test.each(Object.entries(REASONS))(
    '%s is CamelCase and explained in whole sentences',
    (reason, { meaning, remedy }) => {
      expect(reason).toMatch(/^([A-Z][a-z]+)+$/);
      expect(meaning).toMatch(/^\S.*\.$/);
      expect(remedy).toMatch(/^$|^\S.*\.$/);
    },
  );
});
