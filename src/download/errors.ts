/** Every way in which a download fails, as one error class with stable codes in one table; those of files by their cause. */
import { CommandError } from '../command/command-error.ts';
import { DOWNLOAD_EXIT_CODES } from './exit-codes.ts';

/** The codes of DownloadError, each with the exit code that it leads to. */
const EXITS = {
  NOT_READY: 'notReady',
  JOB_FAILED: 'failed',
  /** Expired, used up, failed, or an automated restore. */
  NOTHING_TO_DOWNLOAD: 'nothing',
  /** The delivery Secret of the resource is not there. */
  SECRET_MISSING: 'notFetched',
  /** The resource keeps the download from whoever reads it. */
  LINK_WITHHELD: 'usage',
  RESOURCE_NOT_FOUND: 'notFound',
  RESOURCE_FORBIDDEN: 'noAccess',
  /** What Atlas calls URL, header or file is none that can be used. */
  LINK_UNUSABLE: 'notFetched',
  /** The download host does not give the file. */
  NOT_FETCHED: 'notFetched',
  /** Directory, part or file cannot be read or written. */
  NOT_WRITTEN: 'notFetched',
  /** Another process writes the same file. */
  PART_IN_USE: 'notFetched',
  SHA1_UNAVAILABLE: 'usage',
} as const satisfies Readonly<Record<string, keyof typeof DOWNLOAD_EXIT_CODES>>;
export type DownloadErrorCode = keyof typeof EXITS;

/** A download that ended without the file. The message never has a URL or the value of a header. */
export class DownloadError extends CommandError {
  override readonly name = 'DownloadError';
  readonly code: DownloadErrorCode;

  constructor(code: DownloadErrorCode, message: string, cause?: unknown) {
    super(message, DOWNLOAD_EXIT_CODES[EXITS[code]].code, cause);
    this.code = code;
  }
}

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
