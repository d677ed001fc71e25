/** The operator as a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { type Exit, exitOf } from './exit.ts';
import { listen } from './listen.ts';
import { PROGRAM } from './program.ts';

export interface OperatorOptions {
  readonly kubeconfig: string;
  /** Settings, on top of PATH, HOME, KUBECONFIG and the address; nothing else of the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** What follows `run` on the command line. */
  readonly args?: readonly string[];
  /** Its whole output goes there as well. */
  readonly logFile?: string;
}

export interface OperatorProcess {
  /** Of /livez, /readyz and /metrics. */
  readonly url: string;
  readonly process: ChildProcess;
  /** The lines of its log so far, oldest first; the array grows. */
  readonly log: readonly LogLine[];
  /** What it wrote so far that is no log line: all of standard error, and lines that are no JSON. */
  readonly otherOutput: () => string;
  /** The first line, of those that are there and those to come, that is as asked. Rejects when it does not come in time. */
  readonly waitForLog: (predicate: (line: LogLine) => boolean, timeoutMs?: number) => Promise<LogLine>;
  /** Resolves when it is gone and all its output has been read. */
  readonly exited: Promise<Exit>;
  /** Asks it to end and resolves when it has; after half a minute it is killed, and this rejects. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<Exit>;
  /** Sends a signal, if it still runs. After SIGKILL this resolves when it is gone, else at once. */
  readonly kill: (signal: NodeJS.Signals) => Promise<void>;
}

/** A line of the log; further members are those of the message. */
export type LogLine = z.infer<typeof LogLine>;
const LogLine = z.looseObject({ level: z.string(), msg: z.string() });

/** Starts the operator; resolves as soon as it is a process, which is before it works. It ends with this process. */
export async function startOperator({
  kubeconfig,
  env = {},
  args = [],
  logFile,
}: OperatorOptions): Promise<OperatorProcess> {
  const address = `127.0.0.1:${await freePort()}`;
  const child = spawn(process.execPath, ['--import', END_WITH_PARENT, PROGRAM, 'run', ...args], {
    env: { ...inherited('PATH', 'HOME'), KUBECONFIG: kubeconfig, ...env, HTTP_BIND_ADDRESS: address },
    stdio: ['pipe', 'pipe', 'pipe'],
    // In a process group of its own: Ctrl-C is for its parent, which ends it in order.
    detached: true,
  });
  running.add(child);
  const exited = exitOf(child).finally(() => running.delete(child));
  // The pipe breaks when the operator is gone, which `exited` tells.
  child.stdin.on('error', () => {});
  const output = collectOutput(child.stdout, child.stderr, logFile);
  await once(child, 'spawn');

  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    if (signal === 'SIGKILL') await exited;
  };
  return {
    url: `http://${address}`,
    process: child,
    log: output.log,
    otherOutput: () => output.other.join('\n'),
    waitForLog: (predicate, timeoutMs = 30_000) => waitForLog(output, exited, predicate, timeoutMs),
    exited,
    kill,
    stop: async (signal = 'SIGTERM') => {
      child.kill(signal);
      const exit = await within(STOP_MS, exited);
      if (exit !== undefined) return exit;
      await kill('SIGKILL');
      throw new Error(`the operator did not end within ${STOP_MS} ms of ${signal}; ${lastLines(output)}`);
    },
  };
}

/** A TCP port of the loopback interface that nobody listened on a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  server.close();
  await once(server, 'close');
  return port;
}

const END_WITH_PARENT = path.join(import.meta.dirname, 'end-with-parent.mjs');
/** As long as Kubernetes waits for a pod. */
const STOP_MS = 30_000;

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

function inherited(...names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

interface Output {
  readonly log: LogLine[];
  readonly other: string[];
  /** Told of every line of the log as it comes. */
  readonly listeners: Set<(line: LogLine) => void>;
}

function collectOutput(stdout: Readable, stderr: Readable, logFile: string | undefined): Output {
  const output: Output = { log: [], other: [], listeners: new Set() };
  createInterface(stdout).on('line', (text) => {
    const line = parseLogLine(text);
    if (line === undefined) {
      output.other.push(text);
      return;
    }
    output.log.push(line);
    for (const listener of output.listeners) listener(line);
  });
  createInterface(stderr).on('line', (text) => output.other.push(text));
  if (logFile !== undefined) {
    const file = createWriteStream(logFile, { flags: 'a', mode: 0o600 });
    // A folder that was removed meanwhile must not end this process.
    file.on('error', () => {});
    stdout.pipe(file, { end: false });
    stderr.pipe(file, { end: false });
  }
  return output;
}

function parseLogLine(text: string): LogLine | undefined {
  try {
    return LogLine.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

async function waitForLog(
  output: Output,
  exited: Promise<Exit>,
  predicate: (line: LogLine) => boolean,
  timeoutMs: number,
): Promise<LogLine> {
  const present = output.log.find(predicate);
  if (present !== undefined) return present;
  const { promise: found, resolve } = Promise.withResolvers<LogLine>();
  const listener = (line: LogLine): void => {
    if (predicate(line)) resolve(line);
  };
  output.listeners.add(listener);
  try {
    const ended = exited.then((exit) => {
      throw new Error(`the operator ended (${exit}) without the log line that was waited for; ${lastLines(output)}`);
    });
    const line = await within(timeoutMs, Promise.race([found, ended]));
    if (line !== undefined) return line;
    throw new Error(`no such log line within ${timeoutMs} ms; ${lastLines(output)}`);
  } finally {
    output.listeners.delete(listener);
  }
}

/** What the work settles to, or undefined after so many milliseconds. */
async function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  const timer = new AbortController();
  const late = delay(ms, undefined, { signal: timer.signal }).catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    timer.abort();
  }
}

function lastLines({ log, other }: Output): string {
  const lines = [...log.slice(-10).map((line) => JSON.stringify(line)), ...other.slice(-10)];
  return `its last lines:\n${lines.join('\n')}`;
}
