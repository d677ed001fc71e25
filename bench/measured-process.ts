/** A subject as a process of its own, measured from outside through /proc. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

export interface Usage {
  /** User and system time of the whole process tree, in seconds. */
  readonly cpuSeconds: number;
  /** Most resident memory since the start or the last `resetPeak`, in MiB. */
  readonly peakMiB: number;
  /** Anonymous memory right now, in MiB: what a container's limit cannot reclaim, unlike the pages of programs and files. */
  readonly anonymousMiB: number;
}

export interface MeasuredProcess {
  readonly pid: number;
  /** Milliseconds since the epoch just before it was started. */
  readonly startedAt: number;
  readonly usage: () => Promise<Usage>;
  /** Most anonymous memory since the start or the last `resetPeak`, in MiB, as far as samples tell. */
  readonly peakAnonymousMiB: () => number;
  /** Starts a new measurement of both peaks of memory. */
  readonly resetPeak: () => Promise<void>;
  /** Rejects when the process ends although nobody stopped it; never resolves. */
  readonly failed: Promise<never>;
  readonly stop: () => Promise<void>;
}

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Clock ticks per second of /proc/<pid>/stat: Linux has 100 for user space on every architecture. */
const TICKS = 100;
const STOP_MS = 20_000;
/** The kernel keeps no peak of anonymous memory. */
const SAMPLE_MS = 100;

/** Starts a process whose output goes to a file. */
export async function startMeasured({ program, args, env }: Command, logFile: string): Promise<MeasuredProcess> {
  const log = openSync(logFile, 'a');
  const startedAt = Date.now();
  const child = spawn(program, [...args], { env: { ...env }, stdio: ['ignore', log, log] });
  running.add(child);
  let stopped = false;
  const exited = once(child, 'exit').finally(() => running.delete(child));
  const failed = exited.then(([code, signal]): never => {
    if (stopped) throw new Error('the subject was stopped');
    throw new Error(`ended by itself (${String(code ?? signal)})`);
  });
  failed.catch(() => {});
  await once(child, 'spawn');
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program} has no process id`);
  let peakAnonymousMiB = 0;
  const sampler = setInterval(() => {
    usageOf(pid).then(
      ({ anonymousMiB }) => {
        peakAnonymousMiB = Math.max(peakAnonymousMiB, anonymousMiB);
      },
      // It has ended.
      () => undefined,
    );
  }, SAMPLE_MS);
  return {
    pid,
    startedAt,
    usage: () => usageOf(pid),
    peakAnonymousMiB: () => peakAnonymousMiB,
    resetPeak: async () => {
      peakAnonymousMiB = 0;
      await writeFile(`/proc/${pid}/clear_refs`, '5');
    },
    failed,
    stop: async () => {
      stopped = true;
      clearInterval(sampler);
      child.kill('SIGTERM');
      const late = delay(STOP_MS, 'late', { ref: false });
      if ((await Promise.race([exited, late])) === 'late') {
        child.kill('SIGKILL');
        await exited;
      }
    },
  };
}

/** What a process and its descendants use. Throws when it is gone. */
export async function usageOf(pid: number): Promise<Usage> {
  const [own, status, children] = await Promise.all([
    cpuSecondsOf(pid),
    readFile(`/proc/${pid}/status`, 'utf8'),
    childrenOf(pid),
  ]);
  const mebibytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN) / 1_024;
  const usage = { cpuSeconds: own, peakMiB: mebibytes('VmHWM'), anonymousMiB: mebibytes('RssAnon') };
  const others = await Promise.all(children.map(usageOf));
  return others.reduce(
    (sum, { cpuSeconds, peakMiB, anonymousMiB }) => ({
      cpuSeconds: sum.cpuSeconds + cpuSeconds,
      peakMiB: sum.peakMiB + peakMiB,
      anonymousMiB: sum.anonymousMiB + anonymousMiB,
    }),
    usage,
  );
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** utime, stime and those of descendants that have ended. */
async function cpuSecondsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The second field is the name of the program, in parentheses; it can contain anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) / TICKS;
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const threads = await readdir(`/proc/${pid}/task`);
  const lists = await Promise.all(threads.map((thread) => readChildren(pid, thread)));
  return lists.flat();
}

async function readChildren(pid: number, thread: string): Promise<readonly number[]> {
  try {
    const text = await readFile(`/proc/${pid}/task/${thread}/children`, 'utf8');
    return text.trim() === '' ? [] : text.trim().split(' ').map(Number);
  } catch {
    // The thread has ended since it was listed.
    return [];
  }
}
