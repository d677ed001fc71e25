/** Every way in which a download fails, as one error class with stable codes in one table. */
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
