/**
 * Ten thousand resources are written straight into etcd, in transactions: the API server sees them in its watch on etcd,
 * as it sees what another API server has written. Each is a copy of one that the API server has created itself.
 */
import { request } from 'undici';
import * as z from 'zod';

export interface Etcd {
  /** The value of a key. Throws when there is none. */
  readonly get: (key: string) => Promise<string>;
  /** All values under a prefix, by what follows it in their keys. */
  readonly list: (prefix: string) => Promise<ReadonlyMap<string, string>>;
  /** Writes one key and resolves with the revision of that. */
  readonly put: (key: string, value: string) => Promise<string>;
  /**
   * Writes many keys in few transactions. All of one transaction have one revision, where the API server expects each to
   * have its own: a list that it answers right then can lack some of them, and no watch brings them later.
   */
  readonly putAll: (entries: ReadonlyArray<readonly [key: string, value: string]>) => Promise<void>;
  readonly deleteAll: (prefix: string) => Promise<void>;
  /** Forgets the past. The API server must have seen all of it: a watch on what is forgotten ends. */
  readonly compact: () => Promise<void>;
}

/** Where the API server keeps LegacyRestoreJobs: `<namespace>/<name>` follows. */
export const RESOURCES = '/registry/atlasrestore.dev/legacyrestorejobs/';
export const EVENTS = '/registry/events/';

/** etcd allows 128 operations in a transaction. */
const OPERATIONS = 100;
const PAGE = 1_000;

export function createEtcd(etcdUrl: string): Etcd {
  async function call(method: string, body: unknown): Promise<unknown> {
    const answer = await request(`${etcdUrl}/v3/kv/${method}`, { method: 'POST', body: JSON.stringify(body) });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`etcd ${method} answered ${answer.statusCode}: ${text}`);
    return JSON.parse(text);
  }

  async function* pages(prefix: string): AsyncGenerator<z.infer<typeof KeyValue>> {
    let key = prefix;
    for (;;) {
      const { kvs, more } = Range.parse(
        await call('range', { key: encode(key), range_end: encode(endOf(prefix)), limit: String(PAGE) }),
      );
      yield* kvs;
      const last = kvs.at(-1);
      if (!more || last === undefined) return;
      // The smallest key that follows the last one.
      key = `${decode(last.key)}\0`;
    }
  }

  return {
    get: async (key) => {
      const [found] = Range.parse(await call('range', { key: encode(key) })).kvs;
      if (found === undefined) throw new Error(`etcd has no key ${key}`);
      return decode(found.value);
    },
    list: async (prefix) => {
      const values = new Map<string, string>();
      for await (const { key, value } of pages(prefix)) values.set(decode(key).slice(prefix.length), decode(value));
      return values;
    },
    put: async (key, value) => {
      const { header } = Written.parse(await call('put', { key: encode(key), value: encode(value) }));
      return header.revision;
    },
    putAll: async (entries) => {
      for (let start = 0; start < entries.length; start += OPERATIONS) {
        const success = entries
          .slice(start, start + OPERATIONS)
          .map(([key, value]) => ({ requestPut: { key: encode(key), value: encode(value) } }));
        await call('txn', { success });
      }
    },
    deleteAll: async (prefix) => {
      await call('deleterange', { key: encode(prefix), range_end: encode(endOf(prefix)) });
    },
    compact: async () => {
      const { header } = Written.parse(await call('range', { key: encode('/') }));
      await call('compaction', { revision: header.revision });
    },
  };
}

// etcd's API as JSON: every number is a string, every key and value is base64

const encode = (text: string): string => Buffer.from(text).toString('base64');
const decode = (text: string): string => Buffer.from(text, 'base64').toString();

/** The first key after all that begin with the prefix: `0` follows `/`. */
const endOf = (prefix: string): string => prefix.replace(/\/$/, '0');

const KeyValue = z.object({ key: z.string(), value: z.string().default('') });
const Range = z.object({ kvs: z.array(KeyValue).default([]), more: z.boolean().default(false) });
const Written = z.object({ header: z.object({ revision: z.string() }) });
