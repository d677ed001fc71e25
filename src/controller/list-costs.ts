/** When a list of a cluster's restore jobs costs less than it spares, counted in requests to Atlas. Pure. */

/** The fetches that a list spares, made at the smallest of these intervals (milliseconds). */
export function sparedFetches(intervals: readonly number[]): number {
  const smallest = intervals.reduce((least, interval) => Math.min(least, interval), Number.POSITIVE_INFINITY);
  return intervals.reduce((sum, interval) => sum + smallest / interval, 0);
}

export interface ReadSoFar {
  readonly pages: number;
  /** Pages in a row, the newest included, that had none of the wanted jobs. */
  readonly barrenPages: number;
  /** Wanted jobs that no page had. */
  readonly unseen: number;
  /** The fetches that the whole list spares. */
  readonly spared: number;
}

/** Whether the next page of a list can be worth its request: all that is wanted may be far behind, or not there at all. */
export const isWorthAnotherPage = ({ pages, barrenPages, unseen, spared }: ReadSoFar): boolean =>
  unseen > barrenPages && pages + 1 < spared;

/** As many as a list is for: fewer prove nothing. */
const FEWEST_FETCHES = 3;

/** Whether most fetches that a list caused found nothing new. */
export const mostFoundNothing = ({ caused, idle }: { readonly caused: number; readonly idle: number }): boolean =>
  idle >= FEWEST_FETCHES && idle > caused / 2;
