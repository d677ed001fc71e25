import type { AccessTokens } from './access-tokens.ts';
import { type Answer, type AnswerHeaders, jsonAnswer } from './answer.ts';
import { apiErrorAnswer, methodNotAllowedError, tokenRateLimitError } from './api-error.ts';
import type { AtlasRequest } from './atlas-request.ts';
import type { Behavior } from './behavior.ts';
import type { Credentials } from './credentials.ts';
import type { NoteRequest } from './rate-limit.ts';
import type { Refusal } from './request-log.ts';

/** What the two OAuth endpoints look things up in. */
export interface OAuthEndpoint {
  readonly credentials: Credentials;
  readonly tokens: AccessTokens;
  readonly behavior: () => Behavior;
  readonly noteRequest: NoteRequest;
}

/** Whether a client has shown who it is. */
export type ClientAuthentication =
  | { readonly kind: 'accepted'; readonly clientId: string }
  | { readonly kind: 'refused'; readonly answer: Answer; readonly refusal?: Refusal };

/** Checks method, rate limit and client credentials of a request to the token or the revocation endpoint. */
export function authenticateClient(request: AtlasRequest, endpoint: OAuthEndpoint): ClientAuthentication {
  if (request.method !== 'POST') {
    return { kind: 'refused', answer: apiErrorAnswer(methodNotAllowedError(request.method), { Allow: 'POST' }) };
  }
  const { authorization } = request;
  // Before the credentials: a wrong secret must not be guessed faster than a right one is used.
  const seconds = request.route.kind === 'token' ? noteTokenRequest(request, endpoint) : 0;
  if (seconds > 0) {
    const headers = { 'Retry-After': String(seconds) };
    return { kind: 'refused', answer: apiErrorAnswer(tokenRateLimitError(seconds), headers) };
  }
  if (authorization.kind === 'basic') {
    const { username, password } = authorization;
    if (endpoint.credentials.serviceAccount(username)?.clientSecret === password) {
      return { kind: 'accepted', clientId: username };
    }
  }
  const answer = oauthError(401, 'invalid_client', 'Invalid credentials provided.', basicChallenge(endpoint));
  return { kind: 'refused', answer, refusal: 'wrong-client' };
}

/** Answers a client that has shown who it is: a new token, or the end of one. */
export function answerOAuthRequest(request: AtlasRequest, clientId: string, endpoint: OAuthEndpoint): Answer {
  if (!/^application\/x-www-form-urlencoded(\s*;|$)/i.test(request.contentType)) {
    return oauthError(400, 'invalid_request', 'The body must be application/x-www-form-urlencoded.');
  }
  const form = new URLSearchParams(request.body);
  const repeated = [...form.keys()].some((name) => form.getAll(name).length > 1);
  if (repeated) return oauthError(400, 'invalid_request', 'A parameter is included more than once.');
  // RFC 6749 §2.3: a client must not use more than one method of authentication.
  if (form.has('client_secret')) return oauthError(400, 'invalid_request', 'Two methods of client authentication.');
  return request.route.kind === 'token' ? issueToken(form, clientId, endpoint) : revokeToken(form, clientId, endpoint);
}

function issueToken(form: URLSearchParams, clientId: string, { tokens, behavior }: OAuthEndpoint): Answer {
  const grantType = form.get('grant_type');
  if (grantType === null) return oauthError(400, 'invalid_request', 'Missing parameter: grant_type.');
  if (grantType !== 'client_credentials') {
    return oauthError(400, 'unsupported_grant_type', `Unsupported grant type: ${grantType}.`);
  }
  const { tokenLifetimeSeconds, liveTokensPerAccount } = behavior();
  const token = tokens.issue(clientId, tokenLifetimeSeconds, liveTokensPerAccount);
  if (token === undefined) return oauthError(403, 'access_denied', 'Too many active access tokens.');
  const body = { access_token: token, expires_in: tokenLifetimeSeconds, token_type: 'Bearer' };
  return jsonAnswer(200, body, { 'Cache-Control': 'no-store', Pragma: 'no-cache' });
}

// RFC 7009 §2.2: 200 also for a token that is not, or not any more, valid.
function revokeToken(form: URLSearchParams, clientId: string, { tokens }: OAuthEndpoint): Answer {
  const token = form.get('token');
  if (token === null) return oauthError(400, 'invalid_request', 'Missing parameter: token.');
  tokens.revoke(clientId, token);
  return { status: 200, headers: {}, body: '' };
}

function noteTokenRequest({ authorization, address }: AtlasRequest, endpoint: OAuthEndpoint): number {
  const clientId = authorization.kind === 'basic' ? authorization.username : '';
  return endpoint.noteRequest(`${address} ${clientId}`, endpoint.behavior().tokenRequestsPerMinute);
}

function basicChallenge({ behavior }: OAuthEndpoint): AnswerHeaders {
  return behavior().basicChallenge ? { 'Www-Authenticate': 'Basic realm="MMS Public API"' } : {};
}

// `error` is a string here: another shape than the API's errors.
function oauthError(status: number, error: string, description: string, headers: AnswerHeaders = {}): Answer {
  return jsonAnswer(status, { error, error_description: description }, headers);
}
