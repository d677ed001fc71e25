/** The Atlas client: one restore job or all of a cluster, with budgets, authentication and shared fetches. */
import type { IncomingHttpHeaders } from 'node:http';
import { arch, platform } from 'node:os';
import type { Dispatcher } from 'undici';
import type { AtlasApi } from '../api/atlas-api.ts';
import type { RestoreJobResponse } from '../api/restore-job.ts';
import { openConnections } from '../net/connections.ts';
import { proxyFor } from '../net/proxy.ts';
import { retryAfterMs } from '../net/retry-after.ts';
import { type BudgetPause, type BudgetUsage, createBudgets } from './budget.ts';
import { type AtlasCredentials, credentialsKey } from './credentials.ts';
import { createDeprecationWatch, type DeprecationNotice } from './deprecation.ts';
import { createDigestAuthentication } from './digest-authentication.ts';
import { AtlasError, asksToWait } from './errors.ts';
import { createSend, type HttpRequest, type Send } from './http.ts';
import { type RestoreJobList, readAllPages } from './list.ts';
import { type ListPage, readListPage } from './list-response.ts';
import { createOAuthAuthentication, type TokenResult } from './oauth.ts';
import { unsupportedError } from './ops-manager.ts';
import { readRestoreJobResponse } from './response.ts';
import { createTurns } from './turns.ts';
import {
  type ApiAddress,
  type ClusterRef,
  type Endpoint,
  endpointOf,
  type RestoreJobListRef,
  type RestoreJobRef,
  restoreJobsUrl,
  restoreJobUrl,
} from './urls.ts';

export type Fetch = Fetching | Waiting;

export interface Fetching {
  readonly kind: 'fetching';
  /** Rejects with AtlasError, or with the reason of the client's signal once that is aborted. */
  readonly response: Promise<RestoreJobResponse>;
  /** Milliseconds since the epoch, for comparing with dates in the response. */
  readonly begunAt: number;
}

/** The caller waits in the queue of the budget; `onReserved` names it once a request is reserved for it. */
export interface Waiting {
  readonly kind: 'waiting';
  /** What Atlas asked for; undefined when only the client-side limit is used up. */
  readonly pause: BudgetPause | undefined;
}

/** One page of a list, with when it was asked for: monotonic, in milliseconds. */
export interface FetchedPage extends ListPage {
  readonly begunAt: number;
}

interface FetchOptions {
  /**
   * Whether a fetch of the same job with the same credentials that is already under way will do: `any` (the default)
   * shares it, `now` begins another one, for a caller whose response must not be older than this call. Later callers
   * share the newest.
   */
  readonly begun?: 'any' | 'now';
  /** Goes into the records of the requests that this call begins. */
  readonly requestId?: string;
}

export interface AtlasClient {
  /** Fetches a restore job. `waiter` names the caller in the queue of the budget. */
  readonly fetch: (ref: RestoreJobRef, credentials: AtlasCredentials, waiter: string, options?: FetchOptions) => Fetch;
  /**
   * One page of the restore jobs of a cluster. It waits where the budget is used up or paused, ahead of the fetches that
   * wait there. Rejects as a fetch does.
   */
  readonly listPage: (
    ref: RestoreJobListRef,
    credentials: AtlasCredentials,
    pageNum: number,
    options?: Pick<FetchOptions, 'requestId'>,
  ) => Promise<FetchedPage>;
  /** All restore jobs of a cluster, page after page. */
  readonly list: (ref: RestoreJobListRef, credentials: AtlasCredentials) => Promise<RestoreJobList>;
  /** A place in the queue of a budget that Atlas has just paused. */
  readonly wait: (ref: RestoreJobRef, credentials: AtlasCredentials, waiter: string) => Waiting;
  /** What Atlas asked the budget of these requests to wait for; undefined where it is not paused. */
  readonly pauseOf: (ref: ClusterRef, credentials: AtlasCredentials) => BudgetPause | undefined;
  /** Removes a waiter that is gone from the queues. */
  readonly forget: (waiter: string) => void;
  /** How the request budgets stand, for metrics. */
  readonly budgets: () => BudgetUsage;
  /** Gives tokens back and closes the connections. */
  readonly close: () => Promise<void>;
}

/** How a request is authenticated: with an API key or with what belongs to a service account. */
type AuthKind = 'digest' | 'serviceAccount';

/** One request to Atlas. `status` 0: no response came. */
export interface AtlasRequestRecord {
  readonly endpoint: Endpoint;
  readonly auth: AuthKind;
  readonly status: number;
  readonly durationMs: number;
  /** Of the fetch that it belongs to; undefined where that has none. */
  readonly requestId: string | undefined;
}

/** What happens in the client, for logs and metrics. */
interface AtlasObserver {
  readonly request: (record: AtlasRequestRecord) => void;
  /** An access token was asked for. */
  readonly token: (result: TokenResult) => void;
  /** Atlas asked a budget to wait. */
  readonly pause: () => void;
  /** Atlas marks this API version as deprecated; called once for each notice. */
  readonly deprecation: (notice: DeprecationNotice) => void;
}

export interface AtlasClientOptions extends ApiAddress {
  /** Milliseconds for each request. */
  readonly timeoutMs: number;
  readonly envelope: boolean;
  readonly pretty: boolean;
  /** Per project and credential; 0 means no limit. */
  readonly requestsPerMinute: number;
  readonly version: string;
  /** Ends all requests at once. */
  readonly signal: AbortSignal;
  /** A request is reserved for this waiter: its next `fetch` is admitted. */
  readonly onReserved: (waiter: string) => void;
  readonly observer?: Partial<AtlasObserver>;
  readonly dispatcher?: Dispatcher;
}

/** Throws ProxySettingError when the environment names a proxy that cannot be used. */
export function createAtlasClient(options: AtlasClientOptions): AtlasClient {
  const { baseUrl, signal } = options;
  const dispatcher = options.dispatcher ?? connect(baseUrl);
  const userAgent = `legacy-restore-operator/${options.version} (${platform()};${arch()})`;
  const send = createSend({ dispatcher, timeoutMs: options.timeoutMs, signal, userAgent });
  const { observer = {} } = options;
  const turns = createTurns();
  signal.addEventListener('abort', () => turns.end(signal.reason), { once: true });
  const budgets = createBudgets({
    requestsPerMinute: options.requestsPerMinute,
    onReserved: (waiter) => {
      if (!turns.reserved(waiter)) options.onReserved(waiter);
    },
    ...(observer.pause === undefined ? {} : { onPause: observer.pause }),
  });
  const digest = createDigestAuthentication();
  const tokenSend = observed(send, 'serviceAccount', undefined, observer);
  const oauth = createOAuthAuthentication({
    baseUrl,
    sendToken: tokenSend,
    ...(observer.token === undefined ? {} : { onToken: observer.token }),
  });
  const watchDeprecation = createDeprecationWatch((notice) => observer.deprecation?.(notice));
  const inFlight = new Map<string, Fetching>();

  /** One request that the budget has admitted, with those that its authentication costs. */
  async function get<T extends object>(
    { url, ref, credentials, key, requestId }: Question,
    read: (httpStatus: number, body: string, retryAfterMs: number | undefined) => T | AtlasError,
  ): Promise<T> {
    const budget = budgetName(ref, key);
    const request: HttpRequest = { method: 'GET', url, headers: HEADERS[options.api] };
    const counted = (auth: AuthKind): Send =>
      afterFirst(observed(send, auth, requestId, observer), () => budgets.spend(budget));
    try {
      const response =
        credentials.kind === 'apiKey'
          ? await digest.authenticate(counted('digest'), request, credentials, key)
          : await oauth.authenticate(counted('serviceAccount'), request, credentials, { key, scope: ref.groupId });
      watchDeprecation(response.headers);
      const result = read(response.status, response.body, retryAfterMs(response.headers, Date.now()));
      if (result instanceof AtlasError) throw result;
      budgets.succeeded(budget, rateLimitRemaining(response.headers));
      return result;
    } catch (error) {
      if (!(error instanceof AtlasError)) throw error;
      if (asksToWait(error)) budgets.pause(budget, error.retryAfterMs, error.apiError);
      else if (error.kind === 'refused') budgets.succeeded(budget, undefined);
      throw error;
    }
  }

  const fetch: AtlasClient['fetch'] = (ref, credentials, waiter, { begun = 'any', requestId } = {}) => {
    const unsupported = unsupportedError(options, ref, credentials);
    if (unsupported !== undefined) {
      budgets.forget(waiter);
      return { kind: 'fetching', response: Promise.reject(unsupported), begunAt: Date.now() };
    }
    const key = credentialsKey(credentials);
    const url = restoreJobUrl(options, ref);
    const what = `${key} ${url}`;
    const shared = inFlight.get(what);
    if (shared !== undefined && begun === 'any') {
      // Its place, if it has one, would lead to a fetch that nobody needs any more.
      budgets.forget(waiter);
      return shared;
    }
    const budget = budgetName(ref, key);
    const admission = budgets.admit(budget, waiter);
    if (!admission.admitted) return { kind: 'waiting', pause: admission.pause };
    const begunAt = Date.now();
    const response = get({ url, ref, credentials, key, requestId }, readRestoreJobResponse).finally(() => {
      // A newer one may have taken its place.
      if (inFlight.get(what) === fetching) inFlight.delete(what);
    });
    const fetching: Fetching = { kind: 'fetching', response, begunAt };
    inFlight.set(what, fetching);
    return fetching;
  };

  let listPages = 0;
  const listPage: AtlasClient['listPage'] = async (ref, credentials, pageNum, { requestId } = {}) => {
    const unsupported = unsupportedError(options, ref, credentials);
    if (unsupported !== undefined) throw unsupported;
    const key = credentialsKey(credentials);
    listPages += 1;
    // No key of a resource has a space.
    const waiter = `list ${listPages}`;
    while (!budgets.admit(budgetName(ref, key), waiter, 'list').admitted) {
      signal.throwIfAborted();
      await turns.next(waiter);
    }
    const begunAt = performance.now();
    const url = restoreJobsUrl(options, ref, pageNum);
    return { ...(await get({ url, ref, credentials, key, requestId }, readListPage)), begunAt };
  };

  function wait(ref: RestoreJobRef, credentials: AtlasCredentials, waiter: string): Waiting {
    return { kind: 'waiting', pause: budgets.wait(budgetName(ref, credentialsKey(credentials)), waiter).pause };
  }

  async function close(): Promise<void> {
    budgets.close();
    turns.end(new Error('the client was closed'));
    await oauth.revokeAll();
    // An aborted signal has destroyed it.
    if (!signal.aborted) await dispatcher.close();
  }

  return {
    fetch,
    listPage,
    list: (ref, credentials) => readAllPages((pageNum) => listPage(ref, credentials, pageNum)),
    wait,
    pauseOf: (ref, credentials) => budgets.pauseOf(budgetName(ref, credentialsKey(credentials))),
    forget: budgets.forget,
    budgets: budgets.usage,
    close,
  };
}

/** What a request asks, and with which credentials. */
interface Question {
  readonly url: string;
  readonly ref: ClusterRef;
  readonly credentials: AtlasCredentials;
  readonly key: string;
  readonly requestId: string | undefined;
}

/** `atlas/v2` has versions, of which these endpoints have one; without it Atlas responds with 406. */
export const V2_MEDIA_TYPE = 'application/vnd.atlas.2023-01-01+json';
const HEADERS: Readonly<Record<AtlasApi, HttpRequest['headers']>> = {
  'atlas/v1.0': {},
  'atlas/v2': { accept: V2_MEDIA_TYPE },
  'public/v1.0': {},
};

/** Idle connections outlive the gap between two reconciles at the shortest interval. */
const KEEP_ALIVE_MS = 30_000;

/** Once for all requests: they all go to one origin. */
const connect = (baseUrl: string): Dispatcher =>
  openConnections({
    // A deadline closes the connection of an HTTP/1.1 request. Of HTTP/2 it ends a stream, and a session that died
    // silently stays in use.
    agent: { keepAliveTimeout: KEEP_ALIVE_MS, allowH2: false },
    proxy: proxyFor(new URL(baseUrl), process.env),
  });

const budgetName = (ref: ClusterRef, key: string): string => `${ref.groupId} ${key}`;

/** Passes requests on and reports each one after the first: what a cold nonce or an expired token costs. */
function afterFirst(send: Send, onFurther: () => void): Send {
  let first = true;
  return (request) => {
    if (!first) onFurther();
    first = false;
    return send(request);
  };
}

function observed(
  send: Send,
  auth: AuthKind,
  requestId: string | undefined,
  { request: observe }: Partial<AtlasObserver>,
): Send {
  if (observe === undefined) return send;
  return async (request) => {
    const start = performance.now();
    const record = (status: number) =>
      observe({ endpoint: endpointOf(request.url), auth, status, durationMs: performance.now() - start, requestId });
    try {
      const response = await send(request);
      record(response.status);
      return response;
    } catch (error) {
      record(0);
      throw error;
    }
  };
}

function rateLimitRemaining(headers: IncomingHttpHeaders): number | undefined {
  const value = headers['ratelimit-remaining'];
  return typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : undefined;
}
