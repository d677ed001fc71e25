import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { fromCache, type Source } from '../support/control-plane/tool-cache.ts';
import { eventually } from '../support/eventually.ts';

let top: string;
let folder: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  top = await mkdtemp(path.join(tmpdir(), 'tool-cache-'));
  folder = path.join(top, 'cache');
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(top, { recursive: true, force: true });
});

test('the next source is used when one fails, and a failure leaves nothing', async () => {
  expect(await fromCache(folder, ['tool'], [failing, working])).toMatchObject({ from: 'working' });
  expect(await readdir(folder)).toEqual(['.lock', 'tool']);
});

test('of two processes at once, one builds and the other waits for it', async () => {
  // Builds only once the other one has said that it waits.
  const source = `async (names, into) => {
    await appendFile('${top}/builds', 'x');
    await eventually('the other waits', () => access('${top}/waits'));
    await writeFile(path.join(into, 'tool'), 'program', { mode: 0o755 });
  }`;
  const progress = `() => { writeFileSync('${top}/waits', ''); }`;
  const both = [finder(source, progress), finder(source, progress)];
  const found = await Promise.all(both.map(outcome));
  expect(found.sort()).toEqual(['build', 'cache']);
  expect(await readFile(path.join(top, 'builds'), 'utf8')).toBe('x');
});

test('a process that was killed while it built does not block the next one, and its leftovers go away', async () => {
  const source = `async (names, into) => {
    await writeFile(path.join(into, 'tool'), 'half a', { mode: 0o755 });
    await writeFile('${top}/started', '');
    await new Promise((resolve) => setTimeout(resolve, 1e9));
  }`;
  const killed = finder(source, '() => {}');
  await eventually('the build has started', () => access(path.join(top, 'started')));
  expect(await readdir(folder)).toHaveLength(2);
  const exit = once(killed, 'exit');
  killed.kill('SIGKILL');
  await exit;
  const found = await fromCache(folder, ['tool'], [working]);
  expect('path' in found && (await readFile(found.path('tool'), 'utf8'))).toBe('program');
  expect(await readdir(folder)).toEqual(['.lock', 'tool']);
});

const working: Source = {
  name: 'working',
  obtain: async (names, into) => {
    for (const name of names) await writeFile(path.join(into, name), 'program', { mode: 0o755 });
  },
};

const failing: Source = {
  name: 'failing',
  obtain: async (names, into) => {
    await writeFile(path.join(into, names[0] ?? ''), 'half a', { mode: 0o755 });
    throw new Error('fetch failed', { cause: new Error('connect ECONNREFUSED') });
  },
};

/** A process that looks for `tool` with a source named `build`, and prints where it was from. */
function finder(source: string, progress: string): ChildProcess {
  const support = pathToFileURL(path.join(import.meta.dirname, '../support/')).href;
  const script = `
    import { writeFileSync } from 'node:fs';
    import { access, appendFile, writeFile } from 'node:fs/promises';
    import path from 'node:path';
    import { fromCache } from '${support}control-plane/tool-cache.ts';
    import { eventually } from '${support}eventually.ts';
    const source = { name: 'build', obtain: ${source} };
    const found = await fromCache('${folder}', ['tool'], [source], { progress: ${progress} });
    process.stdout.write(found.from);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return child;
}

async function outcome(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('no output to read');
  return text(child.stdout);
}
