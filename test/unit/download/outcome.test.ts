import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import {
  exitCodeOfOutcome,
  type Outcome,
  placementOf,
  type Verification,
  verify,
} from '../../../src/download/outcome.ts';
import { complaint, printOutcome } from '../../../src/download/print.ts';

const PROVEN = { proven: true, restarted: false };
const DOUBTFUL = { proven: false, restarted: false };

test('a hash is compared, waited for in vain, or not asked for', () => {
  expect(verify('a', 'a', true)).toEqual({ kind: 'verified' });
  expect(verify('a', 'b', true)).toEqual({ kind: 'differs', expected: 'b' });
  expect(verify('a', undefined, true)).toEqual({ kind: 'noHash' });
  expect(verify('a', 'b', false)).toEqual({ kind: 'unverified' });
});

test.each<[Verification['kind'], ReturnType<typeof placementOf>, ReturnType<typeof placementOf>]>([
  ['verified', 'verifiedFile', 'verifiedFile'],
  ['unverified', 'file', 'file'],
  ['noHash', 'file', 'part'],
  ['differs', 'corrupt', 'startOver'],
])('what is %s becomes %s, or where its pieces may not belong together %s', (kind, proven, doubtful) => {
  const verification: Verification = kind === 'differs' ? { kind, expected: 'b' } : { kind };
  expect(placementOf(verification, PROVEN)).toBe(proven);
  expect(placementOf(verification, DOUBTFUL)).toBe(doubtful);
  if (kind === 'differs') expect(placementOf(verification, { ...DOUBTFUL, restarted: true })).toBe('corrupt');
});

const outcome = (verification: Verification, kind: Outcome['kind'] = 'fetched'): Outcome => ({
  kind,
  verification,
  file: '/restore/file.tar.gz',
  bytes: 2_048,
  sha1: 'abc',
  resumed: true,
});

test.each<[Outcome, number, string]>([
  [
    outcome({ kind: 'verified' }),
    0,
    '/restore/file.tar.gz (2.0 KiB, SHA-1 abc) is there and has the hash that the job names.\n',
  ],
  [
    outcome({ kind: 'verified' }, 'present'),
    0,
    '/restore/file.tar.gz (2.0 KiB, SHA-1 abc) is already there and has the hash that the job names.\n',
  ],
  [
    outcome({ kind: 'unverified' }),
    0,
    '/restore/file.tar.gz (2.0 KiB, SHA-1 abc) is there; its hash was not compared.\n',
  ],
  [outcome({ kind: 'noHash' }), 10, ''],
  [outcome({ kind: 'differs', expected: 'b' }), 9, ''],
])('%j ends with %i', (ended, exitCode, text) => {
  expect(exitCodeOfOutcome(ended)).toBe(exitCode);
  expect(printOutcome(ended, 'text', 1)).toBe(text);
  expect(complaint(ended) === undefined).toBe(text !== '');
});

test('README shows what is printed', () => {
  const [, file = '', sha1 = ''] =
    /^(\S+) \(1\.4 GiB, SHA-1 ([0-9a-f]{40})\)/m.exec(readFileSync('README.md', 'utf8')) ?? [];
  const printed = printOutcome({ ...outcome({ kind: 'verified' }), file, sha1, bytes: 1.4 * 2 ** 30 }, 'text', 1);
  expect(readFileSync('README.md', 'utf8')).toContain(printed);
});

test('json has the same members however it ended', () => {
  const verified = JSON.parse(printOutcome(outcome({ kind: 'verified' }), 'json', 61.44));
  expect(verified).toEqual({
    file: '/restore/file.tar.gz',
    bytes: 2_048,
    sha1: 'abc',
    verified: true,
    resumed: true,
    seconds: 61.4,
  });
  expect(JSON.parse(printOutcome(outcome({ kind: 'noHash' }), 'json', 0))).toMatchObject({
    verified: false,
    seconds: 0,
  });
});

test('a person reads what to do next', () => {
  expect(complaint(outcome({ kind: 'differs', expected: 'b' }, 'present'))).toContain('--force fetches it again');
  expect(complaint(outcome({ kind: 'noHash' }, 'part'))).toContain('may not belong together');
});
