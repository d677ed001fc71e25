/** The files of restore jobs, as Atlas's download hosts serve them: only to who has the key, and in all the ways that are not known. */
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';

/** How one request for a file is answered. */
export type Serving =
  | FileServing
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | { readonly kind: 'redirect'; readonly location: string; readonly status?: 301 | 302 | 303 | 307 | 308 }
  /** The connection is cut before there is a response. */
  | { readonly kind: 'reset' }
  /** 206 with this Content-Range and the file from this byte on. */
  | { readonly kind: 'otherRange'; readonly contentRange: string; readonly from: number; readonly etag?: string };

interface FileServing {
  readonly kind: 'file';
  /** How the end of the body is told; default `chunked`, as curl has seen it. `close`: by the end of the connection. */
  readonly framing?: 'chunked' | 'length' | 'close';
  /** As a header has it, with its quotes. */
  readonly etag?: string;
  /** Whether a Range is served; default false: nothing is known of it. */
  readonly ranges?: boolean;
  /** Whether If-Range is passed over, as some gateways do. */
  readonly ignoresIfRange?: boolean;
  /** Further headers. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The connection is cut after so many bytes of the body; after all of them, before its end is told. */
  readonly cutAfter?: number;
  /** Nothing more is sent after so many bytes of the body. */
  readonly stallAfter?: number;
  /** Another file than the one that was put. */
  readonly content?: Uint8Array;
}

/** A file that is served, and to whom. */
export interface FileOffer {
  readonly name: string;
  readonly content: Uint8Array;
  /** What opens `url`, in its path. */
  readonly key: string;
  /** What opens `urlV2`; without it there is none. */
  readonly header?: { readonly name: string; readonly value: string };
  /** One for each request; the last one stays. Default: the file, chunked. */
  readonly servings?: readonly Serving[];
  /** How often a whole file is given; then 403. Default: without end. */
  readonly maxDownloads?: number;
  /** Told when a file or the rest of one was sent to its end. */
  readonly onDownloaded?: () => void;
  /** Told when a whole file is begun, with how many those are. */
  readonly onBegun?: (count: number) => void;
}

/** One request for a file, as it was answered. */
export interface FileRequest {
  readonly name: string;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
  readonly status: number;
  /** Whether the header that opens the file came with it. */
  readonly hasHeader: boolean;
}

export interface Files {
  /** Serves a file; one of the same name is replaced. */
  readonly put: (offer: FileOffer) => OfferedFile;
  /** The requests so far; the array grows. */
  readonly requests: readonly FileRequest[];
  /** What a client must never send here, such as API credentials: a sentence for each request that did. */
  readonly violations: readonly string[];
  /** From now on, a request that has one of these texts in a header is a violation. */
  readonly forbid: (...texts: readonly string[]) => void;
}

export interface OfferedFile {
  /** Path of the URL that has the key. */
  readonly path: string;
  /** Path of the URL that needs the header; the same as `path` where there is none. */
  readonly pathV2: string;
  readonly sha1: string;
}

/** What a server that has files passes on: requests of these paths. */
export const FILES_PATH = '/backup/restore/';

/** The paths of the URLs of a file. */
export function filePaths({
  name,
  key,
  header,
}: Pick<FileOffer, 'name' | 'key' | 'header'>): Omit<OfferedFile, 'sha1'> {
  const path = `${FILES_PATH}v2/pull/${encodeURIComponent(key)}/${name}`;
  return { path, pathV2: header === undefined ? path : `${FILES_PATH}v3/pull/${name}` };
}

/** The registry, and what answers a request. `onRequest` is told of every request as it is answered. */
export function createFiles(onRequest: (request: FileRequest) => void = () => {}): {
  readonly files: Files;
  readonly serve: (message: IncomingMessage, response: ServerResponse) => void;
} {
  const offers = new Map<string, Offered>();
  const requests: FileRequest[] = [];
  const violations: string[] = [];
  const forbidden = new Set<string>();

  function put(offer: FileOffer): OfferedFile {
    const { path, pathV2 } = filePaths(offer);
    offers.set(offer.name, { offer, path, pathV2, servings: [...(offer.servings ?? [])], begun: 0 });
    return { path, pathV2, sha1: createHash('sha1').update(offer.content).digest('hex') };
  }

  function serve(message: IncomingMessage, response: ServerResponse): void {
    const { method = '', url = '', headers } = message;
    const name = url.split('/').at(-1) ?? '';
    const offered = offers.get(name);
    const hasHeader = offered?.offer.header !== undefined && carries(headers, offered.offer.header);
    const problem = violationOf(headers, offered?.offer, forbidden);
    if (problem !== undefined) violations.push(`${method} ${name}: ${problem}`);
    const reply = problem === undefined && method === 'GET' ? replyTo(message, offered, hasHeader) : refusal(400);
    const { range, 'if-range': ifRange } = headers;
    const request = { name, range, ifRange: textOf(ifRange), status: reply.status, hasHeader };
    requests.push(request);
    onRequest(request);
    send(reply, response);
  }

  const forbid = (...texts: readonly string[]): void => {
    for (const text of texts) forbidden.add(text);
  };
  return { files: { put, requests, violations, forbid }, serve };
}

interface Offered {
  readonly offer: FileOffer;
  readonly path: string;
  readonly pathV2: string;
  readonly servings: Serving[];
  /** Whole files. */
  begun: number;
}

interface Reply {
  /** 0: the connection is cut. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** Neither a length nor chunks tell the end of the body. */
  readonly endsWithConnection?: boolean;
  readonly cutAfter?: number | undefined;
  readonly stallAfter?: number | undefined;
  readonly onSent?: (() => void) | undefined;
}

const refusal = (status: number, headers: Readonly<Record<string, string>> = {}): Reply => ({
  status,
  headers: { ...headers, 'content-type': 'text/html' },
  body: Buffer.from('<html>no file</html>'),
});

function replyTo({ url, headers }: IncomingMessage, offered: Offered | undefined, hasHeader: boolean): Reply {
  if (offered === undefined) return refusal(404);
  const mayRead = url === offered.path || (url === offered.pathV2 && hasHeader);
  if (!mayRead) return refusal(403);
  const serving = (offered.servings.length > 1 ? offered.servings.shift() : offered.servings[0]) ?? { kind: 'file' };
  switch (serving.kind) {
    case 'status':
      return refusal(serving.status, serving.headers);
    case 'redirect':
      return refusal(serving.status ?? 302, { location: serving.location });
    case 'reset':
      return refusal(0);
    case 'otherRange': {
      const { contentRange, from, etag } = serving;
      const sent = { 'content-range': contentRange, ...(etag === undefined ? {} : { etag }) };
      return { status: 206, headers: sent, body: offered.offer.content.subarray(from) };
    }
    case 'file':
      return fileReply(serving, offered, headers);
  }
}

function fileReply(serving: FileServing, offered: Offered, headers: IncomingHttpHeaders): Reply {
  const { offer } = offered;
  const { etag, framing, cutAfter, stallAfter, content = offer.content } = serving;
  const offset = rangeStart(serving, headers);
  const size = content.byteLength;
  if (offset !== undefined && offset >= size) return refusal(416, { 'content-range': `bytes */${size}` });
  if (offset === undefined) {
    if (offered.begun >= (offer.maxDownloads ?? Number.POSITIVE_INFINITY)) return refusal(403);
    offered.begun += 1;
    offer.onBegun?.(offered.begun);
  }
  const body = content.subarray(offset ?? 0);
  return {
    status: offset === undefined ? 200 : 206,
    headers: {
      'content-type': 'application/octet-stream',
      ...serving.headers,
      ...(etag === undefined ? {} : { etag }),
      ...(framing === 'length' ? { 'content-length': String(body.byteLength) } : {}),
      ...(offset === undefined ? {} : { 'content-range': `bytes ${offset}-${size - 1}/${size}` }),
    },
    body,
    endsWithConnection: framing === 'close',
    cutAfter,
    stallAfter,
    onSent: offer.onDownloaded,
  };
}

function send(reply: Reply, response: ServerResponse): void {
  const { status, headers, body, endsWithConnection = false, cutAfter, stallAfter, onSent } = reply;
  if (status === 0) {
    response.destroy();
    return;
  }
  if (endsWithConnection) {
    response.useChunkedEncodingByDefault = false;
    response.shouldKeepAlive = false;
  }
  response.writeHead(status, headers);
  const end = Math.min(cutAfter ?? Number.POSITIVE_INFINITY, stallAfter ?? Number.POSITIVE_INFINITY);
  if (end > body.byteLength) {
    response.end(body, onSent);
    return;
  }
  response.write(body.subarray(0, end), () => {
    if (stallAfter === undefined) setImmediate(() => response.destroy());
  });
}

/** The first byte that is asked for; undefined where the whole file is to be given. */
function rangeStart(
  { ranges = false, etag, ignoresIfRange = false }: FileServing,
  headers: IncomingHttpHeaders,
): number | undefined {
  const [, first] = /^bytes=(\d+)-$/.exec(headers.range ?? '') ?? [];
  const ifRange = textOf(headers['if-range']);
  const isSame = ignoresIfRange || ifRange === undefined || (ifRange === etag && !ifRange.startsWith('W/'));
  return ranges && isSame && first !== undefined ? Number(first) : undefined;
}

const carries = (
  headers: IncomingHttpHeaders,
  { name, value }: { readonly name: string; readonly value: string },
): boolean => textOf(headers[name.toLowerCase()]) === value;

function violationOf(
  headers: IncomingHttpHeaders,
  offer: FileOffer | undefined,
  forbidden: ReadonlySet<string>,
): string | undefined {
  const isOwn = offer?.header?.name.toLowerCase() === 'authorization';
  if (headers.authorization !== undefined && !isOwn) return 'credentials of the API';
  const all = Object.values(headers).flat().join('\n');
  return [...forbidden].some((text) => all.includes(text)) ? 'a header that belongs to another origin' : undefined;
}

const textOf = (value: string | readonly string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : value?.[0];
