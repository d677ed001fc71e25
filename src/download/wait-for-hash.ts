/** Atlas's hash of a file: known already, or waited for, because Atlas makes it only once the file was downloaded. */
import { setTimeout as sleep } from 'node:timers/promises';
import { unlessStopped } from '../command/command.ts';
import { hashOf, type JobView } from './job.ts';
import type { Limits } from './limits.ts';
import type { Display } from './progress.ts';
import { askedToWait, type JobSource, mayPass } from './source.ts';

export interface HashOptions {
  readonly source: JobSource;
  /** Milliseconds to wait for it. */
  readonly timeoutMs: number;
  readonly limits: Limits;
  readonly display: Display;
  readonly signal: AbortSignal;
}

/**
 * Atlas's hash of the file that Atlas calls `fileName`; undefined where it did not come in time. Throws what a look at the
 * job throws that does not pass by itself, and the reason of the signal.
 */
export async function waitForHash(
  { content }: Pick<JobView, 'content'>,
  fileName: string | undefined,
  { source, timeoutMs, limits, display, signal }: HashOptions,
): Promise<string | undefined> {
  const known = hashOf(content, fileName);
  if (known !== undefined) return known;
  const deadline = performance.now() + timeoutMs;
  let requestedAt = Number.NEGATIVE_INFINITY;
  display.show(() => 'waiting for the hash of the file');
  for (;;) {
    let pauseMs = limits.poll;
    try {
      if (performance.now() - requestedAt >= limits.requestReconcile) {
        requestedAt = performance.now();
        await unlessStopped(signal, source.requestHash());
      }
      const hash = hashOf((await unlessStopped(signal, source.look())).content, fileName);
      if (hash !== undefined) return hash;
    } catch (error) {
      signal.throwIfAborted();
      if (!mayPass(error)) throw error;
      pauseMs = Math.max(pauseMs, askedToWait(error));
    }
    const left = deadline - performance.now();
    if (left <= 0) return undefined;
    await sleep(Math.min(pauseMs, left), undefined, { signal });
  }
}
