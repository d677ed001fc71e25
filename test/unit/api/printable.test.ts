import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { printable, printableBytes } from '../../../src/api/printable.ts';

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 2_000 }),
  fc.string({ unit: fc.constantFrom('\n', '\r', '\u0000', '\u001b', '\u202e', '\u2028', '\ud800', 'é', '😀', ' ') }),
  fc.constantFrom('x'.repeat(100_000), '\n'.repeat(100_000), '😀'.repeat(50_000)),
);

describe('printable text', () => {
  test('is bounded, well-formed and without control characters', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 400 }), (text, maxLength) => {
        const clean = printable(text, maxLength);
        expect(clean.length).toBeLessThanOrEqual(maxLength);
        expect(clean.isWellFormed()).toBe(true);
        expect(clean).not.toMatch(UNPRINTABLE);
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ['stays as it is', 'Jäsøn – 😀', 20, 'Jäsøn – 😀'],
    ['loses line ends', ' a\r\n\tb\u0000c\u202ed ', 20, 'a b c d'],
    ['of just the length stays whole', 'abcde', 5, 'abcde'],
    ['that is longer is cut', 'abcdef', 5, 'abcd…'],
    ['is not cut inside of a character that anybody would see', 'abc😀def', 5, 'abc\ufffd…'],
  ])('%s', (_, text, maxLength, expected) => {
    expect(printable(text, maxLength)).toBe(expected);
  });
});

describe('printable text, bounded in bytes', () => {
  test('keeps the bound and cuts between characters', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 8, max: 400 }), (text, maxBytes) => {
        const clean = printableBytes(text, maxBytes);
        expect(Buffer.byteLength(clean)).toBeLessThanOrEqual(maxBytes);
        expect(clean).not.toMatch(UNPRINTABLE);
      }),
      { numRuns: 500 },
    );
    expect(printableBytes('éééééééé', 9)).toBe('ééé…');
    expect(printableBytes('abc', 3)).toBe('abc');
  });
});
