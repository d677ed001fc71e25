/** The end of a download in the form that was asked for. */
import { oneLine } from '../api/printable.ts';
import { safeJson } from '../command/structured.ts';
import type { Outcome } from './outcome.ts';
import { bytesText } from './progress.ts';

/** The text for standard output; `seconds`: since the command began. */
export function printOutcome(outcome: Outcome, output: 'text' | 'json', seconds: number): string {
  const { file, bytes, sha1, resumed, verification } = outcome;
  if (output === 'json')
    return safeJson(
      {
        file,
        bytes,
        sha1,
        verified: verification.kind === 'verified',
        resumed,
        seconds: Math.round(seconds * 10) / 10,
      },
      false,
    );
  return isDone(outcome) ? `${oneLine(sentence(outcome))}\n` : '';
}

/** What standard error says where the file is not as it should be; undefined where it is. */
export const complaint = (outcome: Outcome): string | undefined => (isDone(outcome) ? undefined : sentence(outcome));

const isDone = ({ verification: { kind } }: Outcome): boolean => kind === 'verified' || kind === 'unverified';

function sentence({ kind, verification, file, bytes, sha1 }: Outcome): string {
  const called = `${file} (${bytesText(bytes)}, SHA-1 ${sha1})`;
  const there = kind === 'present' ? 'is already there' : 'is there';
  switch (verification.kind) {
    case 'verified':
      return `${called} ${there} and has the hash that the job names.`;
    case 'unverified':
      return `${called} ${there}; its hash was not compared.`;
    case 'noHash':
      return kind === 'part'
        ? `${called} is not verified: the job named no hash in time, and its bytes may not belong together. Run the command again to verify it.`
        : `${called} is not verified: the job named no hash in time. Run the command again to verify it.`;
    case 'differs':
      return kind === 'present'
        ? `${called} is already there and does not have the hash ${verification.expected} that the job names. --force fetches it again.`
        : `${called} does not have the hash ${verification.expected} that the job names. Do not use it.`;
  }
}
