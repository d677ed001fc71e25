import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { youngJob } from '../support/atlas-simulator/recorded-bodies.ts';
import { type ConnectProxy, startConnectProxy } from '../support/connect-proxy.ts';
import { type SecureAtlas, startSecureAtlas } from '../support/secure-atlas.ts';
import { API_KEY, conditionOf, GROUP_ID, putJob, startTestBed, type TestBed } from '../support/test-bed.ts';

let bed: TestBed;
let atlas: SecureAtlas;
let proxy: ConnectProxy;
let directory: string;
let atlasUrl: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'legacy-restore-operator-environment-'));
  atlas = await startSecureAtlas();
  atlas.addApiKey({ ...API_KEY, groupIds: [GROUP_ID] });
  atlasUrl = `https://localhost:${new URL(atlas.url).port}`;
  proxy = await startConnectProxy();
  bed = await startTestBed();
});
afterAll(async () => {
  await bed?.stop();
  await proxy?.stop();
  await atlas?.stop();
  await rm(directory, { recursive: true });
});

/** Mirrors a fresh job with an operator in this environment and returns the condition Synced. */
async function syncedWith(name: string, env: Readonly<Record<string, string>>): Promise<string | undefined> {
  const job = putJob(atlas, youngJob);
  const operator = await bed.startOperator({ ATLAS_BASE_URL: atlasUrl, ...env });
  await bed.create(name, { jobId: job.jobId });
  const resource = await bed.until(name, 'it is reconciled', ({ status }) => status.observedGeneration === 1);
  await operator.stop();
  return conditionOf(resource, 'Synced');
}

test('NODE_EXTRA_CA_CERTS: a CA of one’s own is trusted', async () => {
  expect(await syncedWith('own-ca', { NODE_EXTRA_CA_CERTS: atlas.caFile })).toBe('True JobFetched');
  expect(proxy.tunnels).toEqual([]);
});

test('a certificate that nobody trusts: no credentials are sent, and the condition says so', async () => {
  const before = atlas.requests.counts().total;
  expect(await syncedWith('untrusted', {})).toBe('Unknown AtlasUnavailable');
  expect(atlas.requests.counts().total).toBe(before);
});

test('HTTPS_PROXY: Atlas is reached through the proxy', async () => {
  const env = { NODE_EXTRA_CA_CERTS: atlas.caFile, HTTPS_PROXY: proxy.url };
  expect(await syncedWith('proxied', env)).toBe('True JobFetched');
  expect(proxy.tunnels).toContain(new URL(atlasUrl).host);
});

test('NO_PROXY: what it names is reached directly', async () => {
  const before = proxy.tunnels.length;
  const env = { NODE_EXTRA_CA_CERTS: atlas.caFile, HTTPS_PROXY: proxy.url, NO_PROXY: 'localhost' };
  expect(await syncedWith('direct', env)).toBe('True JobFetched');
  expect(proxy.tunnels).toHaveLength(before);
});

test('default credentials: only in the namespaces that may use them', async () => {
  const credentials = await mkdtemp(join(directory, 'credentials-'));
  await writeFile(join(credentials, 'publicApiKey'), `${API_KEY.publicKey}\n`);
  await writeFile(join(credentials, 'privateApiKey'), API_KEY.privateKey);
  const env = {
    NODE_EXTRA_CA_CERTS: atlas.caFile,
    DEFAULT_CREDENTIALS_DIR: credentials,
    DEFAULT_CREDENTIALS_NAMESPACES: 'payments',
  };
  const job = putJob(atlas, youngJob);
  const operator = await bed.startOperator({ ATLAS_BASE_URL: atlasUrl, ...env });
  for (const [namespace, synced] of [
    ['payments', 'True JobFetched'],
    // A Secret is expected to come for a minute.
    ['default', 'Unknown SecretInvalid'],
  ] as const) {
    await bed.create('by-default', { jobId: job.jobId, credentialsSecretRef: undefined }, namespace);
    const resource = await bed.until('by-default', synced, ({ status }) => status.observedGeneration === 1, namespace);
    expect(conditionOf(resource, 'Synced')).toBe(synced);
  }
  await operator.stop();
});
