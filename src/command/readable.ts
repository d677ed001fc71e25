/** Times and texts as a person reads them. */
import { printable } from '../api/printable.ts';

/** Longer than any URL; a member that is longer yet is cut. */
const LONGEST_TEXT = 8_192;

/** Text from Atlas, safe for a terminal. */
export const shown = (text: string): string => printable(text, LONGEST_TEXT);

/** A time as it is told and seen from now: `in 1d 4h`, `3m 20s ago`. */
export function fromNow(time: number, now: number): string {
  const distance = span(Math.abs(time - now));
  return time > now ? `in ${distance}` : `${distance} ago`;
}

const UNITS = [
  ['y', 365 * 86_400],
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
] as const;

/** The two largest units of a time in milliseconds, rounded down to a second: `1d 4h`, `3m 20s`, `0s`. */
export function span(milliseconds: number): string {
  let rest = Math.floor(milliseconds / 1_000);
  const first = UNITS.findIndex(([, seconds]) => rest >= seconds);
  if (first < 0) return '0s';
  const parts: string[] = [];
  for (const [unit, seconds] of UNITS.slice(first, first + 2)) {
    const count = Math.floor(rest / seconds);
    rest -= count * seconds;
    if (count > 0) parts.push(`${count}${unit}`);
  }
  return parts.join(' ');
}
