/** Fetches a restore job again and again, until it has come to the end that is waited for. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RestoreJobResponse } from '../api/restore-job.ts';
import { AtlasError } from '../atlas/errors.ts';
import { unlessStopped } from '../command/command.ts';
import { reasonOfAtlasFailure } from '../restore-job/atlas-failures.ts';
import { entryOf } from '../restore-job/reasons.ts';

export interface WatchOptions {
  readonly fetch: () => Promise<RestoreJobResponse>;
  readonly isEnd: (response: RestoreJobResponse) => boolean;
  readonly intervalMs: number;
  /** Undefined: no limit. */
  readonly timeoutMs: number | undefined;
  readonly onResponse: (response: RestoreJobResponse) => void;
  /** A failure that may pass; the next request is so many milliseconds away. */
  readonly onFailure: (error: AtlasError, againInMs: number) => void;
  readonly signal: AbortSignal;
  /** Monotonic milliseconds. */
  readonly clock?: () => number;
}

export type WatchEnd =
  | { readonly kind: 'ended'; readonly response: RestoreJobResponse }
  /** The last response, if there was one; `failure` is why the request after it brought none. */
  | {
      readonly kind: 'timedOut';
      readonly response: RestoreJobResponse | undefined;
      readonly failure: AtlasError | undefined;
    };

/** How it ended. Rejects with a failure that does not pass, or once the signal is aborted. */
export async function watchJob(options: WatchOptions): Promise<WatchEnd> {
  const { timeoutMs, onResponse, onFailure, signal } = options;
  let response: RestoreJobResponse | undefined;
  let failure: AtlasError | undefined;
  const remembering: Pick<WatchOptions, 'onResponse' | 'onFailure'> = {
    onResponse: (received) => {
      response = received;
      failure = undefined;
      onResponse(received);
    },
    onFailure: (error, againInMs) => {
      failure = error;
      onFailure(error, againInMs);
    },
  };
  const late = new AbortController();
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => late.abort(), timeoutMs);
  const stop = AbortSignal.any([signal, late.signal]);
  try {
    const work = untilEnd({ ...options, ...remembering, signal: stop });
    return { kind: 'ended', response: await unlessStopped(stop, work) };
  } catch (error) {
    signal.throwIfAborted();
    if (!late.signal.aborted) throw error;
    return { kind: 'timedOut', response, failure };
  } finally {
    clearTimeout(timer);
  }
}

/** A page of a proxy that restarts passes; one that stays is a wrong address, or a proxy that wants a login. */
const LONGEST_UNREADABLE_MS = 300_000;

async function untilEnd(options: WatchOptions): Promise<RestoreJobResponse> {
  const { fetch, isEnd, intervalMs, onResponse, onFailure, signal, clock = () => performance.now() } = options;
  let unreadableSince: number | undefined;
  for (;;) {
    const result = await attempt(fetch);
    signal.throwIfAborted();
    let againInMs = intervalMs;
    if (result instanceof AtlasError) {
      const now = clock();
      unreadableSince = result.kind === 'invalidResponse' ? (unreadableSince ?? now) : undefined;
      if (unreadableSince !== undefined && now - unreadableSince >= LONGEST_UNREADABLE_MS) throw result;
      againInMs = Math.max(intervalMs, result.retryAfterMs ?? 0);
      onFailure(result, againInMs);
    } else {
      unreadableSince = undefined;
      onResponse(result);
      if (isEnd(result)) return result;
    }
    await sleep(againInMs, undefined, { signal });
  }
}

/** The response, or why there is none for now. */
async function attempt(fetch: WatchOptions['fetch']): Promise<RestoreJobResponse | AtlasError> {
  try {
    return await fetch();
  } catch (error) {
    if (error instanceof AtlasError && entryOf(reasonOfAtlasFailure(error)).retry !== 'permanent') return error;
    throw error;
  }
}
