import { afterEach, expect, jest, test } from '@jest/globals';
import { pino } from 'pino';
import { request } from 'undici';
import { readSettings, type Settings } from '../../../src/config/settings.ts';
import type { KubeRequest } from '../../../src/kube/client.ts';
import { KubeError } from '../../../src/kube/errors.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/operator-process.ts';
import { fakeClient } from '../support/fake-client.ts';

/** Answers the requests of the next `run`. */
let onRequest: (request: KubeRequest) => unknown = () => undefined;
jest.unstable_mockModule('../../../src/kube/client.ts', () => ({
  createKubeClient: () =>
    fakeClient({
      request: (request) => onRequest(request),
      stream: () => {
        throw new KubeError('the API server cannot be reached', { status: 0 });
      },
    }),
}));
const { run } = await import('../../../src/run/run.ts');

afterEach(() => {
  jest.restoreAllMocks();
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
