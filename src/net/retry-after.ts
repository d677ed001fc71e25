/** The Retry-After header, as RFC 9110 section 10.2.3 defines it: seconds or a date. */
import { parseHttpDate } from './http-date.ts';

/**
 * Milliseconds that a Retry-After header asks to wait; undefined when it is absent or unreadable. A date in the past is
 * 0. `now`: milliseconds since the epoch.
 */
export function retryAfterMs(headers: RetryAfterHeaders, now: number): number | undefined {
  const value = [headers['retry-after']].flat()[0]?.trim() ?? '';
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value) * 1_000;
  const date = parseHttpDate(value);
  return date === undefined ? undefined : Math.max(0, date - now);
}

/** What is read of the headers of a response. */
export interface RetryAfterHeaders {
  /** undici gives an array where a gateway adds a second one, whatever the type of a response says. */
  readonly 'retry-after'?: string | string[] | undefined;
}
