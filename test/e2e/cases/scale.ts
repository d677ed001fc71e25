/** Many resources within the memory that the chart gives. */
import assert from 'node:assert/strict';
import * as z from 'zod';
import { eventually } from '../../support/eventually.ts';
import { API_KEY, CLUSTER_NAME, jobIdOf } from '../atlas.ts';
import {
  metricOf,
  namespaceWithKey,
  OPERATOR_NAMESPACE,
  type OperatorPod,
  operatorPods,
  resource,
  untilLeader,
  untilReady,
} from '../operator.ts';
import type { Environment, TestCase } from '../test-case.ts';

const NAMESPACE = 'load';
const RESOURCES = 2_000;
/** Each has its own request budget of 100 a minute: with a single project this would take 20 minutes. */
const PROJECTS = 40;
/** All jobs run for an hour, so that each is polled every minute: fetched, or found in the list of its cluster. */
const RUNNING_MS = 3_600_000;
const PATIENTLY = { timeoutMs: 300_000, intervalMs: 2_000 } as const;

export const scaleCases: readonly TestCase[] = [
  {
    name: `${RESOURCES} running jobs, each polled twice, within the chart's memory limit and without a restart`,
    run: async (environment) => {
      const { cluster, atlas } = environment;
      const groups = Array.from({ length: PROJECTS }, (_, number) => jobIdOf(1_000_000 + number));
      const jobs = Array.from({ length: RESOURCES }, (_, number) => ({
        groupId: groups[number % PROJECTS] ?? '',
        clusterName: CLUSTER_NAME,
        jobId: jobIdOf(number),
      }));
      await atlas.present({
        apiKeys: [{ ...API_KEY, groupIds: groups }],
        clusters: groups.map((groupId) => ({ groupId, clusterName: CLUSTER_NAME })),
        jobs: jobs.map((job) => ({ ...job, download: { runningMs: RUNNING_MS } })),
      });
      const before = await untilReady(cluster, 2);
      const leader = await untilLeader(cluster);
      const pollsBefore = await polls(environment, leader);
      const start = performance.now();
      await cluster.apply(namespaceWithKey(NAMESPACE));
      await create(
        environment,
        jobs.map(({ groupId, jobId }, number) => resource(NAMESPACE, `job-${number}`, jobId, { groupId })),
      );
      await eventually(
        `${RESOURCES} resources are mirrored`,
        async () => assert.equal(await synced(environment), RESOURCES),
        PATIENTLY,
      );
      const seconds = (performance.now() - start) / 1_000;
      await eventually(
        'each has been polled twice',
        async () => {
          const count = (await polls(environment, leader)) - pollsBefore;
          assert.ok(count >= 2 * RESOURCES, `${count} polls`);
        },
        PATIENTLY,
      );
      const after = await operatorPods(cluster);
      assert.deepEqual(after.map(lifeOf), before.map(lifeOf), 'a pod was restarted or replaced');
      const memory = await peakMemory(environment, leader);
      await cluster.kubectl(['delete', 'namespace', NAMESPACE], { timeoutMs: 300_000 });
      return `mirrored after ${seconds.toFixed(0)} s; ${memory}`;
    },
  },
];

/** Not applied: that would take three requests each. */
async function create({ cluster }: Environment, items: readonly object[]): Promise<void> {
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  await cluster.kubectl(['create', '--filename=-'], { input, timeoutMs: 600_000 });
}

async function synced({ cluster }: Environment): Promise<number> {
  const path = '{range .items[*]}{.status.conditions[?(@.type=="Synced")].reason}{"\\n"}{end}';
  const text = await cluster.kubectl(['get', 'lrj', `--namespace=${NAMESPACE}`, `--output=jsonpath=${path}`]);
  return text.split('\n').filter((reason) => reason === 'JobFetched').length;
}

/** Reconciles, and jobs that the list of their cluster answered for without one. */
async function polls({ cluster }: Environment, leader: OperatorPod): Promise<number> {
  const reconciles = await metricOf(cluster, leader, 'controller_runtime_reconcile_total');
  return reconciles + (await metricOf(cluster, leader, 'legacy_restore_atlas_list_answers_total'));
}

function lifeOf({ name, restarts }: OperatorPod): string {
  return `${name}, ${restarts} restarts`;
}

/** The most that the process has ever held, and what its container may hold. */
async function peakMemory({ cluster }: Environment, { name }: OperatorPod): Promise<string> {
  const script = `console.log(/VmHWM:\\s+(\\d+) kB/.exec(require('node:fs').readFileSync('/proc/1/status', 'utf8'))[1])`;
  const target = [name, `--namespace=${OPERATOR_NAMESPACE}`];
  const kibibytes = z.coerce
    .number()
    .parse(await cluster.kubectl(['exec', ...target, '--', '/nodejs/bin/node', '-e', script]));
  const limit = await cluster.kubectl([
    'get',
    'pod',
    ...target,
    '--output=jsonpath={.spec.containers[0].resources.limits.memory}',
  ]);
  return `peak ${(kibibytes / 1_024).toFixed(0)} MiB resident, limit ${limit}`;
}
