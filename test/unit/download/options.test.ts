import { describe, expect, test } from '@jest/globals';
import {
  type DownloadOptions,
  downloadHelp,
  listDownloadFlags,
  readDownloadOptions,
} from '../../../src/download/options.ts';

const IDS = ['--group-id=5a66666887d9d61443b41645', '--cluster-name=Cluster0', '--job-id=6b77893b80eef5354c77ee15'];
const API_KEY = { MONGODB_ATLAS_PUBLIC_API_KEY: 'abcdefgh', MONGODB_ATLAS_PRIVATE_API_KEY: 'canary-private' };

/** The options of a command line and an environment that are right. */
function read(args: readonly string[], environment: Readonly<Record<string, string>> = API_KEY): DownloadOptions {
  const result = readDownloadOptions(args, environment);
  if (result.kind !== 'options') throw new Error(JSON.stringify(result));
  return result.options;
}

function problems(args: readonly string[], environment: Readonly<Record<string, string>> = API_KEY): readonly string[] {
  const result = readDownloadOptions(args, environment);
  return result.kind === 'problems' ? result.problems : [];
}

test('what applies where nothing else is said', () => {
  expect(read(IDS)).toMatchObject({
    job: {
      kind: 'atlas',
      ref: { groupId: '5a66666887d9d61443b41645', clusterName: 'Cluster0', jobId: '6b77893b80eef5354c77ee15' },
      atlasBaseUrl: 'https://cloud.mongodb.com',
    },
    plainOrigin: undefined,
    directory: '.',
    fileName: undefined,
    waitMs: undefined,
    hashTimeoutMs: 900_000,
    force: false,
    output: 'text',
  });
});

test.each<[readonly string[], Partial<DownloadOptions>]>([
  [['--wait'], { waitMs: 7_200_000 }],
  [['--wait', '--timeout=90s'], { waitMs: 90_000 }],
  [['--no-verify'], { hashTimeoutMs: undefined }],
  [['--hash-timeout', '1h'], { hashTimeoutMs: 3_600_000 }],
  [['--directory=/restore', '--file-name', 'a b.tar'], { directory: '/restore', fileName: 'a b.tar' }],
  [['-o', 'json', '--force'], { output: 'json', force: true }],
  [
    [
      '--atlas-api=public/v1.0',
      '--atlas-allow-plain-http=true',
      '--atlas-base-url=http://ops-manager:8080',
      '--cluster-name=5a66689487d9d61443b46149',
    ],
    { plainOrigin: 'http://ops-manager:8080' },
  ],
])('%j', (args, expected) => {
  expect(read([...IDS, ...args])).toMatchObject(expected);
});

describe('a resource', () => {
  test.each([
    ['payments/friday', { kind: 'resource', namespace: 'payments', name: 'friday' }],
    ['friday', { kind: 'resource', namespace: undefined, name: 'friday' }],
  ])('%s needs no Atlas credentials', (resource, job) => {
    expect(read([`--resource=${resource}`], {}).job).toEqual(job);
  });

  test('excludes ids and credentials', () => {
    expect(problems(['--resource=friday', ...IDS, '--secret=a/b'])).toEqual([
      '--resource excludes --group-id, --cluster-name, --job-id, --secret',
    ]);
  });
});

test.each<[readonly string[], string]>([
  [IDS.slice(1), 'name the job with --group-id, --cluster-name and --job-id, or the resource with --resource'],
  [[...IDS, '--timeout=1h'], '--timeout needs --wait'],
  [[...IDS, '--no-verify', '--hash-timeout=1h'], '--hash-timeout and --no-verify exclude each other'],
  [[...IDS, '--wait', '--timeout=canary'], '--timeout must be a duration from 1s to 720h, such as 90s or 1h30m'],
  [[...IDS, '--file-name=../canary'], '--file-name must be a name without a path, of at most 200 bytes'],
  [['--resource=a/b/canary'], '--resource must be namespace/name or name'],
  [['--resource=CANARY'], '--resource must be namespace/name or name'],
  [[...IDS, '-o', 'canary'], '--output must be text or json'],
  [[...IDS, 'canary'], 'argument 4 is not a flag; flags are --name=value or --name value'],
])('%j is wrong, and no value is repeated', (args, problem) => {
  const found = problems(args);
  expect(found).toContain(problem);
  expect(found.join()).not.toMatch(/canary/i);
});

test('credentials are needed where Atlas is asked', () => {
  expect(problems(IDS, {})).toEqual([expect.stringMatching(/^no credentials are given/)]);
});

test('help has every flag and every exit code', () => {
  expect(readDownloadOptions(['--help'], {})).toEqual({ kind: 'help' });
  for (const { name } of listDownloadFlags()) expect(downloadHelp()).toContain(`--${name}`);
  for (const code of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 130])
    expect(downloadHelp()).toMatch(new RegExp(`^ +${code}  `, 'm'));
});
