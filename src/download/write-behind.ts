/** Writes pieces of a body to a file, several at once and behind the reader, so that reading and writing overlap. */
import { writev } from 'node:fs';
import type { Flow } from '../net/http-stream.ts';
import { createCollector } from './young-garbage.ts';

export interface WriteBehind {
  /** Takes a piece; pauses the flow while too much waits, and resumes it. Throws what an earlier write failed with. */
  readonly write: (chunk: Buffer, flow: Flow) => void;
  /** Resolves when all pieces are in the file. Rejects with the error of the file system. */
  readonly flush: () => Promise<void>;
}

/** Bytes that one write takes: fewer, larger writes cost less. */
const BATCH_BYTES = 1_024 ** 2;
/** Bytes that wait in memory at most, but for the piece or two that come after a pause. */
const MAX_WAITING_BYTES = 4 * BATCH_BYTES;
/** Bytes that have been written before their buffers are collected. */
const COLLECT_BYTES = 8 * BATCH_BYTES;

/** `position`: where the first byte goes. */
export function createWriteBehind(fd: number, position: number): WriteBehind {
  const collectYoungGarbage = createCollector();
  let next = position;
  let [queue, queuedBytes]: [Buffer[], number] = [[], 0];
  let [isWriting, writingBytes] = [false, 0];
  let failure: Error | undefined;
  let paused: Flow | undefined;
  let flushing: PromiseWithResolvers<void> | undefined;
  let collectedAt = position;

  function collect(): void {
    if (next - collectedAt < COLLECT_BYTES) return;
    collectedAt = next;
    collectYoungGarbage();
  }

  function begin(): void {
    const batch = queue;
    writingBytes = queuedBytes;
    [queue, queuedBytes] = [[], 0];
    isWriting = true;
    writeAll(fd, batch, writingBytes, next, (error) => {
      next += writingBytes;
      [isWriting, writingBytes] = [false, 0];
      if (error !== null) failure ??= error;
      collect();
      goOn();
    });
  }

  function goOn(): void {
    if (failure === undefined && (queuedBytes >= BATCH_BYTES || (flushing !== undefined && queuedBytes > 0))) begin();
    if (failure !== undefined) flushing?.reject(failure);
    else if (!isWriting && queuedBytes === 0) flushing?.resolve();
    // After a failure too: the next piece is told of it.
    const { resume } = paused ?? {};
    paused = undefined;
    resume?.();
  }

  return {
    write: (chunk, flow) => {
      if (failure !== undefined) throw failure;
      queue.push(chunk);
      queuedBytes += chunk.byteLength;
      if (!isWriting && queuedBytes >= BATCH_BYTES) begin();
      if (queuedBytes + writingBytes < MAX_WAITING_BYTES || paused !== undefined) return;
      paused = flow;
      flow.pause();
    },
    flush: async () => {
      flushing = Promise.withResolvers();
      const { promise } = flushing;
      if (!isWriting) goOn();
      await promise.finally(() => {
        flushing = undefined;
      });
    },
  };
}

/** A write can take less than all of it, as on a disk that is nearly full. */
function writeAll(
  fd: number,
  buffers: readonly Buffer[],
  bytes: number,
  position: number,
  done: (error: Error | null) => void,
): void {
  writev(fd, buffers, position, (error, written) => {
    if (error !== null || written === bytes) done(error);
    else if (written === 0) done(new Error('nothing was written'));
    else writeAll(fd, withoutFirst(buffers, written), bytes - written, position + written, done);
  });
}

function withoutFirst(buffers: readonly Buffer[], bytes: number): readonly Buffer[] {
  let rest = bytes;
  return buffers.flatMap((buffer) => {
    const cut = Math.min(rest, buffer.byteLength);
    rest -= cut;
    return cut === buffer.byteLength ? [] : [buffer.subarray(cut)];
  });
}
