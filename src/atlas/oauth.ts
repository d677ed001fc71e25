/** Access tokens of service accounts (OAuth 2.0 client credentials): one live token per credential, one request in flight. */
import { LRUCache } from 'lru-cache';
import * as oauth from 'oauth4webapi';
import type { AtlasErrorKind } from '../api/api-error.ts';
import { retryAfterMs } from '../net/retry-after.ts';
import type { AtlasCredentials } from './credentials.ts';
import { AtlasError } from './errors.ts';
import type { HttpRequest, HttpResponse, Send } from './http.ts';
import { readTokenError } from './response.ts';

type ServiceAccount = Extract<AtlasCredentials, { kind: 'serviceAccount' }>;

export interface OAuthAuthentication {
  /** The response to the request, sent with a token; a token that Atlas no longer accepts is replaced once. */
  readonly authenticate: (
    send: Send,
    request: HttpRequest,
    credentials: ServiceAccount,
    use: TokenUse,
  ) => Promise<HttpResponse>;
  /** Gives the live tokens back: an account has at most 100. Failures are ignored, tokens end by themselves. */
  readonly revokeAll: () => Promise<void>;
}

/** What a token is wanted for. */
export interface TokenUse {
  /** Of the credentials, see `credentialsKey`. */
  readonly key: string;
  /** What the same token is accepted or refused for: Atlas responds with 401 for a project that the account may not see. */
  readonly scope: string;
}

interface Token {
  readonly credentials: ServiceAccount;
  readonly value: string;
  /** Monotonic milliseconds, all three. */
  readonly fetchedAt: number;
  readonly renewAt: number;
  readonly expiresAt: number;
  /** The scopes in which Atlas has accepted it. */
  readonly workedIn: LRUCache<string, true>;
  /** How old it must be before it is replaced for a 401 in a scope in which it never worked, in milliseconds. */
  patienceMs: number;
}

interface OAuthOptions {
  readonly baseUrl: string;
  /** Carries the requests to the token endpoint. */
  readonly sendToken: Send;
  /** Told how each request for a token ended. */
  readonly onToken?: (result: TokenResult) => void;
  /** Monotonic, in milliseconds: a wall clock that is set back would make every token young and every refusal last. */
  readonly now?: () => number;
}

/** Tokens are kept for this many credentials; rotated ones fall out. */
const MAX_TOKENS = 1_000;
/** Scopes are remembered for each token, the latest ones. */
const MAX_SCOPES = 100;
/** A header carries no more, and each token is kept for an hour. */
const MAX_TOKEN_LENGTH = 8_192;
/**
 * A token that never worked is not replaced for a 401 while it is younger than this: the endpoint allows about 10
 * requests a minute.
 */
const YOUNG_MS = 10_000;
/**
 * Nor one younger than this when it replaced another and was refused as well: it is not the token that Atlas refuses,
 * and an account has at most 100 live ones.
 */
const USELESS_MS = 300_000;
/**
 * Replacements for a 401, for each credential: so many at once, and one more after each of these times. A server that
 * takes the same token now and then refuses it would else use up the 100 live tokens.
 */
const REPLACEMENTS = 5;
const REPLACEMENT_MS = 120_000;
/** How long a failure of the token endpoint stands in for further requests, unless it said how long itself. */
const HOLD_MS: Readonly<Record<AtlasErrorKind, number>> = {
  refused: 60_000,
  rateLimited: 60_000,
  unavailable: 6_000,
  invalidResponse: 6_000,
  unsupported: 6_000,
};

/** What became of a request for a token: granted; Atlas said no, or to wait; or there was no usable response. */
export type TokenResult = 'granted' | 'refused' | 'failed';

export function createOAuthAuthentication({
  baseUrl,
  sendToken,
  onToken = () => {},
  now = () => performance.now(),
}: OAuthOptions): OAuthAuthentication {
  const tokens = new LRUCache<string, Token>({ max: MAX_TOKENS });
  const pending = new Map<string, Promise<Token>>();
  const replacements = new LRUCache<string, Allowance>({ max: MAX_TOKENS });
  const failures = new LRUCache<string, { readonly error: AtlasError; readonly until: number }>({ max: MAX_TOKENS });
  const server: oauth.AuthorizationServer = {
    issuer: baseUrl,
    token_endpoint: `${baseUrl}/api/oauth/token`,
    revocation_endpoint: `${baseUrl}/api/oauth/revoke`,
  };
  const options = {
    [oauth.customFetch]: tokenFetch(sendToken),
    // Settings allow http for loopback hosts only.
    [oauth.allowInsecureRequests]: true,
  };

  async function authenticate(
    send: Send,
    request: HttpRequest,
    credentials: ServiceAccount,
    { key, scope }: TokenUse,
  ): Promise<HttpResponse> {
    const token = await currentToken(credentials, key);
    const response = await sendWith(token, send, request, scope);
    if (response.status !== 401) return response;
    // Another request may have replaced it meanwhile.
    if (tokens.get(key) === token) {
      if (!mayReplace(token, key, scope)) return response;
      tokens.delete(key);
    }
    const fresh = await currentToken(credentials, key);
    const second = await sendWith(fresh, send, request, scope);
    if (second.status === 401) fresh.patienceMs = USELESS_MS;
    return second;
  }

  async function sendWith(token: Token, send: Send, request: HttpRequest, scope: string): Promise<HttpResponse> {
    const response = await send(authorized(request, token));
    // Only this: any other response may be a gateway's, which has not looked at the token.
    if (response.status === 200) token.workedIn.set(scope, true);
    return response;
  }

  /** Whether it is most likely the token that Atlas refuses, and not the account in this scope. */
  function mayReplace(token: Token, key: string, scope: string): boolean {
    if (!token.workedIn.has(scope) && now() - token.fetchedAt < token.patienceMs) return false;
    const allowance = refilled(replacements.get(key), now());
    if (allowance.left < 1) return false;
    replacements.set(key, { ...allowance, left: allowance.left - 1 });
    return true;
  }

  async function currentToken(credentials: ServiceAccount, key: string): Promise<Token> {
    const token = tokens.get(key);
    if (token !== undefined && now() < token.renewAt) return token;
    try {
      return await renew(credentials, key);
    } catch (error) {
      if (token !== undefined && tokens.get(key) === token && now() < token.expiresAt) return token;
      throw error;
    }
  }

  function renew(credentials: ServiceAccount, key: string): Promise<Token> {
    const failure = failures.get(key);
    if (failure !== undefined && now() < failure.until) return Promise.reject(failure.error);
    const running = pending.get(key) ?? request(credentials, key).finally(() => pending.delete(key));
    pending.set(key, running);
    return running;
  }

  async function request(credentials: ServiceAccount, key: string): Promise<Token> {
    try {
      const token = await requestToken(credentials);
      failures.delete(key);
      tokens.set(key, token);
      onToken('granted');
      return token;
    } catch (error) {
      if (error instanceof AtlasError) {
        onToken(error.kind === 'refused' || error.kind === 'rateLimited' ? 'refused' : 'failed');
        failures.set(key, {
          error,
          until: now() + (error.retryAfterMs ?? HOLD_MS[error.kind]),
        });
      }
      throw error;
    }
  }

  async function requestToken(credentials: ServiceAccount): Promise<Token> {
    const client = { client_id: credentials.clientId };
    const authentication = clientSecretBasic(credentials.clientSecret);
    const response = await oauth.clientCredentialsGrantRequest(server, client, authentication, {}, options);
    const fetchedAt = now();
    const granted = await oauth.processClientCredentialsResponse(server, client, response).catch((cause: unknown) => {
      throw noToken(cause);
    });
    // RFC 6749 appendix A.12. No header can carry anything else, and it would be kept for an hour.
    if (granted.access_token.length > MAX_TOKEN_LENGTH || !/^[\x20-\x7e]+$/.test(granted.access_token)) throw noToken();
    const lifetime = (granted.expires_in ?? 3_600) * 1_000;
    return {
      credentials,
      value: granted.access_token,
      fetchedAt,
      renewAt: fetchedAt + lifetime - Math.min(300_000, lifetime / 5),
      expiresAt: fetchedAt + lifetime,
      workedIn: new LRUCache({ max: MAX_SCOPES }),
      patienceMs: YOUNG_MS,
    };
  }

  async function revokeAll(): Promise<void> {
    const live = [...tokens.values()].filter((token) => now() < token.expiresAt);
    tokens.clear();
    await Promise.allSettled(
      live.map(({ credentials, value }) =>
        oauth.revocationRequest(
          server,
          { client_id: credentials.clientId },
          clientSecretBasic(credentials.clientSecret),
          value,
          { ...options, additionalParameters: { token_type_hint: 'access_token' } },
        ),
      ),
    );
  }

  return { authenticate, revokeAll };
}

/** Replacements that are left, as of a monotonic time. */
interface Allowance {
  readonly left: number;
  readonly at: number;
}

const refilled = (allowance: Allowance | undefined, now: number): Allowance =>
  allowance === undefined
    ? { left: REPLACEMENTS, at: now }
    : { left: Math.min(REPLACEMENTS, allowance.left + (now - allowance.at) / REPLACEMENT_MS), at: now };

const authorized = (request: HttpRequest, token: Token): HttpRequest => ({
  ...request,
  headers: { ...request.headers, authorization: `Bearer ${token.value}` },
});

const noToken = (cause?: unknown): AtlasError =>
  new AtlasError(
    'ATLAS_NOT_A_TOKEN',
    (server) => `${server} answered the token request with something that is not a token`,
    { httpStatus: 200, cause },
  );

/**
 * RFC 6749 section 2.3.1. Atlas documents base64(id:secret), and whether it decodes the form encoding that the RFC puts
 * in between is not known: oauth4webapi's own would escape the `_` and `-` of every id and secret, this one leaves them.
 */
function clientSecretBasic(clientSecret: string): oauth.ClientAuth {
  const encoded = (text: string): string => new URLSearchParams([['', text]]).toString().slice(1);
  return (_server, client, _body, headers) => {
    headers.set('authorization', `Basic ${btoa(`${encoded(client.client_id)}:${encoded(clientSecret)}`)}`);
  };
}

/** oauth4webapi's requests through our own exchange, with its deadline and bounded body. */
function tokenFetch(send: Send) {
  return async (
    url: string,
    init: { readonly body?: URLSearchParams | undefined; readonly headers: Record<string, string> },
  ): Promise<Response> => {
    const response = await send({ method: 'POST', url, headers: init.headers, body: init.body?.toString() ?? '' });
    if (response.status === 200)
      return new Response(response.body, { headers: { 'content-type': 'application/json' } });
    // The wall clock: Retry-After can be a date.
    throw readTokenError(response.status, response.body, retryAfterMs(response.headers, Date.now()));
  };
}
