/** Text from outside, made safe for one line of a message, a log or a terminal. */

/** Control and format characters and line separators: they would begin a line or move the cursor. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\u2028\u2029]+/gu;

/** The text as one line: every run of control characters becomes a space. */
export const oneLine = (text: string): string => text.replace(UNPRINTABLE, ' ');

/** As `oneLine`, well-formed, without spaces at its ends and of at most `maxLength` characters. */
export function printable(text: string, maxLength: number): string {
  const clean = oneLine(text.toWellFormed()).trim();
  return clean.length <= maxLength ? clean : `${clean.slice(0, maxLength - 1).toWellFormed()}…`;
}
