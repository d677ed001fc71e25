/** What goes on, on standard error: one moving line on a terminal, else a line every few seconds. */
import { oneLine } from '../api/printable.ts';
import type { Screen } from '../command/command.ts';
import { span } from '../command/readable.ts';

export interface Display {
  /** Shows what goes on, read again and again, until something else goes on. */
  readonly show: (activity: () => string) => void;
  /** A sentence that stays. */
  readonly say: (text: string) => void;
  /** Nothing goes on any more. */
  readonly close: () => void;
}

/** `lineMs`: between two lines where there is no terminal. */
export const createDisplay = (screen: Screen, lineMs: number): Display =>
  screen.isTTY === true ? movingLine(screen) : lines(screen, lineMs);

/** `1.2 GiB of 4.0 GiB (30%), 110 MiB/s, 25s left`; `length` is undefined where nobody said it. */
export function transferText(bytes: number, length: number | undefined, bytesPerSecond: number): string {
  const rate = `${bytesText(bytesPerSecond)}/s`;
  if (length === undefined) return `${bytesText(bytes)}, ${rate}`;
  const percent = length === 0 ? 100 : Math.floor((bytes / length) * 100);
  const left = bytesPerSecond > 0 ? `, ${span(((length - bytes) / bytesPerSecond) * 1_000)} left` : '';
  return `${bytesText(bytes)} of ${bytesText(length)} (${percent}%), ${rate}${left}`;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** With one digit after the point below 10: `1.5 GiB`, `40 MiB`, `512 B`. */
export function bytesText(bytes: number): string {
  const index = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1_024 ** index;
  return `${index > 0 && value < 10 ? (Math.floor(value * 10) / 10).toFixed(1) : Math.floor(value)} ${UNITS[index]}`;
}

/** Milliseconds that a rate is measured over. */
const RATE_MS = 10_000;

/** The rate at which a number grows, per second, over the last seconds. `now`: monotonic milliseconds. */
export function createRate(now: () => number = () => performance.now()): (value: number) => number {
  const samples: { readonly at: number; readonly value: number }[] = [];
  return (value) => {
    const at = now();
    samples.push({ at, value });
    while (samples.length > 2 && at - (samples[1]?.at ?? at) >= RATE_MS) samples.shift();
    const [first] = samples;
    // A download that starts over has fewer bytes than before.
    if (first === undefined || value < first.value) samples.splice(0, samples.length, { at, value });
    return first === undefined || at <= first.at ? 0 : Math.max(0, ((value - first.value) / (at - first.at)) * 1_000);
  };
}

function lines(screen: Screen, lineMs: number): Display {
  const write = (text: string): void => void screen.write(`${oneLine(text)}\n`);
  let timer: NodeJS.Timeout | undefined;
  let [last, shownAt] = ['', Number.NEGATIVE_INFINITY];
  const close = (): void => clearInterval(timer);
  return {
    show: (activity) => {
      close();
      const draw = (): void => {
        const text = activity();
        // What stands still, as a wait, is repeated now and then: silence would look like the end.
        if (text === last && performance.now() - shownAt < REPEAT_MS) return;
        [last, shownAt] = [text, performance.now()];
        write(text);
      };
      draw();
      timer = setInterval(draw, lineMs);
    },
    say: write,
    close,
  };
}

const REPEAT_MS = 60_000;
const REDRAW_MS = 500;
const DEFAULT_COLUMNS = 80;

function movingLine(screen: Screen): Display {
  let timer: NodeJS.Timeout | undefined;
  let activity = (): string => '';
  // A line that wraps cannot be drawn over. A terminal that nobody has told its size has 0 columns.
  const draw = (): void =>
    void screen.write(`\r\u001b[K${oneLine(activity()).slice(0, (screen.columns || DEFAULT_COLUMNS) - 1)}`);
  return {
    show: (shown) => {
      clearInterval(timer);
      activity = shown;
      draw();
      timer = setInterval(draw, REDRAW_MS);
    },
    say: (text) => {
      screen.write(`\r\u001b[K${oneLine(text)}\n`);
      if (timer !== undefined) draw();
    },
    close: () => {
      if (timer === undefined) return;
      clearInterval(timer);
      timer = undefined;
      screen.write('\r\u001b[K');
    },
  };
}
