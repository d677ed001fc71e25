/** One cache over several namespaces, as controller-runtime has it: a reflector for each, read as one collection. */
import type { Logger } from '../telemetry/log.ts';
import type { KubeClient } from './client.ts';
import {
  type CachedObject,
  type Change,
  createReflector,
  type ListKind,
  type Reflector,
  type WatchCause,
} from './reflector.ts';
import { createWatchLog, type WatchedResource, type WatchLog } from './watch-log.ts';

interface MultiNamespaceCacheOptions<T extends CachedObject> {
  readonly client: KubeClient;
  readonly log: Logger;
  /** Those that are listed and watched; all namespaces, with one reflector, when empty. */
  readonly namespaces: readonly string[];
  readonly resource: WatchedResource;
  /** Path of the collection: of one namespace, or of all. */
  readonly collectionPath: (namespace?: string) => string;
  /** Reduces an object to what is cached; undefined leaves it out. */
  readonly transform: (object: unknown) => T | undefined;
  readonly observer: CacheObserver;
}

/** Told of what the cache does, for metrics and for whoever must look again. */
interface CacheObserver {
  /** A list is complete: how it was read, and how many objects the newest lists of all namespaces have together. */
  readonly listed: (kind: ListKind, objects: number) => void;
  /** Something interrupted listing or watching. */
  readonly interrupted: (cause: WatchCause) => void;
  /** A watch ended before its time: the API server was away, or the CustomResourceDefinition changed. */
  readonly disturbed: () => void;
}

export interface MultiNamespaceCache<T extends CachedObject> {
  readonly get: (key: string) => T | undefined;
  readonly all: () => Iterable<T>;
  readonly size: () => number;
  /** As `Reflector.update`. */
  readonly update: (object: T) => Change<T> | undefined;
  /** Lists and watches until the signal is aborted, then resolves. Never rejects. */
  readonly run: (signal: AbortSignal, onChange: (change: Change<T>) => void) => Promise<void>;
  /** Resolves when every list has been complete once. */
  readonly synced: Promise<void>;
  /** Why the cache is not synced yet, one sentence each. */
  readonly problems: () => readonly string[];
}

/** Creates the cache; it is empty until it runs. */
export function createMultiNamespaceCache<T extends CachedObject>({
  client,
  log,
  namespaces,
  resource,
  collectionPath,
  transform,
  observer,
}: MultiNamespaceCacheOptions<T>): MultiNamespaceCache<T> {
  const { promise: synced, resolve } = Promise.withResolvers<void>();
  const scopes = namespaces.length === 0 ? [undefined] : namespaces;
  const listSizes = new Map<string | undefined, number>();
  const parts = new Map(scopes.map((namespace) => [namespace, createPart(namespace)]));

  function createPart(namespace: string | undefined): Part<T> {
    const watchLog = createWatchLog(log, resource, namespace);
    const reflector = createReflector({
      client,
      path: collectionPath(namespace),
      listType: { apiVersion: resource.apiVersion, kind: `${resource.kind}List` },
      transform,
      onListed: (count, kind) => {
        listSizes.set(namespace, count);
        observer.listed(kind, sum(listSizes.values()));
        log.debug({ resources: count, ...(namespace === undefined ? {} : { watchedNamespace: namespace }) }, 'listed');
        if ([...parts.values()].every((part) => part.reflector.hasListed())) resolve();
      },
      onInterrupted: (cause, error, waitMs) => {
        observer.interrupted(cause);
        watchLog.interrupted(cause, error, waitMs);
      },
      onRecovered: () => {
        watchLog.recovered();
        observer.disturbed();
      },
      onEndedEarly: observer.disturbed,
    });
    return { reflector, watchLog };
  }

  const reflectorOf = (key: string): Reflector<T> | undefined =>
    (parts.get(undefined) ?? parts.get(key.slice(0, key.indexOf('/'))))?.reflector;

  return {
    get: (key) => reflectorOf(key)?.get(key),
    all: function* () {
      for (const { reflector } of parts.values()) yield* reflector.all();
    },
    size: () => sum(parts.values().map(({ reflector }) => reflector.size())),
    update: (object) => reflectorOf(object.key)?.update(object),
    run: async (signal, onChange) => {
      await Promise.all(parts.values().map(({ reflector }) => reflector.run(signal, onChange)));
    },
    synced,
    problems: () =>
      [...parts.values()]
        .filter(({ reflector }) => !reflector.hasListed())
        .map(({ watchLog }) => watchLog.problem()?.sentence ?? 'the first list of resources is not complete yet'),
  };
}

interface Part<T extends CachedObject> {
  readonly reflector: Reflector<T>;
  readonly watchLog: WatchLog;
}

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((total, number) => total + number, 0);
