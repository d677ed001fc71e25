import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

/** The watchdog of a control plane, seen from its owner. */
export interface Watchdog {
  /** Throws when the watchdog does not run, and the control plane would outlive an owner that is killed. */
  readonly check: () => void;
  /** Closes the pipe and resolves when the watchdog has ended what is left of the control plane. */
  readonly release: () => Promise<void>;
}

/** Starts the process that ends the control plane in `dir` when this process is gone. */
export function startWatchdog(dir: string): Watchdog {
  // In a session of its own, Ctrl-C and a closed terminal do not reach it; without NODE_OPTIONS, no debugger halts it.
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'watchdog.ts'), dir], {
    detached: true,
    stdio: ['pipe', 'ignore', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  let failure: Error | undefined;
  child.once('error', (error) => {
    failure = error;
  });
  // The pipe breaks when somebody killed the watchdog, which `check` reports.
  child.stdin.on('error', () => {});
  child.unref();
  const isRunning = (): boolean => failure === undefined && child.exitCode === null && child.signalCode === null;
  return {
    check: () => {
      if (!isRunning()) throw new Error('the watchdog of the control plane does not run', { cause: failure });
    },
    release: async () => {
      if (!isRunning()) return;
      const exit = once(child, 'exit');
      child.ref();
      child.stdin.end();
      await exit;
    },
  };
}
