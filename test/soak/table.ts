/** The result of a soak as a table for people. */
import { FAULTS } from './faults.ts';
import type { Memory } from './replicas.ts';
import type { SoakResult } from './soak.ts';

/** Lines of a name and a value, in columns. */
export function toTable(result: SoakResult): string {
  return [
    ...section('faults', [...result.faults].sort(inOrderOfTable)),
    ...section('what people did to resources', result.userActions),
    ...section('ends of the two replicas, each followed by a start', result.ends),
    'result',
    ...rows(summary(result)),
  ].join('\n');
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
    ['longest time to converge', `${(longestToConvergeMs / 1_000).toFixed(1)} s`],
    ['memory of the leader at the start', megabytes(result.memoryAtStart)],
    ['memory of the leader at the end', megabytes(result.memoryAtEnd)],
    ['unexplained ends and errors', result.problems.length],
  ];
}

function section(title: string, entries: Iterable<Row>): readonly string[] {
  const list = [...entries];
  const total = list.reduce((sum, [, value]) => sum + Number(value), 0);
  return [title, ...rows([...list, ['together', total]]), ''];
}

const NAME_WIDTH = 56;
const VALUE_WIDTH = 16;

const rows = (list: readonly Row[]): readonly string[] =>
  list.map(([name, value]) => `  ${name.padEnd(NAME_WIDTH)}${format(value).padStart(VALUE_WIDTH)}`);

const format = (value: number | string): string => (typeof value === 'number' ? value.toLocaleString('en-US') : value);

const positions = new Map(FAULTS.map(({ name }, index) => [name, index]));
const inOrderOfTable = ([left]: Row, [right]: Row): number => (positions.get(left) ?? 0) - (positions.get(right) ?? 0);

function megabytes(memory: Memory | undefined): string {
  if (memory === undefined) return 'not known';
  const [now, most] = [memory.now, memory.most].map((bytes) => Math.round(bytes / 2 ** 20));
  return `${now} MiB, most ${most} MiB`;
}
