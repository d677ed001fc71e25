/** The Retry-After header, as RFC 9110 section 10.2.3 defines it: seconds or a date. */

/**
 * Milliseconds that a Retry-After header asks to wait; undefined when it is absent or unreadable. A date in the past is
 * 0. `now`: milliseconds since the epoch.
 */
export function retryAfterMs(headers: RetryAfterHeaders, now: number): number | undefined {
  const value = [headers['retry-after']].flat()[0]?.trim() ?? '';
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value) * 1_000;
  // Date.parse finds a date in almost anything (`soon 5`). All three forms of an HTTP date begin with the day of the
  // week, and the one that names no zone is in UTC too.
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(value)) return undefined;
  const hasZone = /([A-Z]|[+-]\d{4})$/.test(value);
  const date = Date.parse(hasZone ? value : `${value} GMT`);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** What is read of the headers of a response. */
export interface RetryAfterHeaders {
  /** undici gives an array where a gateway adds a second one, whatever the type of a response says. */
  readonly 'retry-after'?: string | string[] | undefined;
}
