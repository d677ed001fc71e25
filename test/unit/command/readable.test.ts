import { expect, test } from '@jest/globals';
import { fromNow, shown, span } from '../../../src/command/readable.ts';

const SECOND = 1_000;
const DAY = 86_400 * SECOND;

test.each([
  [0, '0s'],
  [999, '0s'],
  [12 * SECOND, '12s'],
  [200 * SECOND, '3m 20s'],
  [3_600 * SECOND, '1h'],
  [3_661 * SECOND, '1h 1m'],
  [DAY + 4 * 3_600 * SECOND + 59 * SECOND, '1d 4h'],
  [DAY + 59 * SECOND, '1d'],
  [365 * DAY, '1y'],
  [(8 * 365 + 307) * DAY, '8y 307d'],
])('%i ms are %s', (milliseconds, expected) => {
  expect(span(milliseconds)).toBe(expected);
});

test('a time is seen from now', () => {
  expect(fromNow(DAY, 0)).toBe('in 1d');
  expect(fromNow(0, 90 * SECOND)).toBe('1m 30s ago');
  expect(fromNow(5, 5)).toBe('0s ago');
});

test('text from Atlas cannot do anything to a terminal', () => {
  expect(shown('a\u001b[31mb\r\nc\u009bd\u202ee')).toBe('a [31mb c d e');
});
