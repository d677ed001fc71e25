/** prom-client's instruments, made from the entries of a table that documentation and tests read too. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

interface Label<L extends string = string> {
  readonly name: L;
  /** Every value that it can have; absent where those are not the operator's own, such as versions. */
  readonly values?: readonly string[];
}

export interface MetricEntry<L extends string = string> {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly Label<L>[];
  /** What it tells: one sentence or more. */
  readonly help: string;
  /** Values of labels that never come together. */
  readonly impossible?: readonly (readonly string[])[];
  /** Upper bounds of a histogram's buckets; those of latencies when absent. */
  readonly buckets?: readonly number[];
}

/** Entries by the name under which code uses them. */
export type MetricTable = Readonly<Record<string, MetricEntry>>;

/** The instrument of an entry; the names of its labels are checked where it is used. */
type Instrument<E extends MetricEntry> =
  E extends MetricEntry<infer L>
    ? { readonly counter: Counter<L>; readonly gauge: Gauge<L>; readonly histogram: Histogram<L> }[E['type']]
    : never;

/** The instruments of a table, under its keys. */
export type Instruments<T extends MetricTable> = { readonly [K in keyof T]: Instrument<T[K]> };

/** Registers an instrument for each entry of a table. Counters whose labels are known begin at 0. */
export function createInstruments<T extends MetricTable>(table: T, registry: Registry): Instruments<T>;
// Object.fromEntries forgets which key has which value: the signature above says it.
export function createInstruments(table: MetricTable, registry: Registry): Readonly<Record<string, object>> {
  return Object.fromEntries(Object.entries(table).map(([key, entry]) => [key, createInstrument(entry, registry)]));
}

function createInstrument(entry: MetricEntry, registry: Registry): Counter | Gauge | Histogram {
  const { name, help, labels, buckets = LATENCY_BUCKETS } = entry;
  const configuration = { name, help, labelNames: labels.map((label) => label.name), registers: [registry] };
  switch (entry.type) {
    case 'gauge':
      return new Gauge(configuration);
    case 'histogram':
      return new Histogram({ ...configuration, buckets: [...buckets] });
    case 'counter': {
      const counter = new Counter(configuration);
      // A series that begins with 1 has no increase: the first failure of a kind would be in no rate.
      for (const values of combinations(entry)) counter.labels(...values).inc(0);
      return counter;
    }
  }
}

/** Seconds, from a local answer to the longest time-out. */
const LATENCY_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Every series that the labels can make, as values in the order of the labels; none where some are not known. */
function combinations({ labels, impossible = [] }: MetricEntry): string[][] {
  if (labels.length === 0) return [];
  const all = labels.reduce<string[][]>(
    (sets, { values = [] }) => sets.flatMap((set) => values.map((value) => [...set, value])),
    [[]],
  );
  return all.filter((set) => !impossible.some((pair) => pair.every((value) => set.includes(value))));
}
