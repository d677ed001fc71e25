/**
 * The client of the API server: client-node's KubeConfig for whom and where, one shared undici Agent for the traffic,
 * because client-node's own API classes open a TLS connection for every request.
 */
import type { KubeConfig } from '@kubernetes/client-node';
import type { Dispatcher } from 'undici';
import { openConnections } from '../net/connections.ts';
import { BodyTooLargeError, DeadlineError, type HttpResponse, sendRequest } from '../net/http-request.ts';
import { parseJson } from '../net/json.ts';
import { PLUGIN_MS } from './credential-plugin.ts';
import {
  errorFromContent,
  errorFromNetwork,
  errorFromStatus,
  hasStatus,
  INVALID_RESPONSE,
  KubeError,
} from './errors.ts';
import { type KubeCredentials, loadKubeConfig, readKubeCredentials } from './kubeconfig.ts';
import { beginsWatch, type Expected, type JsonObject, readResponse } from './response.ts';
import { withoutSentSecrets } from './sent-secrets.ts';

export interface KubeRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH';
  /** Path with query, such as `/api/v1/namespaces/default/secrets/x`; its variable segments are encoded. */
  readonly path: string;
  /** What a success responds with; anything else is none. */
  readonly returns: Expected;
  readonly body?: unknown;
  /** Of the body; application/json when absent. */
  readonly contentType?: string;
  readonly signal?: AbortSignal;
  /** Milliseconds for the whole request; 15 s when absent. */
  readonly timeoutMs?: number;
  /** Bytes that are taken of the response; 16 MiB when absent. */
  readonly maxBytes?: number;
  /** It may take its time for reasons of its own: that no response comes says nothing of the connection. */
  readonly mayBeSlow?: boolean;
}

export interface KubeClient {
  /** Namespace of the pod or of the kubeconfig's context; undefined when there is none. */
  readonly namespace: string | undefined;
  /** The object of a 2xx response. Throws KubeError, or the signal's reason when that is aborted. */
  readonly request: (request: KubeRequest) => Promise<unknown>;
  /** The bytes of a watch. Throws as `request`; `signal` ends the stream, too. */
  readonly stream: (path: string, signal: AbortSignal) => Promise<AsyncIterable<Uint8Array>>;
  /**
   * Nothing is sent any more on the connections that are open: one of them died silently, and the others may have, too.
   * Watches end with an error, requests under way may still get their responses.
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
/** How long a read that got no response may take on a new connection to prove that the old one was at fault. */
const PROBE_MS = 5_000;
/** Bytes of a response: etcd takes objects of 1.5 MiB, and what is no API server may send without end. */
const MAX_BODY_BYTES = 16 * 1_024 ** 2;
/** Bytes of a Status object in place of a watch. */
const MAX_ERROR_BYTES = 1_024 ** 2;

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
  let probing = false;
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

  function retire({ requests, watches }: Connections): void {
    retireRequests(requests);
    watches.destroy().catch(() => undefined);
  }

  /** Lets running requests finish on connections that take no new ones. */
  function retireRequests(requests: Dispatcher): void {
    const ended = requests.close().finally(() => retired.delete(ended));
    retired.add(ended);
    ended.catch(() => undefined);
  }

  /** client-node caches tokens for a minute, and what a kubeconfig holds without end; a fresh configuration has no cache. */
  function reload(): void {
    config = load();
    refreshedAt = Number.NEGATIVE_INFINITY;
  }

  function abandonConnections(): void {
    if (access === undefined) return;
    const { connections } = access;
    access = undefined;
    retire(connections);
  }

  /** A request got no response in time, for which a dead connection is one cause and a slow webhook another. */
  function onDeadline({ connections, ...used }: Access, kubeRequest: KubeRequest): void {
    // What waits in the pool may be as dead as the connection that was tried. Watches are left alone: one slow request
    // must not end them all.
    if (access?.connections.requests === connections.requests) {
      access = { ...access, connections: { ...access.connections, requests: connect(used).requests } };
      retireRequests(connections.requests);
    }
    // Webhooks hold up writes only.
    if (kubeRequest.method === 'GET' && kubeRequest.mayBeSlow !== true) void probe(connections.watches, kubeRequest);
  }

  /**
   * The same read once more on a new connection: a response to it tells that the old connection is dead, and watches that
   * were opened with it are as old. None tells nothing that opening them again could mend.
   */
  async function probe(watches: Dispatcher, kubeRequest: KubeRequest): Promise<void> {
    const current = access;
    if (probing || current?.connections.watches !== watches) return;
    probing = true;
    try {
      await dispatch(current, { ...kubeRequest, timeoutMs: PROBE_MS }, closing.signal);
      if (access?.connections.watches === watches) abandonConnections();
    } catch {
      // As silent as the old one.
    } finally {
      probing = false;
    }
  }

  function dispatch(
    { connections, origin, basePath, headers }: Access,
    kubeRequest: KubeRequest,
    signal: AbortSignal | undefined,
  ): Promise<HttpResponse> {
    const { method, path, body, contentType = 'application/json' } = kubeRequest;
    return sendRequest(connections.requests, {
      method,
      origin,
      path: basePath + path,
      headers: {
        ...headers,
        accept: 'application/json',
        'user-agent': userAgent,
        ...(body === undefined ? {} : { 'content-type': contentType }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      timeoutMs: kubeRequest.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      maxBytes: kubeRequest.maxBytes ?? MAX_BODY_BYTES,
      signal,
    });
  }

  async function send(kubeRequest: KubeRequest): Promise<JsonObject> {
    const what = `${kubeRequest.method} ${kubeRequest.path.split('?')[0]}`;
    const current = await currentAccess();
    const startedAt = performance.now();
    let status = 0;
    try {
      const response = await dispatch(current, kubeRequest, kubeRequest.signal);
      status = response.status;
      return readResponse(what, response, kubeRequest.returns);
    } catch (cause) {
      kubeRequest.signal?.throwIfAborted();
      if (cause instanceof KubeError) throw cause;
      if (cause instanceof BodyTooLargeError)
        throw new KubeError(`${what}: ${cause.message}`, { status: 0, reason: INVALID_RESPONSE, cause });
      if (cause instanceof DeadlineError) onDeadline(current, kubeRequest);
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
      if (beginsWatch(response.statusCode, response.headers)) return response.body;
      if (response.statusCode < 400) {
        // It may never end, and its end is an error that nobody waits for.
        response.body.on('error', () => undefined).destroy();
        throw errorFromContent(what, response.statusCode, 'a watch');
      }
      const body = parseJson(await beginningOf(response.body));
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
    abandonConnections,
    close: async () => {
      closing.abort(new Error('the client is closed'));
      const open = access === undefined ? [] : [access.connections.requests, access.connections.watches];
      access = undefined;
      await Promise.allSettled([...open.map((dispatcher) => dispatcher.destroy()), ...retired]);
    },
  };
}

/** The text that a body begins with: what is no watch may never end. */
async function beginningOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= MAX_ERROR_BYTES) break;
  }
  return Buffer.concat(chunks).toString('utf8');
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
