/** Waits until a job's download is ready, or will never be. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type AtlasApi, sentenceFor } from '../api/atlas-api.ts';
import { formatDuration } from '../api/duration.ts';
import { AtlasError } from '../atlas/errors.ts';
import { unlessStopped } from '../command/command.ts';
import type { KubeError } from '../kube/errors.ts';
import { DownloadError } from './errors.ts';
import { type DownloadState, downloadState, type JobView, stateText } from './job.ts';
import type { Limits } from './limits.ts';
import type { Display } from './progress.ts';
import { askedToWait, type JobSource, mayPass } from './source.ts';

export interface WaitOptions {
  readonly source: JobSource;
  readonly atlasApi: AtlasApi;
  /** Milliseconds; undefined: one look decides. */
  readonly waitMs: number | undefined;
  readonly limits: Limits;
  readonly display: Display;
  readonly signal: AbortSignal;
}

/** A job whose download is ready or has ended. */
export interface DecidedJob {
  readonly view: JobView;
  readonly state: Exclude<DownloadState, { kind: 'pending' }>;
}

/** Throws DownloadError where it is not ready in time, the error of a look that found nothing, the reason of the signal. */
export async function waitForDownload(options: WaitOptions): Promise<DecidedJob> {
  const { waitMs, limits, display, signal } = options;
  const begun = performance.now();
  const deadline = begun + (waitMs ?? 0);
  for (;;) {
    const looked = await look(options, performance.now() - begun < limits.rights);
    if (looked.kind === 'decided') return looked;
    if (waitMs === undefined) throw looked.error;
    const left = deadline - performance.now();
    if (left <= 0) throw looked.kind === 'failed' ? looked.error : notInTime(looked.error, waitMs);
    display.show(() => `waiting: ${looked.shown}`);
    const pauseMs = Math.max(limits.poll, looked.kind === 'failed' ? askedToWait(looked.error) : 0);
    await sleep(Math.min(pauseMs, left), undefined, { signal });
  }
}

type Looked =
  | (DecidedJob & { readonly kind: 'decided' })
  | { readonly kind: 'pending'; readonly error: DownloadError; readonly shown: string }
  | { readonly kind: 'failed'; readonly error: AtlasError | KubeError; readonly shown: string };

/** `isEarly`: what a resource needs may still be missing. */
async function look({ source, atlasApi, signal }: WaitOptions, isEarly: boolean): Promise<Looked> {
  try {
    const view = await unlessStopped(signal, source.look());
    const state = downloadState(view, Date.now(), atlasApi);
    if (state.kind !== 'pending') return { kind: 'decided', view, state };
    return { kind: 'pending', error: state.error, shown: pendingText(view, state.error) };
  } catch (error) {
    signal.throwIfAborted();
    if (mayPass(error)) return { kind: 'failed', error, shown: failureText(error, atlasApi) };
    if (error instanceof DownloadError && mayCome(error, isEarly))
      return { kind: 'pending', error, shown: error.message };
    throw error;
  }
}

/** In GitOps, a resource and the rights to it can come after the pod that waits for it. */
const mayCome = ({ code }: DownloadError, isEarly: boolean): boolean =>
  code === 'RESOURCE_NOT_FOUND' || (code === 'RESOURCE_FORBIDDEN' && isEarly);

function pendingText({ content, remark }: JobView, error: DownloadError): string {
  const state = error.code === 'NOT_READY' ? stateText(content) : error.message;
  return remark === undefined ? state : `${state}; ${remark}`;
}

const failureText = (error: AtlasError | KubeError, api: AtlasApi): string =>
  error instanceof AtlasError ? sentenceFor(api, error.sentence) : error.message;

const notInTime = ({ message }: DownloadError, waitMs: number): DownloadError =>
  new DownloadError('NOT_READY', `Not ready within ${formatDuration(waitMs)}: ${message}`);
