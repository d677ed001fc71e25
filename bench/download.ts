/** A download beside `curl | tee | sha1sum`: the same bytes from the same server into the same directory, in turns. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { fetchedDownload } from '../test/support/atlas-simulator/recorded-bodies.ts';
import { type Atlas, startAtlas } from './atlas.ts';
import { sha1OfFile } from './file-content.ts';
import { API_KEY, benchJob } from './jobs.ts';
import { usageOf } from './measured-process.ts';
import { bundleCommand } from './subjects.ts';
import type { Take } from './workloads.ts';

/** Each size once; the smallest one tells what the process takes whatever it fetches. Bytes. */
export async function downloads(sizes: readonly number[], run: number, take: Take, signal: AbortSignal): Promise<void> {
  await using cleanup = new AsyncDisposableStack();
  const atlas = await startAtlas();
  cleanup.defer(() => atlas.stop());
  const server = await startFileServer();
  cleanup.defer(() => server.child.disconnect());
  for (const bytes of sizes) {
    const file = await putFile(atlas, server.origin, bytes);
    const subjects = [fetchWithOperator(atlas, file), fetchWithCurl(file)];
    // Which comes first in one round comes last in the next.
    for (const subject of run % 2 === 0 ? subjects : subjects.toReversed()) {
      signal.throwIfAborted();
      take(downloadRow(bytes), subject.name, await measured(subject, bytes));
    }
  }
}

export const downloadRow = (bytes: number): string =>
  `download of ${bytes >= 1_024 ** 3 ? `${bytes / 1_024 ** 3} GiB` : `${bytes / 1_024 ** 2} MiB`}`;

/** A file of the download host, and its job. */
interface BenchFile {
  readonly name: string;
  readonly url: string;
  readonly sha1: string;
  readonly ids: readonly string[];
}

interface Fetcher {
  readonly name: string;
  readonly start: (directory: string) => Promise<ChildProcess>;
  /** Throws where the directory does not hold the file, verified. */
  readonly check: (directory: string) => Promise<void>;
}

async function startFileServer(): Promise<{ readonly child: ChildProcess; readonly origin: string }> {
  const child = fork(path.join(import.meta.dirname, 'file-server.ts'));
  const [message] = await once(child, 'message');
  return { child, origin: `http://127.0.0.1:${z.object({ port: z.number() }).parse(message).port}` };
}

async function putFile(atlas: Atlas, origin: string, bytes: number): Promise<BenchFile> {
  const job = benchJob(bytes % 97);
  const name = `file-${bytes}`;
  const url = `${origin}/${name}`;
  const sha1 = sha1OfFile(bytes);
  const { groupId, clusterName, jobId } = job.identity;
  const fetched = fetchedDownload(job.identity, '2099-01-01T00:00:00Z');
  const delivery = { methodName: 'HTTP', statusName: 'READY', url };
  const hashes = [{ fileName: name, hash: sha1, typeName: 'SHA1' }];
  await atlas.put([{ job, phase: 'finished', body: { ...fetched, delivery, hashes } }]);
  return {
    name,
    url,
    sha1,
    ids: [`--group-id=${groupId}`, `--cluster-name=${clusterName}`, `--job-id=${jobId}`],
  };
}

const fetchWithOperator = (atlas: Atlas, { name, sha1, ids }: BenchFile): Fetcher => ({
  name: 'operator',
  start: async (directory) => {
    const { program, args, env } = await bundleCommand('download');
    const own = {
      ...env,
      ATLAS_BASE_URL: atlas.url,
      MONGODB_ATLAS_PUBLIC_API_KEY: API_KEY.publicKey,
      MONGODB_ATLAS_PRIVATE_API_KEY: API_KEY.privateKey,
    };
    return spawn(program, [...args, ...ids, `--directory=${directory}`], { env: own, stdio: ['ignore', 'ignore', 2] });
  },
  check: async (directory) => expectSha1(path.join(directory, `${name}.sha1`), sha1),
});

const fetchWithCurl = ({ name, url, sha1 }: BenchFile): Fetcher => ({
  name: 'curl',
  start: (directory) => {
    const script = 'set -o pipefail; curl --fail --silent "$1" | tee "$2" | sha1sum > "$2.sha1"';
    return Promise.resolve(
      spawn('bash', ['-c', script, 'bash', url, path.join(directory, name)], { stdio: ['ignore', 'ignore', 2] }),
    );
  },
  check: async (directory) => expectSha1(path.join(directory, `${name}.sha1`), sha1),
});

async function expectSha1(file: string, sha1: string): Promise<void> {
  const text = await readFile(file, 'utf8');
  if (!text.startsWith(sha1)) throw new Error(`${file} has ${text.trim()} instead of ${sha1}`);
}

const SAMPLE_MS = 20;

async function measured({ name, start, check }: Fetcher, bytes: number) {
  const directory = await mkdtemp(path.join(MEMORY ?? tmpdir(), 'legacy-restore-operator-bench-'));
  try {
    const startedAt = performance.now();
    const child = await start(directory);
    const exited = once(child, 'exit');
    let [cpuSeconds, peakMiB, peakAnonymousMiB] = [0, 0, 0];
    const ended = exited.then(() => 'ended' as const);
    while ((await Promise.race([ended, delay(SAMPLE_MS, 'sample')])) === 'sample') {
      const usage = await usageOf(child.pid ?? 0).catch(() => undefined);
      // What children of a shell took is lost between their end and the shell's.
      cpuSeconds = Math.max(cpuSeconds, usage?.cpuSeconds ?? 0);
      // One that has just ended has no memory any more.
      peakMiB = Math.max(peakMiB, usage?.peakMiB || 0);
      peakAnonymousMiB = Math.max(peakAnonymousMiB, usage?.anonymousMiB || 0);
    }
    const wallSeconds = (performance.now() - startedAt) / 1_000;
    const [code] = await exited;
    if (code !== 0) throw new Error(`${name} ended with ${String(code)}`);
    await check(directory);
    return { cpuSeconds, peakMiB, peakAnonymousMiB, wallSeconds, mebibytesPerSecond: bytes / 1_024 ** 2 / wallSeconds };
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** A file system in memory, where there is one: what is compared is programs, not disks. */
const MEMORY = await stat('/dev/shm').then(
  () => '/dev/shm',
  () => undefined,
);
