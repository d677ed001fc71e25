import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { AtlasClient } from '../../../src/atlas/client.ts';
import { MOST_PAGES, readAllPages } from '../../../src/atlas/list.ts';
import type { ListedJob, ListPage } from '../../../src/atlas/list-response.ts';
import { atlasErrorOf, clientOf } from '../../support/atlas-client.ts';
import { failing, rateLimited, truncatedJson } from '../../support/atlas-simulator/fault-samples.ts';
import type { Fault } from '../../support/atlas-simulator/faults.ts';
import type { JsonValue } from '../../support/atlas-simulator/json.ts';
import {
  PUBLISHED_EXAMPLE_JOB as JOB,
  PUBLISHED_EXAMPLE,
  urlV2Download,
  youngJob,
} from '../../support/atlas-simulator/recorded-bodies.ts';
import { type AtlasSimulator, startAtlasSimulator } from '../../support/atlas-simulator/simulator.ts';
import { eventually } from '../../support/eventually.ts';

const CLUSTER = { groupId: JOB.groupId, clusterName: JOB.clusterName };
const KEY = { kind: 'apiKey', publicKey: 'publickey', privateKey: 'private-key' } as const;
const ACCOUNT = { kind: 'serviceAccount', clientId: 'mdb_sa_id_1', clientSecret: 'mdb_sa_sk_1' } as const;
const BATCH = 'b'.repeat(24);

describe('the pages of a list', () => {
  const job = (id: string, statusName = 'FINISHED'): ListedJob => ({
    id,
    job: { id, statusName },
    authValue: undefined,
    dropped: [],
    hashCount: 0,
  });
  const page = (links: ListPage['links'], ids: string, entryCount = ids.length): ListPage => ({
    jobs: ids.split('').map((id) => job(id)),
    entryCount,
    links,
  });
  const EMPTY = page('none', '');

  async function read(...pages: readonly ListPage[]) {
    let asked = 0;
    const list = await readAllPages((pageNum) => {
      asked += 1;
      expect(pageNum).toBe(asked);
      return Promise.resolve(pages[pageNum - 1] ?? EMPTY);
    });
    return { ids: list.jobs.map(({ id }) => id).join(''), unreadable: list.unreadable, asked };
  }

  test.each<[string, readonly ListPage[], string, number]>([
    ['an empty one', [EMPTY], '', 1],
    ['one without a link to the next', [page('last', 'ab')], 'ab', 1],
    ['links, until there is none to the next', [page('next', 'ab'), page('next', 'c'), page('last', 'd')], 'abcd', 3],
    ['a link that leads to an empty one', [page('next', 'ab'), EMPTY], 'ab', 2],
    ['no links at all: until one is shorter', [page('none', 'ab'), page('none', 'cd'), page('none', 'e')], 'abcde', 3],
    ['no links at all: until one is empty', [page('none', 'ab'), page('none', 'cd')], 'abcd', 3],
    ['no links at all, of a server that knows no pages', [page('none', 'ab'), page('none', 'ab')], 'ab', 2],
    ['jobs that come again because a new one shifted them', [page('next', 'ab'), page('last', 'bc')], 'abc', 2],
  ])('%s', async (_name, pages, ids, asked) => {
    expect(await read(...pages)).toEqual({ ids, asked, unreadable: 0 });
  });

  test('of a job that comes again the newer response counts', async () => {
    const pages = [page('next', 'ab'), { ...page('last', ''), jobs: [job('b', 'BROKEN')], entryCount: 1 }];
    const { jobs } = await readAllPages((pageNum) => Promise.resolve(pages[pageNum - 1] ?? EMPTY));
    expect(jobs.map(({ job: { statusName } }) => statusName)).toEqual(['FINISHED', 'BROKEN']);
  });

  test('entries that cannot be read are counted', async () => {
    expect(await read(page('next', 'ab', 3), page('last', 'c', 2))).toMatchObject({ ids: 'abc', unreadable: 2 });
  });

  test.each(['none', 'next', 'last'] as const)('a page that has nothing else is one, too: links %s', async (links) => {
    const more = links === 'last' ? [] : [page(links, '', 2), page(links, 'a', 1)];
    expect(await read(page(links, '', 2), ...more)).toMatchObject({
      ids: links === 'last' ? '' : 'a',
      unreadable: links === 'last' ? 2 : 4,
    });
  });

  test('pages that repeat, and pages without an end, are an error', async () => {
    let asked = 0;
    const repeated = readAllPages((pageNum) => {
      asked = pageNum;
      return Promise.resolve(page('next', 'ab'));
    });
    expect(await atlasErrorOf(repeated)).toMatchObject({ code: 'ATLAS_LIST_ENDLESS', kind: 'invalidResponse' });
    expect(asked).toBe(2);
    const endless = readAllPages((pageNum) => {
      asked = pageNum;
      return Promise.resolve({ ...page('next', ''), jobs: [job(`id-${pageNum}`)], entryCount: 1 });
    });
    expect(await atlasErrorOf(endless)).toMatchObject({ code: 'ATLAS_LIST_ENDLESS' });
    expect(asked).toBe(MOST_PAGES);
  });
});

describe('a list from Atlas', () => {
  let atlas: AtlasSimulator;
  beforeEach(async () => {
    atlas = await startAtlasSimulator();
    atlas.addApiKey(KEY);
    atlas.addServiceAccount(ACCOUNT);
    atlas.addCluster(CLUSTER.groupId, CLUSTER.clusterName);
  });
  afterEach(() => atlas.stop());

  function put(count: number, batchId?: string): readonly string[] {
    return Array.from({ length: count }, (_, index) => {
      const job = { ...CLUSTER, jobId: (index + 1).toString(16).padStart(24, batchId === undefined ? '0' : 'a') };
      const batch = batchId === undefined ? {} : { batchId };
      atlas.putJob(job, { kind: 'fixed', body: { ...youngJob(job), ...batch } });
      return job.jobId;
    });
  }

  const untilWaiting = (client: AtlasClient): Promise<void> =>
    eventually('the list waits for the budget', () => {
      if (client.budgets().waiting === 0) throw new Error('nobody waits');
    });

  const results = (...entries: readonly JsonValue[]): Fault => ({
    kind: 'body',
    body: JSON.stringify({ links: [{}], results: entries }),
  });

  test.each([
    [KEY, { total: 4, byKind: { list: 4, token: 0 } }],
    [ACCOUNT, { total: 4, byKind: { list: 3, token: 1 } }],
  ])('has each job once and costs one request for each 500: $kind', async (credentials, counts) => {
    const ids = put(1_100);
    atlas.configure({ totalCountError: -1_000 });
    await using client = clientOf(atlas);
    const { jobs, unreadable } = await client.list(CLUSTER, credentials);
    expect(jobs.map(({ id }) => id).sort()).toEqual(ids);
    expect(unreadable).toBe(0);
    expect(atlas.requests.counts()).toMatchObject(counts);
  });

  test('of an old server: pages of 100 without links', async () => {
    put(250);
    atlas.configure({ longestPage: 100, pageLinks: false });
    await using client = clientOf(atlas, { envelope: true, pretty: true });
    expect((await client.list(CLUSTER, ACCOUNT)).jobs).toHaveLength(250);
    expect(atlas.requests.counts().byKind.list).toBe(3);
  });

  test('of one sharded restore', async () => {
    put(2);
    const ids = put(3, BATCH);
    await using client = clientOf(atlas);
    const { jobs } = await client.list({ ...CLUSTER, batchId: BATCH }, ACCOUNT);
    expect(jobs.map(({ id }) => id).sort()).toEqual(ids);
  });

  test('has jobs as a fetch has them, with what cannot be mirrored named', async () => {
    const secret = urlV2Download({ ...JOB, jobId: 'c'.repeat(24) }, '2026-11-27T00:00:00Z');
    atlas.faults.add({
      match: { kind: 'list' },
      when: 'after-auth',
      fault: results(PUBLISHED_EXAMPLE, { ...secret, snapshotId: 5 }, null, {}, { statusName: 'FINISHED' }),
      times: 1,
    });
    await using client = clientOf(atlas);
    const { jobs, unreadable } = await client.list(CLUSTER, ACCOUNT);
    expect(jobs).toMatchObject([
      { id: JOB.jobId, job: PUBLISHED_EXAMPLE, dropped: [] },
      { authValue: `key-of-${'c'.repeat(24)}`, dropped: ['snapshotId'] },
    ]);
    expect(unreadable).toBe(3);
  });

  test.each<[string, Fault, string, string]>([
    ['a page of a proxy', { kind: 'html' }, 'ATLAS_SERVER_ERROR', 'AtlasUnavailable'],
    ['half an answer', truncatedJson({ results: [] }), 'ATLAS_NOT_A_LIST', 'InvalidResponse'],
    ['a restore job', { kind: 'body', body: JSON.stringify(PUBLISHED_EXAMPLE) }, 'ATLAS_NOT_A_LIST', 'InvalidResponse'],
    ['a cluster that is not there', failing(404, 'CLUSTER_NOT_FOUND'), 'ATLAS_REFUSED', 'ClusterNotFound'],
    ['a rate limit', rateLimited('55'), 'ATLAS_RATE_LIMITED', 'RateLimited'],
  ])('%s, on any page, is the error of the whole', async (_name, fault, code, reason) => {
    put(600);
    await using client = clientOf(atlas);
    let pages = 0;
    atlas.faults.add({
      when: 'after-auth',
      times: 1,
      match: { kind: 'list' },
      fault: {
        kind: 'transform',
        transform: (answer) => {
          pages += 1;
          atlas.faults.add({ when: 'after-auth', fault, match: { kind: 'list' } });
          return answer;
        },
      },
    });
    expect(await atlasErrorOf(client.list(CLUSTER, ACCOUNT))).toMatchObject({ code, reason });
    expect(pages).toBe(1);
  });

  test('waits for the budget between two pages, which a fetch shares', async () => {
    put(600);
    const client = clientOf(atlas, { requestsPerMinute: 1 });
    const listing = client.list(CLUSTER, ACCOUNT);
    await untilWaiting(client);
    const [jobId = ''] = put(1);
    expect(client.fetch({ ...CLUSTER, jobId }, ACCOUNT, 'a waiter')).toEqual({ kind: 'waiting', pause: undefined });
    expect(atlas.requests.counts().byKind.list).toBe(1);
    const ended = expect(listing).rejects.toThrow('the client was closed');
    await client.close();
    await ended;
  });

  test('goes before the fetches that wait for the same budget', async () => {
    const [jobId = ''] = put(2);
    const order: string[] = [];
    await using client = clientOf(atlas, { requestsPerMinute: 60, onReserved: (waiter) => void order.push(waiter) });
    // On a slow machine, the budget refills while its burst is used up.
    for (;;) {
      const fetch = client.fetch({ ...CLUSTER, jobId }, ACCOUNT, 'merely due', { begun: 'now' });
      if (fetch.kind === 'waiting') break;
      await fetch.response;
    }
    expect(await client.listPage(CLUSTER, ACCOUNT, 1)).toMatchObject({ entryCount: 2, links: 'last' });
    order.push('list');
    await eventually('it is the turn of the fetch', () => expect(order).toEqual(['list', 'merely due']));
  });

  test('goes on when its turn comes, and wakes nobody else', async () => {
    put(600);
    const reserved: string[] = [];
    await using client = clientOf(atlas, {
      requestsPerMinute: 120,
      onReserved: (waiter) => void reserved.push(waiter),
    });
    // A burst of 24: the last ones wait for the refill.
    const lists = Array.from({ length: 13 }, () => client.list(CLUSTER, ACCOUNT));
    for (const { jobs } of await Promise.all(lists)) expect(jobs).toHaveLength(600);
    expect(reserved).toEqual([]);
  });

  test("ends with the caller's signal while it waits", async () => {
    put(600);
    const caller = new AbortController();
    await using client = clientOf(atlas, { requestsPerMinute: 1, signal: caller.signal });
    const listing = client.list(CLUSTER, ACCOUNT);
    await untilWaiting(client);
    const reason = new Error('the operator stops');
    const ended = expect(listing).rejects.toBe(reason);
    caller.abort(reason);
    await ended;
  });
});
