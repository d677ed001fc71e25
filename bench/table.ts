/** The results as tables in Markdown, for the terminal and for docs/performance.md. */
import { CONTESTANT_NAMES } from './contestants.ts';
import { type Figure, type Measurement, type Results, type Summary, summarize } from './measurement.ts';

interface Column {
  readonly title: string;
  readonly figure: Figure;
  readonly digits: number;
  /** Whose figure the ratio in the next column is to. */
  readonly relativeTo?: readonly string[];
}

const COLUMNS: readonly Column[] = [
  { title: 'CPU s', figure: 'cpuSeconds', digits: 2, relativeTo: ['controller-runtime', 'floor'] },
  { title: 'peak MiB', figure: 'peakMiB', digits: 0, relativeTo: ['controller-runtime', 'floor'] },
  { title: 'wall s', figure: 'wallSeconds', digits: 2, relativeTo: ['controller-runtime', 'floor'] },
  { title: 'Atlas requests', figure: 'atlasRequests', digits: 0 },
  { title: 'status writes', figure: 'statusWrites', digits: 0 },
  { title: 'events', figure: 'eventWrites', digits: 0 },
  { title: "servers' CPU s", figure: 'serverCpuSeconds', digits: 1 },
];

/** One table for each workload: a row for each contestant, each cell the median and, in parentheses, least and most. */
export function toMarkdown(results: Results): string {
  return [...results].map(([row, byContestant]) => `### ${capitalized(row)}\n\n${table(byContestant)}\n`).join('\n');
}

type ByContestant = ReadonlyMap<string, readonly Measurement[]>;

function table(byContestant: ByContestant): string {
  const columns = COLUMNS.filter(({ figure }) =>
    [...byContestant.values()].some((measurements) => summarize(measurements, figure) !== undefined),
  );
  const titles = columns.flatMap(({ title, relativeTo = [] }) => [
    title,
    ...present(relativeTo, byContestant).map((peer) => `× ${peer}`),
  ]);
  const lines = [...byContestant]
    .toSorted(inOrder)
    .map(([name, measurements]) => [
      `${name} (${measurements.length})`,
      ...columns.flatMap((column) => cells(column, measurements, byContestant)),
    ]);
  return [['contestant (runs)', ...titles], ['---', ...titles.map(() => '---:')], ...lines]
    .map((line) => `| ${line.join(' | ')} |`)
    .join('\n');
}

function cells({ figure, digits, relativeTo = [] }: Column, own: readonly Measurement[], all: ByContestant): string[] {
  const summary = summarize(own, figure);
  const ratios = present(relativeTo, all).map((peer) => ratio(summary, summarize(all.get(peer) ?? [], figure)));
  return [summary === undefined ? '–' : shown(summary, digits), ...ratios];
}

const present = (names: readonly string[], byContestant: ByContestant): readonly string[] =>
  names.filter((name) => byContestant.has(name));

function shown({ min, median, max }: Summary, digits: number): string {
  const [low, middle, high] = [min, median, max].map((value) => format(value, digits));
  return low === high ? `${middle}` : `${middle} (${low}–${high})`;
}

function ratio(own: Summary | undefined, peer: Summary | undefined): string {
  if (own === undefined || peer === undefined || peer.median === 0) return '–';
  return (own.median / peer.median).toFixed(2);
}

const format = (value: number, digits: number): string =>
  value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });

const capitalized = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const rank = (name: string): number => CONTESTANT_NAMES.findIndex((known) => name.startsWith(known));
const inOrder = ([left]: readonly [string, unknown], [right]: readonly [string, unknown]): number =>
  rank(left) - rank(right);
