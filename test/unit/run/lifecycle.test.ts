import { expect, test } from '@jest/globals';
import { pino } from 'pino';
import { createLifecycle, type Lifecycle } from '../../../src/run/lifecycle.ts';

function setup() {
  const lines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line) => lines.push(JSON.parse(line).msg) });
  return { lifecycle: createLifecycle(log), lines };
}

const RUNNING: Lifecycle = { kind: 'running', resources: 3 };
const stopping = (cause: 'signal' | 'leaseLost'): Lifecycle => ({ kind: 'stopping', cause, reconciles: 1 });

test('goes from the start to the end, and the log tells of it', () => {
  const { lifecycle, lines } = setup();
  expect(lifecycle.get()).toEqual({ kind: 'starting' });
  for (const next of [{ kind: 'syncing' } as const, { kind: 'standby' } as const, RUNNING, stopping('signal')]) {
    expect(lifecycle.enter(next)).toBe(true);
    expect(lifecycle.get()).toEqual(next);
  }
  expect(lifecycle.enter({ kind: 'stopped', cause: 'signal' })).toBe(true);
  expect(lines).toEqual([
    'starting workers',
    'stopping: running reconciles are finished, no further ones begin',
    'stopped',
  ]);
});

test('a lost lease is no stop in order', () => {
  const { lifecycle, lines } = setup();
  for (const next of [RUNNING, stopping('leaseLost'), { kind: 'stopped', cause: 'leaseLost' } as const])
    lifecycle.enter(next);
  expect(lines).toEqual(['starting workers', 'lease lost: stopped without releasing it']);
});

test('there is no way back: workers do not start once a stop has begun', () => {
  const { lifecycle, lines } = setup();
  lifecycle.enter(stopping('signal'));
  lines.length = 0;
  expect([lifecycle.enter(RUNNING), lifecycle.enter(stopping('leaseLost')), lines]).toEqual([false, false, []]);
  expect(lifecycle.get()).toEqual(stopping('signal'));
});
