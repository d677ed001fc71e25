import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createCredentialPlugin } from '../../../src/kube/credential-plugin.ts';
import type { ExecEntry } from '../../../src/kube/kubeconfig-files.ts';
import { eventually } from '../../support/eventually.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'credential-plugin-test-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function script(text: string): string {
  const file = path.join(folder, 'plugin');
  writeFileSync(file, `#!/bin/sh\ncd '${folder}'\n${text}\n`);
  chmodSync(file, 0o755);
  return file;
}

function run(text: string, more: Partial<ExecEntry> = {}, timeoutMs = 10_000): Promise<unknown> {
  return createCredentialPlugin({ command: script(text), ...more }, { server: 'https://c' }, timeoutMs)(undefined);
}

/** The message of the refusal. */
async function refusal(text: string, more: Partial<ExecEntry> = {}, timeoutMs?: number): Promise<string> {
  const error: unknown = await run(text, more, timeoutMs).catch((cause: unknown) => cause);
  expect(error).toMatchObject({ name: 'KubeConfigError' });
  return Error.isError(error) ? error.message : '';
}

const printing = (status: unknown): string => `echo '${JSON.stringify({ kind: 'ExecCredential', status })}'`;

/** The process whose id a script wrote. */
async function untilGone(file: string): Promise<void> {
  const pid = Number(readFileSync(path.join(folder, file), 'utf8'));
  await eventually('the process is gone', () => {
    expect(() => process.kill(pid, 0)).toThrow();
  });
}

test('gives a token, a certificate, and says who asks', async () => {
  const status = { token: 't', clientCertificateData: 'c', clientKeyData: 'k' };
  const text = `echo "$KUBERNETES_EXEC_INFO $OWN $1" > asked; ${printing(status)}`;
  const entry = { apiVersion: 'client.authentication.k8s.io/v1', provideClusterInfo: true };
  expect(await run(text, { ...entry, args: ['arg'], env: [{ name: 'OWN', value: 'own' }] })).toMatchObject(status);
  const [info = '', ...rest] = readFileSync(path.join(folder, 'asked'), 'utf8').trim().split(' ');
  expect(rest).toEqual(['own', 'arg']);
  expect(JSON.parse(info)).toEqual({
    apiVersion: 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    spec: { interactive: false, cluster: { server: 'https://c' } },
  });
});

test('is run again only when its credentials have expired', async () => {
  const count = (): number => readFileSync(path.join(folder, 'runs'), 'utf8').length;
  for (const [expires, runs] of [
    [undefined, 1],
    ['2999-01-01T00:00:00Z', 2],
    ['2001-01-01T00:00:00Z', 4],
  ] as const) {
    const text = `printf x >> runs; ${printing({ token: 't', expirationTimestamp: expires })}`;
    const plugin = createCredentialPlugin({ command: script(text) }, {});
    await plugin(undefined);
    await plugin(undefined);
    expect(count()).toBe(runs);
  }
});

test('one that is not there is named, with its hint', async () => {
  const entry = { command: '/nowhere/aws', installHint: 'Install\nit.' };
  await expect(createCredentialPlugin(entry, {})(undefined)).rejects.toThrow(
    'the credential plugin "/nowhere/aws" of the kubeconfig cannot be started (ENOENT): Install it.',
  );
});

test.each<[string, string, string]>([
  [
    'an exit code, with what it said',
    'echo "no session:\n\u202E log in" >&2; exit 3',
    'failed (exit code 3): no session: log in',
  ],
  ['a signal', 'kill -TERM $$', 'failed (SIGTERM)'],
  ['no JSON', 'echo hello; echo why >&2', 'did not print an ExecCredential: why'],
  ['no status', 'echo "{}"', 'did not print an ExecCredential'],
  ['nothing in it', printing({}), 'gave neither a token nor a certificate'],
])('fails with %s', async (_name, text, expected) => {
  const message = (await refusal(text)).replace(/ +/g, ' ');
  expect(message).toBe(`the credential plugin "${path.join(folder, 'plugin')}" of the kubeconfig ${expected}`);
});

test('what it says is bounded', async () => {
  expect((await refusal('head -c 3000000 /dev/zero | tr "\\0" x >&2; exit 1')).length).toBeLessThan(900);
});

test('secrets that it was given, inherited or printed are not repeated', async () => {
  process.env['CANARY_API_KEY'] = 'canary-inherited';
  const said = [
    'canary-of-env',
    'canary-of-a-flag',
    'canary-after-a-flag',
    'canary-inherited',
    'canary-token',
    'Authorization: Bearer canary-bearer',
    'eyJhbGciOiJub25lIn0.eyJjYW5hcnkiOjF9.canary',
    'http://user:canary-pw@proxy',
  ];
  const message = await refusal(`${printing({ token: 'canary-token' })}; echo '${said.join(' ')} end' >&2; exit 1`, {
    env: [{ name: 'X', value: 'canary-of-env' }],
    args: ['--client-secret=canary-of-a-flag', '--token', 'canary-after-a-flag', '--cluster', 'prod'],
  });
  delete process.env['CANARY_API_KEY'];
  expect(message).not.toContain('canary');
  expect(message).toContain('http://[redacted]@proxy end');
});

test('one that hangs is ended with all that it started', async () => {
  const message = await refusal('echo waiting >&2; sleep 600 & echo $! > child; echo $$ > self; wait', {}, 1_000);
  expect(message).toContain('did not end within 1 s and was killed: waiting');
  await untilGone('child');
  await untilGone('self');
});

test('its signal ends it', async () => {
  const stop = new AbortController();
  const plugin = createCredentialPlugin({ command: script('echo $$ > self; exec sleep 600') }, {});
  const running = plugin(stop.signal);
  await eventually('it runs', () => {
    expect(readFileSync(path.join(folder, 'self'), 'utf8')).toMatch(/\d\n/);
  });
  stop.abort();
  await expect(running).rejects.toThrow('the credential plugin was ended');
  await untilGone('self');
});
