/** What the operator may take, as ratios within one run, and whether it kept to that. */
import { markdownTable } from '../scripts/markdown-table.ts';
import { ITEMS_PER_PAGE } from '../src/atlas/list.ts';
import { downloadRow } from './download.ts';
import { type Figure, type Results, summarize } from './measurement.ts';
import {
  burstRow,
  firstSyncRow,
  idleRow,
  type LifeOptions,
  type ListsOptions,
  listsRow,
  WATCH_ROW,
} from './workloads.ts';

/** How much was measured, as far as a budget tells it. */
export interface Sizes {
  readonly firstSync: number;
  /** A first sync in which each resource gets an event. */
  readonly running: number;
  readonly life: LifeOptions;
  readonly lists: readonly ListsOptions[];
  /** Bytes of files: the smallest first, the largest last. */
  readonly download: readonly [number, ...number[], number];
}

/** A table with a row for each budget of which this run measured something, or an empty text. */
export function budgetTable(results: Results, sizes: Sizes): string {
  const rows = budgets(results, sizes).flatMap(({ what, limit, figure, digits, unit }) => {
    if (figure === undefined) return [];
    const bound = 'atMost' in limit ? `≤ ${limit.atMost}` : `≥ ${limit.atLeast}`;
    const isMet = 'atMost' in limit ? figure <= limit.atMost : figure >= limit.atLeast;
    return [[what, `${bound} ${unit}`.trim(), figure.toFixed(digits), isMet ? 'yes' : 'no']];
  });
  return rows.length === 0 ? '' : markdownTable(['budget', 'limit', 'measured', 'met'], rows);
}

interface Budget {
  readonly what: string;
  readonly limit: { readonly atMost: number } | { readonly atLeast: number };
  readonly unit: string;
  readonly digits: number;
  /** Undefined where this run did not measure it. */
  readonly figure: number | undefined;
}

function budgets(results: Results, { firstSync, running, life, lists, download }: Sizes): readonly Budget[] {
  const median = (row: string, figure: Figure, subject = 'operator'): number | undefined =>
    summarize(results.get(row)?.get(subject) ?? [], figure)?.median;
  const ratio = (what: string, row: string, figure: Figure, peer: string, limit: Budget['limit']): Budget => ({
    what: `${what}, ${row}`,
    limit,
    unit: `× ${peer}`,
    digits: 2,
    figure: quotient(median(row, figure), median(row, figure, peer)),
  });
  const share = (what: string, row: string, figure: Figure, by: number, atMost: number, unit: string): Budget => ({
    what: `${what}, ${row}`,
    limit: { atMost },
    unit,
    digits: 3,
    figure: quotient(median(row, figure), by),
  });
  const [few, many, events] = [firstSyncRow(firstSync), firstSyncRow(life.resources), firstSyncRow(running, 'running')];
  const [small, large] = [downloadRow(download[0]), downloadRow(download.at(-1) ?? 0)];
  return [
    ratio('CPU', few, 'cpuSeconds', 'controller-runtime', { atMost: 1 }),
    ratio('CPU', many, 'cpuSeconds', 'controller-runtime', { atMost: 0.8 }),
    ratio('peak memory', many, 'peakMiB', 'controller-runtime', { atMost: 1 }),
    ratio('wall time', many, 'wallSeconds', 'floor', { atMost: 1.1 }),
    ratio('wall time', events, 'wallSeconds', 'floor', { atMost: 1.1 }),
    // Beside the request of each change there is one for each new nonce: one for each request that can be on its way.
    share('Atlas requests', burstRow(life), 'atlasRequests', life.burst, 1.02, 'for each change'),
    share('status writes', burstRow(life), 'statusWrites', life.burst, 1, 'for each change'),
    share('Atlas requests', idleRow(life), 'atlasRequests', 1, 0, ''),
    share('CPU seconds', idleRow(life), 'cpuSeconds', life.idleSeconds, 0.01, 'a second'),
    ...lists.map((options) => {
      const { resources, changes, intervals } = options;
      // One more interval begins within the time than fits into it.
      const atMost = Math.ceil(resources / ITEMS_PER_PAGE) * (intervals + 1) + changes * intervals;
      return share('Atlas requests', listsRow(options), 'atlasRequests', 1, atMost, '');
    }),
    share('seconds', WATCH_ROW, 'wallSeconds', 1, 0.15, ''),
    ratio('throughput', large, 'mebibytesPerSecond', 'curl', { atLeast: 0.9 }),
    {
      what: `peak memory beyond that of the ${small}, ${large}`,
      limit: { atMost: 40 },
      unit: 'MiB',
      digits: 0,
      figure: difference(median(large, 'peakMiB'), median(small, 'peakMiB')),
    },
  ];
}

const quotient = (value: number | undefined, by: number | undefined): number | undefined =>
  value === undefined || by === undefined || by === 0 ? undefined : value / by;
const difference = (value: number | undefined, less: number | undefined): number | undefined =>
  value === undefined || less === undefined ? undefined : value - less;
