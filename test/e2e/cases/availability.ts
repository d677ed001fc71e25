/** Two replicas: one works, the other takes over, and no change is ever written twice. */
import assert from 'node:assert/strict';
import * as z from 'zod';
import { youngJob } from '../../support/atlas-simulator/recorded-bodies.ts';
import type { ScenarioInput } from '../../support/atlas-simulator/scenario.ts';
import { eventually } from '../../support/eventually.ts';
import { CLUSTER_NAME, GROUP_ID, jobIdOf } from '../atlas.ts';
import { CommandError } from '../commands.ts';
import {
  type Leader,
  namespaceWithKey,
  OPERATOR_NAMESPACE,
  type OperatorPod,
  resource,
  resourcesIn,
  SLOWLY,
  untilLeader,
  untilReady,
} from '../operator.ts';
import type { Environment, TestCase } from '../test-case.ts';

const NAMESPACE = 'failover';
const JOBS = 12;
/** Every job changes that often at Atlas; the operator asks every 10 s. */
const CHANGE_MS = 12_000;
const CHANGES = 25;

export const availabilityCases: readonly TestCase[] = [
  {
    name: "the leader's pod deleted with grace: SIGTERM ends process 1 with exit code 0, the Lease is handed over, nothing is written twice",
    run: (environment) =>
      failOver(environment, async ({ cluster }, leader) => {
        await using holders = cluster.watch(
          [`lease`, `--namespace=${OPERATOR_NAMESPACE}`],
          '{.object.spec.holderIdentity}',
        );
        await using ends = cluster.watch(
          [`pod/${leader.name}`, `--namespace=${OPERATOR_NAMESPACE}`],
          '{.object.status.containerStatuses[0].state.terminated.exitCode}',
        );
        await cluster.kubectl(['delete', `pod/${leader.name}`, `--namespace=${OPERATOR_NAMESPACE}`]);
        await untilLeader(cluster, leader);
        await Promise.all([holders.stop(), ends.stop()]);
        assert.equal(
          ends.lines.find((code) => code !== ''),
          '0',
          'SIGTERM did not end process 1 with exit code 0',
        );
        assert.ok(holders.lines.includes(''), `the Lease was not released but ran out: ${holders.lines.join(', ')}`);
      }),
  },
  {
    name: 'the leader killed without warning: another process takes over when the Lease has run out, nothing is written twice',
    run: async (environment) => {
      let killed: OperatorPod | undefined;
      const told = await failOver(environment, async (on, leader) => {
        killed = leader;
        await kill(on, leader);
      });
      const after = (await untilReady(environment.cluster, 2)).find(({ uid }) => uid === killed?.uid);
      assert.equal(after?.lastExitCode, 137, 'the container did not end by SIGKILL');
      return told;
    },
  },
  {
    name: 'evictions, as a drained node asks for them: one at a time, as the PodDisruptionBudget says',
    run: async ({ cluster }) => {
      const [first, second] = await untilReady(cluster, 2);
      assert.ok(first && second);
      const evict = (pod: OperatorPod): Promise<string> => {
        const metadata = { name: pod.name, namespace: OPERATOR_NAMESPACE };
        const path = `/api/v1/namespaces/${OPERATOR_NAMESPACE}/pods/${pod.name}/eviction`;
        const input = JSON.stringify({ apiVersion: 'policy/v1', kind: 'Eviction', metadata });
        return cluster.kubectl(['create', '--raw', path, '--filename=-'], { input });
      };
      await untilDisruptionsAllowed(cluster, 1);
      await evict(first);
      await assert.rejects(
        evict(second),
        (error) => error instanceof CommandError && /disruption budget/.test(error.stderr),
        'the second eviction was not refused for the disruption budget',
      );
      await untilReady(cluster, 2);
      await untilDisruptionsAllowed(cluster, 1);
      await evict(second);
      const names = (await untilReady(cluster, 2)).map(({ name }) => name);
      assert.ok(!names.includes(first.name) && !names.includes(second.name));
      return 'the second one refused until the first pod was replaced';
    },
  },
];

/**
 * Jobs that change all the time, through the loss of the leader: each change must be written once, and the old leader
 * must be silent before the new one asks Atlas for the first time.
 */
async function failOver(
  environment: Environment,
  lose: (environment: Environment, leader: Leader) => Promise<void>,
): Promise<string> {
  const { cluster, atlas } = environment;
  await untilReady(cluster, 2);
  await atlas.present({ jobs: changingJobs() });
  const names = Array.from({ length: JOBS }, (_, number) => `job-${number}`);
  const resources = names.map((name, number) => resource(NAMESPACE, name, jobIdOf(number), { interval: '10s' }));
  await cluster.apply([...namespaceWithKey(NAMESPACE), ...resources]);
  await untilChange(environment, 1);
  const leader = await untilLeader(cluster);
  await using history = cluster.watch(['lrj', `--namespace=${NAMESPACE}`], '{.object.metadata.name} {.object.status}');
  const start = Date.now();
  try {
    await lose(environment, leader);
    const lostAt = Date.now();
    const successor = await untilLeader(cluster, leader);
    // A container that was killed is started again in its pod, and can be the first to take the Lease.
    const isRestarted = successor.ip === leader.ip;
    const since = isRestarted ? lostAt : start;
    const firstAsked = await eventually(
      'the new leader asks Atlas',
      async () => {
        const first = (await atlas.requests()).find(({ from, at }) => from === successor.ip && at >= since);
        assert.ok(first, `${successor.name} (${successor.ip}) has asked nothing`);
        return first;
      },
      SLOWLY,
    );
    // Two more changes of every job, written by the new leader.
    const seen = Math.ceil((Date.now() - start) / CHANGE_MS);
    await untilChange(environment, seen + 2);
    const late = (await atlas.requests()).filter(({ from, at }) => from === leader.ip && at > firstAsked.at);
    if (!isRestarted) assert.deepEqual(late, [], 'the old leader asked Atlas after the new one had begun');
    return `${((firstAsked.at - start) / 1_000).toFixed(1)} s without a leader; ${writesOnce(history.lines)}`;
  } finally {
    await cluster.kubectl(['delete', 'lrj', '--all', `--namespace=${NAMESPACE}`]);
  }
}

function changingJobs(): NonNullable<ScenarioInput['jobs']> {
  return Array.from({ length: JOBS }, (_, number) => {
    const job = { groupId: GROUP_ID, clusterName: CLUSTER_NAME, jobId: jobIdOf(number) };
    const steps = Array.from({ length: CHANGES }, (_unused, change) => ({
      // Spread, so that a moment without changes is rare.
      afterMs: change * CHANGE_MS + (change === 0 ? 0 : (number * CHANGE_MS) / JOBS),
      body: { ...youngJob(job), timestamp: { date: '2026-01-01T00:00:00Z', increment: change + 1 } },
    }));
    return { ...job, steps };
  });
}

/** Waits until every resource has mirrored this change, counted from 1, or a later one. */
async function untilChange({ cluster }: Environment, change: number): Promise<void> {
  await eventually(
    `every job has mirrored its change ${change}`,
    async () => {
      const resources = await resourcesIn(cluster, NAMESPACE);
      const behind = resources.filter(({ status }) => (status.timestamp?.increment ?? 0) < change);
      assert.deepEqual(
        behind.map(({ metadata, status }) => `${metadata.name}: ${JSON.stringify(status)}`),
        [],
      );
      assert.equal(resources.length, JOBS);
    },
    SLOWLY,
  );
}

/** Checks that no two statuses of a resource in a row have the same content. */
function writesOnce(lines: readonly string[]): string {
  const last = new Map<string, string>();
  let writes = 0;
  for (const line of lines) {
    const [name = ''] = line.split(' ', 1);
    const text = line.slice(name.length);
    const { lastChangeTime: _, ...content } = z.looseObject({ lastChangeTime: z.unknown() }).parse(JSON.parse(text));
    const status = JSON.stringify(content);
    assert.notEqual(status, last.get(name), `the same status of ${name} was written twice: ${status}`);
    if (last.has(name)) writes += 1;
    last.set(name, status);
  }
  assert.ok(writes >= 2 * JOBS, `only ${writes} writes were seen`);
  return `${writes} writes, each a change`;
}

/** Kills the operator as the kernel would: from outside of its pod, for a process 1 takes no SIGKILL from inside. */
async function kill({ cluster, images }: Environment, { uid }: OperatorPod): Promise<void> {
  const script = `
    const fs = require('node:fs');
    const uids = [process.env.POD_UID, process.env.POD_UID.replaceAll('-', '_')];
    for (const id of fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))) {
      let facts;
      try {
        facts = [fs.readFileSync('/proc/' + id + '/cgroup', 'utf8'), fs.readFileSync('/proc/' + id + '/cmdline', 'utf8')];
      } catch { continue; }
      if (!uids.some((uid) => facts[0].includes(uid)) || !facts[1].includes('legacy-restore-operator')) continue;
      process.kill(Number(id), 'SIGKILL');
      console.log('killed ' + id);
    }`;
  const name = `killer-${uid.slice(0, 8)}`;
  await cluster.apply([
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'atlas' },
      spec: {
        hostPID: true,
        restartPolicy: 'Never',
        containers: [
          {
            name: 'killer',
            image: images.simulator,
            imagePullPolicy: 'IfNotPresent',
            command: ['/nodejs/bin/node', '--eval', script],
            env: [{ name: 'POD_UID', value: uid }],
            securityContext: { runAsUser: 0 },
          },
        ],
      },
    },
  ]);
  const target = [`pod/${name}`, '--namespace=atlas'];
  await cluster.kubectl(['wait', ...target, '--for=jsonpath={.status.phase}=Succeeded', '--timeout=60s']);
  assert.match(await cluster.kubectl(['logs', ...target]), /^killed \d+$/m, 'no process of the leader was found');
}

async function untilDisruptionsAllowed(cluster: Environment['cluster'], disruptionsAllowed: number): Promise<void> {
  const Budgets = z.object({ items: z.array(z.object({ status: z.object({ disruptionsAllowed: z.number() }) })) });
  await eventually(
    `the PodDisruptionBudget allows ${disruptionsAllowed}`,
    async () => {
      const { items } = await cluster.get(Budgets, ['pdb', `--namespace=${OPERATOR_NAMESPACE}`]);
      assert.deepEqual(items, [{ status: { disruptionsAllowed } }]);
    },
    SLOWLY,
  );
}
