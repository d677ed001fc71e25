/** One HTTP request to Atlas: one deadline from connecting to the last byte, a bounded body, no redirects. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import type { Sentence } from '../api/atlas-api.ts';
import { formatDuration } from '../api/duration.ts';
import { printable } from '../api/printable.ts';
import { ProxyError } from '../net/connections.ts';
import { BodyTooLargeError, DeadlineError, sendRequest } from '../net/http-request.ts';
import { AtlasError } from './errors.ts';

/** Largest body that is read, in bytes: 10,000 hashes are about 2 MiB. */
export const MAX_BODY_BYTES = 8 * 1_024 * 1_024;

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Sends one request. Throws AtlasError, or the signal's reason when the caller gave up. */
export type Send = (request: HttpRequest) => Promise<HttpResponse>;

export interface SendOptions {
  readonly dispatcher: Dispatcher;
  /** Milliseconds from connecting to the last byte. */
  readonly timeoutMs: number;
  /** Ends all exchanges at once, and the dispatcher with them. */
  readonly signal: AbortSignal;
  readonly userAgent: string;
}

export function createSend({ dispatcher, timeoutMs, signal, userAgent }: SendOptions): Send {
  // Once: the listeners of a signal are a list in which each keeps the later ones in memory, those that are gone too.
  signal.addEventListener('abort', () => void dispatcher.destroy(), { once: true });
  return async ({ method, url, headers, body }) => {
    signal.throwIfAborted();
    const { origin, pathname, search } = new URL(url);
    try {
      const response = await sendRequest(dispatcher, {
        method,
        origin,
        path: pathname + search,
        // Without accept-encoding a server may choose any encoding (RFC 9110 section 12.5.3).
        headers: { accept: 'application/json', 'accept-encoding': 'identity', 'user-agent': userAgent, ...headers },
        body: body ?? null,
        timeoutMs,
        maxBytes: MAX_BODY_BYTES,
      });
      return { status: response.status, headers: response.headers, body: bodyOf(response) };
    } catch (cause) {
      signal.throwIfAborted();
      if (cause instanceof DeadlineError)
        throw new AtlasError(
          'ATLAS_TIMEOUT',
          (server) => `${server} did not answer within ${formatDuration(timeoutMs)}`,
          { cause },
        );
      throw toAtlasError(cause);
    }
  };
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** The body as text. Only of a 200 it must be readable: any other status says enough by itself. */
function bodyOf({ status, headers, body }: ReceivedResponse): string {
  const encoding = contentEncoding(headers);
  if (status !== 200) return encoding === '' ? body.toString('utf8') : '';
  if (encoding !== '') {
    const sentence: Sentence = (server) =>
      `${server}'s response has the content encoding ${printable(encoding, 64)}, which was not asked for`;
    throw new AtlasError('ATLAS_RESPONSE_ENCODED', sentence, { httpStatus: status });
  }
  try {
    return UTF8.decode(body);
  } catch (cause) {
    throw new AtlasError('ATLAS_RESPONSE_NOT_UTF8', (server) => `${server}'s response is not valid UTF-8`, { cause });
  }
}

interface ReceivedResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** The encodings of a body in lower case; empty where it has none. */
const contentEncoding = (headers: IncomingHttpHeaders): string =>
  [headers['content-encoding'] ?? '']
    .flat()
    .flatMap((value) => value.split(','))
    .map((value) => value.trim().toLowerCase())
    .filter((value) => value !== '' && value !== 'identity')
    .join(', ');

function toAtlasError(cause: unknown): AtlasError {
  if (cause instanceof AtlasError) return cause;
  if (cause instanceof BodyTooLargeError) {
    const sentence: Sentence = (server) => `${server}'s response is larger than ${MAX_BODY_BYTES / 1_048_576} MiB`;
    return new AtlasError('ATLAS_RESPONSE_TOO_LARGE', sentence, { cause });
  }
  if (cause instanceof ProxyError) {
    const refused = cause.status === undefined ? 'ATLAS_UNREACHABLE' : 'ATLAS_PROXY_REFUSED';
    return new AtlasError(refused, (server) => `${server} cannot be reached: ${cause.message}`, { cause });
  }
  const code = Error.isError(cause) && 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
  // Only the code: messages of the network layer carry addresses, and with a proxy its credentials.
  const sentence: Sentence = (server) =>
    `${server} cannot be reached${code === undefined ? '' : ` (${printable(code, 64)})`}`;
  return new AtlasError('ATLAS_UNREACHABLE', sentence, { cause });
}
