/**
 * Finds out how a restore job is: suspended, or credentials, then a fetch. It returns what it found and writes nothing:
 * neither status nor events nor Secrets.
 */
import type { LegacyRestoreJob } from '../api/legacy-restore-job.ts';
import type { AtlasClient } from '../atlas/client.ts';
import type { AtlasCredentials } from '../atlas/credentials.ts';
import { AtlasError } from '../atlas/errors.ts';
import { KubeError } from '../kube/errors.ts';
import { failureOfAtlas } from '../restore-job/failure.ts';
import type { Outcome } from '../restore-job/outcome.ts';
import { isRequested } from '../restore-job/schedule.ts';
import type { ClusterLists } from './cluster-lists.ts';
import type { CredentialsReader, CredentialsResult, CredentialsSource } from './credentials.ts';
import type { CredentialsWatch } from './credentials-watch.ts';

export interface ObserveParts {
  readonly atlas: AtlasClient;
  readonly lists: Pick<ClusterLists, 'wait' | 'leave'>;
  readonly credentials: CredentialsReader;
  readonly credentialsWatch: CredentialsWatch;
}

/** One look at a restore job. */
export interface Look {
  readonly job: LegacyRestoreJob;
  /** Goes into the records of requests to Atlas. */
  readonly requestId: string;
  /** Whether the Secret is read, however short ago somebody read it. */
  readonly readSecretAgain: boolean;
}

export interface Seen {
  readonly outcome: Outcome;
  /** Of the credentials that the outcome was found with; undefined where none were read. */
  readonly secretVersion: string | undefined;
}

/** Rejects with what is neither AtlasError nor KubeError: a bug, or the reason of a stop. */
export async function observe(parts: ObserveParts, look: Look): Promise<Seen> {
  const { atlas, lists, credentials, credentialsWatch } = parts;
  const { job, readSecretAgain } = look;
  credentialsWatch.forget(job.key);
  // A list that it still waits for may have been begun with other credentials.
  lists.leave(job.key);
  if (job.spec.suspend === true) {
    // A place in the queue of the budget would reserve a request for it.
    atlas.forget(job.key);
    return { outcome: { kind: 'suspended' }, secretVersion: undefined };
  }
  const source = credentials.sourceOf(job);
  try {
    const found = await (readSecretAgain ? credentials.readAgain(source) : credentials.read(source));
    const first = await fetchWith(parts, look, source, found);
    if (!areRefused(first.outcome) || !found.ok) return first;
    // The Secret may have been rotated since it was read: its reader keeps it for a while.
    const reread = await credentials.readAgain(source);
    return reread.version === found.version ? first : await fetchWith(parts, look, source, reread);
  } catch (error) {
    if (error instanceof KubeError) return { outcome: { kind: 'interrupted', error }, secretVersion: undefined };
    throw error;
  }
}

/** Whether other credentials would help: Atlas does not accept these, or does not take their kind. */
const areRefused = (outcome: Outcome): boolean =>
  outcome.kind === 'failed' &&
  (outcome.failure.reason === 'Unauthorized' || outcome.failure.reason === 'SecretInvalid');

async function fetchWith(
  { atlas, lists, credentialsWatch }: ObserveParts,
  look: Look,
  source: CredentialsSource,
  found: CredentialsResult,
): Promise<Seen> {
  // Without credentials there is no request: one that is reserved for it would stay so.
  if (!found.ok) atlas.forget(look.job.key);
  const outcome: Outcome = found.ok
    ? await fetchRestoreJob({ atlas, lists }, look, found.credentials)
    : { kind: 'failed', failure: found.failure, grace: false };
  if (!found.ok || areRefused(outcome)) credentialsWatch.await(look.job.key, source, found.version);
  // The second try with a rotated Secret worked: its change is no news any more.
  else credentialsWatch.forget(look.job.key);
  // A Secret that nobody could read has not changed.
  const isRead = found.ok || found.failure.reason !== 'SecretUnreadable';
  return { outcome, secretVersion: isRead ? found.version : undefined };
}

async function fetchRestoreJob(
  { atlas, lists }: Pick<ObserveParts, 'atlas' | 'lists'>,
  { job, requestId }: Look,
  credentials: AtlasCredentials,
): Promise<Outcome> {
  const waiting = lists.wait(job, credentials);
  if (waiting !== undefined) {
    // Whatever is reserved for it would cause a fetch that nobody needs.
    atlas.forget(job.key);
    return waiting;
  }
  // Whoever requests a reconcile has seen something: a fetch that began earlier may not know of it.
  const begun = isRequested(job) ? 'now' : 'any';
  const fetch = atlas.fetch(job.spec, credentials, job.key, { begun, requestId });
  if (fetch.kind === 'waiting') return fetch;
  try {
    return { kind: 'fetched', response: await fetch.response, asOf: fetch.begunAt, deliveryFailure: undefined };
  } catch (error) {
    if (!(error instanceof AtlasError)) throw error;
    if (error.kind === 'rateLimited') return atlas.wait(job.spec, credentials, job.key);
    return { kind: 'failed', failure: failureOfAtlas(error), grace: false };
  }
}
