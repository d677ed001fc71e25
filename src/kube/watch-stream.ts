/** The lines of a watch, and the timer that finds a connection on which nothing comes any more. */

export interface StallTimer {
  /** Aborted when the stream stalls, and together with the signal that was given. */
  readonly signal: AbortSignal;
  /** Bytes came. */
  readonly feed: () => void;
  readonly stalled: () => boolean;
  readonly throwIfStalled: () => void;
  readonly stop: () => void;
}

/** Nothing came for too long: the connection is dead although nobody closed it. */
export class StalledError extends Error {
  override readonly name = 'StalledError';
}

/**
 * Starts a timer that fires `limitMs` after its start or, when that is later, `betweenMs` after the last byte.
 * `betweenMs` is `limitMs` when absent.
 */
export function startStallTimer(limitMs: number, signal: AbortSignal, betweenMs = limitMs): StallTimer {
  const stalled = new AbortController();
  const startedAt = performance.now();
  let fedAt = startedAt;
  let timer = setTimeout(check, limitMs);

  // One timer that looks at the clock when it fires, instead of a new one for every chunk.
  function check(): void {
    const due = Math.max(startedAt + limitMs, fedAt + betweenMs);
    const left = due - performance.now();
    if (left > 0) timer = setTimeout(check, Math.ceil(left));
    else stalled.abort(new StalledError(`nothing came for ${Math.round((performance.now() - fedAt) / 1_000)} s`));
  }

  return {
    signal: AbortSignal.any([signal, stalled.signal]),
    feed: () => {
      fedAt = performance.now();
    },
    stalled: () => stalled.signal.aborted,
    throwIfStalled: () => stalled.signal.throwIfAborted(),
    stop: () => clearTimeout(timer),
  };
}

/** A line longer than this is no event of ours: etcd takes objects of at most 1.5 MiB. */
const MAX_LINE_BYTES = 16 * 1_024 * 1_024;
const NEWLINE = 0x0a;
const UTF8 = new TextDecoder();

/**
 * The lines of a stream of bytes, without their ends. Bytes are joined before they are decoded: chunks end anywhere,
 * also inside a character. A last line without an end is thrown away, it is cut off.
 */
export async function* readLines(
  stream: AsyncIterable<Uint8Array>,
  stall: Pick<StallTimer, 'feed'>,
): AsyncGenerator<string> {
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  for await (const chunk of stream) {
    stall.feed();
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const last = chunk.subarray(start, end);
      const line = UTF8.decode(pending.length === 0 ? last : Buffer.concat([...pending, last]));
      pending = [];
      pendingBytes = 0;
      start = end + 1;
      if (line.trim() !== '') yield line;
    }
    if (start < chunk.length) {
      pending.push(chunk.subarray(start));
      pendingBytes += chunk.length - start;
      if (pendingBytes > MAX_LINE_BYTES) throw new Error(`a line of the watch is longer than ${MAX_LINE_BYTES} bytes`);
    }
  }
}
