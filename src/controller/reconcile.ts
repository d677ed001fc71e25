/**
 * One reconcile of one resource, in its steps: observe → deliver → compute the result → patch the status → emit. What is
 * left to do, the next reconcile and changes of the cache, is returned to the controller.
 */
import { randomUUID } from 'node:crypto';
import { type LegacyRestoreJob, objectReference } from '../api/legacy-restore-job.ts';
import type { KubeClient } from '../kube/client.ts';
import { KubeError } from '../kube/errors.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Change } from '../kube/reflector.ts';
import type { Outcome } from '../restore-job/outcome.ts';
import { type ReconcileResult, reconcileResult } from '../restore-job/reconcile-result.ts';
import { type RequeueAfter, transientBackoff } from '../restore-job/schedule.ts';
import { errorFields, type Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { deliver } from './delivery-secret.ts';
import type { KeyState, Observed } from './key-state.ts';
import { type ObserveParts, observe } from './observe.ts';
import { type StatusPatch, tryPatchStatus } from './status-patch.ts';

/** The local cache of all resources. */
export interface Cache {
  readonly get: (key: string) => LegacyRestoreJob | undefined;
  readonly all: () => Iterable<LegacyRestoreJob>;
  /** Takes over the response to a write, ahead of its watch event: the change that results, or undefined for none. */
  readonly update: (job: LegacyRestoreJob) => Change<LegacyRestoreJob> | undefined;
}

interface ReconcilerOptions extends ObserveParts {
  readonly client: KubeClient;
  readonly cache: Cache;
  readonly events: EventRecorder;
  readonly log: Logger;
  readonly metrics: Pick<Metrics, 'statusWrites' | 'statusWritesSkipped'>;
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

/** Reconciles a resource. Rejects only with an unexpected error. */
type Reconciler = (job: LegacyRestoreJob, state: KeyState) => Promise<Reconciled>;

/** A status that keeps changing meanwhile is left to the next reconcile after so many conflicts. */
const MAX_CONFLICTS = 5;

export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { client, cache, events, metrics } = options;

  return async (job, state) => {
    const pending = state.unwritten;
    state.unwritten = undefined;
    const observed = pending !== undefined && isStillAsked(pending, job) ? pending : await observeNow(job, state);
    return settle(await deliverFor(observed), state);
  };

  async function observeNow(job: LegacyRestoreJob, state: KeyState): Promise<Observed> {
    const startedAt = performance.now();
    const requestId = randomUUID();
    const { namespace, name, uid, spec } = job;
    const log = options.log.child({ namespace, name, uid, jobId: spec.jobId, requestId });
    const outcome = await observe(options, job, requestId);
    const endedAt = performance.now();
    if (outcome.kind === 'fetched') state.fetchedAt = endedAt;
    return { job, outcome, log, durationMs: endedAt - startedAt };
  }

  /** Writes the delivery Secret, only for a resource that is still the one that was observed. */
  async function deliverFor(observed: Observed): Promise<Observed> {
    const { outcome, job } = observed;
    if (outcome.kind !== 'fetched' || current(observed) === undefined) return observed;
    try {
      const delivered = await deliver(client, job, outcome.response);
      const deliveryFailure = delivered.kind === 'failed' ? delivered.failure : undefined;
      return { ...observed, outcome: { ...outcome, deliveryFailure } };
    } catch (error) {
      return { ...observed, outcome: { kind: 'interrupted', error } };
    }
  }

  /** Patches the status of the resource as it is now, again after each conflict, and emits once it is written. */
  async function settle(observed: Observed, state: KeyState): Promise<Reconciled> {
    const changes: Change<LegacyRestoreJob>[] = [];
    const learn = (job: LegacyRestoreJob | undefined): void => {
      const change = job === undefined ? undefined : cache.update(job);
      if (change !== undefined) changes.push(change);
    };
    for (let conflicts = 0; ; conflicts++) {
      const job = current(observed);
      // Deleted, recreated, or its spec changed: the change itself has added the key to the queue again.
      if (job === undefined) return { result: 'requeue', requeueAfter: undefined, changes };
      const result = resultFor(observed, job, state);
      const patch = await patchIfChanged(observed.outcome, job, result);
      switch (patch.kind) {
        case 'written':
        case 'unchanged':
          learn(patch.kind === 'written' ? patch.job : undefined);
          emit(observed, job, result, state);
          return { result: result.result, requeueAfter: result.requeueAfter, changes };
        case 'gone':
          return { result: 'requeue', requeueAfter: undefined, changes };
        case 'conflict':
          learn(patch.job);
          if (conflicts < MAX_CONFLICTS) continue;
          return { ...retryWrite(observed, state, patch.error), changes };
        case 'failed':
          return { ...retryWrite(observed, state, patch.error), changes };
      }
    }
  }

  /** The resource as it is now; undefined where it is no longer what was observed. */
  function current({ job: { key, uid, generation } }: Observed): LegacyRestoreJob | undefined {
    const job = cache.get(key);
    return job?.uid === uid && job.generation === generation ? job : undefined;
  }

  function resultFor({ outcome, job: observed }: Observed, job: LegacyRestoreJob, { failures }: KeyState) {
    return reconcileResult({
      job,
      requestedAt: observed.requestedAt,
      outcome,
      failures,
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
    if (status !== undefined) return tryPatchStatus(client, metrics, job, status);
    if (hasStatus(outcome)) metrics.statusWritesSkipped.inc();
    return { kind: 'unchanged' };
  }

  /** Events and the log line follow a status that is written, never one that is not. */
  function emit(
    { outcome, log, durationMs }: Observed,
    job: LegacyRestoreJob,
    result: ReconcileResult,
    state: KeyState,
  ) {
    state.failures = result.failures;
    state.writeFailed = false;
    for (const event of result.events) events.record(objectReference(job), event);
    if (result.log !== undefined) {
      const { level, message, fields } = result.log;
      log[level]({ ...fields, durationMs: Math.round(durationMs) }, message);
    }
    if (outcome.kind === 'interrupted') log.debug(errorFields(outcome.error), 'the reconcile was interrupted');
  }

  /** A status write that failed is tried again, without asking Atlas again. */
  function retryWrite(observed: Observed, state: KeyState, error: unknown): Omit<Reconciled, 'changes'> {
    const { status = 0, reason = '', retryAfterMs } = error instanceof KubeError ? error : {};
    // What the API server finds invalid will not become valid, and a request is reserved once: both start from Atlas.
    const isUseless = status === 400 || status === 422 || observed.outcome.kind === 'waiting';
    state.unwritten = isUseless ? undefined : observed;
    state.failures += 1;
    // Of an API server that is away every resource would tell again and again.
    const level = state.writeFailed ? 'debug' : 'warn';
    state.writeFailed = true;
    observed.log[level]({ reason, ...errorFields(error) }, 'the status could not be written and is tried again');
    return { result: 'error', requeueAfter: retryAfterMs ?? transientBackoff(state.failures, Math.random) };
  }
}

/** Whether an outcome that waits for its status write still answers what the resource asks for. */
const isStillAsked = ({ job }: Observed, now: LegacyRestoreJob): boolean =>
  job.uid === now.uid && job.generation === now.generation && job.requestedAt === now.requestedAt;

/** Whether a status follows from an outcome: one that waits or was interrupted has none. */
const hasStatus = ({ kind }: Outcome): boolean => kind === 'fetched' || kind === 'failed' || kind === 'suspended';
