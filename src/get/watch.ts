/** Fetches a restore job until it has ended, and shows on standard error how it is meanwhile. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RestoreJobResponse } from '../api/restore-job.ts';
import { AtlasError } from '../atlas/errors.ts';
import type { Screen } from '../command/command.ts';
import { shown, span } from '../command/readable.ts';
import { reasonOfAtlasFailure } from '../restore-job/atlas-failures.ts';
import { failureOfAtlas } from '../restore-job/failure.ts';
import { failureMessage } from '../restore-job/messages.ts';
import { entryOf } from '../restore-job/reasons.ts';
import { hasEnded, jobState } from '../restore-job/state.ts';

export interface WatchOptions {
  readonly fetch: () => Promise<RestoreJobResponse>;
  readonly intervalMs: number;
  readonly onResponse: (response: RestoreJobResponse) => void;
  /** A failure that may pass; the next request is so many milliseconds away. */
  readonly onFailure: (error: AtlasError, againInMs: number) => void;
  readonly signal: AbortSignal;
}

/** The last response. Rejects with a failure that does not pass, or once the signal is aborted. */
export async function watchJob(options: WatchOptions): Promise<RestoreJobResponse> {
  for (;;) {
    const step = await attempt(options);
    if (step.kind === 'ended') return step.response;
    await sleep(step.againInMs, undefined, { signal: options.signal });
  }
}

interface WatchDisplay extends Pick<WatchOptions, 'onResponse' | 'onFailure'> {
  readonly close: () => void;
}

export const createWatchDisplay = (screen: Screen, now: () => number = Date.now): WatchDisplay =>
  screen.isTTY === true ? movingLine(screen, now) : linePerChange(screen, now);

// Fetching

type Step =
  | { readonly kind: 'ended'; readonly response: RestoreJobResponse }
  | { readonly kind: 'again'; readonly againInMs: number };

async function attempt({ fetch, intervalMs, onResponse, onFailure, signal }: WatchOptions): Promise<Step> {
  try {
    const response = await fetch();
    signal.throwIfAborted();
    onResponse(response);
    return hasEnded(jobState(response.job)) ? { kind: 'ended', response } : { kind: 'again', againInMs: intervalMs };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof AtlasError) || entryOf(reasonOfAtlasFailure(error)).retry === 'permanent') throw error;
    const againInMs = Math.max(intervalMs, error.retryAfterMs ?? 0);
    onFailure(error, againInMs);
    return { kind: 'again', againInMs };
  }
}

// Showing

/** `IN_PROGRESS, delivery NOT_STARTED` */
function stateOf({ job: { statusName, delivery } }: RestoreJobResponse): string {
  const status = shown(statusName ?? 'no status');
  return delivery?.statusName === undefined ? status : `${status}, delivery ${shown(delivery.statusName)}`;
}

function linePerChange(screen: Screen, now: () => number): WatchDisplay {
  let last = '';
  const write = (text: string, more = ''): void => {
    if (text === last) return;
    last = text;
    screen.write(`${new Date(now()).toISOString()} ${text}${more}\n`);
  };
  return {
    onResponse: (response) => write(stateOf(response)),
    onFailure: (error, againInMs) => write(messageOf(error), ` Asking again in ${span(againInMs)}.`),
    close: () => undefined,
  };
}

const REDRAW_MS = 1_000;
const DEFAULT_COLUMNS = 80;

function movingLine(screen: Screen, now: () => number): WatchDisplay {
  const startedAt = now();
  let state = 'asking Atlas';
  let failure: { readonly error: AtlasError; readonly againAt: number } | undefined;

  function draw(): void {
    const trouble =
      failure === undefined
        ? []
        : [`${reasonOfAtlasFailure(failure.error)}, asking again in ${span(Math.max(0, failure.againAt - now()))}`];
    const parts = [state, `watched for ${span(now() - startedAt)}`, ...trouble];
    // A line that wraps cannot be drawn over.
    const text = parts.join(' | ').slice(0, (screen.columns ?? DEFAULT_COLUMNS) - 1);
    screen.write(`\r\u001b[K${text}`);
  }

  draw();
  const timer = setInterval(draw, REDRAW_MS);
  return {
    onResponse: (response) => {
      state = stateOf(response);
      failure = undefined;
      draw();
    },
    onFailure: (error, againInMs) => {
      const message = messageOf(error);
      if (failure === undefined || message !== messageOf(failure.error)) screen.write(`\r\u001b[K${message}\n`);
      failure = { error, againAt: now() + againInMs };
      draw();
    },
    close: () => {
      clearInterval(timer);
      screen.write('\n');
    },
  };
}

const messageOf = (error: AtlasError): string => failureMessage(failureOfAtlas(error), 'command');
