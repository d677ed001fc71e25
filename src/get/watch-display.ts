/** What is seen on standard error while a job is watched: one moving line on a terminal, else one line per change. */
import type { RestoreJobAnswer } from '../atlas/answer.ts';
import type { AtlasError } from '../atlas/errors.ts';
import { shown, span } from './readable.ts';
import type { WatchOptions } from './watch.ts';
import { forCommandLine } from './wording.ts';

interface WatchDisplay extends Pick<WatchOptions, 'onAnswer' | 'onFailure'> {
  readonly close: () => void;
}

/** The part of a stream that is used. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly write: (text: string) => unknown;
}

export const createWatchDisplay = (screen: Screen, now: () => number = Date.now): WatchDisplay =>
  screen.isTTY === true ? movingLine(screen, now) : linePerChange(screen, now);

/** `IN_PROGRESS, delivery NOT_STARTED` */
function stateOf({ job: { statusName, delivery } }: RestoreJobAnswer): string {
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
    onAnswer: (answer) => write(stateOf(answer)),
    onFailure: (error, againInMs) => write(forCommandLine(error.message), ` Asking again in ${span(againInMs)}.`),
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
        : [`${failure.error.reason}, asking again in ${span(Math.max(0, failure.againAt - now()))}`];
    const parts = [state, `watched for ${span(now() - startedAt)}`, ...trouble];
    // A line that wraps cannot be drawn over.
    const text = parts.join(' | ').slice(0, (screen.columns ?? DEFAULT_COLUMNS) - 1);
    screen.write(`\r\u001b[K${text}`);
  }

  draw();
  const timer = setInterval(draw, REDRAW_MS);
  return {
    onAnswer: (answer) => {
      state = stateOf(answer);
      failure = undefined;
      draw();
    },
    onFailure: (error, againInMs) => {
      if (error.message !== failure?.error.message) screen.write(`\r\u001b[K${forCommandLine(error.message)}\n`);
      failure = { error, againAt: now() + againInMs };
      draw();
    },
    close: () => {
      clearInterval(timer);
      screen.write('\n');
    },
  };
}
