import { describe, expect, test } from '@jest/globals';
import type { RestoreJob } from '../../../src/api/restore-job.ts';
import { DownloadError } from '../../../src/download/errors.ts';
import { downloadState, hashOf, type JobLink } from '../../../src/download/job.ts';

const NOW = Date.UTC(2026, 10, 27);
const LINK: JobLink = { kind: 'link', link: { url: 'https://h/file', header: undefined } };
const delivery = { methodName: 'HTTP', statusName: 'READY', url: 'https://h/file' };
const FINISHED: RestoreJob = { statusName: 'FINISHED', delivery };

/** `ready`, or kind, code and exit code. */
function stateOf(content: RestoreJob, link: JobLink = LINK): string {
  const state = downloadState({ groupId: 'g', jobId: 'j', content, link }, NOW, 'atlas/v1.0');
  return state.kind === 'ready' ? 'ready' : `${state.kind} ${state.error.code} ${state.error.exitCode}`;
}

test.each<[string, RestoreJob]>([
  ['ready', FINISHED],
  ['ready', { ...FINISHED, delivery: { ...delivery, expires: '2026-11-27T00:00:01Z' } }],
  ['ready', { ...FINISHED, statusName: 'OPEN' }],
  ['pending NOT_READY 3', {}],
  ['pending NOT_READY 3', { statusName: 'IN_PROGRESS', delivery: { methodName: 'HTTP', statusName: 'NOT_STARTED' } }],
  ['pending NOT_READY 3', { ...FINISHED, delivery: { methodName: 'HTTP', statusName: 'PENDING' } }],
  ['pending NOT_READY 3', { ...FINISHED, delivery: { methodName: 'HTTP', statusName: 'NEW_STATUS' } }],
  ['ended JOB_FAILED 4', { ...FINISHED, statusName: 'BROKEN' }],
  ['ended JOB_FAILED 4', { ...FINISHED, statusName: 'KILLED' }],
  ['ended NOTHING_TO_DOWNLOAD 8', { ...FINISHED, delivery: { ...delivery, statusName: 'EXPIRED' } }],
  ['ended NOTHING_TO_DOWNLOAD 8', { ...FINISHED, delivery: { ...delivery, statusName: 'MAX_DOWNLOADS_EXCEEDED' } }],
  ['ended NOTHING_TO_DOWNLOAD 8', { ...FINISHED, delivery: { ...delivery, statusName: 'FAILED' } }],
  ['ended NOTHING_TO_DOWNLOAD 8', { ...FINISHED, delivery: { ...delivery, statusName: 'INTERRUPTED' } }],
  ['ended NOTHING_TO_DOWNLOAD 8', { ...FINISHED, delivery: { ...delivery, expires: '2026-11-27T00:00:00Z' } }],
  ['ended NOTHING_TO_DOWNLOAD 8', { ...FINISHED, delivery: { methodName: 'HTTP', statusName: 'READY' } }],
  ['ended NOTHING_TO_DOWNLOAD 8', { ...FINISHED, delivery: { ...delivery, targetClusterName: 'Cluster1' } }],
])('%s', (expected, content) => {
  expect(stateOf(content)).toBe(expected);
});

test('a link that is missing is waited for, one that is refused is not', () => {
  const error = new DownloadError('SECRET_MISSING', 'x');
  expect(stateOf(FINISHED, { kind: 'missing', error })).toBe('pending SECRET_MISSING 11');
  expect(stateOf(FINISHED, { kind: 'refused', error: new DownloadError('LINK_WITHHELD', 'x') })).toBe(
    'ended LINK_WITHHELD 2',
  );
  expect(stateOf(FINISHED, { kind: 'none' })).toBe('pending NOT_READY 3');
});

describe('the hash', () => {
  const hash = 'ab'.repeat(20);
  const other = 'cd'.repeat(20);

  test.each<[string, RestoreJob['hashes'], string | undefined]>([
    [
      'of the entry with the name',
      [
        { fileName: 'a', hash: other, typeName: 'SHA1' },
        { fileName: 'b', hash, typeName: 'SHA1' },
      ],
      hash,
    ],
    ['of the only entry, whatever its name', [{ fileName: 'c', hash, typeName: 'SHA1' }], hash],
    [
      'of the only one of its kind',
      [
        { fileName: 'b', hash: 'x'.repeat(64), typeName: 'SHA256' },
        { fileName: 'c', hash, typeName: 'SHA1' },
      ],
      hash,
    ],
    ['in lower case', [{ fileName: 'b', hash: hash.toUpperCase(), typeName: 'SHA1' }], hash],
    [
      'of none of several with other names',
      [
        { fileName: 'a', hash, typeName: 'SHA1' },
        { fileName: 'c', hash, typeName: 'SHA1' },
      ],
      undefined,
    ],
    ['of none that is no hash', [{ fileName: 'b', hash: 'abc', typeName: 'SHA1' }], undefined],
    ['of none', [], undefined],
    ['of nothing', undefined, undefined],
  ])('%s', (_what, hashes, expected) => {
    expect(hashOf(hashes === undefined ? {} : { hashes }, 'b')).toBe(expected);
  });
});
