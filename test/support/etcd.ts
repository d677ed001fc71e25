/** What the API server stores, read and written behind its back. */
import { request } from 'undici';
import * as z from 'zod';

export interface EtcdClient {
  /** The value of a key. Throws when there is none. */
  readonly get: (key: string) => Promise<string>;
  /** Writes all of them, a hundred at a time. */
  readonly putAll: (values: ReadonlyMap<string, string>) => Promise<void>;
  /** The revision at which each key that begins so was last written; it is the resourceVersion of the object. */
  readonly revisions: (prefix: string) => Promise<ReadonlyMap<string, string>>;
  /** Makes every resourceVersion before now too old, as the regular compaction does. */
  readonly compact: () => Promise<void>;
}

/** As many as etcd takes in one transaction, and well below its largest request. */
const PUTS_AT_ONCE = 100;

/** A client of etcd's API as JSON, in which every number is a string, every key and value is base64. */
export function createEtcdClient(etcdUrl: string): EtcdClient {
  async function post(method: string, body: unknown): Promise<unknown> {
    const answer = await request(`${etcdUrl}/v3/kv/${method}`, { method: 'POST', body: JSON.stringify(body) });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`etcd answered ${answer.statusCode} to ${method}: ${text}`);
    return JSON.parse(text);
  }

  async function range(query: object): Promise<z.infer<typeof Range>> {
    return Range.parse(await post('range', query));
  }

  return {
    get: async (key) => {
      const [found] = (await range({ key: encode(key) })).kvs;
      if (found === undefined) throw new Error(`etcd has no key ${key}`);
      return decode(found.value);
    },
    putAll: async (values) => {
      const puts = [...values].map(([key, value]) => ({ requestPut: { key: encode(key), value: encode(value) } }));
      // The API server writes one object per revision, and takes the first event of the newest revision for the last one.
      const last = puts.splice(-1);
      for (let start = 0; start < puts.length; start += PUTS_AT_ONCE) {
        await post('txn', { success: puts.slice(start, start + PUTS_AT_ONCE) });
      }
      await post('txn', { success: last });
    },
    revisions: async (prefix) => {
      const { kvs } = await range({ key: encode(prefix), range_end: encode(endOf(prefix)), keys_only: true });
      return new Map(kvs.map(({ key, mod_revision: revision }) => [decode(key), revision]));
    },
    compact: async () => {
      const { header } = await range({ key: encode('/') });
      await post('compaction', { revision: header.revision, physical: true });
    },
  };
}

const encode = (text: string): string => Buffer.from(text).toString('base64');
const decode = (text: string): string => Buffer.from(text, 'base64').toString();

/** The first key after all that begin with an ASCII prefix. */
const endOf = (prefix: string): string =>
  prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);

const Range = z.object({
  header: z.object({ revision: z.string() }),
  kvs: z.array(z.object({ key: z.string(), value: z.string().default(''), mod_revision: z.string() })).default([]),
});
