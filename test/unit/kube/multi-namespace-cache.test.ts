import { afterEach, describe, expect, test } from '@jest/globals';
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

/**
 * A cache of these namespaces, each with one object. Those in `forbidden` cannot be listed, of those in `missing` the API
 * server knows nothing, and the list of `slow` does not come.
 */
function setup(
  namespaces: readonly string[],
  forbidden: ReadonlySet<string> = new Set(),
  missing: ReadonlySet<string> = new Set(),
) {
  let ending = new AbortController();
  const changes: Change<CachedObject>[] = [];
  const observed: string[] = [];
  const client = fakeClient({
    stream: (path, signal) => {
      const namespace = /namespaces\/([^/]+)\//.exec(path)?.[1] ?? 'anywhere';
      if (forbidden.has(namespace)) throw new KubeError('forbidden', { status: 403 });
      if (missing.has(namespace)) throw new KubeError('not found', { status: 404 });
      if (!path.includes('sendInitialEvents')) return silence(signal, ending.signal);
      return namespace === 'slow' ? silence(signal, ending.signal) : listOf(namespace);
    },
  });
  const cache = createMultiNamespaceCache({
    client,
    log: pino({ level: 'silent' }),
    namespaces,
    labelSelector: '',
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
  const endWatches = (): void => {
    ending.abort();
    ending = new AbortController();
  };
  return { cache, changes, observed, run, endWatches };
}

async function* listOf(namespace: string): AsyncGenerator<Uint8Array> {
  const line = (type: string, metadata: object): Uint8Array =>
    Buffer.from(`${JSON.stringify({ type, object: { metadata } })}\n`);
  yield await Promise.resolve(line('ADDED', { namespace, name: 'a', uid: 'u', resourceVersion: '5' }));
  yield line('BOOKMARK', { resourceVersion: '9', annotations: { 'k8s.io/initial-events-end': 'true' } });
}

/** Until one side ends it. */
async function* silence(client: AbortSignal, server: AbortSignal): AsyncGenerator<Uint8Array> {
  await new Promise<void>((resolve, reject) => {
    client.addEventListener('abort', () => reject(new Error('closed')), { once: true });
    server.addEventListener('abort', () => resolve(), { once: true });
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

test('what is forgotten is gone, and only there', async () => {
  const { cache, run, changes } = setup(['one', 'two']);
  run();
  await cache.synced;
  cache.forget({ key: 'two/a', uid: 'u', resourceVersion: '5' });
  expect([...cache.all()].map(({ key }) => key)).toEqual(['one/a']);
  expect(changes).toHaveLength(2);
});

const FORBIDDEN = 'the operator may not list and watch things: check its Role or ClusterRole';

describe('a namespace that cannot be listed', () => {
  test('stops no other, is noted, and is listed when that works', async () => {
    const forbidden = new Set(['two']);
    const { cache, run, changes } = setup(['one', 'two'], forbidden);
    run();
    await cache.synced;
    expect([cache.problems(), cache.notes(), cache.unavailable()]).toEqual([[], [`namespace two: ${FORBIDDEN}`], 1]);
    expect(cache.get('one/a')).toBeDefined();
    forbidden.clear();
    await eventually('the other one is there, too', () => expect(cache.get('two/a')).toBeDefined());
    expect(changes).toHaveLength(2);
    await eventually('nothing is noted any more', () => expect([cache.notes(), cache.unavailable()]).toEqual([[], 0]));
  });

  test('keeps the cache from being synced while there is no other', async () => {
    const forbidden = new Set(['one', 'two']);
    const { cache, run, observed } = setup(['one', 'two'], forbidden);
    let synced = false;
    void cache.synced.then(() => {
      synced = true;
    });
    run();
    await eventually('both were tried', () => expect(observed.filter((what) => what === 'list')).toHaveLength(2));
    expect([cache.problems(), cache.notes(), synced]).toEqual([
      [`namespace one: ${FORBIDDEN}`, `namespace two: ${FORBIDDEN}`],
      [],
      false,
    ]);
    forbidden.delete('one');
    await cache.synced;
    expect(cache.problems()).toEqual([]);
  });

  test('keeps the cache from being synced while it was not tried', async () => {
    const { cache, run, observed } = setup(['one', 'slow']);
    run();
    await eventually('one is listed', () => expect(observed).toEqual(['watch_list 1']));
    expect(cache.problems()).toEqual(['namespace slow: the first list of resources is not complete yet']);
  });
});

test('a resource that the API server knows no more is a problem, until it is back', async () => {
  const missing = new Set<string>();
  const { cache, run, endWatches } = setup([], new Set(), missing);
  run();
  await cache.synced;
  missing.add('anywhere');
  endWatches();
  await eventually('it is told', () => expect(cache.problems()).toHaveLength(1));
  expect(cache.problems()[0]).toContain('CustomResourceDefinition of things (example.org/v1) is not installed');
  expect(cache.notes()).toEqual([]);
  missing.clear();
  await eventually('it is back', () => expect(cache.problems()).toEqual([]));
});
