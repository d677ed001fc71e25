/** The workloads. Each run of one subject ends with a comparison of all statuses with what Atlas says. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Environment } from './environment.ts';
import { type ExpectedState, expectedJob, firstState, NotDone } from './expected-state.ts';
import { NAMESPACES, type Phase } from './jobs.ts';
import type { Measurement } from './measurement.ts';
import { withCommand, withRun } from './runs.ts';
import { operatorCommand, type Subject } from './subjects.ts';

/** Told of each measurement; `row` is its row of the table. */
export type Take = (row: string, subject: string, measurement: Measurement) => void;

/** Longer than any measurement: no resource is due again meanwhile. */
const LONG = '24h';
const LONGER = '23h';

export const firstSyncRow = (size: number, phase: Phase = 'finished'): string =>
  phase === 'finished' ? `first sync of ${count(size)}` : `first sync of ${count(size)} whose job runs`;

export const idleRow = ({ resources, idleSeconds }: LifeOptions): string =>
  `${count(resources)} idle for ${idleSeconds} s`;

export const burstRow = ({ resources, burst }: LifeOptions): string =>
  `burst of ${count(burst)} changes among ${count(resources)}`;

export const listsRow = ({ resources, intervalSeconds, changes, intervals }: ListsOptions): string =>
  `${count(resources)} running jobs of one cluster every ${intervalSeconds} s, ${changes} changing each time, for ${intervals * intervalSeconds} s`;

export const WATCH_ROW = 'start until the API server answers the watch';

/**
 * New resources: each is fetched from Atlas once and written once. Each whose job runs gets an event, none whose job had
 * ended before.
 */
export async function firstSync(
  environment: Environment,
  subject: Subject,
  size: number,
  take: Take,
  phase: Phase = 'finished',
): Promise<ExpectedState> {
  const expected = firstState(size, phase);
  await environment.load(expected, LONG);
  await withRun(environment, subject, async (run) => {
    const { lastStatusWriteAt } = await run.untilWritten(size);
    await run.untilCalm();
    take(
      firstSyncRow(size, phase),
      subject.name,
      await run.measure((lastStatusWriteAt - run.process.startedAt) / 1_000),
    );
  });
  await environment.verify(expected);
  return expected;
}

export interface LifeOptions {
  readonly resources: number;
  readonly idleSeconds: number;
  readonly burst: number;
}

/** A first sync, and on what it left a restart, a stretch of nothing, and a burst of changes. */
export async function life(
  environment: Environment,
  subject: Subject,
  options: LifeOptions,
  take: Take,
): Promise<void> {
  const { resources, idleSeconds, burst } = options;
  const expected = await firstSync(environment, subject, resources, take);
  if (!subject.watches) return;
  await withRun(environment, subject, async (run) => {
    const calmSince = await run.untilCalm();
    const { firstWatchAt } = await environment.audit.read();
    if (firstWatchAt === 0) throw new NotDone('did not begin to watch');
    const seconds = (calmSince - run.process.startedAt) / 1_000;
    take(`restart with ${count(resources)}`, subject.name, await run.measure(seconds));
    await environment.verify(expected);

    await run.begin();
    await delay(idleSeconds * 1_000);
    take(idleRow(options), subject.name, await run.measure(idleSeconds));

    const changed = Array.from({ length: burst }, (_, index) => expectedJob(index, 'finished', 2));
    for (const [key, job] of changed) expected.set(key, job);
    await environment.atlas.put(changed.map(([, job]) => job));
    await run.begin();
    const begunAt = await environment.touch(
      changed.map(([key]) => key),
      LONGER,
    );
    const { lastStatusWriteAt } = await run.untilWritten(burst);
    await run.untilCalm();
    take(burstRow(options), subject.name, await run.measure((lastStatusWriteAt - begunAt) / 1_000));
  });
  await environment.verify(expected);
}

export interface ScaleOptions {
  readonly resources: number;
  readonly intervalSeconds: number;
  readonly seconds: number;
}

/** One job in a hundred, as many in each namespace. */
const isOpen = (index: number): boolean => index % 100 === Math.floor(index / 100) % NAMESPACES;

/** A restart on resources that were mirrored before, of which 1 % are open, and what these cost then. */
export async function scale(
  environment: Environment,
  subject: Subject,
  { resources, intervalSeconds, seconds }: ScaleOptions,
  take: Take,
): Promise<void> {
  if (!subject.watches) return;
  const jobs = Array.from({ length: resources }, (_, index) =>
    expectedJob(index, isOpen(index) ? 'running' : 'finished', 1),
  );
  const expected: ExpectedState = new Map(jobs);
  await environment.load(expected, `${intervalSeconds}s`);
  await withRun(environment, subject, (run) => run.untilWritten(resources));
  await withRun(environment, subject, async (run) => {
    const calmSince = await run.untilCalm();
    const row = `${count(resources)}, of which 1 % are open`;
    const restartSeconds = (calmSince - run.process.startedAt) / 1_000;
    take(`restart with ${row}`, subject.name, await run.measure(restartSeconds));
    await run.begin();
    await delay(seconds * 1_000);
    take(
      `${row}, with an interval of ${intervalSeconds} s, for ${seconds} s`,
      subject.name,
      await run.measure(seconds),
    );
  });
  await environment.verify(expected);
}

export interface PollingOptions {
  readonly resources: number;
  readonly seconds: number;
}

/** Running jobs, asked for every 10 s, of which 1 % change in each 10 s. */
export async function polling(
  environment: Environment,
  subject: Subject,
  { resources, seconds }: PollingOptions,
  take: Take,
): Promise<void> {
  if (!subject.watches) return;
  const expected = firstState(resources, 'running');
  await environment.load(expected, `${INTERVAL_SECONDS}s`);
  await withRun(environment, subject, async (run) => {
    await run.untilWritten(resources);
    await run.begin();
    const share = Math.max(1, Math.round(resources / 100));
    const rounds = Math.floor(seconds / INTERVAL_SECONDS);
    for (let round = 0; round < rounds; round++) {
      // Other resources in each round, so that every change is one of its own.
      const changed = Array.from({ length: share }, (_, index) => expectedJob(round * share + index, 'running', 2));
      for (const [key, job] of changed) expected.set(key, job);
      await environment.atlas.put(changed.map(([, job]) => job));
      await delay(INTERVAL_SECONDS * 1_000);
    }
    const row = `${count(resources)} polled every ${INTERVAL_SECONDS} s, 1 % changing, for ${rounds * INTERVAL_SECONDS} s`;
    take(row, subject.name, await run.measure(rounds * INTERVAL_SECONDS));
    await run.untilWritten(rounds * share);
  });
  await environment.verify(expected);
}

const INTERVAL_SECONDS = 10;

export interface ListsOptions {
  readonly resources: number;
  readonly intervalSeconds: number;
  /** So many jobs change in each interval. */
  readonly changes: number;
  readonly intervals: number;
}

/** As long as a change may take to be mirrored. */
const INTERVALS_PER_CHANGE = 2;
/** What Atlas allows for one project. The peers have no limit of their own. */
const REQUESTS_PER_MINUTE = 100;

/** Running jobs of one cluster, mirrored before, asked for by a subject that has to keep Atlas's limit. */
export async function lists(
  environment: Environment,
  subject: Subject,
  options: ListsOptions,
  take: Take,
): Promise<void> {
  if (!subject.watches) return;
  const { resources, intervalSeconds, changes, intervals } = options;
  // Every tenth job is of the first namespace, and so of its project and cluster.
  const jobOf = (index: number, version: number) => expectedJob(index * NAMESPACES, 'running', version);
  const expected: ExpectedState = new Map(Array.from({ length: resources }, (_, index) => jobOf(index, 1)));
  await environment.load(expected, `${intervalSeconds}s`);
  await withRun(environment, subject, (run) => run.untilWritten(resources));
  const command = await subject.command(environment.target);
  const env = { ...command.env, ATLAS_REQUESTS_PER_MINUTE: String(REQUESTS_PER_MINUTE) };
  await withCommand(environment, subject.name, { ...command, env }, async (run) => {
    // The first interval after a restart is not like the others.
    await run.untilCalm();
    await delay(intervalSeconds * 1_000);
    await run.begin();
    for (let round = 0; round < intervals; round++) {
      const changed = Array.from({ length: changes }, (_, index) => jobOf(round * changes + index, 2));
      for (const [key, job] of changed) expected.set(key, job);
      await environment.atlas.put(changed.map(([, job]) => job));
      await delay(intervalSeconds * 1_000);
      const { statusWrites } = await environment.audit.read();
      const due = Math.max(0, round + 2 - INTERVALS_PER_CHANGE) * changes;
      if (statusWrites < due) throw new NotDone(`mirrored ${statusWrites} of ${due} changes within two intervals`);
    }
    const seconds = intervals * intervalSeconds;
    take(listsRow(options), subject.name, await run.measure(seconds));
    await run.untilWritten(intervals * changes);
  });
  await environment.verify(expected);
}

/** From the start of the process with one resource: until the API server answers its watch, and until Atlas is asked. */
export async function start(environment: Environment, subject: Subject, take: Take): Promise<void> {
  if (!subject.watches) return;
  await startOf(environment, subject.name, () => subject.command(environment.target), take);
  if (subject.name === 'operator') {
    await startOf(
      environment,
      'operator, from its sources',
      () => operatorCommand('src/main.ts', environment.target),
      take,
    );
  }
}

async function startOf(
  environment: Environment,
  name: string,
  command: () => ReturnType<Subject['command']>,
  take: Take,
): Promise<void> {
  const expected = firstState(1, 'finished');
  await environment.load(expected, LONG);
  await withCommand(environment, name, await command(), async (run) => {
    const { firstWatchAt } = await run.untilWritten(1);
    const { firstRequestAt } = await environment.atlas.counts();
    const since = (at: number): Measurement => ({ wallSeconds: (at - run.process.startedAt) / 1_000 });
    take(WATCH_ROW, name, since(firstWatchAt));
    take('start until the first request to Atlas', name, since(firstRequestAt));
  });
  await environment.verify(expected);
}

const count = (value: number): string => value.toLocaleString('en-US');
