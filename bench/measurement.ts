/** What is measured of one run of one subject, and how its runs are summed up. */

/** Every figure of a run; one that a workload does not measure is left out. */
export interface Measurement {
  /** Seconds of user and system time of the subject's process tree, until it was calm again. */
  readonly cpuSeconds?: number;
  /** Most resident memory of the subject. */
  readonly peakMiB?: number;
  /** Most anonymous memory of the subject: what a container's limit cannot reclaim. */
  readonly peakAnonymousMiB?: number;
  readonly wallSeconds?: number;
  /** Of a download. */
  readonly mebibytesPerSecond?: number;
  readonly atlasRequests?: number;
  readonly statusWrites?: number;
  readonly eventWrites?: number;
  /** CPU of the API server, etcd and the simulator together meanwhile: what the work costs others. */
  readonly serverCpuSeconds?: number;
  /** Of `serverCpuSeconds` the simulator's part: it must not be what everybody waits for. */
  readonly simulatorCpuSeconds?: number;
}
export type Figure = keyof Measurement;

/** Least, middle and most of several runs. */
export interface Summary {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** All measurements by row of the table (such as `first sync of 10,000`), then by subject. */
export type Results = Map<string, Map<string, Measurement[]>>;

export function addMeasurement(results: Results, row: string, subject: string, measurement: Measurement): void {
  const bySubject = results.get(row) ?? new Map<string, Measurement[]>();
  results.set(row, bySubject);
  bySubject.set(subject, [...(bySubject.get(subject) ?? []), measurement]);
}

/** Undefined where no run measured it. */
export function summarize(measurements: readonly Measurement[], figure: Figure): Summary | undefined {
  const values = measurements.flatMap((measurement) => measurement[figure] ?? []).sort((left, right) => left - right);
  const [min, max] = [values[0], values.at(-1)];
  const [low, high] = [values[Math.floor((values.length - 1) / 2)], values[Math.ceil((values.length - 1) / 2)]];
  if (min === undefined || max === undefined || low === undefined || high === undefined) return undefined;
  return { min, median: (low + high) / 2, max };
}
