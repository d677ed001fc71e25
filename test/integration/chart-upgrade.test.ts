import { afterAll, beforeAll, test } from '@jest/globals';
import { type ControlPlane, startControlPlane } from '../support/control-plane/control-plane.ts';
import { TYPICAL_VALUES, upgradeEarlierChart } from '../support/earlier-chart/upgrade.ts';
import { helm } from '../support/manifests.ts';
import { MONITORING_CRDS } from '../support/monitoring-crds.ts';

const MONITORING = {
  serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
  prometheusRule: { enabled: true, labels: { release: 'prometheus' } },
  dashboard: { enabled: true },
};

let controlPlane: ControlPlane;
beforeAll(async () => {
  controlPlane = await startControlPlane();
  for (const name of ['payments', 'orders']) await kubectl(['create', 'namespace', name]);
  const list = { apiVersion: 'v1', kind: 'List', items: MONITORING_CRDS };
  await kubectl(['apply', '--filename=-'], JSON.stringify(list));
});
afterAll(() => controlPlane?.stop());

const kubectl = (args: readonly string[], stdin = ''): Promise<string> => controlPlane.kubectlRun(args, { stdin });
const helm4 = (args: readonly string[], stdin = ''): Promise<string> => helm(args, stdin, controlPlane.kubeconfig);

// With Helm 3 it is a case of the end-to-end tests, for which it is built.
test.each([
  ['the defaults', {}],
  ['typical values', { ...TYPICAL_VALUES, monitoring: MONITORING }],
])(
  'an earlier chart is upgraded with Helm 4 and %s: no conflict, and every object is still there, those of users too',
  (_, values) => upgradeEarlierChart({ kubectl, installWith: helm4, upgradeWith: helm4 }, values),
);
