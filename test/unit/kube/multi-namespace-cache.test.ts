import { afterEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import * as z from 'zod';
import { KubeError } from '../../../src/kube/errors.ts';
import { createMultiNamespaceCache } from '../../../src/kube/multi-namespace-cache.ts';
import type { CachedObject, Change } from '../../../src/kube/reflector.ts';
import { eventually } from '../../support/eventually.ts';
import { fakeClient } from '../support/fake-client.ts';

const Sent = z.object({
  metadata: z.object({ namespace: z.string(), name: z.string(), uid: z.string(), resourceVersion: z.string() }),
});
function transform(object: unknown): CachedObject | undefined {
  const { data } = Sent.safeParse(object);
  if (data === undefined) return undefined;
  const { namespace, name, uid, resourceVersion } = data.metadata;
  return { key: `${namespace}/${name}`, uid, resourceVersion };
}

let stop = new AbortController();
afterEach(() => {
  stop.abort(new Error('the test is over'));
  stop = new AbortController();
});

/** A cache of these namespaces, each with one object; those in `forbidden` cannot be listed. */
function setup(namespaces: readonly string[], forbidden: ReadonlySet<string> = new Set()) {
  const changes: Change<CachedObject>[] = [];
  const observed: string[] = [];
  const client = fakeClient({
    stream: (path, signal) => {
      const namespace = /namespaces\/([^/]+)\//.exec(path)?.[1] ?? 'anywhere';
      if (forbidden.has(namespace)) throw new KubeError('forbidden', { status: 403 });
      return path.includes('sendInitialEvents') ? listOf(namespace) : silence(signal);
    },
  });
  const cache = createMultiNamespaceCache({
    client,
    log: pino({ level: 'silent' }),
    namespaces,
    resource: { apiVersion: 'example.org/v1', kind: 'Thing', plural: 'things' },
    collectionPath: (namespace) =>
      `/apis/example.org/v1${namespace === undefined ? '' : `/namespaces/${namespace}`}/things`,
    transform,
    observer: {
      listed: (kind, objects) => observed.push(`${kind} ${objects}`),
      interrupted: (cause) => observed.push(cause),
      disturbed: () => observed.push('disturbed'),
    },
  });
  const run = (): void => void cache.run(stop.signal, (change) => changes.push(change));
  return { cache, changes, observed, run };
}

async function* listOf(namespace: string): AsyncGenerator<Uint8Array> {
  const line = (type: string, metadata: object): Uint8Array =>
    Buffer.from(`${JSON.stringify({ type, object: { metadata } })}\n`);
  yield await Promise.resolve(line('ADDED', { namespace, name: 'a', uid: 'u', resourceVersion: '5' }));
  yield line('BOOKMARK', { resourceVersion: '9', annotations: { 'k8s.io/initial-events-end': 'true' } });
}

async function* silence(signal: AbortSignal): AsyncGenerator<Uint8Array> {
  await new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('closed')), { once: true });
  });
  yield Buffer.from('');
}

test('all namespaces are one list', async () => {
  const { cache, run, observed } = setup([]);
  expect([cache.size(), cache.problems()]).toEqual([0, ['the first list of resources is not complete yet']]);
  run();
  await cache.synced;
  expect([...cache.all()].map(({ key }) => key)).toEqual(['anywhere/a']);
  expect([cache.get('anywhere/a')?.uid, cache.size(), cache.problems(), observed]).toEqual([
    'u',
    1,
    [],
    ['watch_list 1'],
  ]);
});

test('several namespaces are read as one collection', async () => {
  const { cache, run, changes, observed } = setup(['one', 'two']);
  run();
  await cache.synced;
  expect([...cache.all()].map(({ key }) => key)).toEqual(['one/a', 'two/a']);
  expect([cache.get('two/a')?.key, cache.get('three/a'), cache.size()]).toEqual(['two/a', undefined, 2]);
  expect(changes.map(({ type }) => type)).toEqual(['added', 'added']);
  expect(observed).toEqual(['watch_list 1', 'watch_list 2']);
});

test('an update goes to the namespace of its object, and tells nobody but the caller', async () => {
  const { cache, run, changes } = setup(['one', 'two']);
  run();
  await cache.synced;
  const newer = { key: 'two/a', uid: 'u', resourceVersion: '6' };
  expect(cache.update(newer)).toMatchObject({ type: 'updated', object: newer, previous: { resourceVersion: '5' } });
  expect(cache.get('two/a')).toBe(newer);
  expect(cache.update(newer)).toBeUndefined();
  expect(cache.update({ ...newer, key: 'three/a' })).toBeUndefined();
  expect(changes).toHaveLength(2);
});

test('a namespace that cannot be listed is told of, and keeps the cache from being synced', async () => {
  const { cache, run, observed } = setup(['one', 'two'], new Set(['two']));
  run();
  await eventually('both were tried', () => expect(observed).toEqual(expect.arrayContaining(['watch_list 1', 'list'])));
  expect(cache.problems()).toEqual(['the operator may not list and watch things: check its Role or ClusterRole']);
  expect(cache.get('one/a')).toBeDefined();
});
