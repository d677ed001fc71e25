import type { AccessTokens } from './access-tokens.ts';
import type { Answer } from './answer.ts';
import { apiErrorAnswer, UNAUTHORIZED } from './api-error.ts';
import type { AtlasRequest } from './atlas-request.ts';
import type { Access, Credentials } from './credentials.ts';
import type { DigestCheck } from './digest-check.ts';
import type { Refusal } from './request-log.ts';

/** Whether a request's credentials let it through to the API. */
export type Authentication =
  | { readonly kind: 'accepted'; readonly access: Access }
  /** `refusal` is absent when no credentials were given. */
  | { readonly kind: 'refused'; readonly answer: Answer; readonly refusal?: Refusal };

/** Checks the Digest answer or the access token of an API request. */
export function authenticate(
  request: AtlasRequest,
  { credentials, digest, tokens }: { credentials: Credentials; digest: DigestCheck; tokens: AccessTokens },
): Authentication {
  const { authorization } = request;
  switch (authorization.kind) {
    case 'none':
      return { kind: 'refused', answer: challenged(digest, false) };
    case 'bearer': {
      const access = credentials.serviceAccount(tokens.ownerOf(authorization.token) ?? '');
      if (access !== undefined) return { kind: 'accepted', access };
      return { kind: 'refused', answer: apiErrorAnswer(UNAUTHORIZED), refusal: 'dead-token' };
    }
    case 'digest': {
      const result = digest.verify(request.method, request.target, authorization.parameters);
      if (result.kind === 'accepted') return { kind: 'accepted', access: credentials.apiKey(result.publicKey) ?? {} };
      const stale = result.refusal === 'stale-nonce';
      return { kind: 'refused', answer: challenged(digest, stale), refusal: result.refusal };
    }
    case 'basic':
    case 'malformed':
      return { kind: 'refused', answer: challenged(digest, false), refusal: 'malformed' };
  }
}

function challenged(digest: DigestCheck, stale: boolean): Answer {
  return apiErrorAnswer(UNAUTHORIZED, { 'Www-Authenticate': digest.challenge(stale) });
}
