import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as z from 'zod';
import packageJson from '../../../package.json' with { type: 'json' };

const FILES = ['THIRD-PARTY-LICENSES', 'legacy-restore-operator.cjs', 'legacy-restore-operator.cjs.map'];
const ROOT = path.join(import.meta.dirname, '../../..');

let folder: string;
let first: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'build-test-'));
  first = path.join(folder, 'first');
  build(ROOT, ROOT, first);
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('a build', () => {
  test('writes the bundle, its source map and the licenses of what is in it', () => {
    expect(readdirSync(first).sort()).toEqual(FILES);
  });

  test('gives the same bytes in another checkout, and when it is started in another folder', () => {
    const checkout = path.join(folder, 'elsewhere', 'checkout');
    for (const name of ['src', 'scripts', 'package.json', 'tsconfig.json'])
      cpSync(path.join(ROOT, name), path.join(checkout, name), { recursive: true });
    // Packages that are bundled must be there themselves: of a link the bundler takes the target's path.
    for (const name of new Set([...runtimePackages(), ...bundledPackages()]))
      cpSync(path.join(ROOT, name), path.join(checkout, name), { recursive: true });
    symlinkSync(path.join(ROOT, 'node_modules/esbuild'), path.join(checkout, 'node_modules/esbuild'));
    const other = path.join(folder, 'other');
    build(checkout, folder, other);
    expectSameFiles(first, other);
  });

  test('names its sources relative to the checkout, and those of ours are there', () => {
    const { sources } = sourceMap();
    expect(sources.filter((source) => !source.startsWith('../'))).toEqual([]);
    const ours = sources.filter((source) => !source.includes('node_modules/'));
    expect(ours).toContain('../src/main.ts');
    expect(ours.filter((source) => !existsSync(path.join(ROOT, 'dist', source)))).toEqual([]);
  });

  test('leaves out what packages bring and nobody here uses', () => {
    const { sources } = sourceMap();
    const unused =
      /zod\/v4\/locales\/(?!en\.)|client-node\/dist\/gen\/(models|apis)\/|undici\/lib\/(mock|web|cache)\/|node_modules\/(socks|ip-address)/;
    expect(sources.filter((source) => unused.test(source))).toEqual([]);
  });

  test('maps packages file by file: Node.js keeps every mapping in memory', () => {
    const { mappings } = sourceMap();
    const count = (text: string): number => text.split(/[;,]/).length;
    expect(count(mappings)).toBeLessThan(60_000);
  });

  test('names no folder of this machine', () => {
    for (const name of FILES) expect(readFileSync(path.join(first, name), 'utf8')).not.toContain(ROOT);
  });

  test('brings the license of every bundled package', () => {
    const licenses = readFileSync(path.join(first, 'THIRD-PARTY-LICENSES'), 'utf8');
    for (const name of bundledPackages()) {
      const { version } = z
        .object({ version: z.string() })
        .parse(JSON.parse(readFileSync(path.join(ROOT, name, 'package.json'), 'utf8')));
      expect(licenses).toContain(
        `${name.slice(name.lastIndexOf('node_modules/') + 'node_modules/'.length)} ${version} (`,
      );
    }
  });
});

describe('the bundle', () => {
  test('runs alone', () => {
    const alone = path.join(folder, 'alone');
    mkdirSync(alone);
    cpSync(path.join(first, 'legacy-restore-operator.cjs'), path.join(alone, 'operator.cjs'));
    const version = execFileSync(process.execPath, ['operator.cjs', 'version'], { cwd: alone, encoding: 'utf8' });
    expect(version).toBe(`${packageJson.version}\n`);
  });

  test('has the pretty log format in it', () => {
    const { stdout, status } = operator(['run'], { LOG_FORMAT: 'pretty', KUBECONFIG: '/nonexistent' });
    expect(stdout).toMatch(/^\d\d:\d\d:\d\d ERROR: the operator cannot start/);
    expect(status).toBe(2);
  });

  test('has stack traces that name the functions of the sources, and with the map their lines', () => {
    // A broken standard output throws within main.ts, where nothing catches it.
    const breakOutput = `process.stdout.write = () => process.stdout.emit('error', new Error('broken'));`;
    const preload = `--import=data:text/javascript,${encodeURIComponent(breakOutput)}`;
    const bare = operator(['version'], {}, [preload]).stderr;
    expect(bare).toContain('at print (');
    expect(bare).toContain('legacy-restore-operator.cjs:');
    expect(operator(['version'], {}, ['--enable-source-maps', preload]).stderr).toMatch(
      /at print .*\/src\/main\.ts:\d+:\d+/,
    );
  });
});

function build(checkout: string, cwd: string, outdir: string): void {
  execFileSync(process.execPath, [path.join(checkout, 'scripts/build.ts'), '--outdir', outdir], { cwd, stdio: 'pipe' });
}

function operator(args: readonly string[], env: Readonly<Record<string, string>>, nodeFlags: readonly string[] = []) {
  const file = path.join(first, 'legacy-restore-operator.cjs');
  return spawnSync(process.execPath, [...nodeFlags, file, ...args], { env, encoding: 'utf8' });
}

function sourceMap(): { readonly sources: readonly string[]; readonly mappings: string } {
  const text = readFileSync(path.join(first, 'legacy-restore-operator.cjs.map'), 'utf8');
  return z.object({ sources: z.array(z.string()), mappings: z.string() }).parse(JSON.parse(text));
}

/** Everything that the runtime dependencies need, as folders: what is resolved, but for optional extras like the colors of debug. */
function runtimePackages(): readonly string[] {
  const entry = z.object({ dev: z.boolean().default(false), optional: z.boolean().default(false) });
  const lock = z
    .object({ packages: z.record(z.string(), entry) })
    .parse(JSON.parse(readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8')));
  return Object.entries(lock.packages).flatMap(([name, { dev, optional }]) =>
    name && !dev && !optional ? [name] : [],
  );
}

/** Their folders, as `node_modules/pino`. */
function bundledPackages(): readonly string[] {
  const folders = sourceMap().sources.flatMap(
    (source) => /^\.\.\/(.*node_modules\/(?:@[^/]+\/)?[^/]+)/.exec(source)?.[1] ?? [],
  );
  // A package's own source map can name folders that it does not ship.
  return [...new Set(folders)].filter((name) => existsSync(path.join(ROOT, name, 'package.json'))).sort();
}

function expectSameFiles(one: string, other: string): void {
  expect(readdirSync(other).sort()).toEqual(FILES);
  const differing = FILES.filter(
    (name) => !readFileSync(path.join(one, name)).equals(readFileSync(path.join(other, name))),
  );
  expect(differing).toEqual([]);
}
