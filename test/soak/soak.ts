/**
 * The soak: everything changes and everything fails, then only the failing stops, and every resource has to become equal
 * to Atlas.
 *
 *   setting up ──▶ filling: all resources created, all equal once ──▶ disturbing: faults and changes
 *     ──▶ settling: no faults and no changes, until all are equal or the time is up ──▶ counting
 */
import { OPERATOR } from '../support/installation.ts';
import { disturb } from './disturbance.ts';
import { type Environment, startEnvironment } from './environment.ts';
import { createExpectedState } from './expected-state.ts';
import { FAULTS, type FaultKind } from './faults.ts';
import { collectGarbage } from './garbage-collector.ts';
import { createInspection, type Inspection, type Unequal } from './inspection.ts';
import { createRandom, type Random } from './random.ts';
import type { Memory, Replicas } from './replicas.ts';
import { recordStatusHistory } from './status-history.ts';
import { countDuplicateWrites, countStatusWrites } from './status-writes.ts';
import { createWorkload, type UserAction, type Workload } from './workload.ts';

export interface SoakOptions {
  /** The same seed brings the same faults and the same changes, each sequence in the same order. */
  readonly seed: number;
  /** How long faults go on, in milliseconds; longer if not every kind has had its turn by then. */
  readonly disturbMs: number;
  readonly resources: number;
  /** All of them when absent. */
  readonly faults?: readonly FaultKind[];
  /** How long after the last fault all resources have to be equal, in milliseconds; 4 minutes when absent. */
  readonly settleMs?: number;
  /** Of the operators' logs; info when absent. */
  readonly logLevel?: string;
  /** Gives up and ends everything. */
  readonly signal: AbortSignal;
  /** Told how it goes, a line now and then. */
  readonly say: (line: string) => void;
}

export interface SoakResult {
  /** How often each kind of fault has begun. */
  readonly faults: ReadonlyMap<string, number>;
  readonly userActions: ReadonlyMap<UserAction, number>;
  /** How often the body of a job has changed at Atlas. */
  readonly changesAtAtlas: number;
  /** How often the mirrored part of a status has changed: changes that follow each other quickly are one. */
  readonly changesMirrored: number;
  readonly resources: number;
  /** Those that were not equal when the time was up. */
  readonly lost: readonly Unequal[];
  readonly statusWrites: number;
  readonly duplicateWrites: number;
  /** Those that the API server refused, which are no duplicates. */
  readonly refusedWrites: number;
  /** Requests that a gateway answered in place of the API server. */
  readonly gatewayPages: number;
  /** Requests to Atlas for a single job, and for pages of lists. */
  readonly requests: { readonly job: number; readonly list: number };
  /** How often a status has come to have each reason. */
  readonly reasons: ReadonlyMap<string, number>;
  /** From the last fault, or the last change of its job, until a resource was equal; of the slowest, in milliseconds. */
  readonly longestToConvergeMs: number;
  /** Of the replica that led at that time; undefined where the system does not tell. */
  readonly memoryAtStart: Memory | undefined;
  readonly memoryAtEnd: Memory | undefined;
  /** How often replicas have ended, by the way. */
  readonly ends: ReadonlyMap<string, number>;
  /** What a replica did that no fault explains. */
  readonly problems: readonly string[];
  /** Where the replicas' logs are, which are kept unless all is good. */
  readonly logFolder: string;
}

/** Whether everything was as it must be. */
export const isGood = ({ lost, problems, duplicateWrites }: SoakResult): boolean =>
  lost.length === 0 && problems.length === 0 && duplicateWrites === 0;

/** The first ten that are not equal, one a line, with the first of what differs. */
export const describeUnequal = (unequal: readonly Unequal[]): string =>
  unequal
    .slice(0, 10)
    .map(({ key, differences }) => {
      const more = differences.length > 5 ? [`and ${differences.length - 5} more`] : [];
      return `  ${key}: ${[...differences.slice(0, 5), ...more].join('; ')}`;
    })
    .join('\n');

const FILL_MS = 180_000;
/** A transient back-off may last 2 minutes, and a watch that died silently is found after 42 s. */
const SETTLE_MS = 240_000;
const PROGRESS_MS = 10_000;
/** In this part of the time operators are restarted; after it nothing hides what they cannot live with. */
const RESTARTING_PART = 0.5;

/** Runs a soak and ends everything that it has started. Rejects when the soak itself could not go on. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const { seed, settleMs = SETTLE_MS, logLevel = 'info', say } = options;
  const random = createRandom(seed);
  const ending = new AbortController();
  const signal = AbortSignal.any([options.signal, ending.signal]);
  await using cleanup = new AsyncDisposableStack();
  const environment = await startEnvironment(cleanup, { random, logLevel, signal });
  cleanup.defer(() => ending.abort(new Error('the soak has ended')));
  const history = await recordStatusHistory(environment.controlPlane.etcdUrl);
  cleanup.defer(history.stop);
  const expectedState = createExpectedState(environment.atlas);
  const workload = createWorkload({ environment, expectedState, random, resources: options.resources });
  const inspection = createInspection(environment.cluster, expectedState, workload);
  void inspection.run(signal);
  void collectGarbage(environment.cluster, signal);

  say(`creating ${options.resources} resources`);
  await fill(workload, inspection, signal);
  const memoryAtStart = await leaderMemory(environment.replicas);
  say('all are equal to Atlas; now the faults begin');
  const { faults, endedAt } = await disturbWhileChanging(
    { environment, workload, inspection, random },
    options,
    signal,
  );
  say('no more faults, no more changes');
  await inspection.untilAllEqual(settleMs, signal);
  const memoryAtEnd = await leaderMemory(environment.replicas);
  const last = inspection.last();
  if (last.kind === 'unanswered') throw new Error('the API server does not answer at the end');
  const longestToConvergeMs = inspection.longestSince(endedAt);

  await environment.replicas.stop();
  await history.caughtUp();
  const writes = await countStatusWrites(environment.controlPlane.auditLog, OPERATOR.user);
  const result: SoakResult = {
    faults,
    userActions: workload.userActions(),
    changesAtAtlas: expectedState.changes(),
    changesMirrored: history.mirroredChanges(),
    resources: last.resources,
    lost: last.unequal,
    statusWrites: [...writes.accepted.values()].reduce((sum, count) => sum + count, 0),
    duplicateWrites: countDuplicateWrites(writes, history),
    refusedWrites: writes.refused,
    gatewayPages: environment.gateway.answered(),
    requests: environment.atlas.requests.counts().byKind,
    reasons: history.reasons(),
    longestToConvergeMs,
    memoryAtStart,
    memoryAtEnd,
    ends: environment.replicas.ends(),
    problems: environment.replicas.problems(),
    logFolder: environment.logFolder,
  };
  if (isGood(result)) await environment.forgetLogs();
  return result;
}

async function fill(workload: Workload, inspection: Inspection, signal: AbortSignal): Promise<void> {
  await workload.populate();
  if (await inspection.untilAllEqual(FILL_MS, signal)) return;
  const last = inspection.last();
  const seen = last.kind === 'seen' ? `\n${describeUnequal(last.unequal)}` : '';
  throw new Error(`the resources are not equal to Atlas before any fault${seen}`);
}

interface Scene {
  readonly environment: Environment;
  readonly workload: Workload;
  readonly inspection: Inspection;
  readonly random: Random;
}

/** Resolves when all faults have ended and the last change has been made; `endedAt` is the time of the former. */
async function disturbWhileChanging(
  { environment, workload, inspection, random }: Scene,
  { disturbMs, faults: kinds = FAULTS, say }: SoakOptions,
  signal: AbortSignal,
): Promise<{ readonly faults: ReadonlyMap<string, number>; readonly endedAt: number }> {
  const faults = new Map<string, number>(kinds.map(({ name }) => [name, 0]));
  const startedAt = performance.now();
  const progress = setInterval(() => {
    const elapsed = Math.round((performance.now() - startedAt) / 1_000);
    const begun = [...faults.values()].reduce((sum, count) => sum + count, 0);
    say(`${String(elapsed).padStart(4)} s: ${begun} faults so far, ${equalNow(inspection)}`);
  }, PROGRESS_MS);
  try {
    const changesOver = new AbortController();
    const changing = workload.run(AbortSignal.any([changesOver.signal, signal]));
    const disturbing = disturb({
      environment,
      kinds,
      random: random.fork('faults'),
      calm: AbortSignal.timeout(disturbMs * RESTARTING_PART),
      over: AbortSignal.timeout(disturbMs),
      signal,
      onBegun: ({ name }) => faults.set(name, (faults.get(name) ?? 0) + 1),
    });
    // The changes go on until they are told to stop, or fail, which need not wait for the last fault.
    await Promise.race([disturbing, changing.then(() => disturbing)]);
    const endedAt = Date.now();
    changesOver.abort();
    await changing;
    return { faults, endedAt };
  } finally {
    clearInterval(progress);
  }
}

function equalNow(inspection: Inspection): string {
  const last = inspection.last();
  if (last.kind === 'unanswered') return 'the API server does not answer';
  return `${last.resources - last.unequal.length} of ${last.resources} resources equal now`;
}

const leaderMemory = async (replicas: Replicas): Promise<Memory | undefined> => replicas.leader()?.memory();
