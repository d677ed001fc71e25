import { setTimeout as delay } from 'node:timers/promises';

/** How long {@link eventually} goes on trying, and how long it rests between two tries. */
export interface EventuallyOptions {
  readonly timeoutMs?: number;
  readonly intervalMs?: number;
}

/**
 * Calls `fn` until it stops throwing and gives back what it returned: the way for a test to wait for a condition.
 * After `timeoutMs` (30 s) it rejects with the description and the last error.
 */
export async function eventually<T>(
  description: string,
  fn: () => T | Promise<T>,
  { timeoutMs = 30_000, intervalMs = 50 }: EventuallyOptions = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown = timedOut;
  for (;;) {
    const left = deadline - performance.now();
    if (left <= 0) {
      const reason = Error.isError(last) ? last.message : String(last);
      throw new Error(`${description}: not within ${timeoutMs} ms; last error: ${reason}`, { cause: last });
    }
    try {
      return await within(left, fn);
    } catch (error) {
      if (error !== timedOut) last = error;
    }
    await delay(Math.max(0, Math.min(intervalMs, deadline - performance.now())));
  }
}

const timedOut = new Error('a try was still running');

/** A try that never settles would otherwise hide the description behind the test runner's own timeout. */
async function within<T>(ms: number, fn: () => T | Promise<T>): Promise<T> {
  const timer = new AbortController();
  const expiry = delay(ms, undefined, { signal: timer.signal }).then(() => {
    throw timedOut;
  });
  expiry.catch(() => {});
  try {
    return await Promise.race([fn(), expiry]);
  } finally {
    timer.abort();
  }
}
