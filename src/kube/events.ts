/** Events of the API group events.k8s.io, the same one counted instead of written again. */
import { randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { KubeClient } from './client.ts';
import { hasStatus } from './errors.ts';
import type { ObjectType } from './response.ts';
import { kubeMicroTime } from './time.ts';

/** The object that an event is about. */
export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export interface EventContent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly note: string;
}

export interface EventRecorder {
  /**
   * Writes in the background, a few at a time and in order: an event must not hold up anything, least of all the status
   * writes of others.
   */
  readonly record: (about: ObjectReference, event: EventContent) => void;
  /** Resolves when everything that was recorded has been written or has failed, or when the signal is aborted. */
  readonly drain: () => Promise<void>;
}

interface EventRecorderOptions {
  readonly client: KubeClient;
  /** Gives up what is not written yet. */
  readonly signal: AbortSignal;
  /** Name of the controller, qualified as a label's, such as `example.org/some-operator`. */
  readonly controller: string;
  /** Name of this process among its replicas. */
  readonly instance: string;
  /** What the controller does with the objects, in one CamelCase word. */
  readonly action: string;
  readonly onWritten?: () => void;
  readonly onFailed: (error: unknown) => void;
  /** Milliseconds since the epoch, for the times that an event shows. */
  readonly now?: () => number;
  /** Monotonic, in milliseconds: ages do not follow a wall clock that is set. */
  readonly monotonicNow?: () => number;
}

const EVENT: ObjectType = { apiVersion: 'events.k8s.io/v1', kind: 'Event' };
/** The same event again within this time is counted in a series, as client-go does. */
const SERIES_MS = 6 * 60_000;
/** Series remembered; those that were used least recently are forgotten first. */
const MAX_SERIES = 2_000;
/** The API server refuses longer notes, in bytes. */
const MAX_NOTE_BYTES = 1_024;
/** Events that are written at a time: each more would be a connection, and take its share of the API server. */
const WRITERS = 4;
/** Events that wait to be written, in some 10 MiB; more are given up, as client-go does from 1,000 on. */
const MAX_WAITING = 50_000;

interface Series {
  readonly path: string;
  count: number;
  /** Monotonic. */
  lastAt: number;
}

export function createEventRecorder({
  client,
  signal,
  controller,
  instance,
  action,
  onWritten,
  onFailed,
  now = Date.now,
  monotonicNow = () => performance.now(),
}: EventRecorderOptions): EventRecorder {
  const seriesByKey = new LRUCache<string, Series>({ max: MAX_SERIES });
  const waiting: Array<readonly [about: ObjectReference, event: EventContent]> = [];
  const writers = new Set<Promise<void>>();
  const { promise: aborted, resolve: giveUp } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => giveUp(), { once: true });

  function record(about: ObjectReference, event: EventContent): void {
    if (waiting.length >= MAX_WAITING) {
      onFailed(new Error('too many events wait to be written'));
      return;
    }
    waiting.push([about, event]);
    if (writers.size >= WRITERS) return;
    const writer: Promise<void> = writeWaiting().finally(() => writers.delete(writer));
    writers.add(writer);
  }

  /** Never rejects. */
  async function writeWaiting(): Promise<void> {
    for (let next = waiting.shift(); next !== undefined && !signal.aborted; next = waiting.shift()) {
      await write(...next).then(onWritten, onFailed);
    }
  }

  async function write(about: ObjectReference, event: EventContent): Promise<void> {
    const key = JSON.stringify([about.uid, event.type, event.reason, event.note]);
    const series = seriesByKey.get(key);
    if (series !== undefined && monotonicNow() - series.lastAt < SERIES_MS) {
      series.count += 1;
      series.lastAt = monotonicNow();
      try {
        return await count(series);
      } catch (error) {
        // Events live for an hour, less where somebody cleans up.
        if (!hasStatus(error, 404)) throw error;
      }
    }
    const path = `/apis/events.k8s.io/v1/namespaces/${encodeURIComponent(about.namespace)}/events`;
    const name = `${about.name.slice(0, 200).replace(/[-.]+$/, '')}.${randomUUID()}`;
    seriesByKey.set(key, { path: `${path}/${name}`, count: 1, lastAt: monotonicNow() });
    await client.request({ method: 'POST', path, returns: EVENT, body: eventObject(about, event, name) });
  }

  async function count(series: Series): Promise<void> {
    await client.request({
      method: 'PATCH',
      path: series.path,
      returns: EVENT,
      contentType: 'application/merge-patch+json',
      body: { series: { count: series.count, lastObservedTime: kubeMicroTime(now()) } },
    });
  }

  function eventObject(about: ObjectReference, event: EventContent, name: string) {
    return {
      ...EVENT,
      metadata: { name, namespace: about.namespace },
      eventTime: kubeMicroTime(now()),
      reportingController: controller,
      reportingInstance: instance.slice(0, 128),
      action,
      type: event.type,
      reason: event.reason,
      note: boundedBytes(event.note, MAX_NOTE_BYTES),
      regarding: about,
    };
  }

  return {
    record,
    drain: async () => {
      while (writers.size > 0 && !signal.aborted) await Promise.race([Promise.all(writers), aborted]);
    },
  };
}

/** The text, cut at a character so that it fits into so many bytes of UTF-8. */
function boundedBytes(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  return `${Buffer.from(text)
    .subarray(0, maxBytes - 6)
    .toString('utf8')
    .replace(/\uFFFD+$/, '')}…`;
}
