import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { pino } from 'pino';
import { errorFromContent, hasStatus, KubeError } from '../../../src/kube/errors.ts';
import { EmptyWatchError, UnfinishedListError, type WatchCause } from '../../../src/kube/reflector.ts';
import { createWatchLog } from '../../../src/kube/watch-log.ts';

const SECOND = 1_000;
const RESOURCE = { apiVersion: 'example.org/v1', kind: 'Thing', plural: 'things' };

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

function setup(namespace?: string) {
  const lines: Record<string, unknown>[] = [];
  const log = pino(
    { level: 'trace', formatters: { level: (level) => ({ level }) } },
    { write: (line) => lines.push(JSON.parse(line)) },
  );
  const interruptions = createWatchLog(log, RESOURCE, namespace);
  const said = (level: string): unknown[] => lines.filter((line) => line['level'] === level).map(({ msg }) => msg);
  return { interruptions, lines, said };
}
const kubeError = (status: number) => new KubeError(`the API server answered ${status}`, { status });

test('hundreds of interruptions are one warning, and one line when they are over', () => {
  const { interruptions, said, lines } = setup();
  for (let time = 0; time < 500; time++) {
    interruptions.interrupted('watch', kubeError(0), 1_234.5);
    jest.advanceTimersByTime(100);
  }
  expect(said('warn')).toEqual(['the API server cannot be reached']);
  expect(lines[0]).toMatchObject({ cause: 'watch', error: 'the API server answered 0', waitMs: 1_235 });
  interruptions.recovered();
  expect(said('info')).toEqual(['watching things again']);
  expect(lines.at(-1)).toMatchObject({ interruptions: 500, seconds: 50 });
  expect(said('debug')).toHaveLength(499);
  interruptions.interrupted('watch', kubeError(0), 0);
  interruptions.recovered();
  expect(lines.at(-1)).toMatchObject({ interruptions: 1, seconds: 0 });
});

test('trouble that lasts is mentioned again every minute', () => {
  const { interruptions, said } = setup();
  for (let second = 0; second < 180; second++) {
    interruptions.interrupted('list', kubeError(500), 0);
    jest.advanceTimersByTime(SECOND);
  }
  expect(said('warn')).toHaveLength(3);
});

test.each([403, 404])('what somebody has to mend (%i) is one warning, and again after an hour', (status) => {
  const { interruptions, said } = setup();
  for (let minute = 0; minute < 60; minute++) {
    interruptions.interrupted('list', kubeError(status), 0);
    jest.advanceTimersByTime(60 * SECOND);
  }
  expect(said('warn')).toHaveLength(1);
  interruptions.interrupted('list', kubeError(status), 0);
  expect(said('warn')).toHaveLength(2);
});

test('other trouble within a minute is information, later a warning: troubles that alternate are no flood', () => {
  const { interruptions, said } = setup();
  const forbidden = 'the operator may not list and watch things: check its Role or ClusterRole';
  interruptions.interrupted('watch', kubeError(0), 0);
  interruptions.interrupted('list', kubeError(403), 0);
  expect([said('warn'), said('info')]).toEqual([['the API server cannot be reached'], [forbidden]]);
  for (let time = 0; time < 100; time++) interruptions.interrupted('list', kubeError(time % 2 === 0 ? 0 : 403), 0);
  expect(said('warn')).toHaveLength(1);
  jest.advanceTimersByTime(60 * SECOND);
  interruptions.interrupted('list', kubeError(403), 0);
  expect(said('warn')).toEqual(['the API server cannot be reached', forbidden]);
});

test('the same trouble soon after it was over is no second warning', () => {
  const { interruptions, said } = setup();
  for (let time = 0; time < 5; time++) {
    interruptions.interrupted('watch', kubeError(500), 0);
    interruptions.recovered();
    jest.advanceTimersByTime(SECOND);
  }
  expect(said('warn')).toHaveLength(1);
});

test('a version that expired is everyday life: no warning', () => {
  const { interruptions, said } = setup();
  interruptions.interrupted('expired', kubeError(410), 0);
  expect(said('warn')).toEqual([]);
  expect(said('info')).toEqual(['the watch of things was too far behind, all are listed again']);
});

test('nothing is said of an end of nothing', () => {
  const { interruptions, lines } = setup();
  interruptions.recovered();
  expect(lines).toEqual([]);
});

describe('the present problem', () => {
  test.each<[WatchCause, unknown, RegExp]>([
    ['list', kubeError(404), /^the CustomResourceDefinition of things \(example.org\/v1\) is not installed: apply/],
    ['watch', kubeError(404), /is not installed/],
    ['list', kubeError(403), /may not list and watch/],
    ['watch', kubeError(401), /does not accept the operator's credentials/],
    ['list', kubeError(0), /cannot be reached/],
    ['watch', kubeError(0), /cannot be reached/],
    ['list', kubeError(500), /listing things failed/],
    ['watch', new Error('x'), /was interrupted/],
    ['stalled', new Error('x'), /went silent/],
    ['expired', kubeError(410), /too far behind/],
    ['list', new UnfinishedListError('x'), /from now on they are read by pages/],
    ['watch', new EmptyWatchError(), /ends at once and brings nothing/],
    ['watch', errorFromContent('WATCH /x', 302, 'a watch'), /something else than the API server responds/],
  ])('%s, %s', (cause, error, expected) => {
    const { interruptions } = setup();
    expect(interruptions.problem()).toBeUndefined();
    interruptions.interrupted(cause, error, 0);
    expect(interruptions.problem()?.sentence).toMatch(expected);
    expect(interruptions.problem()?.isMissing).toBe(hasStatus(error, 404));
    interruptions.recovered();
    expect(interruptions.problem()).toBeUndefined();
  });
});

test.each([
  ['payments', 'payments'],
  [undefined, undefined],
])('the namespace stands in the line (%s)', (namespace, expected) => {
  const { interruptions, lines } = setup(namespace);
  interruptions.interrupted('watch', kubeError(0), 0);
  interruptions.recovered();
  expect(lines.map((line) => line['watchedNamespace'])).toEqual([expected, expected]);
});
