import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import { createKubeClient, type KubeClient, type KubeRequest } from '../../../src/kube/client.ts';
import { eventually } from '../../support/eventually.ts';

let server: Server;
let client: KubeClient;
/** What the server does with a request. */
let respond: (request: IncomingMessage, response: ServerResponse) => void;
beforeEach(async () => {
  respond = (_request, response) => response.end('{"answered":true}');
  server = createServer((request, response) => respond(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  jest.restoreAllMocks();
  await client.close();
  server.close();
  server.closeAllConnections();
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

const ask = (): Promise<unknown> => client.request({ method: 'GET', path: '/version', returns: 'object' });

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

describe('only an object of the right kind is a success', () => {
  const LEASE = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };
  const readLease = (): Promise<unknown> => client.request({ method: 'GET', path: '/lease', returns: LEASE });
  beforeEach(() => {
    client = createKubeClient({ load: () => new SlowConfig(), userAgent: 'test' });
  });

  test.each<[string, number, string]>([
    ['a redirect', 302, JSON.stringify(LEASE)],
    ['a sign-in page', 200, '<html>sign in</html>'],
    ['no content', 204, ''],
    ['nothing', 200, ''],
    ['a list', 200, JSON.stringify([LEASE])],
    ['null', 200, 'null'],
    ['another object', 200, '{"error":"sign in"}'],
    ['another kind', 200, JSON.stringify({ ...LEASE, kind: 'Status' })],
    ['a kind of another group', 200, JSON.stringify({ ...LEASE, apiVersion: 'v1' })],
  ])('%s is none', async (_name, status, body) => {
    const paths: (string | undefined)[] = [];
    respond = ({ url }, response) => {
      paths.push(url);
      response.writeHead(status, { location: '/elsewhere' }).end(body);
    };
    await expect(readLease()).rejects.toMatchObject({
      name: 'KubeError',
      status,
      reason: 'InvalidResponse',
      message: "GET /lease: the API server's response is not a Lease (a gateway or proxy may answer in its place)",
    });
    expect(paths).toEqual(['/lease']);
  });

  test.each([200, 201])('a Lease is one, with %i', async (status) => {
    respond = (_request, response) => response.writeHead(status).end(JSON.stringify(LEASE));
    expect(await readLease()).toEqual(LEASE);
  });

  test.each(['[]', '<html>', ''])('where no kind is known, %j is none', async (body) => {
    respond = (_request, response) => response.end(body);
    await expect(ask()).rejects.toThrow('response is not a JSON object');
  });

  test('a response without end is given up before it fills the memory', async () => {
    respond = (_request, response) => sendWithoutEnd(response.writeHead(200));
    await expect(ask()).rejects.toThrow('GET /version: the response is larger than 16777216 bytes');
  });
});

describe('only a stream of JSON is a watch', () => {
  const watch = (): Promise<unknown> => client.stream('/things?watch=true', new AbortController().signal);
  beforeEach(() => {
    client = createKubeClient({ load: () => new SlowConfig(), userAgent: 'test' });
  });

  test.each<[string, number, Record<string, string>]>([
    ['a redirect', 302, { location: '/elsewhere', 'content-type': 'application/json' }],
    ['a sign-in page', 200, { 'content-type': 'text/html' }],
    ['something of no type', 200, {}],
    ['no content', 204, {}],
  ])('%s is none, and nobody waits for its end', async (_name, status, headers) => {
    // No end is sent, but where the status allows no body.
    respond = (_request, response) => {
      response.writeHead(status, headers).flushHeaders();
      if (status === 204) response.end();
      else response.write('<html>');
    };
    await expect(watch()).rejects.toMatchObject({
      status,
      reason: 'InvalidResponse',
      message: "WATCH /things: the API server's response is not a watch (a gateway or proxy may answer in its place)",
    });
  });

  test.each(['application/json', 'application/json;stream=watch'])('%s is one', async (type) => {
    respond = (_request, response) => response.writeHead(200, { 'content-type': type }).end('{}\n');
    await expect(watch()).resolves.toBeDefined();
  });

  test('an error without end is told', async () => {
    respond = (_request, response) => sendWithoutEnd(response.writeHead(503));
    await expect(watch()).rejects.toMatchObject({ status: 503 });
  });
});

describe('a request that gets no response in time', () => {
  const signal = new AbortController().signal;
  const ended: string[] = [];
  let slow: (request: IncomingMessage) => boolean;
  beforeEach(async () => {
    ended.length = 0;
    slow = () => true;
    client = createKubeClient({ load: () => new SlowConfig(), userAgent: 'test' });
    respond = (request, response) => {
      if (request.url === '/watch') response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
      else if (!slow(request)) response.end('{"answered":true}');
    };
    const stream = await client.stream('/watch', signal);
    void drain(stream).then(
      () => ended.push('ended'),
      () => ended.push('failed'),
    );
  });

  /** The time is enough for a request to arrive on a busy machine, and for a second one to be answered. */
  const timesOut = (request: Partial<KubeRequest>): Promise<void> =>
    expect(
      client.request({ method: 'GET', path: '/x', returns: 'object', timeoutMs: 500, ...request }),
    ).rejects.toThrow('no complete response within 0.5 s');

  test('a write, which a webhook may hold up: the watches go on', async () => {
    await timesOut({ method: 'PATCH' });
    slow = () => false;
    await expectWatchAlive();
  });

  test('a read that may be slow: the watches go on', async () => {
    await timesOut({ mayBeSlow: true });
    slow = () => false;
    await expectWatchAlive();
  });

  test('a read that gets none on a new connection either: the watches go on', async () => {
    let probed = 0;
    slow = ({ url }) => {
      if (url === '/x') probed += 1;
      return url === '/x';
    };
    await timesOut({});
    await eventually('the read is tried on a new connection', () => expect(probed).toBe(2));
    await expectWatchAlive();
  });

  test('a read that gets one on a new connection: the old one is dead, and the watches are given up with it', async () => {
    const seen = new Set<unknown>();
    slow = ({ socket }) => seen.size === 0 && seen.add(socket).has(socket);
    await timesOut({});
    await eventually('the watch is given up', () => expect(ended).toEqual(['failed']));
    expect(await ask()).toEqual({ answered: true });
  });

  test('later requests go on a new connection', async () => {
    const sockets: unknown[] = [];
    slow = ({ url, socket }) => {
      if (url === '/version') sockets.push(socket);
      return url === '/x';
    };
    await ask();
    await timesOut({ method: 'PATCH' });
    await ask();
    expect(sockets).toHaveLength(2);
    expect(sockets[0] === sockets[1]).toBe(false);
  });

  /** The watch would have ended before a request that comes later gets its response. */
  async function expectWatchAlive(): Promise<void> {
    expect(await ask()).toEqual({ answered: true });
    expect(ended).toEqual([]);
  }
});

function sendWithoutEnd(response: ServerResponse): void {
  const chunk = 'x'.repeat(1_024 * 1_024);
  const send = (): void => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on('drain', send);
  send();
}

async function drain(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _chunk of stream);
}

/** Sets the monotonic clock ahead, for as long as the test runs. */
function jumpAhead(ms: number): void {
  const now = performance.now.bind(performance);
  jest.spyOn(performance, 'now').mockImplementation(() => now() + ms);
}
