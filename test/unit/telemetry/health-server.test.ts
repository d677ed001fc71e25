import type { Server } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Agent, type Dispatcher, request } from 'undici';
import { type HealthServerOptions, startHealthServer } from '../../../src/telemetry/health-server.ts';

const LOOPBACK = { host: '127.0.0.1', port: 0 };
let server: Server | undefined;
let client: Agent;

beforeEach(() => {
  client = new Agent();
});
afterEach(async () => {
  await client.close();
  server?.close();
  server = undefined;
});

async function serving(options: Partial<HealthServerOptions> = {}): Promise<number> {
  server = await startHealthServer({
    address: LOOPBACK,
    live: () => [],
    ready: () => [],
    notes: () => [],
    metrics: () => Promise.resolve({ body: 'a 1\n', contentType: 'text/plain; version=0.0.4' }),
    ...options,
  });
  return portOf(server);
}

function portOf(listening: Server): number {
  const address = listening.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function ask(port: number, path: string, method: Dispatcher.HttpMethod = 'GET') {
  const { statusCode, headers, body } = await request(`http://127.0.0.1:${port}${path}`, {
    method,
    dispatcher: client,
  });
  return {
    status: statusCode,
    type: headers['content-type'],
    sniff: headers['x-content-type-options'],
    body: await body.text(),
  };
}

describe('the probes', () => {
  test.each(['/livez', '/readyz', '/readyz?verbose'])('%s succeeds while there is no problem', async (path) => {
    expect(await ask(await serving(), path)).toEqual({
      status: 200,
      type: 'text/plain; charset=utf-8',
      sniff: 'nosniff',
      body: 'ok\n',
    });
  });

  test('each tells its own problems, one a line, as they are at that moment', async () => {
    let ready: string[] = ['the first list is not complete', 'nor the second'];
    const port = await serving({ live: () => ['the loop hangs'], ready: () => ready });
    expect(await ask(port, '/livez')).toMatchObject({ status: 503, body: 'the loop hangs\n' });
    expect(await ask(port, '/readyz')).toMatchObject({
      status: 503,
      body: 'the first list is not complete\nnor the second\n',
    });
    ready = [];
    expect(await ask(port, '/readyz')).toMatchObject({ status: 200 });
  });

  test('what needs attention stands in the body of /readyz and changes no status', async () => {
    const ready: string[] = [];
    const port = await serving({ ready: () => ready, notes: () => ['look here'] });
    expect(await ask(port, '/readyz')).toMatchObject({ status: 200, body: 'ok\nlook here\n' });
    expect(await ask(port, '/livez')).toMatchObject({ status: 200, body: 'ok\n' });
    ready.push('not yet');
    expect(await ask(port, '/readyz')).toMatchObject({ status: 503, body: 'not yet\nlook here\n' });
  });

  test('HEAD is answered without a body', async () => {
    const port = await serving({ live: () => ['x'] });
    expect(await ask(port, '/readyz', 'HEAD')).toMatchObject({ status: 200, body: '' });
    expect(await ask(port, '/livez', 'HEAD')).toMatchObject({ status: 503, body: '' });
  });
});

describe('the metrics', () => {
  test('are told with their content type', async () => {
    expect(await ask(await serving(), '/metrics')).toMatchObject({
      status: 200,
      type: 'text/plain; version=0.0.4',
      body: 'a 1\n',
    });
  });

  test('that fail are a 500 that tells nothing, and the server goes on', async () => {
    const port = await serving({ metrics: () => Promise.reject(new Error('canary')) });
    expect(await ask(port, '/metrics')).toMatchObject({ status: 500, body: 'metrics are not available\n' });
    expect(await ask(port, '/livez')).toMatchObject({ status: 200 });
  });
});

test.each(['/', '/livez/', '/metrics/../secrets', '/healthz'])('%s is not found', async (path) => {
  expect(await ask(await serving(), path)).toMatchObject({ status: 404 });
});

test.each(['POST', 'PUT', 'DELETE'] as const)('%s is not allowed', async (method) => {
  expect(await ask(await serving(), '/livez', method)).toMatchObject({ status: 405 });
});

test('an address that is taken is an error at the start', async () => {
  const port = await serving();
  await expect(
    startHealthServer({
      address: { ...LOOPBACK, port },
      live: () => [],
      ready: () => [],
      notes: () => [],
      metrics: () => Promise.reject(new Error('x')),
    }),
  ).rejects.toMatchObject({
    code: 'EADDRINUSE',
  });
});

test('without a host all addresses are listened on', async () => {
  const port = await serving({ address: { host: '', port: 0 } });
  expect(await ask(port, '/livez')).toMatchObject({ status: 200 });
});
