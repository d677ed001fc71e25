import { createServer } from 'node:http';
import { afterEach, expect, test } from '@jest/globals';
import type { Dispatcher } from 'undici';
import { openConnections, ProxyError } from '../../../src/net/connections.ts';
import { sendRequest } from '../../../src/net/http-request.ts';
import { startConnectProxy } from '../../support/connect-proxy.ts';
import { listen } from '../../support/listen.ts';

const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of cleanup.splice(0)) await end();
});

async function proxyThat(refuseWith?: number) {
  const proxy = await startConnectProxy(refuseWith === undefined ? {} : { refuseWith });
  cleanup.push(proxy.stop);
  return proxy;
}

function through(url: string): Dispatcher {
  const dispatcher = openConnections({ agent: {}, proxy: { url, source: 'HTTPS_PROXY' } });
  cleanup.unshift(() => dispatcher.destroy());
  return dispatcher;
}

const get = (dispatcher: Dispatcher, origin: string) =>
  sendRequest(dispatcher, {
    method: 'GET',
    origin,
    path: '/a?b',
    headers: {},
    body: null,
    timeoutMs: 5_000,
    maxBytes: 1_000,
  });

test.each([
  [403, '403: it does not allow this destination'],
  [407, '407: it wants other credentials'],
  [418, '418'],
  [502, '502: it cannot reach the destination'],
])('a proxy that answers CONNECT with %i is named, not its address', async (status, words) => {
  const proxy = await proxyThat(status);
  const withPassword = proxy.url.replace('http://', 'http://user:canary@');
  const error: unknown = await get(through(withPassword), 'https://atlas.test').catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(ProxyError);
  expect(error).toMatchObject({ status, message: `the proxy of HTTPS_PROXY refused the connection (${words})` });
});

test('a proxy that wants other credentials for a request to be sent on', async () => {
  const proxy = await proxyThat(407);
  await expect(get(through(proxy.url), 'http://atlas.test')).rejects.toMatchObject({
    message: 'the proxy of HTTPS_PROXY refused the connection (407: it wants other credentials)',
    status: 407,
  });
});

test.each(['https://atlas.test', 'http://atlas.test'])('a proxy that cannot be reached: %s', async (origin) => {
  await expect(get(through('http://user:canary@127.0.0.1:1'), origin)).rejects.toMatchObject({
    message: 'the proxy of HTTPS_PROXY cannot be reached (ECONNREFUSED)',
    status: undefined,
  });
});

test('a request to an http origin is sent on by the proxy', async () => {
  const server = createServer((request, response) => response.end(`${request.method} ${request.url}`));
  cleanup.push(() => server.close());
  const port = await listen(server);
  const proxy = await proxyThat();
  const response = await get(through(proxy.url), `http://origin.test:${port}`);
  expect(response.body.toString()).toBe('GET /a?b');
  expect(proxy.forwarded).toEqual([`http://origin.test:${port}/a?b`]);
});

test('connections through a proxy can be closed in order', async () => {
  const proxy = await proxyThat(407);
  const dispatcher = through(proxy.url);
  await expect(get(dispatcher, 'https://atlas.test')).rejects.toThrow(ProxyError);
  await dispatcher.close();
});
