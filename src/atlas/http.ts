/** One HTTP exchange with Atlas: one deadline from connecting to the last byte, a bounded body, no redirects. */
import type { IncomingHttpHeaders } from 'node:http';
import { type Dispatcher, request } from 'undici';
import { formatDuration } from '../api/duration.ts';
import { invalidResponse, printable, unavailable } from './errors.ts';

/** Largest body that is read, in bytes: 10,000 hashes are about 2 MiB. */
export const MAX_BODY_BYTES = 8 * 1_024 * 1_024;

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Sends one request. Throws AtlasError, or the signal's reason when the caller gave up. */
export type Send = (request: HttpRequest) => Promise<HttpAnswer>;

export interface SendOptions {
  readonly dispatcher: Dispatcher;
  /** Milliseconds from connecting to the last byte. */
  readonly timeoutMs: number;
  /** Ends all exchanges at once. */
  readonly signal: AbortSignal;
  readonly userAgent: string;
}

export function createSend({ dispatcher, timeoutMs, signal, userAgent }: SendOptions): Send {
  return async ({ method, url, headers, body }) => {
    const deadline = AbortSignal.timeout(timeoutMs);
    try {
      const answer = await request(url, {
        method,
        headers: { accept: 'application/json', 'user-agent': userAgent, ...headers },
        body: body ?? null,
        dispatcher,
        signal: AbortSignal.any([signal, deadline]),
      });
      return { status: answer.statusCode, headers: answer.headers, body: await readBody(answer.body) };
    } catch (cause) {
      signal.throwIfAborted();
      if (deadline.aborted) throw unavailable(`Atlas did not answer within ${formatDuration(timeoutMs)}`, cause);
      throw toAtlasError(cause);
    }
  };
}

/**
 * Milliseconds that a Retry-After header asks to wait (RFC 9110 section 10.2.3: seconds or a date); undefined when it is
 * absent or unreadable. A date in the past is 0.
 */
export function retryAfterMs(headers: IncomingHttpHeaders, now: number): number | undefined {
  // undici gives an array where a gateway adds a second one, whatever the type says.
  const value = [headers['retry-after']].flat()[0]?.trim() ?? '';
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value) * 1_000;
  // Date.parse finds a date in almost anything (`soon 5`). All three forms of an HTTP date begin with the day of the
  // week, and the one that names no zone is in UTC too.
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(value)) return undefined;
  const date = Date.parse(value.endsWith('GMT') ? value : `${value} GMT`);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

class BodyProblem extends Error {}

/** The body as text. Leaving the loop early destroys the stream, and with it the connection. */
async function readBody(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.byteLength;
    if (size > MAX_BODY_BYTES) throw new BodyProblem(`Atlas's answer is larger than ${MAX_BODY_BYTES / 1_048_576} MiB`);
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch (cause) {
    throw new BodyProblem("Atlas's answer is not valid UTF-8", { cause });
  }
}

function toAtlasError(cause: unknown) {
  if (cause instanceof BodyProblem) return invalidResponse(cause.message, { cause });
  const code = Error.isError(cause) && 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
  // Only the code: messages of the network layer carry addresses, and with a proxy its credentials.
  return unavailable(`Atlas cannot be reached${code === undefined ? '' : ` (${printable(code, 64)})`}`, cause);
}
