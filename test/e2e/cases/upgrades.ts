/** helm upgrade, rollback and uninstall, and the CustomResourceDefinition through them. */
import assert from 'node:assert/strict';
import { cp, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { dump, load } from 'js-yaml';
import * as z from 'zod';
import { fetchedDownload, youngJob } from '../../support/atlas-simulator/recorded-bodies.ts';
import { eventually } from '../../support/eventually.ts';
import { CLUSTER_NAME, GROUP_ID, jobIdOf } from '../atlas.ts';
import { CHART, helmRelease, helmUninstall, prepareNamespace } from '../installation.ts';
import {
  CRD,
  logOf,
  metricOf,
  namespaceWithKey,
  OPERATOR,
  OPERATOR_NAMESPACE,
  operatorPods,
  podPath,
  resource,
  resourcesIn,
  SLOWLY,
  untilReady,
  untilResource,
} from '../operator.ts';
import type { Environment, TestCase } from '../test-case.ts';

/** Fields of status that an older version did not have yet. */
const NEW_FIELDS = ['snapshotId', 'hashes'] as const;
const NAMESPACE = 'upgrade';

export const upgradeCases: readonly TestCase[] = [
  {
    name: 'helm upgrade and helm rollback: a setting there and back, never fewer than two pods available',
    run: async (environment) => {
      const { cluster } = environment;
      await using available = cluster.watch(
        [`deployment/${OPERATOR}`, `--namespace=${OPERATOR_NAMESPACE}`],
        '{.object.status.availableReplicas}',
      );
      await helmRelease(environment, 'upgrade', {
        values: { settings: { atlasBaseUrl: 'https://atlas.atlas.svc', logLevel: 'debug' } },
      });
      assert.deepEqual(await logLevels(environment), ['debug', 'debug']);
      await cluster.helm(['rollback', OPERATOR, `--namespace=${OPERATOR_NAMESPACE}`, '--wait', '--timeout=120s']);
      await untilReady(cluster, 2);
      assert.deepEqual(await logLevels(environment), ['info', 'info']);
      await available.stop();
      assert.deepEqual(
        available.lines.filter((count) => Number(count) < 2),
        [],
        'fewer than two pods were available',
      );
      const history = await cluster.helm(['history', OPERATOR, `--namespace=${OPERATOR_NAMESPACE}`, '--output=json']);
      const revisions = z.array(z.object({ status: z.string() })).parse(JSON.parse(history));
      return revisions.map(({ status }) => status).join(', ');
    },
  },
  {
    name: "helm uninstall leaves the users' resources, and nothing else of the release but the CustomResourceDefinition",
    run: async (environment) => {
      const { cluster } = environment;
      const before = await resourcesIn(cluster, 'payments');
      assert.ok(before.length > 0);
      await helmUninstall(environment);
      const kept = (await resourcesIn(cluster, 'payments')).map(({ metadata, spec }) => ({
        uid: metadata['uid'],
        spec,
      }));
      const expected = before.map(({ metadata, spec }) => ({ uid: metadata['uid'], spec }));
      assert.deepEqual(kept, expected, 'resources were changed by the uninstallation');
      const kinds =
        'all,serviceaccounts,configmaps,secrets,roles,rolebindings,clusterroles,clusterrolebindings,pdb,crd';
      const selector = `--selector=app.kubernetes.io/instance=${OPERATOR}`;
      const left = await cluster.kubectl(['get', kinds, '--all-namespaces', selector, '--output=name']);
      assert.match(left, /^customresourcedefinition\S+\n$/, `what is left: ${left}`);
      return `resources left: ${before.length}`;
    },
  },
];

export const crdCases: readonly TestCase[] = [
  {
    name: 'an older CustomResourceDefinition: told in the log, on /readyz and by the metric, and no write where nothing has changed',
    run: async (environment) => {
      const { cluster, atlas } = environment;
      await prepareNamespace(environment);
      await atlas.present({ jobs: [runningJob(), finishedJob()] });
      await helmRelease(environment, 'install', { chart: await olderChart(environment.folder) });
      await cluster.apply([
        ...namespaceWithKey(NAMESPACE),
        resource(NAMESPACE, 'running', jobIdOf(1), { interval: '10s' }),
        resource(NAMESPACE, 'finished', jobIdOf(2)),
      ]);
      for (const name of ['running', 'finished'])
        await untilResource(cluster, NAMESPACE, name, 'is mirrored', ({ statusName }) => statusName !== undefined);
      for (const pod of await operatorPods(cluster)) {
        assert.equal(
          await metricOf(cluster, pod, 'legacy_restore_crd_outdated'),
          1,
          `${pod.name}: the metric is not 1`,
        );
        const ready = await cluster.kubectl(['get', '--raw', podPath(pod, 'readyz')]);
        assert.match(ready, /^ok\n.*CustomResourceDefinition/s, `${pod.name}: /readyz says ${ready}`);
        const warned = (await logOf(cluster, pod)).filter(
          ({ level, msg }) => level === 'warn' && /CustomResourceDefinition/.test(msg),
        );
        assert.equal(warned.length, 1, `${pod.name}: ${warned.length} warnings in the log`);
      }
      const before = await resourcesIn(cluster, NAMESPACE);
      for (const { status } of before)
        for (const field of NEW_FIELDS) assert.equal(status[field], undefined, `${field} is there before the upgrade`);
      const fetches = async (): Promise<number> =>
        (await atlas.requests()).filter(({ target }) => target.includes(jobIdOf(1))).length;
      const first = await fetches();
      await eventually('two more fetches', async () => assert.ok((await fetches()) >= first + 2), SLOWLY);
      assert.deepEqual(await resourcesIn(cluster, NAMESPACE), before, 'a reconcile without a change wrote');
      return `without status.${NEW_FIELDS.join(' and status.')}`;
    },
  },
  {
    name: 'helm upgrade brings the new CustomResourceDefinition, and the command in the log refills finished resources',
    run: async (environment) => {
      const { cluster } = environment;
      await helmRelease(environment, 'upgrade');
      const start = performance.now();
      await eventually(
        'all pods see the new schema',
        async () => {
          for (const pod of await untilReady(cluster, 2))
            assert.equal(
              await metricOf(cluster, pod, 'legacy_restore_crd_outdated'),
              0,
              `${pod.name} says it is outdated`,
            );
        },
        SLOWLY,
      );
      const seconds = ((performance.now() - start) / 1_000).toFixed(0);
      const flags = [
        'lrj',
        '--all',
        `--namespace=${NAMESPACE}`,
        'atlasrestore.dev/requestedAt=upgraded',
        '--overwrite',
      ];
      await cluster.kubectl(['annotate', ...flags]);
      const { status } = await untilResource(
        cluster,
        NAMESPACE,
        'finished',
        'is filled',
        ({ hashes }) => hashes !== undefined,
      );
      for (const field of NEW_FIELDS)
        assert.notEqual(status[field], undefined, `${field} is missing after the upgrade`);
      await removeRelease(environment);
      return `noticed after ${seconds} s, hashes and snapshotId filled`;
    },
  },
];

/** With the CustomResourceDefinition and all resources: what comes next starts from nothing. */
async function removeRelease(environment: Environment): Promise<void> {
  await helmUninstall(environment);
  await environment.cluster.kubectl(['delete', CRD]);
}

async function logLevels({ cluster }: Environment): Promise<readonly (string | undefined)[]> {
  return (await operatorPods(cluster)).map(({ env }) => env.get('LOG_LEVEL'));
}

/** The chart as it was before: of a lower version, and its CustomResourceDefinition without the new fields. */
async function olderChart(folder: string): Promise<string> {
  const chart = path.join(folder, 'older-chart');
  await cp(CHART, chart, { recursive: true });
  const edit = async (name: string, change: (text: string) => string): Promise<void> => {
    const file = path.join(chart, name);
    await writeFile(file, change(await readFile(file, 'utf8')));
  };
  await edit('Chart.yaml', (text) => text.replace(/^version: .*$/m, 'version: 0.0.1'));
  await edit('files/crd.yaml', (text) => {
    const crd = CustomResourceDefinition.parse(load(text));
    for (const { schema } of crd.spec.versions)
      for (const field of NEW_FIELDS) delete schema.openAPIV3Schema.properties.status.properties[field];
    return dump(crd);
  });
  return chart;
}

const CustomResourceDefinition = z.looseObject({
  spec: z.looseObject({
    versions: z.array(
      z.looseObject({
        schema: z.looseObject({
          openAPIV3Schema: z.looseObject({
            properties: z.looseObject({
              status: z.looseObject({ properties: z.record(z.string(), z.unknown()) }),
            }),
          }),
        }),
      }),
    ),
  }),
});

function runningJob() {
  const job = { groupId: GROUP_ID, clusterName: CLUSTER_NAME, jobId: jobIdOf(1) };
  return { ...job, body: youngJob(job) };
}

function finishedJob() {
  const job = { groupId: GROUP_ID, clusterName: CLUSTER_NAME, jobId: jobIdOf(2) };
  return { ...job, body: fetchedDownload(job, '2099-01-01T00:00:00Z') };
}
