/** Other programs: found, run to their end, or kept running, and ended with this process however it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Exit, exitOf } from '../support/exit.ts';

/** What a program that ran to its end left. */
export interface Finished {
  readonly exit: Exit;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that runs until it is stopped. */
export interface Running extends AsyncDisposable {
  readonly exited: Promise<Exit>;
  /** What it wrote to standard output and standard error so far. */
  readonly output: () => string;
}

export interface RunOptions {
  readonly signal: AbortSignal;
  /** Default: a minute. */
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Processes extends AsyncDisposable {
  /** Runs a program to its end. Rejects when it takes too long or the signal aborts, and it is gone then. */
  readonly run: (program: string, args: readonly string[], options: RunOptions) => Promise<Finished>;
  /** Starts a program; disposing of it ends it and everything it started. */
  readonly start: (program: string, args: readonly string[]) => Promise<Running>;
}

/** Runs a program to its end, whatever happens meanwhile: for what must not be left half done. */
export async function runUninterrupted(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Finished> {
  const child = spawnGroup(program, args, env);
  const output = collect(child);
  const exited = exitOf(child);
  await once(child, 'spawn');
  return { exit: await exited, stdout: output.stdout(), stderr: output.stderr() };
}

/** Where an executable is on the PATH or where Debian keeps daemons, which the PATH of a user may lack. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin'];
  return folders.map((folder) => path.join(folder, name)).find(isExecutable);
}

/**
 * What runs or is started here ends with this process, even when this one is killed: a watchdog sees it go, ends the
 * rest and removes `folder`.
 */
export async function superviseProcesses(folder: string): Promise<Processes> {
  const groups = new Set<number>();
  const watchdog = spawn('/bin/sh', ['-c', WATCHDOG, 'watchdog', folder], {
    // In a session of its own Ctrl-C does not reach it.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // The pipe breaks when somebody ended the watchdog; it is only the second line of defense.
  watchdog.stdin.on('error', () => {});
  const watchdogGone = once(watchdog, 'exit');
  await once(watchdog, 'spawn');

  async function launch(program: string, args: readonly string[], env?: Readonly<Record<string, string>>) {
    const child = spawnGroup(program, args, env);
    const output = collect(child);
    const exited = exitOf(child);
    await once(child, 'spawn');
    const group = child.pid ?? 0;
    note(() => groups.add(group));
    const end = async (): Promise<void> => {
      await endGroup(group, exited);
      note(() => groups.delete(group));
    };
    return { output, exited, end };
  }

  function note(change: () => unknown): void {
    change();
    watchdog.stdin.write(`${[...groups].join(' ')}\n`);
  }

  return {
    async run(program, args, { signal, timeoutMs = 60_000, env }) {
      const { output, exited, end } = await launch(program, args, env);
      const timer = new AbortController();
      try {
        const late = delay(timeoutMs, undefined, { signal: AbortSignal.any([signal, timer.signal]) });
        const exit = await Promise.race([exited, late]);
        if (exit === undefined) throw new Error(`${program} did not end within ${timeoutMs / 1_000} s`);
        return { exit, stdout: output.stdout(), stderr: output.stderr() };
      } finally {
        timer.abort();
        await end();
      }
    },
    async start(program, args) {
      const { output, exited, end } = await launch(program, args);
      return { exited, output: output.both, [Symbol.asyncDispose]: end };
    },
    async [Symbol.asyncDispose]() {
      watchdog.stdin.end();
      await watchdogGone;
    },
  };
}

/** Reads lines that each name the process groups which live; the last line counts when the pipe closes. */
const WATCHDOG =
  'groups=; while read -r line; do groups=$line; done; ' +
  'for group in $groups; do kill -KILL "-$group"; done; rm -rf -- "$1"';

/** Between asking a process to end and killing it. */
const GRACE_MS = 5_000;

function spawnGroup(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> | undefined,
): ChildProcess {
  return spawn(program, args, {
    // In a process group of its own, so that its children can be ended with it, and that Ctrl-C is left to us.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function collect(child: ChildProcess) {
  const both: string[] = [];
  const keep = (stream: ChildProcess['stdout']): (() => string) => {
    const parts: string[] = [];
    stream?.setEncoding('utf8').on('data', (part: string) => {
      parts.push(part);
      both.push(part);
    });
    return () => parts.join('');
  };
  return { stdout: keep(child.stdout), stderr: keep(child.stderr), both: () => both.join('') };
}

async function endGroup(group: number, exited: Promise<Exit>): Promise<void> {
  if (signalGroup(group, 'SIGTERM')) {
    const timer = new AbortController();
    await Promise.race([exited, delay(GRACE_MS, undefined, { signal: timer.signal }).catch(() => {})]);
    timer.abort();
  }
  // Its children too: they would keep its output open, and `exited` waits for that.
  signalGroup(group, 'SIGKILL');
  await exited;
}

/** Whether there was anything to signal. */
function signalGroup(group: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(-group, signal);
  } catch {
    return false;
  }
}
