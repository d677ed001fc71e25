/** A release of an earlier chart is upgraded to this one on the API server, with Helm 3 and with Helm 4. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import * as z from 'zod';
import { type ControlPlane, startControlPlane } from '../support/control-plane/control-plane.ts';
import { ensureTools } from '../support/control-plane/tools.ts';
import { ensureHelm3 } from '../support/helm3.ts';
import { CHART, helmWith, Manifest, manifestId } from '../support/manifests.ts';
import { MONITORING_CRDS } from '../support/monitoring-crds.ts';

/** As `helm package` made it of commit 47b92c6, before `failure`, lists, other APIs and most values of today. */
const EARLIER = 'test/support/earlier-chart/legacy-restore-operator-0.1.0.tgz';
const CRD = 'crd/legacyrestorejobs.atlasrestore.dev';
const TYPICAL = {
  namespaces: ['payments', 'orders'],
  commonLabels: { team: 'data' },
  settings: { logLevel: 'debug' },
  deliverySecrets: { enabled: true },
  networkPolicy: { enabled: true },
  monitoring: {
    serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
    prometheusRule: { enabled: true, labels: { release: 'prometheus' } },
    dashboard: { enabled: true },
  },
  extraEnv: [{ name: 'HTTPS_PROXY', value: 'http://proxy.example.com:3128' }],
};
const JOB = {
  apiVersion: 'atlasrestore.dev/v1',
  kind: 'LegacyRestoreJob',
  metadata: { name: 'kept', namespace: 'payments' },
  spec: { groupId: '5a66666887d9d61443b41645', clusterName: 'Cluster0', jobId: '6b77893b80eef5354c77ee15' },
};

type HelmVersion = 'Helm 3' | 'Helm 4';

let controlPlane: ControlPlane;
let programs: Readonly<Record<HelmVersion, string>>;
beforeAll(async () => {
  controlPlane = await startControlPlane();
  programs = { 'Helm 3': await ensureHelm3(), 'Helm 4': (await ensureTools(['helm'])).path('helm') };
  for (const name of ['payments', 'orders']) await kubectl('create', 'namespace', name);
  await apply(MONITORING_CRDS);
  // Builds Helm 3 where that was not done before.
}, 900_000);
afterAll(() => controlPlane?.stop());
afterEach(async () => {
  await helm('Helm 4', '', 'uninstall', 'mirror');
  await kubectl('delete', CRD);
});

const kubectl = (...args: readonly string[]): Promise<string> => controlPlane.kubectlRun(args);
const apply = (objects: readonly object[]): Promise<string> =>
  controlPlane.kubectlRun(['apply', '--filename=-'], {
    stdin: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
  });
const helm = (version: HelmVersion, stdin: string, ...args: readonly string[]): Promise<string> =>
  helmWith(programs[version], [...args, '--namespace=tools'], stdin, controlPlane.kubeconfig);

test.each([
  ['Helm 3', 'Helm 3', 'the defaults', {}],
  ['Helm 3', 'Helm 3', 'typical values', TYPICAL],
  ['Helm 4', 'Helm 4', 'the defaults', {}],
  ['Helm 4', 'Helm 4', 'typical values', TYPICAL],
  ['Helm 3', 'Helm 4', 'typical values', TYPICAL],
] as const)(
  'installed with %s and upgraded with %s, %s: no conflict, and every object is still there, those of users too',
  async (installedWith, upgradedWith, _, values) => {
    const install = ['install', 'mirror', EARLIER, '--create-namespace', '--values=-'];
    await helm(installedWith, JSON.stringify(values), ...install);
    await kubectl('wait', '--for=condition=Established', CRD, '--timeout=30s');
    await apply([JOB]);
    const before = await uidsOf(installedWith);
    const uid = await kubectl('get', 'lrj/kept', '--namespace=payments', '--output=jsonpath={.metadata.uid}');

    // As docs/install.md says.
    await helm(upgradedWith, '', 'upgrade', 'mirror', CHART, '--reset-then-reuse-values');

    expect(await uidsOf(upgradedWith)).toEqual(before);
    expect(await kubectl('get', 'lrj/kept', '--namespace=payments', '--output=jsonpath={.metadata.uid}')).toBe(uid);
    expect(await kubectl('get', CRD, '--output=json')).toContain('"failure"');
  },
);

/** What the release holds, as the API server has it; rejects where an object is missing. */
async function uidsOf(version: HelmVersion): Promise<ReadonlyMap<string, string>> {
  const manifest = await helm(version, '', 'get', 'manifest', 'mirror');
  const found = await controlPlane.kubectlRun(['get', '--filename=-', '--output=json'], { stdin: manifest });
  return new Map(Objects.parse(JSON.parse(found)).items.map((object) => [manifestId(object), object.metadata.uid]));
}
const Objects = z.object({
  items: z.array(Manifest.extend({ metadata: Manifest.shape.metadata.extend({ uid: z.string() }) })),
});
