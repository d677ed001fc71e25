import type { ChildProcess } from 'node:child_process';

/** How a process ended: its exit code, or the signal that ended it. */
export type Exit = number | NodeJS.Signals;

/** Resolves when a process is gone and all its output has been read. */
export function exitOf(child: ChildProcess): Promise<Exit> {
  const { promise, resolve } = Promise.withResolvers<Exit>();
  // After `exit` there may still be output to read; `close` comes after it.
  child.once('close', (code, signal) => resolve(code ?? signal ?? -1));
  return promise;
}
