/** Installing the operator: with the chart, and with kustomize. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ATLAS_URL } from './atlas.ts';
import { namespaceOf } from './namespaces.ts';
import { OPERATOR, OPERATOR_NAMESPACE, OPERATOR_PODS, untilReady } from './operator.ts';
import type { Environment } from './test-case.ts';

export const ROOT = path.join(import.meta.dirname, '../..');
export const CHART = path.join(ROOT, 'charts/legacy-restore-operator');

/** What the operator must know of the simulator, as values of the chart: its address, and its authority as a mounted file. */
export const VALUES = {
  settings: { atlasBaseUrl: ATLAS_URL },
  extraEnv: [{ name: 'NODE_EXTRA_CA_CERTS', value: '/etc/atlas-ca/ca.crt' }],
  extraVolumes: [{ name: 'atlas-ca', configMap: { name: 'atlas-ca' } }],
  extraVolumeMounts: [{ name: 'atlas-ca', mountPath: '/etc/atlas-ca', readOnly: true }],
} as const;

/** The operator's namespace, which lets no pod in that Pod Security "restricted" refuses, and the simulator's authority in it. */
export async function prepareNamespace({ cluster, atlas }: Environment): Promise<void> {
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  await cluster.apply([
    namespaceOf(OPERATOR_NAMESPACE, labels),
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'atlas-ca', namespace: OPERATOR_NAMESPACE },
      data: { 'ca.crt': atlas.caPem },
    },
  ]);
}

/** `helm install` or `helm upgrade` with the simulator's address and these values on top; waits until all pods are ready. */
export async function helmRelease(
  { cluster, folder }: Environment,
  command: 'install' | 'upgrade',
  { chart = CHART, values = {} }: { readonly chart?: string; readonly values?: object } = {},
): Promise<string> {
  const file = path.join(folder, 'values.json');
  await writeFile(file, JSON.stringify({ ...VALUES, ...values }));
  const target = [OPERATOR, chart, `--namespace=${OPERATOR_NAMESPACE}`];
  const output = await cluster.helm([command, ...target, `--values=${file}`, '--wait', '--timeout=120s']);
  await untilReady(cluster, 2);
  return output;
}

export async function helmUninstall({ cluster }: Environment): Promise<void> {
  await cluster.helm(['uninstall', OPERATOR, `--namespace=${OPERATOR_NAMESPACE}`, '--wait', '--timeout=120s']);
  // Helm does not wait for the pods of a Deployment that it has deleted.
  const pods = ['pods', `--selector=${OPERATOR_PODS}`, `--namespace=${OPERATOR_NAMESPACE}`];
  await cluster.kubectl(['wait', ...pods, '--for=delete', '--timeout=60s']);
}
