/** The chart as Helm 3 and Helm 4 read it, and the installation. */
import assert from 'node:assert/strict';
import { z } from 'zod';
import { run } from '../commands.ts';
import { CHART, helmRelease, prepareNamespace } from '../installation.ts';
import { OPERATOR, OPERATOR_NAMESPACE, operatorPods } from '../operator.ts';
import type { Proof } from '../proof.ts';

export const chartProofs: readonly Proof[] = [
  {
    name: 'helm lint and helm template, Helm 3 and Helm 4',
    prove: async ({ programs: { helm, helm3 } }) => {
      for (const program of [helm, helm3]) await run(program, ['lint', '--strict', CHART]);
      const template = (program: string): Promise<string> =>
        run(program, ['template', OPERATOR, CHART, `--namespace=${OPERATOR_NAMESPACE}`]);
      assert.equal(await template(helm3), await template(helm), 'Helm 3 and Helm 4 render different objects');
      const version = (program: string): Promise<string> => run(program, ['version', '--template={{.Version}}']);
      return `${await version(helm3)} and ${await version(helm)} render the same`;
    },
  },
  {
    name: 'helm install where Pod Security "restricted" is enforced, with nothing but the simulator\'s address and CA',
    prove: async (stage) => {
      await prepareNamespace(stage);
      await stage.atlas.present({});
      await helmRelease(stage, 'install');
      const pods = await operatorPods(stage.cluster);
      assert.deepEqual(
        pods.map(({ restarts }) => restarts),
        [0, 0],
        'a pod was restarted',
      );
      return `${pods.length} pods ready`;
    },
  },
  {
    name: 'helm test',
    prove: async ({ cluster }) => {
      const output = await cluster.helm(['test', OPERATOR, `--namespace=${OPERATOR_NAMESPACE}`, '--timeout=120s']);
      assert.match(output, /Phase:\s+Succeeded/);
      return 'succeeded';
    },
  },
];

/** The revisions of the release, oldest first. */
export const History = z.array(z.object({ revision: z.number(), status: z.string(), description: z.string() }));
