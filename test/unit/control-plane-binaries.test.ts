import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from '@jest/globals';

let top: string;

beforeEach(async () => {
  top = await mkdtemp(path.join(tmpdir(), 'binaries-'));
  await mkdir(path.join(top, 'bin'));
});

afterEach(async () => {
  await rm(top, { recursive: true, force: true });
});

test('without a network and without Go, one sentence says what can be done', async () => {
  const message = await outcome({});
  expect(message).toMatch(
    /^Cannot get etcd, kube-apiserver, kubectl \(Kubernetes v1\.\d+\.\d+\): install Go 1\.\d+ or newer and let it reach a Go module proxy, or set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver, kubectl\. /,
  );
  expect(message).toContain('download: connect ECONNREFUSED');
  expect(message).toContain('build: no `go` on PATH');
  expect(message).not.toContain('\n');
});

test('with a Go that reaches no module proxy, its last line is the reason', async () => {
  const script =
    '#!/bin/sh\necho go: downloading k8s.io/kubernetes >&2\necho k8s.io/kubernetes: connection refused >&2\nexit 1\n';
  await writeFile(path.join(top, 'bin', 'go'), script, { mode: 0o755 });
  expect(await outcome({})).toContain('build: k8s.io/kubernetes: connection refused');
  const cache = path.join(top, 'legacy-restore-operator', 'tools');
  expect(await readdir(path.join(cache, (await readdir(cache))[0] ?? ''))).toEqual(['.lock']);
});

test('KUBEBUILDER_ASSETS is used, or complained about', async () => {
  const assets = path.join(top, 'assets');
  await mkdir(assets);
  expect(await outcome({ KUBEBUILDER_ASSETS: assets })).toBe(
    `KUBEBUILDER_ASSETS is ${assets}, which has no executable etcd`,
  );
  for (const name of ['etcd', 'kube-apiserver', 'kubectl']) {
    await writeFile(path.join(assets, name), '', { mode: 0o755 });
  }
  expect(JSON.parse(await outcome({ KUBEBUILDER_ASSETS: assets }))).toEqual({
    etcd: path.join(assets, 'etcd'),
    kubeApiserver: path.join(assets, 'kube-apiserver'),
    kubectl: path.join(assets, 'kubectl'),
    from: 'KUBEBUILDER_ASSETS',
  });
});

/** What ensureBinaries says in a process that has an empty cache, refused connections and nothing on PATH but `bin`. */
async function outcome(env: NodeJS.ProcessEnv): Promise<string> {
  const module = pathToFileURL(path.join(import.meta.dirname, '../support/control-plane/binaries.ts')).href;
  const script = `
    import { ensureBinaries } from '${module}';
    const outcome = await ensureBinaries().then(JSON.stringify, (error) => error.message);
    process.stdout.write(outcome);`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
    env: {
      XDG_CACHE_HOME: top,
      PATH: path.join(top, 'bin'),
      // The discard port: nothing listens there.
      NODE_USE_ENV_PROXY: '1',
      HTTPS_PROXY: 'http://127.0.0.1:9',
      ...env,
    },
  });
  return stdout;
}
