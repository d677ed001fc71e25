import { expect, jest, test } from '@jest/globals';
import { bytesText, createDisplay, createRate, transferText } from '../../../src/download/progress.ts';

test.each([
  [0, '0 B'],
  [1_023, '1023 B'],
  [1_024, '1.0 KiB'],
  [10_239, '9.9 KiB'],
  [10_240, '10 KiB'],
  [3 * 1_024 ** 3, '3.0 GiB'],
  [1_024 ** 5, '1024 TiB'],
])('%i bytes are %s', (bytes, text) => {
  expect(bytesText(bytes)).toBe(text);
});

test.each<[number, number | undefined, number, string]>([
  [1_024 ** 3, 4 * 1_024 ** 3, 100 * 1_024 ** 2, '1.0 GiB of 4.0 GiB (25%), 100 MiB/s, 30s left'],
  [1_024 ** 3, undefined, 100 * 1_024 ** 2, '1.0 GiB, 100 MiB/s'],
  [0, 100, 0, '0 B of 100 B (0%), 0 B/s'],
  [0, 0, 0, '0 B of 0 B (100%), 0 B/s'],
])('%i of %j at %i', (bytes, length, rate, text) => {
  expect(transferText(bytes, length, rate)).toBe(text);
});

test('a rate is that of the last ten seconds, and begins again with a download that does', () => {
  let now = 0;
  const rate = createRate(() => now);
  const at = (time: number, value: number): number => {
    now = time;
    return rate(value);
  };
  expect([at(0, 100), at(1_000, 300), at(11_000, 300), at(21_000, 300)]).toEqual([0, 200, 0, 0]);
  expect([at(22_000, 10), at(23_000, 60)]).toEqual([0, 50]);
});

function screen(isTTY: boolean, columns = 20) {
  const written: string[] = [];
  return { written, isTTY, columns, write: (text: string) => written.push(text) };
}

test('without a terminal: a line now and then where something changes', () => {
  jest.useFakeTimers();
  const { written, ...own } = screen(false);
  const display = createDisplay(own, 10_000);
  let bytes = 1;
  display.show(() => `${bytes} B`);
  jest.advanceTimersByTime(25_000);
  bytes = 2;
  jest.advanceTimersByTime(10_000);
  display.say('It broke\u001b[2J.');
  display.close();
  jest.advanceTimersByTime(100_000);
  expect(written).toEqual(['1 B\n', '2 B\n', 'It broke [2J.\n']);
  jest.useRealTimers();
});

test('on a terminal: one line that moves, and fits', () => {
  const { written, ...own } = screen(true);
  const display = createDisplay(own, 10_000);
  display.show(() => 'x'.repeat(50));
  display.say('A sentence.');
  display.close();
  display.close();
  const line = `\r\u001b[K${'x'.repeat(19)}`;
  expect(written).toEqual([line, '\r\u001b[KA sentence.\n', line, '\r\u001b[K']);
});

test('on a terminal that does not know its size: as wide as most', () => {
  const { written, ...own } = screen(true, 0);
  const display = createDisplay(own, 10_000);
  display.show(() => 'x'.repeat(200));
  display.close();
  expect(written[0]).toBe(`\r\u001b[K${'x'.repeat(79)}`);
});
