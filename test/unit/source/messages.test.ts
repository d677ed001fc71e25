/** Meaning stands in fields: a message that is read back would make its words part of the behavior. */
import { globSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';

const FILES = globSync('src/**/*.ts');

/** A text method or a regular expression on something called message, note or detail. */
const READ_BACK = [
  /\b(message|note|detail)\??\.(endsWith|startsWith|includes|indexOf|match|matchAll|search|split)\(/i,
  /\.(exec|test)\([^)]*\b(\w*\.)?(message|note|detail)\b/i,
];

test('there is something to look at', () => {
  expect(FILES.length).toBeGreaterThan(50);
});

describe('no message of a condition, an event or an error is read back', () => {
  test.each(FILES)('%s', (file) => {
    const lines = readFileSync(file, 'utf8').split('\n');
    expect(lines.filter((line) => READ_BACK.some((pattern) => pattern.test(line)))).toEqual([]);
  });
});

test.each([
  "if (before.message.endsWith('soon')) return;",
  'const code = /answered (\\d+)/.exec(condition.message)?.[1];',
  "error.message?.includes('404')",
])('would be found: %s', (line) => {
  expect(READ_BACK.some((pattern) => pattern.test(line))).toBe(true);
});
