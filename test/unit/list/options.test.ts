import { describe, expect, test } from '@jest/globals';
import { listListFlags, readListOptions } from '../../../src/list/options.ts';

const GROUP_ID = '5a66666887d9d61443b41645';
const CLUSTER = [`--group-id=${GROUP_ID}`, '--cluster-name=Cluster0'];
const ENV = { MONGODB_ATLAS_PUBLIC_API_KEY: 'abcdefgh', MONGODB_ATLAS_PRIVATE_API_KEY: 'canary-key' } as const;

function optionsOf(...args: readonly string[]) {
  const result = readListOptions([...CLUSTER, ...args], ENV);
  if (result.kind !== 'options') throw new Error(JSON.stringify(result));
  return result.options;
}

function problemsOf(args: readonly string[], cluster: readonly string[] = CLUSTER): readonly string[] {
  const result = readListOptions([...cluster, ...args], ENV);
  return result.kind === 'problems' ? result.problems : [];
}

test('the defaults', () => {
  expect(optionsOf()).toMatchObject({
    ref: { groupId: GROUP_ID, clusterName: 'Cluster0', batchId: undefined },
    status: undefined,
    output: 'text',
    showUrl: false,
    credentialsSecret: undefined,
    deliverySecrets: false,
    credentials: expect.objectContaining({ kind: 'given' }),
    atlasBaseUrl: 'https://cloud.mongodb.com',
    atlasApi: 'atlas/v1.0',
    atlasTimeout: 10_000,
  });
});

test('everything that can be given', () => {
  const batchId = 'b'.repeat(24);
  const args = ['--batch-id', batchId, '--status', 'FINISHED, OPEN,', '-o', 'manifests', '--atlas-timeout=1s'];
  expect(optionsOf(...args, '--credentials-secret', 'atlas-key', '--delivery-secrets')).toMatchObject({
    ref: { batchId },
    status: new Set(['FINISHED', 'OPEN']),
    output: 'manifests',
    credentialsSecret: 'atlas-key',
    deliverySecrets: true,
    atlasTimeout: 1_000,
  });
});

describe('what is refused', () => {
  test.each<[readonly string[], string]>([
    [['--batch-id=canary'], '--batch-id must be 24 digits'],
    [['--status=canary'], '--status must be a comma-separated list of statuses'],
    [['--status=,'], '--status must be a comma-separated list of statuses'],
    [['-o', 'canary'], '--output must be text, json, yaml, name or manifests'],
    [['-o', 'manifests', '--credentials-secret=a/canary'], '--credentials-secret must be the name of a Secret'],
    [['-o', 'manifests', '--credentials-secret', 'x'.repeat(254)], '--credentials-secret must be the name of a Secret'],
    [['--credentials-secret=canary'], '--credentials-secret needs -o manifests'],
    [['--delivery-secrets', '-o', 'yaml'], '--delivery-secrets needs -o manifests'],
    [['--show-url'], '--show-url needs -o json or -o yaml'],
    [['--show-url', '-o', 'manifests'], '--show-url needs -o json or -o yaml'],
    [['--atlas-api', 'canary'], '--atlas-api must be atlas/v1.0, atlas/v2 or public/v1.0'],
    [['--atlas-api', 'public/v1.0'], '--cluster-name must be the id of the cluster with public/v1.0'],
    [['--job-id', 'canary'], '--job-id is not a flag of this command'],
    [['--watch'], '--watch is not a flag of this command'],
  ])('%j', (args, problem) => {
    const problems = problemsOf(args);
    expect(problems).toContainEqual(expect.stringContaining(problem));
    expect(problems.join('\n')).not.toContain('canary');
  });

  test('a name that the API server refuses, with manifests alone', () => {
    const cluster = [`--group-id=${GROUP_ID}`, `--cluster-name=${'a'.repeat(65)}`];
    expect(problemsOf(['-o', 'manifests'], cluster)).toEqual([
      '--cluster-name must have at most 64 characters with -o manifests',
    ]);
    expect(problemsOf([], cluster)).toEqual([]);
  });
});

test('--help wins over everything that is wrong', () => {
  expect(readListOptions(['--help', '--status=x'], {})).toEqual({ kind: 'help' });
});

test('every flag has a description that ends with a period', () => {
  for (const { description } of listListFlags()) expect(description).toMatch(/\.$/);
});
