import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { pino } from 'pino';
import { KubeError } from '../../../src/kube/errors.ts';
import { createLeaseLog } from '../../../src/run/lease-log.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

function setup() {
  const lines: Record<string, unknown>[] = [];
  const log = pino(
    { level: 'trace', formatters: { level: (level) => ({ level }) } },
    { write: (line) => lines.push(JSON.parse(line)) },
  );
  const count = (level: string): number => lines.filter((line) => line['level'] === level).length;
  return { leaseLog: createLeaseLog(log, 'operators/lease'), lines, count };
}

const away = new KubeError('the API server cannot be reached', { status: 0 });

test('a lease that cannot be read is one warning a minute, and one line when it is over', () => {
  const { leaseLog, lines, count } = setup();
  for (let attempt = 0; attempt < 60; attempt++) {
    leaseLog.failed(away);
    jest.advanceTimersByTime(2_000);
  }
  expect([count('warn'), count('debug'), count('info')]).toEqual([2, 58, 0]);
  expect(lines[0]).toMatchObject({
    level: 'warn',
    lease: 'operators/lease',
    error: 'the API server cannot be reached',
    msg: 'the lease could not be read or written',
  });
  leaseLog.recovered();
  expect(lines.at(-1)).toMatchObject({
    level: 'info',
    failures: 60,
    seconds: 120,
    msg: 'the lease can be read and written again',
  });
});

test('trouble that comes and goes is no flood of warnings', () => {
  const { leaseLog, count } = setup();
  for (let attempt = 0; attempt < 10; attempt++) {
    leaseLog.failed(away);
    leaseLog.recovered();
    jest.advanceTimersByTime(2_000);
  }
  expect(count('warn')).toBe(1);
});

test('nothing is said of an end of nothing', () => {
  const { leaseLog, lines } = setup();
  leaseLog.recovered();
  expect(lines).toEqual([]);
});
