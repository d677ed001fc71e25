/** What kubectl honors of a kubeconfig and of the environment, on a real API server. */
import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import * as z from 'zod';
import { youngJob } from '../support/atlas-simulator/recorded-bodies.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';
import { eventually } from '../support/eventually.ts';
import { OPERATOR } from '../support/installation.ts';
import { listen } from '../support/listen.ts';
import { PROGRAM } from '../support/program.ts';
import {
  CLUSTER_NAME,
  conditionOf,
  GROUP_ID,
  NAMESPACE,
  putJob,
  startTestBed,
  type TestBed,
} from '../support/test-bed.ts';

/** Of `get`: the job is in progress, so the Secret was read. */
const READ = 3;

let bed: TestBed;
let folder: string;
let jobId: string;
let admin: Kubeconfig;
let token: string;
beforeAll(async () => {
  bed = await startTestBed();
  folder = await mkdtemp(path.join(bed.controlPlane.dir, 'kubeconfig-'));
  ({ jobId } = putJob(bed.atlas, youngJob));
  admin = Kubeconfig.parse(load(await readFile(bed.controlPlane.kubeconfig, 'utf8')));
  const file = await bed.controlPlane.serviceAccountKubeconfig(OPERATOR.namespace, OPERATOR.name);
  token = z.string().parse(Kubeconfig.parse(load(await readFile(file, 'utf8'))).users[0]?.user['token']);
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await bed?.stop();
});

type Kubeconfig = z.infer<typeof Kubeconfig>;
const Kubeconfig = z.object({
  clusters: z.array(z.object({ cluster: z.record(z.string(), z.unknown()) })),
  users: z.array(z.object({ user: z.record(z.string(), z.unknown()) })),
});

/** A kubeconfig with one context, of the API server and the administrator apart from what is given. */
async function kubeconfig(
  name: string,
  { user, cluster = {} }: { user?: Record<string, unknown>; cluster?: Record<string, unknown> } = {},
): Promise<string> {
  const file = path.join(folder, name);
  const content = {
    'current-context': name,
    contexts: [{ name, context: { cluster: name, user: name } }],
    clusters: [{ name, cluster: { ...admin.clusters[0]?.cluster, ...cluster } }],
    users: [{ name, user: user ?? admin.users[0]?.user }],
  };
  await writeFile(file, JSON.stringify(content));
  return file;
}

async function script(name: string, text: string): Promise<string> {
  const file = path.join(folder, name);
  await writeFile(file, `#!/bin/sh\n${text}\n`);
  await chmod(file, 0o755);
  return file;
}

const printing = (credentials: string): string =>
  `echo '${JSON.stringify({
    apiVersion: 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    status: { token: credentials },
  })}'`;

interface Got {
  readonly exitCode: number | null;
  readonly output: string;
}

function startGet(env: Readonly<Record<string, string>>) {
  const ids = [`--group-id=${GROUP_ID}`, `--cluster-name=${CLUSTER_NAME}`, `--job-id=${jobId}`];
  const child = spawn(process.execPath, [PROGRAM, 'get', ...ids, `--secret=${NAMESPACE}/atlas-key`], {
    env: { PATH: process.env['PATH'] ?? '', HOME: '/nowhere', ...bed.atlasEnv, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  const { promise: ended, resolve } = Promise.withResolvers<Got>();
  child.once('close', (exitCode) => resolve({ exitCode, output }));
  return { child, ended };
}

const get = (env: Readonly<Record<string, string>>): Promise<Got> => startGet(env).ended;

describe('the files', () => {
  test('KUBECONFIG with several: the first one decides, and one that is missing is passed over', async () => {
    const first = await kubeconfig('first');
    const last = await kubeconfig('last', { cluster: { server: 'https://127.0.0.1:1' } });
    const env = { KUBECONFIG: ['/nowhere/missing', first, first, last].join(':') };
    expect(await get(env)).toMatchObject({ exitCode: READ });
    expect(await get({ KUBECONFIG: `${last}:${first}` })).toMatchObject({ exitCode: 1 });
  });

  test('~/.kube/config wins over the pod’s own', async () => {
    await mkdir(path.join(folder, '.kube'));
    await kubeconfig('.kube/config');
    const inPod = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: '1' };
    expect(await get({ HOME: folder, ...inPod })).toMatchObject({ exitCode: READ });
  });

  test('an operator mirrors into the cluster of the first one', async () => {
    const last = await kubeconfig('elsewhere', { cluster: { server: 'https://127.0.0.1:1' } });
    const first = await kubeconfig('here', { user: { token } });
    const operator = await bed.startOperator({ KUBECONFIG: `${first}:${last}` });
    await bed.create('by-the-first', { jobId });
    await bed.until(
      'by-the-first',
      'it is mirrored',
      (resource) => conditionOf(resource, 'Synced') === 'True JobFetched',
    );
    await operator.stop();
  });
});

describe('the user', () => {
  test('tokenFile, by a path relative to the file', async () => {
    await writeFile(path.join(folder, 'a-token'), `${token}\n`);
    const file = await kubeconfig('token-file', { user: { tokenFile: 'a-token', token: 'old' } });
    expect(await get({ KUBECONFIG: file })).toMatchObject({ exitCode: READ });
  });

  test.each<[string, Record<string, unknown>, string | undefined]>([
    ['nobody', { as: 'nobody' }, 'may not read Secret'],
    ['a user in groups', { as: 'jane', 'as-groups': ['a', 'system:masters'] }, undefined],
    ['a user with a uid', { as: 'jane', 'as-uid': '7', 'as-groups': ['system:masters'] }, undefined],
  ])('impersonates %s', async (name, as, told) => {
    const file = await kubeconfig(name.replaceAll(' ', '-'), { user: { ...admin.users[0]?.user, ...as } });
    const { exitCode, output } = await get({ KUBECONFIG: file });
    expect(exitCode).toBe(told === undefined ? READ : 2);
    expect(output).toContain(told ?? 'IN_PROGRESS');
    const audit = await readFile(bed.controlPlane.auditLog, 'utf8');
    const impersonated = JSON.stringify({ username: as['as'], uid: as['as-uid'] });
    expect(audit).toContain(`"impersonatedUser":${impersonated.slice(0, -1)}`);
  });

  test('a plugin gives the token', async () => {
    const command = await script('plugin', printing(token));
    const file = await kubeconfig('plugin-works', { user: { exec: { command: './plugin' } } });
    expect(command).toBe(path.join(folder, 'plugin'));
    expect(await get({ KUBECONFIG: file })).toMatchObject({ exitCode: READ });
  });

  test('a plugin that is missing or fails is named with what it said, and the exit code is 2', async () => {
    const missing = await kubeconfig('missing', {
      user: { exec: { command: '/nowhere/aws', installHint: 'Install it.' } },
    });
    expect(await get({ KUBECONFIG: missing })).toEqual({
      exitCode: 2,
      output: 'the credential plugin "/nowhere/aws" of the kubeconfig cannot be started (ENOENT): Install it.\n',
    });
    const command = await script('failing', 'echo "log in again; password is $PASSWORD" >&2; exit 1');
    const env = [{ name: 'PASSWORD', value: 'canary-password' }];
    const failing = await kubeconfig('fails', { user: { exec: { command, env } } });
    expect(await get({ KUBECONFIG: failing })).toEqual({
      exitCode: 2,
      output: `the credential plugin "${command}" of the kubeconfig failed (exit code 1): log in again; password is [redacted]\n`,
    });
  });

  test('an operator says on /readyz that its plugin fails, warns once, and goes on when it works', async () => {
    const command = await script('mended', 'echo "log in again" >&2; exit 1');
    const operator = await bed.startOperator({
      KUBECONFIG: await kubeconfig('mended-later', { user: { exec: { command } } }),
    });
    const told = `the credential plugin "${command}" of the kubeconfig failed (exit code 1): log in again`;
    await eventually('/readyz tells', async () => {
      const response = await fetch(`${operator.url}/readyz`);
      expect([response.status, await response.text()]).toEqual([503, `${told}\n`]);
    });
    await operator.waitForLog(({ msg }) => msg === told);
    await eventually('it has tried again', () => {
      expect(operator.log.filter(({ level }) => level === 'warn')).toHaveLength(1);
    });
    await script('mended', printing(token));
    await eventually(
      '/readyz succeeds',
      async () => {
        expect((await fetch(`${operator.url}/readyz`)).status).toBe(200);
      },
      { timeoutMs: 60_000 },
    );
    expect(operator.log.filter(({ level }) => level === 'warn').map(({ msg }) => msg)).toEqual([told]);
    await operator.stop();
  });
});

describe('Ctrl-C', () => {
  test('ends get at once while a plugin hangs, and the plugin with it', async () => {
    const command = await script('hanging', `echo $$ > '${folder}/hanging.pid'; exec sleep 600`);
    const { child, ended } = startGet({ KUBECONFIG: await kubeconfig('hangs', { user: { exec: { command } } }) });
    const pid = await eventually('the plugin runs', async () => {
      const text = await readFile(path.join(folder, 'hanging.pid'), 'utf8');
      expect(text).toMatch(/\d\n/);
      return Number(text);
    });
    const startedAt = performance.now();
    child.kill('SIGINT');
    expect(await ended).toEqual({ exitCode: 130, output: 'interrupted\n' });
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    await eventually('the plugin is gone', () => {
      expect(() => process.kill(pid, 0)).toThrow();
    });
  });

  test('ends get at once while the API server hangs', async () => {
    await using cleanup = new AsyncDisposableStack();
    const { promise: connected, resolve } = Promise.withResolvers<Socket>();
    const silent = createServer(resolve);
    cleanup.defer(() => void silent.close());
    const server = `https://127.0.0.1:${await listen(silent)}`;
    const { child, ended } = startGet({ KUBECONFIG: await kubeconfig('silent', { cluster: { server } }) });
    const socket = await connected;
    cleanup.defer(() => void socket.destroy());
    const startedAt = performance.now();
    child.kill('SIGINT');
    expect(await ended).toEqual({ exitCode: 130, output: 'interrupted\n' });
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });
});

describe('a proxy', () => {
  const elsewhere = (): Record<string, unknown> => ({
    // Only the proxy knows this name.
    server: `https://api.test:${new URL(bed.controlPlane.server).port}`,
    'tls-server-name': '127.0.0.1',
  });

  test('HTTPS_PROXY is used for the API server, NO_PROXY and loopback are not proxied, proxy-url wins', async () => {
    await using cleanup = new AsyncDisposableStack();
    const [proxy, other] = await Promise.all([startConnectProxy(), startConnectProxy()]);
    cleanup.defer(() => proxy.stop());
    cleanup.defer(() => other.stop());
    const KUBECONFIG = await kubeconfig('proxied', { cluster: elsewhere() });
    expect(await get({ KUBECONFIG, HTTPS_PROXY: proxy.url })).toMatchObject({ exitCode: READ });
    expect(proxy.tunnels.length).toBe(1);
    expect(await get({ KUBECONFIG, HTTPS_PROXY: proxy.url, NO_PROXY: '.test' })).toMatchObject({
      exitCode: 1,
      output: expect.stringMatching(/the API server cannot be reached \((ENOTFOUND|EAI_AGAIN)\)/),
    });
    const loopback = { KUBECONFIG: bed.controlPlane.kubeconfig, HTTPS_PROXY: proxy.url };
    expect(await get(loopback)).toMatchObject({ exitCode: READ });
    expect(proxy.tunnels.length).toBe(1);
    const own = await kubeconfig('own-proxy', { cluster: { ...elsewhere(), 'proxy-url': other.url } });
    expect(await get({ KUBECONFIG: own, HTTPS_PROXY: proxy.url })).toMatchObject({ exitCode: READ });
    const none = await kubeconfig('no-proxy', { cluster: { ...elsewhere(), 'proxy-url': '' } });
    expect(await get({ KUBECONFIG: none, HTTPS_PROXY: proxy.url })).toMatchObject({ exitCode: READ });
    expect([proxy.tunnels.length, other.tunnels.length]).toEqual([2, 1]);
  });

  test('one that refuses is named, by get and on /readyz', async () => {
    await using cleanup = new AsyncDisposableStack();
    const proxy = await startConnectProxy({ refuseWith: 403 });
    cleanup.defer(() => proxy.stop());
    const withPassword = proxy.url.replace('//', '//user:canary@');
    const KUBECONFIG = await kubeconfig('refused', { cluster: { ...elsewhere(), 'proxy-url': withPassword } });
    const told =
      'the proxy of proxy-url of the kubeconfig refused the connection (403: it does not allow this destination)';
    const { exitCode, output } = await get({ KUBECONFIG });
    expect([exitCode, output]).toEqual([1, expect.stringContaining(told)]);
    const operator = await bed.startOperator({ KUBECONFIG });
    await eventually('/readyz tells', async () => {
      expect(await (await fetch(`${operator.url}/readyz`)).text()).toBe(`the API server cannot be reached: ${told}\n`);
    });
    await operator.stop();
    expect(JSON.stringify(operator.log) + output).not.toContain('canary');
  });
});
