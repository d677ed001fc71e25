/** What the API server stores, read and written behind its back. */
import { request } from 'undici';
import * as z from 'zod';

export interface EtcdClient {
  /** The value of a key. Throws when there is none. */
  readonly get: (key: string) => Promise<string>;
  /** As `get`, for what is no text: most objects are stored as Protobuf. */
  readonly getBytes: (key: string) => Promise<Uint8Array>;
  /** All values under a prefix, by what follows it in their keys. */
  readonly list: (prefix: string) => Promise<ReadonlyMap<string, string>>;
  /** The revision at which each key under a prefix was last written; it is the resourceVersion of the object. */
  readonly revisions: (prefix: string) => Promise<ReadonlyMap<string, string>>;
  /** Writes one key and resolves with its revision. */
  readonly put: (key: string, value: string | Uint8Array) => Promise<string>;
  /** Writes all of them, a hundred at a time and the last one alone, and resolves with the revision of the last one. */
  readonly putAll: (values: ReadonlyMap<string, string>) => Promise<string>;
  readonly deleteAll: (prefix: string) => Promise<void>;
  /** Makes every resourceVersion before now too old, as the regular compaction does. */
  readonly compact: () => Promise<void>;
}

/** Where the API server keeps LegacyRestoreJobs, and Secrets: `<namespace>/<name>` follows. */
export const RESOURCE_PREFIX = '/registry/atlasrestore.dev/legacyrestorejobs/';
export const SECRET_PREFIX = '/registry/secrets/';

/** As many as etcd takes in one transaction, and well below its largest request. */
const PUTS_AT_ONCE = 100;
const PAGE = 1_000;

/** A client of etcd's API as JSON, in which every number is a string, every key and value is base64. */
export function createEtcdClient(etcdUrl: string): EtcdClient {
  async function post(method: string, body: unknown): Promise<unknown> {
    const answer = await request(`${etcdUrl}/v3/kv/${method}`, { method: 'POST', body: JSON.stringify(body) });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`etcd answered ${answer.statusCode} to ${method}: ${text}`);
    return JSON.parse(text);
  }

  /** In base64. */
  async function storedIn(key: string): Promise<string> {
    const [found] = Range.parse(await post('range', { key: encode(key) })).kvs;
    if (found === undefined) throw new Error(`etcd has no key ${key}`);
    return found.value;
  }

  async function* pages(prefix: string): AsyncGenerator<z.infer<typeof KeyValue>> {
    const range = rangeOf(prefix);
    for (let key = range.key; ; ) {
      const { kvs, more } = Range.parse(await post('range', { ...range, key, limit: String(PAGE) }));
      yield* kvs;
      const last = kvs.at(-1);
      if (!more || last === undefined) return;
      // The smallest key that follows the last one.
      key = encode(`${decode(last.key)}\0`);
    }
  }

  async function putAtOnce(entries: readonly (readonly [key: string, value: string | Uint8Array])[]): Promise<string> {
    const success = entries.map(([key, value]) => ({ requestPut: { key: encode(key), value: encode(value) } }));
    return Written.parse(await post('txn', { success })).header.revision;
  }

  return {
    get: async (key) => decode(await storedIn(key)),
    getBytes: async (key) => Buffer.from(await storedIn(key), 'base64'),
    list: async (prefix) => {
      const values = new Map<string, string>();
      for await (const { key, value } of pages(prefix)) values.set(decode(key).slice(prefix.length), decode(value));
      return values;
    },
    revisions: async (prefix) => {
      const revisions = new Map<string, string>();
      for await (const { key, mod_revision: revision } of pages(prefix)) revisions.set(decode(key), revision);
      return revisions;
    },
    put: (key, value) => putAtOnce([[key, value]]),
    putAll: async (values) => {
      const entries = [...values];
      // The API server writes one object per revision, and takes the first event of the newest revision for the last one.
      const last = entries.splice(-1);
      for (let start = 0; start < entries.length; start += PUTS_AT_ONCE) {
        await putAtOnce(entries.slice(start, start + PUTS_AT_ONCE));
      }
      return putAtOnce(last);
    },
    deleteAll: async (prefix) => {
      await post('deleterange', rangeOf(prefix));
    },
    compact: async () => {
      const { header } = Written.parse(await post('range', { key: encode('/') }));
      await post('compaction', { revision: header.revision, physical: true });
    },
  };
}

/** All keys that begin with a prefix, as etcd's API wants them. */
export const rangeOf = (prefix: string) => ({
  key: encode(prefix),
  // The first key after them: the prefix with its last character, which is ASCII, replaced by the next one.
  range_end: encode(prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)),
});

/** The text of a key or a value of etcd's API. */
export const decode = (text: string): string => Buffer.from(text, 'base64').toString();

const encode = (value: string | Uint8Array): string => Buffer.from(value).toString('base64');

const KeyValue = z.object({ key: z.string(), value: z.string().default(''), mod_revision: z.string() });
const Range = z.object({ kvs: z.array(KeyValue).default([]), more: z.boolean().default(false) });
const Written = z.object({ header: z.object({ revision: z.string() }) });
