import { expect, test } from '@jest/globals';
import { KubeConfig, type User } from '@kubernetes/client-node';
import { readKubeCredentials } from '../../../src/kube/kubeconfig.ts';

function configOf(server: string, user: Partial<User> = {}): KubeConfig {
  const config = new KubeConfig();
  config.loadFromClusterAndUser({ name: 'c', server, skipTLSVerify: true }, { name: 'u', ...user });
  return config;
}

test.each(['localhost:8080', 'https://[', ''])('a server that is no URL is named: "%s"', async (wrong) => {
  await expect(readKubeCredentials(configOf(wrong))).rejects.toMatchObject({
    name: 'KubeConfigError',
    message: expect.stringContaining(`"${wrong}", must be an http(s) URL`),
  });
});

test.each([
  ['https://127.0.0.1:6443', 'https://127.0.0.1:6443', ''],
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
