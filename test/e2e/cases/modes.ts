/** Other ways to install the operator. */
import assert from 'node:assert/strict';
import { mkdir, realpath, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { dump } from 'js-yaml';
import { youngJob } from '../../support/atlas-simulator/recorded-bodies.ts';
import { ATLAS_URL, CLUSTER_NAME, GROUP_ID, jobIdOf } from '../atlas.ts';
import { helmRelease, helmUninstall, prepareNamespace, ROOT, VALUES } from '../installation.ts';
import {
  conditionOf,
  namespaceWithKey,
  OPERATOR,
  OPERATOR_NAMESPACE,
  resource,
  resourcesIn,
  untilReady,
  untilResource,
} from '../operator.ts';
import type { Environment, TestCase } from '../test-case.ts';

export const modeCases: readonly TestCase[] = [
  {
    name: 'namespaced mode: works in its namespaces alone, without any ClusterRole',
    run: async (environment) => {
      const { cluster } = environment;
      await presentJob(environment);
      await cluster.apply([...namespaceWithKey('inside'), ...namespaceWithKey('outside')]);
      await helmRelease(environment, 'install', { values: { namespaces: ['inside'] } });
      const selector = `--selector=app.kubernetes.io/instance=${OPERATOR}`;
      const wide = await cluster.kubectl(['get', 'clusterroles,clusterrolebindings', selector, '--output=name']);
      assert.equal(wide, '', `there are ${wide}`);
      // The one outside is older: it would have been reconciled first.
      await cluster.apply([resource('outside', 'job', jobIdOf(0)), resource('inside', 'job', jobIdOf(0))]);
      await untilMirrored(environment, 'inside');
      const [outside] = await resourcesIn(cluster, 'outside');
      assert.deepEqual(outside?.status, { observedGeneration: -1 }, 'a resource outside of its namespaces was touched');
      await helmUninstall(environment);
      await cluster.kubectl(['delete', 'namespace', 'inside', 'outside']);
      return 'one Role per namespace';
    },
  },
  {
    name: 'kustomize base instead of the chart',
    run: async (environment) => {
      const { cluster } = environment;
      await presentJob(environment);
      await prepareNamespace(environment);
      const overlay = await kustomization(environment);
      await cluster.kubectl(['apply', '--server-side', '--force-conflicts', `--kustomize=${overlay}`]);
      await untilReady(cluster, 2);
      await cluster.apply([...namespaceWithKey('kustomized'), resource('kustomized', 'job', jobIdOf(0))]);
      await untilMirrored(environment, 'kustomized');
      // With the CustomResourceDefinition, so that what comes next starts from nothing.
      await cluster.kubectl(['delete', `--kustomize=${overlay}`, '--timeout=120s'], { timeoutMs: 150_000 });
      return 'the simulator patched in, two pods ready, a job mirrored';
    },
  },
];

async function presentJob({ atlas }: Environment): Promise<void> {
  const job = { groupId: GROUP_ID, clusterName: CLUSTER_NAME, jobId: jobIdOf(0) };
  await atlas.present({ jobs: [{ ...job, body: youngJob(job) }] });
}

function untilMirrored({ cluster }: Environment, namespace: string): Promise<unknown> {
  return untilResource(cluster, namespace, 'job', 'is mirrored', (status) => {
    return conditionOf(status, 'Synced') === 'True JobFetched';
  });
}

/** An overlay as a user writes one: the base, and what the simulator needs. */
async function kustomization({ folder }: Environment): Promise<string> {
  const overlay = path.join(folder, 'overlay');
  await mkdir(overlay);
  const container = {
    name: 'operator',
    env: [{ name: 'ATLAS_BASE_URL', value: ATLAS_URL }, ...VALUES.extraEnv],
    volumeMounts: VALUES.extraVolumeMounts,
  };
  const patch = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: OPERATOR, namespace: OPERATOR_NAMESPACE },
    spec: { template: { spec: { containers: [container], volumes: VALUES.extraVolumes } } },
  };
  // kustomize takes relative paths alone, and compares them without links.
  const base = path.relative(await realpath(overlay), path.join(await realpath(ROOT), 'deploy/base'));
  const text = dump({ resources: [base], patches: [{ patch: dump(patch) }] });
  await writeFile(path.join(overlay, 'kustomization.yaml'), text);
  return overlay;
}
