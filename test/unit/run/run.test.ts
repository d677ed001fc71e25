import { afterEach, expect, jest, test } from '@jest/globals';
import { pino } from 'pino';
import { request } from 'undici';
import { readSettings } from '../../../src/config/settings.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/operator-process.ts';
import { fakeClient } from '../support/fake-client.ts';

/** Settles every request that hangs. */
let letGo: (error: Error) => void = () => {};
jest.unstable_mockModule('../../../src/kube/client.ts', () => ({
  createKubeClient: () => {
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {});
    letGo = reject;
    return { ...fakeClient({ request: () => promise }), stream: () => promise };
  },
}));
const { run } = await import('../../../src/run/run.ts');

afterEach(() => {
  jest.restoreAllMocks();
});

test('/livez fails when the loop that renews the lease hangs, and not before', async () => {
  const port = await freePort();
  const result = readSettings(['--leader-elect=true', `--http-bind-address=127.0.0.1:${port}`], {});
  if (!result.ok) throw new Error(result.problems.join('; '));
  const stop = new AbortController();
  const exit = run(result.settings, pino({ level: 'silent' }), stop.signal);
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

const now = performance.now.bind(performance);

/** Sets the monotonic clock ahead of the true one. */
function jumpAhead(ms: number): void {
  jest.spyOn(performance, 'now').mockImplementation(() => now() + ms);
}
