import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatDuration, parseDuration } from '../../../src/api/duration.ts';

describe('reading', () => {
  test.each([
    ['90s', 90_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1_500],
    ['100ms', 100],
    ['1m0.001s', 60_001],
    ['0s', 0],
    ['1000us', 1],
    ['1000µs', 1],
    ['1000000ns', 1],
    ['1s1s', 2_000],
    ['1m1h', 3_660_000],
    ['007s', 7_000],
  ])('%s', (text, expected) => {
    expect(parseDuration(text)).toBeCloseTo(expected, 9);
  });

  test.each([
    '',
    ' ',
    '90',
    's',
    '1',
    '-1s',
    '+1s',
    '1 s',
    ' 1s',
    '1s ',
    '1d',
    '1S',
    '.5s',
    '1.s',
    '1.2.3s',
    '1s1',
    '1e3s',
    '1s\n',
  ])('"%s" is none', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  test('a number that no double holds is none', () => {
    expect(parseDuration(`${'9'.repeat(400)}h`)).toBeUndefined();
  });
});

describe('writing', () => {
  test.each([
    [5_400_000, '1h30m'],
    [1_500, '1.5s'],
    [0, '0s'],
    [0.4, '0s'],
    [1, '0.001s'],
    [59_999.6, '1m'],
    [86_400_000, '24h'],
    [3_600_000 + 1_000, '1h1s'],
  ])('%d', (milliseconds, expected) => {
    expect(formatDuration(milliseconds)).toBe(expected);
  });
});

describe('whatever the parts', () => {
  // Go's units, written down again, in nanoseconds.
  const NANOSECONDS = {
    ns: 1n,
    us: 1_000n,
    µs: 1_000n,
    ms: 1_000_000n,
    s: 1_000_000_000n,
    m: 60_000_000_000n,
    h: 3_600_000_000_000n,
  };
  const unit = fc.constantFrom(...(['ns', 'us', 'µs', 'ms', 's', 'm', 'h'] as const));
  const part = fc.record({
    whole: fc.nat({ max: 10_000 }),
    decimals: fc.option(fc.stringMatching(/^[0-9]{1,6}$/), { nil: undefined }),
    unit,
  });

  test('a duration is the sum of its parts, as in Go', () => {
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
        const text = parts
          .map(({ whole, decimals, unit: name }) => `${whole}${decimals === undefined ? '' : `.${decimals}`}${name}`)
          .join('');
        const millionths = parts.reduce((sum, { whole, decimals = '', unit: name }) => {
          const amount = BigInt(whole) * 1_000_000n + BigInt(decimals.padEnd(6, '0'));
          return sum + amount * NANOSECONDS[name];
        }, 0n);
        const expected = Number(millionths) / 1e12;
        const actual = parseDuration(text) ?? Number.NaN;
        expect(Math.abs(actual - expected)).toBeLessThanOrEqual(1e-12 * expected + 1e-9);
      }),
    );
  });

  test('what is written is read back', () => {
    fc.assert(
      fc.property(fc.nat({ max: 1_000 * 86_400_000 }), (milliseconds) => {
        expect(parseDuration(formatDuration(milliseconds))).toBeCloseTo(milliseconds, 3);
      }),
    );
  });

  test('no text makes it throw or give anything but a number of milliseconds or nothing', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9.hmsnuµ+-]*$/)), (text) => {
        const milliseconds = parseDuration(text);
        expect(milliseconds === undefined || (Number.isFinite(milliseconds) && milliseconds >= 0)).toBe(true);
      }),
    );
  });
});
