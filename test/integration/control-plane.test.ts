import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';
import * as z from 'zod';
import { type ControlPlane, startControlPlane } from '../support/control-plane/control-plane.ts';
import { isServer } from '../support/control-plane/servers.ts';
import { eventually } from '../support/eventually.ts';

jest.setTimeout(120_000);

let controlPlane: ControlPlane;
const children: ChildProcess[] = [];

// The first time ever, the programs are built.
beforeAll(async () => {
  controlPlane = await startControlPlane();
}, 30 * 60_000);

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

afterAll(async () => {
  await controlPlane.stop();
});

test('kubectl works on it, and tells what went wrong', async () => {
  const { kubectlRun, request } = controlPlane;
  await kubectlRun(['create', 'namespace', 'by-kubectl']);
  expect((await request('GET', '/api/v1/namespaces/by-kubectl')).status).toBe(200);
  const manifest = JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'by-stdin' } });
  expect(await kubectlRun(['apply', '--filename=-'], { stdin: manifest })).toBe('namespace/by-stdin created\n');
  await expect(kubectlRun(['get', 'namespace', 'absent'])).rejects.toThrow('namespaces "absent" not found');
});

test('a service account may do what a role binding says', async () => {
  const { kubectlRun, request, serviceAccountKubeconfig } = controlPlane;
  const kubeconfig = await serviceAccountKubeconfig('guarded', 'reader');
  const read = (): Promise<string> => kubectlRun(['get', 'configmaps', '--output=name'], { kubeconfig });
  await expect(read()).rejects.toThrow(
    'User "system:serviceaccount:guarded:reader" cannot list resource "configmaps" in API group "" in the namespace "guarded"',
  );
  await kubectlRun(['create', 'role', 'reader', '--verb=list', '--resource=configmaps', '--namespace=guarded']);
  const to = ['--role=reader', '--serviceaccount=guarded:reader', '--namespace=guarded'];
  await kubectlRun(['create', 'rolebinding', 'reader', ...to]);
  await request('POST', '/api/v1/namespaces/guarded/configmaps', { metadata: { name: 'readable' } });
  expect(await eventually('the binding is in force', read)).toBe('configmap/readable\n');
  await expect(kubectlRun(['get', 'secrets'], { kubeconfig })).rejects.toThrow('is forbidden');
});

test('what was written before an API server was killed is there after its restart, on the same port', async () => {
  const { request, kubectlRun, killApiServer, startApiServer, pids, auditLog } = controlPlane;
  const collection = '/api/v1/namespaces/default/configmaps';
  await request('POST', collection, { metadata: { name: 'kept' }, data: { is: 'there' } });
  const before = pids();
  await killApiServer('SIGKILL');
  expect(await isServer(before.apiServer, controlPlane.dir)).toBe(false);
  expect(pids).toThrow('the API server is not running');
  await expect(request('GET', `${collection}/kept`)).rejects.toThrow(/ECONNREFUSED/);
  await startApiServer();
  expect(pids()).toEqual({ etcd: before.etcd, apiServer: expect.any(Number) });
  expect(pids().apiServer).not.toBe(before.apiServer);
  expect(await request('GET', `${collection}/kept`)).toMatchObject({ status: 200, body: { data: { is: 'there' } } });
  expect(await kubectlRun(['get', 'configmap', 'kept', '--output=jsonpath={.data.is}'])).toBe('there');
  await eventually('the audit log has both lives', async () => {
    const verbs = (await audit(auditLog)).filter((event) => event.objectRef?.name === 'kept').map(({ verb }) => verb);
    expect(verbs).toEqual(['create', 'get', 'get']);
  });
});

test('the audit log counts requests by user, verb and resource', async () => {
  const { request, auditLog } = controlPlane;
  for (let count = 0; count < 3; count += 1) await request('GET', '/apis/apps/v1/namespaces/default/deployments');
  await request('PATCH', '/api/v1/namespaces/default', { metadata: { labels: { patched: 'yes' } } });
  await eventually('the requests are in the audit log', async () => {
    const events = (await audit(auditLog)).filter((event) => event.user.username === 'admin');
    const lists = events.filter(({ verb, objectRef }) => verb === 'list' && objectRef?.resource === 'deployments');
    expect(lists).toHaveLength(3);
    const patches = events.filter(({ verb, objectRef }) => verb === 'patch' && objectRef?.resource === 'namespaces');
    expect(patches).toHaveLength(1);
    expect(new Set(events.map(({ stage }) => stage))).not.toContain('RequestReceived');
  });
});

test('flags are passed on, and a control plane that cannot start leaves nothing', async () => {
  await expect(startControlPlane({ apiServerFlags: { 'no-such-flag': 'x' } })).rejects.toThrow(
    'unknown flag: --no-such-flag',
  );
  await expect(startControlPlane({ etcdFlags: { 'no-such-flag': 'x' } })).rejects.toThrow(
    'flag provided but not defined: -no-such-flag',
  );
});

test('when its owner is killed, both servers end and the folder goes away', async () => {
  const module = pathToFileURL(path.join(import.meta.dirname, '../support/control-plane/control-plane.ts')).href;
  const script = `
    import { startControlPlane } from '${module}';
    const { dir, pids } = await startControlPlane();
    console.log(JSON.stringify({ dir, ...pids() }));`;
  const owner = child(['--input-type=module', '--eval', script]);
  const started = z.object({ dir: z.string(), etcd: z.number(), apiServer: z.number() });
  const { dir, etcd, apiServer } = started.parse(JSON.parse(await lineOf(owner, /^\{/)));
  expect(await isServer(etcd, dir)).toBe(true);
  expect(await isServer(apiServer, dir)).toBe(true);
  owner.kill('SIGKILL');
  await eventually('everything of the killed owner is gone', async () => {
    expect(await isServer(etcd, dir)).toBe(false);
    expect(await isServer(apiServer, dir)).toBe(false);
    for (const left of [dir, `${dir}.ending`]) await expect(access(left)).rejects.toThrow('ENOENT');
  });
});

test.each(['SIGINT', 'SIGTERM'] as const)('npm run control-plane holds one until %s', async (signal) => {
  const command = child([path.join(import.meta.dirname, '../support/control-plane/main.ts')]);
  const kubeconfig = (await lineOf(command, /^export KUBECONFIG=/)).replace('export KUBECONFIG=', '');
  expect(await controlPlane.kubectlRun(['get', 'namespace', 'default', '--output=name'], { kubeconfig })).toBe(
    'namespace/default\n',
  );
  const exit = once(command, 'exit');
  command.kill(signal);
  expect(await exit).toEqual([0, null]);
  await expect(access(path.dirname(kubeconfig))).rejects.toThrow('ENOENT');
});

const auditEvent = z.object({
  stage: z.string(),
  verb: z.string(),
  user: z.object({ username: z.string() }),
  objectRef: z.object({ resource: z.string(), name: z.string().exactOptional() }).exactOptional(),
});

async function audit(file: string): Promise<z.infer<typeof auditEvent>[]> {
  const lines = (await readFile(file, 'utf8')).split('\n');
  // The last one is empty, or still being written.
  return lines.slice(0, -1).map((line) => auditEvent.parse(JSON.parse(line)));
}

function child(args: readonly string[]): ChildProcess {
  const started = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(started);
  return started;
}

/** The first line of a process's output that is like this. */
async function lineOf({ stdout }: ChildProcess, pattern: RegExp): Promise<string> {
  if (stdout === null) throw new Error('no output to read');
  for await (const line of createInterface(stdout)) if (pattern.test(line)) return line;
  throw new Error(`the process ended without a line like ${pattern}`);
}
