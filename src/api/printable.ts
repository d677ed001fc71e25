/** Text from outside, made safe to print. */

/** Control and format characters (bidi controls among them) and line separators: a terminal or a log would obey them. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\u2028\u2029]+/gu;

/** The text as one line: what cannot be printed becomes a space. */
export const oneLine = (text: string): string => text.replace(UNPRINTABLE, ' ');

/** As `oneLine`, well-formed, without spaces at its ends and of at most `maxLength` characters. */
export function printable(text: string, maxLength: number): string {
  const clean = oneLine(text.toWellFormed()).trim();
  return clean.length <= maxLength ? clean : `${clean.slice(0, maxLength - 1).toWellFormed()}…`;
}

/** As `printable`, bounded in bytes of UTF-8 and cut between two characters. */
export function printableBytes(text: string, maxBytes: number): string {
  const clean = printable(text, maxBytes);
  if (Buffer.byteLength(clean) <= maxBytes) return clean;
  const ellipsis = '…';
  // A cut in the middle of a character leaves a replacement character.
  const cut = Buffer.from(clean)
    .subarray(0, maxBytes - Buffer.byteLength(ellipsis))
    .toString('utf8');
  return `${cut.replace(/\uFFFD+$/, '')}${ellipsis}`;
}
