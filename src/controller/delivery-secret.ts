/** Writes the download's URL and header into the Secret that spec.deliverySecretName names. */
import { type LegacyRestoreJob, objectReference } from '../api/legacy-restore-job.ts';
import { REASONS } from '../api/reasons.ts';
import type { RestoreJobAnswer } from '../atlas/answer.ts';
import type { KubeClient } from '../kube/client.ts';
import { hasStatus } from '../kube/errors.ts';
import {
  createSecret,
  getSecret,
  type OwnerReference,
  replaceSecretData,
  type Secret,
  type SecretName,
} from '../kube/secrets.ts';
import { hasUrl } from './job-state.ts';
import type { DeliverySecretResult } from './outcome.ts';

/** Makes the Secret equal to Atlas's answer. Throws KubeError when the API server cannot answer. */
export async function writeDeliverySecret(
  client: KubeClient,
  job: LegacyRestoreJob,
  answer: RestoreJobAnswer,
): Promise<DeliverySecretResult> {
  const name = job.spec.deliverySecretName;
  if (name === undefined) return { kind: 'none' };
  const secret: SecretName = { namespace: job.namespace, name };
  try {
    return await write(client, job, secret, answer);
  } catch (error) {
    // Nothing to put there yet: no reason to complain.
    if (hasStatus(error, 403) && !hasUrl(answer.job.delivery)) return { kind: 'none' };
    if (hasStatus(error, 403))
      return refused('DeliverySecretForbidden', `The operator may not write Secret ${secretId(secret)}.`);
    if (hasStatus(error, 422))
      return refused('DeliverySecretConflict', `Secret ${secretId(secret)} cannot be changed, it may be immutable.`);
    throw error;
  }
}

async function write(
  client: KubeClient,
  job: LegacyRestoreJob,
  name: SecretName,
  answer: RestoreJobAnswer,
): Promise<DeliverySecretResult> {
  const data = deliveryData(answer);
  const present = await read(client, name);
  if (present === undefined) {
    // Nothing is created before there is something to put into it.
    if (!hasUrl(answer.job.delivery)) return { kind: 'none' };
    await createSecret(client, name, ownerReference(job), data);
    return { kind: 'written' };
  }
  if (!present.owners.includes(job.uid)) {
    if (!hasUrl(answer.job.delivery)) return { kind: 'none' };
    return refused('DeliverySecretConflict', `Secret ${secretId(name)} exists and does not belong to this resource.`);
  }
  if (sameData(present.data, data)) return { kind: 'current' };
  await replaceSecretData(client, name, present, data);
  return { kind: 'written' };
}

async function read(client: KubeClient, name: SecretName): Promise<Secret | undefined> {
  try {
    return await getSecret(client, name);
  } catch (error) {
    if (hasStatus(error, 404)) return undefined;
    throw error;
  }
}

/** The keys that Atlas gave; one that vanished from the answer vanishes from the Secret. */
function deliveryData({ job, authValue }: RestoreJobAnswer): Record<string, string> {
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

function ownerReference(job: LegacyRestoreJob): OwnerReference {
  const { apiVersion, kind, name, uid } = objectReference(job);
  return { apiVersion, kind, name, uid };
}

const refused = (reason: 'DeliverySecretConflict' | 'DeliverySecretForbidden', what: string): DeliverySecretResult => ({
  kind: 'refused',
  reason,
  message: `${what} ${REASONS[reason].remedy}`,
});

const secretId = ({ namespace, name }: SecretName): string => `${namespace}/${name}`;
