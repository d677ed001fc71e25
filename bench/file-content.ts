/** What the files of the bench consist of. */
import { createHash } from 'node:crypto';

/** Repeated as often as needed. Not compressible, although nothing on the way compresses. */
export const BLOCK = Buffer.concat(
  Array.from({ length: 1_024 ** 2 / 20 + 1 }, (_, index) => createHash('sha1').update(String(index)).digest()),
).subarray(0, 1_024 ** 2);

/** The SHA-1 of a file. */
export function sha1OfFile(bytes: number): string {
  const hash = createHash('sha1');
  for (let rest = bytes; rest > 0; rest -= BLOCK.byteLength)
    hash.update(rest >= BLOCK.byteLength ? BLOCK : BLOCK.subarray(0, rest));
  return hash.digest('hex');
}
