/** Writes what was measured into bench/: tables between the markers of README.md, and the plot beside it. */
import { readFile, writeFile } from 'node:fs/promises';
import { cpus, release } from 'node:os';
import { type Figure, type Results, summarize } from './measurement.ts';
import { type Chart, toSvg } from './plot.ts';
import { firstSyncRow } from './workloads.ts';

const PAGE = new URL('README.md', import.meta.url);
const PLOT = new URL('performance.svg', import.meta.url);
const MARKERS = ['<!-- measured: begin -->', '<!-- measured: end -->'] as const;

/** Replaces what is between the markers of the page. Throws when they are not there. */
export async function writePage(measured: string): Promise<void> {
  const page = await readFile(PAGE, 'utf8');
  const [before, after] = [page.indexOf(MARKERS[0]), page.indexOf(MARKERS[1])];
  if (before < 0 || after < before) throw new Error(`bench/README.md lacks ${MARKERS.join(' or ')}`);
  await writeFile(PAGE, `${page.slice(0, before + MARKERS[0].length)}\n\n${measured}\n${page.slice(after)}`);
}

/** Draws the growth of first syncs with the number of resources. */
export async function writePlot(results: Results, numbers: readonly number[]): Promise<void> {
  const charts = [
    growthChart('CPU, seconds', 'cpuSeconds', results, numbers),
    growthChart('peak memory, MiB', 'peakMiB', results, numbers),
    growthChart('wall time, seconds', 'wallSeconds', results, numbers),
  ];
  await writeFile(PLOT, toSvg(charts, 'resources in the first sync'));
}

/** Where and how it was measured, one sentence. */
export function circumstances(command: string, startedAt: Date): string {
  const [cpu] = cpus();
  return (
    `Measured on ${startedAt.toISOString().slice(0, 10)} by \`${command}\` on ${cpus().length} × ${cpu?.model ?? 'CPU'}, ` +
    `Linux ${release()}, Node.js ${process.versions.node}. Each cell is the median of all runs, with the least and the ` +
    'most of them in parentheses where they differ; ratios are between medians.'
  );
}

function growthChart(title: string, figure: Figure, results: Results, numbers: readonly number[]): Chart {
  const names = [...new Set(numbers.flatMap((size) => [...(results.get(firstSyncRow(size))?.keys() ?? [])]))];
  return {
    title,
    series: names.map((name) => ({
      name,
      points: numbers.flatMap((x) => {
        const y = summarize(results.get(firstSyncRow(x))?.get(name) ?? [], figure)?.median;
        return y === undefined ? [] : [{ x, y }];
      }),
    })),
  };
}
