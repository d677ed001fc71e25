/** The Atlas client: "Return One Legacy Backup Restore Job", with budgets, authentication and shared fetches. */
import type { IncomingHttpHeaders } from 'node:http';
import { arch, platform } from 'node:os';
import { Agent, type Dispatcher, EnvHttpProxyAgent } from 'undici';
import { retryAfterMs } from '../net/retry-after.ts';
import { type RestoreJobAnswer, readAnswer } from './answer.ts';
import { type BudgetUsage, createBudgets } from './budget.ts';
import { type AtlasCredentials, credentialsKey } from './credentials.ts';
import { createDigestAuthentication } from './digest-authentication.ts';
import { AtlasError } from './errors.ts';
import { createSend, type HttpRequest, type Send } from './http.ts';
import { createOAuthAuthentication, type TokenResult } from './oauth.ts';

/** What names a restore job at Atlas. */
export interface RestoreJobRef {
  readonly groupId: string;
  readonly clusterName: string;
  readonly jobId: string;
}

export type Fetch = Fetching | Waiting;

interface Fetching {
  readonly kind: 'fetching';
  /** Rejects with AtlasError, or with the reason of the client's signal once that is aborted. */
  readonly answer: Promise<RestoreJobAnswer>;
  /** Milliseconds since the epoch. */
  readonly begunAt: number;
}

/** The caller stands in the budget's line and is called with `onTurn`. */
interface Waiting {
  readonly kind: 'waiting';
  /** When Atlas asked to wait, in milliseconds since the epoch; undefined when only our own rate is used up. */
  readonly pausedSince: number | undefined;
}

export interface AtlasClient {
  /**
   * Fetches a restore job. `waiter` names the caller in the budget's line. `begun` says whether a fetch of the same job
   * with the same credentials that is already under way will do: `any` (the default) shares it, `now` begins another
   * one, for a caller whose answer must not be older than this call. Later callers share the newest.
   */
  readonly fetch: (
    ref: RestoreJobRef,
    credentials: AtlasCredentials,
    waiter: string,
    options?: { readonly begun?: 'any' | 'now' },
  ) => Fetch;
  /** A place in the line of a budget that Atlas has just paused. */
  readonly wait: (ref: RestoreJobRef, credentials: AtlasCredentials, waiter: string) => Waiting;
  /** Takes somebody who has gone out of the lines. */
  readonly forget: (waiter: string) => void;
  /** How the request budgets stand, for metrics. */
  readonly budgets: () => BudgetUsage;
  /** Gives tokens back and closes the connections. */
  readonly close: () => Promise<void>;
}

/** How a request is authenticated: with an API key or with what belongs to a service account. */
type AuthKind = 'digest' | 'serviceAccount';

/** One request to Atlas, for metrics. `status` 0: no answer came. */
export interface AtlasRequestRecord {
  readonly endpoint: 'restoreJob' | 'token' | 'revoke';
  readonly auth: AuthKind;
  readonly status: number;
  readonly durationMs: number;
}

export interface AtlasClientOptions {
  /** Without a trailing slash. */
  readonly baseUrl: string;
  /** Milliseconds for each request. */
  readonly timeoutMs: number;
  readonly envelope: boolean;
  readonly pretty: boolean;
  /** Per project and credential; 0 means no limit. */
  readonly requestsPerMinute: number;
  readonly version: string;
  /** Ends all requests at once. */
  readonly signal: AbortSignal;
  readonly onTurn: (waiter: string) => void;
  readonly onRequest?: (record: AtlasRequestRecord) => void;
  /** Called for each access token that was asked for. */
  readonly onToken?: (result: TokenResult) => void;
  /** Called when Atlas asks a budget to wait. */
  readonly onPause?: () => void;
  /** Atlas marks this API version as deprecated; called once. */
  readonly onDeprecation?: (notice: {
    readonly deprecation: string | undefined;
    readonly sunset: string | undefined;
  }) => void;
  readonly dispatcher?: Dispatcher;
}

export function createAtlasClient(options: AtlasClientOptions): AtlasClient {
  const { baseUrl, signal } = options;
  const dispatcher = options.dispatcher ?? connect();
  const userAgent = `legacy-restore-operator/${options.version} (${platform()};${arch()})`;
  const send = createSend({ dispatcher, timeoutMs: options.timeoutMs, signal, userAgent });
  const sendWith: Readonly<Record<AuthKind, Send>> = {
    digest: observed(send, 'digest', options.onRequest),
    serviceAccount: observed(send, 'serviceAccount', options.onRequest),
  };
  const budgets = createBudgets({
    requestsPerMinute: options.requestsPerMinute,
    onTurn: options.onTurn,
    ...(options.onPause === undefined ? {} : { onPause: options.onPause }),
  });
  const digest = createDigestAuthentication();
  const oauth = createOAuthAuthentication(baseUrl, sendWith.serviceAccount, Date.now, options.onToken);
  const noticeDeprecation = once(options.onDeprecation);
  const inFlight = new Map<string, Fetching>();

  async function get(
    url: string,
    credentials: AtlasCredentials,
    key: string,
    budget: string,
  ): Promise<RestoreJobAnswer> {
    const request: HttpRequest = { method: 'GET', url, headers: {} };
    const counted = (auth: AuthKind): Send => afterFirst(sendWith[auth], () => budgets.spend(budget));
    try {
      const answer =
        credentials.kind === 'apiKey'
          ? await digest.exchange(counted('digest'), request, credentials, key)
          : await oauth.exchange(counted('serviceAccount'), request, credentials, key);
      noticeDeprecation(answer.headers);
      const result = readAnswer(answer.status, answer.body, retryAfterMs(answer.headers, Date.now()));
      if (result instanceof AtlasError) throw result;
      budgets.succeeded(budget, rateLimitRemaining(answer.headers));
      return result;
    } catch (error) {
      if (asksToWait(error)) budgets.pause(budget, error.retryAfterMs);
      else if (error instanceof AtlasError && error.kind === 'permanent') budgets.succeeded(budget, undefined);
      throw error;
    }
  }

  const fetch: AtlasClient['fetch'] = (ref, credentials, waiter, { begun = 'any' } = {}) => {
    const key = credentialsKey(credentials);
    const url = restoreJobUrl(options, ref);
    const what = `${key} ${url}`;
    const shared = inFlight.get(what);
    if (shared !== undefined && begun === 'any') return shared;
    const budget = budgetName(ref, key);
    const admission = budgets.admit(budget, waiter);
    if (!admission.admitted) return { kind: 'waiting', pausedSince: admission.pausedSince };
    const begunAt = Date.now();
    const answer = get(url, credentials, key, budget).finally(() => {
      // A newer one may have taken its place.
      if (inFlight.get(what) === fetching) inFlight.delete(what);
    });
    const fetching: Fetching = { kind: 'fetching', answer, begunAt };
    inFlight.set(what, fetching);
    return fetching;
  };

  function wait(ref: RestoreJobRef, credentials: AtlasCredentials, waiter: string): Waiting {
    const admission = budgets.wait(budgetName(ref, credentialsKey(credentials)), waiter);
    return { kind: 'waiting', pausedSince: admission.admitted ? undefined : admission.pausedSince };
  }

  async function close(): Promise<void> {
    budgets.close();
    await oauth.revokeAll();
    // An aborted signal has destroyed it.
    if (!signal.aborted) await dispatcher.close();
  }

  return { fetch, wait, forget: budgets.forget, budgets: budgets.usage, close };
}

/** Idle connections outlive the gap between two visits at the shortest interval. */
const KEEP_ALIVE_MS = 30_000;

/** EnvHttpProxyAgent honours NO_PROXY too, and for that reads the environment at each request: only where there is a proxy. */
function connect(): Dispatcher {
  const { http_proxy, HTTP_PROXY, https_proxy, HTTPS_PROXY } = process.env;
  const hasProxy = [http_proxy, HTTP_PROXY, https_proxy, HTTPS_PROXY].some(
    (value) => value !== undefined && value !== '',
  );
  const options = { keepAliveTimeout: KEEP_ALIVE_MS };
  return hasProxy ? new EnvHttpProxyAgent(options) : new Agent(options);
}

const budgetName = (ref: RestoreJobRef, key: string): string => `${ref.groupId} ${key}`;

/** A 429 always means to wait; any other answer only when it says for how long. */
const asksToWait = (error: unknown): error is AtlasError =>
  error instanceof AtlasError && (error.kind === 'rateLimited' || error.retryAfterMs !== undefined);

function restoreJobUrl(options: AtlasClientOptions, ref: RestoreJobRef): string {
  const segments = ['groups', ref.groupId, 'clusters', ref.clusterName, 'restoreJobs', ref.jobId];
  const url = new URL(`${options.baseUrl}/api/atlas/v1.0/${segments.map(pathSegment).join('/')}`);
  if (options.envelope) url.searchParams.set('envelope', 'true');
  if (options.pretty) url.searchParams.set('pretty', 'true');
  return url.href;
}

/** `.` and `..` leave their segment whatever their encoding; encoded twice they are a name that nothing at Atlas has. */
const pathSegment = (text: string): string =>
  encodeURIComponent(/^\.\.?$/.test(text) ? text.replaceAll('.', '%2E') : text);

/** Passes requests on and reports each one after the first: what a cold nonce or an expired token costs. */
function afterFirst(send: Send, onFurther: () => void): Send {
  let first = true;
  return (request) => {
    if (!first) onFurther();
    first = false;
    return send(request);
  };
}

function observed(send: Send, auth: AuthKind, onRequest: AtlasClientOptions['onRequest']): Send {
  if (onRequest === undefined) return send;
  return async (request) => {
    const start = performance.now();
    const record = (status: number) =>
      onRequest({ endpoint: endpointOf(request.url), auth, status, durationMs: performance.now() - start });
    try {
      const answer = await send(request);
      record(answer.status);
      return answer;
    } catch (error) {
      record(0);
      throw error;
    }
  };
}

function endpointOf(url: string): AtlasRequestRecord['endpoint'] {
  if (url.endsWith('/api/oauth/token')) return 'token';
  return url.endsWith('/api/oauth/revoke') ? 'revoke' : 'restoreJob';
}

function once(onDeprecation: AtlasClientOptions['onDeprecation']): (headers: IncomingHttpHeaders) => void {
  let noticed = false;
  return (headers) => {
    const deprecation = headers['deprecation']?.toString();
    const sunset = headers['sunset']?.toString();
    if (noticed || (deprecation === undefined && sunset === undefined)) return;
    noticed = true;
    onDeprecation?.({ deprecation, sunset });
  };
}

function rateLimitRemaining(headers: IncomingHttpHeaders): number | undefined {
  const value = headers['ratelimit-remaining'];
  return typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : undefined;
}
