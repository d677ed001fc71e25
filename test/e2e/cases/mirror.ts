/** What a user does first, and what an administrator looks at. */
import assert from 'node:assert/strict';
import path from 'node:path';
import * as z from 'zod';
import { API_KEY, CLUSTER_NAME, GROUP_ID, jobIdOf, SERVICE_ACCOUNT } from '../atlas.ts';
import { run } from '../commands.ts';
import { ROOT } from '../installation.ts';
import { namespaceOf } from '../namespaces.ts';
import {
  conditionOf,
  keySecret,
  logOf,
  metricOf,
  OPERATOR,
  OPERATOR_NAMESPACE,
  operatorPods,
  resource,
  samplesOf,
  untilLeader,
  untilResource,
} from '../operator.ts';
import type { Environment, TestCase } from '../test-case.ts';

/** The job of deploy/samples and of the chart's notes. */
const SAMPLE = { groupId: GROUP_ID, clusterName: CLUSTER_NAME, jobId: '6b77893b80eef5354c77ee15' } as const;
const NAMESPACE = 'payments';
const NAME = 'cluster0-friday';
const LONG_MS = 3_600_000;

export const mirrorCases: readonly TestCase[] = [
  {
    name: 'a sample is mirrored: running, finished, download ready',
    run: async (environment) => {
      const { cluster, atlas } = environment;
      const phases = { runningMs: 15_000, pendingMs: 10_000, readyMs: LONG_MS, fetchedMs: LONG_MS };
      await atlas.present({ jobs: [{ ...SAMPLE, download: phases }] });
      await cluster.apply([namespaceOf(NAMESPACE)]);
      const samples = path.join(ROOT, 'deploy/samples');
      const files = ['credentials-secret', 'restore-job'].map((name) => `--filename=${samples}/${name}.yaml`);
      await cluster.kubectl(['apply', `--namespace=${NAMESPACE}`, ...files]);
      const sample = (what: string, fulfilled: Parameters<typeof untilResource>[4]) =>
        untilResource(cluster, NAMESPACE, NAME, what, fulfilled);
      await sample('IN_PROGRESS is mirrored', ({ statusName }) => statusName === 'IN_PROGRESS');
      const wait = (condition: string): Promise<string> =>
        cluster.kubectl([
          'wait',
          `lrj/${NAME}`,
          `--for=condition=${condition}`,
          '--timeout=90s',
          `--namespace=${NAMESPACE}`,
        ]);
      await wait('Ready');
      await wait('DownloadAvailable');
      const { status } = await sample('the download is mirrored', ({ delivery }) => delivery?.statusName === 'READY');
      assert.match(status.delivery?.url ?? '', /^https:/, 'status.delivery.url is missing');
      const row = await cluster.kubectl(['get', `lrj/${NAME}`, `--namespace=${NAMESPACE}`, '--no-headers']);
      assert.match(row, /^cluster0-friday\s+Cluster0\s+FINISHED\s+READY\s+20\S+Z\s+True/, `kubectl get prints ${row}`);
      return row.trim().split(/\s+/).slice(1, 6).join(' ');
    },
  },
  {
    name: 'the three commands of NOTES.txt lead to a finished job',
    run: async (environment) => {
      const notes = await environment.cluster.helm(['get', 'notes', OPERATOR, `--namespace=${OPERATOR_NAMESPACE}`]);
      const commands = /^kubectl create secret .*?--timeout=\S+$/ms.exec(notes)?.[0];
      assert.ok(commands, 'the notes name no commands from "kubectl create secret" to "kubectl wait"');
      const script = commands
        .replace('clientId=…', `clientId=${SERVICE_ACCOUNT.clientId}`)
        .replace('clientSecret=…', `clientSecret=${SERVICE_ACCOUNT.clientSecret}`);
      assert.doesNotMatch(script, /…/, 'the notes leave more open than the credentials');
      const folder = path.dirname(environment.programs.kubectl);
      const env = {
        KUBECONFIG: environment.cluster.kubeconfig,
        PATH: `${folder}${path.delimiter}${process.env['PATH']}`,
      };
      await run('sh', ['-euc', script], { env });
      const remove = ['delete', 'lrj/cluster0-friday', 'secret/atlas-account', '--namespace=default'];
      await environment.cluster.kubectl(remove);
      return 'run as printed, with the credentials filled in';
    },
  },
  {
    name: 'probes and metrics through the Service, logs, events',
    run: async (environment) => {
      const { cluster } = environment;
      const service = (endpoint: string): Promise<string> => {
        const path = `/api/v1/namespaces/${OPERATOR_NAMESPACE}/services/${OPERATOR}:http/proxy/${endpoint}`;
        return cluster.kubectl(['get', '--raw', path]);
      };
      assert.match(await service('livez'), /^ok/);
      assert.match(await service('readyz'), /^ok/);
      const metrics = await service('metrics');
      assert.ok(samplesOf(metrics, 'legacy_restore_build_info').includes(1), 'the Service serves no metrics of ours');
      const leader = await untilLeader(cluster);
      const written = await metricOf(cluster, leader, 'legacy_restore_status_writes_total');
      assert.ok(written > 0, 'the leader counts no status write');
      const lines = (await Promise.all((await operatorPods(cluster)).map((pod) => logOf(cluster, pod)))).flat();
      const text = JSON.stringify(lines);
      assert.ok(!text.includes(SERVICE_ACCOUNT.clientSecret), 'a client secret is in the log');
      assert.ok(!text.includes('api-backup.mongodb.com'), 'a download URL is in the log');
      const bad = lines.filter(({ level }) => level === 'error');
      assert.deepEqual(bad, [], 'the log has errors');
      const reasons = await eventReasons(environment);
      for (const reason of ['JobInProgress', 'JobFinished', 'DownloadReady'])
        assert.ok(reasons.includes(reason), `the events are ${reasons.join(', ')}, without ${reason}`);
      return `${lines.length} log lines, events ${reasons.join(', ')}`;
    },
  },
  {
    name: 'a rotated Secret: the old key refused, the new one taken without a restart',
    run: async ({ cluster, atlas }) => {
      const usual = { ...API_KEY, groupIds: [GROUP_ID] };
      const renewed = { publicKey: 'renewed-key', privateKey: 'renewed-private-key', groupIds: [GROUP_ID] };
      const jobs = [{ ...SAMPLE, jobId: jobIdOf(0), download: { runningMs: LONG_MS } }];
      const synced = (what: string, condition: string) =>
        untilResource(cluster, NAMESPACE, 'rotation', what, (status) => conditionOf(status, 'Synced') === condition);
      await atlas.present({ apiKeys: [usual, renewed], jobs });
      await cluster.apply([
        keySecret(NAMESPACE, API_KEY),
        resource(NAMESPACE, 'rotation', jobIdOf(0), { interval: '10s' }),
      ]);
      await synced('the old key is accepted', 'True JobFetched');
      await atlas.present({ apiKeys: [renewed], jobs });
      await synced('the old key is refused', 'False Unauthorized');
      await cluster.apply([keySecret(NAMESPACE, renewed)]);
      const start = performance.now();
      await synced('the new key is taken', 'True JobFetched');
      const seconds = (performance.now() - start) / 1_000;
      await atlas.present({ jobs });
      await cluster.apply([keySecret(NAMESPACE, API_KEY)]);
      await cluster.kubectl(['delete', 'lrj/rotation', `--namespace=${NAMESPACE}`]);
      return `mirrored again ${seconds.toFixed(0)} s after the Secret changed`;
    },
  },
];

async function eventReasons({ cluster }: Environment): Promise<readonly string[]> {
  const { items } = await cluster.get(z.object({ items: z.array(z.object({ reason: z.string() })) }), [
    'events',
    `--namespace=${NAMESPACE}`,
    `--field-selector=involvedObject.name=${NAME}`,
  ]);
  return items.map(({ reason }) => reason);
}
