import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import type { KubeClient, KubeRequest } from '../../../src/kube/client.ts';
import { KubeError } from '../../../src/kube/errors.ts';
import { whileLeading } from '../../../src/run/election.ts';

const returns = { apiVersion: 'v1', kind: 'Secret' };
const WRITE: KubeRequest = { method: 'PATCH', path: '/x', returns };

let sent: KubeRequest[];
/** Never answers; ends as its signal does. */
const client: KubeClient = {
  namespace: undefined,
  request: (request) => {
    sent.push(request);
    const { promise, reject } = Promise.withResolvers<unknown>();
    request.signal?.addEventListener('abort', () => reject(request.signal?.reason));
    return promise;
  },
  stream: () => Promise.reject(new Error('not used')),
  abandonConnections: () => {},
  close: () => Promise.resolve(),
};

const leadingFor = (ms: number): KubeClient =>
  whileLeading(client, {
    run: () => Promise.resolve(),
    writableForMs: () => ms,
    sinceLastAttempt: () => 0,
  });

beforeEach(() => {
  jest.useFakeTimers();
  sent = [];
});
afterEach(() => {
  jest.useRealTimers();
});

test('without the lease nothing is written, which is a failure that a reconcile expects', async () => {
  await expect(leadingFor(0).request(WRITE)).rejects.toThrow(KubeError);
  expect(sent).toEqual([]);
});

test('a write under way is given up when the lease may have passed on, likewise', async () => {
  const written = expect(leadingFor(1_000).request(WRITE)).rejects.toThrow(
    new KubeError('the lease may have passed on', { status: 0 }),
  );
  await jest.advanceTimersByTimeAsync(1_000);
  await written;
});

test('reading needs no lease', () => {
  void leadingFor(0).request({ method: 'GET', path: '/x', returns });
  expect(sent).toHaveLength(1);
});
