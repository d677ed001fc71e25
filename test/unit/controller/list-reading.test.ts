import { describe, expect, test } from '@jest/globals';
import type { LegacyRestoreJob } from '../../../src/api/legacy-restore-job.ts';
import type { FetchedPage } from '../../../src/atlas/client.ts';
import type { ListedJob } from '../../../src/atlas/list-response.ts';
import { readList } from '../../../src/controller/list-reading.ts';
import { resource, SPEC } from '../support/resources.ts';

const INTERVAL = 60_000;

const job = (jobId: string): LegacyRestoreJob => resource({ name: jobId, spec: { ...SPEC, jobId } });
const jobs = (ids: string): readonly LegacyRestoreJob[] => ids.split('').map(job);
const item = (id: string): ListedJob => ({ id, job: { id }, authValue: undefined, dropped: [], hashCount: 0 });

/** A page that names these jobs; another one follows unless it is the last. */
const page = (ids: string, links: FetchedPage['links'] = 'next'): FetchedPage => ({
  jobs: ids.split('').map(item),
  entryCount: ids.length,
  links,
  begunAt: 0,
});

interface Given {
  readonly members: readonly LegacyRestoreJob[];
  readonly pages: readonly FetchedPage[];
  readonly intervalOf?: (job: LegacyRestoreJob) => number;
}

async function read({ members, pages, intervalOf = () => INTERVAL }: Given) {
  const told: [string, number][] = [];
  let asked = 0;
  const result = await readList({
    members: () => Promise.resolve(members),
    fetchPage: (pageNum) => {
      asked += 1;
      return Promise.resolve(pages[pageNum - 1] ?? page('', 'last'));
    },
    intervalOf,
    onItems: ({ name }, items) => told.push([name, items.length]),
  });
  return { result: result && { ...result, unseen: result.unseen.map(({ name }) => name).join('') }, told, asked };
}

describe('a list', () => {
  test('is not made for two jobs', async () => {
    expect(await read({ members: jobs('ab'), pages: [] })).toEqual({ result: undefined, told: [], asked: 0 });
  });

  test('is read until all that is wanted was seen, whatever follows', async () => {
    const { result, told, asked } = await read({ members: jobs('abc'), pages: [page('9a8bc'), page('z')] });
    expect(told).toEqual([
      ['a', 1],
      ['b', 1],
      ['c', 1],
    ]);
    expect([asked, result]).toEqual([1, { pages: 1, answered: 3, unseen: '', paid: true }]);
  });

  test('tells of a job once, with all that a page says of it, and of each resource that names it', async () => {
    const twin = { ...job('a'), key: 'payments/twin', name: 'twin' };
    const { told } = await read({ members: [...jobs('abcd'), twin], pages: [page('abab'), page('bcd', 'last')] });
    expect(told).toEqual([
      ['a', 2],
      ['b', 2],
      ['twin', 2],
      ['c', 1],
      ['d', 1],
    ]);
  });

  test('that lacks a job says so at its end', async () => {
    const { result, asked } = await read({ members: jobs('abcd'), pages: [page('ab'), page('d', 'last')] });
    expect([asked, result]).toEqual([2, { pages: 2, answered: 3, unseen: 'c', paid: true }]);
  });

  test('of thousands, of which three are wanted, is given up where they are not in front', async () => {
    const pages = Array.from('0123456789', (id) => page(id));
    const { result, asked } = await read({ members: jobs('abc'), pages });
    expect([asked, result]).toEqual([2, { pages: 2, answered: 0, unseen: 'abc', paid: false }]);
  });

  test('is not read on and on for the last one', async () => {
    const pages = [page('abcdefgh'), ...Array.from('ABCDEFGHIJ', (id) => page(id))];
    const { result, asked } = await read({ members: jobs('abcdefghi'), pages });
    expect([asked, result]).toEqual([2, { pages: 2, answered: 8, unseen: 'i', paid: true }]);
  });

  test('that only one job is polled often for must fit on one page', async () => {
    const intervalOf = ({ name }: LegacyRestoreJob): number => (name === 'a' ? INTERVAL : 100 * INTERVAL);
    const { result, asked } = await read({ members: jobs('abc'), pages: [page('b'), page('ac')], intervalOf });
    expect([asked, result]).toEqual([1, { pages: 1, answered: 1, unseen: 'ac', paid: false }]);
  });

  test('that nobody wants any more is no loss', async () => {
    let looks = 0;
    const result = await readList({
      members: () => Promise.resolve(++looks === 1 ? jobs('abcd') : []),
      fetchPage: () => Promise.resolve(page('abcd')),
      intervalOf: () => INTERVAL,
      onItems: () => undefined,
    });
    expect(result).toEqual({ pages: 1, answered: 0, unseen: [], paid: true });
  });

  test('wants nothing that comes or goes meanwhile', async () => {
    const told: string[] = [];
    let looks = 0;
    const result = await readList({
      members: () => {
        looks += 1;
        return Promise.resolve(jobs(looks === 1 ? 'abcd' : 'abc9'));
      },
      fetchPage: () => Promise.resolve(page('abd9', 'last')),
      intervalOf: () => INTERVAL,
      onItems: ({ name }) => void told.push(name),
    });
    expect([told, result?.unseen.map(({ name }) => name)]).toEqual([['a', 'b'], ['c']]);
  });
});
