/** The command `get`: fetches one restore job from Atlas, once or until it has come to an end, and prints it. */
import { serverName } from '../api/atlas-api.ts';
import type { RestoreJobResponse } from '../api/restore-job.ts';
import { fetchJob, withAtlas } from '../command/atlas.ts';
import { type CommandProcess, note, runCommand, unlessStopped } from '../command/command.ts';
import { CommandError } from '../command/command-error.ts';
import { EXIT_CODES, exitCodeOf } from '../command/exit-codes.ts';
import { readyReasonOf } from '../restore-job/conditions.ts';
import { downloadOutlook, hasEnded, jobState } from '../restore-job/state.ts';
import { type GetOptions, getHelp, readGetOptions, type WatchUntil } from './options.ts';
import { printJob, remarks } from './print.ts';
import { type WatchEnd, watchJob } from './watch.ts';
import { createWatchDisplay } from './watch-display.ts';

/** Runs the command; resolves with its exit code. */
export const get = (args: readonly string[], own: CommandProcess): Promise<number> =>
  runCommand({ name: 'get', readOptions: readGetOptions, help: getHelp, work: fetchAndPrint }, args, own);

async function fetchAndPrint(options: GetOptions, own: CommandProcess): Promise<number> {
  const { until, atlasApi } = options;
  const end = await withAtlas(options, own, (atlas): Promise<WatchEnd> => {
    const fetch = () => fetchJob(atlas, options.ref);
    return until.kind === 'fetched' ? once(fetch, own) : watch(fetch, until, options, own);
  });
  if (end.kind === 'timedOut') {
    note(own, 'the time of --timeout has passed');
    if (end.failure !== undefined) throw end.failure;
  }
  if (end.response === undefined)
    throw new CommandError(`${serverName(atlasApi)} has not answered.`, EXIT_CODES.unavailable.code);
  printResponse(end.response, options, own);
  return end.kind === 'timedOut' ? EXIT_CODES.inProgress.code : exitCodeAtEnd(end.response, until);
}

async function once(fetch: () => Promise<RestoreJobResponse>, { stop }: CommandProcess): Promise<WatchEnd> {
  return { kind: 'ended', response: await unlessStopped(stop, fetch()) };
}

async function watch(
  fetch: () => Promise<RestoreJobResponse>,
  { kind, ...limits }: WatchUntil,
  { atlasApi }: GetOptions,
  { stderr, stop }: CommandProcess,
): Promise<WatchEnd> {
  const isEnd = ({ job }: RestoreJobResponse): boolean =>
    kind === 'job' ? hasEnded(jobState(job)) : downloadOutlook(job, Date.now()) !== 'expected';
  const display = createWatchDisplay(stderr, atlasApi);
  try {
    return await watchJob({ ...display, ...limits, fetch, isEnd, signal: stop });
  } finally {
    display.close();
  }
}

function printResponse(response: RestoreJobResponse, options: GetOptions, own: CommandProcess): void {
  const printOptions = { ...options, now: Date.now() };
  own.stdout.write(printJob(response, printOptions));
  for (const remark of remarks(response, printOptions)) note(own, remark);
}

function exitCodeAtEnd({ job }: RestoreJobResponse, until: GetOptions['until']): number {
  const ended = exitCodeOf(readyReasonOf(job));
  const isMissing = until.kind === 'download' && downloadOutlook(job, Date.now()) === 'never';
  return isMissing && ended !== EXIT_CODES.failed.code ? EXIT_CODES.nothingToDownload.code : ended;
}
