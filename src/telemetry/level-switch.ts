/** SIGUSR2 switches between the configured level of the log and debug, without a restart. */
import type { Logger, LogLevel } from './log.ts';

interface LevelSwitch {
  /** From now on the signal changes this log, whose level is the configured one. */
  readonly attach: (log: Logger, configured: LogLevel) => void;
}

/** Takes the signal over at once: without a handler it would end the process. */
export function createLevelSwitch(): LevelSwitch {
  let toggle = (): void => {};
  process.on('SIGUSR2', () => toggle());
  return {
    attach: (log, configured) => {
      let level = configured;
      toggle = () => {
        level = level === 'debug' ? configured : 'debug';
        log.level = level;
        // At that level itself: a configured level of error would hide any other.
        log[level](`the log level is ${level} now`);
      };
    },
  };
}
