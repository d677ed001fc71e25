import { expect, test } from '@jest/globals';
import { REASONS } from '../../../src/api/reasons.ts';
import { ERROR_CODES, errorFromAnswer, invalidResponse, unavailable } from '../../../src/atlas/errors.ts';
import { EXIT_CODES, exitOfReason, exitOfState, listExitCodes } from '../../../src/get/exit-codes.ts';
import { forCommandLine } from '../../../src/get/wording.ts';

const codeOf = (exit: keyof typeof EXIT_CODES): number => EXIT_CODES[exit].code;

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
    ['interrupted', 130],
  ]);
});

test.each([
  ['finished', 0],
  ['unknown', 1],
  ['running', 3],
  ['broken', 4],
  ['killed', 4],
] as const)('a job that is %s ends with %i', (state, code) => {
  expect(codeOf(exitOfState(state))).toBe(code);
});

const REASON_ROWS = [
  ['BadRequest', 1],
  ['VersionGone', 1],
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
  expect(codeOf(exitOfReason(reason))).toBe(code);
});

/** One error of every kind that the client can throw. */
const ERRORS = [
  ...ERROR_CODES,
  ...[400, 401, 402, 403, 404, 408, 410, 418, 425, 429, 500, 503].map((httpStatus) => ({
    httpStatus,
    errorCode: undefined,
  })),
].map(({ httpStatus, errorCode }) =>
  errorFromAnswer({ httpStatus, errorCode, detail: undefined, retryAfterMs: undefined }),
);
ERRORS.push(invalidResponse('Atlas answered 302 instead of 200'), unavailable('Atlas cannot be reached'));

test('every reason that an error of Atlas can have is in the table, and no other one', () => {
  const known: readonly string[] = REASON_ROWS.map(([reason]) => reason);
  expect([...new Set(ERRORS.map(({ reason }) => reason))].toSorted()).toEqual(known.toSorted());
  expect(
    listExitCodes()
      .flatMap(({ reasons }) => reasons)
      .toSorted(),
  ).toEqual(known.toSorted());
});

test.each(ERRORS.map(({ message }) => message))(
  'on the command line nothing of the operator is told: %s',
  (message) => {
    const told = forCommandLine(message);
    expect(told).not.toMatch(/\bspec\.|\bthe operator|Secret|egress address|--atlas-requests-per-minute/);
    expect(told).not.toBe('');
  },
);

test('the fields of a resource become flags', () => {
  expect(forCommandLine(REASONS.ClusterNotFound.remedy)).toBe(
    'Check --cluster-name and --group-id; the cluster may have been deleted.',
  );
});
