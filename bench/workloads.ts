/** The workloads. Each run of one contestant ends with a comparison of all statuses with what Atlas says. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Contestant, operatorCommand } from './contestants.ts';
import type { Measurement } from './measurement.ts';
import { withCommand, withRun } from './runs.ts';
import type { Stage } from './stage.ts';
import { factOf, firstTruth, NotDone, type Truth } from './truth.ts';

/** Told of each measurement; `row` is its row of the table. */
export type Take = (row: string, contestant: string, measurement: Measurement) => void;

/** Long enough that nobody visits a resource again meanwhile. */
const LONG = '24h';
const LONGER = '23h';

export const firstSyncRow = (size: number): string => `first sync of ${count(size)}`;

/** Resources that nobody has visited: each is fetched from Atlas once and written once. */
export async function firstSync(stage: Stage, contestant: Contestant, size: number, take: Take): Promise<Truth> {
  const truth = firstTruth(size, 'finished');
  await stage.load(truth, LONG);
  await withRun(stage, contestant, async (run) => {
    const { lastStatusWriteAt } = await run.untilWritten(size);
    await run.untilCalm();
    take(firstSyncRow(size), contestant.name, await run.measure((lastStatusWriteAt - run.process.startedAt) / 1_000));
  });
  await stage.verify(truth);
  return truth;
}

export interface LifeOptions {
  readonly resources: number;
  readonly idleSeconds: number;
  readonly burst: number;
}

/** A first sync, and on what it left a restart, a stretch of nothing, and a burst of changes. */
export async function life(stage: Stage, contestant: Contestant, options: LifeOptions, take: Take): Promise<void> {
  const { resources, idleSeconds, burst } = options;
  const truth = await firstSync(stage, contestant, resources, take);
  if (!contestant.watches) return;
  await withRun(stage, contestant, async (run) => {
    const calmSince = await run.untilCalm();
    const { firstWatchAt } = await stage.audit.read();
    if (firstWatchAt === 0) throw new NotDone('did not begin to watch');
    const seconds = (calmSince - run.process.startedAt) / 1_000;
    take(`restart with ${count(resources)}`, contestant.name, await run.measure(seconds));
    await stage.verify(truth);

    await run.begin();
    await delay(idleSeconds * 1_000);
    take(`${count(resources)} idle for ${idleSeconds} s`, contestant.name, await run.measure(idleSeconds));

    const changed = Array.from({ length: burst }, (_, index) => factOf(index, 'finished', 2));
    for (const [key, fact] of changed) truth.set(key, fact);
    await stage.atlas.put(changed.map(([, fact]) => fact));
    await run.begin();
    const begunAt = await stage.touch(
      changed.map(([key]) => key),
      LONGER,
    );
    const { lastStatusWriteAt } = await run.untilWritten(burst);
    await run.untilCalm();
    const row = `burst of ${count(burst)} changes among ${count(resources)}`;
    take(row, contestant.name, await run.measure((lastStatusWriteAt - begunAt) / 1_000));
  });
  await stage.verify(truth);
}

export interface PollingOptions {
  readonly resources: number;
  readonly seconds: number;
}

/** Running jobs, asked for every 10 s, of which 1 % change in each 10 s. */
export async function polling(
  stage: Stage,
  contestant: Contestant,
  { resources, seconds }: PollingOptions,
  take: Take,
): Promise<void> {
  if (!contestant.watches) return;
  const truth = firstTruth(resources, 'running');
  await stage.load(truth, `${INTERVAL_SECONDS}s`);
  await withRun(stage, contestant, async (run) => {
    await run.untilWritten(resources);
    await run.begin();
    const share = Math.max(1, Math.round(resources / 100));
    const rounds = Math.floor(seconds / INTERVAL_SECONDS);
    for (let round = 0; round < rounds; round++) {
      // Other resources in each round, so that every change is one of its own.
      const changed = Array.from({ length: share }, (_, index) => factOf(round * share + index, 'running', 2));
      for (const [key, fact] of changed) truth.set(key, fact);
      await stage.atlas.put(changed.map(([, fact]) => fact));
      await delay(INTERVAL_SECONDS * 1_000);
    }
    const row = `${count(resources)} polled every ${INTERVAL_SECONDS} s, 1 % changing, for ${rounds * INTERVAL_SECONDS} s`;
    take(row, contestant.name, await run.measure(rounds * INTERVAL_SECONDS));
    await run.untilWritten(rounds * share);
  });
  await stage.verify(truth);
}

const INTERVAL_SECONDS = 10;

/** From the start of the process with one resource: until the API server answers its watch, and until Atlas is asked. */
export async function start(stage: Stage, contestant: Contestant, take: Take): Promise<void> {
  if (!contestant.watches) return;
  await startOf(stage, contestant.name, () => contestant.command(stage.target), take);
  if (contestant.name === 'operator') {
    await startOf(stage, 'operator, from its sources', () => operatorCommand('src/main.ts', stage.target), take);
  }
}

async function startOf(
  stage: Stage,
  name: string,
  command: () => ReturnType<Contestant['command']>,
  take: Take,
): Promise<void> {
  const truth = firstTruth(1, 'finished');
  await stage.load(truth, LONG);
  await withCommand(stage, name, await command(), async (run) => {
    const { firstWatchAt } = await run.untilWritten(1);
    const { firstRequestAt } = await stage.atlas.counts();
    const since = (at: number): Measurement => ({ wallSeconds: (at - run.process.startedAt) / 1_000 });
    take('start until the API server answers the watch', name, since(firstWatchAt));
    take('start until the first request to Atlas', name, since(firstRequestAt));
  });
  await stage.verify(truth);
}

const count = (value: number): string => value.toLocaleString('en-US');
