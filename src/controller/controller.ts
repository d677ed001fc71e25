/**
 * The controller: changes of resources go into the queue, each key that comes out is visited once, and what the visit
 * found is published. Everything it remembers of a key beyond the cache stands in `Memory`.
 */
import { randomUUID } from 'node:crypto';
import { type LegacyRestoreJob, namesOf, objectReference } from '../api/legacy-restore-job.ts';
import type { AtlasClient } from '../atlas/client.ts';
import type { KubeClient } from '../kube/client.ts';
import { hasStatus, KubeError } from '../kube/errors.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Change } from '../kube/reflector.ts';
import { errorFields, type Logger } from '../telemetry/log.ts';
import { CONTROLLER, type Metrics } from '../telemetry/metrics.ts';
import { type CredentialsReader, createCredentialsReader } from './credentials.ts';
import { type CredentialsWatch, createCredentialsWatch } from './credentials-watch.ts';
import { getLegacyRestoreJob, patchStatus } from './legacy-restore-jobs.ts';
import type { Outcome } from './outcome.ts';
import type { Queue } from './queue.ts';
import { reconcile } from './reconcile.ts';
import { type Report, report } from './report.ts';
import { countResources, setResourceMetrics } from './resource-metrics.ts';
import { firstVisit, isUrgent, transientBackoff } from './schedule.ts';

/** The local cache of all resources. */
export interface LegacyRestoreJobs {
  readonly get: (key: string) => LegacyRestoreJob | undefined;
  readonly all: () => Iterable<LegacyRestoreJob>;
  /** Takes over the response to a write, ahead of its watch event: the change that results, or undefined for none. */
  readonly update: (job: LegacyRestoreJob) => Change<LegacyRestoreJob> | undefined;
}

export interface ControllerOptions {
  readonly client: KubeClient;
  readonly jobs: LegacyRestoreJobs;
  readonly queue: Queue;
  /** Makes keys ready in the queue when it is their turn. */
  readonly atlas: AtlasClient;
  readonly events: EventRecorder;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Milliseconds. */
  readonly defaultInterval: number;
  readonly deliveryUrlInStatus: boolean;
  /** Paths of fields that the installed schema lacks. */
  readonly missingFields: () => readonly string[];
  readonly defaultCredentialsDir: string;
  readonly defaultCredentialsNamespaces: readonly string[];
}

export interface Controller {
  /** Told of every change of the cache, also before the start. */
  readonly onChange: (change: Change<LegacyRestoreJob>) => void;
  /** Begins to visit what is there: this replica leads. */
  readonly start: () => void;
  /** Begins no further visit, lets those under way end, and closes the Atlas client. */
  readonly stop: () => Promise<void>;
  readonly activeVisits: () => number;
  /** Brings the gauges up to date, before a scrape. */
  readonly updateGauges: () => void;
}

/** What is known of a key beyond the resource itself. */
interface Memory {
  readonly uid: string;
  /** Failures in a row. */
  failures: number;
  /** An outcome whose status could not be written yet: it is written before Atlas is asked again. */
  unwritten: Visit | undefined;
  /** Whether the last status write failed. */
  writeFailed: boolean;
  /** Monotonic time of the last successful fetch, or since when it is waited for. */
  fetchedAt: number;
}

interface Visit {
  /** Stands in every line of the log about this visit. */
  readonly requestId: string;
  readonly job: LegacyRestoreJob;
  readonly outcome: Outcome;
  readonly atlasMs: number;
}

/** A status that keeps changing under our hands is left to the next visit after so many conflicts. */
const MAX_CONFLICTS = 5;
/** The labels of the metrics that have no other. */
const VISITS = { controller: CONTROLLER } as const;
const QUEUE = { name: CONTROLLER } as const;

export function createController(options: ControllerOptions): Controller {
  const { client, jobs, queue, atlas, events, log, metrics } = options;
  const memories = new Map<string, Memory>();
  /** Monotonic time since when this replica works; undefined before. */
  let startedAt: number | undefined;

  const credentials: CredentialsReader = createCredentialsReader({
    client,
    defaultDirectory: options.defaultCredentialsDir,
    defaultNamespaces: options.defaultCredentialsNamespaces,
  });
  const credentialsWatch: CredentialsWatch = createCredentialsWatch({
    reader: credentials,
    onChanged: (key) => {
      // An outcome that waits for its status write was found with the old credentials.
      const memory = memories.get(key);
      if (memory !== undefined) memory.unwritten = undefined;
      queue.add(key, 'fresh');
    },
  });

  function onChange(change: Change<LegacyRestoreJob>): void {
    if (change.type === 'deleted') {
      forget(change.previous.key);
      return;
    }
    if (startedAt === undefined) return;
    // From now on it is waited for anew, however long ago it was fetched.
    if (change.type === 'added' || isResumed(change)) memoryOf(change.object).fetchedAt = performance.now();
    if (!isUrgent(change.object)) {
      if (change.type === 'added') schedule(change.object);
      return;
    }
    const asked =
      change.type === 'added' ||
      !isUrgent(change.previous) ||
      change.previous.generation !== change.object.generation ||
      change.previous.requestedAt !== change.object.requestedAt;
    if (asked) queue.add(change.object.key, 'fresh');
  }

  function schedule(job: LegacyRestoreJob): void {
    const next = firstVisit(job, options.defaultInterval, Date.now(), Math.random);
    if (next.kind === 'after') queue.addAfter(job.key, next.ms);
  }

  function forget(key: string): void {
    queue.forget(key);
    atlas.forget(key);
    credentialsWatch.forget(key);
    memories.delete(key);
  }

  async function visit(key: string): Promise<void> {
    const job = jobs.get(key);
    if (job === undefined) return forget(key);
    const begunAt = performance.now();
    let result: Report['result'] = 'error';
    try {
      const memory = memoryOf(job);
      const pending = memory.unwritten;
      memory.unwritten = undefined;
      const repeat = pending !== undefined && isStillTrue(pending, job);
      result = await publish(repeat ? pending : await find(job, memory), memory);
    } finally {
      metrics.reconciles.inc({ controller: CONTROLLER, result });
      if (result === 'error') metrics.reconcileErrors.inc(VISITS);
      metrics.reconcileSeconds.observe({ controller: CONTROLLER, result }, (performance.now() - begunAt) / 1_000);
    }
  }

  async function find(job: LegacyRestoreJob, memory: Memory): Promise<Visit> {
    const begunAt = performance.now();
    const outcome = await reconcile({ client, atlas, credentials, credentialsWatch }, job);
    const endedAt = performance.now();
    if (outcome.kind === 'fetched') memory.fetchedAt = endedAt;
    return { requestId: randomUUID(), job, outcome, atlasMs: endedAt - begunAt };
  }

  /** Publishes what a visit found, on the resource as it is now; returns the metric's label. */
  async function publish(found: Visit, memory: Memory): Promise<Report['result']> {
    for (let conflicts = 0; ; conflicts++) {
      const job = jobs.get(found.job.key);
      if (job === undefined) {
        // Gone meanwhile: the visit may have put it into lines that its deletion had already taken it out of.
        forget(found.job.key);
        return 'requeue';
      }
      // Made anew, or its spec changed meanwhile: the change itself has brought it into the queue again.
      if (job.uid !== found.job.uid || job.generation !== found.job.generation) return 'requeue';
      const result = reportOn(found, job, memory);
      try {
        if (result.status !== undefined) await write(job, result.status);
        else if (isCompared(found.outcome)) metrics.statusWritesSkipped.inc();
        announce(found, job, result, memory);
        return result.result;
      } catch (error) {
        if (hasStatus(error, 404)) return 'requeue';
        const again = hasStatus(error, 409) && conflicts < MAX_CONFLICTS && (await refresh(job));
        if (again) continue;
        postpone(found, memory, error);
        return 'error';
      }
    }
  }

  function reportOn({ outcome, job: visited }: Visit, job: LegacyRestoreJob, { failures }: Memory): Report {
    return report({
      job,
      requestedAt: visited.requestedAt,
      outcome,
      failures,
      defaultInterval: options.defaultInterval,
      deliveryUrlInStatus: options.deliveryUrlInStatus,
      missingFields: options.missingFields(),
      now: Date.now(),
      random: Math.random,
    });
  }

  async function write(job: LegacyRestoreJob, status: LegacyRestoreJob['status']): Promise<void> {
    try {
      const written = await patchStatus(client, job, status);
      metrics.statusWrites.inc({ result: 'success' });
      if (written !== undefined) update(written);
    } catch (error) {
      metrics.statusWrites.inc({ result: hasStatus(error, 409) ? 'conflict' : 'error' });
      throw error;
    }
  }

  /** Fetches the resource that is newer than the cache; false when that did not work either. */
  async function refresh(job: LegacyRestoreJob): Promise<boolean> {
    const fresh = await getLegacyRestoreJob(client, job).catch(() => undefined);
    if (fresh !== undefined) update(fresh);
    return fresh !== undefined;
  }

  function update(job: LegacyRestoreJob): void {
    const change = jobs.update(job);
    if (change !== undefined) onChange(change);
  }

  /** Events, log and the next visit follow a status that is written, never one that is not. */
  function announce(found: Visit, job: LegacyRestoreJob, result: Report, memory: Memory): void {
    memory.failures = result.failures;
    memory.writeFailed = false;
    for (const event of result.events) events.record(objectReference(job), event);
    const { outcome } = found;
    if (result.log !== undefined && log.isLevelEnabled(result.log.level)) {
      const { level, message, fields } = result.log;
      log[level]({ ...identityOf(found), ...fields, durationMs: Math.round(found.atlasMs) }, message);
    }
    if (outcome.kind === 'interrupted')
      log.debug({ ...identityOf(found), ...errorFields(outcome.error) }, 'the visit was interrupted');
    if (result.next.kind === 'never') return;
    if (result.result === 'error') retryAfter(job.key, result.next.ms);
    else queue.addAfter(job.key, result.next.ms);
  }

  function retryAfter(key: string, ms: number): void {
    metrics.retries.inc(QUEUE);
    queue.addAfter(key, ms);
  }

  /** A status write that failed is made up for, without asking Atlas again. */
  function postpone(found: Visit, memory: Memory, error: unknown): void {
    // What the API server finds invalid will not become valid, and who waits is called once: both start from Atlas.
    const useless = hasStatus(error, 400, 422) || found.outcome.kind === 'waiting';
    memory.unwritten = useless ? undefined : found;
    const told = error instanceof KubeError ? error.retryAfterMs : undefined;
    const ms = told ?? transientBackoff(countFailure(found.job.key), Math.random);
    const reason = error instanceof KubeError ? error.reason : '';
    // Of an API server that is away every resource would tell again and again.
    const level = memory.writeFailed ? 'debug' : 'warn';
    memory.writeFailed = true;
    log[level](
      { ...identityOf(found), reason, ...errorFields(error) },
      'the status could not be written, it is tried again',
    );
    retryAfter(found.job.key, ms);
  }

  function memoryOf(job: LegacyRestoreJob): Memory {
    const known = memories.get(job.key);
    if (known?.uid === job.uid) return known;
    const fresh: Memory = {
      uid: job.uid,
      failures: 0,
      unwritten: undefined,
      writeFailed: false,
      fetchedAt: startedAt ?? performance.now(),
    };
    memories.set(job.key, fresh);
    return fresh;
  }

  function countFailure(key: string): number {
    const memory = memories.get(key);
    if (memory === undefined) return 1;
    memory.failures += 1;
    return memory.failures;
  }

  /** How long ago a resource was fetched, in milliseconds; 0 on a standby, which fetches nothing. */
  function ageMs({ key }: LegacyRestoreJob): number {
    return startedAt === undefined ? 0 : performance.now() - (memories.get(key)?.fetchedAt ?? startedAt);
  }

  function updateGauges(): void {
    metrics.queueDepth.set(QUEUE, queue.depth());
    metrics.activeWorkers.set(VISITS, queue.active());
    metrics.longestRunning.set(QUEUE, queue.longestMs() / 1_000);
    const { paused, waiting, remaining } = atlas.budgets();
    metrics.budgetsPaused.set(paused);
    metrics.budgetWaiting.set(waiting);
    if (remaining === undefined) metrics.budgetRemaining.remove();
    else metrics.budgetRemaining.set(remaining);
    setResourceMetrics(metrics, countResources(jobs.all(), ageMs, Date.now()));
  }

  return {
    onChange,
    start: () => {
      startedAt = performance.now();
      for (const job of jobs.all()) schedule(job);
      queue.start(visit, (key, error) => {
        log.error({ ...namesOf(key), ...errorFields(error) }, 'a visit ended with an unexpected error');
        retryAfter(key, transientBackoff(countFailure(key), Math.random));
      });
    },
    stop: async () => {
      credentialsWatch.stop();
      await queue.stop();
      await atlas.close();
    },
    activeVisits: queue.active,
    updateGauges,
  };
}

/** Whether an outcome that waits for its status write still answers what the resource asks for. */
const isStillTrue = ({ job }: Visit, now: LegacyRestoreJob): boolean =>
  job.uid === now.uid && job.generation === now.generation && job.requestedAt === now.requestedAt;

const isResumed = (change: Exclude<Change<LegacyRestoreJob>, { type: 'deleted' }>): boolean =>
  change.type === 'updated' && change.previous.spec.suspend === true && change.object.spec.suspend !== true;

/** Whether a status was computed of an outcome: who waits and who was interrupted has none. */
const isCompared = ({ kind }: Outcome): boolean => kind === 'fetched' || kind === 'failed' || kind === 'suspended';

/** The fields that every line about a visit begins with. */
const identityOf = ({ job: { namespace, name, uid, spec }, requestId }: Visit) => ({
  namespace,
  name,
  uid,
  jobId: spec.jobId,
  requestId,
});
