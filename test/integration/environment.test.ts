import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
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
let port: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'legacy-restore-operator-environment-'));
  // Only the proxy knows `atlas.test`. 0.0.0.0 is this machine too, and no loopback address, which no proxy is asked for.
  atlas = await startSecureAtlas({ names: ['atlas.test', '0.0.0.0'] });
  atlas.addApiKey({ ...API_KEY, groupIds: [GROUP_ID] });
  ({ port } = new URL(atlas.url));
  atlasUrl = `https://localhost:${port}`;
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

test.each(['ca.crt', 'folder'])('the system’s certificate store: SSL_CERT_FILE or SSL_CERT_DIR, %s', async (name) => {
  await mkdir(join(directory, 'folder'), { recursive: true });
  await copyFile(atlas.caFile, join(directory, 'folder', 'own.pem'));
  await copyFile(atlas.caFile, join(directory, 'ca.crt'));
  const variable = name === 'folder' ? 'SSL_CERT_DIR' : 'SSL_CERT_FILE';
  expect(
    await syncedWith(`store-${variable === 'SSL_CERT_DIR' ? 'dir' : 'file'}`, { [variable]: join(directory, name) }),
  ).toBe('True JobFetched');
});

test('a file of certificates that is missing is told once, with its variable and path', async () => {
  const env = { NODE_EXTRA_CA_CERTS: '/nowhere/extra.crt', SSL_CERT_FILE: '/nowhere/store.crt' };
  const operator = await bed.startOperator({ ATLAS_BASE_URL: atlasUrl, ...env });
  await operator.waitForLog(({ msg }) => msg.endsWith('started'));
  await operator.stop();
  expect(operator.log.filter(({ level }) => level === 'warn').map(({ msg }) => msg)).toEqual([
    'SSL_CERT_FILE: no certificates from /nowhere/store.crt (ENOENT)',
    'NODE_EXTRA_CA_CERTS: no certificates from /nowhere/extra.crt (ENOENT)',
  ]);
});

/** An environment with the proxy, in which this Atlas is asked. */
const proxied = (host: string, more: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  NODE_EXTRA_CA_CERTS: atlas.caFile,
  ATLAS_BASE_URL: `https://${host}:${port}`,
  HTTPS_PROXY: proxy.url,
  ...more,
});

test('HTTPS_PROXY: Atlas is reached through the proxy, also without a scheme', async () => {
  const before = proxy.tunnels.length;
  expect(await syncedWith('proxied', proxied('atlas.test'))).toBe('True JobFetched');
  const withoutScheme = proxied('0.0.0.0', { HTTPS_PROXY: new URL(proxy.url).host });
  expect(await syncedWith('proxied-without-scheme', withoutScheme)).toBe('True JobFetched');
  expect(new Set(proxy.tunnels.slice(before))).toEqual(new Set([`atlas.test:${port}`, `0.0.0.0:${port}`]));
});

test.each([
  ['a block', '0.0.0.0', 'a,0.0.0.0/8'],
  ['host:port', '0.0.0.0', '0.0.0.0:PORT'],
  ['everything', '0.0.0.0', '*'],
  ['a loopback host, without being named', 'localhost', ''],
])('NO_PROXY: what it names is reached directly: %s', async (name, host, noProxy) => {
  const before = proxy.tunnels.length;
  const env = proxied(host, { NO_PROXY: noProxy.replace('PORT', port) });
  expect(await syncedWith(`direct-${name.replace(/\W+/g, '-')}`, env)).toBe('True JobFetched');
  expect(proxy.tunnels).toHaveLength(before);
});

test('a proxy that refuses is named by its variable, without its password', async () => {
  const refusing = await startConnectProxy({ refuseWith: 407 });
  const HTTPS_PROXY = refusing.url.replace('//', '//user:canary-password@');
  const job = putJob(atlas, youngJob);
  const operator = await bed.startOperator(proxied('atlas.test', { HTTPS_PROXY, LOG_LEVEL: 'trace' }));
  await bed.create('refused', { jobId: job.jobId });
  const resource = await bed.until('refused', 'it is reconciled', ({ status }) => status.observedGeneration === 1);
  expect(conditionOf(resource, 'Synced')).toBe('Unknown AtlasUnavailable');
  expect(resource.status.conditions?.find(({ type }) => type === 'Synced')?.message).toContain(
    'the proxy of HTTPS_PROXY refused the connection (407: it wants other credentials)',
  );
  await operator.stop();
  await refusing.stop();
  expect(JSON.stringify([operator.log, operator.otherOutput(), resource])).not.toContain('canary');
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
    ['default', 'False SecretInvalid'],
  ] as const) {
    await bed.create('by-default', { jobId: job.jobId, credentialsSecretRef: undefined }, namespace);
    const resource = await bed.until('by-default', synced, ({ status }) => status.observedGeneration === 1, namespace);
    expect(conditionOf(resource, 'Synced')).toBe(synced);
  }
  await operator.stop();
});
