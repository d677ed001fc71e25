/** What the run leaves in an existing cluster, and its removal. */
import * as z from 'zod';
import type { Cluster } from './cluster.ts';
import { MARK } from './namespaces.ts';
import { CRD, OPERATOR } from './operator.ts';

/** Rejects when a cluster has the CustomResourceDefinition already: the run would delete it, with all that users have. */
export async function refuseUsedCluster({ name, kubectl }: Cluster): Promise<void> {
  const found = await kubectl(['get', CRD, '--ignore-not-found', '--output=name']);
  if (found !== '')
    throw new Error(`The cluster ${name} has ${CRD} already, and the run would delete it: use another.`);
}

/** Removes from an existing cluster what a run, one that failed too, has left there. */
export async function removeTraces({ kubectl, helm }: Cluster): Promise<void> {
  const releases = await helm(['list', '--all-namespaces', `--filter=^${OPERATOR}$`, '--output=json']);
  for (const { name, namespace } of Releases.parse(JSON.parse(releases)))
    await helm(['uninstall', name, `--namespace=${namespace}`, '--wait', '--timeout=120s']);
  const wide = ['clusterroles,clusterrolebindings', `--selector=app.kubernetes.io/name=${OPERATOR}`];
  await kubectl(['delete', ...wide]);
  await kubectl(['delete', 'namespaces', `--selector=${MARK}`], { timeoutMs: 300_000 });
  await kubectl(['delete', 'persistentvolumes', `--selector=${MARK}`]);
  await kubectl(['delete', CRD, '--ignore-not-found']);
}

const Releases = z.array(z.object({ name: z.string(), namespace: z.string() }));
