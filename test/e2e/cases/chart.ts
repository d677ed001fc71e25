/** The chart as Helm 3 and Helm 4 read it, and the installation. */
import assert from 'node:assert/strict';
import { loadAll } from 'js-yaml';
import * as z from 'zod';
import { type Helm, TYPICAL_VALUES, upgradeEarlierChart } from '../../support/earlier-chart/upgrade.ts';
import type { Cluster } from '../cluster.ts';
import { run } from '../commands.ts';
import { CHART, helmRelease, prepareNamespace } from '../installation.ts';
import { OPERATOR, OPERATOR_NAMESPACE, operatorPods } from '../operator.ts';
import type { TestCase } from '../test-case.ts';

export const chartCases: readonly TestCase[] = [
  {
    name: 'helm lint and helm template, Helm 3 and Helm 4',
    run: async ({ programs: { helm, helm3 }, cluster }) => {
      const kubeVersion = `--kube-version=${await kubernetesVersion(cluster)}`;
      for (const program of [helm, helm3]) await run(program, ['lint', '--strict', CHART, kubeVersion]);
      const render = async (program: string): Promise<readonly unknown[]> => {
        const output = await run(program, [
          'template',
          OPERATOR,
          CHART,
          `--namespace=${OPERATOR_NAMESPACE}`,
          kubeVersion,
        ]);
        return objectsOf(output);
      };
      assert.deepEqual(await render(helm3), await render(helm), 'Helm 3 and Helm 4 render different objects');
      const version = (program: string): Promise<string> => run(program, ['version', '--template={{.Version}}']);
      return `${await version(helm3)} and ${await version(helm)} render the same`;
    },
  },
  {
    name: 'helm upgrade of an earlier chart, Helm 3, and Helm 4 after it',
    run: async ({ cluster, programs }) => {
      const kubectl = (args: readonly string[], input = ''): Promise<string> => cluster.kubectl(args, { input });
      const helmOf =
        (program: string): Helm =>
        (args, input = '') =>
          run(program, args, { input, env: { KUBECONFIG: cluster.kubeconfig } });
      const [helm3, helm4] = [helmOf(programs.helm3), helmOf(programs.helm)];
      for (const name of ['payments', 'orders']) await kubectl(['create', 'namespace', name]);
      await upgradeEarlierChart({ kubectl, installWith: helm3, upgradeWith: helm3 }, TYPICAL_VALUES);
      await upgradeEarlierChart({ kubectl, installWith: helm3, upgradeWith: helm4 }, TYPICAL_VALUES);
      await kubectl(['delete', 'namespace', 'payments', 'orders', 'earlier-chart']);
      return 'no conflict, and every object is still there, those of users too';
    },
  },
  {
    name: 'helm install where Pod Security "restricted" is enforced, with nothing but the simulator\'s address and CA',
    run: async (environment) => {
      await prepareNamespace(environment);
      await environment.atlas.present({});
      await helmRelease(environment, 'install');
      const pods = await operatorPods(environment.cluster);
      assert.deepEqual(
        pods.map(({ restarts }) => restarts),
        [0, 0],
        'a pod was restarted',
      );
      for (const { name } of pods)
        assert.equal(await writeInto(environment.cluster, name), 'EROFS', `${name} can write to /tmp`);
      return `${pods.length} pods ready, with a read-only root file system`;
    },
  },
  {
    name: 'helm test',
    run: async ({ cluster }) => {
      const output = await cluster.helm(['test', OPERATOR, `--namespace=${OPERATOR_NAMESPACE}`, '--timeout=120s']);
      assert.match(output, /Phase:\s+Succeeded/);
      return 'succeeded';
    },
  },
];

/** The error code of an attempt to write a file inside of a pod. */
async function writeInto({ kubectl }: Cluster, pod: string): Promise<string> {
  const script = `
    try {
      require('node:fs').writeFileSync('/tmp/file', '');
      console.log('written');
    } catch (error) {
      console.log(error.code);
    }`;
  const command = ['--', '/nodejs/bin/node', '--eval', script];
  return (await kubectl(['exec', pod, `--namespace=${OPERATOR_NAMESPACE}`, ...command])).trim();
}

/** Sorted: the order of objects is each Helm's own. */
function objectsOf(manifests: string): readonly unknown[] {
  return loadAll(manifests)
    .map((object) => JSON.stringify(object))
    .sort()
    .map((text) => JSON.parse(text));
}

/** Of the API server, as `v1.37.2`. A Helm that was built from source takes another one for granted. */
async function kubernetesVersion({ kubectl }: Cluster): Promise<string> {
  const { serverVersion } = Versions.parse(JSON.parse(await kubectl(['version', '--output=json'])));
  return serverVersion.gitVersion;
}

const Versions = z.object({ serverVersion: z.object({ gitVersion: z.string() }) });
