/** A file that is there already: fetched before, or by somebody else. */
import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { codeOf, notRead } from './errors.ts';
import type { DownloadFiles } from './file-name.ts';
import { createSha1, hashFile } from './sha1.ts';

/** Bytes of the file; undefined where there is none. Throws DownloadError. */
export async function presentBytes({ file }: DownloadFiles): Promise<number | undefined> {
  try {
    const stats = await stat(file);
    if (stats.isFile()) return stats.size;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw notRead(file, error);
  }
  throw notRead(file, Object.assign(new Error('not a file'), { code: 'EISDIR' }));
}

/** The SHA-1 beside the file, which says that it was verified; undefined where there is none. Throws DownloadError. */
export async function recordedSha1({ sha1 }: DownloadFiles): Promise<string | undefined> {
  try {
    return SHA1_LINE.exec(await readFile(sha1, 'utf8'))?.[1];
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw notRead(sha1, error);
  }
}

const SHA1_LINE = /^([0-9a-f]{40}) [ *]/;

/** Reads the file for its SHA-1. Throws DownloadError, and the reason of the signal. */
export async function computeSha1(
  { file }: DownloadFiles,
  bytes: number,
  onRead: (bytes: number) => void,
  signal: AbortSignal,
): Promise<string> {
  const hash = createSha1();
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, 'r');
    await hashFile(handle, hash, bytes, onRead, signal);
    return hash.digest('hex');
  } catch (error) {
    signal.throwIfAborted();
    throw notRead(file, error);
  } finally {
    await handle?.close();
  }
}
