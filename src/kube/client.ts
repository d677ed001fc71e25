/**
 * The client of the API server: client-node's KubeConfig for whom and where, one shared undici Agent for the traffic,
 * because client-node's own API classes open a TLS connection for every request.
 */
import type { KubeConfig } from '@kubernetes/client-node';
import type { Dispatcher } from 'undici';
import { openConnections } from '../net/connections.ts';
import { DeadlineError, sendRequest } from '../net/http-request.ts';
import { parseJson } from '../net/json.ts';
import { PLUGIN_MS } from './credential-plugin.ts';
import { errorFromNetwork, errorFromStatus, hasStatus, KubeError } from './errors.ts';
import { type KubeCredentials, loadKubeConfig, readKubeCredentials } from './kubeconfig.ts';
import { withoutSentSecrets } from './sent-secrets.ts';

export interface KubeRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH';
  /** Path with query, such as `/api/v1/namespaces/default/secrets/x`; its variable segments are encoded. */
  readonly path: string;
  readonly body?: unknown;
  /** Of the body; application/json when absent. */
  readonly contentType?: string;
  readonly signal?: AbortSignal;
  /** Milliseconds for the whole request; 15 s when absent. */
  readonly timeoutMs?: number;
}

export interface KubeClient {
  /** Namespace of the pod or of the kubeconfig's context; undefined when there is none. */
  readonly namespace: string | undefined;
  /** The parsed body of a 2xx response. Throws KubeError, or the signal's reason when that is aborted. */
  readonly request: (request: KubeRequest) => Promise<unknown>;
  /** The bytes of a watch. Throws as `request`; `signal` ends the stream, too. */
  readonly stream: (path: string, signal: AbortSignal) => Promise<AsyncIterable<Uint8Array>>;
  /**
   * Nothing is sent any more on the connections that are open: one of them died silently, and the others may have, too.
   * Watches end with an error, requests under way may still be answered.
   */
  readonly abandonConnections: () => void;
  /** Ends what is under way. */
  readonly close: () => Promise<void>;
}

/** One request to the API server, for metrics. */
interface KubeRequestRecord {
  /** The HTTP method, or WATCH. */
  readonly method: KubeRequest['method'] | 'WATCH';
  /** HTTP status; 0 when no response came. */
  readonly status: number;
  readonly durationMs: number;
}

interface KubeClientOptions {
  /** Loads the configuration; called again when the API server no longer accepts what was loaded. */
  readonly load?: () => KubeConfig;
  readonly userAgent: string;
  /** Called with each finished request, for metrics; with a watch once its response begins. */
  readonly onRequest?: (record: KubeRequestRecord) => void;
}

/** How long credentials and CA are used before the files that hold them are looked at again, in milliseconds. */
const REFRESH_MS = 10_000;
const DEFAULT_TIMEOUT_MS = 15_000;
const MAX_HEADERS_MS = 30_000;
const KEEP_ALIVE_MS = 60_000;
/** More than a credential plugin may take: it is named where it is what hangs. */
const CREDENTIALS_MS = PLUGIN_MS + 5_000;
/** Bytes of a response: the largest is a page of 500 objects, of which etcd takes 1.5 MiB each. */
const MAX_BODY_BYTES = 1_024 ** 3;

/** Credentials and connections that belong together. */
interface Access extends KubeCredentials {
  readonly connections: Connections;
}

interface Connections {
  readonly requests: Dispatcher;
  /** Watches have their own: a long stream must not take a connection that requests wait for. */
  readonly watches: Dispatcher;
}

/** Creates a client. Throws KubeConfigError when there is no usable configuration; connects only with the first request. */
export function createKubeClient({ load = loadKubeConfig, userAgent, onRequest }: KubeClientOptions): KubeClient {
  let config = load();
  let access: Access | undefined;
  let refreshedAt = 0;
  let refreshing: Promise<Access> | undefined;
  const retired = new Set<Promise<unknown>>();
  const closing = new AbortController();

  /** Single-flight: an expired token must not start one exec plugin per waiting request. */
  function currentAccess(): Promise<Access> {
    if (access !== undefined && performance.now() - refreshedAt < REFRESH_MS) return Promise.resolve(access);
    refreshing ??= refresh().finally(() => {
      refreshing = undefined;
    });
    return refreshing;
  }

  async function refresh(): Promise<Access> {
    const credentials = await readCredentials();
    // Looked at only now: they may have been abandoned meanwhile.
    const present = access;
    const connections = present?.identity === credentials.identity ? present.connections : connect(credentials);
    if (present !== undefined && present.connections !== connections) retire(present.connections);
    access = { ...credentials, connections };
    refreshedAt = performance.now();
    return access;
  }

  async function readCredentials(): Promise<KubeCredentials> {
    try {
      return await withinTime(readKubeCredentials(config, closing.signal), closing.signal);
    } catch (error) {
      // What could not be used may be mended meanwhile: the next request reads the files again.
      if (!closing.signal.aborted) reload();
      throw error;
    }
  }

  /** Lets running requests finish on connections that take no new ones. */
  function retire({ requests, watches }: Connections): void {
    const closed = Promise.allSettled([requests.close(), watches.destroy()]).finally(() => retired.delete(closed));
    retired.add(closed);
  }

  /** client-node caches tokens for a minute, and what a kubeconfig holds without end; a fresh configuration has no cache. */
  function reload(): void {
    config = load();
    refreshedAt = Number.NEGATIVE_INFINITY;
  }

  /** After a time-out the other connections of the pool may be as dead as the one that was tried. */
  function abandonConnections(used: Access): void {
    if (access !== used) return;
    access = undefined;
    retire(used.connections);
  }

  async function send(kubeRequest: KubeRequest): Promise<unknown> {
    const what = `${kubeRequest.method} ${kubeRequest.path.split('?')[0]}`;
    const current = await currentAccess();
    const startedAt = performance.now();
    let status = 0;
    try {
      const response = await sendRequest(current.connections.requests, {
        method: kubeRequest.method,
        origin: current.origin,
        path: current.basePath + kubeRequest.path,
        headers: {
          ...current.headers,
          accept: 'application/json',
          'user-agent': userAgent,
          ...(kubeRequest.body === undefined ? {} : { 'content-type': kubeRequest.contentType ?? 'application/json' }),
        },
        body: kubeRequest.body === undefined ? null : JSON.stringify(kubeRequest.body),
        timeoutMs: kubeRequest.timeoutMs ?? DEFAULT_TIMEOUT_MS,
        maxBytes: MAX_BODY_BYTES,
        signal: kubeRequest.signal,
      });
      const body = parseJson(response.body.toString('utf8'));
      status = response.status;
      if (status >= 400) throw errorFromStatus(what, status, body, response.headers);
      return body;
    } catch (cause) {
      kubeRequest.signal?.throwIfAborted();
      if (cause instanceof KubeError) throw cause;
      if (cause instanceof DeadlineError) abandonConnections(current);
      throw errorFromNetwork(what, cause);
    } finally {
      onRequest?.({ method: kubeRequest.method, status, durationMs: performance.now() - startedAt });
    }
  }

  async function openStream(path: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const what = `WATCH ${path.split('?')[0]}`;
    const current = await currentAccess();
    const startedAt = performance.now();
    const record = (status: number): void =>
      onRequest?.({ method: 'WATCH', status, durationMs: performance.now() - startedAt });
    try {
      const response = await current.connections.watches.request({
        origin: current.origin,
        path: current.basePath + path,
        method: 'GET',
        headers: { ...current.headers, accept: 'application/json', 'user-agent': userAgent },
        signal,
        headersTimeout: MAX_HEADERS_MS,
        bodyTimeout: 0,
      });
      record(response.statusCode);
      if (response.statusCode < 400) return response.body;
      const body = parseJson(await response.body.text());
      throw errorFromStatus(what, response.statusCode, body, response.headers);
    } catch (cause) {
      signal.throwIfAborted();
      if (cause instanceof KubeError) throw cause;
      record(0);
      throw errorFromNetwork(what, cause);
    }
  }

  /** Once more with a freshly loaded configuration when one side refuses the other: tokens, certificates and CAs rotate. */
  async function withFreshCredentials<T>(attempt: () => Promise<T>): Promise<T> {
    try {
      return await attempt();
    } catch (error) {
      if (!hasStatus(error, 401) && !isCertificateRefused(error)) throw error;
      reload();
      return attempt();
    }
  }

  /** Errors never repeat what was sent. */
  async function request(kubeRequest: KubeRequest): Promise<unknown> {
    try {
      return await withFreshCredentials(() => send(kubeRequest));
    } catch (error) {
      throw error instanceof KubeError ? withoutSentSecrets(error, kubeRequest.body) : error;
    }
  }

  return {
    namespace: config.getContextObject(config.getCurrentContext())?.namespace,
    request,
    stream: (path, signal) => withFreshCredentials(() => openStream(path, signal)),
    abandonConnections: () => {
      if (access !== undefined) abandonConnections(access);
    },
    close: async () => {
      closing.abort(new Error('the client is closed'));
      const ended =
        access === undefined ? [] : [access.connections.requests.destroy(), access.connections.watches.destroy()];
      access = undefined;
      await Promise.allSettled([...ended, ...retired]);
    },
  };
}

/** An identity provider that hangs must not hang everything: after this the next request asks it again. */
async function withinTime<T>(reading: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new KubeError('the credentials of the kubeconfig did not come in time', { status: 0 }));
  }, CREDENTIALS_MS);
  const onAbort = (): void => reject(new Error('ended', { cause: signal.reason }));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([reading, late]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

function connect({ tls, proxy }: KubeCredentials): Connections {
  const open = (): Dispatcher =>
    openConnections({ agent: { keepAliveTimeout: KEEP_ALIVE_MS, allowH2: false }, tls, proxy });
  return { requests: open(), watches: open() };
}

/** Whether we did not accept the API server's certificate: no request was sent. */
function isCertificateRefused(error: unknown): boolean {
  const cause = error instanceof KubeError && error.status === 0 ? error.cause : undefined;
  return Error.isError(cause) && 'code' in cause && CERTIFICATE_CODES.test(String(cause.code));
}

/** "X509 certificate error codes" and ERR_TLS_CERT_ALTNAME_INVALID in the documentation of Node.js. */
const CERTIFICATE_CODES = /^(CERT_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_|UNABLE_TO_|ERR_TLS_CERT_)/;
