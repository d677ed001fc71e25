/** What a server announces of the end of an API version, in the headers Deprecation (RFC 9745) and Sunset (RFC 8594). */
import type { IncomingHttpHeaders } from 'node:http';
import { printable } from '../api/printable.ts';
import { parseHttpDate } from '../net/http-date.ts';

/** The values of the two headers, printable and bounded. */
export interface DeprecationNotice {
  readonly deprecation: string | undefined;
  readonly sunset: string | undefined;
}

/** Notices that differ, of one process: a server that never sends the same one twice must not fill the log. */
const MOST_NOTICES = 10;
const MAX_TEXT = 128;

/** Looks at the headers of each response, and passes on each notice once. */
export function createDeprecationWatch(
  onNotice: (notice: DeprecationNotice) => void,
): (headers: IncomingHttpHeaders) => void {
  const told = new Set<string>();
  return (headers) => {
    const notice = { deprecation: textOf(headers['deprecation']), sunset: textOf(headers['sunset']) };
    if (notice.deprecation === undefined && notice.sunset === undefined) return;
    const id = JSON.stringify(notice);
    if (told.has(id) || told.size >= MOST_NOTICES) return;
    told.add(id);
    onNotice(notice);
  };
}

/** The date of a header in seconds since the epoch: `@` and seconds in Deprecation, an HTTP date in Sunset. */
export function announcedDate(text: string | undefined): number | undefined {
  const seconds = /^@(\d{1,11})$/.exec(text ?? '')?.[1];
  if (seconds !== undefined) return Number(seconds);
  const milliseconds = parseHttpDate(text ?? '');
  return milliseconds === undefined ? undefined : milliseconds / 1_000;
}

/** Goes into a log: a gateway can write anything there. */
const textOf = (value: string | readonly string[] | undefined): string | undefined =>
  value === undefined ? undefined : printable(value.toString(), MAX_TEXT);
