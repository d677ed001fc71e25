/**
 * Finds out how a restore job is: suspended, or credentials, then a fetch. It returns what it found and writes nothing:
 * neither status nor events nor Secrets.
 */
import type { LegacyRestoreJob } from '../api/legacy-restore-job.ts';
import type { AtlasClient } from '../atlas/client.ts';
import type { AtlasCredentials } from '../atlas/credentials.ts';
import { AtlasError } from '../atlas/errors.ts';
import { failureOfAtlas } from '../restore-job/failure.ts';
import type { Outcome } from '../restore-job/outcome.ts';
import { isRequested } from '../restore-job/schedule.ts';
import type { CredentialsReader, CredentialsResult, CredentialsSource } from './credentials.ts';
import type { CredentialsWatch } from './credentials-watch.ts';

export interface ObserveParts {
  readonly atlas: AtlasClient;
  readonly credentials: CredentialsReader;
  readonly credentialsWatch: CredentialsWatch;
}

/** Rejects only when the operator is stopping. `requestId` goes into the records of requests to Atlas. */
export async function observe(parts: ObserveParts, job: LegacyRestoreJob, requestId: string): Promise<Outcome> {
  parts.credentialsWatch.forget(job.key);
  if (job.spec.suspend === true) {
    // A place in the queue of the budget would reserve a request for it.
    parts.atlas.forget(job.key);
    return { kind: 'suspended' };
  }
  const source = parts.credentials.sourceOf(job);
  try {
    const found = await parts.credentials.read(source);
    const first = await fetchWith(parts, job, requestId, source, found);
    if (!isUnauthorized(first) || !found.ok) return first;
    // The Secret may have been rotated since it was read: its reader keeps it for a while.
    const reread = await parts.credentials.readAgain(source);
    return reread.version === found.version ? first : await fetchWith(parts, job, requestId, source, reread);
  } catch (error) {
    return { kind: 'interrupted', error };
  }
}

const isUnauthorized = (outcome: Outcome): boolean =>
  outcome.kind === 'failed' && outcome.failure.reason === 'Unauthorized';

async function fetchWith(
  { atlas, credentialsWatch }: ObserveParts,
  job: LegacyRestoreJob,
  requestId: string,
  source: CredentialsSource,
  found: CredentialsResult,
): Promise<Outcome> {
  // Without credentials there is no request: one that is reserved for it would stay so.
  if (!found.ok) atlas.forget(job.key);
  const outcome: Outcome = found.ok
    ? await fetchRestoreJob(atlas, job, requestId, found.credentials)
    : { kind: 'failed', failure: found.failure };
  if (!found.ok || isUnauthorized(outcome)) credentialsWatch.await(job.key, source, found.version);
  // The second try with a rotated Secret worked: its change is no news any more.
  else credentialsWatch.forget(job.key);
  return outcome;
}

async function fetchRestoreJob(
  atlas: AtlasClient,
  job: LegacyRestoreJob,
  requestId: string,
  credentials: AtlasCredentials,
): Promise<Outcome> {
  // Whoever requests a reconcile has seen something: a fetch that began earlier may not know of it.
  const begun = isRequested(job) ? 'now' : 'any';
  const fetch = atlas.fetch(job.spec, credentials, job.key, { begun, requestId });
  if (fetch.kind === 'waiting') return fetch;
  try {
    return { kind: 'fetched', response: await fetch.response, asOf: fetch.begunAt, deliveryFailure: undefined };
  } catch (error) {
    if (!(error instanceof AtlasError)) throw error;
    if (error.kind === 'rateLimited') return atlas.wait(job.spec, credentials, job.key);
    return { kind: 'failed', failure: failureOfAtlas(error) };
  }
}
