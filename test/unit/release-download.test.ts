import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { releaseDownload } from '../support/control-plane/release-download.ts';
import { listen } from '../support/listen.ts';

const NAMES = ['etcd', 'kube-apiserver', 'kubectl'];

let top: string;
let into: string;
let server: Server;
let published: readonly string[];
let hash: string;
let port: number;

beforeEach(async () => {
  // envtest-js would look nowhere else.
  delete process.env['KUBEBUILDER_ASSETS'];
  top = await mkdtemp(path.join(tmpdir(), 'release-download-'));
  into = path.join(top, 'into');
  await mkdir(into);
  await mkdir(path.join(top, 'envtest'));
  for (const name of NAMES) await writeFile(path.join(top, 'envtest', name), `${name} of a release`, { mode: 0o755 });
  await promisify(execFile)('tar', ['-czf', path.join(top, 'release.tar.gz'), '-C', top, 'envtest']);
  const archive = await readFile(path.join(top, 'release.tar.gz'));
  hash = createHash('sha512').update(archive).digest('hex');
  server = createServer((request, response) => {
    if (request.url === '/index.yaml') response.end(JSON.stringify(index(published, hash)));
    else if (request.url === '/release.tar.gz') response.end(archive);
    else response.writeHead(503).end();
  });
  port = await listen(server);
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await rm(top, { recursive: true, force: true });
});

test('the release that was asked for is taken', async () => {
  published = ['v1.37.1', 'v1.37.2', 'v1.37.3'];
  const stages: string[] = [];
  await releaseDownload('v1.37.2', url('/index.yaml')).obtain(NAMES, into, {
    progress: ({ stage }) => void stages.push(stage),
  });
  expect(stages.at(-1)).toBe('downloaded Kubernetes v1.37.2');
  expect(await readFile(path.join(into, 'kubectl'), 'utf8')).toBe('kubectl of a release');
});

test('failing that, the newest of the same minor version', async () => {
  published = ['v1.36.9', 'v1.37.0', 'v1.37.1', 'v1.38.0'];
  const stages: string[] = [];
  await releaseDownload('v1.37.2', url('/index.yaml')).obtain(NAMES, into, {
    progress: ({ stage }) => void stages.push(stage),
  });
  expect(stages.at(-1)).toBe('downloaded Kubernetes v1.37.1');
});

test('another minor version is refused', async () => {
  published = ['v1.36.9', 'v1.38.0'];
  await expect(releaseDownload('v1.37.2', url('/index.yaml')).obtain(NAMES, into, {})).rejects.toThrow('not found');
  expect(await readdir(into)).toEqual([]);
});

test('an archive with another checksum than the index says is refused', async () => {
  published = ['v1.37.2'];
  hash = createHash('sha512').update('another archive').digest('hex');
  await expect(releaseDownload('v1.37.2', url('/index.yaml')).obtain(NAMES, into, {})).rejects.toThrow(/mismatch/);
  expect(await readdir(into)).not.toContain('kubectl');
});

function index(versions: readonly string[], hash: string): unknown {
  const os = process.platform;
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  const release = (version: string) => ({
    [`envtest-${version}-${os}-${arch}.tar.gz`]: { hash, selfLink: url('/release.tar.gz') },
  });
  return { releases: Object.fromEntries(versions.map((version) => [version, release(version)])) };
}

function url(resource: string): string {
  return `http://127.0.0.1:${port}${resource}`;
}
