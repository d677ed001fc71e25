/**
 * Polls open restore jobs by the list of their cluster: those that are due wait for it together, and one of which it
 * says something new has its own fetch. A list is made with the credentials of the job that is due first, and answers
 * only for resources whose credentials have the same values. Reading it takes no worker.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { type AtlasApi, sentenceFor } from '../api/atlas-api.ts';
import type { LegacyRestoreJob } from '../api/legacy-restore-job.ts';
import type { AtlasClient, FetchedPage, Waiting } from '../atlas/client.ts';
import { type AtlasCredentials, credentialsKey } from '../atlas/credentials.ts';
import { AtlasError, asksToWait } from '../atlas/errors.ts';
import type { ListedJob } from '../atlas/list-response.ts';
import type { ClusterRef } from '../atlas/urls.ts';
import { isListable, saysWhatIsMirrored } from '../restore-job/list-item.ts';
import { intervalOf, transientBackoff } from '../restore-job/schedule.ts';
import { errorFields, type Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { CredentialsReader, CredentialsSource } from './credentials.ts';
import { isUndisturbed, type KeyState, type KeyStates, type ListFindings, type OwnFetch } from './key-state.ts';
import { mostFoundNothing } from './list-costs.ts';
import { FEWEST_JOBS, readList } from './list-reading.ts';

export interface ClusterLists {
  /** A resource is there from now on. */
  readonly add: (job: LegacyRestoreJob) => void;
  /** A resource is gone. */
  readonly remove: (job: LegacyRestoreJob) => void;
  /** A place among those that wait for the list of their cluster, which wakes them; undefined: the job is to be fetched. */
  readonly wait: (job: LegacyRestoreJob, credentials: AtlasCredentials) => Waiting | undefined;
  /** A resource waits for no list any more. */
  readonly leave: (key: string) => void;
  /** The own fetch of a job has worked; `isNews`: it changed the status. */
  readonly fetched: (state: KeyState, isNews: boolean) => void;
  /** Begins no further request and wakes nobody. */
  readonly stop: () => void;
}

interface ClusterListsOptions {
  readonly cache: { readonly get: (key: string) => LegacyRestoreJob | undefined };
  readonly states: KeyStates;
  readonly atlas: Pick<AtlasClient, 'listPage' | 'pauseOf' | 'forget'>;
  readonly credentials: CredentialsReader;
  readonly log: Logger;
  readonly metrics: Pick<Metrics, 'listAnswers'>;
  /** Aborted when everything ends at once: what fails then is no failure. */
  readonly signal: AbortSignal;
  readonly atlasApi: AtlasApi;
  /** Milliseconds. */
  readonly defaultInterval: number;
  readonly deliveryUrlInStatus: boolean;
  /** Paths of fields that the installed schema lacks. */
  readonly missingFields: () => readonly string[];
  /** A resource is to be reconciled now. */
  readonly onDue: (key: string) => void;
  /** A list has nothing new of a resource: its next reconcile is an interval away. */
  readonly onUnchanged: (job: LegacyRestoreJob) => void;
}

/** A list that is being read. There is one at a time of a cluster with one credential; all are of one base URL. */
interface ListInFlight {
  readonly ref: ClusterRef;
  readonly credentials: AtlasCredentials;
  readonly credentialsKey: string;
  readonly requestId: string;
  /** Keys that are due. */
  readonly waiters: Set<string>;
  readonly findings: ListFindings;
}

/** Why a cluster is without lists; kept until a list pays again. */
interface Rest {
  /** Monotonic. */
  readonly until: number;
  readonly why: string;
}

const MINUTE_MS = 60_000;
/** Without lists, where they fail or do not pay. */
const REST_MS = 10 * MINUTE_MS;
/** Without lists for a single job, of which they do not tell what its own response does. */
const LEFT_OUT_MS = 60 * MINUTE_MS;
const MAX_FAILURES = 3;
/** Rotated credentials leave entries behind. */
const MAX_RESTING = 10_000;

export function createClusterLists(options: ClusterListsOptions): ClusterLists {
  const { cache, states, atlas, credentials: reader, log, metrics, onDue } = options;
  /** The keys of the resources of each cluster. */
  const clusters = new Map<string, Set<string>>();
  const inFlight = new Map<string, ListInFlight>();
  const rests = new LRUCache<string, Rest>({ max: MAX_RESTING });
  const stopping = new AbortController();
  const ended = AbortSignal.any([stopping.signal, options.signal]);

  function add({ key, spec }: LegacyRestoreJob): void {
    const keys = clusters.get(clusterId(spec)) ?? new Set();
    clusters.set(clusterId(spec), keys.add(key));
  }

  function remove({ key, spec }: LegacyRestoreJob): void {
    leave(key);
    const keys = clusters.get(clusterId(spec));
    if (keys?.delete(key) === true && keys.size === 0) clusters.delete(clusterId(spec));
  }

  function leave(key: string): void {
    for (const { waiters } of inFlight.values()) waiters.delete(key);
  }

  function wait(job: LegacyRestoreJob, credentials: AtlasCredentials): Waiting | undefined {
    if (!isCandidate(job)) return undefined;
    const name = `${credentialsKey(credentials)} ${clusterId(job.spec)}`;
    if ((rests.get(name)?.until ?? 0) > performance.now()) return undefined;
    const list = inFlight.get(name) ?? begin(name, job.spec, credentials);
    if (list === undefined) return undefined;
    list.waiters.add(job.key);
    return { kind: 'waiting', pause: atlas.pauseOf(job.spec, credentials) };
  }

  /** Whether a list may answer for a resource. */
  function isCandidate(job: LegacyRestoreJob): boolean {
    const state = states.get(job.key);
    // After a restart nothing is known of it.
    if (state === undefined || state.uid !== job.uid) return isListable(job);
    if (!isUndisturbed(state) || !isListable(job)) return false;
    return state.ownFetch === undefined || (state.ownFetch.kind === 'until' && state.ownFetch.at <= performance.now());
  }

  function* candidatesOf(ref: ClusterRef): Generator<LegacyRestoreJob, void, void> {
    for (const key of clusters.get(clusterId(ref)) ?? []) {
      const job = cache.get(key);
      if (job !== undefined && isCandidate(job)) yield job;
    }
  }

  function begin(name: string, ref: ClusterRef, credentials: AtlasCredentials): ListInFlight | undefined {
    const candidates = candidatesOf(ref).take(FEWEST_JOBS).toArray();
    if (ended.aborted || candidates.length < FEWEST_JOBS) return undefined;
    const list: ListInFlight = {
      ref,
      credentials,
      credentialsKey: credentialsKey(credentials),
      requestId: randomUUID(),
      waiters: new Set(),
      findings: { name, ref, caused: 0, idle: 0 },
    };
    inFlight.set(name, list);
    void perform(list);
    return list;
  }

  /** However a list ends, those that still wait for it are woken, to be fetched. */
  async function perform(list: ListInFlight): Promise<void> {
    try {
      await read(list);
    } catch (error) {
      if (!ended.aborted) rest(list.findings, error instanceof AtlasError ? 'warn' : 'error', error);
    }
    inFlight.delete(list.findings.name);
    if (ended.aborted) return;
    for (const key of list.waiters) fetchAlone(key, undefined);
  }

  async function read(list: ListInFlight): Promise<void> {
    const result = await readList({
      members: () => membersOf(list),
      fetchPage: (pageNum) => fetchPage(list, pageNum),
      intervalOf: ({ spec }) => intervalOf(spec, options.defaultInterval),
      onItems: (job, items, begunAt) => answer(list, job, items, begunAt),
    });
    if (result === undefined) return;
    for (const job of result.unseen) leaveOut(list, job);
    const { requestId } = list;
    log.debug({ ...clusterFields(list.ref), requestId, ...result, unseen: result.unseen.length }, 'a list was read');
    if (result.paid) rests.delete(list.findings.name);
    else rest(list.findings, 'info', 'they cost more requests than they spare');
  }

  /** The candidates whose credentials have the values that the list is made with, as they are now. */
  async function membersOf({ ref, credentialsKey: wanted }: ListInFlight): Promise<readonly LegacyRestoreJob[]> {
    const sources = new Map<string, CredentialsSource>();
    for (const job of candidatesOf(ref)) sources.set(reader.sourceOf(job).id, reader.sourceOf(job));
    const matching = new Set<string>();
    for (const source of sources.values()) if (await hasCredentials(source, wanted)) matching.add(source.id);
    ended.throwIfAborted();
    return [...candidatesOf(ref)].filter((job) => matching.has(reader.sourceOf(job).id));
  }

  /** What cannot be read is told by the reconcile of its resources. */
  const hasCredentials = (source: CredentialsSource, key: string): Promise<boolean> =>
    reader.read(source).then(
      (found) => found.ok && credentialsKey(found.credentials) === key,
      () => false,
    );

  /** Retries what is expected to pass, and waits while Atlas asks to. */
  async function fetchPage(
    { ref, credentials, requestId, waiters }: ListInFlight,
    pageNum: number,
  ): Promise<FetchedPage> {
    for (let failures = 0; ; ) {
      try {
        return await atlas.listPage(ref, credentials, pageNum, { requestId });
      } catch (error) {
        ended.throwIfAborted();
        if (!(error instanceof AtlasError)) throw error;
        if (asksToWait(error)) {
          // Now they wait for Atlas, which their status is to show.
          for (const key of waiters) onDue(key);
          continue;
        }
        failures += 1;
        if (error.kind !== 'unavailable' || failures >= MAX_FAILURES) throw error;
        await sleep(transientBackoff(failures, Math.random), undefined, { signal: ended });
      }
    }
  }

  function answer(list: ListInFlight, job: LegacyRestoreJob, items: readonly ListedJob[], begunAt: number): void {
    const state = states.of(job);
    // Its own fetch has overtaken the list, and knows better.
    if (state.fetchedAt > begunAt) return;
    const { atlasApi, deliveryUrlInStatus } = options;
    const input = { job, atlasApi, deliveryUrlInStatus, missingFields: options.missingFields(), now: Date.now() };
    if (!items.every((item) => saysWhatIsMirrored(item, input))) {
      metrics.listAnswers.inc({ result: 'changed' });
      list.waiters.delete(job.key);
      list.findings.caused += 1;
      fetchAlone(job.key, list.findings);
      return;
    }
    metrics.listAnswers.inc({ result: 'unchanged' });
    list.waiters.delete(job.key);
    state.fetchedAt = begunAt;
    // A request that is reserved for it would be one that nobody needs.
    atlas.forget(job.key);
    options.onUnchanged(job);
  }

  function leaveOut({ waiters }: ListInFlight, job: LegacyRestoreJob): void {
    metrics.listAnswers.inc({ result: 'missing' });
    states.of(job).ownFetch = leftOut();
    if (waiters.delete(job.key)) onDue(job.key);
  }

  function fetchAlone(key: string, list: ListFindings | undefined): void {
    const state = states.get(key);
    if (state === undefined) return;
    state.ownFetch = { kind: 'due', list };
    onDue(key);
  }

  function fetched(state: KeyState, isNews: boolean): void {
    if (state.ownFetch?.kind !== 'due') return;
    const { list } = state.ownFetch;
    state.ownFetch = undefined;
    if (list === undefined || isNews) return;
    // Its item would differ again, and again for nothing.
    state.ownFetch = leftOut();
    list.idle += 1;
    if (mostFoundNothing(list)) rest(list, 'info', 'most fetches that they caused found nothing new');
  }

  function rest({ name, ref }: ListFindings, level: 'info' | 'warn' | 'error', cause: unknown): void {
    const why = String(cause);
    const isNews = rests.get(name)?.why !== why;
    rests.set(name, { until: performance.now() + REST_MS, why });
    // What a role or a gateway refuses is refused every ten minutes, of every cluster.
    log[isNews ? level : 'debug'](
      { ...clusterFields(ref), ...causeFields(cause, options.atlasApi) },
      'the open restore jobs of a cluster are fetched one by one for 10m',
    );
  }

  return { add, remove, wait, leave, fetched, stop: () => stopping.abort() };
}

/** Every job is fetched. */
export const NO_LISTS: ClusterLists = {
  add: () => {},
  remove: () => {},
  wait: () => undefined,
  leave: () => {},
  fetched: () => {},
  stop: () => {},
};

const clusterId = ({ groupId, clusterName }: ClusterRef): string => `${groupId}/${clusterName}`;

function causeFields(cause: unknown, api: AtlasApi) {
  if (typeof cause === 'string') return { cause };
  return cause instanceof AtlasError ? { error: sentenceFor(api, cause.sentence) } : errorFields(cause);
}

const clusterFields = ({ groupId, clusterName }: ClusterRef) => ({ groupId, clusterName });

const leftOut = (): OwnFetch => ({ kind: 'until', at: performance.now() + LEFT_OUT_MS });
