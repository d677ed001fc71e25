/** Dates in HTTP headers, as RFC 9110 section 5.6.7 defines them. */

/** Milliseconds since the epoch; undefined for anything else. */
export function parseHttpDate(text: string): number | undefined {
  // Date.parse finds a date in almost anything (`soon 5`). All three forms of an HTTP date begin with the day of the
  // week, and the one that names no zone is in UTC too.
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)) return undefined;
  const hasZone = /([A-Z]|[+-]\d{4})$/.test(text);
  const date = Date.parse(hasZone ? text : `${text} GMT`);
  return Number.isNaN(date) ? undefined : date;
}
