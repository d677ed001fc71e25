/** Keeps values out of a text that others wrote and that may repeat what they were sent. */
import { oneLine } from './printable.ts';

const REDACTED = '[redacted]';
/** What is shorter is in every text by chance, and no secret. */
const SHORTEST_VALUE = 4;
/** So much of the beginning of a value at the end of a text that was cut is taken for the value. */
const SHORTEST_PREFIX = 8;

/**
 * The text with `[redacted]` in place of each of these values: as they are, in base64, escaped as in JSON and on one
 * line, and begun at the end of a text that was cut. Values of less than four characters are left.
 */
export function redactValues(text: string, values: readonly string[]): string {
  const spellings = [...new Set(values.filter((value) => value.length >= SHORTEST_VALUE).flatMap(spellingsOf))];
  // The longest first: one value can be part of another.
  spellings.sort((left, right) => right.length - left.length);
  const whole = spellings.reduce((redacted, spelling) => redacted.replaceAll(spelling, REDACTED), text);
  return withoutPrefix(whole, spellings);
}

function spellingsOf(value: string): readonly string[] {
  const escaped = JSON.stringify(value).slice(1, -1);
  return [value, oneLine(value), Buffer.from(value).toString('base64'), escaped, JSON.stringify(escaped).slice(1, -1)];
}

function withoutPrefix(text: string, spellings: readonly string[]): string {
  const end = text.endsWith('…') ? '…' : '';
  const body = text.slice(0, text.length - end.length);
  for (const spelling of spellings) {
    for (let length = Math.min(spelling.length, body.length); length >= SHORTEST_PREFIX; length--) {
      if (body.endsWith(spelling.slice(0, length))) return `${body.slice(0, -length)}${REDACTED}${end}`;
    }
  }
  return text;
}
