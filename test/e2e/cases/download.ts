/** The Job of deploy/download: a file from the simulator, over https, in a volume. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, realpath, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { dump } from 'js-yaml';
import * as z from 'zod';
import { filePaths } from '../../support/atlas-simulator/files.ts';
import { atlasDate, urlV2Download } from '../../support/atlas-simulator/recorded-bodies.ts';
import { fileContent } from '../../support/atlas-simulator/scenario.ts';
import { eventually } from '../../support/eventually.ts';
import { API_KEY, ATLAS_URL, CLUSTER_NAME, GROUP_ID, jobIdOf } from '../atlas.ts';
import { helmRelease, helmUninstall, prepareNamespace, ROOT } from '../installation.ts';
import { MARK, namespaceOf } from '../namespaces.ts';
import { keySecret, resource, SLOWLY, untilResource } from '../operator.ts';
import type { Environment, TestCase } from '../test-case.ts';

const NAMESPACE = 'downloads';
/** Where pods may do what Pod Security "restricted" refuses. */
const NODE_NAMESPACE = 'downloads-node';
const NAME = 'friday';
const JOB = `download-${NAME}`;
const FILE = {
  name: 'friday.tar.gz',
  bytes: 40_000_000,
  key: 'key-of-the-file',
  header: { name: 'X-Backup-Restore-Key', value: 'key-of-the-file' },
  stallAfter: 20_000_000,
} as const;
const SHA1 = createHash('sha1').update(fileContent(FILE)).digest('hex');
/** What the volume is on the node, and what is above it. */
const NODE_FOLDER = '/var/tmp/legacy-restore-e2e';

/** Each goes on with what the one before has left. */
export const downloadCases: readonly TestCase[] = [
  {
    name: 'deploy/download: the pod is evicted in the middle, the next one resumes, the volume has the file',
    run: async (environment) => {
      const { cluster, atlas } = environment;
      await prepareNamespace(environment);
      await presentFile(environment, SHA1);
      await helmRelease(environment, 'install', { values: { deliverySecrets: { enabled: true } } });
      await prepareVolume(environment);
      await cluster.kubectl(['apply', `--kustomize=${await kustomization(environment)}`]);
      const first = await untilHalf(environment);
      await evict(environment, first);
      const { status } = await untilJob(environment, 'Complete');
      assert.equal(status.failed ?? 0, 0, 'the evicted pod counts as a failed one');
      const log = await cluster.kubectl(['logs', `job/${JOB}`, `--namespace=${NAMESPACE}`]);
      assert.match(log, /has the hash that the job names/);
      const requests = await atlas.fileRequests();
      assert.deepEqual(
        requests.map(({ status, range, hasHeader }) => ({ status, range, hasHeader })),
        [
          { status: 200, range: undefined, hasHeader: true },
          { status: 206, range: `bytes=${FILE.stallAfter}-`, hasHeader: true },
        ],
      );
      assert.equal(await inVolume(environment, HASH_OF_FILE), SHA1, 'the volume has other bytes');
      return `${FILE.bytes} bytes, the second half by ${requests[1]?.range}`;
    },
  },
  {
    name: 'deploy/download: run again, the Job ends without a request to the download host',
    run: async (environment) => {
      const { cluster, atlas } = environment;
      const before = await atlas.fileRequests();
      await runAgain(environment);
      await untilJob(environment, 'Complete');
      const log = await cluster.kubectl(['logs', `job/${JOB}`, `--namespace=${NAMESPACE}`]);
      assert.match(log, /is already there/);
      assert.deepEqual(await atlas.fileRequests(), before);
      return log.trim().split('\n').at(-1) ?? '';
    },
  },
  {
    name: 'deploy/download: a file that does not have the hash fails the Job with its first pod',
    run: async (environment) => {
      const { cluster } = environment;
      const other = 'f'.repeat(40);
      await presentFile(environment, other);
      const requestedAt = `atlasrestore.dev/requestedAt=${Date.now()}`;
      await cluster.kubectl(['annotate', `lrj/${NAME}`, requestedAt, `--namespace=${NAMESPACE}`]);
      await untilResource(
        cluster,
        NAMESPACE,
        NAME,
        'has the other hash',
        ({ hashes = [] }) => hashes[0]?.hash === other,
      );
      await runAgain(environment);
      const { status } = await untilJob(environment, 'Failed');
      assert.equal(status.failed, 1, `${status.failed} pods have failed`);
      const { reason = '', message = '' } = status.conditions.find(({ type }) => type === 'Failed') ?? {};
      assert.equal(reason, 'PodFailurePolicy');
      assert.match(message, /failed with exit code 9 /);
      await removeAll(environment);
      return message;
    },
  },
];

async function presentFile({ atlas }: Environment, hash: string): Promise<void> {
  const job = { groupId: GROUP_ID, clusterName: CLUSTER_NAME, jobId: jobIdOf(0) };
  const expires = atlasDate(Date.now() + 86_400_000);
  const urls = filePaths(FILE);
  const body = {
    ...urlV2Download(job, expires),
    delivery: {
      methodName: 'HTTP',
      statusName: 'READY',
      expires,
      url: ATLAS_URL + urls.path,
      urlV2: ATLAS_URL + urls.pathV2,
      authHeader: FILE.header.name,
      authValue: FILE.header.value,
    },
    hashes: [{ fileName: FILE.name, hash, typeName: 'SHA1' }],
  };
  await atlas.present({ jobs: [{ ...job, body }], files: [FILE] });
}

/** The namespaces, the volume that the claim is bound to, and its folder, which the kubelet would create for root alone. */
async function prepareVolume(environment: Environment): Promise<void> {
  const { cluster } = environment;
  await cluster.apply([
    namespaceOf(NAMESPACE, { 'pod-security.kubernetes.io/enforce': 'restricted' }),
    keySecret(NAMESPACE, API_KEY),
    namespaceOf(NODE_NAMESPACE, { 'pod-security.kubernetes.io/enforce': 'privileged' }),
    {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: JOB, labels: { [MARK]: '' } },
      spec: {
        accessModes: ['ReadWriteOnce'],
        capacity: { storage: '1Gi' },
        hostPath: { path: `${NODE_FOLDER}/volume` },
        claimRef: { namespace: NAMESPACE, name: JOB },
      },
    },
  ]);
  await inVolume(environment, `${REMOVE_VOLUME} fs.mkdirSync(volume); fs.chmodSync(volume, 0o777);`);
}

/** What a user writes: the restore, the component, and what the simulator and a cluster without storage classes need. */
async function kustomization({ folder, atlas }: Environment): Promise<string> {
  const directory = path.join(folder, 'download');
  await mkdir(directory);
  const container = {
    name: 'download',
    env: [{ name: 'NODE_EXTRA_CA_CERTS', value: '/etc/atlas-ca/ca.crt' }],
    volumeMounts: [{ name: 'atlas-ca', mountPath: '/etc/atlas-ca', readOnly: true }],
  };
  const job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: JOB },
    spec: {
      template: { spec: { containers: [container], volumes: [{ name: 'atlas-ca', configMap: { name: 'atlas-ca' } }] } },
    },
  };
  const claim = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: JOB },
    spec: { storageClassName: '', volumeName: JOB, resources: { requests: { storage: '1Gi' } } },
  };
  const restore = resource(NAMESPACE, NAME, jobIdOf(0), { deliverySecretName: `${NAME}-secret` });
  // kustomize takes relative paths alone, and compares them without links.
  const component = path.relative(await realpath(directory), path.join(await realpath(ROOT), 'deploy/download'));
  await writeFile(path.join(directory, 'ca.crt'), atlas.caPem);
  await writeFile(path.join(directory, 'restore-job.yaml'), dump(restore));
  await writeFile(
    path.join(directory, 'kustomization.yaml'),
    dump({
      namespace: NAMESPACE,
      resources: ['restore-job.yaml'],
      components: [component],
      configMapGenerator: [{ name: 'atlas-ca', files: ['ca.crt'] }],
      patches: [{ patch: dump(job) }, { patch: dump(claim) }],
    }),
  );
  return directory;
}

const PodList = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })) });

/** The name of the pod that has half of the file and waits for more. */
function untilHalf({ cluster }: Environment): Promise<string> {
  return eventually(
    'half of the file is there',
    async () => {
      const { items } = await cluster.get(PodList, ['pods', `--selector=job-name=${JOB}`, `--namespace=${NAMESPACE}`]);
      const [pod] = items;
      if (pod === undefined) throw new Error('there is no pod');
      const log = await cluster.kubectl(['logs', pod.metadata.name, `--namespace=${NAMESPACE}`]);
      if (!log.includes('(50%)')) throw new Error(`the log is ${log}`);
      return pod.metadata.name;
    },
    SLOWLY,
  );
}

/** As a drain of the node does it. */
async function evict({ cluster }: Environment, name: string): Promise<void> {
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: NAMESPACE } };
  const url = `/api/v1/namespaces/${NAMESPACE}/pods/${name}/eviction`;
  await cluster.kubectl(['create', `--raw=${url}`, '--filename=-'], { input: JSON.stringify(eviction) });
}

const Job = z.object({
  status: z.object({
    failed: z.number().optional(),
    conditions: z
      .array(
        z.object({
          type: z.string(),
          status: z.string(),
          reason: z.string().optional(),
          message: z.string().optional(),
        }),
      )
      .default([]),
  }),
});

/** The Job once it has ended in this way. */
function untilJob({ cluster }: Environment, condition: 'Complete' | 'Failed'): Promise<z.output<typeof Job>> {
  return eventually(
    `the Job is ${condition}`,
    async () => {
      const job = await cluster.get(Job, [`job/${JOB}`, `--namespace=${NAMESPACE}`]);
      if (!job.status.conditions.some(({ type, status }) => type === condition && status === 'True'))
        throw new Error(`its status is ${JSON.stringify(job.status)}`);
      return job;
    },
    SLOWLY,
  );
}

async function runAgain({ cluster, folder }: Environment): Promise<void> {
  await cluster.kubectl(['delete', `job/${JOB}`, `--namespace=${NAMESPACE}`]);
  await cluster.kubectl(['apply', `--kustomize=${path.join(folder, 'download')}`]);
}

const REMOVE_VOLUME = 'fs.rmSync(volume, { recursive: true, force: true });';
const HASH_OF_FILE = `
  const file = fs.readFileSync(volume + '/${FILE.name}');
  process.stdout.write(require('node:crypto').createHash('sha1').update(file).digest('hex'));`;

/** The output of a script that runs on the node, as root, with the folder of the volume as `volume`. */
async function inVolume({ cluster, images }: Environment, script: string): Promise<string> {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'node', namespace: NODE_NAMESPACE },
    spec: {
      restartPolicy: 'Never',
      containers: [
        {
          name: 'node',
          image: images.operator,
          imagePullPolicy: 'IfNotPresent',
          command: [
            '/nodejs/bin/node',
            '--eval',
            `const fs = require('node:fs'); const volume = '/node/volume'; ${script}`,
          ],
          securityContext: { runAsUser: 0 },
          volumeMounts: [{ name: 'node', mountPath: '/node' }],
        },
      ],
      volumes: [{ name: 'node', hostPath: { path: NODE_FOLDER, type: 'DirectoryOrCreate' } }],
    },
  };
  const name = ['pod/node', `--namespace=${NODE_NAMESPACE}`];
  await cluster.apply([pod]);
  await cluster.kubectl(['wait', ...name, '--for=jsonpath={.status.phase}=Succeeded', '--timeout=60s']);
  const output = await cluster.kubectl(['logs', ...name]);
  await cluster.kubectl(['delete', ...name]);
  return output;
}

async function removeAll(environment: Environment): Promise<void> {
  const { cluster } = environment;
  await cluster.kubectl(['delete', 'namespace', NAMESPACE]);
  await inVolume(environment, REMOVE_VOLUME);
  await cluster.kubectl(['delete', 'namespace', NODE_NAMESPACE]);
  await cluster.kubectl(['delete', `pv/${JOB}`]);
  await helmUninstall(environment);
}
