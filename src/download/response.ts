/** What the head of a download host's response means for the part that is there. Pure. */
import type { IncomingHttpHeaders } from 'node:http';
import type { ResponseHead } from '../net/http-stream.ts';
import { retryAfterMs } from '../net/retry-after.ts';

/** What is known of the file from the responses that its part is made of. */
export interface FileFacts {
  /** A strong ETag; undefined where there was none. */
  readonly etag: string | undefined;
  /** Bytes of the whole file; undefined where no response said. */
  readonly length: number | undefined;
}

/** What the request asked for. */
export interface Asked extends FileFacts {
  /** The first byte that is wanted: above 0, the request was one for a range. */
  readonly offset: number;
}

export type ResponseMeaning =
  | {
      readonly kind: 'body';
      /** Where its first byte belongs: what the request asked for, or 0 for the whole file. */
      readonly offset: number;
      readonly facts: FileFacts;
      /** Whether the response says itself where it ends: what ends with its connection can have been cut. */
      readonly framed: boolean;
      /**
       * Whether the bytes are the file's own, in no encoding that nobody asked for, and belong to those before, as a strong
       * ETag says; a whole file has none before.
       */
      readonly confirmed: boolean;
    }
  /** There is nothing after what is there already. */
  | { readonly kind: 'nothingLeft'; readonly length: number }
  | { readonly kind: 'redirect'; readonly location: string }
  /** The link does not open the file, or not any more. */
  | { readonly kind: 'denied'; readonly status: number }
  /** It may work later; `waitMs`: as the server asked. */
  | { readonly kind: 'unavailable'; readonly status: number; readonly waitMs: number | undefined }
  /** It is not the range that was asked for. */
  | { readonly kind: 'otherRange'; readonly status: number }
  /** Anything else. */
  | { readonly kind: 'refused'; readonly status: number };

/** `now`: milliseconds since the epoch. */
export function meaningOf({ status, headers }: ResponseHead, asked: Asked, now: number): ResponseMeaning {
  switch (status) {
    case 200:
      return wholeFile(headers);
    case 206:
      return partOfFile(headers, asked);
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
      return { kind: 'redirect', location: textOf(headers['location']) ?? '' };
    case 401:
    case 403:
    case 404:
    case 410:
      return { kind: 'denied', status };
    case 416:
      if (asked.offset > 0 && unsatisfiedLength(headers) === asked.offset)
        return { kind: 'nothingLeft', length: asked.offset };
      return asked.offset > 0 ? { kind: 'otherRange', status } : { kind: 'refused', status };
    case 412:
      return asked.offset > 0 ? { kind: 'otherRange', status } : { kind: 'refused', status };
    case 408:
    case 425:
    case 429:
      return { kind: 'unavailable', status, waitMs: retryAfterMs(headers, now) };
    default:
      return status >= 500
        ? { kind: 'unavailable', status, waitMs: retryAfterMs(headers, now) }
        : { kind: 'refused', status };
  }
}

/** The headers that ask for the rest of a file; none where all of it is wanted. */
export function rangeHeaders({ offset, etag }: Asked): Readonly<Record<string, string>> {
  if (offset === 0) return {};
  return { range: `bytes=${offset}-`, ...(etag === undefined ? {} : { 'if-range': etag }) };
}

/** A Content-Range of RFC 9110 section 14.4; undefined where it is none. `length` is undefined for `*`. */
export function readContentRange(
  value: string | undefined,
): { readonly first: number; readonly last: number; readonly length: number | undefined } | undefined {
  const [, first = '', last = '', length = ''] = CONTENT_RANGE.exec(value ?? '') ?? [];
  if (first === '') return undefined;
  const range = { first: Number(first), last: Number(last), length: length === '*' ? undefined : Number(length) };
  return range.first <= range.last && range.last < (range.length ?? Number.POSITIVE_INFINITY) ? range : undefined;
}

/** An ETag that changes with every byte (RFC 9110 section 8.8.1); undefined where there is none, or a weak one. */
export function strongEtag(headers: IncomingHttpHeaders): string | undefined {
  const value = textOf(headers['etag']) ?? '';
  return STRONG_ETAG.test(value) ? value : undefined;
}

/** Fifteen digits: all of them are exact numbers. */
const CONTENT_RANGE = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i;
/** Longer ones would not fit beside the part. */
const STRONG_ETAG = /^"[\u0021\u0023-\u007e]{0,200}"$/;

function wholeFile(headers: IncomingHttpHeaders): ResponseMeaning {
  const length = contentLength(headers);
  return {
    kind: 'body',
    offset: 0,
    facts: { etag: strongEtag(headers), length },
    framed: length !== undefined || isChunked(headers),
    confirmed: isIdentity(headers),
  };
}

function partOfFile(headers: IncomingHttpHeaders, asked: Asked): ResponseMeaning {
  const range = readContentRange(textOf(headers['content-range']));
  const etag = strongEtag(headers);
  const size = contentLength(headers);
  const matches =
    range !== undefined &&
    asked.offset > 0 &&
    range.first === asked.offset &&
    agree(range.length, asked.length) &&
    agree(size, range.last - range.first + 1) &&
    agree(etag, asked.etag);
  if (!matches) return { kind: 'otherRange', status: 206 };
  const length = range.length ?? asked.length;
  return {
    kind: 'body',
    offset: asked.offset,
    facts: { etag: asked.etag, length },
    // Without the length of the whole, nothing says that the last byte of this range is the last one of the file.
    framed: length !== undefined,
    confirmed: etag !== undefined && etag === asked.etag && isIdentity(headers),
  };
}

const agree = <T>(left: T | undefined, right: T | undefined): boolean =>
  left === undefined || right === undefined || left === right;

function contentLength(headers: IncomingHttpHeaders): number | undefined {
  const value = textOf(headers['content-length']) ?? '';
  return /^\d{1,15}$/.test(value) && !isChunked(headers) ? Number(value) : undefined;
}

/** What a 416 says that the length of the file is (RFC 9110 section 14.4). */
function unsatisfiedLength(headers: IncomingHttpHeaders): number | undefined {
  const [, length] = /^bytes \*\/(\d{1,15})$/i.exec(textOf(headers['content-range']) ?? '') ?? [];
  return length === undefined ? undefined : Number(length);
}

/** Some hosts call a file that ends in .gz encoded with gzip, others encode it on the way: only its hash tells which. */
const isIdentity = (headers: IncomingHttpHeaders): boolean =>
  /^(identity)?$/i.test(textOf(headers['content-encoding']) ?? '') &&
  /^(chunked)?$/i.test(textOf(headers['transfer-encoding']) ?? '');

const isChunked = (headers: IncomingHttpHeaders): boolean =>
  (textOf(headers['transfer-encoding']) ?? '').toLowerCase().includes('chunked');

/** undici gives an array where a gateway adds a second one. */
const textOf = (value: string | readonly string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : value?.[0];
