/** Shows on standard error how a watched restore job is. */
import { type AtlasApi, serverName } from '../api/atlas-api.ts';
import type { RestoreJobResponse } from '../api/restore-job.ts';
import type { AtlasError } from '../atlas/errors.ts';
import type { Screen } from '../command/command.ts';
import { shown, span } from '../command/readable.ts';
import { reasonOfAtlasFailure } from '../restore-job/atlas-failures.ts';
import { failureOfAtlas } from '../restore-job/failure.ts';
import { failureMessage } from '../restore-job/messages.ts';
import type { WatchOptions } from './watch.ts';

interface WatchDisplay extends Pick<WatchOptions, 'onResponse' | 'onFailure'> {
  readonly close: () => void;
}

/** One moving line on a terminal, elsewhere a line for every change and one a minute. */
export const createWatchDisplay = (screen: Screen, api: AtlasApi, now: () => number = Date.now): WatchDisplay =>
  screen.isTTY === true ? movingLine(screen, api, now) : linePerChange(screen, api, now);

/** `IN_PROGRESS, delivery NOT_STARTED` */
function stateOf({ job: { statusName, delivery } }: RestoreJobResponse): string {
  const status = shown(statusName ?? 'no status');
  return delivery?.statusName === undefined ? status : `${status}, delivery ${shown(delivery.statusName)}`;
}

/** A log without a line for longer looks like a program that hangs. */
const REPEAT_MS = 60_000;

function linePerChange(screen: Screen, api: AtlasApi, now: () => number): WatchDisplay {
  let last = '';
  let more = (): string => '';
  let timer: NodeJS.Timeout | undefined;

  function write(): void {
    screen.write(`${new Date(now()).toISOString()} ${last}${more()}\n`);
    clearTimeout(timer);
    timer = setTimeout(write, REPEAT_MS);
  }

  function show(text: string, describeMore: () => string): void {
    more = describeMore;
    if (text === last) return;
    last = text;
    write();
  }

  return {
    onResponse: (response) => show(stateOf(response), () => ''),
    onFailure: (error, againInMs) => {
      const againAt = now() + againInMs;
      show(messageOf(error, api), () => ` Asking again in ${remaining(againAt, now())}.`);
    },
    close: () => clearTimeout(timer),
  };
}

const REDRAW_MS = 1_000;
const DEFAULT_COLUMNS = 80;

function movingLine(screen: Screen, api: AtlasApi, now: () => number): WatchDisplay {
  const startedAt = now();
  let state = `asking ${serverName(api)}`;
  let failure: { readonly error: AtlasError; readonly againAt: number } | undefined;

  function draw(): void {
    const trouble =
      failure === undefined
        ? []
        : [`${reasonOfAtlasFailure(failure.error)}, asking again in ${remaining(failure.againAt, now())}`];
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
      const message = messageOf(error, api);
      if (failure === undefined || message !== messageOf(failure.error, api)) screen.write(`\r\u001b[K${message}\n`);
      failure = { error, againAt: now() + againInMs };
      draw();
    },
    close: () => {
      clearInterval(timer);
      screen.write('\n');
    },
  };
}

/** Rounded up to a second: what was announced a moment ago would else be a second less. */
const remaining = (time: number, now: number): string => span(Math.max(0, Math.ceil((time - now) / 1_000) * 1_000));

const messageOf = (error: AtlasError, api: AtlasApi): string => failureMessage(failureOfAtlas(error), 'command', api);
