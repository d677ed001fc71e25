import { expect, test } from '@jest/globals';
import type { KubeRequest } from '../../../src/kube/client.ts';
import { duringLifetime } from '../../../src/run/lifetime.ts';
import { fakeClient } from '../support/fake-client.ts';

const READ: KubeRequest = { method: 'GET', path: '/x', returns: 'object' };

/** Responds never, and ends with its signal. */
const hanging = () =>
  fakeClient({
    request: async ({ signal }) => {
      const { promise: ended, resolve } = Promise.withResolvers<void>();
      signal?.addEventListener('abort', () => resolve());
      await ended;
      signal?.throwIfAborted();
    },
  });

test('requests under way end with the lifetime, and none begins afterwards', async () => {
  const lifetime = new AbortController();
  const hung = hanging();
  const client = duringLifetime(hung, lifetime.signal);
  const own = new AbortController();
  const requests = [client.request(READ), client.request({ ...READ, signal: own.signal })];
  const ended = Promise.allSettled(requests);
  const end = new Error('the end');
  lifetime.abort(end);
  expect(await ended).toEqual([
    { status: 'rejected', reason: end },
    { status: 'rejected', reason: end },
  ]);
  await expect(client.request(READ)).rejects.toBe(end);
  expect(hung.requests).toHaveLength(2);
});

test('a signal of its own still ends a request', async () => {
  const own = new AbortController();
  const client = duringLifetime(hanging(), new AbortController().signal);
  const ended = expect(client.request({ ...READ, signal: own.signal })).rejects.toThrow('enough');
  own.abort(new Error('enough'));
  await ended;
});

test('what ends in time is passed on', async () => {
  const client = duringLifetime(fakeClient({ request: () => 'response' }), new AbortController().signal);
  expect(await client.request(READ)).toBe('response');
});
