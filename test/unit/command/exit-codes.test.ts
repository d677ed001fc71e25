import { expect, test } from '@jest/globals';
import { EXIT_CODES, exitCodeOf, listExitCodes } from '../../../src/command/exit-codes.ts';
import { readyReasonOf } from '../../../src/restore-job/conditions.ts';
import { isReason } from '../../../src/restore-job/reasons.ts';

test('the codes that scripts compare', () => {
  expect(Object.entries(EXIT_CODES).map(([exit, { code }]) => [exit, code])).toEqual([
    ['finished', 0],
    ['other', 1],
    ['usage', 2],
    ['inProgress', 3],
    ['failed', 4],
    ['noAccess', 5],
    ['notFound', 6],
    ['unavailable', 7],
    ['nothingToDownload', 8],
    ['interrupted', 130],
  ]);
});

test.each([
  ['FINISHED', 0],
  ['OPEN', 1],
  ['IN_PROGRESS', 3],
  ['BROKEN', 4],
  ['KILLED', 4],
] as const)('a job that is %s ends with %i', (statusName, code) => {
  expect(exitCodeOf(readyReasonOf({ statusName }))).toBe(code);
});

const REASON_ROWS = [
  ['BadRequest', 1],
  ['VersionGone', 1],
  ['SecretNotFound', 2],
  ['SecretInvalid', 2],
  ['Unauthorized', 5],
  ['AccessListDenied', 5],
  ['Forbidden', 5],
  ['PaymentRequired', 5],
  ['BackupNotEnabled', 6],
  ['JobNotFound', 6],
  ['ClusterNotFound', 6],
  ['GroupNotFound', 6],
  ['RateLimited', 7],
  ['AtlasUnavailable', 7],
  ['InvalidResponse', 7],
] as const;

test.each(REASON_ROWS)('%s ends with %i', (reason, code) => {
  expect(isReason(reason) && exitCodeOf(reason)).toBe(code);
});

test('the list has every one of these failures, and no other', () => {
  const listed = listExitCodes().flatMap(({ code, reasons }) => reasons.map((reason) => `${reason} ${code}`));
  expect(listed.toSorted()).toEqual(REASON_ROWS.map(([reason, code]) => `${reason} ${code}`).toSorted());
});
