import { createHash, randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Serving } from '../support/atlas-simulator/files.ts';
import type { JsonObject } from '../support/atlas-simulator/json.ts';
import { pendingDownload } from '../support/atlas-simulator/recorded-bodies.ts';
import { type AtlasSimulator, startAtlasSimulator } from '../support/atlas-simulator/simulator.ts';
import { DOWNLOAD_FAULTS, type DownloadFault, OTHER_CONTENT, OTHER_ORIGIN } from '../support/download-faults.ts';
import {
  contentOf,
  downloadDelivery,
  type RunOptions,
  runDownload,
  temporaryDirectory,
  withHash,
} from '../support/download-run.ts';
import { API_KEY, CLUSTER_NAME, GROUP_ID, newJobId } from '../support/test-bed.ts';

const CONTENT = randomBytes(300_000);
const SHA1 = sha1Of(CONTENT);
const HEADER = { name: 'X-Backup-Restore-Key', value: 'canary-header-value' };
/** Atlas's word for it. */
const NO_LIMIT = 2_147_483_647;
const KEY = 'canary+key/of=the url';
const WITH_KEY = {
  MONGODB_ATLAS_PUBLIC_API_KEY: API_KEY.publicKey,
  MONGODB_ATLAS_PRIVATE_API_KEY: API_KEY.privateKey,
};

let atlas: AtlasSimulator;
/** Another origin. */
let other: AtlasSimulator;
let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
/** All that was ever printed. */
const printed: string[] = [];

beforeAll(async () => {
  [atlas, other] = await Promise.all([startAtlasSimulator(), startAtlasSimulator()]);
  atlas.addApiKey({ ...API_KEY, groupIds: [GROUP_ID] });
  other.files.forbid(HEADER.value);
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

function sha1Of(content: Uint8Array): string {
  return createHash('sha1').update(content).digest('hex');
}

interface Put {
  readonly name: string;
  /** The ids. */
  readonly args: readonly string[];
  /** What Atlas says of the job before anybody has downloaded its file. */
  readonly body: JsonObject;
  /** What Atlas says from now on. */
  readonly says: (body: JsonObject) => void;
}

type PutOptions = Partial<Pick<DownloadFault, 'servings' | 'hash' | 'delivery' | 'maxDownloads'>>;

/** A file at the simulator and its job, whose hash appears once the file was downloaded. */
function put({ servings = [], hash = 'right', delivery = {}, maxDownloads = NO_LIMIT }: PutOptions = {}): Put {
  const job = { groupId: GROUP_ID, clusterName: CLUSTER_NAME, jobId: newJobId() };
  const name = `shard-0-1516661094-${job.jobId}.tar.gz`;
  const says = (said: JsonObject): void => atlas.putJob(job, { kind: 'fixed', body: said });
  const elsewhere = other.files.put({ name, content: CONTENT, key: KEY, onDownloaded: () => tellHash() });
  const offer = { name, content: CONTENT, key: KEY, header: HEADER, maxDownloads, onDownloaded: () => tellHash() };
  const offered = atlas.files.put({
    ...offer,
    servings: servings.map((serving) => redirected(serving, other.url + elsewhere.path)),
    onBegun: (count) => {
      if (count === maxDownloads) says({ ...body, delivery: { ...delivered, statusName: 'MAX_DOWNLOADS_EXCEEDED' } });
    },
  });
  const delivered = downloadDelivery(atlas, offered, { header: HEADER, maxDownloads, ...delivery });
  const body = { ...pendingDownload(job), delivery: delivered };
  says(hash === 'known' ? withHash(body, name, SHA1) : body);

  function tellHash(): void {
    const told = withHash(body, name, hash === 'wrong' ? sha1Of(OTHER_CONTENT) : SHA1);
    if (hash === 'right' || hash === 'wrong') says(told);
    if (hash === 'late') atlas.putJob(job, { kind: 'timeline', steps: [body, told].map(after(200)) });
  }
  const args = [`--group-id=${GROUP_ID}`, `--cluster-name=${CLUSTER_NAME}`, `--job-id=${job.jobId}`];
  return { name, args, body, says };
}

const after = (ms: number) => (body: JsonObject, index: number) => ({ afterMs: index * ms, body });

function redirected(serving: Serving, elsewhere: string): Serving {
  return serving.kind === 'redirect' && serving.location === OTHER_ORIGIN
    ? { ...serving, location: elsewhere }
    : serving;
}

async function run(args: readonly string[], more: Partial<RunOptions> = {}) {
  const env = { ...WITH_KEY, ATLAS_BASE_URL: atlas.url };
  const ended = await runDownload({ env, ...more, args: [...args, '--directory', directory.path] });
  printed.push(ended.stdout, ended.stderr);
  return ended;
}

/** The requests for a file in short: `200`, `206 from 100000`. */
const requestsOf = (name: string): readonly string[] =>
  [...atlas.files.requests, ...other.files.requests]
    .filter((request) => request.name === name)
    .map(({ status, range }) => `${status}${range === undefined ? '' : ` from ${range.slice(6, -1)}`}`);

/** What is in the directory, in short: `NAME 300000`. */
async function onDisk(name: string): Promise<readonly string[]> {
  return Object.entries(await contentOf(directory.path)).map(
    ([file, bytes]) => `${file.replace(name, 'NAME')} ${bytes.byteLength}`,
  );
}

describe('faults', () => {
  test.each(DOWNLOAD_FAULTS)('$fault: exit code $exitCode', async (row) => {
    const { name, args } = put(row);
    const { exitCode, stderr } = await run([...args, ...(row.args ?? [])]);
    expect({ exitCode, disk: await onDisk(name), requests: requestsOf(name), stderr }).toEqual({
      exitCode: row.exitCode,
      disk: row.disk,
      requests: row.requests,
      stderr,
    });
    const { [name]: brought } = await contentOf(directory.path);
    if (brought !== undefined) expect(sha1Of(brought)).toBe(SHA1);
  });
});

afterAll(() => {
  expect([...atlas.files.violations, ...other.files.violations]).toEqual([]);
});
