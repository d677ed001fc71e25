import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { CredentialsReader, CredentialsSource } from '../../../src/controller/credentials.ts';
import { type CredentialsWatch, createCredentialsWatch } from '../../../src/controller/credentials-watch.ts';

const ROUND = 30_000;

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

const secret = (name: string): CredentialsSource => ({ kind: 'secret', id: `a/${name}`, namespace: 'a', name });

interface Setup {
  readonly watch: CredentialsWatch;
  /** The version that each source has; an Error cannot be read. */
  readonly versions: Map<string, string | Error>;
  /** Ids of the sources in the order in which they were read. */
  readonly reads: string[];
  readonly told: string[];
}

function setup(): Setup {
  const versions = new Map<string, string | Error>();
  const reads: string[] = [];
  const told: string[] = [];
  const reader: CredentialsReader = {
    sourceOf: () => {
      throw new Error('the watch is told the sources');
    },
    read: () => Promise.reject(new Error('the cache is of no use here')),
    readAgain: (source) => {
      reads.push(source.id);
      const version = versions.get(source.id) ?? 'absent';
      return version instanceof Error
        ? Promise.reject(version)
        : Promise.resolve({
            version,
            ok: false,
            failure: { origin: 'content', reason: 'SecretInvalid', detail: '' },
          });
    },
  };
  return { watch: createCredentialsWatch({ reader, onChanged: (key) => told.push(key) }), versions, reads, told };
}

describe('a round', () => {
  test('comes every 30 s and reads each distinct Secret once, however many wait for it', async () => {
    const { watch, reads, told } = setup();
    for (let name = 0; name < 100; name++) watch.await(`a/${name}`, secret(name % 2 === 0 ? 'one' : 'two'), 'absent');
    await jest.advanceTimersByTimeAsync(ROUND - 1);
    expect(reads).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);
    expect(reads.toSorted()).toEqual(['a/one', 'a/two']);
    await jest.advanceTimersByTimeAsync(ROUND);
    expect(reads).toHaveLength(4);
    expect(told).toEqual([]);
  });

  test('tells all resources of a Secret that changed, once, and no others', async () => {
    const { watch, versions, told, reads } = setup();
    watch.await('a/1', secret('one'), 'v1');
    watch.await('a/2', secret('one'), 'v1');
    watch.await('a/3', secret('two'), 'absent');
    versions.set('a/one', 'v1');
    await jest.advanceTimersByTimeAsync(ROUND);
    expect(told).toEqual([]);
    versions.set('a/one', 'v2');
    await jest.advanceTimersByTimeAsync(ROUND);
    expect(told).toEqual(['a/1', 'a/2']);
    reads.length = 0;
    await jest.advanceTimersByTimeAsync(ROUND);
    expect(told).toEqual(['a/1', 'a/2']);
    expect(reads).toEqual(['a/two']);
  });

  test('each resource is compared with the version that it failed with', async () => {
    const { watch, versions, told } = setup();
    versions.set('a/one', 'v2');
    watch.await('a/1', secret('one'), 'v1');
    watch.await('a/2', secret('one'), 'v2');
    await jest.advanceTimersByTimeAsync(ROUND);
    expect(told).toEqual(['a/1']);
  });

  test('a Secret that cannot be read now is read in the next round, and holds up no other', async () => {
    const { watch, versions, told } = setup();
    versions.set('a/one', new Error('the API server is away'));
    versions.set('a/two', 'v2');
    watch.await('a/1', secret('one'), 'v1');
    watch.await('a/2', secret('two'), 'v1');
    await jest.advanceTimersByTimeAsync(ROUND);
    expect(told).toEqual(['a/2']);
    versions.set('a/one', 'v2');
    await jest.advanceTimersByTimeAsync(ROUND);
    expect(told).toEqual(['a/2', 'a/1']);
  });

  test('who failed again with the new version waits for the next one', async () => {
    const { watch, versions, told } = setup();
    versions.set('a/one', 'v2');
    watch.await('a/1', secret('one'), 'v1');
    await jest.advanceTimersByTimeAsync(ROUND);
    watch.await('a/1', secret('one'), 'v2');
    await jest.advanceTimersByTimeAsync(ROUND);
    expect(told).toEqual(['a/1']);
  });

  test('a resource that now names another Secret is told of that one only', async () => {
    const { watch, versions, told, reads } = setup();
    watch.await('a/1', secret('one'), 'absent');
    watch.await('a/1', secret('two'), 'absent');
    versions.set('a/one', 'v1');
    await jest.advanceTimersByTimeAsync(ROUND);
    expect([told, reads]).toEqual([[], ['a/two']]);
  });
});

describe('the end', () => {
  test('who was forgotten is not told, and its Secret not read', async () => {
    const { watch, versions, told, reads } = setup();
    watch.await('a/1', secret('one'), 'v1');
    watch.forget('a/1');
    versions.set('a/one', 'v2');
    await jest.advanceTimersByTimeAsync(2 * ROUND);
    expect([told, reads]).toEqual([[], []]);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('while nobody waits there is no timer, and the first who waits starts it again', async () => {
    const { watch, versions, told } = setup();
    expect(jest.getTimerCount()).toBe(0);
    versions.set('a/one', 'v2');
    for (let time = 0; time < 2; time++) {
      watch.await('a/1', secret('one'), 'v1');
      await jest.advanceTimersByTimeAsync(ROUND);
      expect(jest.getTimerCount()).toBe(0);
    }
    expect(told).toEqual(['a/1', 'a/1']);
  });

  test('stop leaves no timer, and nobody who waits later starts one', async () => {
    const { watch, reads } = setup();
    watch.await('a/1', secret('one'), 'v1');
    watch.stop();
    expect(jest.getTimerCount()).toBe(0);
    watch.await('a/2', secret('one'), 'v1');
    await jest.advanceTimersByTimeAsync(2 * ROUND);
    expect([reads, jest.getTimerCount()]).toEqual([[], 0]);
  });

  test('after a stop nobody who waits starts a timer', () => {
    const { watch } = setup();
    watch.stop();
    watch.await('a/1', secret('one'), 'v1');
    expect(jest.getTimerCount()).toBe(0);
  });

  test('stop in the middle of a round ends it', async () => {
    const { watch, reads } = setup();
    watch.await('a/1', secret('one'), 'v1');
    watch.await('a/2', secret('two'), 'v1');
    jest.advanceTimersByTime(ROUND);
    watch.stop();
    await jest.advanceTimersByTimeAsync(2 * ROUND);
    expect(reads).toEqual(['a/one']);
    expect(jest.getTimerCount()).toBe(0);
  });
});
