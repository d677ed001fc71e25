/** The table of what can go wrong with a download: docs/download.md shows it, and a test runs each row. */
import type { Serving } from './atlas-simulator/files.ts';
import type { JsonObject } from './atlas-simulator/json.ts';

/** A file of 300,000 bytes, and how its download host behaves. */
export interface DownloadFault {
  readonly fault: string;
  /** One for each request; the last one stays. */
  readonly servings: readonly Serving[];
  /** Beside the ids and the directory. */
  readonly args?: readonly string[];
  /** What Atlas says of the hash once the file was downloaded; default: the right one. `known`: it says it before. */
  readonly hash?: 'right' | 'known' | 'late' | 'wrong' | 'never';
  /** How often the host gives the whole file; then Atlas says MAX_DOWNLOADS_EXCEEDED. */
  readonly maxDownloads?: number;
  /** Members of the delivery. */
  readonly delivery?: JsonObject;
  readonly exitCode: number;
  /** Names with their bytes. */
  readonly disk: readonly string[];
  /** Status codes as the download host sent them; 0: none. */
  readonly requests: readonly string[];
}

/** What another version of the file would be, and what a redirect of the table goes to. */
export const OTHER_CONTENT = Buffer.alloc(300_000, 'x');
/** Replaced by the URL of the same file at another origin, which does not know its header. */
export const OTHER_ORIGIN = 'OTHER_ORIGIN';
const VERIFIED = ['NAME 300000', 'NAME.sha1 93'];
const STRONG = { etag: '"v1"', ranges: true } as const;
const WEAK = { etag: 'W/"v1"', ranges: true } as const;
const NO_ETAG = { ranges: true } as const;
const ENCODED = { headers: { 'content-encoding': 'gzip' } } as const;
const CUT = { cutAfter: 100_000 } as const;
const file = (serving: Partial<Extract<Serving, { kind: 'file' }>> = {}): Serving => ({ kind: 'file', ...serving });
const status = (code: number, headers: Readonly<Record<string, string>> = {}): Serving => ({
  kind: 'status',
  status: code,
  headers,
});
const texts = (times: number, text: string): readonly string[] => Array.from({ length: times }, () => text);

export const DOWNLOAD_FAULTS: readonly DownloadFault[] = [
  { fault: 'none: chunks, without a length', servings: [file()], exitCode: 0, disk: VERIFIED, requests: ['200'] },
  {
    fault: 'none: with a length',
    servings: [file({ framing: 'length' })],
    exitCode: 0,
    disk: VERIFIED,
    requests: ['200'],
  },
  {
    fault: 'only the end of the connection tells that of the file',
    servings: [file({ framing: 'close' })],
    exitCode: 0,
    disk: VERIFIED,
    requests: ['200'],
  },
  {
    fault: 'the same, and it is cut',
    servings: [file({ framing: 'close', ...CUT }), file({ framing: 'close' })],
    hash: 'known',
    exitCode: 0,
    disk: VERIFIED,
    requests: ['200', '200'],
  },
  {
    fault: 'cut between chunks; the host serves ranges, with a strong ETag',
    servings: [file({ ...STRONG, ...CUT }), file(STRONG)],
    exitCode: 0,
    disk: VERIFIED,
    requests: ['200', '206 from 100000'],
  },
  {
    fault: 'cut before its length; the host serves ranges, without an ETag',
    servings: [file({ ...NO_ETAG, framing: 'length', ...CUT }), file(NO_ETAG)],
    exitCode: 0,
    disk: VERIFIED,
    requests: ['200', '206 from 100000'],
  },
  {
    fault: 'cut; the host serves no ranges',
    servings: [file(CUT), file()],
    exitCode: 0,
    disk: VERIFIED,
    requests: ['200', '200 from 100000'],
  },
  {
    fault: 'cut; the file has changed, as its strong ETag says',
    servings: [file({ ...STRONG, ...CUT, content: OTHER_CONTENT }), file({ ...STRONG, etag: '"v2"' })],
    exitCode: 0,
    disk: VERIFIED,
    requests: ['200', '200 from 100000'],
  },
  {
    fault: 'cut; the file has changed, and its weak ETag cannot say so',
    servings: [file({ ...WEAK, ...CUT, content: OTHER_CONTENT }), file(WEAK)],
    exitCode: 0,
    disk: VERIFIED,
    requests: ['200', '206 from 100000', '200'],
  },
  {
    fault: 'cut; the host passes over If-Range and gives the rest of another file',
    servings: [
      file({ ...STRONG, ...CUT, content: OTHER_CONTENT }),
      file({ ...STRONG, etag: '"v2"', ignoresIfRange: true }),
      file(),
    ],
    exitCode: 0,
    disk: VERIFIED,
    requests: ['200', '206 from 100000', '200'],
  },
  {
    fault: 'cut; another range than the one that was asked for',
    servings: [file(CUT), { kind: 'otherRange', from: 0, contentRange: 'bytes 0-299999/300000' }, file()],
    exitCode: 0,
    disk: VERIFIED,
    requests: ['200', '206 from 100000', '200'],
  },
  {
    fault: 'cut; a Content-Range that is none',
    servings: [file(CUT), { kind: 'otherRange', from: 100_000, contentRange: 'bytes 100000-' }, file()],
    exitCode: 0,
    disk: VERIFIED,
    requests: ['200', '206 from 100000', '200'],
  },
  {
    fault: 'cut; 416',
    servings: [file(CUT), status(416), file()],
    exitCode: 0,
    disk: VERIFIED,
    requests: ['200', '416 from 100000', '200'],
  },
  {
    fault: 'cut after the last byte, before the end was told; 416 says that nothing is left',
    servings: [file({ ...STRONG, cutAfter: 300_000 }), file(STRONG)],
    hash: 'known',
    exitCode: 0,
    disk: VERIFIED,
    requests: ['200', '416 from 300000'],
  },
  {
    fault: 'the host calls the file encoded (Content-Encoding), as some do where its name ends in .gz',
    servings: [file(ENCODED)],
    exitCode: 0,
    disk: VERIFIED,
    requests: ['200'],
  },
  {
    fault: 'the host encodes the file although nobody asked for it',
    servings: [file({ ...ENCODED, content: OTHER_CONTENT })],
    exitCode: 9,
    disk: ['NAME.corrupt 300000'],
    requests: ['200', '200'],
  },
  {
    fault: 'the same, and the hash never comes',
    servings: [file({ ...ENCODED, content: OTHER_CONTENT })],
    args: ['--hash-timeout=1s'],
    hash: 'never',
    exitCode: 10,
    disk: ['NAME.part 300000', 'NAME.part.json 1024'],
    requests: ['200'],
  },
  {
    fault: 'silence in the middle',
    servings: [file({ ...STRONG, stallAfter: 100_000 }), file(STRONG)],
    exitCode: 0,
    disk: VERIFIED,
    requests: ['200', '206 from 100000'],
  },
  {
    fault: 'cut for good: 10 more tries bring no new byte',
    servings: [file(CUT)],
    exitCode: 11,
    disk: ['NAME.part 100000', 'NAME.part.json 1024'],
    requests: ['200', ...texts(11, '200 from 100000')],
  },
  {
    fault: 'connection reset, 503, 429, then the file',
    servings: [{ kind: 'reset' }, status(503), status(429, { 'retry-after': '1' }), file()],
    exitCode: 0,
    disk: VERIFIED,
    requests: ['0', '503', '429', '200'],
  },
  { fault: '500 for good', servings: [status(500)], exitCode: 11, disk: [], requests: texts(11, '500') },
  { fault: '400', servings: [status(400)], exitCode: 11, disk: [], requests: ['400'] },
  { fault: '403, and the job names no other link', servings: [status(403)], exitCode: 11, disk: [], requests: ['403'] },
  {
    fault: 'redirect to another origin, which must not see the header',
    servings: [{ kind: 'redirect', location: OTHER_ORIGIN }],
    exitCode: 0,
    disk: VERIFIED,
    requests: ['302', '200'],
  },
  {
    fault: 'redirect to plain http',
    servings: [{ kind: 'redirect', location: 'http://192.0.2.1/file' }],
    exitCode: 11,
    disk: [],
    requests: ['302'],
  },
  {
    fault: 'redirects without end',
    servings: [{ kind: 'redirect', location: '', status: 307 }],
    exitCode: 11,
    disk: [],
    requests: texts(6, '307'),
  },
  {
    fault: 'cut; the download is used up by then',
    servings: [file(CUT)],
    maxDownloads: 1,
    exitCode: 8,
    disk: ['NAME.part 100000', 'NAME.part.json 1024'],
    requests: ['200', '403 from 100000'],
  },
  { fault: 'the hash comes later', servings: [file()], hash: 'late', exitCode: 0, disk: VERIFIED, requests: ['200'] },
  {
    fault: 'the hash is another one',
    servings: [file()],
    hash: 'wrong',
    exitCode: 9,
    disk: ['NAME.corrupt 300000'],
    requests: ['200'],
  },
  {
    fault: 'the hash never comes',
    servings: [file()],
    args: ['--hash-timeout=1s'],
    hash: 'never',
    exitCode: 10,
    disk: ['NAME 300000'],
    requests: ['200'],
  },
  {
    fault: 'the hash never comes, and the file was resumed without a strong ETag',
    servings: [file({ ...WEAK, ...CUT }), file(WEAK)],
    args: ['--hash-timeout=1s'],
    hash: 'never',
    exitCode: 10,
    disk: ['NAME.part 300000', 'NAME.part.json 1024'],
    requests: ['200', '206 from 100000'],
  },
  {
    fault: 'the hash never comes, and only the end of the connection told that of the file',
    servings: [file({ framing: 'close' })],
    args: ['--hash-timeout=1s'],
    hash: 'never',
    exitCode: 10,
    disk: ['NAME.part 300000', 'NAME.part.json 1024'],
    requests: ['200'],
  },
  {
    fault: 'the hash never comes; --no-verify',
    servings: [file()],
    args: ['--no-verify'],
    hash: 'never',
    exitCode: 0,
    disk: ['NAME 300000'],
    requests: ['200'],
  },
  {
    fault: 'resumed without a strong ETag, and the hash is another one twice',
    servings: [file({ ...WEAK, ...CUT }), file(WEAK)],
    hash: 'wrong',
    exitCode: 9,
    disk: ['NAME.corrupt 300000'],
    requests: ['200', '206 from 100000', '200'],
  },
  {
    fault: 'the delivery is pending',
    servings: [file()],
    delivery: { statusName: 'PENDING' },
    exitCode: 3,
    disk: [],
    requests: [],
  },
  {
    fault: 'the delivery has expired',
    servings: [file()],
    delivery: { statusName: 'EXPIRED' },
    exitCode: 8,
    disk: [],
    requests: [],
  },
  {
    fault: 'the delivery is past its date',
    servings: [file()],
    delivery: { expires: '2018-01-22T23:49:38Z' },
    exitCode: 8,
    disk: [],
    requests: [],
  },
  {
    fault: 'an automated restore',
    servings: [file()],
    delivery: { targetClusterName: 'Cluster1' },
    exitCode: 8,
    disk: [],
    requests: [],
  },
  {
    fault: 'a download over plain http',
    servings: [file()],
    delivery: { url: 'http://192.0.2.1/file', urlV2: 'http://192.0.2.1/file' },
    exitCode: 11,
    disk: [],
    requests: [],
  },
];
