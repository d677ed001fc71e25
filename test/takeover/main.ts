/**
 * `npm run takeover`: how long nobody works after the leader has ended in one way or another, and how long a change takes
 * whose connections died silently. Prints Markdown tables; `-- --runs 10` measures more often than three times.
 * Exit code 0: measured. 1: could not be. 2: usage.
 */
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { startTestBed } from '../support/test-bed.ts';
import { measureSilentDeath } from './silent-death.ts';
import { toTable } from './table.ts';
import { measureTakeover } from './takeover.ts';

const USAGE = 'usage: npm run takeover [-- --runs <n>]';
const ENDS = [
  { signal: 'SIGTERM', name: 'SIGTERM: told to stop' },
  { signal: 'SIGKILL', name: 'SIGKILL: killed' },
  { signal: 'SIGSTOP', name: 'SIGSTOP: frozen' },
] as const;
const SILENT = [
  { leaderElect: true, name: 'with leader election, as the chart installs it' },
  { leaderElect: false, name: 'without, and with nothing else to do' },
] as const;

const runs = readRuns();
process.exit(runs === undefined ? 2 : await main(runs));

async function main(runs: number): Promise<number> {
  // Whoever presses Ctrl-C need not wait: control plane and operators end with this process.
  process.once('SIGINT', () => process.exit(130));
  try {
    await measure(runs);
    return 0;
  } catch (error) {
    console.error(`The measurement failed: ${Error.isError(error) ? error.message : String(error)}`);
    return 1;
  }
}

async function measure(runs: number): Promise<void> {
  const bed = await startTestBed();
  try {
    const takeovers = [];
    for (const { name, signal } of ENDS) {
      takeovers.push({ name, measured: await repeat(runs, () => measureTakeover(bed, signal)) });
    }
    console.log(toTable('the leader ends by', ['another replica leads', 'a change at Atlas is mirrored'], takeovers));
    const silences = [];
    for (const { name, leaderElect } of SILENT) {
      silences.push({ name, measured: await repeat(runs, () => measureSilentDeath(bed, leaderElect)) });
    }
    console.log(toTable('established connections die silently', ['a new resource is mirrored'], silences));
  } finally {
    await bed.stop();
  }
}

async function repeat<T>(runs: number, measureOnce: () => Promise<T>): Promise<readonly T[]> {
  const results: T[] = [];
  while (results.length < runs) results.push(await measureOnce());
  return results;
}

/** Undefined after a complaint. */
function readRuns(): number | undefined {
  try {
    const { values } = parseArgs({ options: { runs: { type: 'string', default: '3' } } });
    return z.coerce.number().int().min(1).max(1_000).parse(values.runs);
  } catch (error) {
    console.error(error instanceof z.ZodError ? z.prettifyError(error) : String(error));
    console.error(USAGE);
    return undefined;
  }
}
