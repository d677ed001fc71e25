/** Reads a list page by page, as far as it tells of wanted jobs and costs less than it spares. */
import type { LegacyRestoreJob } from '../api/legacy-restore-job.ts';
import type { FetchedPage } from '../atlas/client.ts';
import { readPages } from '../atlas/list.ts';
import type { ListedJob } from '../atlas/list-response.ts';
import { isWorthAnotherPage, sparedFetches } from './list-costs.ts';

interface ListReading {
  /** The resources that the list may answer for, as they are now; only those that were there at first are wanted. */
  readonly members: () => Promise<readonly LegacyRestoreJob[]>;
  readonly fetchPage: (pageNum: number) => Promise<FetchedPage>;
  /** Milliseconds between two fetches of a job. */
  readonly intervalOf: (job: LegacyRestoreJob) => number;
  /** Told once of each wanted resource that a page names: its items on that page, one or more, and the page's age. */
  readonly onItems: (job: LegacyRestoreJob, items: readonly ListedJob[], begunAt: number) => void;
}

interface ListRead {
  readonly pages: number;
  /** How many resources it told of. */
  readonly answered: number;
  /** Wanted resources whose jobs no page had. */
  readonly unseen: readonly LegacyRestoreJob[];
  /** Whether it cost fewer requests than it spared; true where nobody wanted its answer any more. */
  readonly paid: boolean;
}

/** A list answers for as many resources or not at all: for fewer it would cost as much as it spares. */
export const FEWEST_JOBS = 3;

/** Undefined where there are too few resources for a list. Rejects as `fetchPage` and `members` do. */
export async function readList({
  members,
  fetchPage,
  intervalOf,
  onItems,
}: ListReading): Promise<ListRead | undefined> {
  const first = await members();
  if (first.length < FEWEST_JOBS) return undefined;
  const wanted = new Set(first.map(({ key }) => key));
  const spared = sparedFetches(first.map(intervalOf));
  const intervals: number[] = [];
  let unseen = first;
  let [pages, barrenPages] = [0, 0];
  for await (const page of readPages(fetchPage)) {
    const present = (await members()).filter(({ key }) => wanted.has(key));
    const items = Map.groupBy(page.jobs, ({ id }) => id);
    for (const job of present) {
      const found = items.get(job.spec.jobId);
      if (found === undefined) continue;
      wanted.delete(job.key);
      intervals.push(intervalOf(job));
      onItems(job, found, page.begunAt);
    }
    pages += 1;
    unseen = present.filter(({ key }) => wanted.has(key));
    barrenPages = unseen.length < present.length ? 0 : barrenPages + 1;
    if (unseen.length === 0 || !isWorthAnotherPage({ pages, barrenPages, unseen: unseen.length, spared })) break;
  }
  const isUnwanted = intervals.length === 0 && unseen.length === 0;
  return { pages, answered: intervals.length, unseen, paid: isUnwanted || pages < sparedFetches(intervals) };
}
