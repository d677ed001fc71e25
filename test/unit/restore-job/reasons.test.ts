import { describe, expect, test } from '@jest/globals';
import { CONDITION_TYPES } from '../../../src/api/legacy-restore-job.ts';
import { EXIT_CODES } from '../../../src/command/exit-codes.ts';
import { atlasErrorCodes, reasonOfAtlasFailure } from '../../../src/restore-job/atlas-failures.ts';
import { entryOf, isReason, meaningOf, REASONS, type Reason, remedyOf } from '../../../src/restore-job/reasons.ts';

const ALL = Object.keys(REASONS).filter(isReason);
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
        'SecretUnreadable',
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
        'DeliverySecretRefused',
        'InternalError',
        'Suspended',
      ],
    ],
    [
      'DownloadAvailable',
      [
        'DownloadReady',
        'DownloadExpiring',
        'DownloadPending',
        'DownloadExpired',
        'MaxDownloadsExceeded',
        'DownloadFailed',
      ],
    ],
  ])('of %s: all that are promised, and no other', (condition, reasons) => {
    expect(of(condition).toSorted()).toEqual(reasons.toSorted());
  });

  test.each(ALL)('%s is CamelCase and explained in whole sentences', (reason) => {
    expect(reason).toMatch(/^([A-Z][a-z]+)+$/);
    expect(meaningOf(reason)).toMatch(/^\S.*\.$/);
    for (const audience of ['resource', 'command'] as const)
      expect(remedyOf(reason, undefined, audience)).toMatch(/^$|^\S.*\.$/);
  });
});

test.each(['BackupNotEnabled', 'JobNotFound', 'ClusterNotFound', 'GroupNotFound', 'BadRequest'] as const)(
  'the remedy of %s says how to correct an immutable field, but not on the command line',
  (reason) => {
    expect(remedyOf(reason, undefined, 'resource')).toMatch(/spec\..*delete the resource and create it again\.$/);
    expect(remedyOf(reason, undefined, 'command')).not.toContain('resource');
  },
);

test('the remedy of Suspended tells of requests that wait', () => {
  expect(remedyOf('Suspended', undefined, 'resource')).toContain('a requested reconcile waits until then');
});

describe('the columns of the table agree', () => {
  test.each(ALL)('%s', (reason) => {
    const { condition, status, retry, event, level, exitCode, errorCodes } = entryOf(reason);
    if (retry !== 'none') {
      expect([condition, event, level]).toEqual(['Synced', 'Warning', 'warn']);
      expect(status).not.toBe('True');
    }
    if (retry === 'permanent') expect(status).toBe('False');
    if (errorCodes !== undefined) expect(exitCode).toBeDefined();
    if (exitCode !== undefined) expect(Object.values(EXIT_CODES).map(({ code }) => code)).toContain(exitCode);
  });

  test('a remedy for the command line names no field of a resource', () => {
    for (const reason of ALL.filter((name) => entryOf(name).exitCode !== undefined)) {
      for (const errorCode of [undefined, ...(entryOf(reason).errorCodes ?? []).map((row) => row.errorCode)])
        expect(remedyOf(reason, errorCode, 'command')).not.toMatch(/spec\.|LegacyRestoreJob that|egress address/);
    }
  });
});

describe('the reason of a failed request to Atlas', () => {
  const refused = (httpStatus: number, errorCode?: string): Reason =>
    reasonOfAtlasFailure({
      kind: 'refused',
      httpStatus,
      apiError: errorCode === undefined ? undefined : { error: httpStatus, errorCode },
    });

  test.each(atlasErrorCodes().map((row) => [row.errorCode, row] as const))(
    '%s',
    (errorCode, { httpStatus, reason }) => {
      expect(refused(httpStatus, errorCode)).toBe(reason);
      expect(remedyOf(reason, errorCode, 'resource')).toMatch(/^[A-Z].{10,}\.$/);
    },
  );

  test('no error code stands twice', () => {
    const codes = atlasErrorCodes().map(({ errorCode }) => errorCode);
    expect(new Set(codes).size).toBe(codes.length);
  });

  test.each([
    [400, undefined, 'BadRequest'],
    [401, 'UNEXPECTED_ERROR', 'Unauthorized'],
    [401, 'A_NEW_CODE', 'Unauthorized'],
    [402, undefined, 'PaymentRequired'],
    [403, undefined, 'Forbidden'],
    [404, 'constructor', 'JobNotFound'],
    [405, undefined, 'BadRequest'],
    [410, undefined, 'VersionGone'],
    [418, 'TEAPOT', 'BadRequest'],
  ])('%s %s: %s', (httpStatus, errorCode, reason) => {
    expect(refused(httpStatus, errorCode)).toBe(reason);
  });

  test('what this process cannot do: by the code of the client, with a remedy for it', () => {
    const reason = reasonOfAtlasFailure({ kind: 'unsupported', code: 'ATLAS_HASH_UNAVAILABLE' });
    expect(reason).toBe('Unauthorized');
    expect(entryOf(reason).retry).toBe('permanent');
    for (const audience of ['resource', 'command'] as const)
      expect(remedyOf(reason, 'ATLAS_HASH_UNAVAILABLE', audience)).toMatch(/^Use a service account/);
    expect(reasonOfAtlasFailure({ kind: 'unsupported', code: 'ATLAS_OTHER' })).toBe('Unauthorized');
  });

  test.each([
    ['rateLimited', 'RateLimited'],
    ['unavailable', 'AtlasUnavailable'],
    ['invalidResponse', 'InvalidResponse'],
  ] as const)('%s goes before any error code', (kind, reason) => {
    expect(reasonOfAtlasFailure({ kind, httpStatus: 503, apiError: { errorCode: 'CLUSTER_NOT_FOUND' } })).toBe(reason);
  });
});
