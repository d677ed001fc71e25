import path from 'node:path';

/** Environment of a process for whose monotonic clock a second is as many minutes. Its timers stay, and so does its wall clock. */
export const fastClock = (minutes: number): Readonly<Record<string, string>> => ({
  NODE_OPTIONS: `--import=${path.join(import.meta.dirname, 'fast-clock.mjs')}`,
  CLOCK_MINUTES: String(minutes),
});
