/** Writes the download's URL and header into the Secret that spec.deliverySecretName names. */
import { type LegacyRestoreJob, objectReference } from '../api/legacy-restore-job.ts';
import type { RestoreJobResponse } from '../api/restore-job.ts';
import type { KubeClient } from '../kube/client.ts';
import { hasStatus, type KubeError } from '../kube/errors.ts';
import { createSecret, getSecret, replaceSecretData, type Secret, type SecretName } from '../kube/secrets.ts';
import type { Failure } from '../restore-job/failure.ts';
import { hasUrl } from '../restore-job/state.ts';
import { getLegacyRestoreJob } from './legacy-restore-jobs.ts';

export type Delivered =
  /** The Secret equals Atlas's response, or there is nothing to put into one. */
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly failure: Failure }
  /** The resource is another one by now, or has another spec: nothing was written for it. */
  | { readonly kind: 'outdated' };

/**
 * Makes the Secret equal to Atlas's response, after a look at the resource as the API server has it now: a Secret under a
 * name that nobody asks for any more would stay. Throws KubeError when the API server cannot answer.
 */
export async function deliver(
  client: KubeClient,
  job: LegacyRestoreJob,
  response: RestoreJobResponse,
): Promise<Delivered> {
  const name = job.spec.deliverySecretName;
  if (name === undefined) return DONE;
  const secret: SecretName = { namespace: job.namespace, name };
  try {
    return await writeSecret(client, job, secret, response);
  } catch (error) {
    // Nothing to put there yet: no reason to complain.
    if (hasStatus(error, 403) && !hasUrl(response.job)) return DONE;
    if (hasStatus(error, 403)) return refused('DeliverySecretForbidden', secret, error);
    if (hasStatus(error, 422)) return refused('DeliverySecretConflict', secret, error);
    throw error;
  }
}

const DONE: Delivered = { kind: 'done' };

async function writeSecret(
  client: KubeClient,
  job: LegacyRestoreJob,
  name: SecretName,
  response: RestoreJobResponse,
): Promise<Delivered> {
  const data = deliveryData(response);
  const present = await readSecret(client, name);
  // Nothing is created before there is something to put into it.
  if (present === undefined && !hasUrl(response.job)) return DONE;
  if (present !== undefined && !present.owners.includes(job.uid)) {
    return hasUrl(response.job) ? belongsToAnother(name) : DONE;
  }
  if (present !== undefined && sameData(present.data, data)) return DONE;
  if (!(await isCurrent(client, job))) return { kind: 'outdated' };
  if (present === undefined) await createSecret(client, name, ownerReference(job), data);
  else await replaceSecretData(client, name, present, data);
  return DONE;
}

async function readSecret(client: KubeClient, name: SecretName): Promise<Secret | undefined> {
  try {
    return await getSecret(client, name);
  } catch (error) {
    if (hasStatus(error, 404)) return undefined;
    throw error;
  }
}

async function isCurrent(client: KubeClient, job: LegacyRestoreJob): Promise<boolean> {
  try {
    const fresh = await getLegacyRestoreJob(client, job);
    return fresh?.uid === job.uid && fresh.generation === job.generation;
  } catch (error) {
    if (hasStatus(error, 404)) return false;
    throw error;
  }
}

/** The keys that Atlas gave; one that vanished from the response vanishes from the Secret. */
function deliveryData({ job, authValue }: RestoreJobResponse): Record<string, string> {
  const { url, urlV2, authHeader } = job.delivery ?? {};
  return {
    ...(url === undefined ? {} : { url }),
    ...(urlV2 === undefined ? {} : { urlV2 }),
    ...(authHeader === undefined ? {} : { authHeader }),
    ...(authValue === undefined ? {} : { authValue }),
  };
}

function sameData(left: Readonly<Record<string, string>>, right: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every((key) => left[key] === right[key]);
}

function ownerReference(job: LegacyRestoreJob) {
  const { apiVersion, kind, name, uid } = objectReference(job);
  return { apiVersion, kind, name, uid };
}

const belongsToAnother = (name: SecretName): Delivered => ({
  kind: 'failed',
  failure: {
    origin: 'content',
    reason: 'DeliverySecretConflict',
    detail: `${secretId(name)} exists and does not belong to this resource`,
  },
});

const refused = (
  reason: 'DeliverySecretConflict' | 'DeliverySecretForbidden',
  name: SecretName,
  { status, reason: statusReason, statusMessage }: KubeError,
): Delivered => ({
  kind: 'failed',
  failure: {
    origin: 'kubernetes',
    reason,
    verb: 'write',
    object: secretId(name),
    code: status,
    statusReason,
    statusMessage,
  },
});

const secretId = ({ namespace, name }: SecretName): string => `Secret ${namespace}/${name}`;
