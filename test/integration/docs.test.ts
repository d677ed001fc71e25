/** What the documentation tells people to type is typed here: blocks marked as runnable, in order, page by page. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as z from 'zod';
import {
  atlasDate,
  automatedRestore,
  brokenJob,
  endedDownload,
  pendingDownload,
  readyDownload,
  shardedBatch,
  urlV2Download,
  youngJob,
} from '../support/atlas-simulator/recorded-bodies.ts';
import { type Demo, startDemo } from '../support/demo.ts';
import { LEADER_ELECTION } from '../support/installation.ts';
import { type CodeBlock, readPages } from '../support/markdown.ts';
import { PROGRAM } from '../support/program.ts';
import { GROUP_ID, startTestBed, type TestBed } from '../support/test-bed.ts';

/** The ids and credentials that the pages use. */
const FRIDAY = { groupId: GROUP_ID, clusterName: 'Cluster0', jobId: '6b77893b80eef5354c77ee15' };
const OLD = { ...FRIDAY, jobId: '5a66783b80eef5354c77ee13' };
const CUSTOMERS = { groupId: GROUP_ID, clusterName: 'Customers', jobId: '6b7789d380eef5354c77ee4b' };
const INVENTORY = { groupId: GROUP_ID, clusterName: 'Inventory', jobId: '6b8f03c280eef5354c77ef01' };
const BATCH = {
  groupId: GROUP_ID,
  clusterName: 'Orders',
  batchId: '5c1e0a9e80eef5354c2b6a10',
  jobIds: ['5c1e0a9f80eef5354c2b6a11', '5c1e0a9f80eef5354c2b6a12', '5c1e0a9f80eef5354c2b6a13'],
} as const;
const API_KEY = { publicKey: 'your-public-key', privateKey: 'your-private-key' };
const ACCOUNT = { clientId: 'mdb_sa_id_5f0000000000000000000001', clientSecret: 'your-client-secret' };
const FILE = { name: 'customers.tar.gz', content: Buffer.from('a file\n'), key: 'key-of-the-download' };
const HEADER = { name: 'X-Backup-Restore-Key', value: FILE.key };
/** Of the Job that fetches, of its service account and of its volume claim. */
const DOWNLOAD = 'download-customers-friday';
const EXPIRES = atlasDate(Date.now() + 48 * 3_600_000);

const FIRST_RESOURCE = `
kubectl apply -f deploy/samples/credentials-secret.yaml -f deploy/samples/restore-job.yaml
kubectl wait --for=condition=Reconciling=false lrj/cluster0-friday --timeout=1m`;
/** The demo takes a minute, and a job of it most of another one; other tests run beside it. */
const DEMO_MS = 600_000;
const README = 'README.md';
const RECIPES = 'docs/recipes.md';
/** These are for people who have the first resource already. */
const AFTER_THE_FIRST_RESOURCE = new Set(['docs/concepts.md', 'docs/troubleshooting.md']);

const ALL_PAGES = readPages();
const PAGES = ALL_PAGES.map(({ file, blocks }) => ({ file, blocks: blocks.filter(({ runnable }) => runnable) })).filter(
  ({ blocks }) => blocks.length > 0,
);

let bed: TestBed;
let directory: string;
/** What a fresh clone has, and what the pages write there. */
let checkout: string;
/** The cluster of `npm run demo -- --keep`: README.md is for who has nothing else. */
let demo: Promise<Demo>;
/** How every command that the demo prints ended, but for those that go on until Ctrl-C. */
let demoCommands: Promise<readonly (Ended & { readonly command: string })[]>;
/** How each block of each page ended. */
let results: ReadonlyMap<CodeBlock, Promise<Ended>>;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'legacy-restore-operator-docs-'));
  checkout = await checkOut();
  demo = startDemo();
  bed = await startTestBed({}, { tls: false });
  await bed.createSecret('atlas-account', ACCOUNT);
  putJobs();
  await bed.startOperator({
    DEFAULT_INTERVAL: '10s',
    ...LEADER_ELECTION,
  });
  // All pages at once: what takes time is the waiting.
  results = new Map(PAGES.flatMap(runPage));
  // Both at once are more requests than Atlas allows.
  demoCommands = Promise.all(PAGES.filter(({ file }) => file === README).flatMap(resultsOf))
    .then(() => demo)
    .then(runDemoCommands);
  demoCommands.catch(() => {});
});
afterAll(async () => {
  await demo?.then(({ interrupt }) => interrupt());
  await bed?.stop();
  if (directory !== undefined) await rm(directory, { recursive: true });
});

test('the pages that people type from have runnable blocks', () => {
  const pages = [README, RECIPES, 'docs/concepts.md', 'docs/credentials.md', 'docs/troubleshooting.md'];
  expect(PAGES.map(({ file }) => file)).toEqual(expect.arrayContaining(pages));
});

test('a block that fails ends with its exit code, also in the middle of a pipe', async () => {
  const environment = await pageEnvironment('failing', 'default');
  expect(await run('bash', ['-euo', 'pipefail', '-c', 'sh -c "echo oops; exit 3" | cat\ntrue'], environment)).toEqual({
    code: 3,
    output: 'oops\n',
  });
});

describe('the recipe that waits', () => {
  /** A block of the recipe, for another resource and another job. */
  const blockWith = (part: string, name: string, jobId: string): string =>
    inNamespace('payments', blockOf(RECIPES, part).text)
      .replaceAll('cluster0-friday', name)
      .replaceAll(FRIDAY.jobId, jobId);

  const EXPIRED = { ...FRIDAY, jobId: '6b77893b80eef5354c77eea0' };
  const AUTOMATED = { ...FRIDAY, jobId: '6b77893b80eef5354c77eea1' };
  test.each([
    ['expired', EXPIRED, endedDownload(EXPIRED, 'EXPIRED', '2018-01-22T23:49:38Z'), 'DownloadExpired'],
    ['automated', AUTOMATED, automatedRestore(AUTOMATED), 'nothing to download'],
  ])('it ends at once where there is nothing to download: %s', async (name, job, body, told) => {
    bed.atlas.putJob(job, { kind: 'fixed', body });
    const environment = await pageEnvironment(name, 'payments');
    const wait = blockWith('lrj/cluster0-friday --timeout=0', name, job.jobId);
    expect(await runBlock(wait, environment)).toMatchObject({ code: 0 });
    const { code, output } = await runBlock(blockWith('= DownloadPending', name, job.jobId), environment);
    expect(output).toContain(`DownloadAvailable: ${told}`);
    expect(code).toBe(1);
  });

  test('it ends at once where there is no such resource', async () => {
    const environment = await pageEnvironment('absent', 'payments');
    const { code, output } = await runBlock(blockWith('= DownloadPending', 'absent', FRIDAY.jobId), environment);
    expect(output).toContain('"absent" not found');
    expect(code).toBe(1);
  });

  test('it says so at its deadline', async () => {
    const pending = { ...FRIDAY, jobId: '6b77893b80eef5354c77eea2' };
    bed.atlas.putJob(pending, { kind: 'fixed', body: pendingDownload(pending) });
    const environment = await pageEnvironment('pending', 'payments');
    await runBlock(blockWith('lrj/cluster0-friday --timeout=0', 'pending', pending.jobId), environment);
    const loop = blockWith('= DownloadPending', 'pending', pending.jobId).replace('3600', '1');
    const { code, output } = await runBlock(loop, environment);
    expect(output).toContain('The file was not ready within an hour.');
    expect(code).toBe(1);
  });

  test('it ends with the reason as soon as the job has broken', async () => {
    const broken = { ...FRIDAY, jobId: '6b77893b80eef5354c77ee99' };
    bed.atlas.putJob(broken, { kind: 'fixed', body: brokenJob(broken) });
    const environment = await pageEnvironment('broken', 'payments');
    const wait = blockWith('lrj/cluster0-friday --timeout=0', 'broken', broken.jobId);
    const { code, output } = await runBlock(wait, environment);
    expect(output).toContain('The restore job broke at Atlas');
    expect(code).toBe(1);
  });
});

describe('the recipe that fetches', () => {
  let environment: Environment;
  let args: readonly string[];
  beforeAll(async () => {
    // The one that runs the Job again, after the one that applies it.
    await results.get(blockOf(RECIPES, 'delete job download-customers-friday'));
    environment = baseEnvironment(await bed.controlPlane.serviceAccountKubeconfig('restores', DOWNLOAD));
    args = await argsOfJob('restores', DOWNLOAD);
  });

  test('its service account can read the one resource and its Secret, and nothing else', async () => {
    const may = async (...what: readonly string[]): Promise<string> =>
      (await run('kubectl', ['auth', 'can-i', ...what], environment)).output.trim();
    expect(await may('get', 'lrj/customers-friday')).toBe('yes');
    expect(await may('get', 'secret/customers-friday-download')).toBe('yes');
    expect(await may('get', 'lrj/cluster0-friday')).toBe('no');
    expect(await may('get', 'secret/atlas-account')).toBe('no');
    expect(await may('list', 'secrets')).toBe('no');
    expect(await may('patch', 'lrj/customers-friday')).toBe('no');
  });

  /** What the container does, with a folder in the place of its volume. */
  const runJob = (volume: string): Promise<Ended> =>
    run(process.execPath, [PROGRAM, ...args.map((arg) => (arg === '/restore' ? volume : arg))], environment);
  const newVolume = (): Promise<string> => mkdtemp(path.join(directory, 'volume-'));

  test('the Job brings the file with the header and verifies it; run again, it ends without a request', async () => {
    const volume = await newVolume();
    const first = await runJob(volume);
    expect(first.output).toContain('has the hash that the job names');
    expect(first.code).toBe(0);
    expect((await readdir(volume)).sort()).toEqual([FILE.name, `${FILE.name}.sha1`]);
    const requests = () => bed.atlas.files.requests.filter(({ name }) => name === FILE.name);
    expect(requests()).toEqual([expect.objectContaining({ status: 200, hasHeader: true })]);
    const second = await runJob(volume);
    expect(second.output).toContain('is already there');
    expect(second.code).toBe(0);
    expect(requests()).toHaveLength(1);
  });

  test('the Job ends with an exit code that fails it at once when the file has another hash', async () => {
    bed.atlas.setBody(CUSTOMERS.jobId, customersBody('f'.repeat(40)));
    await reconcileCustomers();
    const { code, output } = await runJob(await newVolume());
    expect(output).toContain('Do not use it');
    expect(code).toBe(9);
    expect(await failingCodes('restores', DOWNLOAD)).toContain(9);
  });
});

// Some of these wait for the demo, which takes a minute: the tests above run meanwhile.

describe.each(PAGES)('$file', ({ blocks }) => {
  test.each(blocks)(
    '$where runs',
    async (block) => {
      const { code, output } = (await results.get(block)) ?? { code: undefined, output: 'not run' };
      if (code !== 0) throw new Error(`${block.where} ended with exit code ${code}:\n${block.text}\n---\n${output}`);
    },
    DEMO_MS,
  );
});

test(
  'every command that the demo prints works, also those that wait',
  async () => {
    const ends = await demoCommands;
    expect(ends.filter(({ code }) => code !== 0)).toEqual([]);
    expect(ends.length).toBeGreaterThan(10);
  },
  DEMO_MS,
);

// What Atlas says

function putJobs(): void {
  const { atlas } = bed;
  atlas.addApiKey({ ...API_KEY, groupIds: [GROUP_ID] });
  atlas.addServiceAccount({ ...ACCOUNT, groupIds: [GROUP_ID] });
  atlas.putJob(FRIDAY, {
    kind: 'timeline',
    steps: [
      { afterMs: 0, body: youngJob(FRIDAY) },
      { afterMs: 8_000, body: readyDownload(FRIDAY, EXPIRES) },
    ],
  });
  atlas.putJob(OLD, { kind: 'fixed', body: endedDownload(OLD, 'EXPIRED', '2018-01-22T23:49:38Z') });
  atlas.putJob(CUSTOMERS, { kind: 'fixed', body: customersBody() });
  putInventory();
  for (const { body, ...job } of shardedBatch(BATCH, EXPIRES)) atlas.putJob(job, { kind: 'fixed', body });
}

/** A job with a file. */
function putInventory(): void {
  const { atlas } = bed;
  const name = 'inventory.tar.gz';
  const file = atlas.files.put({
    name,
    content: Buffer.from('a file\n'),
    key: FILE.key,
    onDownloaded: () =>
      atlas.setBody(INVENTORY.jobId, { ...body, hashes: [{ fileName: name, hash: file.sha1, typeName: 'SHA1' }] }),
  });
  const ready = readyDownload(INVENTORY, EXPIRES);
  const body = { ...ready, delivery: { ...Object(ready['delivery']), url: atlas.url + file.path } };
  atlas.putJob(INVENTORY, { kind: 'fixed', body });
}

/** With the right hash, or another one. */
function customersBody(hash?: string) {
  const { path: url, pathV2, sha1 } = bed.atlas.files.put({ ...FILE, header: HEADER });
  return {
    ...urlV2Download(CUSTOMERS, EXPIRES),
    delivery: {
      methodName: 'HTTP',
      statusName: 'READY',
      expires: EXPIRES,
      url: bed.atlas.url + url,
      urlV2: bed.atlas.url + pathV2,
      authHeader: HEADER.name,
      authValue: HEADER.value,
    },
    hashes: [{ fileName: FILE.name, hash: hash ?? sha1, typeName: 'SHA1' }],
  };
}

// What people type

type Environment = Readonly<Record<string, string | undefined>>;
interface Ended {
  readonly code: number | null;
  /** Of both streams. */
  readonly output: string;
}

/** Starts all blocks of a page, one after the other; after one that failed the others are not run. */
function runPage({ file, blocks }: (typeof PAGES)[number]): (readonly [CodeBlock, Promise<Ended>])[] {
  const environment = file === README ? demo.then(demoEnvironment) : environmentOf(file);
  const before = AFTER_THE_FIRST_RESOURCE.has(file) ? FIRST_RESOURCE : 'true';
  let last = environment.then((typedIn) => runBlock(before, typedIn));
  return blocks.map((block) => {
    last = last.then(async ({ code }) =>
      code === 0
        ? runBlock(block.text, await environment)
        : { code: null, output: 'not run, because one before it failed' },
    );
    return [block, last] as const;
  });
}

const resultsOf = ({ blocks }: (typeof PAGES)[number]): readonly Promise<Ended>[] =>
  blocks.flatMap((block) => results.get(block) ?? []);

function runDemoCommands(started: Demo): typeof demoCommands {
  const environment = demoEnvironment(started);
  const ending = started.commands.filter((command) => !/ -w$|^tail -f/.test(command));
  return Promise.all(ending.map(async (command) => ({ command, ...(await runBlock(command, environment)) })));
}

/** A namespace for each page. */
async function environmentOf(file: string): Promise<Environment> {
  const namespace = `docs-${path.basename(file, '.md').toLowerCase()}`;
  await bed.controlPlane.kubectlRun(['create', 'namespace', namespace]);
  return pageEnvironment(namespace, namespace);
}

function blockOf(file: string, part: string): CodeBlock {
  const block = PAGES.find((page) => page.file === file)?.blocks.find((one) => one.text.includes(part));
  if (block === undefined) throw new Error(`${file} has no runnable block with ${part}`);
  return block;
}

/** A block of a page that names its namespace, for another one. */
const inNamespace = (namespace: string, text: string): string =>
  text.replaceAll(/(?<=kubectl )-n \S+/g, `-n ${namespace}`);

/** A kubeconfig of its own, so that a page can choose its namespace. */
async function pageEnvironment(name: string, namespace: string): Promise<Environment> {
  const kubeconfig = path.join(directory, `${name}.kubeconfig`);
  await copyFile(bed.controlPlane.kubeconfig, kubeconfig);
  await bed.controlPlane.kubectlRun(['config', 'set-context', '--current', `--namespace=${namespace}`], { kubeconfig });
  return baseEnvironment(kubeconfig);
}

const baseEnvironment = (kubeconfig: string): Environment => ({
  ...toolEnvironment(bed.controlPlane.kubectl),
  KUBECONFIG: kubeconfig,
  ...bed.atlasEnv,
});

/** What the demo tells people to export. */
const demoEnvironment = ({ kubectl, variables }: Demo): Environment => ({ ...toolEnvironment(kubectl), ...variables });

const toolEnvironment = (kubectl: string): Environment => ({
  ...process.env,
  PATH: `${path.dirname(kubectl)}:${process.env['PATH']}`,
  KUBECACHEDIR: path.join(directory, 'kubectl-cache'),
  KUBERC: 'off',
  // curl takes the small name, kubectl either.
  no_proxy: '127.0.0.1',
  NO_PROXY: '127.0.0.1',
});

const runBlock = (script: string, environment: Environment): Promise<Ended> =>
  run('bash', ['-euo', 'pipefail', '-c', script], environment);

async function checkOut(): Promise<string> {
  const folder = path.join(directory, 'checkout');
  await mkdir(folder);
  for (const entry of await readdir('.')) await symlink(path.resolve(entry), path.join(folder, entry));
  return folder;
}

async function run(program: string, args: readonly string[], env: Environment, cwd = checkout): Promise<Ended> {
  const child = spawn(program, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'], timeout: 90_000 });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: child.exitCode, output: stdout + stderr };
}

// The Job of the recipe

const Job = z.object({
  spec: z.object({
    podFailurePolicy: z.object({
      rules: z.array(z.object({ action: z.string(), onExitCodes: z.object({ values: z.array(z.int()) }).optional() })),
    }),
    template: z.object({ spec: z.object({ containers: z.tuple([z.object({ args: z.array(z.string()) })]) }) }),
  }),
});

async function readJob(namespace: string, name: string): Promise<z.output<typeof Job>> {
  const { body } = await bed.controlPlane.request('GET', `/apis/batch/v1/namespaces/${namespace}/jobs/${name}`);
  return Job.parse(body);
}

const argsOfJob = async (namespace: string, name: string): Promise<readonly string[]> =>
  (await readJob(namespace, name)).spec.template.spec.containers[0].args;

/** Exit codes that end a Job without another pod. */
const failingCodes = async (namespace: string, name: string): Promise<readonly number[]> =>
  (await readJob(namespace, name)).spec.podFailurePolicy.rules.flatMap(({ action, onExitCodes }) =>
    action === 'FailJob' ? (onExitCodes?.values ?? []) : [],
  );

async function reconcileCustomers(): Promise<void> {
  const now = `${performance.now()}`;
  const { kubectlRun } = bed.controlPlane;
  const resource = ['--namespace=restores', 'lrj/customers-friday'];
  await kubectlRun(['annotate', ...resource, '--overwrite', `atlasrestore.dev/requestedAt=${now}`]);
  await kubectlRun(['wait', ...resource, `--for=jsonpath={.status.lastHandledReconcileAt}=${now}`, '--timeout=30s']);
}
