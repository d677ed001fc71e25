import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { readLines, StalledError, startStallTimer } from '../../../src/kube/watch-stream.ts';

const deaf = { feed: () => {} };

async function* chunked(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield await Promise.resolve(chunk);
}

async function lines(chunks: readonly Uint8Array[]): Promise<readonly string[]> {
  const read: string[] = [];
  for await (const line of readLines(chunked(chunks), deaf)) read.push(line);
  return read;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('lines', () => {
  test.each([
    ['several in one chunk', ['a\nb\nc\n'], ['a', 'b', 'c']],
    ['one in several chunks', ['{"a', '":', '1}\n'], ['{"a":1}']],
    ['the end of one and the beginning of the next', ['a', '\nb', '\n'], ['a', 'b']],
    ['a last one that is cut off is thrown away', ['a\nb'], ['a']],
    ['nothing but one that is cut off', ['{"type":"ADDED"'], []],
    ['empty ones are left out', ['\n\na\n \n\n', '\n'], ['a']],
    ['empty chunks', ['', 'a', '', '\n', ''], ['a']],
    ['nothing', [], []],
  ])('%s', async (_name, chunks, expected) => {
    expect(await lines(chunks.map(bytes))).toEqual(expected);
  });

  test('a character that is cut in its middle is whole again', async () => {
    const whole = bytes('{"name":"Zürich 🦙"}\n');
    for (let cut = 1; cut < whole.length; cut++)
      expect(await lines([whole.subarray(0, cut), whole.subarray(cut)])).toEqual(['{"name":"Zürich 🦙"}']);
  });

  test('any split of the bytes gives the same lines', async () => {
    const texts = fc.array(
      fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\n') && text.trim() !== ''),
    );
    await fc.assert(
      fc.asyncProperty(texts, fc.string({ unit: 'grapheme' }), fc.array(fc.nat()), async (expected, rest, cuts) => {
        const cutOff = rest.replaceAll('\n', '');
        const all = bytes(expected.map((text) => `${text}\n`).join('') + cutOff);
        const at = [0, ...cuts.map((cut) => cut % (all.length + 1)), all.length].toSorted((a, b) => a - b);
        const chunks = at.slice(1).map((end, index) => all.subarray(at[index], end));
        // What is no Unicode becomes a replacement character, wherever it is cut.
        expect(await lines(chunks)).toEqual(expected.map((text) => text.toWellFormed()));
      }),
    );
  });

  test('a line that never ends is an error before it fills the memory', async () => {
    async function* endless(): AsyncGenerator<Uint8Array> {
      const chunk = new Uint8Array(1_024 * 1_024).fill(0x61);
      for (;;) yield await Promise.resolve(chunk);
    }
    const reading = readLines(endless(), deaf).next();
    await expect(reading).rejects.toThrow('a line of the watch is longer than 16777216 bytes');
  });

  test('many lines that together are longer are none', async () => {
    const chunk = new Uint8Array(1_024 * 1_024).fill(0x61);
    chunk[chunk.length / 2] = 0x0a;
    expect(await lines(Array.from({ length: 40 }, () => chunk))).toHaveLength(40);
  });

  test('every chunk feeds the timer, whether it ends a line or not', async () => {
    let fed = 0;
    const reading = readLines(chunked(['a', 'b', '\n', 'c'].map(bytes)), { feed: () => void fed++ });
    for await (const line of reading) expect(line).toBe('ab');
    expect(fed).toBe(4);
  });

  test('who stops reading ends the stream', async () => {
    let closed = false;
    async function* stream(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield await Promise.resolve(bytes('a\n'));
      } finally {
        closed = true;
      }
    }
    for await (const line of readLines(stream(), deaf)) {
      expect(line).toBe('a');
      break;
    }
    expect(closed).toBe(true);
  });
});

describe('the stall timer', () => {
  const never = new AbortController().signal;

  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  test('fires when nothing came at all', () => {
    const stall = startStallTimer(1_000, never);
    jest.advanceTimersByTime(999);
    expect([stall.stalled(), stall.signal.aborted]).toEqual([false, false]);
    stall.throwIfStalled();
    jest.advanceTimersByTime(1);
    expect([stall.stalled(), stall.signal.aborted]).toEqual([true, true]);
    expect(() => stall.throwIfStalled()).toThrow(StalledError);
    expect(() => stall.throwIfStalled()).toThrow('nothing came for 1 s');
    expect(stall.signal.reason).toBeInstanceOf(StalledError);
  });

  test('every byte puts it off by the whole limit', () => {
    const stall = startStallTimer(1_000, never);
    for (let time = 0; time < 10; time++) {
      jest.advanceTimersByTime(900);
      stall.feed();
    }
    jest.advanceTimersByTime(999);
    expect(stall.stalled()).toBe(false);
    jest.advanceTimersByTime(1);
    expect(stall.stalled()).toBe(true);
  });

  test('with a shorter limit in between: not before the first limit, and then after the shorter one', () => {
    const stall = startStallTimer(10_000, never, 2_000);
    jest.advanceTimersByTime(1_000);
    stall.feed();
    // Silent for longer than the shorter limit, but a watch may be quiet until its end.
    jest.advanceTimersByTime(8_999);
    expect(stall.stalled()).toBe(false);
    stall.feed();
    jest.advanceTimersByTime(1_999);
    expect(stall.stalled()).toBe(false);
    jest.advanceTimersByTime(1);
    expect(stall.stalled()).toBe(true);
  });

  test('a byte long before the first limit does not put that off', () => {
    const stall = startStallTimer(10_000, never, 2_000);
    jest.advanceTimersByTime(1_000);
    stall.feed();
    jest.advanceTimersByTime(9_000);
    expect(stall.stalled()).toBe(true);
  });

  test('the signal that was given aborts the other, too, and is no stall', () => {
    const given = new AbortController();
    const stall = startStallTimer(1_000, given.signal);
    given.abort(new Error('the end'));
    expect([stall.signal.aborted, stall.stalled()]).toEqual([true, false]);
    expect(stall.signal.reason).toEqual(new Error('the end'));
    stall.throwIfStalled();
  });

  test('stopped it never fires and leaves no timer', () => {
    const stall = startStallTimer(1_000, never);
    jest.advanceTimersByTime(500);
    stall.feed();
    jest.advanceTimersByTime(600);
    stall.stop();
    expect(jest.getTimerCount()).toBe(0);
    jest.advanceTimersByTime(10_000);
    expect(stall.stalled()).toBe(false);
  });
});
