import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { terminalProgress } from '../support/control-plane/progress.ts';

let written: string;
const write = (text: string): void => {
  written += text;
};

beforeEach(() => {
  written = '';
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

test('on a terminal, one line moves, also while nothing is told, and is ended at last', () => {
  const progress = terminalProgress({ isTTY: true, columns: 80, write });
  progress({ stage: 'building', detail: '1/4 packages', fraction: 0.25 });
  jest.advanceTimersByTime(62_000);
  progress({ stage: 'built', final: true });
  const drawn = written.split('\r\u001b[2K');
  expect(drawn[1]).toBe('building  1/4 packages  25 %  0 s');
  expect(drawn[2]).toBe('building  1/4 packages  25 %  1 s');
  expect(drawn.at(-2)).toBe('building  1/4 packages  25 %  1 min 2 s');
  expect(drawn.at(-1)).toBe('built  1 min 2 s\n');
  written = '';
  jest.advanceTimersByTime(10_000);
  expect(written).toBe('');
});

test('a line is no wider than the terminal', () => {
  terminalProgress({ isTTY: true, columns: 10, write })({ stage: 'building many things', final: true });
  expect(written).toBe('\r\u001b[2Kbuilding \n');
});

test('elsewhere, a line is written for every stage and every ten percent', () => {
  const progress = terminalProgress({ write });
  for (let done = 0; done <= 100; done += 1) progress({ stage: 'building', fraction: done / 100 });
  progress({ stage: 'built', final: true });
  const tens = [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100];
  expect(written).toBe([...tens.map((ten) => `building  ${ten} %  0 s`), 'built  0 s', ''].join('\n'));
});
