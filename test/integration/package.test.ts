/** The npm package, as a person installs and runs it. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import packageJson from '../../package.json' with { type: 'json' };
import { ensureBinaries } from '../support/control-plane/binaries.ts';

const VERSION = `${packageJson.version}\n`;

let folder: string;
let tarball: string;
/** Where `npm install --global` installs. */
let prefix: string;
let environment: NodeJS.ProcessEnv;

beforeAll(async () => {
  const { kubectl } = await ensureBinaries();
  folder = mkdtempSync(path.join(tmpdir(), 'package-test-'));
  prefix = path.join(folder, 'prefix');
  environment = {
    PATH: [path.join(prefix, 'bin'), path.dirname(process.execPath), path.dirname(kubectl), process.env['PATH']].join(
      path.delimiter,
    ),
    HOME: folder,
    npm_config_offline: 'true',
    npm_config_update_notifier: 'false',
  };
  const source = path.join(folder, 'source');
  await promisify(execFile)(process.execPath, ['scripts/package.ts', '--outdir', source]);
  const packed = path.join(folder, 'packed');
  mkdirSync(packed);
  await run('npm', 'pack', source, '--pack-destination', packed);
  tarball = path.join(packed, `${packageJson.name}-${packageJson.version}.tgz`);
  await run('npm', 'install', '--global', '--prefix', prefix, tarball);
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('the installed package', () => {
  const installed = (...names: readonly string[]) => path.join(prefix, 'lib/node_modules', packageJson.name, ...names);

  test('has the bundle, its licenses, and nothing else', () => {
    const files = readdirSync(installed(), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(installed(), path.join(entry.parentPath, entry.name)));
    expect(files.sort()).toEqual(['LICENSE', 'README.md', ...packageJson.files, 'package.json'].sort());
  });

  test('installs no dependency, runs no script, and can be published', () => {
    const manifest: unknown = JSON.parse(readFileSync(installed('package.json'), 'utf8'));
    const { name, version, license, repository, engines } = packageJson;
    expect(manifest).toMatchObject({ name, version, license, repository, engines });
    for (const member of ['dependencies', 'optionalDependencies', 'peerDependencies', 'scripts', 'private'])
      expect(manifest).not.toHaveProperty(member);
  });
});

describe.each(Object.keys(packageJson.bin))('the program %s', (program) => {
  test('prints the version', async () => {
    expect(await run(program, 'version')).toBe(VERSION);
  });

  test('explains its commands', async () => {
    expect(await run(program, 'list', '--help')).toContain('--credentials-secret');
  });
});

test('kubectl runs it as a plugin', async () => {
  expect(await run('kubectl', 'lrj', 'version')).toBe(VERSION);
});

test('npx runs it without an installation', async () => {
  expect(await run('npx', '--yes', `file:${tarball}`, 'version')).toBe(VERSION);
});

/** Resolves with its output; rejects with what the program complained. */
async function run(program: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, { env: environment, cwd: folder });
  return stdout;
}
