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
  const { meaning, remedy } = KNOWN[code] ?? {};
  const words = meaning === undefined ? code || 'unknown error' : `${meaning}, ${code}`;
  const message = `${path} cannot be ${done} (${words}).${remedy === undefined ? '' : ` ${remedy}`}`;
  return new DownloadError('NOT_WRITTEN', message, cause);
}

const FREE_SPACE = 'Free some space and run the command again: it goes on where it was.';
const OTHER_DIRECTORY = 'Choose another one with --directory.';
const PERMISSION = {
  meaning: 'permission denied',
  remedy: 'Give this user the right to the file and its directory.',
};

const KNOWN: Readonly<Record<string, { readonly meaning: string; readonly remedy?: string }>> = {
  ENOSPC: { meaning: 'no space is left', remedy: FREE_SPACE },
  EDQUOT: { meaning: 'the quota is used up', remedy: FREE_SPACE },
  EFBIG: {
    meaning: 'a file of this size is not allowed here',
    remedy: 'Choose a file system that takes it with --directory, or raise the limit (ulimit -f).',
  },
  EACCES: PERMISSION,
  EPERM: PERMISSION,
  EROFS: { meaning: 'the file system is read-only', remedy: OTHER_DIRECTORY },
  ENOENT: { meaning: 'the directory does not exist', remedy: 'Create it, or choose another one with --directory.' },
  ENOTDIR: { meaning: 'the directory is none', remedy: OTHER_DIRECTORY },
  EISDIR: { meaning: 'it is no file', remedy: 'Move it away, or choose another name with --file-name.' },
  ELOOP: { meaning: 'it is a symbolic link', remedy: 'Remove it, or choose another name with --file-name.' },
  EIO: { meaning: 'the device failed' },
};
