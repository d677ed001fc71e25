/** One visit of one resource, step by step. It returns what it found and writes neither status nor events. */
import type { LegacyRestoreJob } from '../api/legacy-restore-job.ts';
import type { AtlasClient } from '../atlas/client.ts';
import type { AtlasCredentials } from '../atlas/credentials.ts';
import { AtlasError } from '../atlas/errors.ts';
import type { KubeClient } from '../kube/client.ts';
import type { CredentialsReader, CredentialsResult, CredentialsSource } from './credentials.ts';
import type { CredentialsWatch } from './credentials-watch.ts';
import { writeDeliverySecret } from './delivery-secret.ts';
import type { Fetched, Outcome } from './outcome.ts';
import { isRequested } from './schedule.ts';

export interface ReconcileParts {
  readonly client: KubeClient;
  readonly atlas: AtlasClient;
  readonly credentials: CredentialsReader;
  readonly credentialsWatch: CredentialsWatch;
}

/** Visits a resource. Rejects only when the operator is stopping. */
export async function reconcile(parts: ReconcileParts, job: LegacyRestoreJob): Promise<Outcome> {
  parts.credentialsWatch.forget(job.key);
  if (job.spec.suspend === true) {
    // A place in the line would set a request aside for it when its turn comes.
    parts.atlas.forget(job.key);
    return { kind: 'suspended' };
  }
  const source = parts.credentials.sourceOf(job);
  try {
    const found = await parts.credentials.read(source);
    const first = await visitWith(parts, job, source, found);
    if (!isUnauthorized(first) || !found.ok) return first;
    // The Secret may have been rotated since it was read: its reader keeps it for a while.
    const reread = await parts.credentials.readAgain(source);
    return reread.version === found.version ? first : await visitWith(parts, job, source, reread);
  } catch (error) {
    return { kind: 'interrupted', error };
  }
}

const isUnauthorized = (outcome: Outcome): boolean =>
  outcome.kind === 'failed' && outcome.failure.reason === 'Unauthorized';

async function visitWith(
  parts: ReconcileParts,
  job: LegacyRestoreJob,
  source: CredentialsSource,
  found: CredentialsResult,
): Promise<Outcome> {
  const outcome = found.ok ? await fetchAndDeliver(parts, job, found.credentials) : credentialsFailure(found);
  if (!found.ok || isUnauthorized(outcome)) parts.credentialsWatch.await(job.key, source, found.version);
  // The second try with a rotated Secret worked: its change is no news any more.
  else parts.credentialsWatch.forget(job.key);
  return outcome;
}

const credentialsFailure = ({ reason, message }: Extract<CredentialsResult, { ok: false }>): Outcome => ({
  kind: 'failed',
  failure: { kind: 'permanent', reason, message, identity: message },
});

async function fetchAndDeliver(
  parts: ReconcileParts,
  job: LegacyRestoreJob,
  credentials: AtlasCredentials,
): Promise<Outcome> {
  const fetched = await fetchAnswer(parts.atlas, job, credentials);
  if ('kind' in fetched) return fetched;
  return { kind: 'fetched', ...fetched, delivery: await writeDeliverySecret(parts.client, job, fetched.answer) };
}

async function fetchAnswer(
  atlas: AtlasClient,
  job: LegacyRestoreJob,
  credentials: AtlasCredentials,
): Promise<Pick<Fetched, 'answer' | 'asOf'> | Outcome> {
  // Who asks for a visit has seen something: a fetch that began earlier may not know of it.
  const fetch = atlas.fetch(job.spec, credentials, job.key, { begun: isRequested(job) ? 'now' : 'any' });
  if (fetch.kind === 'waiting') return fetch;
  try {
    return { answer: await fetch.answer, asOf: fetch.begunAt };
  } catch (error) {
    if (!(error instanceof AtlasError)) throw error;
    if (error.kind === 'rateLimited') return atlas.wait(job.spec, credentials, job.key);
    const { kind, reason, message, errorCode = '' } = error;
    return { kind: 'failed', failure: { kind, reason, message, identity: errorCode } };
  }
}
