/** Fetches a file into its part: try after try, with a look at the job before each that begins with the first byte. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AtlasApi } from '../api/atlas-api.ts';
import { unlessStopped } from '../command/command.ts';
import { span } from '../command/readable.ts';
import { DownloadError } from './errors.ts';
import { downloadState, type JobView } from './job.ts';
import type { Limits } from './limits.ts';
import { type Link, sameLink } from './link.ts';
import { nextStep, type Tries } from './next-step.ts';
import type { Part } from './part.ts';
import { bytesText, createRate, type Display, transferText } from './progress.ts';
import { askedToWait, type JobSource, mayPass } from './source.ts';
import { type TransferOptions, type TryEnd, transfer } from './transfer.ts';

export interface FetchOptions extends Omit<TransferOptions, 'silenceMs' | 'onWholeFile'> {
  readonly limits: Limits;
  readonly source: JobSource;
  readonly atlasApi: AtlasApi;
  readonly display: Display;
}

/** A job whose download is ready. */
export interface ReadyJob {
  readonly view: JobView;
  readonly link: Link;
}

/**
 * Resolves with the job as it was looked at last, once the part is complete. Throws DownloadError, what a look at the job
 * throws that does not pass by itself, and the reason of the signal.
 */
export async function fetchFile(part: Part, ready: ReadyJob, options: FetchOptions): Promise<ReadyJob> {
  const { limits, signal, display } = options;
  let job = ready;
  let tries: Tries = { fruitless: 0, furthest: part.size() };
  for (let count = 1; !part.isComplete(); count++) {
    const isAnotherFullTry = part.size() === 0 && (count > 1 || part.info().fullTries > 0);
    const looked = isAnotherFullTry ? await lookAgain(options) : job;
    if (!('kind' in looked)) job = looked;
    const end = 'kind' in looked ? looked : await oneTry(part, job, options);
    const step = nextStep(end, part.size(), tries, limits, Math.random());
    if (step.kind === 'done') break;
    if (step.kind === 'giveUp') throw notFetched(end);
    tries = step.tries;
    if (step.kind === 'look') {
      job = await otherLink(end, job, options);
      continue;
    }
    if (step.restart) part.restart();
    display.say(
      `${sentence(end)} ${part.size() === 0 ? 'Starting' : `Going on after ${bytesText(part.size())}`} in ${span(step.afterMs)}.`,
    );
    await sleep(step.afterMs, undefined, { signal });
  }
  return job;
}

async function oneTry(part: Part, { link, view }: ReadyJob, options: FetchOptions): Promise<TryEnd> {
  const { display, limits } = options;
  if (part.size() === 0 && part.info().fullTries > 0) warnOfCount(view, display);
  const rate = createRate();
  display.show(() => {
    const [bytes, { length }] = [part.size(), part.info()];
    return bytes === 0 ? 'asking the download host' : transferText(bytes, length, rate(bytes));
  });
  return transfer(link, part, {
    ...options,
    silenceMs: limits.silence,
    onWholeFile: () => {
      display.say('The download host does not send the rest of a file: starting over.');
      warnOfCount(view, display);
    },
  });
}

/** From so many downloads on, another one is no news. */
const MANY_DOWNLOADS = 100;

/** Nothing is known of when Atlas counts a download, so that each request for the whole file may be one. */
function warnOfCount({ content }: JobView, display: Display): void {
  const most = content.delivery?.maxDownloads ?? Number.POSITIVE_INFINITY;
  if (most <= MANY_DOWNLOADS)
    display.say(`This may count as another full download, of which ${most} of this file are allowed (maxDownloads).`);
}

/** The job, so that a link that is over is not asked again; how the try ended before it began where there is no answer. */
async function lookAgain({ source, atlasApi, signal }: FetchOptions): Promise<ReadyJob | TryEnd> {
  try {
    return readyJob(await unlessStopped(signal, source.look()), atlasApi);
  } catch (error) {
    signal.throwIfAborted();
    if (!mayPass(error)) throw error;
    return { kind: 'broken', what: 'the job cannot be looked at before the next try', waitMs: askedToWait(error) };
  }
}

/** Throws DownloadError where the job has no other link than the one that was denied. */
async function otherLink(end: TryEnd, before: ReadyJob, options: FetchOptions): Promise<ReadyJob> {
  const looked = await lookAgain(options);
  if ('kind' in looked) return before;
  if (sameLink(looked.link, before.link)) throw notFetched(end);
  options.display.say(`${sentence(end)} The job has another link now.`);
  return looked;
}

/** Throws DownloadError where the download is not ready any more. */
function readyJob(view: JobView, api: AtlasApi): ReadyJob {
  const state = downloadState(view, Date.now(), api);
  if (state.kind === 'ready') return { view, link: state.link };
  throw state.error;
}

function notFetched(end: TryEnd): DownloadError {
  const more = end.kind === 'denied' ? ' The job still names this link.' : '';
  return new DownloadError('NOT_FETCHED', `The file cannot be fetched: ${wordsOf(end)}.${more}`);
}

const wordsOf = (end: TryEnd): string => (end.kind === 'complete' ? 'it is there' : end.what);

function sentence(end: TryEnd): string {
  const words = wordsOf(end);
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}
