/** One try to fetch the rest of a file: requests, redirects included, until the bytes are in the part or none come. */
import type { Dispatcher } from 'undici';
import { openConnections, ProxyError } from '../net/connections.ts';
import { type BodyReader, type Flow, type ResponseHead, streamResponse } from '../net/http-stream.ts';
import { type Environment, proxyFor } from '../net/proxy.ts';
import { DownloadError } from './errors.ts';
import { type Link, urlProblem } from './link.ts';
import type { Part } from './part.ts';
import { type Asked, meaningOf, type ResponseMeaning, rangeHeaders } from './response.ts';

/** How a try ended. What a person reads of it is in `what`: a few words, without an end. */
export type TryEnd =
  /** All bytes are there, as far as anybody said how many those are. */
  | { readonly kind: 'complete' }
  /** It broke off, or the host cannot do it now. */
  | { readonly kind: 'broken'; readonly what: string; readonly waitMs: number | undefined }
  /** The part cannot be gone on with: another try begins with the first byte. */
  | { readonly kind: 'notResumable'; readonly what: string }
  /** The link does not open the file, or not any more. */
  | { readonly kind: 'denied'; readonly what: string }
  /** The host will never give the file. */
  | { readonly kind: 'refused'; readonly what: string };

export interface TransferOptions {
  readonly environment: Environment;
  readonly userAgent: string;
  /** The one origin that may be asked without TLS. */
  readonly plainOrigin: string | undefined;
  readonly silenceMs: number;
  readonly signal: AbortSignal;
  /** A response brings the whole file although only the rest was asked for. */
  readonly onWholeFile: () => void;
}

const MAX_REDIRECTS = 5;

/** Throws DownloadError where the part cannot be written, and the reason of the signal. */
export async function transfer(link: Link, part: Part, options: TransferOptions): Promise<TryEnd> {
  const first = new URL(link.url);
  let url = first;
  for (let redirects = 0; ; redirects++) {
    const meaning = await request(url, headersFor(link, url, first), part, options);
    if (meaning.kind !== 'redirect') return meaning;
    const next = URL.parse(meaning.location, url);
    const problem = urlProblem(next, options.plainOrigin);
    if (next === null || problem !== undefined)
      return { kind: 'refused', what: `a redirect of the download host ${problem ?? 'names no URL'}` };
    if (redirects === MAX_REDIRECTS)
      return { kind: 'refused', what: `the download host redirects more than ${MAX_REDIRECTS} times` };
    url = next;
  }
}

/** The header opens the data: it goes to no other origin than that of the URL that Atlas gave it for. */
const headersFor = ({ header }: Link, url: URL, first: URL): Readonly<Record<string, string>> =>
  header !== undefined && url.origin === first.origin ? { [header.name]: header.value } : {};

type RequestEnd = TryEnd | Extract<ResponseMeaning, { kind: 'redirect' }>;

async function request(
  url: URL,
  headers: Readonly<Record<string, string>>,
  part: Part,
  options: TransferOptions,
): Promise<RequestEnd> {
  const { environment, userAgent, silenceMs, signal } = options;
  const { etag, length } = part.info();
  const asked: Asked = { offset: part.size(), etag, length };
  const dispatcher = connect(url, environment);
  let meaning: ResponseMeaning | undefined;
  try {
    const { origin, pathname, search } = url;
    await streamResponse(
      dispatcher,
      {
        origin,
        path: pathname + search,
        // Without accept-encoding a server may choose any encoding (RFC 9110 section 12.5.3).
        headers: { 'accept-encoding': 'identity', 'user-agent': userAgent, ...rangeHeaders(asked), ...headers },
        silenceMs,
        signal,
      },
      (head: ResponseHead) => {
        meaning = meaningOf(head, asked, Date.now());
        return meaning.kind === 'body' ? receive(meaning, asked, part, options) : undefined;
      },
    );
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof DownloadError) throw error;
    await part.flush();
    return endOfError(error, meaning !== undefined);
  } finally {
    // A body that is not wanted may have no end.
    void dispatcher.destroy();
  }
  return endOf(meaning, part);
}

/** The bytes go where the response says that they belong; there is no other place for them than the end of the part. */
function receive(
  { offset, facts, confirmed }: Extract<ResponseMeaning, { kind: 'body' }>,
  asked: Asked,
  part: Part,
  { onWholeFile }: TransferOptions,
): BodyReader {
  if (offset === 0 && asked.offset > 0) {
    onWholeFile();
    part.restart();
  }
  const info = part.info();
  const progress = offset === 0 ? { fullTries: info.fullTries + 1 } : { resumed: true };
  part.note({ ...facts, ...progress, proven: info.proven && confirmed });
  const { length = Number.POSITIVE_INFINITY } = facts;
  return (chunk: Buffer, flow: Flow) => {
    if (part.size() + chunk.byteLength > length) throw new TooLongError();
    part.append(chunk, flow);
  };
}

class TooLongError extends Error {
  override readonly message = 'the download host sent more bytes than it announced';
}

async function endOf(meaning: ResponseMeaning | undefined, part: Part): Promise<RequestEnd> {
  switch (meaning?.kind) {
    case undefined:
      return broken('the download host gave no response');
    case 'body': {
      await part.flush();
      const { length } = part.info();
      if (length !== undefined && part.size() < length) return broken('the download host sent less than it announced');
      // A file without a told end may have been cut: a later run is to ask for the rest of it.
      part.note(meaning.framed ? { length: part.size() } : { proven: false });
      return { kind: 'complete' };
    }
    case 'nothingLeft':
      part.note({ length: meaning.length });
      return { kind: 'complete' };
    case 'redirect':
      return meaning;
    case 'denied':
      return { kind: 'denied', what: answered(meaning.status) };
    case 'unavailable':
      return { kind: 'broken', what: answered(meaning.status), waitMs: meaning.waitMs };
    case 'otherRange':
      return { kind: 'notResumable', what: `${answered(meaning.status)}, but not with what was asked for` };
    case 'refused':
      return { kind: 'refused', what: answered(meaning.status) };
  }
}

const answered = (status: number): string => `the download host answered ${status}`;

/** HTTP/1.1 for the reason that requests to Atlas have: with it, silence ends the connection. */
const connect = (url: URL, environment: Environment): Dispatcher =>
  openConnections({ agent: { allowH2: false }, proxy: proxyFor(url, environment) });

/** `hasBegun`: its response has a head that could be read. */
function endOfError(error: unknown, hasBegun: boolean): TryEnd {
  if (error instanceof TooLongError) return { kind: 'notResumable', what: error.message };
  if (error instanceof ProxyError) return broken(error.message);
  // Only the code: messages of the network layer carry addresses.
  const code = Error.isError(error) && 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (CERTIFICATE_CODES.test(code))
    return {
      kind: 'refused',
      what: `the certificate of the download host is not trusted (${code}); NODE_EXTRA_CA_CERTS names a file with further CAs`,
    };
  if (code === 'UND_ERR_HEADERS_OVERFLOW' || (code === PARSER_CODE && !hasBegun))
    return broken('the response of the download host cannot be read: it is no HTTP, or has too many headers');
  if (SILENCE_CODES.has(code)) return broken('the download host fell silent');
  return broken(BREAK_CODES.has(code) ? 'the transfer broke off' : `the download host cannot be reached (${code})`);
}

const broken = (what: string): TryEnd => ({ kind: 'broken', what, waitMs: undefined });

const SILENCE_CODES: ReadonlySet<string> = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);
/** Errors of undici's parser have no code: of what is no HTTP, and of a body without its last chunk. */
const PARSER_CODE = '';
const BREAK_CODES: ReadonlySet<string> = new Set([
  PARSER_CODE,
  'ECONNRESET',
  'EPIPE',
  'UND_ERR_SOCKET',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
]);
/** "X509 certificate error codes" and ERR_TLS_CERT_ALTNAME_INVALID in the documentation of Node.js. */
const CERTIFICATE_CODES = /^(CERT_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_|UNABLE_TO_|ERR_TLS_CERT_)/;
