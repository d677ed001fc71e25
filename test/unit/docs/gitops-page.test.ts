import { glob, readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { HEALTH } from '../../support/gitops/life-cycles.ts';

const ROOT = path.join(import.meta.dirname, '../../..');
const read = (file: string): Promise<string> => readFile(path.join(ROOT, file), 'utf8');
const page = await read('docs/gitops.md');
const FILES = (await Array.fromAsync(glob('deploy/gitops/**/*.{lua,yaml}', { cwd: ROOT }))).sort();

/** The file that each block is a copy of, and the block. */
const shown = new Map(
  [...page.matchAll(/^\[(deploy\/gitops\/\S+)\]\(\.\.\/\1\):\n\n```\w+\n([^`]*)```$/gm)].map(
    ([, file = '', text = '']) => [file, text],
  ),
);

test('every example is shown, but for one that is like another', () => {
  expect([...shown.keys(), 'deploy/gitops/restores/cluster0-monday/kustomization.yaml'].sort()).toEqual(FILES);
});

test.each([...shown])('%s is shown as it is', async (file, text) => {
  expect(text).toBe(await read(file));
});

test('the tree is that of the repository', () => {
  const tree = /^```text\n(deploy\/gitops\/restores\n[^`]*)```$/m.exec(page)?.[1] ?? '';
  const names = [...tree.matchAll(/^[│├└─\s]*([\w.-]+)$/gm)].map(([, name = '']) => name);
  const files = FILES.filter((file) => file.startsWith('deploy/gitops/restores/'));
  const parts = new Set(
    files.flatMap((file) => [path.dirname(file), file]).filter((file) => !file.endsWith('/restores')),
  );
  expect(names.sort()).toEqual([...parts].map((file) => path.basename(file)).sort());
});

test('the table of health is the one that is tested', () => {
  const rows = [...page.matchAll(/^\| (.+) \|$/gm)].map(([, cells = '']) => cells.split(' | ')).slice(2);
  expect(rows).toEqual(
    Object.entries(HEALTH).map(([situation, { argocd, kstatus, flux }]) => [situation, argocd, kstatus, flux]),
  );
});
