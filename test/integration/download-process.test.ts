import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Serving } from '../support/atlas-simulator/files.ts';
import { contentOf, temporaryDirectory } from '../support/download-run.ts';
import { eventually } from '../support/eventually.ts';
import { PROGRAM } from '../support/program.ts';
import { FILE_HEADER, FILE_KEY, FILE_SHA1, type Put, putDownload, WITH_KEY } from '../support/put-download.ts';
import { type SecureAtlas, startSecureAtlas } from '../support/secure-atlas.ts';
import { API_KEY, GROUP_ID } from '../support/test-bed.ts';

/** The command as a process, and a download host behind TLS with a CA of its own. */
let atlas: SecureAtlas;
let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeAll(async () => {
  atlas = await startSecureAtlas();
  atlas.addApiKey({ ...API_KEY, groupIds: [GROUP_ID] });
});
beforeEach(async () => {
  directory = await temporaryDirectory();
});
afterEach(() => directory.remove());
afterAll(() => atlas?.stop());

const STALLED: Serving = { kind: 'file', etag: '"v1"', ranges: true, stallAfter: 100_000 };
const WHOLE: Serving = { kind: 'file', etag: '"v1"', ranges: true };
const SECRETS = [FILE_HEADER.value, FILE_KEY, encodeURIComponent(FILE_KEY), API_KEY.privateKey];

interface Launch {
  readonly env?: NodeJS.ProcessEnv;
  /** Flags of Node.js. */
  readonly node?: readonly string[];
  /** The program, with its arguments, that starts the command. */
  readonly prefix?: readonly string[];
}

function start({ ids }: Put, more: Launch = {}) {
  const { PATH = '' } = process.env;
  const env = { PATH, HOME: '/nowhere', ATLAS_BASE_URL: atlas.url, NODE_EXTRA_CA_CERTS: atlas.caFile, ...WITH_KEY };
  const command = [process.execPath, ...(more.node ?? []), PROGRAM, 'download', ...ids, '--directory', directory.path];
  const [program = '', ...args] = [...(more.prefix ?? []), ...command];
  const child = spawn(program, args, { env: { ...env, ...more.env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const { promise: ended, resolve } = Promise.withResolvers<{ exitCode: unknown; stdout: string; stderr: string }>();
  child.once('close', (code, signal) => resolve({ exitCode: code ?? signal, stdout, stderr }));
  return { child, ended };
}

const partOf = ({ name }: Put): string => path.join(directory.path, `${name}.part`);

async function sizeReaches(file: string, size: number): Promise<void> {
  await eventually('the part is written', async () => expect((await readFile(file)).byteLength).toBe(size));
}

test('SIGTERM keeps the part, and the same command goes on with it at once', async () => {
  const download = putDownload({ atlas }, { servings: [STALLED, WHOLE] });
  const first = start(download);
  await eventually('the file is asked for', () => expect(download.requests()).toHaveLength(1));
  await eventually('the part is known', () =>
    readFile(`${partOf(download)}.json`, 'utf8').then((text) => expect(text).toContain('"fullTries":1')),
  );
  first.child.kill('SIGTERM');
  expect(await first.ended).toMatchObject({ exitCode: 130, stdout: '' });
  const kept = (await readFile(partOf(download))).byteLength;
  expect(JSON.parse(await readFile(`${partOf(download)}.json`, 'utf8'))).not.toHaveProperty('heartbeat');
  const { exitCode, stdout } = await start(download).ended;
  expect({ exitCode, requests: download.requests() }).toEqual({ exitCode: 0, requests: ['200', `206 from ${kept}`] });
  expect(stdout).toContain(FILE_SHA1);
});

test('a process that was killed leaves a part that the next one takes over once its heartbeat is old', async () => {
  // More than what waits in memory, so that some of it is in the file.
  const content = Buffer.alloc(8 * 1_024 ** 2, 'x');
  const stalled: Serving = { ...STALLED, stallAfter: 5 * 1_024 ** 2 };
  const download = putDownload({ atlas }, { content, servings: [stalled, WHOLE] });
  const first = start(download);
  await eventually('some of it is written', async () =>
    expect((await readFile(partOf(download))).byteLength).toBeGreaterThanOrEqual(1_024 ** 2),
  );
  first.child.kill('SIGKILL');
  await first.ended;
  const info = `${partOf(download)}.json`;
  const known: object = JSON.parse(await readFile(info, 'utf8'));
  await writeFile(info, JSON.stringify({ ...known, heartbeat: '2026-01-01T00:00:00.000Z' }));
  expect(await start(download).ended).toMatchObject({ exitCode: 0 });
  expect(download.requests()).toEqual(['200', expect.stringMatching(/^206 from \d{7}$/)]);
  expect((await contentOf(directory.path))[download.name]?.equals(content)).toBe(true);
});

describe('a file that has no room', () => {
  const BYTES = 8 * 1_024 ** 2;
  /** A multiple of 512, the unit of ulimit. */
  const ROOM = 2_560_000;
  const content = randomBytes(BYTES);
  const preloaded = ['--import', path.join(import.meta.dirname, '../support/full-disk.mjs')];

  test.each<[string, Launch, RegExp]>([
    [
      'on a full disk',
      { node: preloaded, env: { DISK_BYTES: String(ROOM) } },
      /\.part cannot be written \(no space is left, ENOSPC\)\. Free some space and run the command again/,
    ],
    [
      'because of a limit for files',
      { prefix: ['sh', '-c', `ulimit -f ${ROOM / 512} && exec "$@"`, 'sh'] },
      /\.part cannot be written \(a file of this size is not allowed here, EFBIG\)\. .*ulimit -f/,
    ],
  ])('%s is named with the remedy, and what came is kept for the next run', async (_where, launch, message) => {
    const download = putDownload({ atlas }, { content, servings: [WHOLE] });
    expect(await start(download, launch).ended).toMatchObject({ exitCode: 11, stderr: expect.stringMatching(message) });
    const kept = (await readFile(partOf(download))).byteLength;
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(BYTES);
    // Still full.
    expect(await start(download, launch).ended).toMatchObject({ exitCode: 11 });
    expect(await start(download).ended).toMatchObject({ exitCode: 0 });
    expect(download.requests()).toEqual([
      '200',
      ...Array.from({ length: 2 }, () => expect.stringMatching(/^206 from /)),
    ]);
    expect((await readFile(path.join(directory.path, download.name))).equals(content)).toBe(true);
  });

  test('on a disk without room for what is known of it loses nothing', async () => {
    const download = putDownload({ atlas }, { content, servings: [WHOLE] });
    await start(download, { node: preloaded, env: { DISK_BYTES: String(ROOM) } }).ended;
    const before = await contentOf(directory.path);
    const { exitCode, stderr } = await start(download, { node: preloaded, env: { DISK_BYTES: '0' } }).ended;
    expect({ exitCode, stderr }).toEqual({ exitCode: 11, stderr: expect.stringContaining('no space is left, ENOSPC') });
    expect(await contentOf(directory.path)).toEqual(before);
    expect(download.requests()).toEqual(['200']);
  });
});

test('no secret stands in the command line or the files of a process that fetches, nor in what it says', async () => {
  const download = putDownload({ atlas }, { servings: [STALLED] });
  const { child, ended } = start(download);
  await sizeReaches(`${partOf(download)}.json`, 1_024);
  await eventually('the file is asked for', () => expect(download.requests()).toHaveLength(1));
  const commandLine = await readFile(`/proc/${child.pid}/cmdline`, 'utf8');
  const environment = await readFile(`/proc/${child.pid}/environ`, 'utf8');
  child.kill('SIGINT');
  const { stdout, stderr } = await ended;
  const files = await contentOf(directory.path);
  const written = Object.entries(files).flatMap(([name, bytes]) => [name, bytes.toString('latin1')]);
  for (const secret of SECRETS)
    for (const text of [commandLine, stdout, stderr, ...written]) expect(text).not.toContain(secret);
  // Only what was given there.
  expect(environment).toContain(API_KEY.privateKey);
  for (const secret of SECRETS.slice(0, 3)) expect(environment).not.toContain(secret);
  expect(await readdir(directory.path)).toEqual([`${download.name}.part`, `${download.name}.part.json`]);
});

test('a download host whose certificate nobody trusts is told at once, with what to do', async () => {
  const download = putDownload({ atlas });
  const other = await startSecureAtlas();
  try {
    download.says({
      ...download.body,
      delivery: { ...Object(download.body['delivery']), urlV2: null, url: `${other.url}/backup/restore/file.tar.gz` },
    });
    const { exitCode, stderr } = await start(download).ended;
    expect({ exitCode, stderr }).toEqual({ exitCode: 11, stderr: expect.stringContaining('NODE_EXTRA_CA_CERTS') });
  } finally {
    await other.stop();
  }
});

test('a Node.js without SHA-1 is told before anything is asked', async () => {
  const download = putDownload({ atlas });
  const node = ['--import', path.join(import.meta.dirname, '../support/without-sha1.mjs')];
  const { exitCode, stderr } = await start(download, { node }).ended;
  expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining('does not compute SHA-1') });
  expect(download.requests()).toEqual([]);
});
