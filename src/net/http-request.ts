/**
 * One HTTP request whose whole response is wanted. undici's own `request` makes a stream of every body, and each keeps
 * those after it in memory until the next full garbage collection: it triples the memory under load.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH';
  readonly origin: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: string | null;
  /** Milliseconds from connecting to the last byte. */
  readonly timeoutMs: number;
  /** Bytes that are taken of a body. */
  readonly maxBytes: number;
  /**
   * Ends the request. It should end soon itself: the listeners of a signal are a list in which each keeps the later ones
   * in memory, also when they are gone.
   */
  readonly signal?: AbortSignal | undefined;
}

/** A complete response. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** The response was not complete in time. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}

/** The body has more than `maxBytes`. */
export class BodyTooLargeError extends Error {
  override readonly name = 'BodyTooLargeError';
}

/** Rejects with DeadlineError, BodyTooLargeError, the reason of the signal, or undici's error. No redirect is followed. */
export function sendRequest(dispatcher: Dispatcher, request: HttpRequest): Promise<HttpResponse> {
  const { method, origin, path, headers, body, timeoutMs, maxBytes, signal } = request;
  const { promise, resolve, reject } = Promise.withResolvers<HttpResponse>();
  const chunks: Buffer[] = [];
  let [size, status] = [0, 0];
  let responseHeaders: IncomingHttpHeaders = {};
  let controller: Dispatcher.DispatchController | undefined;
  let failure: Error | undefined;

  function fail(error: Error): void {
    failure ??= error;
    release();
    // Before it has started, undici holds it in a queue: it is given up when its turn comes.
    controller?.abort(failure);
    reject(failure);
  }

  const onAbort = (): void => fail(toError(signal?.reason));
  const timer = setTimeout(
    () => fail(new DeadlineError(`no complete response within ${timeoutMs / 1_000} s`)),
    timeoutMs,
  );
  function release(): void {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }

  if (signal?.aborted === true) {
    onAbort();
    return promise;
  }
  signal?.addEventListener('abort', onAbort);
  dispatcher.dispatch(
    { method, origin, path, headers, body },
    {
      onRequestStart: (started) => {
        controller = started;
        if (failure !== undefined) started.abort(failure);
      },
      onResponseStart: (_controller, statusCode, received) => {
        status = statusCode;
        responseHeaders = received;
      },
      onResponseData: (_controller, chunk) => {
        size += chunk.byteLength;
        if (size > maxBytes) fail(new BodyTooLargeError(`the response is larger than ${maxBytes} bytes`));
        else chunks.push(chunk);
      },
      onResponseEnd: () => {
        release();
        resolve({ status, headers: responseHeaders, body: Buffer.concat(chunks) });
      },
      onResponseError: (_controller, error) => {
        release();
        reject(failure ?? error);
      },
    },
  );
  return promise;
}

const toError = (reason: unknown): Error =>
  reason instanceof Error ? reason : new Error('aborted', { cause: reason });
