import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { RestoreJobResponse } from '../../../src/api/restore-job.ts';
import { AtlasError, errorFromResponse } from '../../../src/atlas/errors.ts';
import { type WatchEnd, type WatchOptions, watchJob } from '../../../src/get/watch.ts';
import { createWatchDisplay } from '../../../src/get/watch-display.ts';
import { reasonOfAtlasFailure } from '../../../src/restore-job/atlas-failures.ts';
import { hasEnded, jobState } from '../../../src/restore-job/state.ts';
import {
  brokenJob,
  killedJob,
  openJob,
  pendingDownload,
  PUBLISHED_EXAMPLE_JOB as REF,
  youngJob,
} from '../../support/atlas-simulator/recorded-bodies.ts';
import { responseOf } from '../support/resources.ts';

const RUNNING = responseOf(youngJob(REF));
const FINISHED = responseOf(pendingDownload(REF));
const failure = (httpStatus: number, retryAfterMs?: number) => errorFromResponse(httpStatus, undefined, retryAfterMs);

/** Watches with these responses; tells what was seen as `IN_PROGRESS` or `AtlasUnavailable 1`. */
async function watch(
  steps: ReadonlyArray<RestoreJobResponse | Error>,
  stop = new AbortController(),
  limits: Partial<WatchOptions> = {},
) {
  const seen: string[] = [];
  const rest = [...steps];
  const result = watchJob({
    fetch: () => {
      const step = rest.shift();
      return step instanceof Error ? Promise.reject(step) : Promise.resolve(step ?? FINISHED);
    },
    isEnd: ({ job }) => hasEnded(jobState(job)),
    intervalMs: 1,
    timeoutMs: undefined,
    onResponse: ({ job }) => seen.push(job.statusName ?? ''),
    onFailure: (error, againInMs) => {
      seen.push(`${reasonOfAtlasFailure(error)} ${againInMs}`);
      if (againInMs > 1) stop.abort();
    },
    signal: stop.signal,
    ...limits,
  });
  const ended = await result.then(inShort, (error: unknown) => error);
  return { seen, ended };
}

const inShort = (end: WatchEnd): string =>
  end.kind === 'ended'
    ? (end.response.job.statusName ?? '')
    : `timed out: ${end.response?.job.statusName ?? 'no response'}, ${end.failure?.code ?? 'no failure'}`;

/** A response that is not Atlas's. */
const PAGE = new AtlasError('ATLAS_NOT_A_RESTORE_JOB', 'Atlas answered 200, but not with a restore job');

describe('watching a job', () => {
  test('it goes on until the job has ended', async () => {
    expect(await watch([RUNNING, RUNNING, responseOf(openJob(REF)), FINISHED, RUNNING])).toEqual({
      seen: ['IN_PROGRESS', 'IN_PROGRESS', 'OPEN', 'FINISHED'],
      ended: 'FINISHED',
    });
    expect(await watch([responseOf(brokenJob(REF))])).toMatchObject({ ended: 'BROKEN' });
    expect(await watch([responseOf(killedJob(REF))])).toMatchObject({ ended: 'KILLED' });
  });

  test('what may pass is told and tried again', async () => {
    const { seen, ended } = await watch([failure(503), RUNNING, failure(429), FINISHED]);
    expect(seen).toEqual(['AtlasUnavailable 1', 'IN_PROGRESS', 'RateLimited 1', 'FINISHED']);
    expect(ended).toBe('FINISHED');
  });

  test.each([401, 402, 403, 404, 410])('what does not pass ends it: %i', async (status) => {
    const error = failure(status);
    expect(await watch([RUNNING, error, FINISHED])).toEqual({ seen: ['IN_PROGRESS'], ended: error });
  });

  test('it waits as long as Atlas asks, up to an hour', async () => {
    expect((await watch([failure(429, 55_000)])).seen).toEqual(['RateLimited 55000']);
    expect((await watch([failure(503, 86_400_000 * 30)])).seen).toEqual(['AtlasUnavailable 3600000']);
  });

  test('pages of a proxy for five minutes end it, and everything that Atlas says starts the five minutes again', async () => {
    /** Every request takes a minute. */
    const minutes = () => {
      let time = 0;
      return { clock: () => (time += 60_000) };
    };
    const pages = (count: number) => Array.from({ length: count }, () => PAGE);
    expect(await watch(pages(10), undefined, minutes())).toEqual({
      seen: Array.from({ length: 5 }, () => 'InvalidResponse 1'),
      ended: PAGE,
    });
    for (const word of [RUNNING, failure(503), failure(429)]) {
      const steps = [...pages(4), word, ...pages(4), FINISHED];
      expect(await watch(steps, undefined, minutes())).toMatchObject({ ended: 'FINISHED' });
    }
  });

  test('an outage does not end it, however long it is', async () => {
    let time = 0;
    const limits = { clock: () => (time += 3_600_000) };
    const outage = Array.from({ length: 20 }, () => failure(503));
    expect(await watch([...outage, FINISHED], undefined, limits)).toMatchObject({ ended: 'FINISHED' });
  });

  test('a timeout ends it with what is known', async () => {
    const late = async (steps: ReadonlyArray<RestoreJobResponse | Error>, more: Partial<WatchOptions>) =>
      (await watch(steps, undefined, { timeoutMs: 20, onFailure: () => undefined, ...more })).ended;
    expect(await late([RUNNING], { intervalMs: 600_000 })).toBe('timed out: IN_PROGRESS, no failure');
    expect(await late([RUNNING, failure(503, 600_000)], {})).toBe('timed out: IN_PROGRESS, ATLAS_SERVER_ERROR');
    expect(await late([], { fetch: () => new Promise(() => undefined) })).toBe('timed out: no response, no failure');
  });

  test('a response that comes too late is not shown', async () => {
    const stop = new AbortController();
    stop.abort();
    expect(await watch([RUNNING], stop)).toMatchObject({ seen: [], ended: { name: 'AbortError' } });
  });
});

describe('the display', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: Date.parse('2026-11-25T05:00:00Z') });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  function screen(isTTY: boolean, columns = 100) {
    let written = '';
    const display = createWatchDisplay(
      {
        isTTY,
        columns,
        write: (text) => {
          written += text;
        },
      },
      'atlas/v1.0',
    );
    return {
      display,
      /** What was written since the last look. */
      take: () => {
        const taken = written;
        written = '';
        return taken;
      },
    };
  }

  test('one line per change where there is no terminal', () => {
    const { display, take } = screen(false);
    display.onResponse(RUNNING);
    display.onResponse(RUNNING);
    expect(take()).toBe('2026-11-25T05:00:00.000Z IN_PROGRESS, delivery NOT_STARTED\n');
    jest.advanceTimersByTime(59_000);
    display.onFailure(failure(503), 10_000);
    display.onFailure(failure(503), 20_000);
    expect(take()).toBe(
      '2026-11-25T05:00:59.000Z Atlas answered 503. If it lasts, check the egress network and the status of Atlas. Asking again in 10s.\n',
    );
    display.onResponse(RUNNING);
    display.onResponse(FINISHED);
    display.close();
    expect(take().match(/Z .*/g)).toEqual(['Z IN_PROGRESS, delivery NOT_STARTED', 'Z FINISHED, delivery PENDING']);
  });

  test('and one a minute, so that nobody takes it for dead', () => {
    const { display, take } = screen(false);
    display.onResponse(RUNNING);
    take();
    jest.advanceTimersByTime(59_999);
    display.onResponse(RUNNING);
    expect(take()).toBe('');
    jest.advanceTimersByTime(60_001);
    expect(take()).toBe(
      '2026-11-25T05:01:00.000Z IN_PROGRESS, delivery NOT_STARTED\n2026-11-25T05:02:00.000Z IN_PROGRESS, delivery NOT_STARTED\n',
    );
    display.onFailure(failure(429, 90_000), 90_000);
    jest.advanceTimersByTime(60_000);
    expect(take().match(/Asking.*/g)).toEqual(['Asking again in 1m 30s.', 'Asking again in 30s.']);
    display.close();
    jest.advanceTimersByTime(120_000);
    expect(take()).toBe('');
  });

  test('one moving line on a terminal', () => {
    const { display, take } = screen(true);
    expect(take()).toBe('\r\u001b[Kasking Atlas | watched for 0s');
    display.onResponse(RUNNING);
    jest.advanceTimersByTime(61_000);
    const lines = take().split('\r\u001b[K');
    expect(lines.at(-1)).toBe('IN_PROGRESS, delivery NOT_STARTED | watched for 1m 1s');
    expect(lines).toHaveLength(63);
    expect(lines.join('')).not.toContain('\n');
    display.onFailure(failure(429, 55_000), 55_000);
    jest.advanceTimersByTime(5_000);
    const failed = take();
    expect(failed).toContain('Atlas answered 429. Try again later.\n');
    expect(failed.split('\r\u001b[K').at(-1)).toBe(
      'IN_PROGRESS, delivery NOT_STARTED | watched for 1m 6s | RateLimited, asking again in 50s',
    );
    display.onFailure(failure(429, 55_000), 55_000);
    expect(take()).not.toContain('\n');
    display.close();
    jest.advanceTimersByTime(5_000);
    expect(take()).toBe('\n');
  });

  test('the moving line never wraps, and its text is harmless', () => {
    const { display, take } = screen(true, 20);
    take();
    display.onResponse({ ...RUNNING, job: { statusName: `IN\u001b[2JPROGRESS${'x'.repeat(50)}` } });
    expect(take()).toBe('\r\u001b[KIN [2JPROGRESSxxxxx');
    display.close();
  });
});
