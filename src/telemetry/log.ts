/** The log: pino to standard output, JSON lines or, for people, pretty ones. */
import { type Logger, pino } from 'pino';
import { CENSORED, censored, SECRET_NAMES } from './censorship.ts';
import { nameResource, PRETTY } from './pretty.ts';

export type { Logger } from 'pino';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

interface LogOptions {
  readonly level: LogLevel;
  readonly format: 'json' | 'pretty';
  readonly version: string;
}

export async function createLog({ level, format, version }: LogOptions): Promise<Logger> {
  const options = {
    level,
    base: { version },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }), log: censored },
    // No formatter sees what a child of the logger is bound to.
    redact: { paths: [...SECRET_NAMES], censor: CENSORED },
  };
  if (format === 'json') return pino(options);
  // Loaded only where it is used: most runs do without.
  const { default: pretty } = await import('pino-pretty');
  const log = (fields: Record<string, unknown>) => nameResource(censored(fields));
  return pino({ ...options, formatters: { ...options.formatters, log } }, pretty(PRETTY));
}

/** What is logged of an error: its message, and where it comes from when it is a bug of ours. Causes stay out: they can carry requests. */
export function errorFields(error: unknown): { readonly error: string; readonly stack?: string } {
  if (!(error instanceof Error)) return { error: typeof error === 'string' ? error : 'unknown error' };
  const expected = error.name !== 'Error' && !error.name.endsWith('TypeError') && error.name !== 'ReferenceError';
  return expected || error.stack === undefined
    ? { error: error.message }
    : { error: error.message, stack: error.stack };
}
