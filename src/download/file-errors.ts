/** Errors of the file system, as sentences that name the path and the cause. */
import { DownloadError } from './errors.ts';

/** The code of a system error; empty where it has none. */
export const codeOf = (error: unknown): string => (Error.isError(error) && 'code' in error ? String(error.code) : '');

/** The error of a path that cannot be written. */
export const notWritten = (path: string, cause: unknown): DownloadError => fileError(path, 'written', cause);

/** The error of a path that cannot be read. */
export const notRead = (path: string, cause: unknown): DownloadError => fileError(path, 'read', cause);

function fileError(path: string, done: 'read' | 'written', cause: unknown): DownloadError {
  if (cause instanceof DownloadError) return cause;
  const code = codeOf(cause);
  const meaning = MEANINGS[code];
  const words = meaning === undefined ? code || 'unknown error' : `${meaning}, ${code}`;
  return new DownloadError('NOT_WRITTEN', `${path} cannot be ${done} (${words}).`, cause);
}

const MEANINGS: Readonly<Record<string, string>> = {
  ENOSPC: 'no space is left',
  EDQUOT: 'the quota is used up',
  EFBIG: 'the file system takes no file of this size',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOENT: 'the directory does not exist',
  ENOTDIR: 'the directory is none',
  EISDIR: 'it is no file',
  ELOOP: 'it is a symbolic link',
  EIO: 'the device failed',
};
