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
    key: string,
  ) => Promise<HttpResponse>;
  /** Gives the live tokens back: an account has at most 100. Failures are ignored, tokens end by themselves. */
  readonly revokeAll: () => Promise<void>;
}

interface Token {
  readonly credentials: ServiceAccount;
  readonly value: string;
  /** Milliseconds since the epoch, all three. */
  readonly fetchedAt: number;
  readonly renewAt: number;
  readonly expiresAt: number;
  /** How old it must be before it is replaced for a 401, in milliseconds. */
  patienceMs: number;
}

/** Tokens are kept for this many credentials; rotated ones fall out. */
const MAX_TOKENS = 1_000;
/** A token younger than this is not replaced for a 401: the endpoint allows about 10 requests a minute. */
const YOUNG_MS = 10_000;
/**
 * Nor one younger than this when it replaced another and was refused as well: it is not the token that Atlas refuses,
 * and an account has at most 100 live ones.
 */
const USELESS_MS = 300_000;
/** How long a failure of the token endpoint stands in for further requests, unless it said how long itself. */
const HOLD_MS: Readonly<Record<AtlasErrorKind, number>> = {
  refused: 60_000,
  rateLimited: 60_000,
  unavailable: 6_000,
  invalidResponse: 6_000,
};
const LONGEST_HOLD_MS = 3_600_000;

/** What became of a request for a token: granted; Atlas said no, or to wait; or there was no usable response. */
export type TokenResult = 'granted' | 'refused' | 'failed';

/** `sendToken` carries the requests to the token endpoint; `onToken` is told how each request for a token ended. */
export function createOAuthAuthentication(
  baseUrl: string,
  sendToken: Send,
  now: () => number = Date.now,
  onToken: (result: TokenResult) => void = () => {},
): OAuthAuthentication {
  const tokens = new LRUCache<string, Token>({ max: MAX_TOKENS });
  const pending = new Map<string, Promise<Token>>();
  const failures = new LRUCache<string, { readonly error: AtlasError; readonly until: number }>({ max: MAX_TOKENS });
  const server: oauth.AuthorizationServer = {
    issuer: baseUrl,
    token_endpoint: `${baseUrl}/api/oauth/token`,
    revocation_endpoint: `${baseUrl}/api/oauth/revoke`,
  };
  const options = {
    [oauth.customFetch]: tokenFetch(sendToken, now),
    // Settings allow http for loopback hosts only.
    [oauth.allowInsecureRequests]: true,
  };

  async function authenticate(
    send: Send,
    request: HttpRequest,
    credentials: ServiceAccount,
    key: string,
  ): Promise<HttpResponse> {
    const token = await currentToken(credentials, key);
    const response = await send(authorized(request, token));
    if (response.status !== 401 || now() - token.fetchedAt < token.patienceMs) return response;
    // Another request may have replaced it meanwhile.
    if (tokens.get(key) === token) tokens.delete(key);
    const fresh = await currentToken(credentials, key);
    const second = await send(authorized(request, fresh));
    if (second.status === 401) fresh.patienceMs = USELESS_MS;
    return second;
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
          until: now() + Math.min(error.retryAfterMs ?? HOLD_MS[error.kind], LONGEST_HOLD_MS),
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
    if (!/^[\x20-\x7e]+$/.test(granted.access_token)) throw noToken();
    const lifetime = (granted.expires_in ?? 3_600) * 1_000;
    return {
      credentials,
      value: granted.access_token,
      fetchedAt,
      renewAt: fetchedAt + lifetime - Math.min(300_000, lifetime / 5),
      expiresAt: fetchedAt + lifetime,
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

const authorized = (request: HttpRequest, token: Token): HttpRequest => ({
  ...request,
  headers: { ...request.headers, authorization: `Bearer ${token.value}` },
});

const noToken = (cause?: unknown): AtlasError =>
  new AtlasError('ATLAS_NOT_A_TOKEN', 'Atlas answered the token request with something that is not a token', {
    httpStatus: 200,
    cause,
  });

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
function tokenFetch(send: Send, now: () => number) {
  return async (
    url: string,
    init: { readonly body?: URLSearchParams | undefined; readonly headers: Record<string, string> },
  ): Promise<Response> => {
    const response = await send({ method: 'POST', url, headers: init.headers, body: init.body?.toString() ?? '' });
    if (response.status === 200)
      return new Response(response.body, { headers: { 'content-type': 'application/json' } });
    throw readTokenError(response.status, response.body, retryAfterMs(response.headers, now()));
  };
}
