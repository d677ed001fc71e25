/** The command `get`: fetches one restore job from Atlas, once or until it has ended, and prints it. */
import type { RestoreJobResponse } from '../api/restore-job.ts';
import { fetchJob, withAtlas } from '../command/atlas.ts';
import { type CommandProcess, note, runCommand, unlessStopped } from '../command/command.ts';
import { exitCodeOf } from '../command/exit-codes.ts';
import { readyReasonOf } from '../restore-job/conditions.ts';
import { type GetOptions, getHelp, readGetOptions } from './options.ts';
import { printJob, remarks } from './print.ts';
import { createWatchDisplay, watchJob } from './watch.ts';

/** Runs the command; resolves with its exit code. */
export const get = (args: readonly string[], own: CommandProcess): Promise<number> =>
  runCommand({ name: 'get', readOptions: readGetOptions, help: getHelp, work: fetchAndPrint }, args, own);

async function fetchAndPrint(options: GetOptions, own: CommandProcess): Promise<number> {
  const response = await withAtlas(options, own, (atlas) => {
    const fetch = () => fetchJob(atlas, options.ref);
    return options.until.kind === 'fetched' ? unlessStopped(own.stop, fetch()) : watch(fetch, options.until, own);
  });
  const printOptions = { ...options, now: Date.now() };
  own.stdout.write(printJob(response, printOptions));
  for (const remark of remarks(response, printOptions)) note(own, remark);
  return exitCodeOf(readyReasonOf(response.job));
}

async function watch(
  fetch: () => Promise<RestoreJobResponse>,
  { intervalMs }: Extract<GetOptions['until'], { kind: 'ended' }>,
  { stderr, stop }: CommandProcess,
): Promise<RestoreJobResponse> {
  const display = createWatchDisplay(stderr);
  try {
    return await unlessStopped(stop, watchJob({ ...display, fetch, intervalMs, signal: stop }));
  } finally {
    display.close();
  }
}
