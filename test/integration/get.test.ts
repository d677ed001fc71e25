import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import { TOKEN_PREFIX } from '../support/atlas-simulator/access-tokens.ts';
import { deprecated, failing, rateLimited, truncatedJson } from '../support/atlas-simulator/fault-samples.ts';
import type { Fault } from '../support/atlas-simulator/faults.ts';
import type { JobScript } from '../support/atlas-simulator/jobs.ts';
import type { JsonObject } from '../support/atlas-simulator/json.ts';
import {
  atlasDate,
  automatedRestore,
  brokenJob,
  endedDownload,
  killedJob,
  openJob,
  pendingDownload,
  readyDownload,
  urlV2Download,
  youngJob,
} from '../support/atlas-simulator/recorded-bodies.ts';
import { eventually } from '../support/eventually.ts';
import { fastClock } from '../support/fast-clock.ts';
import { PROGRAM } from '../support/program.ts';
import {
  API_KEY,
  CLUSTER_NAME,
  GROUP_ID,
  NAMESPACE,
  newJobId,
  startTestBed,
  type TestBed,
} from '../support/test-bed.ts';

const TOMORROW = atlasDate(Date.now() + 86_400_000);
const ACCOUNT = {
  clientId: 'mdb_sa_id_0123456789abcdef01234567',
  clientSecret: 'mdb_sa_sk_canary-client-secret',
} as const;
const WITHOUT_MD5 = path.join(import.meta.dirname, '../support/without-md5.mjs');
const WITH_KEY = {
  MONGODB_ATLAS_PUBLIC_API_KEY: API_KEY.publicKey,
  MONGODB_ATLAS_PRIVATE_API_KEY: API_KEY.privateKey,
} as const;
const WITH_ACCOUNT = {
  MONGODB_ATLAS_CLIENT_ID: ACCOUNT.clientId,
  MONGODB_ATLAS_CLIENT_SECRET: ACCOUNT.clientSecret,
} as const;

let bed: TestBed;
let folder: string;
beforeAll(async () => {
  bed = await startTestBed();
  bed.atlas.addServiceAccount({ ...ACCOUNT, groupIds: [GROUP_ID] });
  folder = await mkdtemp(path.join(bed.controlPlane.dir, 'get-'));
});
afterEach(() => bed.atlas.faults.clear());
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await bed?.stop();
});

interface Result {
  readonly exitCode: number | NodeJS.Signals;
  readonly stdout: string;
  readonly stderr: string;
}

interface Running {
  readonly ended: Promise<Result>;
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Waits for a text on standard error. */
  readonly untilTold: (text: string) => Promise<void>;
}

/** All that was ever printed without `--show-url`. */
const printed: string[] = [];

function start(args: readonly string[], env: Readonly<Record<string, string>> = WITH_KEY): Running {
  const { PATH = '' } = process.env;
  const child = spawn(process.execPath, [PROGRAM, 'get', ...args], {
    env: { PATH, HOME: '/nowhere', ...bed.atlasEnv, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
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
  return {
    ended,
    kill: (signal) => void child.kill(signal),
    untilTold: (text) =>
      eventually(`"${text}" is told`, () => {
        if (!stderr.includes(text)) throw new Error(`standard error is ${JSON.stringify(stderr)}`);
      }),
  };
}

const run = (args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Result> =>
  start(args, env).ended;

const idsOf = (jobId: string): string[] => [
  `--group-id=${GROUP_ID}`,
  `--cluster-name=${CLUSTER_NAME}`,
  `--job-id=${jobId}`,
];

/** Makes a job known to Atlas, and the flags that name it. */
function put(
  script: (job: { groupId: string; clusterName: string; jobId: string }) => JobScript | JsonObject,
): string[] {
  const job = { groupId: GROUP_ID, clusterName: CLUSTER_NAME, jobId: newJobId() };
  const made = script(job);
  bed.atlas.putJob(job, isScript(made) ? made : { kind: 'fixed', body: made });
  return idsOf(job.jobId);
}
const jobIdOf = (ids: readonly string[]): string => ids.at(-1)?.split('=')[1] ?? '';
const isScript = (made: JobScript | JsonObject): made is JobScript => Object.hasOwn(made, 'kind');

describe('the exit code', () => {
  test.each<[string, (job: { groupId: string; clusterName: string; jobId: string }) => JsonObject, number]>([
    ['a job that has finished', (job) => readyDownload(job, TOMORROW), 0],
    ['a status that nobody knows', openJob, 1],
    ['a job in progress', youngJob, 3],
    ['a broken job', brokenJob, 4],
    ['a killed job', killedJob, 4],
  ])('%s', async (_name, body, expected) => {
    const { exitCode, stdout, stderr } = await run(put(body));
    expect({ exitCode, stderr }).toEqual({ exitCode: expected, stderr: '' });
    expect(stdout).toContain('\nNext\n');
  });

  test.each<[string, Fault, number, string]>([
    [
      'a request that Atlas refuses',
      failing(400, 'VALIDATION_ERROR'),
      1,
      'Check --group-id, --cluster-name and the id of the job or batch.',
    ],
    ['a version that is gone', failing(410, 'VERSION_GONE'), 1, 'Use --atlas-api=atlas/v2 instead of atlas/v1.0'],
    ['a role that is missing', failing(403, 'ACCESS_FORBIDDEN'), 5, 'Project Read Only'],
    ['a cluster without backups', failing(400, 'BACKUP_JOB_NOT_FOUND'), 6, 'Check --cluster-name'],
    ['a rate limit', rateLimited('55'), 7, 'Atlas answered 429 RATE_LIMITED_TOKEN_BUCKET'],
    ['a page of a proxy', { kind: 'html' }, 7, 'Atlas answered 503'],
    ['half an answer', truncatedJson({ id: 'x', statusName: 'FINISHED' }), 7, 'not with a restore job'],
    ['a connection that breaks', { kind: 'reset', phase: 'mid-body' }, 7, 'Atlas cannot be reached'],
  ])('%s', async (_name, fault, expected, told) => {
    const ids = put(youngJob);
    bed.atlas.faults.add({ fault });
    const { exitCode, stdout, stderr } = await run(ids);
    expect({ exitCode, stdout }).toEqual({ exitCode: expected, stdout: '' });
    expect(stderr).toContain(told);
  });

  test('no access: a wrong key, an address that is not listed, another project, a suspended account', async () => {
    const ids = put(youngJob);
    const withKey = (publicKey: string, privateKey: string): Readonly<Record<string, string>> => ({
      MONGODB_ATLAS_PUBLIC_API_KEY: publicKey,
      MONGODB_ATLAS_PRIVATE_API_KEY: privateKey,
    });
    bed.atlas.addApiKey({ publicKey: 'unlisted', privateKey: 'canary-unlisted', accessListed: false });
    bed.atlas.addApiKey({ publicKey: 'elsewhre', privateKey: 'canary-elsewhere', groupIds: ['a'.repeat(24)] });
    bed.atlas.addApiKey({ publicKey: 'unpaidxx', privateKey: 'canary-unpaid', suspended: true });
    const rows = [
      [withKey(API_KEY.publicKey, 'canary-wrong'), 'Atlas answered 401'],
      [withKey('unlisted', 'canary-unlisted'), 'Add the address of this machine to the access list'],
      [withKey('elsewhre', 'canary-elsewhere'), 'Atlas answered 401'],
      [withKey('unpaidxx', 'canary-unpaid'), 'Settle the open invoices'],
      [{ ...WITH_ACCOUNT, MONGODB_ATLAS_CLIENT_SECRET: 'canary-wrong-secret' }, 'invalid_client'],
    ] as const;
    for (const [env, told] of rows) {
      const { exitCode, stderr } = await run(ids, env);
      expect({ exitCode, stderr }).toEqual({ exitCode: 5, stderr: expect.stringContaining(told) });
    }
  });

  test('an API key where MD5 is not available, as in FIPS mode: what to use instead', async () => {
    const ids = put(youngJob);
    const withoutMd5 = { NODE_OPTIONS: `--import=${WITHOUT_MD5}` };
    const { exitCode, stderr } = await run(ids, { ...WITH_KEY, ...withoutMd5 });
    expect({ exitCode, stderr }).toEqual({
      exitCode: 5,
      stderr: expect.stringContaining('MD5 is not available in this Node.js (FIPS mode). Use a service account'),
    });
    expect(await run(ids, { ...WITH_ACCOUNT, ...withoutMd5 })).toMatchObject({ exitCode: 3, stderr: '' });
  });

  test('not found: the job, the cluster', async () => {
    const job = await run(idsOf(newJobId()));
    expect(job).toMatchObject({ exitCode: 6, stdout: '', stderr: expect.stringContaining('Check --job-id;') });
    const cluster = await run([`--group-id=${GROUP_ID}`, '--cluster-name=Nowhere', `--job-id=${newJobId()}`]);
    expect(cluster).toMatchObject({
      exitCode: 6,
      stderr: expect.stringContaining('Check --cluster-name and --group-id'),
    });
  });

  test('nobody listens, or nobody answers in time', async () => {
    const ids = put(youngJob);
    const refused = await run([...ids, '--atlas-base-url=http://127.0.0.1:1']);
    expect(refused).toMatchObject({
      exitCode: 7,
      stderr: expect.stringContaining('Atlas cannot be reached (ECONNREFUSED)'),
    });
    bed.atlas.faults.add({ fault: { kind: 'stall', phase: 'headers' } });
    const late = await run([...ids, '--atlas-timeout=300ms']);
    expect(late).toMatchObject({ exitCode: 7, stderr: expect.stringContaining('did not answer within 0.3s') });
  });

  test('wrong usage lists all problems, none with its value, and Atlas is not asked', async () => {
    const before = bed.atlas.requests.counts().total;
    const args = ['--group-id=canary', '--private-api-key=canary', '-o', 'canary', '--interval=5s'];
    const { exitCode, stdout, stderr } = await run(args, { ATLAS_TIMEOUT: 'canary' });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    for (const problem of [
      '--private-api-key is not a flag',
      '--group-id must be',
      '--cluster-name is missing',
      '--job-id is missing',
      '--output must be',
      'ATLAS_TIMEOUT must be',
      '--interval needs --watch',
      'no credentials are given',
    ]) {
      expect(stderr).toContain(problem);
    }
    expect(stderr).not.toContain('canary');
    expect(bed.atlas.requests.counts().total).toBe(before);
  });

  test('Ctrl-C and SIGTERM, while Atlas does not answer', async () => {
    const ids = put(youngJob);
    bed.atlas.faults.add({ fault: { kind: 'stall', phase: 'headers' } });
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      bed.atlas.requests.reset();
      const running = start(ids);
      await bed.atlas.requests.until(({ total }) => total > 0);
      running.kill(signal);
      expect(await running.ended).toEqual({ exitCode: 130, stdout: '', stderr: 'interrupted\n' });
    }
  });
});

describe('credentials come from', () => {
  async function file(name: string, content: string): Promise<string> {
    const written = path.join(folder, name);
    await writeFile(written, content);
    return written;
  }

  test('files', async () => {
    const ids = put(brokenJob);
    const key = [
      `--public-api-key-file=${await file('public', `${API_KEY.publicKey}\n`)}`,
      `--private-api-key-file=${await file('private', `${API_KEY.privateKey}\n`)}`,
    ];
    expect(await run([...ids, ...key], WITH_ACCOUNT)).toMatchObject({ exitCode: 4 });
    const account = [
      `--client-id-file=${await file('id', ACCOUNT.clientId)}`,
      `--client-secret-file=${await file('secret', ACCOUNT.clientSecret)}`,
    ];
    expect(await run([...ids, ...account], {})).toMatchObject({ exitCode: 4 });
    const wrong = await run([...ids, '--public-api-key-file=canary-file', '--private-api-key-file=/nowhere']);
    expect(wrong).toMatchObject({
      exitCode: 2,
      stderr: 'The file of --public-api-key-file cannot be read (ENOENT).\n',
    });
  });

  test('the environment, and a token is given back', async () => {
    bed.atlas.requests.reset();
    expect(await run(put(brokenJob), WITH_ACCOUNT)).toMatchObject({ exitCode: 4 });
    expect(bed.atlas.requests.counts().byKind).toMatchObject({ token: 1, job: 1, revoke: 1 });
  });

  test('a Secret, with the rights of the kubeconfig', async () => {
    const ids = put(brokenJob);
    const { controlPlane } = bed;
    const withSecret = (name: string, kubeconfig = controlPlane.kubeconfig): Promise<Result> =>
      run([...ids, `--secret=${NAMESPACE}/${name}`], { KUBECONFIG: kubeconfig });
    await bed.createSecret('account', ACCOUNT);
    await bed.createSecret('half', { privateApiKey: 'canary-half' });
    expect(await withSecret('atlas-key')).toMatchObject({ exitCode: 4, stderr: '' });
    expect(await withSecret('account')).toMatchObject({ exitCode: 4, stderr: '' });
    expect(await withSecret('half')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining(`Secret ${NAMESPACE}/half lacks the key publicApiKey.`),
    });
    expect(await withSecret('absent')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining(`Secret ${NAMESPACE}/absent does not exist.`),
    });
    const nobody = await controlPlane.serviceAccountKubeconfig(NAMESPACE, 'nobody');
    expect(await withSecret('atlas-key', nobody)).toMatchObject({
      exitCode: 2,
      stderr: `The user of the kubeconfig may not read Secret ${NAMESPACE}/atlas-key.\n`,
    });
  });

  test('no cluster where one is needed', async () => {
    const ids = [...put(brokenJob), `--secret=${NAMESPACE}/atlas-key`];
    expect(await run(ids, {})).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('set KUBECONFIG') });
    const dead = path.join(folder, 'dead-kubeconfig');
    const { kubeconfig, server } = bed.controlPlane;
    await writeFile(dead, (await readFile(kubeconfig, 'utf8')).replaceAll(server, 'https://127.0.0.1:1'), {
      mode: 0o600,
    });
    expect(await run(ids, { KUBECONFIG: dead })).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('the API server cannot be reached (ECONNREFUSED)'),
    });
  });
});

describe('what is printed', () => {
  test('with atlas/v2 is the same, by flag and by variable', async () => {
    const ids = put(youngJob);
    const v2 = 'atlas/v2';
    const [usual, ...answers] = [
      await run([...ids, '-o', 'json']),
      await run([...ids, '-o', 'json', '--atlas-api', v2]),
      await run([...ids, '-o', 'json'], { ...WITH_KEY, ATLAS_API: v2 }),
    ];
    expect(usual).toMatchObject({ exitCode: 3, stdout: expect.stringContaining('"IN_PROGRESS"') });
    expect(answers).toEqual([usual, usual]);
    expect(bed.atlas.requests.counts().byApi[v2]).toBeGreaterThanOrEqual(4);
  });

  test('json without what opens the data, and with it', async () => {
    let whole: JsonObject = {};
    const ids = put((job) => {
      whole = urlV2Download(job, TOMORROW);
      return whole;
    });
    const hidden = await run([...ids, '-o', 'json']);
    expect(JSON.parse(hidden.stdout)).toMatchObject({ delivery: { authHeader: 'X-Backup-Restore-Key' } });
    expect(hidden.stdout).not.toMatch(/"url|authValue/);
    expect(hidden.stderr).toBe(
      'note: left out, because it opens the data: delivery.url, delivery.urlV2, delivery.authValue; --show-url shows it\n',
    );
    const open = await run([...ids, '-o', 'json', '--show-url']);
    expect(open.stderr).toBe('');
    expect(JSON.parse(open.stdout)).toEqual(whole);
    const yaml = await run([...ids, '-o', 'yaml', '--show-url']);
    expect(load(yaml.stdout)).toEqual(whole);
  });

  test.each<[string, readonly string[]]>([
    ['neither', []],
    ['an envelope', ['--envelope']],
    ['pretty', ['--pretty']],
    ['both', ['--envelope', '--pretty']],
  ])('json as asked for, and Atlas is asked so: %s', async (_name, flags) => {
    let whole: JsonObject = {};
    const ids = put((job) => {
      whole = youngJob(job);
      return whole;
    });
    let asked: JsonObject | undefined;
    bed.atlas.faults.add({
      when: 'after-auth',
      fault: {
        kind: 'transform',
        transform: (answer) => {
          const text = answer.body.toString();
          asked = { envelope: text.includes('"content"'), pretty: text.includes('\n') };
          return answer;
        },
      },
    });
    const { stdout, exitCode } = await run([...ids, '-o', 'json', ...flags]);
    expect(exitCode).toBe(3);
    expect(asked).toEqual({ envelope: flags.includes('--envelope'), pretty: flags.includes('--pretty') });
    expect(JSON.parse(stdout)).toEqual(flags.includes('--envelope') ? { status: 200, content: whole } : whole);
    expect(stdout.trim().includes('\n')).toBe(flags.includes('--pretty'));
  });

  test('members in another form than documented, and an old version, are told', async () => {
    const ids = put((job) => ({ ...youngJob(job), snapshotId: 5 }));
    bed.atlas.faults.add({ fault: deprecated('@1767225600', 'Thu, 31 Dec 2026 00:00:00 GMT'), when: 'after-auth' });
    const { stdout, stderr } = await run([...ids, '-o', 'json']);
    expect(stderr).toContain('another form than it documents: snapshotId\n');
    expect(stderr).toContain('deprecated and ends it on Thu, 31 Dec 2026 00:00:00 GMT\n');
    expect(stdout).not.toContain('snapshotId');
  });

  test('a reader that closes the pipe early is no failure', async () => {
    const hashes = Array.from({ length: 2_000 }, (_, index) => ({ fileName: `f${index}`.repeat(50), hash: 'x' }));
    const ids = put((job) => ({ ...youngJob(job), hashes }));
    const child = spawn(process.execPath, [PROGRAM, 'get', ...ids, '-o', 'json'], {
      env: { ...bed.atlasEnv, ...WITH_KEY },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.stdout.once('data', () => child.stdout.destroy());
    const { promise: exitCode, resolve } = Promise.withResolvers<number | null>();
    child.once('close', resolve);
    expect(await exitCode).toBe(3);
    expect(stderr).toBe('');
  });

  test('nor is one that closes both pipes, as `2>&1 | true` does', async () => {
    const ids = put((job) => ({ ...youngJob(job), snapshotId: 5 }));
    const { promise: exitCode, resolve } = Promise.withResolvers<string>();
    const child = spawn(
      '/bin/sh',
      ['-c', '{ "$@"; echo $? >&3; } 2>&1 | true', 'sh', process.execPath, PROGRAM, 'get', ...ids, '-o', 'json'],
      {
        env: { ...bed.atlasEnv, ...WITH_KEY },
        stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
      },
    );
    let told = '';
    child.stdio[3]?.on('data', (chunk: Buffer) => {
      told += chunk.toString();
    });
    child.once('close', () => resolve(told));
    expect(await exitCode).toBe('3\n');
  });

  test('help', async () => {
    const { exitCode, stdout } = await run(['--help'], {});
    expect(exitCode).toBe(0);
    for (const text of ['--group-id=…', '-o, --output=… (text)', '--atlas-timeout=…, ATLAS_TIMEOUT', '130']) {
      expect(stdout).toContain(text);
    }
  });
});

describe('--watch', () => {
  const watching = ['--watch', '--interval=2s'];

  test('one line per change until the job has finished, then the job', async () => {
    const ids = put((job) => ({
      kind: 'by-hand',
      bodies: [youngJob(job), { ...youngJob(job), delivery: { statusName: 'PENDING' } }, pendingDownload(job)],
    }));
    const jobId = jobIdOf(ids);
    const running = start([...ids, ...watching, '-o', 'json']);
    await running.untilTold('IN_PROGRESS, delivery NOT_STARTED\n');
    bed.atlas.faults.add({ times: 2, fault: { kind: 'html' } });
    await running.untilTold('Atlas answered 503');
    bed.atlas.advance(jobId);
    await running.untilTold('IN_PROGRESS, delivery PENDING\n');
    bed.atlas.advance(jobId);
    const { exitCode, stdout, stderr } = await running.ended;
    expect(exitCode).toBe(0);
    expect(stderr.match(/Z .*/g)).toEqual([
      'Z IN_PROGRESS, delivery NOT_STARTED',
      expect.stringMatching(/^Z Atlas answered 503.* Asking again in 2s\.$/),
      'Z IN_PROGRESS, delivery PENDING',
      'Z FINISHED, delivery PENDING',
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ id: jobId, statusName: 'FINISHED' });
  });

  test('a rate limit is waited for as long as Atlas asks', async () => {
    const ids = put(killedJob);
    bed.atlas.faults.add({ times: 1, fault: rateLimited('3', 3), when: 'after-auth' });
    const startedAt = performance.now();
    const { exitCode, stderr } = await run([...ids, ...watching]);
    expect(exitCode).toBe(4);
    expect(stderr).toContain('Asking again in 3s.');
    expect(performance.now() - startedAt).toBeGreaterThan(3_000);
  });

  test('what does not pass ends it', async () => {
    const ids = put(youngJob);
    const running = start([...ids, ...watching]);
    await running.untilTold('IN_PROGRESS');
    bed.atlas.removeJob(jobIdOf(ids));
    expect(await running.ended).toMatchObject({
      exitCode: 6,
      stdout: '',
      stderr: expect.stringContaining('Check --job-id;'),
    });
  });

  test('--for=download goes on until the file is there', async () => {
    const ids = put((job) => ({ kind: 'by-hand', bodies: [pendingDownload(job), readyDownload(job, TOMORROW)] }));
    const running = start([...ids, ...watching, '--for=download']);
    await running.untilTold('FINISHED, delivery PENDING\n');
    bed.atlas.advance(jobIdOf(ids));
    expect(await running.ended).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('Fetch and verify the file'),
      stderr: expect.stringMatching(/Z FINISHED, delivery READY\n$/),
    });
  });

  test.each<[string, (job: { groupId: string; clusterName: string; jobId: string }) => JsonObject, number]>([
    ['expired', (job) => endedDownload(job, 'EXPIRED', TOMORROW), 8],
    ['restored into a cluster', automatedRestore, 8],
    ['broken', brokenJob, 4],
  ])('--for=download ends where there never will be a file: %s', async (_name, body, exitCode) => {
    const ids = put(body);
    expect(await run([...ids, ...watching, '--for=download'])).toMatchObject({ exitCode });
    expect(await run(ids)).toMatchObject({ exitCode: exitCode === 8 ? 0 : exitCode });
  });

  test('--timeout: the job as it is then, and exit code 3', async () => {
    const running = [...watching, '--timeout=1s', '-o', 'json'];
    const { exitCode, stdout, stderr } = await run([...put(youngJob), ...running]);
    expect(exitCode).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ statusName: 'IN_PROGRESS' });
    expect(stderr).toMatch(/NOT_STARTED\nnote: the time of --timeout has passed\n/);
    expect(await run([...put(pendingDownload), ...running, '--for=download'])).toMatchObject({ exitCode: 3 });
  });

  test.each<[string, Fault, string]>([
    ['is away', failing(503, 'UNEXPECTED_ERROR'), 'Atlas answered 503'],
    ['does not answer', { kind: 'stall', phase: 'headers' }, 'Atlas has not answered.\n'],
  ])('--timeout while Atlas %s: exit code 7', async (_name, fault, told) => {
    const ids = put(youngJob);
    bed.atlas.faults.add({ fault });
    const { exitCode, stdout, stderr } = await run([...ids, ...watching, '--timeout=1s']);
    expect({ exitCode, stdout }).toEqual({ exitCode: 7, stdout: '' });
    expect(stderr).toContain('note: the time of --timeout has passed\n');
    expect(stderr).toContain(told);
  });

  test('a page of a proxy that stays for five minutes ends it', async () => {
    const ids = put(youngJob);
    bed.atlas.faults.add({ fault: { kind: 'html', status: 200 } });
    const fast = fastClock(2);
    const { exitCode, stdout, stderr } = await run([...ids, ...watching], { ...WITH_KEY, ...fast });
    expect({ exitCode, stdout }).toEqual({ exitCode: 7, stdout: '' });
    expect(stderr.trim().split('\n')).toEqual([
      expect.stringMatching(/Z Atlas answered 200, but not with a restore job\. Check .* Asking again in 2s\.$/),
      expect.stringMatching(/^Atlas answered 200, but not with a restore job\. Check/),
    ]);
  });

  test('Ctrl-C gives the token back', async () => {
    bed.atlas.requests.reset();
    const running = start([...put(youngJob), ...watching], WITH_ACCOUNT);
    await running.untilTold('IN_PROGRESS');
    running.kill('SIGINT');
    const { exitCode, stdout, stderr } = await running.ended;
    expect({ exitCode, stdout }).toEqual({ exitCode: 130, stdout: '' });
    expect(stderr).toMatch(/IN_PROGRESS, delivery NOT_STARTED\ninterrupted\n$/);
    expect(bed.atlas.requests.counts().byKind).toMatchObject({ token: 1, revoke: 1 });
  });
});

test('nothing that was printed without --show-url holds a secret', () => {
  expect(printed.length).toBeGreaterThan(50);
  const all = printed.join('\n');
  for (const secret of [
    API_KEY.privateKey,
    ACCOUNT.clientSecret,
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
