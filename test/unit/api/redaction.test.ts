import { expect, test } from '@jest/globals';
import { redactValues } from '../../../src/api/redaction.ts';

const URL_VALUE = 'https://api-backup.example.com/backup/restore/v2/pull/a?b="c"';

test.each<[string, string, readonly string[], string]>([
  ['a value', `Invalid value: ${URL_VALUE}: no`, [URL_VALUE], 'Invalid value: [redacted]: no'],
  ['each time', 'canary and canary', ['canary'], '[redacted] and [redacted]'],
  ['as JSON has it', `Invalid value: ${JSON.stringify(URL_VALUE)}: no`, [URL_VALUE], 'Invalid value: "[redacted]": no'],
  [
    'as JSON in JSON has it',
    JSON.stringify(JSON.stringify({ url: URL_VALUE })),
    [URL_VALUE],
    '"{\\"url\\":\\"[redacted]\\"}"',
  ],
  ['in base64', `data: ${Buffer.from(URL_VALUE).toString('base64')}`, [URL_VALUE], 'data: [redacted]'],
  ['on one line', 'key a b c', ['a\nb\nc'], 'key [redacted]'],
  ['the longest first', 'key-of-1', ['key-of', 'key-of-1'], '[redacted]'],
  ['cut at the end', `Invalid value: ${URL_VALUE.slice(0, 20)}…`, [URL_VALUE], 'Invalid value: [redacted]…'],
  ['cut without a mark', `Invalid value: ${URL_VALUE.slice(0, 20)}`, [URL_VALUE], 'Invalid value: [redacted]'],
  ['not what is short', 'a bad day', ['a', 'bad', ''], 'a bad day'],
  ['nothing', 'quota exceeded', [URL_VALUE], 'quota exceeded'],
])('%s', (_name, text, values, expected) => {
  expect(redactValues(text, values)).toBe(expected);
});
