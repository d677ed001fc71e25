/**
 * Every status that ever was. It is read from etcd, which nobody kills: an API server that has restarted has
 * forgotten what happened before, and a watch on it would miss changes.
 */
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { isDeepStrictEqual } from 'node:util';
import { request } from 'undici';
import * as z from 'zod';
import { decode, RESOURCE_PREFIX, rangeOf } from '../support/etcd.ts';
import { eventually } from '../support/eventually.ts';

export interface StatusHistory {
  /** How often the status of `namespace/name` has changed; the default at its creation does not count. */
  readonly changesOf: (key: string) => number;
  /** How often the part of a status that comes from Atlas has changed. */
  readonly mirroredChanges: () => number;
  /** How often a status has come to have each `reason`. */
  readonly reasons: () => ReadonlyMap<string, number>;
  /** Resolves when everything that etcd has now has been counted. Rejects when that cannot be. */
  readonly caughtUp: () => Promise<void>;
  readonly stop: () => void;
}

/** The operator's own fields: what it observed. */
const OBSERVED: readonly string[] = [
  'observedGeneration',
  'conditions',
  'reason',
  'failure',
  'lastHandledReconcileAt',
  'lastChangeTime',
];

/** Begins with what etcd has at its start. */
export async function recordStatusHistory(etcdUrl: string): Promise<StatusHistory> {
  const end = new AbortController();
  const statuses = new Map<string, Status>();
  const changes = new Map<string, number>();
  const reasons = new Map<string, number>();
  let mirroredChanges = 0;
  let revision = 0;

  function note({ type, kv }: WatchEvent): void {
    const key = decode(kv.key).slice(RESOURCE_PREFIX.length);
    const previous = statuses.get(key);
    revision = Number(kv.mod_revision);
    if (type === 'DELETE') {
      statuses.delete(key);
      return;
    }
    const { status } = Stored.parse(JSON.parse(decode(kv.value)));
    statuses.set(key, status);
    if (previous === undefined || isDeepStrictEqual(status, previous)) return;
    changes.set(key, (changes.get(key) ?? 0) + 1);
    if (!isDeepStrictEqual(mirroredPart(status), mirroredPart(previous))) mirroredChanges += 1;
    const reason = status['reason'];
    if (typeof reason === 'string' && reason !== previous['reason'])
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }

  const stream = await post(etcdUrl, 'watch', { create_request: { ...RANGE, start_revision: '1' } }, end.signal);
  const watching = readMessages(stream, ({ result }) => {
    if (result.canceled) throw new Error('etcd has ended the watch');
    result.events.forEach(note);
  });
  // `caughtUp` reports what went wrong.
  watching.catch(() => {});

  return {
    changesOf: (key) => changes.get(key) ?? 0,
    mirroredChanges: () => mirroredChanges,
    reasons: () => reasons,
    caughtUp: async () => {
      const newest = await newestRevision(etcdUrl);
      const arrived = eventually('the history of all statuses is complete', () => {
        if (revision < newest) throw new Error(`revision ${revision} of ${newest}`);
      });
      await Promise.race([arrived, watching.then(() => arrived)]);
    },
    stop: () => end.abort(),
  };
}

type Status = Readonly<Record<string, unknown>>;

/** The part that comes from Atlas. */
const mirroredPart = (status: Status): Status =>
  Object.fromEntries(Object.entries(status).filter(([member]) => !OBSERVED.includes(member)));

const RANGE = rangeOf(RESOURCE_PREFIX);

type WatchEvent = z.infer<typeof WatchEvent>;
const WatchEvent = z.object({
  type: z.enum(['PUT', 'DELETE']).default('PUT'),
  kv: z.object({ key: z.string(), value: z.string().default(''), mod_revision: z.string() }),
});
const WatchMessage = z.object({
  result: z.object({ canceled: z.boolean().default(false), events: z.array(WatchEvent).default([]) }),
});
const Stored = z.looseObject({ status: z.record(z.string(), z.unknown()).default({}) });
const Range = z.object({ kvs: z.array(z.object({ mod_revision: z.string() })).default([]) });

async function post(etcdUrl: string, method: string, body: unknown, signal: AbortSignal): Promise<Readable> {
  const answer = await request(`${etcdUrl}/v3/${method}`, {
    method: 'POST',
    body: JSON.stringify(body),
    signal,
    bodyTimeout: 0,
  });
  return answer.body;
}

async function readMessages(stream: Readable, take: (message: z.infer<typeof WatchMessage>) => void): Promise<never> {
  for await (const line of createInterface(stream)) take(WatchMessage.parse(JSON.parse(line)));
  throw new Error('the watch on etcd has ended');
}

/** The revision of the newest object. */
async function newestRevision(etcdUrl: string): Promise<number> {
  const query = { ...RANGE, keys_only: true, sort_target: 'MOD', sort_order: 'DESCEND', limit: '1' };
  const { kvs } = Range.parse(
    JSON.parse(await text(await post(etcdUrl, 'kv/range', query, AbortSignal.timeout(30_000)))),
  );
  return Number(kvs[0]?.mod_revision ?? 0);
}
