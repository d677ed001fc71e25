import { execFile } from 'node:child_process';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

/** The servers of a control plane, in the order in which they are ended. */
export type ServerName = 'kube-apiserver' | 'etcd';

/**
 * Writes a script that starts a server of the control plane in `dir` and returns its path. The server's process id is in
 * `dir` before the server runs, so that whoever ends the control plane finds it, at whatever moment its owner died.
 */
export async function writeLauncher(dir: string, name: ServerName, binary: string): Promise<string> {
  const launcher = path.join(dir, name);
  const quoted = `'${binary.replaceAll("'", String.raw`'\''`)}'`;
  // After endServers has renamed the folder, mv fails, and nothing is started any more.
  const script = `#!/bin/sh\necho $$ >"$0.pid.new" && mv "$0.pid.new" "$0.pid" && exec ${quoted} "$@"\n`;
  await writeFile(launcher, script, { mode: 0o755 });
  return launcher;
}

/** The process id of a server that was started by its launcher; undefined when it was not, or was ended. */
export async function serverPid(dir: string, name: ServerName): Promise<number | undefined> {
  try {
    return Number(await readFile(path.join(dir, `${name}.pid`), 'utf8'));
  } catch {
    return undefined;
  }
}

/** Whether a process is a running server of the control plane in `dir`: not a zombie, nor a stranger with its number. */
export async function isServer(pid: number, dir: string): Promise<boolean> {
  return (await commandLine(pid)).includes(`${dir}/`);
}

/** Sends a signal to a server and resolves when it is gone. */
export async function killServer(dir: string, name: ServerName, signal: NodeJS.Signals): Promise<void> {
  const pid = await serverPid(dir, name);
  if (pid === undefined || !(await isServer(pid, dir))) throw new Error(`${name} is not running`);
  kill(pid, signal);
  await gone(pid, dir);
  await rm(path.join(dir, `${name}.pid`), { force: true });
}

/** Ends the servers of the control plane in `dir`, and removes the folder. A second call finishes what one left. */
export async function endServers(dir: string): Promise<void> {
  const ending = `${dir}.ending`;
  try {
    await rename(dir, ending);
  } catch {
    // It was renamed or removed before.
  }
  const order: readonly ServerName[] = ['kube-apiserver', 'etcd'];
  for (const name of order) {
    const pid = await serverPid(ending, name);
    if (pid === undefined || !(await isServer(pid, dir))) continue;
    kill(pid, 'SIGTERM');
    if (await gone(pid, dir, PATIENCE_MS)) continue;
    kill(pid, 'SIGKILL');
    await gone(pid, dir);
  }
  await rm(ending, { recursive: true, force: true, maxRetries: 5 });
}

/** An API server leaves in about a second, but waits a minute for open watches. */
const PATIENCE_MS = 2_000;

async function gone(pid: number, dir: string, patienceMs = Number.POSITIVE_INFINITY): Promise<boolean> {
  const deadline = performance.now() + patienceMs;
  while (await isServer(pid, dir)) {
    if (performance.now() > deadline) return false;
    await delay(20);
  }
  return true;
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself since it was looked at.
  }
}

const run = promisify(execFile);

/** The command line of a process; empty for a zombie, whose parent may never collect it, and for one that is gone. */
async function commandLine(pid: number): Promise<string> {
  try {
    // Small container images have no ps.
    if (process.platform === 'linux') return await readFile(`/proc/${pid}/cmdline`, 'utf8');
    return (await run('ps', ['-ww', '-o', 'command=', '-p', String(pid)])).stdout;
  } catch {
    return '';
  }
}
