import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { KubeConfig, type User } from '@kubernetes/client-node';
import { loadKubeConfig, readKubeCredentials } from '../../../src/kube/kubeconfig.ts';

function configOf(server: string, user: Partial<User> = {}, cluster: { proxyUrl?: string } = {}): KubeConfig {
  const config = new KubeConfig();
  config.loadFromClusterAndUser({ name: 'c', server, skipTLSVerify: true, ...cluster }, { name: 'u', ...user });
  return config;
}

describe('the credentials', () => {
  test.each(['localhost:8080', 'https//user:canary@host', 'https://user:canary@[', ''])(
    'a server that is no URL is told without its value: "%s"',
    async (wrong) => {
      await expect(readKubeCredentials(configOf(wrong))).rejects.toMatchObject({
        name: 'KubeConfigError',
        message: "the server of the kubeconfig's current cluster must be an http(s) URL",
      });
    },
  );

  test.each([
    ['https://127.0.0.1:6443', 'https://127.0.0.1:6443', ''],
    ['http://127.0.0.1:8001', 'http://127.0.0.1:8001', ''],
    ['https://rancher.example/k8s/clusters/c-1/', 'https://rancher.example', '/k8s/clusters/c-1'],
  ])('%s has an origin and a base path', async (server, origin, basePath) => {
    expect(await readKubeCredentials(configOf(server))).toMatchObject({ origin, basePath });
  });

  test.each<[string, Partial<User>, Record<string, string>]>([
    ['a token', { token: 'canary' }, { Authorization: 'Bearer canary' }],
    ['a password', { username: 'a', password: 'b' }, { authorization: 'Basic YTpi' }],
    ['a client certificate', { certData: 'YQ==', keyData: 'Yg==' }, {}],
  ])('a user with %s is authenticated as such', async (_name, user, headers) => {
    expect((await readKubeCredentials(configOf('https://127.0.0.1', user))).headers).toEqual(headers);
  });

  test('the identity changes with the client certificate, not with the token', async () => {
    const identityOf = async (user: Partial<User>) =>
      (await readKubeCredentials(configOf('https://127.0.0.1', user))).identity;
    const first = await identityOf({ certData: 'YQ==', keyData: 'Yg==' });
    expect(await identityOf({ certData: 'YQ==', keyData: 'Yg==' })).toBe(first);
    expect(await identityOf({ certData: 'Yw==', keyData: 'Yg==' })).not.toBe(first);
    expect(await identityOf({ token: 'a' })).toBe(await identityOf({ token: 'b' }));
  });
});

describe('the proxy', () => {
  const before = { ...process.env };
  beforeEach(() => {
    process.env['HTTPS_PROXY'] = 'http://of-the-environment:1';
    process.env['NO_PROXY'] = '10.96.0.0/12';
  });
  afterEach(() => {
    process.env = { ...before };
  });

  test.each<[string, string | undefined, { url: string; source: string } | undefined]>([
    ['https://10.1.2.3', undefined, { url: 'http://of-the-environment:1/', source: 'HTTPS_PROXY' }],
    ['https://10.96.0.1', undefined, undefined],
    ['https://127.0.0.1', undefined, undefined],
    ['https://10.1.2.3', '', { url: 'http://of-the-environment:1/', source: 'HTTPS_PROXY' }],
    ['https://10.1.2.3', 'http://own:2', { url: 'http://own:2/', source: 'proxy-url of the kubeconfig' }],
    ['https://10.96.0.1', 'own:2', { url: 'http://own:2/', source: 'proxy-url of the kubeconfig' }],
  ])('of %s with the proxy-url %p', async (server, proxyUrl, expected) => {
    const config = configOf(server, {}, proxyUrl === undefined ? {} : { proxyUrl });
    expect((await readKubeCredentials(config)).proxy).toEqual(expected);
  });

  test.each(['http://user:canary@', 'socks5://user:canary@host'])(
    'a proxy-url that cannot be used: %s',
    async (proxyUrl) => {
      await expect(readKubeCredentials(configOf('https://10.1.2.3', {}, { proxyUrl }))).rejects.toMatchObject({
        name: 'KubeConfigError',
        message: expect.stringMatching(/^proxy-url of the kubeconfig must be (?!.*canary)/),
      });
    },
  );
});

describe('the files', () => {
  let folder: string;
  const before = { ...process.env };
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'kubeconfig-test-'));
    delete process.env['KUBERNETES_SERVICE_HOST'];
    delete process.env['HTTPS_PROXY'];
    delete process.env['https_proxy'];
  });
  afterEach(() => {
    process.env = { ...before };
    rmSync(folder, { recursive: true });
  });

  function write(name: string, content: string): string {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, content);
    return file;
  }

  const use = (...files: readonly string[]): KubeConfig => {
    process.env['KUBECONFIG'] = files.join(path.delimiter);
    return loadKubeConfig();
  };

  /** A file whose only context is called as all that it names. */
  const contentOf = (name: string, user = `{token: of-${name}}`): string =>
    [
      `current-context: ${name}`,
      'contexts:',
      `- {name: ${name}, context: {cluster: ${name}, user: ${name}, namespace: ns-${name}}}`,
      `clusters: [{name: ${name}, cluster: {server: "https://${name}.example"}}]`,
      `users: [{name: ${name}, user: ${user}}]`,
    ].join('\n');

  test('the first current-context wins, what is missing is passed over, and so is what is there twice', async () => {
    const [a, b] = [write('a', contentOf('a')), write('b', contentOf('b'))];
    const again = write('again', contentOf('a').replace('of-a', 'of-again').replace('a.example', 'again.example'));
    const config = use(path.join(folder, 'missing'), a, again, b);
    expect(await readKubeCredentials(config)).toMatchObject({
      origin: 'https://a.example',
      headers: { Authorization: 'Bearer of-a' },
    });
    expect(config.getContextObject(config.getCurrentContext())?.namespace).toBe('ns-a');
    expect(await readKubeCredentials(use(b, a))).toMatchObject({ origin: 'https://b.example' });
  });

  test('a context, its cluster and its user can stand in three files', async () => {
    const context = write('context', 'current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]');
    const cluster = write('cluster', 'clusters: [{name: c, cluster: {server: "https://c.example"}}]');
    const empty = write('empty', '');
    const user = write('user', 'users: [{name: u, user: {token: of-u}}]');
    expect(await readKubeCredentials(use(empty, context, cluster, user))).toMatchObject({
      origin: 'https://c.example',
      headers: { Authorization: 'Bearer of-u' },
    });
  });

  test('a server with plain http', async () => {
    const config = use(write('a', contentOf('a').replace('https://a.example', 'http://127.0.0.1:8001')));
    expect(await readKubeCredentials(config)).toMatchObject({ origin: 'http://127.0.0.1:8001' });
  });

  test('tokenFile wins over token and is found beside its kubeconfig', async () => {
    write('sub/token', 'of-the-file\n');
    const config = use(write('sub/a', contentOf('a', '{token: old, tokenFile: token}')));
    expect((await readKubeCredentials(config)).headers).toEqual({ Authorization: 'Bearer of-the-file' });
  });

  test('a user is impersonated with uid, groups and extra', async () => {
    const user = '{token: t, as: jane, as-uid: "7", as-groups: [a, b], as-user-extra: {scopes: [x]}}';
    expect((await readKubeCredentials(use(write('a', contentOf('a', user))))).headers).toEqual({
      Authorization: 'Bearer t',
      'Impersonate-User': 'jane',
      'Impersonate-Uid': '7',
      'Impersonate-Group': ['a', 'b'],
      'Impersonate-Extra-scopes': ['x'],
    });
  });

  test('the data of a certificate wins over its file', async () => {
    const user = '{client-certificate: nowhere, client-certificate-data: Y2VydA==, client-key-data: a2V5}';
    const { tls } = await readKubeCredentials(use(write('a', contentOf('a', user))));
    expect(tls).toMatchObject({ cert: Buffer.from('cert'), key: Buffer.from('key') });
  });

  test('a context without a user', async () => {
    const content = contentOf('a').replace('user: a, ', '').replace('cluster: {', 'cluster: {tls-server-name: b, ');
    const { headers, tls } = await readKubeCredentials(use(write('a', content)));
    expect({ headers, tls }).toEqual({ headers: {}, tls: { servername: 'b' } });
  });

  test('in a pod only where there is no kubeconfig', () => {
    process.env['KUBERNETES_SERVICE_HOST'] = '10.96.0.1';
    process.env['KUBERNETES_SERVICE_PORT'] = '443';
    expect(use(write('a', contentOf('a'))).getCurrentCluster()?.server).toBe('https://a.example');
    expect(use(path.join(folder, 'missing')).getCurrentCluster()?.server).toBe('https://10.96.0.1:443');
  });

  test('none of them is there', () => {
    expect(() => use(path.join(folder, 'missing'))).toThrow(
      'no kubeconfig found and not running in a pod: none of the files that KUBECONFIG names exists',
    );
  });

  test.each<[string, string, string]>([
    ['bad indentation', 'users:\n- user:\n    token: canary\n   x: y', 'is no valid YAML at line 4, column 4'],
    ['an alias that is none', 'token: *canary', 'is no valid YAML at line 1, column 9'],
    ['a tag that is none', 'token: !<!canary> x', 'is no valid YAML at line 1, column 8'],
    ['two documents', 'token: canary\n---\ntoken: canary', 'is no valid YAML'],
    [
      'a wrong type',
      'users: [{name: canary, user: {token: 5}}]',
      'is wrong at users.[0].user.token: it must be of type string',
    ],
    ['no mapping', 'canary', 'is wrong at its top: it must be of type object'],
  ])('a fault is named by its place, never by what stands there: %s', (_name, content, expected) => {
    const file = write('broken', content);
    let message = '';
    try {
      use(file);
    } catch (error) {
      message = Error.isError(error) ? `${error.name}: ${error.message}` : '';
    }
    expect(message).toBe(`KubeConfigError: the kubeconfig ${file} ${expected}`);
  });

  test.each([
    ['no current-context', 'clusters: []', 'has no current-context'],
    ['no context', 'current-context: canary', 'names no context'],
    ['no cluster', contentOf('a').replace('clusters: [{name: a', 'clusters: [{name: canary'), 'names no cluster'],
    ['no user', contentOf('a').replace('users: [{name: a', 'users: [{name: canary'), 'names no user'],
  ])('an entry that is missing: %s', (_name, content, expected) => {
    expect(() => use(write('a', content))).toThrow(expected);
  });

  test('a file that cannot be read, and one that it names', async () => {
    expect(() => use(folder)).toThrow(`the kubeconfig ${folder} cannot be read (EISDIR)`);
    const config = use(write('a', contentOf('a', '{tokenFile: nowhere}')));
    await expect(readKubeCredentials(config)).rejects.toMatchObject({
      name: 'KubeConfigError',
      message: `the credentials of the kubeconfig cannot be read (ENOENT): ${path.join(folder, 'nowhere')}`,
    });
  });
});
