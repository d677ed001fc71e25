import { describe, expect, test } from '@jest/globals';
import { announcedDate, createDeprecationWatch, type DeprecationNotice } from '../../../src/atlas/deprecation.ts';

test.each([
  ['@1767225600', 1_767_225_600],
  ['@0', 0],
  ['Thu, 31 Dec 2026 00:00:00 GMT', 1_798_675_200],
  ['Thursday, 31-Dec-26 00:00:00 GMT', 1_798_675_200],
  ['true', undefined],
  ['2026-12-31', undefined],
  ['soon 5', undefined],
  ['@', undefined],
  ['@-1', undefined],
  ['@123456789012', undefined],
  ['', undefined],
  [undefined, undefined],
])('the date of %j is %j', (text, seconds) => {
  expect(announcedDate(text)).toBe(seconds);
});

describe('each notice is passed on once', () => {
  function watch() {
    const notices: DeprecationNotice[] = [];
    return { notices, look: createDeprecationWatch((notice) => notices.push(notice)) };
  }

  test('also one that comes later with another date, and when both come by turns', () => {
    const { notices, look } = watch();
    const [early, late] = [{ deprecation: '@1' }, { deprecation: '@1', sunset: 'Thu, 31 Dec 2026 00:00:00 GMT' }];
    for (const headers of [{}, early, early, late, early, late]) look(headers);
    expect(notices).toEqual([{ ...early, sunset: undefined }, late]);
  });

  test('but no more than ten of a server that never repeats one', () => {
    const { notices, look } = watch();
    for (let second = 0; second < 100; second += 1) look({ deprecation: `@${second}` });
    expect(notices).toHaveLength(10);
  });
});
