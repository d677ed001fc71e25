/** SHA-1, the hash that Atlas gives of its files. */
import { createHash, type Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { DownloadError } from './errors.ts';

/** Throws DownloadError where this Node.js has no SHA-1. */
export function createSha1(): Hash {
  try {
    return createHash('sha1');
  } catch (cause) {
    const message =
      'This Node.js does not compute SHA-1, which the hashes of restore jobs are, as in FIPS mode. Run the command outside of FIPS mode.';
    throw new DownloadError('SHA1_UNAVAILABLE', message, cause);
  }
}

const CHUNK_BYTES = 1_024 ** 2;

/** Adds the first `bytes` of a file to the hash. Rejects with the error of the file system, or the reason of the signal. */
export async function hashFile(
  handle: FileHandle,
  hash: Hash,
  bytes: number,
  onRead: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let position = 0; position < bytes; ) {
    signal.throwIfAborted();
    const { bytesRead } = await handle.read(buffer, 0, Math.min(CHUNK_BYTES, bytes - position), position);
    if (bytesRead === 0) throw new Error('the file is shorter than it was');
    hash.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
    onRead(position);
  }
}
