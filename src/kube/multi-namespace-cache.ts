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
  /** Of the only objects that are listed and watched; empty for all. */
  readonly labelSelector: string;
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
  /** As `Reflector.forget`. */
  readonly forget: (object: T) => void;
  /** Lists and watches until the signal is aborted, then resolves. Never rejects. */
  readonly run: (signal: AbortSignal, onChange: (change: Change<T>) => void) => Promise<void>;
  /**
   * Resolves when every namespace has been listed or cannot be, and one has been: a namespace that cannot be listed stops
   * no other. It is tried on, and `onChange` is told of what it holds when it is listed at last.
   */
  readonly synced: Promise<void>;
  /** Why the cache is of no use: not synced yet, or the resource is gone from the API server. One sentence each. */
  readonly problems: () => readonly string[];
  /** Which namespaces cannot be listed or watched at present although the cache is of use, one sentence each. */
  readonly notes: () => readonly string[];
  /** How many namespaces cannot be listed or watched at present. */
  readonly unavailable: () => number;
}

/** Creates the cache; it is empty until it runs. */
export function createMultiNamespaceCache<T extends CachedObject>({
  client,
  log,
  namespaces,
  labelSelector,
  resource,
  collectionPath,
  transform,
  observer,
}: MultiNamespaceCacheOptions<T>): MultiNamespaceCache<T> {
  const { promise: synced, resolve } = Promise.withResolvers<void>();
  let wasSynced = false;
  const scopes = namespaces.length === 0 ? [undefined] : namespaces;
  const listSizes = new Map<string | undefined, number>();
  const parts = new Map(scopes.map((namespace) => [namespace, createPart(namespace)]));

  function syncIfComplete(): void {
    const all = [...parts.values()];
    const tried = all.every(({ reflector, watchLog }) => reflector.hasListed() || watchLog.problem() !== undefined);
    if (!tried || !all.some(({ reflector }) => reflector.hasListed())) return;
    wasSynced = true;
    resolve();
  }

  function createPart(namespace: string | undefined): Part<T> {
    const watchLog = createWatchLog(log, resource, namespace);
    const reflector = createReflector({
      client,
      path: collectionPath(namespace),
      labelSelector,
      listType: { apiVersion: resource.apiVersion, kind: `${resource.kind}List` },
      transform,
      onListed: (count, kind) => {
        listSizes.set(namespace, count);
        observer.listed(kind, sum(listSizes.values()));
        log.debug({ resources: count, ...(namespace === undefined ? {} : { watchedNamespace: namespace }) }, 'listed');
        syncIfComplete();
      },
      onInterrupted: (cause, error, waitMs) => {
        observer.interrupted(cause);
        watchLog.interrupted(cause, error, waitMs);
        syncIfComplete();
      },
      onRecovered: () => {
        watchLog.recovered();
        observer.disturbed();
      },
      onEndedEarly: observer.disturbed,
    });
    return { reflector, watchLog };
  }

  /** What is to be said of some of the namespaces. */
  const sentences = (which: (part: readonly [string | undefined, Part<T>]) => boolean): readonly string[] =>
    [...parts].filter(which).map(([namespace, { watchLog }]) => {
      const sentence = watchLog.problem()?.sentence ?? 'the first list of resources is not complete yet';
      return namespace === undefined ? sentence : `namespace ${namespace}: ${sentence}`;
    });

  const reflectorOf = (key: string): Reflector<T> | undefined =>
    (parts.get(undefined) ?? parts.get(key.slice(0, key.indexOf('/'))))?.reflector;

  return {
    get: (key) => reflectorOf(key)?.get(key),
    all: function* () {
      for (const { reflector } of parts.values()) yield* reflector.all();
    },
    size: () => sum(parts.values().map(({ reflector }) => reflector.size())),
    update: (object) => reflectorOf(object.key)?.update(object),
    forget: (object) => reflectorOf(object.key)?.forget(object),
    run: async (signal, onChange) => {
      await Promise.all(parts.values().map(({ reflector }) => reflector.run(signal, onChange)));
    },
    synced,
    problems: () => {
      const gone = sentences(([, { watchLog }]) => watchLog.problem()?.isMissing === true);
      if (gone.length > 0 || wasSynced) return gone;
      return sentences(([, { reflector }]) => !reflector.hasListed());
    },
    notes: () => (wasSynced ? sentences(([, { watchLog }]) => watchLog.problem()?.isMissing === false) : []),
    unavailable: () => [...parts.values()].filter(({ watchLog }) => watchLog.problem() !== undefined).length,
  };
}

interface Part<T extends CachedObject> {
  readonly reflector: Reflector<T>;
  readonly watchLog: WatchLog;
}

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((total, number) => total + number, 0);
