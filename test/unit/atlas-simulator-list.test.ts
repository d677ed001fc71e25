import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { otherItems, rateLimited } from '../support/atlas-simulator/fault-samples.ts';
import type { JsonObject } from '../support/atlas-simulator/json.ts';
import { PUBLISHED_EXAMPLE_JOB, pendingDownload, youngJob } from '../support/atlas-simulator/recorded-bodies.ts';
import { getWithKey, listPath } from '../support/atlas-simulator/reference-client.ts';
import { type AtlasSimulator, startAtlasSimulator } from '../support/atlas-simulator/simulator.ts';

const CLUSTER = { groupId: PUBLISHED_EXAMPLE_JOB.groupId, clusterName: PUBLISHED_EXAMPLE_JOB.clusterName };
const KEY = { publicKey: 'publickey', privateKey: 'private-key' };
const BATCH = 'b'.repeat(24);
const idOf = (index: number): string => index.toString(16).padStart(24, '0');

let atlas: AtlasSimulator;
beforeEach(async () => {
  atlas = await startAtlasSimulator();
  atlas.addApiKey(KEY);
  atlas.addCluster(CLUSTER.groupId, CLUSTER.clusterName);
});
afterEach(() => atlas.stop());

function put(count: number, more: (index: number) => JsonObject = () => ({})): void {
  for (let index = 0; index < count; index += 1) {
    const job = { ...CLUSTER, jobId: idOf(index) };
    atlas.putJob(job, { kind: 'fixed', body: { ...youngJob(job), ...more(index) } });
  }
}

async function list(query = '', cluster = CLUSTER, key = KEY) {
  const { status, headers, text } = await getWithKey(atlas.url, listPath(cluster, query), key);
  return { status, headers, json: JSON.parse(text) };
}

const ids = ({ json }: Awaited<ReturnType<typeof list>>): readonly string[] =>
  json.results.map(({ id }: { readonly id: string }) => id);
const relations = ({ json }: Awaited<ReturnType<typeof list>>): readonly string[] =>
  json.links.map(({ rel }: { readonly rel: string }) => rel);

describe('a list', () => {
  test('of a cluster without jobs is empty', async () => {
    expect(await list()).toMatchObject({ status: 200, json: { results: [], totalCount: 0 } });
  });

  test('is newest first, and has the jobs of its cluster alone', async () => {
    put(3, (index) => ({ created: `2026-11-0${[2, 3, 1][index]}T00:00:00Z` }));
    const elsewhere = { ...CLUSTER, clusterName: 'Cluster1', jobId: idOf(9) };
    atlas.putJob(elsewhere, { kind: 'fixed', body: youngJob(elsewhere) });
    expect(ids(await list())).toEqual([idOf(1), idOf(0), idOf(2)]);
    expect(ids(await list('', elsewhere))).toEqual([idOf(9)]);
  });

  test('has items that are as the single GET, but for their links', async () => {
    const job = { ...CLUSTER, jobId: idOf(1) };
    atlas.putJob(job, { kind: 'fixed', body: pendingDownload(job) });
    const { json } = await list();
    const self = { href: expect.stringMatching(/restoreJobs\/0{23}1$/), rel: 'self' };
    expect(json.results).toEqual([{ ...pendingDownload(job), links: [self] }]);
  });

  test('has pages of 100 unless asked otherwise, with links to the others', async () => {
    put(250);
    const [first, second, third] = [await list(), await list('?pageNum=2'), await list('?pageNum=3')];
    expect([first, second, third].map((page) => [ids(page).length, relations(page)])).toEqual([
      [100, ['self', 'next']],
      [100, ['self', 'previous', 'next']],
      [50, ['self', 'previous']],
    ]);
    expect(new Set([first, second, third].flatMap(ids)).size).toBe(250);
    expect(first.json.links[1].href).toMatch(/\?pageNum=2&itemsPerPage=100$/);
    expect(ids(await list('?itemsPerPage=500')).length).toBe(250);
    expect(ids(await list('?itemsPerPage=500&pageNum=2'))).toEqual([]);
  });

  test('can be one of an old server: short pages, no links, a count that is wrong', async () => {
    put(25);
    atlas.configure({ longestPage: 10, pageLinks: false, totalCountError: -7 });
    const page = await list('?itemsPerPage=500');
    expect([ids(page).length, relations(page), page.json.totalCount]).toEqual([10, [], 18]);
    expect((await list('?includeCount=false')).json).not.toHaveProperty('totalCount');
  });

  test('can be one of a batch', async () => {
    put(6, (index) => (index % 2 === 0 ? { batchId: BATCH } : {}));
    const { json } = await list(`?batchId=${BATCH}&itemsPerPage=2`);
    expect(json.results).toHaveLength(2);
    expect(json).toMatchObject({ totalCount: 3, links: [{}, { href: expect.stringContaining(BATCH), rel: 'next' }] });
  });

  test('has its status beside its results on envelope=true', async () => {
    put(1);
    const { json } = await list('?envelope=true');
    expect(json).toMatchObject({ status: 200, results: [{}] });
    expect(json).not.toHaveProperty('content');
  });
});

describe('what Atlas refuses', () => {
  test.each([
    'pageNum=0',
    'pageNum=x',
    'itemsPerPage=0',
    'itemsPerPage=501',
    'includeCount=1',
    'batchId=x',
    'pretty=1',
  ])('%s', async (query) => {
    const [field] = query.split('=');
    expect(await list(`?${query}`)).toMatchObject({
      status: 400,
      json: { errorCode: 'VALIDATION_ERROR', badRequestDetail: { fields: [{ field }] } },
    });
  });

  test('credentials, cluster and method as for a single job', async () => {
    expect(await list('', CLUSTER, { ...KEY, privateKey: 'wrong' })).toMatchObject({ status: 401 });
    expect(await list('', { ...CLUSTER, clusterName: 'Nowhere' })).toMatchObject({
      status: 404,
      json: { errorCode: 'CLUSTER_NOT_FOUND' },
    });
    expect(await list('', { ...CLUSTER, groupId: 'X' })).toMatchObject({ json: { errorCode: 'INVALID_GROUP_ID' } });
    atlas.configure({ rateLimit: { capacity: 1, refill: 1, periodSeconds: 60 } });
    expect((await list()).headers['ratelimit-remaining']).toBe('0');
    expect(await list()).toMatchObject({ status: 429 });
  });

  test('items that lie: others than the single GET gives, of one cluster', async () => {
    put(3);
    const elsewhere = { ...CLUSTER, clusterName: 'Cluster1', jobId: idOf(9) };
    atlas.putJob(elsewhere, { kind: 'fixed', body: youngJob(elsewhere) });
    const match = { kind: 'list', clusterName: CLUSTER.clusterName } as const;
    const lie = otherItems(([first, ...others]) => [
      { ...first, statusName: 'FINISHED' },
      ...others.slice(1),
      {},
      null,
    ]);
    atlas.faults.add({ match, when: 'after-auth', fault: lie });
    expect((await list()).json).toMatchObject({ results: [{ statusName: 'FINISHED' }, {}, {}, null], totalCount: 3 });
    expect((await list('', elsewhere)).json).toMatchObject({ results: [{ statusName: 'IN_PROGRESS' }] });
  });

  test('faults strike lists, and lists are counted apart', async () => {
    const fault = atlas.faults.add({ match: { kind: 'list', groupId: CLUSTER.groupId }, fault: rateLimited('5') });
    expect(await list().catch((error: unknown) => error)).toBeInstanceOf(Error);
    expect(fault.hits()).toBe(1);
    expect(atlas.requests.counts().byKind).toMatchObject({ list: 1, job: 0 });
  });
});
