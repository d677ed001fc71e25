/** Writes the download's URL and header into the Secret that spec.deliverySecretName names. */
import { type LegacyRestoreJob, objectReference } from '../api/legacy-restore-job.ts';
import type { RestoreJobResponse } from '../api/restore-job.ts';
import { isAllowed } from '../kube/access-review.ts';
import type { KubeClient } from '../kube/client.ts';
import { hasStatus, KubeError } from '../kube/errors.ts';
import { createSecret, getSecret, replaceSecretData, type Secret, type SecretName } from '../kube/secrets.ts';
import type { Failure } from '../restore-job/failure.ts';
import { hasDownloadableUrl } from '../restore-job/state.ts';
import { getLegacyRestoreJob, type ReconciledResources } from './legacy-restore-jobs.ts';

/**
 * Makes the Secret equal to Atlas's response, after a look at the resource as the API server has it now: a Secret under a
 * name that nobody asks for any more would stay. Returns why it could not, undefined where there is nothing to complain
 * about. Throws KubeError where the API server does not respond at all. `now`: milliseconds since the epoch.
 */
export async function deliver(
  resources: ReconciledResources,
  job: LegacyRestoreJob,
  response: RestoreJobResponse,
  now: number,
): Promise<Failure | undefined> {
  const name = job.spec.deliverySecretName;
  if (name === undefined) return undefined;
  const secret: SecretName = { namespace: job.namespace, name };
  const refusal = await write(resources, job, secret, response);
  // Nothing to put there yet, or nothing worth it any more.
  return refusal !== undefined && hasDownloadableUrl(response.job, now) ? refusal() : undefined;
}

/** Says why the Secret was refused. */
type Refusal = () => Failure | Promise<Failure>;

/** Somebody else can write the Secret at the same moment, but not again and again. */
const MAX_RACES = 3;

async function write(
  resources: ReconciledResources,
  job: LegacyRestoreJob,
  secret: SecretName,
  response: RestoreJobResponse,
): Promise<Refusal | undefined> {
  for (let races = 1; ; races++) {
    const attempt = await tryToWrite(resources, job, secret, response);
    if (attempt.kind === 'written') return undefined;
    if (attempt.kind === 'occupied') return () => occupied(secret);
    const { error, verb } = attempt;
    const isRace = hasStatus(error, 404, 409) && races < MAX_RACES;
    if (!isRace) return () => refused(resources.client, secret, error, verb);
  }
}

type Attempt =
  | { readonly kind: 'written' }
  /** There is a Secret of that name that belongs to somebody else. */
  | { readonly kind: 'occupied' }
  | { readonly kind: 'refused'; readonly error: KubeError; readonly verb: 'get' | 'create' | 'patch' };

async function tryToWrite(
  resources: ReconciledResources,
  job: LegacyRestoreJob,
  name: SecretName,
  response: RestoreJobResponse,
): Promise<Attempt> {
  const { client } = resources;
  const data = deliveryData(response);
  let verb: 'get' | 'create' | 'patch' = 'get';
  try {
    const present = await readSecret(client, name);
    // Nothing is created before there is something to put into it.
    if (present === undefined && Object.keys(data).length === 0) return WRITTEN;
    if (present !== undefined && !present.owners.includes(job.uid)) return { kind: 'occupied' };
    if (present !== undefined && sameData(present.data, data)) return WRITTEN;
    if (!(await isCurrent(resources, job))) return WRITTEN;
    verb = present === undefined ? 'create' : 'patch';
    if (present === undefined) await createSecret(client, name, ownerReference(job), labels(job), data);
    else await replaceSecretData(client, name, present, data);
    return WRITTEN;
  } catch (error) {
    // A read without a response says nothing of the Secret. A write can have none because of a slow webhook.
    if (error instanceof KubeError && !(verb === 'get' && error.status === 0)) return { kind: 'refused', error, verb };
    throw error;
  }
}

const WRITTEN: Attempt = { kind: 'written' };

async function readSecret(client: KubeClient, name: SecretName): Promise<Secret | undefined> {
  try {
    return await getSecret(client, name);
  } catch (error) {
    if (hasStatus(error, 404)) return undefined;
    throw error;
  }
}

/** Whether the resource is still the one that was reconciled, and is to stay. */
async function isCurrent(resources: ReconciledResources, job: LegacyRestoreJob): Promise<boolean> {
  const fresh = await getLegacyRestoreJob(resources, job);
  return fresh?.uid === job.uid && fresh.generation === job.generation && !fresh.deleting;
}

/** The keys that Atlas gave; one that vanished from the response vanishes from the Secret. */
function deliveryData({ job, authValue }: RestoreJobResponse): Record<string, string> {
  const { url, urlV2, authHeader } = job.delivery ?? {};
  // The header is of no use without the URL.
  if (url === undefined && urlV2 === undefined) return {};
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

/** A label has at most 63 characters and ends with a letter or digit. */
const labels = ({ name }: LegacyRestoreJob): Readonly<Record<string, string>> => ({
  'app.kubernetes.io/managed-by': 'legacy-restore-operator',
  'atlasrestore.dev/job': name.slice(0, 63).replace(/[^a-z0-9]+$/, ''),
});

const occupied = (secret: SecretName): Failure => ({
  origin: 'content',
  reason: 'DeliverySecretConflict',
  detail: `${secretId(secret)} exists and does not belong to this resource`,
});

async function refused(
  client: KubeClient,
  secret: SecretName,
  { status, reason: statusReason, statusMessage }: KubeError,
  verb: 'get' | 'create' | 'patch',
): Promise<Failure> {
  const mayNot = status === 403 && (await isAllowed(client, { ...secret, resource: 'secrets', verb })) === false;
  return {
    origin: 'kubernetes',
    reason: mayNot ? 'DeliverySecretForbidden' : 'DeliverySecretRefused',
    verb: 'write',
    object: secretId(secret),
    isForbidden: mayNot,
    code: status,
    statusReason,
    statusMessage,
  };
}

const secretId = ({ namespace, name }: SecretName): string => `Secret ${namespace}/${name}`;
