/**
 * Keeps a local cache of one kind of object equal to the API server's, for as long as the process lives: client-node's
 * informer stops for good on most errors.
 *
 * Its states, and what leads from one to the next:
 *
 *   listing ──complete──▶ watching ──server ends the watch──▶ watching (from the last resourceVersion)
 *      ▲ ▲                    │  └────connection or API error──▶ waiting ──back-off over──▶ watching
 *      │ └──────410 Gone──────┘                                    ▲
 *      └──────────────back-off over──────────────  waiting ◀───────┴──error while listing
 *
 *   watching ──a regular list is due, or watches fail in a row──▶ listing ──error──▶ watching (from the last resourceVersion)
 *
 * A stop (the signal of `run`) ends it in every state.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { parseJson } from '../net/json.ts';
import type { KubeClient } from './client.ts';
import { errorFromContent, errorFromStatus, hasStatus, KubeError } from './errors.ts';
import type { ObjectType } from './response.ts';
import { readLines, type StallTimer, startStallTimer } from './watch-stream.ts';

/** What is cached of an object: as little as its readers need. */
export interface CachedObject {
  /** `namespace/name`. */
  readonly key: string;
  readonly uid: string;
  readonly resourceVersion: string;
}

export type Change<T extends CachedObject> =
  | { readonly type: 'added'; readonly object: T }
  | { readonly type: 'updated'; readonly object: T; readonly previous: T }
  | { readonly type: 'deleted'; readonly previous: T };

/** `watch_list`: streamed by a watch; `paged`: in pages. */
export type ListKind = 'watch_list' | 'paged';

export type WatchCause = 'list' | 'watch' | 'expired' | 'stalled';

interface ReflectorOptions<T extends CachedObject> {
  readonly client: KubeClient;
  /** Path of the collection, such as `/apis/atlasrestore.dev/v1/legacyrestorejobs`. */
  readonly path: string;
  /** Of the only objects that are listed and watched; empty for all. */
  readonly labelSelector: string;
  /** What the API server calls a list of the collection. */
  readonly listType: ObjectType;
  /** Reduces an object to what is cached; undefined leaves it out. */
  readonly transform: (object: unknown) => T | undefined;
  /** Told once for each list that is complete: of how many objects, and how it was read. */
  readonly onListed: (count: number, kind: ListKind) => void;
  /** Told of everything that interrupted listing or watching, with the wait that follows in milliseconds. */
  readonly onInterrupted: (cause: WatchCause, error: unknown, waitMs: number) => void;
  /** Told once listing or watching works again after an interruption. */
  readonly onRecovered: () => void;
  /** Told when the server ended a watch before its time, as it does when it stops and when the CRD changes. */
  readonly onEndedEarly: () => void;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

export interface Reflector<T extends CachedObject> {
  /**
   * Runs until the signal is aborted, then resolves. Never rejects. `onChange` is told of every difference, in order; what
   * it throws is reported and changes nothing.
   */
  readonly run: (signal: AbortSignal, onChange: (change: Change<T>) => void) => Promise<void>;
  readonly get: (key: string) => T | undefined;
  /**
   * Takes over an object from the response to a write, ahead of its watch event. Returns the change, which the handler of
   * `run` is not told of; undefined when the cache holds something at least as new, or another object.
   */
  readonly update: (object: T) => Change<T> | undefined;
  /** Takes an object out of the cache, ahead of its watch event. The handler of `run` is not told. */
  readonly forget: (object: T) => void;
  readonly all: () => IterableIterator<T>;
  readonly size: () => number;
  /** Whether a list has been complete. */
  readonly hasListed: () => boolean;
}

/** Pages of a list. The API server's memory grows with them, ours holds one at a time. */
const PAGE_SIZE = 500;
/**
 * Seconds that the server is asked to keep a watch open, plus up to this jitter. Shorter than other clients: the
 * server sends its last bookmark shortly before the end, and a connection that died silently is found with the end.
 */
const WATCH_SECONDS = { min: 30, jitter: 8 };
/** How long after its announced end a silent watch counts as dead, and how long any stream may be silent in its middle. */
const STALL_MS = { afterEnd: 4_000, between: 10_000, listing: 30_000 };
const BACKOFF_MS = { first: 400, max: 30_000 };
/** With its jitter, too: the longest wait that anybody may ask for. */
const LONGEST_TOLD_MS = 60_000;
/** A watch that ends sooner without having brought anything counts as failed: ending at once must not become a hot loop. */
const SHORTEST_WATCH_MS = 1_000;
/** So many watches that fail with a response in a row, and the resourceVersion itself may be what the server cannot take. */
const FAILURES_BEFORE_RELIST = 3;
/** So many lists by stream that break off in a row, and something on the way may not let them end. */
const BROKEN_BEFORE_PAGES = 2;
/** A list now and then, as a safety net against what nobody thought of. */
const RELIST_MS = 3_600_000;
/** When that list cannot be had, and the watch goes on meanwhile. */
const RELIST_RETRY_MS = 300_000;
/** A page of 500 objects, of which etcd takes 1.5 MiB each. */
const PAGE = { timeoutMs: 60_000, maxBytes: 1_024 ** 3 };

/** A list by stream whose end does not come: something on the way keeps its last bookmark, or all that it has read. */
export class UnfinishedListError extends Error {
  override readonly name = 'UnfinishedListError';
}

/** A watch that ends at once and brings nothing, again and again: whoever watches by it is deaf. */
export class EmptyWatchError extends Error {
  override readonly name = 'EmptyWatchError';

  constructor() {
    super('the watch ends at once and brings nothing');
  }
}

const ListPage = z.object({
  metadata: z.object({ resourceVersion: z.string().optional(), continue: z.string().optional() }),
  items: z.array(z.unknown()).nullable(),
});
const WatchEvent = z.object({ type: z.string(), object: z.unknown() });
const Identified = z.object({
  metadata: z.object({ namespace: z.string(), name: z.string(), uid: z.string(), resourceVersion: z.string() }),
});
const Bookmark = z.object({
  metadata: z.object({ resourceVersion: z.string(), annotations: z.record(z.string(), z.string()).optional() }),
});

type Ending =
  | { readonly kind: 'ended' }
  /** A watch that ended at once and brought nothing. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'failed'; readonly error: unknown; readonly cause: WatchCause };

export function createReflector<T extends CachedObject>(options: ReflectorOptions<T>): Reflector<T> {
  const {
    client,
    path,
    labelSelector,
    listType,
    transform,
    onListed,
    onInterrupted,
    onRecovered,
    onEndedEarly,
    random = Math.random,
  } = options;
  const selection = labelSelector === '' ? '' : `&labelSelector=${encodeURIComponent(labelSelector)}`;
  const objects = new Map<string, T>();
  let listed = false;
  /** Undefined: the next thing to do is a list. */
  let resourceVersion: string | undefined;
  let streamingLists = true;
  /** Lists by stream in a row whose stream broke off. */
  let brokenStreams = 0;
  /** Watches in a row that were empty. */
  let emptyWatches = 0;
  let interrupted = false;
  let onChange: (change: Change<T>) => void = () => undefined;

  async function run(signal: AbortSignal, handler: (change: Change<T>) => void): Promise<void> {
    onChange = handler;
    let failures = 0;
    let relistAt = 0;
    while (!signal.aborted) {
      const relist = resourceVersion === undefined || performance.now() >= relistAt;
      const before = resourceVersion;
      const ending = relist ? await list(signal) : await watch(signal);
      if (signal.aborted) return;
      if (relist && ending.kind === 'ended') {
        relistAt = performance.now() + RELIST_MS * (1 + random() / 5);
        // Only a watch ends the count: lists whose version expires at once must not become a hot loop.
        continue;
      }
      if (relist && ending.kind === 'failed' && resourceVersion !== undefined) {
        // A list that cannot be had is no reason to miss what a watch tells.
        relistAt = performance.now() + RELIST_RETRY_MS;
        report(ending, 0);
        continue;
      }
      if (ending.kind === 'ended') {
        failures = 0;
        emptyWatches = 0;
        continue;
      }
      failures = resourceVersion !== before && !relist ? 1 : failures + 1;
      if (ending.kind === 'failed' && ending.cause === 'expired') resourceVersion = undefined;
      else if (failures >= FAILURES_BEFORE_RELIST && isSuspect(ending)) relistAt = 0;
      const waitMs = waitAfter(ending, failures, random);
      report(ending, waitMs);
      await sleep(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }

  function report(ending: Exclude<Ending, { kind: 'ended' }>, waitMs: number): void {
    if (ending.kind === 'empty') {
      emptyWatches += 1;
      if (emptyWatches < FAILURES_BEFORE_RELIST) return;
    }
    interrupted = true;
    if (ending.kind === 'empty') onInterrupted('watch', new EmptyWatchError(), waitMs);
    else onInterrupted(ending.cause, ending.error, waitMs);
  }

  function recovered(): void {
    // Watches that open and bring nothing are no end of the trouble.
    if (!interrupted || emptyWatches >= FAILURES_BEFORE_RELIST) return;
    interrupted = false;
    onRecovered();
  }

  // Listing

  async function list(signal: AbortSignal): Promise<Ending> {
    try {
      const seen = new Set<string>();
      resourceVersion = streamingLists ? await listByStream(seen, signal) : await listByPages(seen, signal);
      for (const [key, previous] of objects) {
        if (!seen.has(key)) remove(key, previous);
      }
      listed = true;
      recovered();
      // A server that refuses to stream has been asked for pages.
      onListed(objects.size, streamingLists ? 'watch_list' : 'paged');
      return { kind: 'ended' };
    } catch (error) {
      return failed(error, 'list');
    }
  }

  /** The watch-list: the server sends the present objects as events, then a bookmark that says so. */
  async function listByStream(seen: Set<string>, signal: AbortSignal): Promise<string> {
    const query = 'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
    const stall = startStallTimer(STALL_MS.listing, signal);
    try {
      const version = await readInitialEvents(
        await client.stream(`${path}?${query}${selection}`, stall.signal),
        stall,
        seen,
      );
      brokenStreams = 0;
      return version;
    } catch (error) {
      // Servers without the feature, and proxies of them, refuse the parameters: 1.31 is the oldest we serve.
      if (hasStatus(error, 400, 422)) {
        streamingLists = false;
        return await listByPages(seen, signal);
      }
      const unfinished = stall.stalled()
        ? new UnfinishedListError(messageOf(stall.signal.reason))
        : unfinishedBy(error);
      // Pages need no bookmark, and each is a response of its own.
      if (unfinished !== undefined) streamingLists = false;
      throw unfinished ?? error;
    } finally {
      stall.stop();
    }
  }

  /** The error with which lists by stream are given up, if this one is a reason to. */
  function unfinishedBy(error: unknown): UnfinishedListError | undefined {
    if (error instanceof UnfinishedListError) return error;
    if (error instanceof KubeError) return undefined;
    brokenStreams += 1;
    return brokenStreams < BROKEN_BEFORE_PAGES ? undefined : new UnfinishedListError(messageOf(error));
  }

  async function readInitialEvents(
    stream: AsyncIterable<Uint8Array>,
    stall: StallTimer,
    seen: Set<string>,
  ): Promise<string> {
    let broughtAt = performance.now();
    for await (const line of readLines(stream, stall)) {
      const { type, object } = readEvent(line, `LIST ${path}`);
      const known = seen.size;
      if (type === 'BOOKMARK') {
        const { resourceVersion: version, annotations } = readBookmark(object, `LIST ${path}`);
        if (annotations?.['k8s.io/initial-events-end'] === 'true') return version;
      } else if (type !== 'DELETED') {
        putSeen(object, seen);
      } else {
        const gone = transform(object);
        if (gone !== undefined) seen.delete(gone.key);
      }
      if (seen.size > known) broughtAt = performance.now();
      // What follows the missing end of a list looks like its middle.
      if (performance.now() - broughtAt >= STALL_MS.listing)
        throw new UnfinishedListError(`no further object came for ${STALL_MS.listing / 1_000} s, and no end`);
    }
    throw new Error('the stream of the list ended before the list was complete');
  }

  async function listByPages(seen: Set<string>, signal: AbortSignal): Promise<string> {
    try {
      return await readPages(`limit=${PAGE_SIZE}`, seen, signal);
    } catch (error) {
      // The list outlived what etcd keeps: pages of an older state cannot be continued, one answer can.
      if (!hasStatus(error, 410)) throw error;
      seen.clear();
      return readPages('', seen, signal);
    }
  }

  async function readPages(query: string, seen: Set<string>, signal: AbortSignal): Promise<string> {
    let token = '';
    for (;;) {
      const next = token === '' ? '' : `&continue=${encodeURIComponent(token)}`;
      const request = { path: `${path}?${query}${selection}${next}`, returns: listType, signal, ...PAGE };
      const { data: page } = ListPage.safeParse(await client.request({ method: 'GET', ...request }));
      // Without its version, what happens until the watch begins would be missed.
      if (page === undefined || !(page.metadata.continue || page.metadata.resourceVersion))
        throw errorFromContent(`LIST ${path}`, 200, `a ${listType.kind}`);
      for (const item of page.items ?? []) putSeen(item, seen);
      token = page.metadata.continue ?? '';
      if (token === '') return page.metadata.resourceVersion ?? '';
    }
  }

  function putSeen(object: unknown, seen: Set<string>): void {
    const cached = toCached(object);
    if (cached === undefined) return;
    seen.add(cached.key);
    put(cached);
  }

  // Watching

  async function watch(signal: AbortSignal): Promise<Ending> {
    const seconds = WATCH_SECONDS.min + Math.floor(random() * (WATCH_SECONDS.jitter + 1));
    const query = new URLSearchParams({
      watch: 'true',
      allowWatchBookmarks: 'true',
      timeoutSeconds: String(seconds),
      resourceVersion: resourceVersion ?? '',
    });
    const stall = startStallTimer(seconds * 1_000 + STALL_MS.afterEnd, signal, STALL_MS.between);
    const startedAt = performance.now();
    try {
      const stream = await client.stream(`${path}?${query.toString()}${selection}`, stall.signal);
      recovered();
      const before = resourceVersion;
      await readEvents(stream, stall);
      const lastedMs = performance.now() - startedAt;
      if (lastedMs < (seconds - 1) * 1_000) onEndedEarly();
      return { kind: resourceVersion === before && lastedMs < SHORTEST_WATCH_MS ? 'empty' : 'ended' };
    } catch (error) {
      if (!stall.stalled()) return failed(error, 'watch');
      // Whoever hears of the next change needs connections that are not as dead as this one.
      client.abandonConnections();
      return failed(stall.signal.reason, 'stalled');
    } finally {
      stall.stop();
    }
  }

  async function readEvents(stream: AsyncIterable<Uint8Array>, stall: StallTimer): Promise<void> {
    for await (const line of readLines(stream, stall)) {
      const { type, object } = readEvent(line, `WATCH ${path}`);
      emptyWatches = 0;
      recovered();
      if (type === 'BOOKMARK') {
        ({ resourceVersion } = readBookmark(object, `WATCH ${path}`));
        continue;
      }
      const cached = toCached(object);
      if (cached === undefined) continue;
      if (type === 'DELETED') remove(cached.key, objects.get(cached.key));
      else if (!isPast(cached)) put(cached);
      resourceVersion = cached.resourceVersion;
    }
  }

  // The cache

  /** The version that the cache has already, as after every write and in every regular list, is not read again. */
  function toCached(object: unknown): T | undefined {
    const { data } = Identified.safeParse(object);
    if (data === undefined) return transform(object);
    const { namespace, name, uid, resourceVersion: version } = data.metadata;
    const known = objects.get(`${namespace}/${name}`);
    return known?.uid === uid && known.resourceVersion === version ? known : transform(object);
  }

  /** `update` runs ahead of the watch: an event that lags behind it must not turn the cache back. */
  function isPast(object: T): boolean {
    const known = objects.get(object.key);
    return known?.uid === object.uid && isNewer(known.resourceVersion, object.resourceVersion);
  }

  function put(object: T): void {
    const previous = objects.get(object.key);
    if (previous?.resourceVersion === object.resourceVersion && previous.uid === object.uid) return;
    objects.set(object.key, object);
    if (previous?.uid === object.uid) {
      tell({ type: 'updated', object, previous });
      return;
    }
    // Deleted and created again under one name while nobody watched: nothing of the old one may carry over.
    if (previous !== undefined) tell({ type: 'deleted', previous });
    tell({ type: 'added', object });
  }

  function remove(key: string, previous: T | undefined): void {
    if (previous === undefined) return;
    objects.delete(key);
    tell({ type: 'deleted', previous });
  }

  function update(object: T): Change<T> | undefined {
    const previous = objects.get(object.key);
    if (previous?.uid !== object.uid || !isNewer(object.resourceVersion, previous.resourceVersion)) return undefined;
    objects.set(object.key, object);
    return { type: 'updated', object, previous };
  }

  function forget({ key, uid }: T): void {
    if (objects.get(key)?.uid === uid) objects.delete(key);
  }

  function tell(change: Change<T>): void {
    try {
      onChange(change);
    } catch (error) {
      interrupted = true;
      onInterrupted('watch', error, 0);
    }
  }

  return {
    run,
    get: (key) => objects.get(key),
    update,
    forget,
    all: () => objects.values(),
    size: () => objects.size,
    hasListed: () => listed,
  };
}

/** resourceVersions of one resource compare as whole numbers (Kubernetes API concepts, "Resource versions"). */
function isNewer(version: string, than: string): boolean {
  return /^\d+$/.test(version) && /^\d+$/.test(than) && BigInt(version) > BigInt(than);
}

/** An event of a stream. Throws KubeError for an error, and for anything that is no event. */
function readEvent(line: string, what: string): z.infer<typeof WatchEvent> {
  const { data: event } = WatchEvent.safeParse(parseJson(line));
  if (event === undefined) throw errorFromContent(what, 200, 'a watch event');
  if (event.type === 'ERROR') throw errorFromStatus(what, 0, event.object);
  return event;
}

function readBookmark(object: unknown, what: string): z.infer<typeof Bookmark>['metadata'] {
  const { data: bookmark } = Bookmark.safeParse(object);
  if (bookmark === undefined) throw errorFromContent(what, 200, 'a bookmark');
  return bookmark.metadata;
}

const messageOf = (error: unknown): string => (Error.isError(error) ? error.message : String(error));

/** Whether the resourceVersion of a watch may be the cause of its failure: who cannot be reached did not look at it. */
const isSuspect = (ending: Ending): boolean =>
  ending.kind === 'empty' || (ending.kind === 'failed' && ending.error instanceof KubeError && ending.error.status > 0);

function failed(error: unknown, cause: WatchCause): Ending {
  return { kind: 'failed', error, cause: hasStatus(error, 410) ? 'expired' : cause };
}

/** Back-off with jitter and no end; an expired version is listed again at once, the first time. */
function waitAfter(ending: Ending, failures: number, random: () => number): number {
  if (ending.kind === 'failed') {
    const told = ending.error instanceof KubeError ? ending.error.retryAfterMs : undefined;
    if (told !== undefined) return Math.min(LONGEST_TOLD_MS, told * (1 + random() / 10));
    if (ending.cause === 'expired' && failures <= 1) return 0;
  }
  const ceiling = Math.min(BACKOFF_MS.max, BACKOFF_MS.first * 2 ** Math.min(failures, 16));
  return ceiling * (0.5 + random() / 2);
}
