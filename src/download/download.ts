/**
 * The command `download`: brings the file of a restore job into a directory and proves it. In the order of a download:
 *
 * 1. options.ts reads the command line. atlas-source.ts or resource-source.ts looks at the job, job.ts says what it means.
 * 2. bring.ts goes through the steps: wait.ts until the download is ready, present.ts for a file that is there already.
 * 3. part.ts opens `NAME.part`, which claim.ts keeps from other processes; part-info.ts is what stands beside it.
 * 4. fetch-file.ts tries, and next-step.ts decides, until all bytes are there. One try is transfer.ts; response.ts says
 *    what a response means for the part, write-behind.ts writes its bytes.
 * 5. wait-for-hash.ts waits for Atlas's hash, outcome.ts compares it and decides which name the part gets.
 * 6. print.ts and exit-codes.ts tell the outcome; errors.ts has all failures; progress.ts shows what goes on meanwhile.
 */
import { oneLine } from '../api/printable.ts';
import { withAtlas } from '../command/atlas.ts';
import { type CommandProcess, openKubeClient, runCommand } from '../command/command.ts';
import { atlasSource } from './atlas-source.ts';
import { bring } from './bring.ts';
import { LIMITS, type Limits } from './limits.ts';
import { type DownloadOptions, downloadHelp, readDownloadOptions } from './options.ts';
import { exitCodeOfOutcome, type Outcome } from './outcome.ts';
import { complaint, printOutcome } from './print.ts';
import { createDisplay } from './progress.ts';
import { resourceSource } from './resource-source.ts';
import type { JobSource } from './source.ts';

/** Runs the command; resolves with its exit code. */
export const download = (args: readonly string[], own: CommandProcess, limits: Limits = LIMITS): Promise<number> =>
  runCommand(
    {
      name: 'download',
      readOptions: readDownloadOptions,
      help: downloadHelp,
      work: (options) => withSource(options, own, (source) => bringAndTell(source, options, own, limits)),
    },
    args,
    own,
  );

async function withSource<T>(
  { job, plainOrigin }: DownloadOptions,
  own: CommandProcess,
  work: (source: JobSource) => Promise<T>,
): Promise<T> {
  if (job.kind === 'atlas') return withAtlas(job, own, (atlas) => work(atlasSource(atlas, job.ref, plainOrigin)));
  const client = openKubeClient(own);
  try {
    const namespace = job.namespace ?? client.namespace ?? 'default';
    return await work(resourceSource(client, { namespace, name: job.name }, plainOrigin));
  } finally {
    await client.close();
  }
}

async function bringAndTell(
  source: JobSource,
  options: DownloadOptions,
  own: CommandProcess,
  limits: Limits,
): Promise<number> {
  const startedAt = performance.now();
  const display = createDisplay(own.stderr, limits.progress);
  let outcome: Outcome;
  try {
    outcome = await bring({
      ...options,
      source,
      limits,
      display,
      signal: own.stop,
      environment: own.env,
      userAgent: `legacy-restore-operator/${own.version}`,
    });
  } finally {
    display.close();
  }
  own.stdout.write(printOutcome(outcome, options.output, (performance.now() - startedAt) / 1_000));
  const problem = complaint(outcome);
  if (problem !== undefined) own.stderr.write(`${oneLine(problem)}\n`);
  return exitCodeOfOutcome(outcome);
}
