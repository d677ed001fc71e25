import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { chooseSource, readCredentials } from '../../../src/command/credentials.ts';
import { KubeError } from '../../../src/kube/errors.ts';
import { fakeClient } from '../support/fake-client.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'legacy-restore-operator-get-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const noClient = () => {
  throw new Error('no client is needed');
};

/** Reads what these flags name, under their keys. */
function read(given: Readonly<Record<string, string>>, openClient: () => ReturnType<typeof fakeClient> = noClient) {
  const chosen = chooseSource(given, {});
  return chosen.ok
    ? readCredentials(chosen.source, openClient, new AbortController().signal)
    : Promise.reject(new Error(chosen.problem));
}

describe('files', () => {
  const write = (name: string, content: string): string => {
    const file = path.join(folder, name);
    writeFileSync(file, content);
    return file;
  };
  const apiKey = (publicKey: string, privateKey: string) =>
    read({ publicApiKeyFile: write('public', publicKey), privateApiKeyFile: write('private', privateKey) });

  test('of an API key, a line end is no part of it', async () => {
    expect(await apiKey('abcdefgh\n', 'canary\r\n')).toEqual({
      ok: true,
      credentials: { kind: 'apiKey', publicKey: 'abcdefgh', privateKey: 'canary' },
    });
  });

  test('of a service account', async () => {
    const files = { clientIdFile: write('id', 'mdb_sa_id_1'), clientSecretFile: write('secret', 'mdb_sa_sk_1') };
    expect(await read(files)).toEqual({
      ok: true,
      credentials: { kind: 'serviceAccount', clientId: 'mdb_sa_id_1', clientSecret: 'mdb_sa_sk_1' },
    });
  });

  test('what is wrong with them is told without a value', async () => {
    expect(await apiKey('abcdefgh', ' \n')).toEqual({
      ok: false,
      problem: 'The pair of files has an empty --private-api-key-file.',
    });
    expect(await apiKey('abcdefgh', 'canary\ncanary')).toEqual({
      ok: false,
      problem: 'The pair of files has control characters in --private-api-key-file.',
    });
  });

  test('a key in place of the name of its file is not repeated', async () => {
    expect(await read({ publicApiKeyFile: 'canary', privateApiKeyFile: 'canary' })).toEqual({
      ok: false,
      problem: 'The file of --public-api-key-file cannot be read (ENOENT).',
    });
    expect(await read({ clientIdFile: write('id', 'x'), clientSecretFile: folder })).toEqual({
      ok: false,
      problem: 'The file of --client-secret-file cannot be read (EISDIR).',
    });
  });
});

describe('a Secret', () => {
  const SECRET = { secret: 'payments/atlas-key' };
  const withData = (data: Readonly<Record<string, string>>) =>
    fakeClient({
      request: () => ({
        metadata: { uid: 'a', resourceVersion: '1' },
        data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, btoa(value)])),
      }),
    });
  const refusing = (status: number) =>
    fakeClient({
      request: () => {
        throw new KubeError(`the API server answered ${status}`, { status });
      },
    });

  test('is read as the operator reads it', async () => {
    const client = withData({ publicApiKey: 'abcdefgh', privateApiKey: 'canary\n', orgId: 'x' });
    expect(await read(SECRET, () => client)).toMatchObject({ ok: true, credentials: { privateKey: 'canary' } });
    expect(client.requests).toMatchObject([{ method: 'GET', path: '/api/v1/namespaces/payments/secrets/atlas-key' }]);
  });

  test('without a key', async () => {
    expect(await read(SECRET, () => withData({ privateApiKey: 'canary' }))).toEqual({
      ok: false,
      problem:
        'Secret payments/atlas-key lacks the key publicApiKey. Give it publicApiKey and privateApiKey, publicKey and privateKey, or clientId and clientSecret.',
    });
  });

  test('that is not there or may not be read', async () => {
    expect(await read(SECRET, () => refusing(404))).toEqual({
      ok: false,
      problem: 'Secret payments/atlas-key does not exist. Check --secret and the context of the kubeconfig.',
    });
    expect(await read(SECRET, () => refusing(403))).toEqual({
      ok: false,
      problem: 'The user of the kubeconfig may not read Secret payments/atlas-key.',
    });
    await expect(read(SECRET, () => refusing(0))).rejects.toThrow(KubeError);
  });
});
