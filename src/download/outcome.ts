/** What has become of a file. Pure. */
import { DOWNLOAD_EXIT_CODES } from './exit-codes.ts';
import type { PartInfo } from './part-info.ts';

/** Whether a complete file has the hash that Atlas names. */
export type Verification =
  | { readonly kind: 'verified' }
  /** Nobody asked for more. */
  | { readonly kind: 'unverified' }
  | { readonly kind: 'noHash' }
  | { readonly kind: 'differs'; readonly expected: string };

/** `expected`: Atlas's hash; undefined where it did not come. `isWanted`: whether it was to be waited for. */
export function verify(sha1: string, expected: string | undefined, isWanted: boolean): Verification {
  if (!isWanted) return { kind: 'unverified' };
  if (expected === undefined) return { kind: 'noHash' };
  return sha1 === expected ? { kind: 'verified' } : { kind: 'differs', expected };
}

/** What becomes of a part once it was verified. */
export type Placement = 'file' | 'verifiedFile' | 'corrupt' | 'part' | 'startOver';

/** One that is not proven may be mixed of two files, or cut: only Atlas's hash makes a file of it. */
export function placementOf(
  { kind }: Verification,
  { proven, restarted }: Pick<PartInfo, 'proven' | 'restarted'>,
): Placement {
  switch (kind) {
    case 'verified':
      return 'verifiedFile';
    case 'unverified':
      return 'file';
    case 'noHash':
      return proven ? 'file' : 'part';
    case 'differs':
      return proven || restarted ? 'corrupt' : 'startOver';
  }
}

/** The end of a command that leaves a file. */
export interface Outcome {
  /** `present`: it was there already; `part`: its pieces may not belong together, so that it stays a part. */
  readonly kind: 'fetched' | 'present' | 'part';
  readonly verification: Verification;
  /** Where it is now: under its name, as `.part` or as `.corrupt`. */
  readonly file: string;
  readonly bytes: number;
  readonly sha1: string;
  readonly resumed: boolean;
}

export function exitCodeOfOutcome({ verification }: Outcome): number {
  switch (verification.kind) {
    case 'verified':
    case 'unverified':
      return DOWNLOAD_EXIT_CODES.done.code;
    case 'noHash':
      return DOWNLOAD_EXIT_CODES.notVerified.code;
    case 'differs':
      return DOWNLOAD_EXIT_CODES.differs.code;
  }
}
