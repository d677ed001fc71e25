/** Connections to one origin, direct or through a proxy, and what is said when a proxy does not let them through. */
import { Agent, type Dispatcher, Pool, ProxyAgent } from 'undici';
import type { ProxyAddress } from './proxy.ts';

interface ConnectionsOptions {
  readonly agent: Pick<Agent.Options, 'keepAliveTimeout' | 'allowH2'>;
  /** Of the origin, not of a proxy; undici's defaults where absent. */
  readonly tls?: NonNullable<ProxyAgent.Options['requestTls']>;
  /** Undefined: direct connections. */
  readonly proxy: ProxyAddress | undefined;
}

/** A proxy did not let a connection through. The message names where the proxy is set, never its address. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError';
  /** What the proxy answered; undefined when it could not be reached itself. */
  readonly status: number | undefined;

  constructor(message: string, status: number | undefined, cause?: unknown) {
    super(message, { cause });
    this.status = status;
  }
}

/** Requests fail with ProxyError where it is the proxy that fails, else as those of undici's Agent. */
export function openConnections({ agent, tls, proxy }: ConnectionsOptions): Dispatcher {
  if (proxy === undefined) return new Agent({ ...agent, ...(tls === undefined ? {} : { connect: tls }) });
  const { url, source } = proxy;
  const proxied = new ProxyAgent({
    ...agent,
    ...(tls === undefined ? {} : { requestTls: tls }),
    uri: url,
    clientFactory: (origin, options) =>
      new Pool(origin, options).compose(
        (dispatch) => (request, handler) => dispatch(request, tunneling(handler, source)),
      ),
  });
  return proxied.compose((dispatch) => (request, handler) => {
    // Requests to https origins go through tunnels, whose errors are told already.
    const forwarded = String(request.origin).startsWith('http:');
    return dispatch(request, forwarded ? forwarding(handler, source) : handler);
  });
}

/** Of a CONNECT: undici's own error has the status only in its sentence. */
const tunneling = (handler: Dispatcher.DispatchHandler, source: string): Dispatcher.DispatchHandler => ({
  ...passing(handler),
  onRequestUpgrade: (controller, status, headers, socket) => {
    if (status === 200) {
      handler.onRequestUpgrade?.(controller, status, headers, socket);
      return;
    }
    socket.on('error', () => undefined).destroy();
    handler.onResponseError?.(controller, refused(status, source));
  },
  onResponseError: (controller, error) => handler.onResponseError?.(controller, unreachable(error, source)),
});

/** Of a request that the proxy is to send on. undici ends it with this code where the proxy answers 407. */
const forwarding = (handler: Dispatcher.DispatchHandler, source: string): Dispatcher.DispatchHandler => ({
  ...passing(handler),
  onResponseError: (controller, error) => {
    const isRefused = codeOf(error) === 'UND_ERR_INVALID_ARG';
    const isUnreachable = 'syscall' in error && /^(connect|getaddrinfo)$/.test(String(error.syscall));
    const known = isUnreachable ? unreachable(error, source) : error;
    handler.onResponseError?.(controller, isRefused ? refused(407, source) : known);
  },
});

/** Every member is passed on by hand: undici calls them on the handler that it was given. */
const passing = (handler: Dispatcher.DispatchHandler): Dispatcher.DispatchHandler => ({
  onRequestStart: (controller, context) => handler.onRequestStart?.(controller, context),
  onResponseStart: (controller, status, headers, text) => handler.onResponseStart?.(controller, status, headers, text),
  onResponseData: (controller, chunk) => handler.onResponseData?.(controller, chunk),
  onResponseEnd: (controller, trailers) => handler.onResponseEnd?.(controller, trailers),
});

const MEANINGS: Readonly<Record<number, string>> = {
  403: 'it does not allow this destination',
  407: 'it wants other credentials',
  502: 'it cannot reach the destination',
  503: 'it cannot reach the destination',
  504: 'it cannot reach the destination',
};

function refused(status: number, source: string): ProxyError {
  const meaning = MEANINGS[status];
  const words = meaning === undefined ? String(status) : `${status}: ${meaning}`;
  return new ProxyError(`the proxy of ${source} refused the connection (${words})`, status);
}

const unreachable = (error: Error, source: string): ProxyError =>
  new ProxyError(`the proxy of ${source} cannot be reached (${codeOf(error) ?? 'unknown error'})`, undefined, error);

const codeOf = (error: Error): string | undefined =>
  'code' in error && typeof error.code === 'string' ? error.code : undefined;
