/** The results as tables in Markdown, for the terminal and for bench/README.md. */
import { markdownTable } from '../scripts/markdown-table.ts';
import { type Figure, type Measurement, type Results, type Summary, summarize } from './measurement.ts';
import { SUBJECT_NAMES } from './subjects.ts';

interface Column {
  readonly title: string;
  readonly figure: Figure;
  readonly digits: number;
  /** Whose figure the ratio in the next column is to. */
  readonly relativeTo?: readonly string[];
}

const COLUMNS: readonly Column[] = [
  { title: 'CPU s', figure: 'cpuSeconds', digits: 2, relativeTo: ['controller-runtime', 'floor', 'curl'] },
  { title: 'peak MiB', figure: 'peakMiB', digits: 0, relativeTo: ['controller-runtime', 'floor'] },
  { title: 'of it anonymous', figure: 'peakAnonymousMiB', digits: 0, relativeTo: ['controller-runtime'] },
  { title: 'wall s', figure: 'wallSeconds', digits: 2, relativeTo: ['controller-runtime', 'floor'] },
  { title: 'MiB/s', figure: 'mebibytesPerSecond', digits: 0, relativeTo: ['curl'] },
  { title: 'Atlas requests', figure: 'atlasRequests', digits: 0 },
  { title: 'status writes', figure: 'statusWrites', digits: 0 },
  { title: 'events', figure: 'eventWrites', digits: 0 },
  { title: "servers' CPU s", figure: 'serverCpuSeconds', digits: 1 },
];

/** One table for each workload: a row for each subject, each cell the median and, in parentheses, least and most. */
export function toMarkdown(results: Results): string {
  return [...results].map(([row, bySubject]) => `### ${capitalized(row)}\n\n${table(bySubject)}\n`).join('\n');
}

type BySubject = ReadonlyMap<string, readonly Measurement[]>;

function table(bySubject: BySubject): string {
  const columns = COLUMNS.filter(({ figure }) =>
    [...bySubject.values()].some((measurements) => summarize(measurements, figure) !== undefined),
  );
  const titles = columns.flatMap(({ title, relativeTo = [] }) => [
    title,
    ...present(relativeTo, bySubject).map((peer) => `× ${peer}`),
  ]);
  const lines = [...bySubject]
    .toSorted(inOrder)
    .map(([name, measurements]) => [
      `${name} (${measurements.length})`,
      ...columns.flatMap((column) => cells(column, measurements, bySubject)),
    ]);
  return markdownTable(['subject (runs)', ...titles], lines, { numeric: true });
}

function cells({ figure, digits, relativeTo = [] }: Column, own: readonly Measurement[], all: BySubject): string[] {
  const summary = summarize(own, figure);
  const ratios = present(relativeTo, all).map((peer) => ratio(summary, summarize(all.get(peer) ?? [], figure)));
  return [summary === undefined ? '–' : shown(summary, digits), ...ratios];
}

const present = (names: readonly string[], bySubject: BySubject): readonly string[] =>
  names.filter((name) => bySubject.has(name));

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

/** The last ones are those of a workload of its own. */
const rank = (name: string): number => {
  const index = SUBJECT_NAMES.findIndex((known) => name.startsWith(known));
  return index < 0 ? SUBJECT_NAMES.length : index;
};
const inOrder = ([left]: readonly [string, unknown], [right]: readonly [string, unknown]): number =>
  rank(left) - rank(right);
