/** An Ops Manager in a network of one's own: its API by plain HTTP, with the operator and with the commands. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { JobIdentity } from '../support/atlas-simulator/jobs.ts';
import {
  atlasDate,
  automatedRestore,
  pendingDownload,
  readyDownload,
} from '../support/atlas-simulator/recorded-bodies.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { PROGRAM } from '../support/program.ts';
import {
  CLUSTER_ID,
  conditionOf,
  GROUP_ID,
  NAMESPACE,
  newJobId,
  putJob,
  startTestBed,
  type TestBed,
} from '../support/test-bed.ts';

const USER = { publicKey: 'backup+restore@example.com', privateKey: 'canary-personal-key' } as const;
const EXPIRES = atlasDate(Date.now() + 3_600_000);

let bed: TestBed;
let operator: OperatorProcess;
/** No loopback host, although this machine answers there. */
let baseUrl: string;
let directory: string;

beforeAll(async () => {
  bed = await startTestBed({}, { tls: false, api: 'public/v1.0' });
  bed.atlas.addApiKey({ ...USER, groupIds: [GROUP_ID] });
  await bed.createSecret('ops-manager-user', USER);
  await bed.createSecret('service-account', { clientId: 'mdb_sa_id_1', clientSecret: 'canary-secret' });
  baseUrl = bed.atlas.url.replace('127.0.0.1', '0.0.0.0');
  directory = await mkdtemp(path.join(tmpdir(), 'legacy-restore-operator-ops-manager-'));
  operator = await bed.startOperator(plainHttp());
});
afterAll(async () => {
  await bed?.stop();
  await rm(directory, { recursive: true, force: true });
});

const plainHttp = () => ({ ATLAS_API: 'public/v1.0', ATLAS_BASE_URL: baseUrl, ATLAS_ALLOW_PLAIN_HTTP: 'true' });

interface Result {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Result> {
  const { PATH = '' } = process.env;
  const { promise, resolve } = Promise.withResolvers<Result>();
  const asked = { MONGODB_ATLAS_PUBLIC_API_KEY: USER.publicKey, MONGODB_ATLAS_PRIVATE_API_KEY: USER.privateKey };
  const options = { cwd: directory, env: { PATH, HOME: '/nowhere', ...plainHttp(), ...asked, ...env } };
  execFile(process.execPath, [PROGRAM, ...args], options, (error, stdout, stderr) => {
    resolve({ exitCode: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
  });
  return promise;
}

const CLUSTER = ['--group-id', GROUP_ID, '--cluster-name', CLUSTER_ID];
const put = (body: Parameters<typeof putJob>[1]): JobIdentity => putJob(bed.atlas, body, { clusterName: CLUSTER_ID });

describe('the operator', () => {
  test('mirrors with the e-mail address of a user', async () => {
    const { jobId } = put(pendingDownload);
    await bed.create('by-user', { jobId, credentialsSecretRef: { name: 'ops-manager-user' } });
    const resource = await bed.until('by-user', 'it is mirrored', (now) => conditionOf(now, 'Ready') !== undefined);
    expect(conditionOf(resource, 'Synced')).toBe('True JobFetched');
    expect(resource.status).not.toHaveProperty('clusterName');
  });

  test('asks nobody for a cluster that is named, and says what is to be there', async () => {
    const { jobId } = await bed.create('by-name', { clusterName: 'Cluster0' }).then(({ spec }) => spec);
    const resource = await bed.until('by-name', 'it is reconciled', ({ status }) => status.observedGeneration === 1);
    expect(conditionOf(resource, 'Synced')).toBe('False ClusterNotFound');
    const message = resource.status.conditions?.find(({ type }) => type === 'Synced')?.message;
    expect(message).toContain('spec.clusterName must be the id of the cluster: 24 digits of 0-9 and a-f.');
    expect(bed.atlas.requests.ofJob(String(jobId))).toBe(0);
    expect(operator.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describe('the start of the operator', () => {
  test.each([
    [{ ATLAS_ALLOW_PLAIN_HTTP: 'false' }, 'ATLAS_BASE_URL must be https, except for loopback hosts, unless'],
    [{ ATLAS_API: 'atlas/v1.0' }, 'ATLAS_ALLOW_PLAIN_HTTP needs the API public/v1.0'],
  ])('is refused with %j and whatever else is wrong', async (env, problem) => {
    const { exitCode, stderr } = await run(['run'], { ...env, CONCURRENCY: 'many' });
    expect(exitCode).toBe(2);
    expect(stderr).toContain(problem);
    expect(stderr).toContain('CONCURRENCY must be a whole number');
  });
});

describe('the commands', () => {
  test('list makes manifests, all of which are mirrored', async () => {
    const jobs = [put(pendingDownload), put((job) => readyDownload(job, EXPIRES))];
    const { exitCode, stdout, stderr } = await run([
      'list',
      ...CLUSTER,
      '-o',
      'manifests',
      '--credentials-secret',
      'ops-manager-user',
    ]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const apply = ['apply', '--namespace', NAMESPACE, '--filename', '-'];
    await bed.controlPlane.kubectlRun(apply, { stdin: stdout });
    for (const { jobId } of jobs) {
      const synced = (now: Parameters<typeof conditionOf>[0]) => conditionOf(now, 'Synced') === 'True JobFetched';
      const { spec } = await bed.until(`${CLUSTER_ID}-${jobId}`, 'it is mirrored', synced);
      expect(spec).toMatchObject({ clusterName: CLUSTER_ID, jobId });
    }
  });

  test('get says that an automated restore goes on, and never Atlas', async () => {
    const { jobId } = put(automatedRestore);
    const { exitCode, stdout, stderr } = await run(['get', ...CLUSTER, '--job-id', jobId]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain(
      'Ops Manager or Cloud Manager brings the data to its target itself, which goes on after the job has finished.',
    );
    expect(stdout).not.toContain('Atlas');
  });

  test.each([
    ['a job that is not there', ['get', ...CLUSTER, '--job-id', newJobId()], 6, 'answered 404 RESTORE_JOB_NOT_FOUND'],
    [
      'a Secret with a service account',
      ['list', ...CLUSTER, '--secret', `${NAMESPACE}/service-account`],
      2,
      'it has no service accounts',
    ],
    [
      'the name of a cluster',
      ['list', '--group-id', GROUP_ID, '--cluster-name', 'Cluster0'],
      2,
      '--cluster-name must be',
    ],
  ])('%s is told', async (_what, args, exitCode, told) => {
    const { requests } = bed.atlas;
    const before = requests.counts().byKind.token;
    const result = await run(args, { KUBECONFIG: bed.controlPlane.kubeconfig });
    expect(result).toMatchObject({ exitCode, stdout: '' });
    expect(result.stderr).toContain(told);
    expect(result.stderr).not.toMatch(/\bAtlas\b|canary/);
    expect(requests.counts().byKind.token).toBe(before);
  });

  test('download fetches from the host of the API by plain HTTP, and from no other one', async () => {
    const content = Buffer.from('a file\n');
    const withFile = (name: string, origin: string): JobIdentity => {
      const file = bed.atlas.files.put({ name, content, key: 'canary-key' });
      return put((job) => ({
        ...pendingDownload(job),
        delivery: { methodName: 'HTTP', statusName: 'READY', expires: EXPIRES, url: `${origin}${file.path}` },
      }));
    };
    const args = ['download', ...CLUSTER, '--no-verify', '--job-id'];
    const fetched = await run([...args, withFile('own.tar.gz', baseUrl).jobId]);
    expect(fetched).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('own.tar.gz') });
    expect(await readFile(path.join(directory, 'own.tar.gz'))).toEqual(content);
    const foreign = await run([...args, withFile('foreign.tar.gz', 'http://0.0.0.0:1').jobId]);
    expect(foreign).toMatchObject({ exitCode: 11, stderr: expect.stringContaining('is not https') });
    expect(fetched.stderr + foreign.stderr).not.toMatch(/\bAtlas\b|canary/);
    expect(bed.atlas.files.violations).toEqual([]);
  });
});
