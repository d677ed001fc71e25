/**
 * `npm run takeover`: how long no replica works after the leader has ended in one way or another, and how long a change takes
 * whose connections died silently. Prints Markdown tables; `-- --runs 10` measures more often than three times.
 * Exit code 0: measured. 1: could not be. 2: usage.
 */
import * as z from 'zod';
import { markdownTable } from '../../scripts/markdown-table.ts';
import { readFlags, runCommand } from '../support/command.ts';
import { unlessAborted } from '../support/control-plane/abort.ts';
import { startTestBed } from '../support/test-bed.ts';
import { measureSilentDeath } from './silent-death.ts';
import { measureTakeover } from './takeover.ts';

const ENDS = [
  { signal: 'SIGTERM', name: 'SIGTERM: told to stop' },
  { signal: 'SIGKILL', name: 'SIGKILL: killed' },
  { signal: 'SIGSTOP', name: 'SIGSTOP: frozen' },
] as const;
const SILENT = [
  { leaderElect: true, name: 'with leader election, as the chart installs it' },
  { leaderElect: false, name: 'without, and with nothing else to do' },
] as const;

const { runs } = readFlags(
  'npm run takeover [-- --runs <n>]',
  { runs: { type: 'string', default: '3' } },
  z.object({ runs: z.coerce.number().int().min(1).max(1_000) }),
);
await runCommand('The measurement', async (signal) => {
  // Nothing is to be saved: control plane and operators end with this process.
  await unlessAborted(measure(), signal);
  return 0;
});

async function measure(): Promise<void> {
  const bed = await startTestBed();
  try {
    const takeovers = [];
    for (const { name, signal } of ENDS) {
      takeovers.push({ name, measured: await repeat(() => measureTakeover(bed, signal)) });
    }
    console.log(toTable('the leader ends by', ['another replica leads', 'a change at Atlas is mirrored'], takeovers));
    const silences = [];
    for (const { name, leaderElect } of SILENT) {
      silences.push({ name, measured: await repeat(() => measureSilentDeath(bed, leaderElect)) });
    }
    console.log(toTable('established connections die silently', ['a new resource is mirrored'], silences));
  } finally {
    await bed.stop();
  }
}

async function repeat<T>(measureOnce: () => Promise<T>): Promise<readonly T[]> {
  const results: T[] = [];
  while (results.length < runs) results.push(await measureOnce());
  return results;
}

interface Row {
  readonly name: string;
  /** Milliseconds of each run, one for each column. */
  readonly measured: readonly (readonly number[])[];
}

/** A row for each thing that was measured; `until` names what each figure of a run waited for. */
function toTable(title: string, until: readonly string[], rows: readonly Row[]): string {
  return markdownTable(
    [title, 'runs', ...until.map((event) => `seconds until ${event}: min / median / max`)],
    rows.map(({ name, measured }) => [
      name,
      String(measured.length),
      ...until.map((_, column) => summary(measured.map((run) => run[column] ?? Number.NaN))),
    ]),
  );
}

function summary(milliseconds: readonly number[]): string {
  const sorted = milliseconds.toSorted((left, right) => left - right);
  const middle = sorted[Math.floor((sorted.length - 1) / 2)];
  return [sorted[0], middle, sorted.at(-1)].map((ms) => ((ms ?? Number.NaN) / 1_000).toFixed(1)).join(' / ');
}
