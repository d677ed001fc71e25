import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { afterEach, expect, test } from '@jest/globals';
import { Agent } from 'undici';
import { BodyTooLargeError, DeadlineError, type HttpRequest, sendRequest } from '../../../src/net/http-request.ts';

const cleanup = new Set<() => Promise<unknown> | undefined>();
afterEach(async () => {
  for (const end of cleanup) await end();
  cleanup.clear();
});

async function serve(response: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server: Server = createServer(response);
  cleanup.add(() => {
    server.closeAllConnections();
    server.close();
    return undefined;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}

function agent(options: Agent.Options = {}): Agent {
  const own = new Agent(options);
  cleanup.add(() => own.destroy());
  return own;
}

const requestTo = (origin: string, more: Partial<HttpRequest> = {}): HttpRequest => ({
  method: 'GET',
  origin,
  path: '/',
  headers: {},
  body: null,
  timeoutMs: 60_000,
  maxBytes: 1_000,
  ...more,
});

test('sends method, path, headers and body, and brings status, headers and the whole body', async () => {
  const origin = await serve((request, response) => {
    response.writeHead(418, { 'x-response': 'yes' });
    response.write(`${request.method} ${request.url} ${String(request.headers['x-question'])} `);
    request.pipe(response);
  });
  const response = await sendRequest(
    agent(),
    requestTo(origin, { method: 'PATCH', path: '/a?b=c', headers: { 'x-question': 'why' }, body: 'süß' }),
  );
  expect(response).toMatchObject({ status: 418, headers: { 'x-response': 'yes' } });
  expect(response.body.toString()).toBe('PATCH /a?b=c why süß');
});

test('passes over what a server says before its response', async () => {
  const origin = await serve((_request, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload' });
    response.end('done');
  });
  const response = await sendRequest(agent(), requestTo(origin));
  expect([response.status, response.body.toString(), response.headers['link']]).toEqual([200, 'done', undefined]);
});

test.each([
  ['before the response begins', () => undefined],
  ['in the middle of the body', (response: ServerResponse) => void response.write('half')],
])('gives up when its time is up, %s, and closes the connection', async (_when, begin) => {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const origin = await serve((request, response) => {
    request.socket.once('close', () => resolve());
    begin(response);
  });
  await expect(sendRequest(agent(), requestTo(origin, { timeoutMs: 200 }))).rejects.toThrow(
    new DeadlineError('no complete response within 0.2 s'),
  );
  await closed;
});

test('gives up in time also while it waits for a connection, and is not sent later', async () => {
  const paths: (string | undefined)[] = [];
  const { promise: release, resolve } = Promise.withResolvers<void>();
  const origin = await serve((request, response) => {
    paths.push(request.url);
    void release.then(() => response.end('late'));
  });
  const one = agent({ connections: 1 });
  const first = sendRequest(one, requestTo(origin, { path: '/first' }));
  await expect(sendRequest(one, requestTo(origin, { path: '/second', timeoutMs: 50 }))).rejects.toThrow(DeadlineError);
  resolve();
  expect((await first).body.toString()).toBe('late');
  await sendRequest(one, requestTo(origin, { path: '/third' }));
  expect(paths).toEqual(['/first', '/third']);
});

test('takes no more of a body than it may', async () => {
  const origin = await serve((_request, response) => response.end('x'.repeat(100)));
  const own = agent();
  expect((await sendRequest(own, requestTo(origin, { maxBytes: 100 }))).body).toHaveLength(100);
  await expect(sendRequest(own, requestTo(origin, { maxBytes: 99 }))).rejects.toThrow(BodyTooLargeError);
});

test('ends with the reason of its signal, before it begins and while it is under way', async () => {
  const { promise: arrived, resolve } = Promise.withResolvers<void>();
  const origin = await serve(() => resolve());
  const reason = new Error('stopped');
  await expect(sendRequest(agent(), requestTo(origin, { signal: AbortSignal.abort(reason) }))).rejects.toBe(reason);
  const stop = new AbortController();
  const underWay = sendRequest(agent(), requestTo(origin, { signal: stop.signal }));
  await arrived;
  stop.abort(reason);
  await expect(underWay).rejects.toBe(reason);
});

test('rejects when there is no server, and on a dispatcher that was destroyed', async () => {
  const origin = await serve(() => undefined);
  const own = agent();
  await expect(sendRequest(own, requestTo('http://127.0.0.1:1'))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await own.destroy();
  await expect(sendRequest(own, requestTo(origin))).rejects.toMatchObject({ code: 'UND_ERR_DESTROYED' });
});

test('leaves nothing behind: neither a timer nor a listener', async () => {
  const origin = await serve((_request, response) => response.end('done'));
  const stop = new AbortController();
  const before = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const own = agent();
  const response = await sendRequest(own, requestTo(origin, { signal: stop.signal, timeoutMs: 3_600_000 }));
  await own.destroy();
  stop.abort(new Error('too late to matter'));
  expect(response.body.toString()).toBe('done');
  expect(process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length).toBeLessThanOrEqual(before);
});
