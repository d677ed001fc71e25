/**
 * `npm run e2e`: builds the image, creates a cluster with kind, and proves there, with kubectl and helm alone, what the
 * chart, the manifests and the image promise. Prints a table of what was proven and how long each took.
 *
 *     npm run e2e [-- --keep] [-- --cluster <context>]
 *
 * BUILD_IMAGE, RUNTIME_IMAGE and KIND_NODE_IMAGE replace the images that are pulled, KIND the program.
 * Exit code 0: all is proven. 1: something is not. 2: usage.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { catchInterruption } from '../support/interruption.ts';
import { installAtlas } from './atlas.ts';
import { openCluster } from './cluster.ts';
import { diagnose } from './diagnosis.ts';
import { buildImages } from './images.ts';
import { findPrograms } from './programs.ts';
import type { Proof, Stage } from './proof.ts';
import { availabilityProofs } from './proofs/availability.ts';
import { chartProofs } from './proofs/chart.ts';
import { imageProofs } from './proofs/image.ts';
import { mirrorProofs } from './proofs/mirror.ts';
import { modeProofs } from './proofs/modes.ts';
import { scaleProofs } from './proofs/scale.ts';
import { crdProofs, upgradeProofs } from './proofs/upgrades.ts';
import { type Row, toTable } from './table.ts';
import { refuseUsedCluster, removeTraces } from './traces.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const USAGE = 'usage: npm run e2e [-- --keep] [-- --cluster <context>]';

/** In this order: one goes on with what another has left. */
const PROOFS: readonly Proof[] = [
  ...imageProofs,
  ...chartProofs,
  ...mirrorProofs,
  ...availabilityProofs,
  ...scaleProofs,
  ...upgradeProofs,
  ...crdProofs,
  ...modeProofs,
];

interface Flags {
  /** Leaves the cluster, and what is in it, as it is in the end. */
  readonly keep: boolean;
  /** Context of an existing cluster, to be used instead of a new one. */
  readonly context: string | undefined;
}

const flags = readFlags();
process.exit(flags === undefined ? EXIT_USAGE : await main(flags));

async function main(given: Flags): Promise<number> {
  const { signal, exitCode } = catchInterruption();
  const start = performance.now();
  const rows: Row[] = [];
  try {
    await proveAll(given, rows, signal);
  } catch (error) {
    // What was under way fails in many ways when it is interrupted: none of them is the reason.
    if (!signal.aborted) console.error(`${Error.isError(error) ? error.message : String(error)}`);
  }
  if (signal.aborted) return exitCode();
  const proven = rows.filter(({ outcome }) => outcome === 'ok').length;
  const minutes = ((performance.now() - start) / 60_000).toFixed(1);
  if (rows.length > 0) console.log(`\n${toTable(rows)}\n\n${proven} of ${PROOFS.length} proven, in ${minutes} minutes`);
  return proven === PROOFS.length ? 0 : EXIT_FAILED;
}

/** Adds a row for each proof, up to the first that fails. Whatever happens, nothing is left that was made for the run. */
async function proveAll({ keep, context }: Flags, rows: Row[], signal: AbortSignal): Promise<void> {
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
  const stage = { programs, images, cluster, folder, atlas: await installAtlas(cluster, images) };
  for (const proof of PROOFS) {
    const row = await tryProof(proof, stage, signal);
    rows.push(row);
    if (row.outcome === 'ok') continue;
    console.error(await diagnose(cluster));
    return;
  }
}

async function tryProof({ name, prove }: Proof, stage: Stage, signal: AbortSignal): Promise<Row> {
  say(name);
  const start = performance.now();
  const row = (outcome: Row['outcome'], detail: string): Row => {
    const seconds = (performance.now() - start) / 1_000;
    say(`  ${outcome}, ${seconds.toFixed(1)} s: ${detail}`);
    return { name, outcome, seconds, detail };
  };
  try {
    return row('ok', await prove(stage));
  } catch (error) {
    signal.throwIfAborted();
    return row('FAILED', Error.isError(error) ? error.message : String(error));
  }
}

function say(line: string): void {
  console.error(line);
}

/** Undefined after a complaint. */
function readFlags(): Flags | undefined {
  try {
    const { values } = parseArgs({
      options: { keep: { type: 'boolean', default: false }, cluster: { type: 'string' } },
    });
    return { keep: values.keep, context: values.cluster };
  } catch (error) {
    console.error(Error.isError(error) ? error.message : String(error));
    console.error(USAGE);
    return undefined;
  }
}
