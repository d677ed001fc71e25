/** The result of a soak as Markdown tables. */
import { markdownTable } from '../../scripts/markdown-table.ts';
import { FAULTS } from './faults.ts';
import type { Memory } from './replicas.ts';
import type { SoakResult } from './soak.ts';

/** A table of what happened, by kind, for each side, and one of the result. */
export function toTable(result: SoakResult): string {
  return [
    counts('faults', [...result.faults].sort(inOrderOfTable)),
    counts('user actions', [...result.userActions]),
    counts('ends of the two replicas, each followed by a start', [...result.ends]),
    counts('statuses that came to have a reason', [...result.reasons].sort(byName)),
    table('result', summary(result)),
  ].join('\n\n');
}

type Row = readonly [name: string, value: number | string];

function summary(result: SoakResult): readonly Row[] {
  const { resources, lost, longestToConvergeMs } = result;
  return [
    ['changes at Atlas', result.changesAtAtlas],
    ['changes mirrored', result.changesMirrored],
    ['resources equal to Atlas', `${resources - lost.length} of ${resources}`],
    ['lost', lost.length],
    ['status writes', result.statusWrites],
    ['duplicate writes', result.duplicateWrites],
    ['writes that were refused', result.refusedWrites],
    ['requests that a gateway answered', result.gatewayPages],
    ['requests to Atlas for a job', result.requests.job],
    ['requests to Atlas for a list', result.requests.list],
    ['longest time to converge', `${(longestToConvergeMs / 1_000).toFixed(1)} s`],
    ['memory of the leader at the start', megabytes(result.memoryAtStart)],
    ['memory of the leader at the end', megabytes(result.memoryAtEnd)],
    ['unexplained ends and errors', result.problems.length],
  ];
}

function counts(title: string, entries: readonly (readonly [name: string, count: number])[]): string {
  return table(title, [...entries, ['total', entries.reduce((sum, [, count]) => sum + count, 0)]]);
}

const table = (title: string, rows: readonly Row[]): string =>
  markdownTable(
    [title, ''],
    rows.map(([name, value]) => [name, format(value)]),
    { numeric: true },
  );

const format = (value: number | string): string => (typeof value === 'number' ? value.toLocaleString('en-US') : value);

const byName = ([left]: Row, [right]: Row): number => left.localeCompare(right);

const positions = new Map(FAULTS.map(({ name }, index) => [name, index]));
const inOrderOfTable = ([left]: Row, [right]: Row): number => (positions.get(left) ?? 0) - (positions.get(right) ?? 0);

function megabytes(memory: Memory | undefined): string {
  if (memory === undefined) return 'not known';
  const [now, most] = [memory.now, memory.most].map((bytes) => Math.round(bytes / 2 ** 20));
  return `${now} MiB, most ${most} MiB`;
}
