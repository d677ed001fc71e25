/**
 * One reconcile of one resource, in its steps: observe → deliver → compute the result → patch the status → emit. What is
 * left to do, the next reconcile and changes of the cache, is returned to the controller.
 */
import { randomUUID } from 'node:crypto';
import { type AtlasApi, serverName } from '../api/atlas-api.ts';
import { type LegacyRestoreJob, objectReference } from '../api/legacy-restore-job.ts';
import { printable } from '../api/printable.ts';
import type { KubeClient } from '../kube/client.ts';
import { KubeError } from '../kube/errors.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Change } from '../kube/reflector.ts';
import { statusWriteRefused } from '../restore-job/events.ts';
import type { Failure } from '../restore-job/failure.ts';
import type { Outcome } from '../restore-job/outcome.ts';
import { entryOf } from '../restore-job/reasons.ts';
import { type ReconcileResult, reconcileResult } from '../restore-job/reconcile-result.ts';
import { permanentBackoff, type RequeueAfter, transientBackoff } from '../restore-job/schedule.ts';
import { errorFields, type Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { ClusterLists } from './cluster-lists.ts';
import { deliver } from './delivery-secret.ts';
import { type KeyState, NO_FAILED_WRITES, type Observed } from './key-state.ts';
import { type ObserveParts, observe } from './observe.ts';
import { type StatusPatch, tryPatchStatus } from './status-patch.ts';

/** The local cache of all resources. */
export interface Cache {
  readonly get: (key: string) => LegacyRestoreJob | undefined;
  readonly all: () => Iterable<LegacyRestoreJob>;
  /** Takes over the response to a write, ahead of its watch event: the change that results, or undefined for none. */
  readonly update: (job: LegacyRestoreJob) => Change<LegacyRestoreJob> | undefined;
  /** Takes a resource out, ahead of its watch event. */
  readonly forget: (job: LegacyRestoreJob) => void;
}

interface ReconcilerOptions extends ObserveParts {
  readonly client: KubeClient;
  /** Of the only resources that are reconciled; empty for all. */
  readonly labelSelector: string;
  readonly lists: ClusterLists;
  readonly cache: Cache;
  readonly events: EventRecorder;
  readonly log: Logger;
  readonly metrics: Pick<Metrics, 'statusWrites' | 'statusWritesSkipped'>;
  /** Aborted when everything ends at once: what fails then is no failure. */
  readonly signal: AbortSignal;
  readonly atlasApi: AtlasApi;
  /** Milliseconds. */
  readonly defaultInterval: number;
  readonly deliveryUrlInStatus: boolean;
  /** Paths of fields that the installed schema lacks. */
  readonly missingFields: () => readonly string[];
}

/** What is left to do after a reconcile. */
export interface Reconciled {
  readonly result: ReconcileResult['result'];
  readonly requeueAfter: RequeueAfter;
  /** Changes of the cache that its responses led to, ahead of their watch events. */
  readonly changes: readonly Change<LegacyRestoreJob>[];
}

/** Reconciles a resource. Rejects only with an unexpected error that could not even be told. */
type Reconciler = (job: LegacyRestoreJob, state: KeyState) => Promise<Reconciled>;

/** A status that keeps changing meanwhile is left to the next reconcile after so many conflicts. */
const MAX_CONFLICTS = 5;
/** So many status writes that failed in a row, and the outcome is too old to be written. */
const MAX_FAILED_WRITES = 5;
/** Milliseconds that what is expected to pass may last, and that an unexpected error may. */
const GRACE_MS = 60_000;
const TOLERATED_MS = 30_000;

export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { lists, cache, events, metrics, signal } = options;

  return async (job, state) => {
    try {
      const observed = reusable(job, state) ?? (await observeNow(job, state));
      const reconciled = await settle(await deliverFor(observed), state);
      state.unexpected = undefined;
      return reconciled;
    } catch (error) {
      return signal.aborted ? NOTHING_LEFT : afterUnexpected(job, state, error);
    }
  };

  /** What is known already and still answers what the resource asks for. */
  function reusable(job: LegacyRestoreJob, state: KeyState): Observed | undefined {
    const { unwritten, undelivered } = state;
    state.unwritten = undefined;
    state.undelivered = undefined;
    if (unwritten !== undefined && isStillAsked(unwritten, job)) return unwritten;
    const isFresh = undelivered !== undefined && performance.now() < undelivered.refetchAt;
    return isFresh && isStillAsked(undelivered, job) ? undelivered : undefined;
  }

  async function observeNow(job: LegacyRestoreJob, state: KeyState): Promise<Observed> {
    const startedAt = performance.now();
    const requestId = randomUUID();
    const log = logOf(job, requestId);
    if (job.status.observedGeneration !== job.generation && state.grace.generation !== job.generation)
      state.grace = { until: startedAt + GRACE_MS, generation: job.generation };
    const readSecretAgain = startedAt < state.grace.until;
    const { outcome, secretVersion } = await observe(options, { job, requestId, readSecretAgain });
    const endedAt = performance.now();
    if (outcome.kind === 'fetched') state.fetchedAt = endedAt;
    const isRotated = state.secretVersion !== undefined && secretVersion !== state.secretVersion;
    if (secretVersion !== undefined) {
      if (isRotated) state.grace = { ...state.grace, until: endedAt + GRACE_MS };
      state.secretVersion = secretVersion;
    }
    return { job, outcome: withGrace(outcome, endedAt < state.grace.until), log, durationMs: endedAt - startedAt };
  }

  function logOf({ namespace, name, uid, spec }: LegacyRestoreJob, requestId: string): Logger {
    return options.log.child({ namespace, name, uid, jobId: spec.jobId, requestId });
  }

  /** Writes the delivery Secret, only for a resource that is still the one that was observed. */
  async function deliverFor(observed: Observed): Promise<Observed> {
    const { outcome, job } = observed;
    if (outcome.kind !== 'fetched' || current(observed) === undefined) return observed;
    try {
      const deliveryFailure = await deliver(options, job, outcome.response, Date.now());
      return { ...observed, outcome: { ...outcome, deliveryFailure } };
    } catch (error) {
      if (error instanceof KubeError) return { ...observed, outcome: { kind: 'interrupted', error } };
      throw error;
    }
  }

  /** Patches the status of the resource as it is now, again after each conflict, and emits once it is written. */
  async function settle(observed: Observed, state: KeyState): Promise<Reconciled> {
    const changes: Change<LegacyRestoreJob>[] = [];
    const update = (job: LegacyRestoreJob | undefined): void => {
      const change = job === undefined ? undefined : cache.update(job);
      if (change !== undefined) changes.push(change);
    };
    for (let conflicts = 0; ; conflicts++) {
      const job = current(observed);
      // Deleted, recreated, or its spec changed: the change itself has added the key to the queue again.
      if (job === undefined) return { ...NOTHING_LEFT, changes };
      const result = resultFor(observed, job, state);
      const patch = await patchIfChanged(observed.outcome, job, result);
      switch (patch.kind) {
        case 'written':
        case 'unchanged':
          update(patch.kind === 'written' ? patch.job : undefined);
          emit(observed, job, result, state);
          return { result: result.result, requeueAfter: requeueFor(observed, result, state), changes };
        case 'gone':
          // Without this, one that comes back under its selector before its watch event would be no news.
          cache.forget(job);
          return { ...NOTHING_LEFT, changes };
        case 'conflict':
          update(patch.job);
          if (conflicts < MAX_CONFLICTS) continue;
          return { ...afterFailedWrite(observed, job, result, state, patch.error), changes };
        case 'failed':
          return { ...afterFailedWrite(observed, job, result, state, patch.error), changes };
      }
    }
  }

  /** The resource as it is now; undefined where it is no longer what was observed, or about to go. */
  function current({ job: { key, uid, generation } }: Observed): LegacyRestoreJob | undefined {
    const job = cache.get(key);
    return job?.uid === uid && job.generation === generation && !job.deleting ? job : undefined;
  }

  function resultFor({ outcome, job: observed }: Observed, job: LegacyRestoreJob, { failures }: KeyState) {
    return reconcileResult({
      job,
      requestedAt: observed.requestedAt,
      outcome,
      failures,
      atlasApi: options.atlasApi,
      defaultInterval: options.defaultInterval,
      deliveryUrlInStatus: options.deliveryUrlInStatus,
      missingFields: options.missingFields(),
      now: Date.now(),
      random: Math.random,
    });
  }

  async function patchIfChanged(
    outcome: Outcome,
    job: LegacyRestoreJob,
    { status }: ReconcileResult,
  ): Promise<StatusPatch | { readonly kind: 'unchanged' }> {
    if (status !== undefined) return tryPatchStatus(options, job, status);
    if (hasStatus(outcome)) metrics.statusWritesSkipped.inc();
    return { kind: 'unchanged' };
  }

  /** Events and the log line follow a status that is written, never one that is not. */
  function emit(
    { outcome, log, durationMs }: Observed,
    job: LegacyRestoreJob,
    result: ReconcileResult,
    state: KeyState,
  ): void {
    state.failures = result.failures;
    if (state.failedWrites.told) log.info('the status can be written again');
    state.failedWrites = NO_FAILED_WRITES;
    for (const event of result.events) events.record(objectReference(job), event);
    if (result.log !== undefined) {
      const { level, message, fields } = result.log;
      log[level]({ ...fields, durationMs: Math.round(durationMs) }, message);
    }
    if (outcome.kind === 'fetched') lists.fetched(state, result.status !== undefined);
    if (outcome.kind === 'interrupted') log.debug(errorFields(outcome.error), 'the reconcile was interrupted');
  }

  /** A refused delivery Secret is tried again alone, and Atlas is asked when the schedule says. */
  function requeueFor(observed: Observed, { requeueAfter }: ReconcileResult, state: KeyState): RequeueAfter {
    const { outcome } = observed;
    if (outcome.kind !== 'fetched' || outcome.deliveryFailure === undefined) return requeueAfter;
    const now = performance.now();
    const refetchAt = observed.refetchAt ?? now + (requeueAfter ?? Number.POSITIVE_INFINITY);
    state.undelivered = { ...observed, refetchAt };
    return Math.min(Math.max(0, refetchAt - now), permanentBackoff(state.failures, Math.random));
  }

  /** A status write that failed is tried again, without asking Atlas again, unless it is refused or has failed too often. */
  function afterFailedWrite(
    observed: Observed,
    job: LegacyRestoreJob,
    { requeueAfter }: ReconcileResult,
    state: KeyState,
    error: unknown,
  ): Omit<Reconciled, 'changes'> {
    const { status = 0, reason = '', statusMessage = '', retryAfterMs } = error instanceof KubeError ? error : {};
    const count = state.failedWrites.count + 1;
    const isRefused = REFUSALS.has(status) || count >= MAX_FAILED_WRITES;
    const isNews = count === 1 || (isRefused && !state.failedWrites.told);
    state.failedWrites = { count, told: state.failedWrites.told || isRefused };
    // A request to Atlas is reserved once: what waits for one has no outcome to keep.
    state.unwritten = isRefused || observed.outcome.kind === 'waiting' ? undefined : observed;
    const message = isRefused
      ? `the status is refused and dropped, the next try starts from ${serverName(options.atlasApi)}`
      : 'the status could not be written and is tried again';
    observed.log[isNews ? 'warn' : 'debug']({ reason, ...errorFields(error) }, message);
    if (!isRefused) return { result: 'error', requeueAfter: retryAfterMs ?? transientBackoff(count, Math.random) };
    if (isNews) {
      const said = statusMessage === '' ? errorFields(error).error : statusMessage;
      events.record(objectReference(job), statusWriteRefused(printable(said, MAX_SAID)));
    }
    const backoff = retryAfterMs ?? permanentBackoff(count, Math.random);
    return { result: 'error', requeueAfter: Math.min(backoff, requeueAfter ?? Number.POSITIVE_INFINITY) };
  }

  /** What nobody foresaw is told once it lasts, where the person looks. */
  async function afterUnexpected(job: LegacyRestoreJob, state: KeyState, error: unknown): Promise<Reconciled> {
    const now = performance.now();
    const count = (state.unexpected?.count ?? 0) + 1;
    const since = state.unexpected?.since ?? now;
    state.unexpected = { count, since };
    const log = logOf(job, randomUUID());
    log[count === 1 ? 'error' : 'debug'](errorFields(error), 'reconcile failed with an unexpected error');
    if (now - since < TOLERATED_MS)
      return { result: 'error', requeueAfter: transientBackoff(count, Math.random), changes: [] };
    state.failures = count - 1;
    const outcome: Outcome = { kind: 'failed', failure: internalError(error), grace: false };
    return settle({ job, outcome, log, durationMs: 0 }, state);
  }
}

/** The HTTP status codes of refusals: the same status would be refused again. */
const REFUSALS: ReadonlySet<number> = new Set([400, 403, 413, 422]);
/** Characters of the API server's own sentence in an event. */
const MAX_SAID = 800;

const NOTHING_LEFT: Reconciled = { result: 'requeue', requeueAfter: undefined, changes: [] };

const internalError = (error: unknown): Failure => ({
  origin: 'content',
  reason: 'InternalError',
  // The class alone: a message can hold anything.
  detail: error instanceof Error ? error.name : typeof error,
});

/** The outcome, as one that is expected to pass where its reason can be and it is early enough. */
function withGrace(outcome: Outcome, isEarly: boolean): Outcome {
  if (outcome.kind !== 'failed') return outcome;
  return { ...outcome, grace: isEarly && entryOf(outcome.failure.reason).graceRetryMs !== undefined };
}

/** Whether an outcome that was kept still answers what the resource asks for. */
const isStillAsked = ({ job }: Observed, now: LegacyRestoreJob): boolean =>
  job.uid === now.uid && job.generation === now.generation && job.requestedAt === now.requestedAt;

/** Whether a status follows from an outcome: one that waits or was interrupted has none. */
const hasStatus = ({ kind }: Outcome): boolean => kind === 'fetched' || kind === 'failed' || kind === 'suspended';
