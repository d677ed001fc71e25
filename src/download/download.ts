/** The command `download`: brings the file of a restore job into a directory and proves it. */
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
