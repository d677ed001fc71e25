/** What a cluster's garbage collector does: there is no controller manager here that would. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Cluster, RESOURCES, secretsOf } from './cluster.ts';
import { ActualResource, ActualSecret } from './comparison.ts';

const PERIOD_MS = 2_000;
/** Of the operator's delivery Secrets. */
export const DELIVERY_SECRETS = '/api/v1/secrets?labelSelector=app.kubernetes.io/managed-by=legacy-restore-operator';

/** Deletes the delivery Secrets of resources that have gone, again and again until the signal is aborted. */
export async function collectGarbage(cluster: Cluster, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    // The API server may be away; the next round finds what this one did not.
    await collect(cluster).catch(() => {});
    await delay(PERIOD_MS, undefined, { signal }).catch(() => {});
  }
}

async function collect(cluster: Cluster): Promise<void> {
  // Secrets first: the owner of one that is in this list is in the next list, or has gone.
  const secrets = (await cluster.list(DELIVERY_SECRETS)).map((secret) => ActualSecret.parse(secret));
  const owners = new Set((await cluster.list(RESOURCES)).map((object) => ActualResource.parse(object).metadata.uid));
  for (const { metadata } of secrets) {
    if (metadata.ownerReferences.some(({ uid }) => owners.has(uid))) continue;
    await cluster.delete(secretsOf(metadata.namespace), metadata.name, { preconditions: { uid: metadata.uid } });
  }
}
