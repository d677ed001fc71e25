/** All pages of a list as one: when the last one is reached, and each job once. */
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
 * Reads page after page, from 1 on. The last page is one that is empty or has no link to a next one; where no page has
 * links, one that is shorter than the longest. How many there are is never known before: totalCount is an estimate.
 */
export async function readAllPages(fetchPage: (pageNum: number) => Promise<ListPage>): Promise<RestoreJobList> {
  const jobs = new Map<string, ListedJob>();
  let [unreadable, longest, linked] = [0, 0, false];
  for (let pageNum = 1; pageNum <= MOST_PAGES; pageNum += 1) {
    const page = await fetchPage(pageNum);
    const known = jobs.size;
    // A new job shifts the others to the next page, where they come again: the newer response counts.
    for (const job of page.jobs) jobs.set(job.id, job);
    linked ||= page.links !== 'none';
    const repeats = page.entryCount > 0 && jobs.size === known;
    if (!repeats) unreadable += page.entryCount - page.jobs.length;
    const isLast = page.entryCount === 0 || (linked ? page.links !== 'next' : page.entryCount < longest || repeats);
    if (isLast) return { jobs: [...jobs.values()], unreadable };
    if (repeats) throw endless('repeats a page that it gave before');
    longest = Math.max(longest, page.entryCount);
  }
  throw endless(`has more than ${MOST_PAGES} pages`);
}

const endless = (what: string): AtlasError =>
  new AtlasError('ATLAS_LIST_ENDLESS', `The list of restore jobs ${what}`, { httpStatus: 200 });
