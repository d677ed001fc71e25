/**
 * The controller: changes of resources add keys to the work queue, each key that a worker takes is reconciled once, and
 * what the reconcile leaves to do goes back into the queue.
 */
import type { AtlasApi } from '../api/atlas-api.ts';
import { type LegacyRestoreJob, namesOf } from '../api/legacy-restore-job.ts';
import type { AtlasClient } from '../atlas/client.ts';
import type { KubeClient } from '../kube/client.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Change } from '../kube/reflector.ts';
import {
  intervalOf,
  isUrgent,
  requeueAfterList,
  requeueAfterStart,
  transientBackoff,
} from '../restore-job/schedule.ts';
import { errorFields, type Logger } from '../telemetry/log.ts';
import { CONTROLLER, type Metrics } from '../telemetry/metrics.ts';
import { createClusterLists, NO_LISTS } from './cluster-lists.ts';
import { createCredentialsReader } from './credentials.ts';
import { createCredentialsWatch } from './credentials-watch.ts';
import { createKeyStates } from './key-state.ts';
import type { Queue } from './queue.ts';
import { type Cache, createReconciler, type Reconciled } from './reconcile.ts';
import { countResources, setResourceMetrics } from './resource-metrics.ts';

interface ControllerOptions {
  readonly client: KubeClient;
  /** Of the only resources that are reconciled; empty for all. */
  readonly labelSelector: string;
  readonly cache: Cache;
  readonly queue: Queue;
  /** Adds a key to the queue once a request is reserved for it. */
  readonly atlas: AtlasClient;
  readonly events: EventRecorder;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Aborted when everything ends at once. */
  readonly signal: AbortSignal;
  readonly atlasApi: AtlasApi;
  /** Milliseconds. */
  readonly defaultInterval: number;
  readonly deliveryUrlInStatus: boolean;
  /** Whether clusters with several open jobs are asked by list. */
  readonly atlasList: boolean;
  /** Paths of fields that the installed schema lacks. */
  readonly missingFields: () => readonly string[];
  readonly defaultCredentialsDir: string;
  readonly defaultCredentialsNamespaces: readonly string[];
}

export interface Controller {
  /** Handles a change of the cache; before the start only deletions count. */
  readonly onChange: (change: Change<LegacyRestoreJob>) => void;
  /** Adds all cached resources to the queue and starts the workers. */
  readonly start: () => void;
  /** Begins no further reconcile, lets those under way end, and closes the Atlas client. */
  readonly stop: () => Promise<void>;
  /** Brings the gauges up to date, before a scrape. */
  readonly updateGauges: () => void;
}

/** The labels of the metrics that have no other. */
const BY_CONTROLLER = { controller: CONTROLLER } as const;
const BY_QUEUE = { name: CONTROLLER } as const;

export function createController(options: ControllerOptions): Controller {
  const { client, cache, queue, atlas, log, metrics } = options;
  /** Monotonic time of the start; undefined before. */
  let startedAt: number | undefined;
  const states = createKeyStates(() => startedAt ?? performance.now());

  const credentials = createCredentialsReader({
    client,
    defaultDirectory: options.defaultCredentialsDir,
    defaultNamespaces: options.defaultCredentialsNamespaces,
  });
  const credentialsWatch = createCredentialsWatch({
    reader: credentials,
    onChanged: (key) => {
      // An outcome that waits for its status write was found with the old credentials.
      const state = states.get(key);
      if (state !== undefined) state.unwritten = undefined;
      queue.add(key, 'fresh');
    },
  });
  const lists = options.atlasList
    ? createClusterLists({
        ...options,
        states,
        credentials,
        onDue: (key) => queue.add(key, 'due'),
        onUnchanged: postpone,
      })
    : NO_LISTS;
  const reconcile = createReconciler({ ...options, lists, credentials, credentialsWatch });

  function onChange(change: Change<LegacyRestoreJob>): void {
    if (change.type === 'deleted') {
      lists.remove(change.previous);
      forget(change.previous.key);
      return;
    }
    if (startedAt === undefined) return;
    if (change.type === 'added') lists.add(change.object);
    // A fetch is expected from now on, however long ago the last one was.
    if (change.type === 'added' || isResumed(change)) states.of(change.object).fetchedAt = performance.now();
    if (!isUrgent(change.object)) {
      if (change.type === 'added') schedule(change.object);
      return;
    }
    const isNew =
      change.type === 'added' ||
      !isUrgent(change.previous) ||
      change.previous.generation !== change.object.generation ||
      change.previous.requestedAt !== change.object.requestedAt;
    if (isNew) queue.add(change.object.key, 'fresh');
  }

  function schedule(job: LegacyRestoreJob): void {
    const after = requeueAfterStart(job, options.defaultInterval, Date.now(), Math.random);
    if (after !== undefined) queue.addAfter(job.key, after);
  }

  /** A list had nothing new of it: whatever it was due for has been answered. */
  function postpone({ key, spec }: LegacyRestoreJob): void {
    queue.forget(key);
    queue.addAfter(key, requeueAfterList(intervalOf(spec, options.defaultInterval), Math.random));
  }

  function forget(key: string): void {
    queue.forget(key);
    lists.leave(key);
    atlas.forget(key);
    credentialsWatch.forget(key);
    states.forget(key);
  }

  /** What a worker does with a key. */
  async function work(key: string): Promise<void> {
    const job = cache.get(key);
    // One that is being deleted waits for finalizers: nobody looks at it any more.
    if (job === undefined || job.deleting) {
      forget(key);
      return;
    }
    const begunAt = performance.now();
    let result: Reconciled['result'] = 'error';
    try {
      const reconciled = await reconcile(job, states.of(job));
      ({ result } = reconciled);
      followUp(job, reconciled);
    } finally {
      metrics.reconciles.inc({ ...BY_CONTROLLER, result });
      if (result === 'error') metrics.reconcileErrors.inc(BY_CONTROLLER);
      metrics.reconcileSeconds.observe({ ...BY_CONTROLLER, result }, (performance.now() - begunAt) / 1_000);
    }
  }

  function followUp(job: LegacyRestoreJob, { result, requeueAfter, changes }: Reconciled): void {
    const { key } = job;
    // Deleted meanwhile: the reconcile may have put it into queues that its deletion had already taken it out of.
    if (cache.get(key) === undefined) {
      lists.remove(job);
      forget(key);
      return;
    }
    for (const change of changes) onChange(change);
    if (requeueAfter === undefined) return;
    if (result === 'error') metrics.retries.inc(BY_QUEUE);
    queue.addAfter(key, requeueAfter);
  }

  function onError(key: string, error: unknown): void {
    log.error({ ...namesOf(key), ...errorFields(error) }, 'reconcile failed with an unexpected error');
    metrics.retries.inc(BY_QUEUE);
    queue.addAfter(key, transientBackoff(states.get(key)?.unexpected?.count ?? 1, Math.random));
  }

  /** How long ago a resource was fetched, in milliseconds; 0 on a standby, which fetches nothing. */
  function ageMs({ key }: LegacyRestoreJob): number {
    return startedAt === undefined ? 0 : performance.now() - (states.get(key)?.fetchedAt ?? startedAt);
  }

  const intervalMs = ({ spec }: LegacyRestoreJob): number => intervalOf(spec, options.defaultInterval);

  function updateGauges(): void {
    metrics.queueDepth.set(BY_QUEUE, queue.depth());
    metrics.activeWorkers.set(BY_CONTROLLER, queue.active());
    metrics.longestRunning.set(BY_QUEUE, queue.longestMs() / 1_000);
    const { paused, waiting, remaining } = atlas.budgets();
    metrics.budgetsPaused.set(paused);
    metrics.budgetWaiting.set(waiting);
    if (remaining === undefined) metrics.budgetRemaining.remove();
    else metrics.budgetRemaining.set(remaining);
    setResourceMetrics(metrics, countResources(cache.all(), ageMs, intervalMs, Date.now()));
  }

  return {
    onChange,
    start: () => {
      startedAt = performance.now();
      for (const job of cache.all()) {
        lists.add(job);
        schedule(job);
      }
      queue.start(work, onError);
    },
    stop: async () => {
      credentialsWatch.stop();
      lists.stop();
      await queue.stop();
      await atlas.close();
    },
    updateGauges,
  };
}

const isResumed = (change: Exclude<Change<LegacyRestoreJob>, { type: 'deleted' }>): boolean =>
  change.type === 'updated' && change.previous.spec.suspend === true && change.object.spec.suspend !== true;
