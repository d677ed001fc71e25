import { afterEach, expect, jest, test } from '@jest/globals';
import { pino } from 'pino';
import { request } from 'undici';
import { readSettings, type Settings } from '../../../src/config/settings.ts';
import type { KubeRequest } from '../../../src/kube/client.ts';
import { KubeError } from '../../../src/kube/errors.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/operator-process.ts';
import { fakeClient } from '../support/fake-client.ts';
import { SPEC } from '../support/resources.ts';

/** Answers the requests of the next `run`. */
let onRequest: (request: KubeRequest) => unknown = () => undefined;
/** What its list by stream brings; undefined where the API server cannot be reached. */
let listed: AsyncIterable<Uint8Array> | undefined;
jest.unstable_mockModule('../../../src/kube/client.ts', () => ({
  createKubeClient: () =>
    fakeClient({
      request: (request) => onRequest(request),
      stream: () => {
        if (listed === undefined) throw new KubeError('the API server cannot be reached', { status: 0 });
        const list = listed;
        listed = undefined;
        return list;
      },
    }),
}));
const { run, STOP_MS } = await import('../../../src/run/run.ts');

afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

test('/livez fails when the loop that renews the lease hangs, and not before', async () => {
  const { promise: never, reject: letGo } = Promise.withResolvers<never>();
  never.catch(() => {});
  onRequest = () => never;
  const port = await freePort();
  const stop = new AbortController();
  const exit = run(settingsOf(port), pino({ level: 'silent' }), stop.signal);
  const livez = async () => {
    const { statusCode, body } = await request(`http://127.0.0.1:${port}/livez`);
    return { status: statusCode, text: await body.text() };
  };
  // The first request for the lease hangs in the turn in which the address is bound.
  await eventually('the address is bound', livez);
  jumpAhead(44_000);
  expect(await livez()).toEqual({ status: 200, text: 'ok\n' });
  jumpAhead(46_000);
  expect(await livez()).toEqual({ status: 503, text: 'the loop that renews the lease hangs\n' });

  stop.abort();
  letGo(new Error('the test is over'));
  expect(await exit).toBe(0);
});

test('a lost lease ends the process without a stop in order', async () => {
  const lines: string[] = [];
  const lease = { metadata: { resourceVersion: '1' }, spec: { holderIdentity: 'another' } };
  let acquired = false;
  onRequest = ({ method, path }) => {
    if (!path.includes('/leases')) throw new KubeError('the API server cannot be reached', { status: 0 });
    if (method === 'POST') acquired = true;
    else if (!acquired) throw new KubeError('no lease', { status: 404 });
    return lease;
  };
  const log = pino({ level: 'info' }, { write: (line) => lines.push(JSON.parse(line).msg) });
  expect(await run(settingsOf(await freePort()), log, new AbortController().signal)).toBe(1);
  expect(lines.filter((line) => /lease|stop/.test(line))).toEqual([
    'acquired the lease',
    'standby: another replica holds the lease',
    'lease lost: this process ends, so that it writes nothing more',
    'lease lost: stopped without releasing it',
  ]);
});

test('a signal stops it in order, and releases the lease', async () => {
  const lines: string[] = [];
  const holders: unknown[] = [];
  const log = pino({ level: 'info' }, { write: (line) => lines.push(JSON.parse(line).msg) });
  let lease: { metadata: object; spec: Record<string, unknown> } | undefined;
  onRequest = ({ method, path, body }) => {
    if (!path.includes('/leases')) throw new KubeError('the API server cannot be reached', { status: 0 });
    if (method !== 'GET') {
      lease = { metadata: { resourceVersion: '1' }, spec: Object(body).spec };
      holders.push(lease.spec['holderIdentity']);
    }
    if (lease === undefined) throw new KubeError('no lease', { status: 404 });
    return lease;
  };
  const stop = new AbortController();
  const exit = run(settingsOf(await freePort()), log, stop.signal);
  await eventually('the lease is acquired', () => expect(lines).toContain('acquired the lease'));
  stop.abort();
  expect(await exit).toBe(0);
  expect(lines.slice(-2)).toEqual(['stopping: running reconciles are finished, no further ones begin', 'stopped']);
  expect(holders).toEqual([expect.stringMatching(/./), '']);
});

test('a stop gives up what hangs at the API server, and releases the lease all the same', async () => {
  const holders: unknown[] = [];
  const { promise: reconciling, resolve: isReconciling } = Promise.withResolvers<void>();
  let lease: { metadata: object; spec: Record<string, unknown> } | undefined;
  onRequest = async ({ method, path, body, signal }) => {
    if (path.includes('/openapi')) throw new KubeError('no schema', { status: 404 });
    if (!path.includes('/leases')) {
      isReconciling();
      // It never responds, and has no deadline.
      return untilAborted(signal);
    }
    if (method !== 'GET') {
      lease = { metadata: { resourceVersion: '1' }, spec: Object(body).spec };
      holders.push(lease.spec['holderIdentity']);
    }
    if (lease === undefined) throw new KubeError('no lease', { status: 404 });
    return lease;
  };
  listed = listOfOne();
  const stop = new AbortController();
  const lines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line) => lines.push(JSON.parse(line).msg) });
  const exit = run(settingsOf(await freePort()), log, stop.signal);
  await reconciling;
  // The lease is renewed by the true clock meanwhile.
  jest.useFakeTimers({ doNotFake: ['performance', 'Date', 'hrtime', 'nextTick', 'queueMicrotask', 'setImmediate'] });
  stop.abort();
  await jest.advanceTimersByTimeAsync(STOP_MS);
  jest.useRealTimers();
  expect(await exit).toBe(0);
  expect(lines.at(-1)).toBe('stopped');
  expect(holders).toEqual([expect.stringMatching(/./), '']);
});

async function untilAborted(signal: AbortSignal | undefined): Promise<never> {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  signal?.addEventListener('abort', () => resolve());
  await ended;
  signal?.throwIfAborted();
  throw new Error('resolved without being aborted');
}

/** A list by stream with one resource that was never reconciled. */
async function* listOfOne(): AsyncGenerator<Uint8Array> {
  const metadata = { namespace: 'payments', name: 'x', uid: 'u', resourceVersion: '1', generation: 1 };
  const event = { type: 'ADDED', object: { metadata, spec: SPEC } };
  const end = { resourceVersion: '2', annotations: { 'k8s.io/initial-events-end': 'true' } };
  yield await Promise.resolve(Buffer.from(`${JSON.stringify(event)}\n`));
  yield Buffer.from(`${JSON.stringify({ type: 'BOOKMARK', object: { metadata: end } })}\n`);
}

function settingsOf(port: number): Settings {
  const result = readSettings(['--leader-elect=true', `--http-bind-address=127.0.0.1:${port}`], {});
  if (!result.ok) throw new Error(result.problems.join('; '));
  return result.settings;
}

const now = performance.now.bind(performance);

/** Sets the monotonic clock ahead of the true one. */
function jumpAhead(ms: number): void {
  jest.spyOn(performance, 'now').mockImplementation(() => now() + ms);
}
