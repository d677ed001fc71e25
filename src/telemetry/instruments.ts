/** prom-client's instruments, made from the entries of a table that documentation and tests read too. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export interface Label<L extends string = string> {
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
}

/** Makes instruments on one registry. Counters whose labels are known begin at 0. */
export function createInstruments(registry: Registry) {
  const registers = [registry];
  return {
    gauge: <L extends string>(entry: MetricEntry<L> & { readonly type: 'gauge' }) =>
      new Gauge({ ...described(entry), registers }),
    counter: <L extends string>(entry: MetricEntry<L> & { readonly type: 'counter' }) => {
      const counter = new Counter({ ...described(entry), registers });
      // A series that begins with 1 has no increase: the first failure of a kind would be in no rate.
      for (const values of combinations(entry)) counter.labels(...values).inc(0);
      return counter;
    },
    histogram: <L extends string>(
      entry: MetricEntry<L> & { readonly type: 'histogram' },
      buckets: readonly number[] = LATENCY_BUCKETS,
    ) => new Histogram({ ...described(entry), buckets: [...buckets], registers }),
  };
}

/** Seconds, from a local answer to the longest time-out. */
const LATENCY_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

const described = <L extends string>({ name, help, labels }: MetricEntry<L>) => ({
  name,
  help,
  labelNames: labels.map((label) => label.name),
});

/** Every series that the labels can make, as values in the order of the labels; none where some are not known. */
function combinations({ labels, impossible = [] }: MetricEntry): string[][] {
  if (labels.length === 0) return [];
  const all = labels.reduce<string[][]>(
    (sets, { values = [] }) => sets.flatMap((set) => values.map((value) => [...set, value])),
    [[]],
  );
  return all.filter((set) => !impossible.some((pair) => pair.every((value) => set.includes(value))));
}
