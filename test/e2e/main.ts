/**
 * `npm run e2e`: builds the image, creates a cluster with kind, and tests there, with kubectl and helm alone, what the
 * chart, the manifests and the image promise. Prints a table of the test cases and how long each took.
 *
 *     npm run e2e [-- --keep] [-- --cluster <context>]
 *
 * BUILD_IMAGE, RUNTIME_IMAGE and KIND_NODE_IMAGE replace the images that are pulled, KIND the program.
 * Exit code 0: all test cases passed. 1: one did not. 2: usage.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as z from 'zod';
import { markdownTable } from '../../scripts/markdown-table.ts';
import { messageOf, readFlags, runCommand } from '../support/command.ts';
import { installAtlas } from './atlas.ts';
import { availabilityCases } from './cases/availability.ts';
import { chartCases } from './cases/chart.ts';
import { downloadCases } from './cases/download.ts';
import { imageCases } from './cases/image.ts';
import { mirrorCases } from './cases/mirror.ts';
import { modeCases } from './cases/modes.ts';
import { scaleCases } from './cases/scale.ts';
import { crdCases, upgradeCases } from './cases/upgrades.ts';
import { openCluster } from './cluster.ts';
import { diagnose } from './diagnosis.ts';
import { buildImages } from './images.ts';
import { findPrograms } from './programs.ts';
import type { Environment, TestCase } from './test-case.ts';
import { refuseUsedCluster, removeTraces } from './traces.ts';

/** In this order: one goes on with what another has left. */
const TEST_CASES: readonly TestCase[] = [
  ...imageCases,
  ...chartCases,
  ...mirrorCases,
  ...availabilityCases,
  ...scaleCases,
  ...upgradeCases,
  ...crdCases,
  ...modeCases,
  ...downloadCases,
];

interface Row {
  readonly name: string;
  readonly outcome: 'ok' | 'FAILED';
  readonly seconds: number;
  /** What was seen, or what is wrong. */
  readonly detail: string;
}

const { keep, cluster: context } = readFlags(
  'npm run e2e [-- --keep] [-- --cluster <context>]',
  { keep: { type: 'boolean', default: false }, cluster: { type: 'string' } },
  z.object({
    /** Leaves the cluster, and what is in it, as it is in the end. */
    keep: z.boolean(),
    /** Context of an existing cluster, to be used instead of a new one. */
    cluster: z.string().optional(),
  }),
);
await runCommand('The run', async (signal) => {
  const start = performance.now();
  const rows = await runAll(signal);
  const passed = rows.filter(({ outcome }) => outcome === 'ok').length;
  const minutes = ((performance.now() - start) / 60_000).toFixed(1);
  console.log(`\n${passed} of ${TEST_CASES.length} passed, in ${minutes} minutes`);
  return passed === TEST_CASES.length ? 0 : 1;
});

/** A row for each test case, up to the first that fails. Whatever happens, nothing is left that was made for the run. */
async function runAll(signal: AbortSignal): Promise<readonly Row[]> {
  await using cleanup = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), 'legacy-restore-e2e-'));
  cleanup.defer(() => rm(folder, { recursive: true, force: true }));
  const needsKind = context === undefined || context.startsWith('kind-');
  const programs = await findPrograms(needsKind, signal);
  say('building the images');
  const images = await buildImages(programs.docker, signal);
  say(context === undefined ? 'creating a cluster' : `using the cluster ${context}`);
  const cluster = await openCluster(programs, context, folder, signal);
  cleanup.defer(() => (keep ? say(`kept: the cluster ${cluster.name}`) : cluster.remove()));
  if (context !== undefined) {
    await refuseUsedCluster(cluster);
    if (!keep) cleanup.defer(() => removeTraces(cluster));
  }
  for (const image of [images.operator, images.simulator]) await cluster.load(image);
  const environment = { programs, images, cluster, folder, atlas: await installAtlas(cluster, images) };
  const rows: Row[] = [];
  for (const testCase of TEST_CASES) {
    const row = await runCase(testCase, environment, signal);
    rows.push(row);
    if (row.outcome === 'ok') continue;
    console.error(await diagnose(cluster));
    break;
  }
  // Before the removal of the cluster, which can fail.
  console.log(`\n${toTable(rows)}`);
  return rows;
}

async function runCase({ name, run }: TestCase, environment: Environment, signal: AbortSignal): Promise<Row> {
  say(name);
  const start = performance.now();
  const row = (outcome: Row['outcome'], detail: string): Row => {
    const seconds = (performance.now() - start) / 1_000;
    say(`  ${outcome}, ${seconds.toFixed(1)} s: ${detail}`);
    return { name, outcome, seconds, detail };
  };
  try {
    return row('ok', await run(environment));
  } catch (error) {
    signal.throwIfAborted();
    return row('FAILED', messageOf(error));
  }
}

function say(line: string): void {
  console.error(line);
}

function toTable(rows: readonly Row[]): string {
  return markdownTable(
    ['test case', 'result', 'seconds', 'seen'],
    rows.map(({ name, outcome, seconds, detail }) => [name, outcome, seconds.toFixed(1), oneLine(detail)]),
  );
}

function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').replaceAll('|', '/').trim();
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}
