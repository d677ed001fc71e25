import { spawn } from 'node:child_process';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import { TOKEN_PREFIX } from '../support/atlas-simulator/access-tokens.ts';
import { deprecated, failing, rateLimited, truncatedJson } from '../support/atlas-simulator/fault-samples.ts';
import type { Fault } from '../support/atlas-simulator/faults.ts';
import type { JobIdentity } from '../support/atlas-simulator/jobs.ts';
import type { JsonObject } from '../support/atlas-simulator/json.ts';
import {
  atlasDate,
  brokenJob,
  pendingDownload,
  urlV2Download,
  youngJob,
} from '../support/atlas-simulator/recorded-bodies.ts';
import { PROGRAM } from '../support/program.ts';
import {
  API_KEY,
  conditionOf,
  GROUP_ID,
  NAMESPACE,
  newJobId,
  startTestBed,
  type TestBed,
} from '../support/test-bed.ts';

const TOMORROW = atlasDate(Date.now() + 86_400_000);
const BATCH = 'b'.repeat(24);
const WITH_KEY = {
  MONGODB_ATLAS_PUBLIC_API_KEY: API_KEY.publicKey,
  MONGODB_ATLAS_PRIVATE_API_KEY: API_KEY.privateKey,
} as const;
const WITH_ACCOUNT = {
  MONGODB_ATLAS_CLIENT_ID: 'mdb_sa_id_0123456789abcdef01234567',
  MONGODB_ATLAS_CLIENT_SECRET: 'mdb_sa_sk_canary-client-secret',
} as const;

let bed: TestBed;
beforeAll(async () => {
  bed = await startTestBed();
  bed.atlas.addServiceAccount({
    clientId: WITH_ACCOUNT.MONGODB_ATLAS_CLIENT_ID,
    clientSecret: WITH_ACCOUNT.MONGODB_ATLAS_CLIENT_SECRET,
    groupIds: [GROUP_ID],
  });
});
afterEach(() => bed.atlas.faults.clear());
afterAll(() => bed?.stop());

interface Result {
  readonly exitCode: number | NodeJS.Signals;
  readonly stdout: string;
  readonly stderr: string;
}

/** All that was ever printed without `--show-url`. */
const printed: string[] = [];

function start(args: readonly string[], env: Readonly<Record<string, string>>) {
  const { PATH = '' } = process.env;
  const child = spawn(process.execPath, [PROGRAM, 'list', ...args], {
    env: { PATH, HOME: '/nowhere', ...bed.atlasEnv, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const { promise: ended, resolve } = Promise.withResolvers<Result>();
  child.once('close', (code, signal) => {
    if (!args.includes('--show-url')) printed.push(stdout, stderr);
    resolve({ exitCode: code ?? signal ?? 'SIGKILL', stdout, stderr });
  });
  return { child, ended };
}

const run = (args: readonly string[], env: Readonly<Record<string, string>> = WITH_KEY): Promise<Result> =>
  start(args, env).ended;

let clusters = 0;
/** A new cluster with these jobs, each created a minute after the one before, and the flags that name it. */
function putCluster(...bodies: ReadonlyArray<(job: JobIdentity) => JsonObject>) {
  clusters += 1;
  const clusterName = `Cluster-${clusters}`;
  bed.atlas.addCluster(GROUP_ID, clusterName);
  const jobs = bodies.map((body, minute) => {
    const job = { groupId: GROUP_ID, clusterName, jobId: newJobId() };
    const whole = { ...body(job), created: atlasDate(Date.UTC(2026, 10, 20, 10, minute)) };
    bed.atlas.putJob(job, { kind: 'fixed', body: whole });
    return { id: job.jobId, whole };
  });
  return { clusterName, flags: ['--group-id', GROUP_ID, '--cluster-name', clusterName], jobs };
}

/** What a list answers instead, as if Atlas did. */
const answering = (body: string): Fault => ({ kind: 'body', body });

describe('what is printed', () => {
  test('a table, newest first', async () => {
    const { flags, jobs } = putCluster(
      (job) => ({ ...urlV2Download(job, '2026-11-28T10:00:00Z'), batchId: BATCH }),
      brokenJob,
      (job) => ({ id: job.jobId, statusName: 'OPEN' }),
    );
    const { exitCode, stdout, stderr } = await run(flags);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const [finished = '', broken = '', open = ''] = jobs.map(({ id }) => id);
    expect(stdout.split('\n').map((line) => line.split(/ {3,}/))).toEqual([
      ['JOB', 'CREATED', 'STATUS', 'DELIVERY', 'EXPIRES', 'BATCH'],
      [open, '2026-11-20T10:02:00Z', 'OPEN', '-', '-', '-'],
      [broken, '2026-11-20T10:01:00Z', 'BROKEN', 'NOT_STARTED', '-', '-'],
      [finished, '2026-11-20T10:00:00Z', 'FINISHED', 'READY', '2026-11-28T10:00:00Z', BATCH],
      [''],
    ]);
  });

  test('with atlas/v2 the same, by flag and by variable', async () => {
    const { flags } = putCluster(youngJob, brokenJob);
    const usual = await run(flags);
    const v2 = 'atlas/v2';
    const answers = [await run([...flags, '--atlas-api', v2]), await run(flags, { ...WITH_KEY, ATLAS_API: v2 })];
    expect(usual).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('BROKEN') });
    expect(answers).toEqual([usual, usual]);
    expect(bed.atlas.requests.counts().byApi[v2]).toBeGreaterThanOrEqual(4);
  });

  test('json and yaml without what opens the data, and with it', async () => {
    const { flags, jobs } = putCluster((job) => ({ ...urlV2Download(job, TOMORROW), links: [] }), youngJob);
    const hidden = await run([...flags, '-o', 'json']);
    expect(JSON.parse(hidden.stdout)).toMatchObject([{ id: jobs[1]?.id }, { delivery: { statusName: 'READY' } }]);
    expect(hidden.stdout).not.toMatch(/"url|authValue/);
    expect(hidden.stderr).toBe(
      'note: left out, because it opens the data: delivery.url, delivery.urlV2, delivery.authValue; --show-url shows it\n',
    );
    const whole = [jobs[1]?.whole, jobs[0]?.whole];
    const open = await run([...flags, '--output=json', '--show-url']);
    expect({ stderr: open.stderr, content: JSON.parse(open.stdout) }).toEqual({ stderr: '', content: whole });
    expect(load((await run([...flags, '-o', 'yaml', '--show-url'])).stdout)).toEqual(whole);
  });

  test('the ids alone, of a status, of a batch', async () => {
    const { flags, jobs } = putCluster(brokenJob, pendingDownload, (job) => ({ ...brokenJob(job), batchId: BATCH }));
    const [first, second, third] = jobs.map(({ id }) => id);
    expect(await run([...flags, '-o', 'name'])).toEqual({
      exitCode: 0,
      stdout: `${third}\n${second}\n${first}\n`,
      stderr: '',
    });
    const broken = await run([...flags, '-o=name', '--status', 'BROKEN,KILLED'], WITH_ACCOUNT);
    expect(broken).toMatchObject({ exitCode: 2 });
    expect((await run([...flags, '-oname', '--status', 'BROKEN,KILLED'], WITH_ACCOUNT)).stdout).toBe(
      `${third}\n${first}\n`,
    );
    expect((await run([...flags, '-oname', `--batch-id=${BATCH}`])).stdout).toBe(`${third}\n`);
  });

  test('all pages', async () => {
    const { flags, clusterName } = putCluster();
    for (let index = 0; index < 1_203; index += 1) {
      const job = { groupId: GROUP_ID, clusterName, jobId: newJobId() };
      bed.atlas.putJob(job, { kind: 'fixed', body: youngJob(job) });
    }
    bed.atlas.requests.reset();
    const { stdout } = await run([...flags, '-o', 'name'], WITH_ACCOUNT);
    expect(new Set(stdout.trim().split('\n')).size).toBe(1_203);
    expect(bed.atlas.requests.counts().byKind).toMatchObject({ list: 3, job: 0, token: 1, revoke: 1 });
  });

  test('nothing: standard error says so, and the exit code is 0', async () => {
    const { flags } = putCluster();
    for (const [output, stdout] of [
      ['text', ''],
      ['json', '[]\n'],
      ['yaml', '[]\n'],
      ['name', ''],
      ['manifests', ''],
    ] as const) {
      const stderr = 'note: Atlas lists no restore job of this cluster\n';
      expect(await run([...flags, '-o', output])).toEqual({ exitCode: 0, stdout, stderr });
    }
    const filtered = await run([...putCluster(youngJob).flags, '--status=FINISHED,BROKEN']);
    expect(filtered).toEqual({
      exitCode: 0,
      stdout: '',
      stderr: 'note: no restore job of this cluster has the status FINISHED or BROKEN; Atlas lists 1 with other ones\n',
    });
  });

  test('nothing that a terminal would obey, and no id that is none', async () => {
    const { flags } = putCluster();
    const hostile = '\u001b[2J\u202e\u2028x\n---\nkind: Secret';
    const body = JSON.stringify({
      results: [{ id: hostile, statusName: hostile, created: hostile, batchId: hostile, snapshotId: 5 }, 'x'],
      links: [{ rel: 'self', href: hostile }],
    });
    bed.atlas.faults.add({ match: { kind: 'list' }, when: 'after-auth', fault: answering(body) });
    for (const output of ['text', 'json', 'yaml', 'name', 'manifests']) {
      const { exitCode, stdout, stderr } = await run([...flags, '-o', output]);
      expect(exitCode).toBe(0);
      expect(stdout + stderr).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}\u2028]/u);
      expect(stderr).toContain('have no id: 1 entries\n');
      if (output === 'json') expect(JSON.parse(stdout)).toMatchObject([{ id: hostile }]);
      if (output === 'yaml') expect(load(stdout)).toMatchObject([{ id: hostile }]);
      if (output === 'json') expect(stderr).toContain('another form than it documents: snapshotId of ');
      if (output !== 'name' && output !== 'manifests') continue;
      expect(stdout).toBe('');
      expect(stderr).toContain('their ids are not 24 digits of 0-9 and a-f: 1 jobs\n');
    }
  });

  test('that Atlas marks the version as deprecated', async () => {
    bed.atlas.faults.add({ fault: deprecated('@1767225600', 'Thu, 31 Dec 2026 00:00:00 GMT'), when: 'after-auth' });
    expect((await run(putCluster(youngJob).flags)).stderr).toBe(
      'note: Atlas marks this version of its API as deprecated and ends it on Thu, 31 Dec 2026 00:00:00 GMT\n',
    );
  });

  test('help', async () => {
    const { exitCode, stdout } = await run(['--help'], {});
    expect(exitCode).toBe(0);
    for (const text of ['--batch-id=…', '-o, --output=… (text)', '| kubectl apply -f -', '130'])
      expect(stdout).toContain(text);
  });
});

test('kubectl reads the name of every cluster as a text', async () => {
  const clusterNames = ['0X1F', '0B11', '0O7', '017', '1E5', 'NO'];
  const applied = clusterNames.map(async (clusterName) => {
    const job = { groupId: GROUP_ID, clusterName, jobId: newJobId() };
    bed.atlas.addCluster(GROUP_ID, clusterName);
    bed.atlas.putJob(job, { kind: 'fixed', body: youngJob(job) });
    const flags = ['--group-id', GROUP_ID, '--cluster-name', clusterName, '-o', 'manifests'];
    const { stdout } = await run(flags);
    const args = ['apply', '--namespace', NAMESPACE, '--dry-run=server', '--output', 'jsonpath={.spec.clusterName}'];
    return bed.controlPlane.kubectlRun([...args, '--filename', '-'], { stdin: stdout });
  });
  expect(await Promise.all(applied)).toEqual(clusterNames);
});

test('from a list to resources that the operator mirrors', async () => {
  const { flags, clusterName, jobs } = putCluster(brokenJob, (job) => urlV2Download(job, TOMORROW));
  const manifests = ['-o', 'manifests', '--credentials-secret', 'atlas-key', '--delivery-secrets'];
  const { exitCode, stdout, stderr } = await run([...flags, ...manifests]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  const { controlPlane } = bed;
  const told = await controlPlane.kubectlRun(['apply', '--namespace', NAMESPACE, '--filename', '-'], { stdin: stdout });
  const [broken = '', ready = ''] = jobs.map(({ id }) => `${clusterName.toLowerCase()}-${id}`);
  expect(told.trim().split('\n')).toEqual(
    [ready, broken].map((name) => `legacyrestorejob.atlasrestore.dev/${name} created`),
  );
  await bed.startOperator();
  const mirrored = await bed.until(ready, 'mirrored', ({ status }) => status.statusName === 'FINISHED');
  expect(conditionOf(mirrored, 'Synced')).toBe('True JobFetched');
  expect(mirrored.status).toMatchObject({ clusterName, urlWithheld: true });
  expect(mirrored.spec).toEqual({
    groupId: GROUP_ID,
    clusterName,
    jobId: jobs[1]?.id,
    credentialsSecretRef: { name: 'atlas-key' },
    deliverySecretName: `${ready}-download`,
  });
  const secret = await controlPlane.request('GET', `/api/v1/namespaces/${NAMESPACE}/secrets/${ready}-download`);
  expect(secret.status).toBe(200);
  await bed.until(broken, 'mirrored', (resource) => conditionOf(resource, 'Ready') === 'False JobBroken');
  const again = await controlPlane.kubectlRun(['apply', '--namespace', NAMESPACE, '--filename', '-'], {
    stdin: (await run([...flags, ...manifests])).stdout,
  });
  expect(
    again
      .trim()
      .split('\n')
      .every((line) => line.endsWith(' unchanged')),
  ).toBe(true);
  await bed.endOperators();
});

describe('the exit code', () => {
  test.each<[string, Fault, number, string]>([
    ['a role that is missing', failing(403, 'ACCESS_FORBIDDEN'), 5, 'Project Read Only'],
    ['a cluster without backups', failing(400, 'BACKUP_JOB_NOT_FOUND'), 6, 'Check --cluster-name'],
    ['a version that is gone', failing(410, 'VERSION_GONE'), 1, 'Use --atlas-api=atlas/v2 instead of atlas/v1.0'],
    ['a rate limit', rateLimited('55'), 7, 'Atlas answered 429 RATE_LIMITED_TOKEN_BUCKET'],
    ['half an answer', truncatedJson({ results: [] }), 7, 'not with a list of restore jobs'],
    ['a connection that breaks', { kind: 'reset', phase: 'mid-body' }, 7, 'Atlas cannot be reached'],
  ])('%s', async (_name, fault, expected, told) => {
    const { flags } = putCluster(youngJob);
    bed.atlas.faults.add({ fault });
    const { exitCode, stdout, stderr } = await run(flags);
    expect({ exitCode, stdout }).toEqual({ exitCode: expected, stdout: '' });
    expect(stderr).toContain(told);
  });

  test('no such cluster, and a wrong key', async () => {
    const nowhere = await run(['--group-id', GROUP_ID, '--cluster-name', 'Nowhere']);
    expect(nowhere).toMatchObject({ exitCode: 6, stderr: expect.stringContaining('Check --cluster-name') });
    const wrong = await run(putCluster().flags, { ...WITH_KEY, MONGODB_ATLAS_PRIVATE_API_KEY: 'canary-wrong' });
    expect(wrong).toMatchObject({ exitCode: 5, stdout: '', stderr: expect.stringContaining('Atlas answered 401') });
  });

  test('wrong usage lists all problems, none with its value, and Atlas is not asked', async () => {
    const before = bed.atlas.requests.counts().total;
    const { exitCode, stdout, stderr } = await run(
      ['--group-id=canary', '--batch-id=canary', '--status=canary', '--job-id=canary', '--delivery-secrets'],
      {},
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    for (const problem of [
      'Wrong usage, see list --help:',
      '--job-id is not a flag',
      '--group-id must be',
      '--cluster-name is missing',
      '--batch-id must be',
      '--status must be',
      '--delivery-secrets needs -o manifests',
      'no credentials are given',
    ]) {
      expect(stderr).toContain(problem);
    }
    expect(stderr).not.toContain('canary');
    expect(bed.atlas.requests.counts().total).toBe(before);
  });

  test('a Secret with the credentials', async () => {
    const { flags } = putCluster(youngJob);
    const { kubeconfig } = bed.controlPlane;
    expect(await run([...flags, `--secret=${NAMESPACE}/atlas-key`], { KUBECONFIG: kubeconfig })).toMatchObject({
      exitCode: 0,
      stderr: '',
    });
  });

  test('Ctrl-C, while Atlas does not answer', async () => {
    const { flags } = putCluster(youngJob);
    bed.atlas.faults.add({ fault: { kind: 'stall', phase: 'headers' } });
    bed.atlas.requests.reset();
    const { child, ended } = start([...flags, '--atlas-timeout=1m'], WITH_KEY);
    await bed.atlas.requests.until(({ total }) => total > 0);
    const startedAt = performance.now();
    child.kill('SIGINT');
    expect(await ended).toEqual({ exitCode: 130, stdout: '', stderr: 'interrupted\n' });
    // Before the deadline of the request, which nobody waits for any more.
    expect(performance.now() - startedAt).toBeLessThan(30_000);
  });

  test('a reader that closes the pipe early is no failure', async () => {
    const hashes = Array.from({ length: 2_000 }, (_, index) => ({ fileName: `f${index}`.repeat(50), hash: 'x' }));
    const { flags } = putCluster((job) => ({ ...youngJob(job), hashes }));
    const { child, ended } = start([...flags, '-o', 'json'], WITH_KEY);
    child.stdout.once('data', () => child.stdout.destroy());
    expect(await ended).toMatchObject({ exitCode: 0, stderr: '' });
  });
});

test('nothing that was printed without --show-url holds a secret', () => {
  expect(printed.length).toBeGreaterThan(30);
  const all = printed.join('\n');
  for (const secret of [
    API_KEY.privateKey,
    TOKEN_PREFIX,
    'canary',
    'Bearer',
    'Authorization',
    'api-backup.mongodb.com',
    'key-of-',
  ]) {
    expect(all).not.toContain(secret);
  }
});
