import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { shareStrings } from '../../../src/kube/shared-strings.ts';

test('changes nothing of what a value says', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const before = JSON.stringify(value);
      expect(JSON.stringify(shareStrings(value))).toBe(before);
    }),
  );
});

test('tells strings apart that share their slot', () => {
  const texts = Array.from({ length: 50_000 }, (_, index) => `text ${index}`);
  expect(shareStrings([...texts, ...texts])).toEqual([...texts, ...texts]);
});

test('keeps equal strings once, wherever they stand', () => {
  const message = 'a message that many resources have, '.repeat(3);
  const text = JSON.stringify({ message, list: [message], deep: { er: { message }, list: [{ message }] } });
  const alone = bytesKept(() => JSON.parse(text));
  const shared = bytesKept(() => shareStrings(JSON.parse(text)));
  expect(shared).toBeLessThan(alone * 0.6);
});

/** Bytes that many of them take in the heap. */
function bytesKept(make: () => unknown): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  collect();
  const before = process.memoryUsage().heapUsed;
  const kept = Array.from({ length: 20_000 }, make);
  collect();
  const after = process.memoryUsage().heapUsed;
  // Still needed here: what nobody needs any more is collected.
  return kept.length === 0 ? 0 : after - before;
}
