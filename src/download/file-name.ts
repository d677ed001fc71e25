/** What the file of a download is called, and the files beside it. */
import path from 'node:path';

/** What a URL calls its file: its last segment, which can be anything. */
export const fileNameOf = (url: string): string => decoded(URL.parse(url)?.pathname.split('/').at(-1) ?? '');

/**
 * The name as one safe path segment: no separator, no control character, no beginning that a shell or a program takes
 * for something else, no more than 200 characters. Undefined where nothing is left.
 */
export function safeFileName(name: string): string | undefined {
  const safe = name.replace(/[^\w.+=@,-]/g, '_').replace(/^[.-]+/, '');
  return safe === '' ? undefined : safe.slice(0, MAX_NAME);
}

/** Whether a person's name for the file is one path segment that leaves room for the files beside it. */
export const isFileName = (name: string): boolean =>
  !/[/\\\p{Cc}\p{Cf}\u2028\u2029]/u.test(name) && !/^\.{0,2}$/.test(name) && Buffer.byteLength(name) <= MAX_NAME;

/** File systems take 255 bytes, of which the names beside it need some. */
const MAX_NAME = 200;

/** Paths of everything that belongs to one download. */
export interface DownloadFiles {
  readonly directory: string;
  readonly name: string;
  readonly file: string;
  /** In sha1sum's format, where the file was verified. */
  readonly sha1: string;
  /** What is there of a download that has not ended. */
  readonly part: string;
  /** What is known of the part. */
  readonly partInfo: string;
  /** A file whose hash is not Atlas's. */
  readonly corrupt: string;
}

export function downloadFiles(directory: string, name: string): DownloadFiles {
  const file = path.join(directory, name);
  return {
    directory,
    name,
    file,
    sha1: `${file}.sha1`,
    part: `${file}.part`,
    partInfo: `${file}.part.json`,
    corrupt: `${file}.corrupt`,
  };
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
