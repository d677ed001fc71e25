/** The log: pino to standard output, JSON lines or, for people, pretty ones. */
import { type Logger, pino } from 'pino';
import { nameResource, PRETTY } from './pretty.ts';

export type { Logger } from 'pino';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: 'json' | 'pretty';
  readonly version: string;
}

/**
 * Names under which secrets travel. No code of ours logs such a member; the redaction is for the day when some object
 * is logged whole.
 */
const SECRET_NAMES = [
  'privateApiKey',
  'privateKey',
  'clientSecret',
  'authValue',
  'authorization',
  'access_token',
  'token',
  'url',
  'urlV2',
  'data',
];

export async function createLog({ level, format, version }: LogOptions): Promise<Logger> {
  const options = {
    level,
    base: { version },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: {
      paths: SECRET_NAMES.flatMap((name) => [name, `*.${name}`, `*.*.${name}`, `*.*.*.${name}`]),
      censor: '[redacted]',
    },
  };
  if (format === 'json') return pino(options);
  // Loaded only where it is used: most runs do without.
  const { default: pretty } = await import('pino-pretty');
  return pino({ ...options, formatters: { ...options.formatters, log: nameResource } }, pretty(PRETTY));
}

/** What is logged of an error: its message, and where it comes from when it is a bug of ours. Causes stay out: they can carry requests. */
export function errorFields(error: unknown): { readonly error: string; readonly stack?: string } {
  if (!(error instanceof Error)) return { error: typeof error === 'string' ? error : 'unknown error' };
  const expected = error.name !== 'Error' && !error.name.endsWith('TypeError') && error.name !== 'ReferenceError';
  return expected || error.stack === undefined
    ? { error: error.message }
    : { error: error.message, stack: error.stack };
}
