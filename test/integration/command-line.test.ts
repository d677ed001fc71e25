import { execFile } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import packageJson from '../../package.json' with { type: 'json' };
import { PROGRAM } from '../support/program.ts';

interface Result {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Result> {
  const { PATH = '' } = process.env;
  const { promise, resolve } = Promise.withResolvers<Result>();
  execFile(process.execPath, [PROGRAM, ...args], { env: { PATH, ...env } }, (error, stdout, stderr) => {
    resolve({ exitCode: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
  });
  return promise;
}

test('wrong settings are all listed at once, without their values, and the exit code is 2', async () => {
  const { exitCode, stderr } = await run(['run', '--concurrency=many', '--color=red'], {
    ATLAS_BASE_URL: 'http://atlas.example.com',
    ATLAS_TIMEOUT: 'secret-value',
    LOG_LEVEL: 'loud',
  });
  expect(exitCode).toBe(2);
  for (const problem of [
    '--concurrency must be',
    '--color is not a flag',
    'ATLAS_BASE_URL must be https',
    'ATLAS_TIMEOUT must be',
    'LOG_LEVEL must be',
  ]) {
    expect(stderr).toContain(problem);
  }
  expect(stderr).not.toContain('secret-value');
});

test.each(['run', 'get'])(
  'a base URL with the path of the API: the URL to use and exit code 2 (%s)',
  async (command) => {
    const { exitCode, stderr } = await run([command], { ATLAS_BASE_URL: 'https://cloud.mongodb.com/api/atlas/v1.0' });
    expect(exitCode).toBe(2);
    expect(stderr).toContain('ATLAS_BASE_URL must not contain the path of the API: use https://cloud.mongodb.com\n');
  },
);

test('a kubeconfig that is not there: one clear sentence and exit code 2', async () => {
  const { exitCode, stdout } = await run(['run'], { KUBECONFIG: '/nowhere/kubeconfig' });
  expect(exitCode).toBe(2);
  expect(stdout).toContain('none of the files that KUBECONFIG names exists');
});

describe('a proxy variable that is no URL is named, without its value, and the exit code is 2', () => {
  const env = { HTTPS_PROXY: 'http://user:canary@proxy:99999', http_proxy: 'user:can%ary@proxy', HOME: '/nowhere' };
  test.each([['run'], ['get']])('%s', async (command) => {
    const { exitCode, stdout, stderr } = await run([command], env);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('HTTPS_PROXY must be the URL of a proxy');
    expect(stderr).toContain('http_proxy must be the URL of a proxy');
    expect(stdout + stderr).not.toMatch(/canary|can%ary/);
  });
});

test('no kubeconfig at all, outside a cluster', async () => {
  const { exitCode, stdout } = await run(['run'], { HOME: '/nowhere' });
  expect(exitCode).toBe(2);
  expect(stdout).toContain('set KUBECONFIG');
});

test('a flag and its value are one argument or two', async () => {
  const { exitCode, stderr } = await run([
    'run',
    '--concurrency',
    'canary',
    '--log-level',
    'debug',
    '--lease-name=a/b',
  ]);
  expect(exitCode).toBe(2);
  expect(stderr.split('\n').slice(1, -2)).toEqual([
    expect.stringContaining('--concurrency must be a whole number'),
    expect.stringContaining('--lease-name must be the name'),
  ]);
});

describe('the other commands', () => {
  test('version', async () => {
    expect(await run(['version'])).toEqual({ exitCode: 0, stdout: `${packageJson.version}\n`, stderr: '' });
  });

  test.each([['help'], ['--help'], ['run --help'], ['run --concurrency=0 -h']])(
    '%s lists every setting',
    async (args) => {
      const { exitCode, stdout } = await run(args.split(' '));
      expect(exitCode).toBe(0);
      for (const name of [
        '--atlas-base-url, ATLAS_BASE_URL',
        '--leader-elect, LEADER_ELECT',
        '--log-format, LOG_FORMAT',
      ]) {
        expect(stdout).toContain(name);
      }
    },
  );

  test('none at all: help on standard error, exit code 2, and no operator is started', async () => {
    const { exitCode, stdout, stderr } = await run([], { KUBECONFIG: '/nowhere/kubeconfig' });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    for (const text of ['Usage: legacy-restore-operator <command>', '--leader-elect, LEADER_ELECT'])
      expect(stderr).toContain(text);
    expect(stderr).not.toContain('kubeconfig/');
  });

  test('flags without a command, whose values are not repeated', async () => {
    const { exitCode, stdout, stderr } = await run(['--lease-name=canary'], { KUBECONFIG: '/nowhere/kubeconfig' });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toBe('the first argument must be a command; legacy-restore-operator help lists them\n');
  });

  test('print-crds', async () => {
    const { stdout } = await run(['print-crds']);
    expect(stdout).toContain('kind: CustomResourceDefinition');
    expect(stdout).toContain('name: legacyrestorejobs.atlasrestore.dev');
  });

  test('one that does not exist', async () => {
    const { exitCode, stderr } = await run(['walk']);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('"walk" is not a command');
  });
});
