/**
 * One HTTP GET whose body is taken as it comes, for bodies of any size: dispatched like a request whose whole response is
 * wanted, because undici's streams cost a third of the throughput.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';

export interface StreamRequest {
  readonly origin: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds without a byte after which the request is given up, before the response and within its body. */
  readonly silenceMs: number;
  /** Ends the request. */
  readonly signal: AbortSignal;
}

/** What a response begins with. */
export interface ResponseHead {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

/** Holds up the body. A piece or two can still come after `pause`. */
export interface Flow {
  readonly pause: () => void;
  readonly resume: () => void;
}

/** Takes a piece of a body. What it throws ends the request. */
export type BodyReader = (chunk: Buffer, flow: Flow) => void;

/**
 * Resolves with the head of the response once its whole body has been read, or at once where `onHead` gives no reader for
 * it. A body that ends too early, by its length or its last chunk, is an error; one that has neither ends with its
 * connection. Rejects with what `onHead` or the reader threw, the reason of the signal, or undici's error. No redirect is
 * followed.
 */
export function streamResponse(
  dispatcher: Dispatcher,
  { origin, path, headers, silenceMs, signal }: StreamRequest,
  onHead: (head: ResponseHead) => BodyReader | undefined,
): Promise<ResponseHead> {
  const { promise, resolve, reject } = Promise.withResolvers<ResponseHead>();
  let controller: Dispatcher.DispatchController | undefined;
  let head: ResponseHead = { status: 0, headers: {} };
  let read: BodyReader | undefined;
  const flow: Flow = { pause: () => controller?.pause(), resume: () => controller?.resume() };

  /** Settles before undici does: its own error would only say that it was aborted. */
  function end(settle: () => void): void {
    signal.removeEventListener('abort', onAbort);
    settle();
    controller?.abort(new Error('the response is not wanted'));
  }
  const fail = (error: unknown): void => end(() => reject(toError(error)));
  const onAbort = (): void => fail(signal.reason);

  if (signal.aborted) return Promise.reject(toError(signal.reason));
  signal.addEventListener('abort', onAbort);
  dispatcher.dispatch(
    { method: 'GET', origin, path, headers, headersTimeout: silenceMs, bodyTimeout: silenceMs },
    {
      onRequestStart: (started) => {
        controller = started;
        if (signal.aborted) started.abort(toError(signal.reason));
      },
      onResponseStart: (_controller, status, received) => {
        if (status < 200) return;
        head = { status, headers: received };
        try {
          read = onHead(head);
        } catch (error) {
          fail(error);
          return;
        }
        if (read === undefined) end(() => resolve(head));
      },
      onResponseData: (_controller, chunk) => {
        try {
          read?.(chunk, flow);
        } catch (error) {
          fail(error);
        }
      },
      onResponseEnd: () => {
        signal.removeEventListener('abort', onAbort);
        resolve(head);
      },
      onResponseError: (_controller, error) => {
        signal.removeEventListener('abort', onAbort);
        reject(error);
      },
    },
  );
  return promise;
}

const toError = (reason: unknown): Error =>
  reason instanceof Error ? reason : new Error('aborted', { cause: reason });
