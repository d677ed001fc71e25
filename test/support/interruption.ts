/** What a shell makes of a process that a signal ended. */
const EXIT_INTERRUPTED = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

export interface Interruption {
  /** Aborted by the first signal, and when nobody reads standard output any more, as in `npm run … | head`. */
  readonly signal: AbortSignal;
  /** What to exit with once everything has been ended. */
  readonly exitCode: () => number;
}

/** Takes the signals that ask this process to end, so that it can end what it has started first. */
export function catchInterruption(): Interruption {
  const interruption = new AbortController();
  let exitCode: number = EXIT_INTERRUPTED.SIGINT;
  for (const [name, code] of Object.entries(EXIT_INTERRUPTED)) {
    process.on(name, () => {
      // Who asks twice is in a hurry: what is left ends with this process.
      if (interruption.signal.aborted) process.exit(code);
      exitCode = code;
      interruption.abort();
    });
  }
  process.stdout.on('error', () => interruption.abort());
  return { signal: interruption.signal, exitCode: () => exitCode };
}
