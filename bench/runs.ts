/** One run of one subject: started, waited for, measured, verified, ended. */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../test/support/command.ts';
import type { ApiCounts } from './audit-log.ts';
import type { Environment } from './environment.ts';
import { NotDone } from './expected-state.ts';
import { type Command, type MeasuredProcess, startMeasured, usageOf } from './measured-process.ts';
import type { Measurement } from './measurement.ts';
import type { Subject } from './subjects.ts';

/** A subject at work, and the counters since the beginning of what is measured now. */
export interface Run {
  readonly process: MeasuredProcess;
  /** Begins a new measurement: all counters start at zero. */
  readonly begin: () => Promise<void>;
  /** Resolves when so many statuses have been written since `begin`. Throws NotDone when they are not in time. */
  readonly untilWritten: (count: number) => Promise<ApiCounts>;
  /** Resolves when the process has had nothing to do for a while, with when it last had (milliseconds since the epoch). */
  readonly untilCalm: () => Promise<number>;
  /** What was used since `begin`. */
  readonly measure: (wallSeconds: number) => Promise<Measurement>;
}

/** Milliseconds for one status write, in the worst case, and for whatever comes before the first. */
const PATIENCE_MS = { each: 50, start: 60_000 };
const POLL_MS = 100;
/** Calm: no more than this share of a CPU for so many samples in a row. */
const CALM = { share: 0.03, samples: 12, sampleMs: 250, patienceMs: 120_000 };

/** Starts a subject, lets `work` watch it, and ends it. */
export async function withRun<T>(
  environment: Environment,
  subject: Subject,
  work: (run: Run) => Promise<T>,
): Promise<T> {
  return withCommand(environment, subject.name, await subject.command(environment.target), work);
}

/** The same for any command line. */
export async function withCommand<T>(
  environment: Environment,
  name: string,
  command: Command,
  work: (run: Run) => Promise<T>,
): Promise<T> {
  const base = await takeBase(environment, undefined);
  const process = await startMeasured(command, environment.logFile(name));
  try {
    return await Promise.race([work(createRun(environment, process, base)), process.failed]);
  } catch (error) {
    const [message, output] = [messageOf(error), await lastLines(environment.logFile(name))];
    throw new NotDone(`${name}: ${message}; its last lines:\n${output}`, { cause: error });
  } finally {
    await process.stop();
  }
}

/** CPU seconds at the beginning of a measurement. */
interface Base {
  readonly own: number;
  readonly servers: number;
  readonly simulator: number;
}

function createRun(environment: Environment, process: MeasuredProcess, first: Base): Run {
  let base = first;

  async function untilWritten(count: number): Promise<ApiCounts> {
    const deadline = performance.now() + PATIENCE_MS.start + count * PATIENCE_MS.each;
    for (;;) {
      const counts = await environment.audit.read();
      if (counts.statusWrites >= count) return counts;
      if (performance.now() > deadline) {
        throw new NotDone(`wrote ${counts.statusWrites} of ${count} statuses in time, ${counts.refused} were refused`);
      }
      await delay(POLL_MS);
    }
  }

  async function untilCalm(): Promise<number> {
    const deadline = performance.now() + CALM.patienceMs;
    let [busyAt, calmSamples, before] = [Date.now(), 0, (await process.usage()).cpuSeconds];
    while (calmSamples < CALM.samples) {
      await delay(CALM.sampleMs);
      const { cpuSeconds } = await process.usage();
      const isCalm = cpuSeconds - before <= (CALM.share * CALM.sampleMs) / 1_000 + Number.EPSILON;
      calmSamples = isCalm ? calmSamples + 1 : 0;
      if (!isCalm) busyAt = Date.now();
      before = cpuSeconds;
      if (performance.now() > deadline) throw new NotDone('never had nothing to do');
    }
    return busyAt;
  }

  return {
    process,
    begin: async () => {
      await process.resetPeak();
      base = await takeBase(environment, process);
    },
    untilWritten,
    untilCalm,
    measure: async (wallSeconds) => {
      const [{ cpuSeconds, peakMiB }, servers, api, atlas] = await Promise.all([
        process.usage(),
        serverCpu(environment),
        environment.audit.read(),
        environment.atlas.counts(),
      ]);
      return {
        cpuSeconds: cpuSeconds - base.own,
        peakMiB,
        peakAnonymousMiB: process.peakAnonymousMiB(),
        wallSeconds,
        atlasRequests: atlas.requests,
        statusWrites: api.statusWrites,
        eventWrites: api.eventWrites,
        serverCpuSeconds: servers.all - base.servers,
        simulatorCpuSeconds: servers.simulator - base.simulator,
      };
    },
  };
}

async function takeBase(environment: Environment, process: MeasuredProcess | undefined): Promise<Base> {
  await Promise.all([environment.audit.reset(), environment.atlas.reset()]);
  const own = process === undefined ? 0 : (await process.usage()).cpuSeconds;
  const { all, simulator } = await serverCpu(environment);
  return { own, servers: all, simulator };
}

async function serverCpu({ servers }: Environment): Promise<{ readonly all: number; readonly simulator: number }> {
  const [apiServer, etcd, atlas] = await Promise.all(
    [servers.apiServer, servers.etcd, servers.atlas].map((pid) => usageOf(pid)),
  );
  const cpu = (usage: typeof atlas): number => usage?.cpuSeconds ?? 0;
  return { all: cpu(apiServer) + cpu(etcd) + cpu(atlas), simulator: cpu(atlas) };
}

const LAST_LINES = 5;

async function lastLines(file: string): Promise<string> {
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  return lines.slice(-LAST_LINES).join('\n');
}
