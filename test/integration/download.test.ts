import { readFileSync } from 'node:fs';
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Serving } from '../support/atlas-simulator/files.ts';
import { brokenJob, pendingDownload, youngJob } from '../support/atlas-simulator/recorded-bodies.ts';
import { type AtlasSimulator, startAtlasSimulator } from '../support/atlas-simulator/simulator.ts';
import { DOWNLOAD_FAULTS, OTHER_CONTENT } from '../support/download-faults.ts';
import { contentOf, type Ended, type RunOptions, runDownload, temporaryDirectory } from '../support/download-run.ts';
import { eventually } from '../support/eventually.ts';
import {
  FILE_CONTENT,
  FILE_HEADER,
  FILE_KEY,
  FILE_SHA1,
  type Put,
  type PutOptions,
  putDownload,
  sha1Of,
  WITH_KEY,
  withHash,
} from '../support/put-download.ts';
import { API_KEY, GROUP_ID } from '../support/test-bed.ts';

let atlas: AtlasSimulator;
/** Another origin. */
let other: AtlasSimulator;
let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
/** All that was ever printed. */
const printed: string[] = [];

beforeAll(async () => {
  [atlas, other] = await Promise.all([startAtlasSimulator(), startAtlasSimulator()]);
  atlas.addApiKey({ ...API_KEY, groupIds: [GROUP_ID] });
  other.files.forbid(FILE_HEADER.value);
});
beforeEach(async () => {
  directory = await temporaryDirectory();
});
afterEach(async () => {
  atlas.faults.clear();
  await directory.remove();
});
afterAll(async () => {
  await Promise.all([atlas?.stop(), other?.stop()]);
});

const put = (options?: PutOptions): Put => putDownload({ atlas, other }, options);

async function run(
  { ids }: Pick<Put, 'ids'>,
  args: readonly string[] = [],
  more: Partial<RunOptions> = {},
): Promise<Ended> {
  const env = { ...WITH_KEY, ATLAS_BASE_URL: atlas.url };
  const ended = await runDownload({ env, ...more, args: [...ids, '--directory', directory.path, ...args] });
  printed.push(ended.stdout, ended.stderr);
  return ended;
}

const at = (name: string): string => path.join(directory.path, name);

/** What is in the directory, in short: `NAME 300000`. */
async function onDisk({ name }: Put): Promise<readonly string[]> {
  return Object.entries(await contentOf(directory.path)).map(
    ([file, bytes]) => `${file.replace(name, 'NAME')} ${bytes.byteLength}`,
  );
}

const VERIFIED = ['NAME 300000', 'NAME.sha1 93'];
const CUT: Serving = { kind: 'file', etag: '"v1"', ranges: true, cutAfter: 100_000 };
const WHOLE: Serving = { kind: 'file', etag: '"v1"', ranges: true };

describe('faults', () => {
  test.each(DOWNLOAD_FAULTS)('$fault: exit code $exitCode', async (row) => {
    const download = put(row);
    const { exitCode, stderr } = await run(download, row.args);
    expect({ exitCode, disk: await onDisk(download), requests: download.requests(), stderr }).toEqual({
      exitCode: row.exitCode,
      disk: row.disk,
      requests: row.requests,
      stderr,
    });
    const { [download.name]: brought } = await contentOf(directory.path);
    if (brought !== undefined) expect(sha1Of(brought)).toBe(FILE_SHA1);
  });

  test('no credentials of the API and no header at another origin', () => {
    expect([...atlas.files.violations, ...other.files.violations]).toEqual([]);
  });
});

describe('run again', () => {
  test('a file with its hash beside it is there: no request to the download host, whatever the delivery has come to', async () => {
    const download = put();
    expect((await run(download)).exitCode).toBe(0);
    download.says({
      ...withHash(download.body, download.name, FILE_SHA1),
      delivery: { methodName: 'HTTP', statusName: 'EXPIRED' },
    });
    // The text beside it is compared; the file is not read again.
    await writeFile(at(download.name), 'changed');
    const { exitCode, stdout } = await run(download);
    expect({ exitCode, requests: download.requests() }).toEqual({ exitCode: 0, requests: ['200'] });
    expect(stdout).toMatch(/ is already there and has the hash that the job names\.\n$/);
  });

  test.each<[string, Buffer, NonNullable<PutOptions['hash']>, number, readonly string[]]>([
    ['the right file without its hash', FILE_CONTENT, 'known', 0, VERIFIED],
    ['another file', OTHER_CONTENT, 'known', 9, ['NAME 300000']],
    ['a file, and no hash', FILE_CONTENT, 'never', 10, ['NAME 300000']],
  ])('%s is read and compared, and left as it is', async (_what, content, hash, exitCode, disk) => {
    const download = put({ hash });
    await writeFile(at(download.name), content);
    const ended = await run(download, ['--hash-timeout=1s']);
    expect({ exitCode: ended.exitCode, disk: await onDisk(download) }).toEqual({ exitCode, disk });
    expect(download.requests()).toEqual([]);
    expect(await readFile(at(download.name))).toEqual(content);
  });

  test('--force fetches it again', async () => {
    const download = put({ hash: 'known' });
    await writeFile(at(download.name), OTHER_CONTENT);
    await writeFile(at(`${download.name}.sha1`), 'of the file before');
    expect(await run(download, ['--force'])).toMatchObject({ exitCode: 0 });
    expect(await onDisk(download)).toEqual(VERIFIED);
    expect(await readFile(at(`${download.name}.sha1`), 'utf8')).toBe(`${FILE_SHA1}  ${download.name}\n`);
  });

  test('no hash stays beside a file that it is not of', async () => {
    const download = put({ hash: 'known' });
    await run(download);
    download.says(download.body);
    expect((await run(download, ['--force', '--no-verify'])).exitCode).toBe(0);
    expect(await onDisk(download)).toEqual(['NAME 300000']);
  });

  test('a part is gone on with', async () => {
    const download = put({ servings: [CUT, { kind: 'status', status: 400 }, WHOLE] });
    expect((await run(download)).exitCode).toBe(11);
    expect(await onDisk(download)).toEqual(['NAME.part 100000', 'NAME.part.json 1024']);
    const { exitCode, stdout } = await run(download, ['-o', 'json']);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      file: at(download.name),
      bytes: 300_000,
      sha1: FILE_SHA1,
      verified: true,
      resumed: true,
      seconds: expect.any(Number),
    });
    expect(download.requests()).toEqual(['200', '400 from 100000', '206 from 100000']);
  });

  test('a part that only waits for its hash is not fetched again', async () => {
    const download = put({
      servings: [
        { ...CUT, etag: 'W/"v1"' },
        { ...WHOLE, etag: 'W/"v1"' },
      ],
      hash: 'never',
    });
    expect((await run(download, ['--hash-timeout=1s'])).exitCode).toBe(10);
    download.says(withHash(download.body, download.name, FILE_SHA1));
    expect((await run(download)).exitCode).toBe(0);
    expect(download.requests()).toEqual(['200', '206 from 100000']);
    expect(await onDisk(download)).toEqual(VERIFIED);
  });

  test('the part of another job is started over', async () => {
    const first = put({ servings: [CUT, { kind: 'status', status: 400 }] });
    await run(first, ['--file-name=file.tar.gz']);
    const second = put({ servings: [WHOLE] });
    expect((await run(second, ['--file-name=file.tar.gz'])).exitCode).toBe(0);
    expect(second.requests()).toEqual(['200']);
    expect(sha1Of(await readFile(at('file.tar.gz')))).toBe(FILE_SHA1);
  });

  test('a part without what is known of it is started over', async () => {
    const download = put();
    await writeFile(at(`${download.name}.part`), 'x'.repeat(1_000));
    expect((await run(download)).exitCode).toBe(0);
    expect(await onDisk(download)).toEqual(VERIFIED);
  });

  test('no link is followed to write the hash beside a file', async () => {
    const download = put({ hash: 'known' });
    await writeFile(at(download.name), FILE_CONTENT);
    await writeFile(at('elsewhere'), 'kept');
    await symlink(at('elsewhere'), at(`${download.name}.sha1`));
    expect((await run(download)).exitCode).toBe(0);
    expect(await readFile(at('elsewhere'), 'utf8')).toBe('kept');
    expect(await readFile(at(`${download.name}.sha1`), 'utf8')).toBe(`${FILE_SHA1}  ${download.name}\n`);
  });
});

/** The state of a part that is cut after 100,000 bytes, as a process leaves it that ends without a warning. */
describe('a part of a process that was killed', () => {
  const UNSYNCED = Buffer.concat([FILE_CONTENT.subarray(0, 99_000), Buffer.alloc(1_000)]);
  const HERE = bootId();
  const BEFORE = '11111111-2222-4333-8444-555555555555';
  const untouched = (text: string): string => text;
  const REST = ['200', '400 from 100000', '206 from 100000'];
  const OVER = ['200', '400 from 100000', '200'];

  test.each<{
    readonly found: string;
    readonly part?: Buffer;
    readonly info?: (text: string) => string;
    /** Where its process ran: on a machine that has stopped since, or on another one. */
    readonly boot?: string;
    readonly requests: readonly string[];
  }>([
    { found: 'all bytes', requests: REST },
    {
      found: 'zeros where the last bytes were not synced before its machine stopped',
      part: UNSYNCED,
      boot: BEFORE,
      requests: [...REST, '200'],
    },
    { found: 'fewer bytes', part: FILE_CONTENT.subarray(0, 7), requests: ['200', '400 from 100000', '206 from 7'] },
    { found: 'no byte', part: Buffer.alloc(0), requests: OVER },
    { found: 'more bytes than the file has', part: Buffer.alloc(400_000), info: withLength, requests: OVER },
    { found: 'an empty file beside it', info: () => '', requests: OVER },
    { found: 'a torn file beside it', info: (text) => text.slice(0, 60), requests: OVER },
    { found: 'zeros in the file beside it', info: () => '\0'.repeat(1_024), requests: OVER },
    { found: 'the file beside it of another version', info: () => '{"version":2}', requests: OVER },
  ])('with $found ends in the right file', async ({ part, info = untouched, boot = HERE, requests }) => {
    const download = put({ servings: [CUT, { kind: 'status', status: 400 }, WHOLE], hash: 'known' });
    await run(download);
    const [partFile, infoFile] = [at(`${download.name}.part`), at(`${download.name}.part.json`)];
    if (part !== undefined) await writeFile(partFile, part);
    const heartbeat = new Date(Date.now() - 60_000).toISOString();
    const known: object = JSON.parse(await readFile(infoFile, 'utf8'));
    await writeFile(infoFile, info(JSON.stringify({ ...known, heartbeat, boot })));
    const { exitCode, stderr } = await run(download, [], { limits: { staleHeartbeat: 100 } });
    expect({ exitCode, requests: download.requests(), stderr }).toEqual({ exitCode: 0, requests, stderr });
    expect(await onDisk(download)).toEqual(VERIFIED);
    expect(sha1Of(await readFile(at(download.name)))).toBe(FILE_SHA1);
  });

  function withLength(text: string): string {
    const known: object = JSON.parse(text);
    return JSON.stringify({ ...known, length: 300_000 });
  }

  test.each([
    [
      'whose machine goes on, is the file as far as anybody knows',
      HERE,
      FILE_CONTENT.subarray(0, 100_000),
      ['NAME 300000'],
    ],
    [
      'whose machine stopped, too, is no file: its last bytes may not be its own',
      BEFORE,
      UNSYNCED,
      ['NAME.part 300000', 'NAME.part.json 1024'],
    ],
  ])('without a hash, one %s', async (_, boot, part, expected) => {
    const download = put({ servings: [CUT, { kind: 'status', status: 400 }, WHOLE], hash: 'never' });
    await run(download);
    const infoFile = at(`${download.name}.part.json`);
    const known: object = JSON.parse(await readFile(infoFile, 'utf8'));
    await writeFile(infoFile, JSON.stringify({ ...known, heartbeat: '2026-01-01T00:00:00.000Z', boot }));
    await writeFile(at(`${download.name}.part`), part);
    expect((await run(download, ['--hash-timeout=1s'])).exitCode).toBe(10);
    expect(await onDisk(download)).toEqual(expected);
  });
});

/** As Linux names the start of this machine. */
function bootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return undefined;
  }
}

describe('several at once', () => {
  test('one fetches, the other one waits and finds the file', async () => {
    const download = put();
    const ended = await Promise.all([run(download), run(download), run(download)]);
    expect(ended.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
    expect(download.requests()).toEqual(['200']);
    expect(await onDisk(download)).toEqual(VERIFIED);
  });

  test('a part whose heartbeat goes on is not touched', async () => {
    const download = put({ servings: [{ kind: 'file', stallAfter: 1_000 }] });
    const stop = new AbortController();
    const first = run(download, [], { stop: stop.signal, limits: { silence: 60_000 } });
    await eventually('the file is asked for', () => expect(download.requests()).toHaveLength(1));
    const second = await run(download, [], { limits: { partInUse: 300 } });
    expect(second).toMatchObject({
      exitCode: 11,
      stderr: expect.stringMatching(/is being written by another process/),
    });
    stop.abort(new Error('SIGTERM'));
    expect((await first).exitCode).toBe(130);
    expect(await onDisk(download)).toEqual(['NAME.part 1000', 'NAME.part.json 1024']);
  });

  test('a part whose process is gone is taken over once its heartbeat is old', async () => {
    const download = put({ servings: [CUT, { kind: 'status', status: 400 }, WHOLE] });
    await run(download);
    const info = at(`${download.name}.part.json`);
    const known: object = JSON.parse(await readFile(info, 'utf8'));
    await writeFile(info, JSON.stringify({ ...known, heartbeat: new Date().toISOString() }));
    const { exitCode, stderr } = await run(download, [], { limits: { staleHeartbeat: 2_000, partInUse: 60_000 } });
    expect({ exitCode, requests: download.requests() }).toEqual({
      exitCode: 0,
      requests: ['200', '400 from 100000', '206 from 100000'],
    });
    expect(stderr).toContain('another process writes');
  });
});

describe('a download that is not ready', () => {
  test('is waited for', async () => {
    const download = put();
    download.says(youngJob(download.job));
    const running = run(download, ['--wait']);
    // Once the third request comes, after one for the challenge, the second one has been answered.
    await atlas.requests.until(({ byJobId }) => (byJobId[download.job.jobId] ?? 0) >= 3);
    download.says(download.body);
    const { exitCode, stderr } = await running;
    expect(exitCode).toBe(0);
    expect(stderr).toContain('waiting: IN_PROGRESS, delivery NOT_STARTED\n');
  });

  test.each<[string, number, (download: Put) => void]>([
    ['not ready in time', 3, ({ job, says }) => says(pendingDownload(job))],
    ['broken meanwhile', 4, ({ job, says }) => says(brokenJob(job))],
    ['while Atlas is away', 7, () => atlas.faults.add({ fault: { kind: 'status', status: 503 } })],
  ])('%s: exit code %i', async (_what, exitCode, prepare) => {
    const download = put();
    prepare(download);
    expect(await run(download, ['--wait', '--timeout=1s'])).toMatchObject({ exitCode, stdout: '' });
    expect(await onDisk(download)).toEqual([]);
  });

  test('credentials that are refused end it at once', async () => {
    const env = { ...WITH_KEY, MONGODB_ATLAS_PRIVATE_API_KEY: 'canary-wrong', ATLAS_BASE_URL: atlas.url };
    expect(await run(put(), ['--wait'], { env })).toMatchObject({ exitCode: 5 });
  });
});

describe('a link', () => {
  test('that is replaced while it is denied: the new one goes on', async () => {
    const next = put({ servings: [WHOLE] });
    const download = put({
      servings: [CUT, { kind: 'status', status: 403 }],
      onBegun: () => download.says(withHash(next.body, next.name, FILE_SHA1)),
    });
    const { exitCode, stderr } = await run(download, ['--file-name=file.tar.gz']);
    expect({ exitCode, first: download.requests(), second: next.requests() }).toEqual({
      exitCode: 0,
      first: ['200', '403 from 100000'],
      second: ['206 from 100000'],
    });
    expect(stderr).toContain('The job has another link now.');
  });

  test('of url alone has the key in its path, which is no name of a file', async () => {
    const download = put({ delivery: { urlV2: null, authHeader: null, authValue: null } });
    expect((await run(download)).exitCode).toBe(0);
    expect(await onDisk(download)).toEqual(VERIFIED);
  });

  test('without a file name needs one', async () => {
    const url = `${atlas.url}/backup/restore/`;
    const { exitCode, stderr } = await run(put({ delivery: { urlV2: null, url } }));
    expect(exitCode).toBe(11);
    expect(stderr).toContain('give it a name with --file-name');
  });
});

test('a second full download of few is told before it begins', async () => {
  const { stderr } = await run(
    put({ servings: [{ kind: 'file', cutAfter: 10 }, { kind: 'status', status: 416 }, WHOLE], maxDownloads: 3 }),
  );
  expect(stderr).toContain(
    'This may count as another full download, of which 3 of this file are allowed (maxDownloads).\n',
  );
  const unlimited = await run(
    put({ servings: [{ kind: 'file', cutAfter: 10 }, { kind: 'status', status: 416 }, WHOLE] }),
  );
  expect(unlimited.stderr).not.toContain('may count');
});

describe('the directory', () => {
  test('that is missing, or is a file, is named with the cause', async () => {
    await writeFile(at('file'), '');
    for (const [name, cause] of [
      ['missing', 'the directory does not exist, ENOENT'],
      ['file', 'the directory is none, ENOTDIR'],
    ] as const) {
      const { exitCode, stderr } = await run(put(), [`--directory=${at(name)}`]);
      expect({ exitCode, stderr }).toEqual({ exitCode: 11, stderr: expect.stringContaining(`(${cause}).`) });
    }
  });

  test('is written only where the file belongs: no link is followed, and what is no file is left', async () => {
    const download = put();
    await symlink(at('elsewhere'), at(`${download.name}.part`));
    expect(await run(download)).toMatchObject({
      exitCode: 11,
      stderr: expect.stringContaining('it is a symbolic link'),
    });
    await rm(at(`${download.name}.part`));
    await mkdir(at(download.name));
    expect(await run(download)).toMatchObject({ exitCode: 11, stderr: expect.stringContaining('it is no file') });
    expect(download.requests()).toEqual([]);
  });
});

test('nothing that was printed or written beside the file opens the data or asks Atlas', async () => {
  const secrets = [FILE_HEADER.value, FILE_KEY, encodeURIComponent(FILE_KEY), API_KEY.privateKey, 'canary'];
  for (const secret of secrets) expect(printed.join('')).not.toContain(secret);
  const download = put({ servings: [CUT, { kind: 'status', status: 400 }] });
  await run(download);
  const { [`${download.name}.part.json`]: info = '' } = await contentOf(directory.path);
  for (const secret of [...secrets, atlas.url, 'pull']) expect(info.toString()).not.toContain(secret);
});
