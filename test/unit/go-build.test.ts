import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { executableOf, goBuild } from '../support/control-plane/go-build.ts';
import type { ProgressStep } from '../support/control-plane/progress.ts';

let top: string;
let into: string;
const usualPath = process.env['PATH'];

beforeEach(async () => {
  top = await mkdtemp(path.join(tmpdir(), 'go-build-'));
  into = path.join(top, 'into');
  await mkdir(into);
});

afterEach(async () => {
  process.env['PATH'] = usualPath;
  await rm(top, { recursive: true, force: true });
});

test('progress counts what go says it compiles against what go says is not compiled yet', async () => {
  await fakeGo(`
case "$1" in
list) echo 'go: downloading example.test/module v1.0.0' >&2; printf 'example.test/a\\n\\nexample.test/b\\n' ;;
build) printf 'example.test/a\\n# a remark\\nexample.test/b\\nexample.test/tool\\n' >&2; touch "$4tool" ;;
esac`);
  const steps: ProgressStep[] = [];
  await goBuild(top, [{ package: 'example.test/tool' }], into, { progress: (step) => void steps.push(step) });
  expect(steps.map(({ stage, detail }) => (detail === undefined ? stage : `${stage}: ${detail}`))).toEqual([
    'looking what tool need',
    'fetching Go modules for tool: 1 modules',
    'building tool: 0/2 packages',
    'building tool: 1/2 packages',
    'linking tool: 2/2 packages',
    'built tool',
  ]);
  expect(steps.at(-1)?.final).toBe(true);
  expect(await readdir(into)).toEqual(['tool']);
});

test('a failure is told by the last line of go', async () => {
  await fakeGo(
    `echo 'go: downloading example.test/module v1.0.0' >&2; echo 'dial tcp: connection refused' >&2; exit 1`,
  );
  await expect(goBuild(top, [{ package: 'example.test/tool' }], into, {})).rejects.toThrow(
    /^dial tcp: connection refused$/,
  );
});

test('a machine without Go is told so', async () => {
  process.env['PATH'] = top;
  await expect(goBuild(top, [{ package: 'example.test/tool' }], into, {})).rejects.toThrow('no `go` on PATH');
});

test('an abort interrupts go, so that it cleans up after itself', async () => {
  await fakeGo(
    `trap 'touch ${top}/cleaned; exit 1' INT; echo 'go: downloading example.test/module' >&2; while :; do :; done`,
  );
  const controller = new AbortController();
  const build = goBuild(top, [{ package: 'example.test/tool' }], into, {
    signal: controller.signal,
    progress: ({ stage }) => {
      if (stage.startsWith('fetching')) controller.abort(new Error('Ctrl-C'));
    },
  });
  await expect(build).rejects.toThrow('Ctrl-C');
  expect(await readdir(top)).toContain('cleaned');
});

test('a program is named as Go names it', () => {
  expect(executableOf({ package: './etcd' })).toBe('etcd');
  expect(executableOf({ package: 'example.test/module/cmd/tool' })).toBe('tool');
  expect(executableOf({ package: 'example.test/tool/v2' })).toBe('tool');
});

async function fakeGo(script: string): Promise<void> {
  await writeFile(path.join(top, 'go'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  process.env['PATH'] = `${top}${path.delimiter}${usualPath}`;
}
