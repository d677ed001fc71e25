/** The pages of a list: when the last one is reached, and all of them as one. */
import { AtlasError } from './errors.ts';
import type { ListedJob, ListPage } from './list-response.ts';

/** As many as Atlas gives; older servers give fewer. */
export const ITEMS_PER_PAGE = 500;

/** More jobs than any cluster has: pages that do not end must not fill the memory. */
export const MOST_PAGES = 200;

/** The restore jobs of a cluster. */
export interface RestoreJobList {
  /** In the order of Atlas, which documents none. */
  readonly jobs: readonly ListedJob[];
  /** Entries that are no restore job or have no id. */
  readonly unreadable: number;
}

/**
 * Page after page, from 1 on, up to the last: one that is empty or has no link to a next one; where no page has links, one
 * that is shorter than the longest. How many there are is never known before: totalCount is an estimate.
 */
export async function* readPages<Page extends ListPage>(
  fetchPage: (pageNum: number) => Promise<Page>,
): AsyncGenerator<Page, void, void> {
  const known = new Set<string>();
  let [longest, linked] = [0, false];
  for (let pageNum = 1; pageNum <= MOST_PAGES; pageNum += 1) {
    const page = await fetchPage(pageNum);
    const knownBefore = known.size;
    for (const { id } of page.jobs) known.add(id);
    linked ||= page.links !== 'none';
    // What cannot be read cannot be recognized either.
    const repeats = page.jobs.length > 0 && known.size === knownBefore;
    // A server that knows no pages gives the same one for every number.
    if (repeats && !linked) return;
    const isLast = page.entryCount === 0 || (linked ? page.links !== 'next' : page.entryCount < longest);
    if (repeats && !isLast) throw endless('repeats a page that it gave before');
    yield page;
    if (isLast) return;
    longest = Math.max(longest, page.entryCount);
  }
  throw endless(`has more than ${MOST_PAGES} pages`);
}

/** All pages as one list. */
export async function readAllPages(fetchPage: (pageNum: number) => Promise<ListPage>): Promise<RestoreJobList> {
  const jobs = new Map<string, ListedJob>();
  let unreadable = 0;
  for await (const page of readPages(fetchPage)) {
    // A new job shifts the others to the next page, where they come again: the newer response counts.
    for (const job of page.jobs) jobs.set(job.id, job);
    unreadable += page.entryCount - page.jobs.length;
  }
  return { jobs: [...jobs.values()], unreadable };
}

const endless = (what: string): AtlasError =>
  new AtlasError('ATLAS_LIST_ENDLESS', `The list of restore jobs ${what}`, { httpStatus: 200 });
