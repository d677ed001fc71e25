/** The command `download` in this process, against a simulator, with limits that tests have no need to wait for. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { download } from '../../src/download/download.ts';
import { LIMITS, type Limits } from '../../src/download/limits.ts';

/** Everything happens soon. */
export const QUICK: Limits = {
  ...LIMITS,
  poll: 10,
  rights: 100,
  requestReconcile: 50,
  silence: 1_000,
  backoff: { first: 1, longest: 5 },
  retryAfter: 50,
  heartbeat: 50,
  staleHeartbeat: 30_000,
  partInUse: 60_000,
  progress: 50,
};

export interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly limits?: Partial<Limits>;
  readonly stop?: AbortSignal;
}

/** Runs the command to its end. */
export async function runDownload({ args, env, limits = {}, stop }: RunOptions): Promise<Ended> {
  let [stdout, stderr] = ['', ''];
  const exitCode = await download(
    args,
    {
      env,
      stdout: { write: (text) => (stdout += text) },
      stderr: { write: (text) => (stderr += text) },
      stop: stop ?? new AbortController().signal,
      version: '0.0.0-test',
    },
    { ...QUICK, ...limits },
  );
  return { exitCode, stdout, stderr };
}

/** A directory of its own, which is removed with `remove`. */
export async function temporaryDirectory(): Promise<{ readonly path: string; readonly remove: () => Promise<void> }> {
  const directory = await mkdtemp(path.join(tmpdir(), 'legacy-restore-operator-download-'));
  return { path: directory, remove: () => rm(directory, { recursive: true, force: true }) };
}

/** What is in a directory: names with their bytes. */
export async function contentOf(directory: string): Promise<Readonly<Record<string, Buffer>>> {
  const names = (await readdir(directory)).sort();
  const entries = await Promise.all(
    names.map(async (name) => [name, await readFile(path.join(directory, name))] as const),
  );
  return Object.fromEntries(entries);
}
