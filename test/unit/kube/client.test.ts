import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import { createKubeClient, type KubeClient } from '../../../src/kube/client.ts';

let server: Server;
let client: KubeClient;
beforeEach(async () => {
  server = createServer((_request, response) => response.end('{"answered":true}'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  jest.restoreAllMocks();
  await client.close();
  server.close();
});

/** A configuration whose credentials take as long as `ready` to be read, as those of a plugin do. */
class SlowConfig extends KubeConfig {
  ready: Promise<void> = Promise.resolve();

  constructor() {
    super();
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    this.loadFromClusterAndUser(
      { name: 'c', server: `http://127.0.0.1:${address.port}`, skipTLSVerify: true },
      { name: 'u' },
    );
  }

  override async applyToHTTPSOptions(options: Parameters<KubeConfig['applyToHTTPSOptions']>[0]): Promise<void> {
    await this.ready;
    await super.applyToHTTPSOptions(options);
  }
}

const ask = (): Promise<unknown> => client.request({ method: 'GET', path: '/version' });

test('connections that are abandoned are replaced, also in the middle of reading the credentials', async () => {
  const config = new SlowConfig();
  client = createKubeClient({ load: () => config, userAgent: 'test' });
  await ask();
  client.abandonConnections();
  expect(await ask()).toEqual({ answered: true });

  const { promise, resolve } = Promise.withResolvers<void>();
  // So that the next request reads the credentials again.
  jumpAhead(60_000);
  config.ready = promise;
  const waiting = ask();
  client.abandonConnections();
  resolve();
  expect(await waiting).toEqual({ answered: true });
  expect(await ask()).toEqual({ answered: true });
});

test('to abandon connections before there are any does nothing', async () => {
  client = createKubeClient({ load: () => new SlowConfig(), userAgent: 'test' });
  client.abandonConnections();
  expect(await ask()).toEqual({ answered: true });
});

test('a plugin that never gives credentials fails the request in time, and the next one starts it again', async () => {
  const config = new SlowConfig();
  config.ready = new Promise(() => {});
  client = createKubeClient({ load: () => config, userAgent: 'test' });
  jest.useFakeTimers();
  const refused = expect(ask()).rejects.toMatchObject({ name: 'KubeError', status: 0 });
  await jest.advanceTimersByTimeAsync(20_000);
  await refused;
  jest.useRealTimers();
  config.ready = Promise.resolve();
  expect(await ask()).toEqual({ answered: true });
});

test('a server behind a gateway keeps the path of its URL', async () => {
  const paths: (string | undefined)[] = [];
  server.on('request', ({ url }) => paths.push(url));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const config = new KubeConfig();
  const gateway = `http://127.0.0.1:${address.port}/k8s/clusters/c-1/`;
  config.loadFromClusterAndUser({ name: 'c', server: gateway, skipTLSVerify: true }, { name: 'u' });
  client = createKubeClient({ load: () => config, userAgent: 'test' });
  await ask();
  expect(paths).toEqual(['/k8s/clusters/c-1/version']);
});

/** Sets the monotonic clock ahead, for as long as the test runs. */
function jumpAhead(ms: number): void {
  const now = performance.now.bind(performance);
  jest.spyOn(performance, 'now').mockImplementation(() => now() + ms);
}
