/** Sends requests with HTTP Digest, reusing nonces: one request per exchange while a nonce lives, two when it is cold. */
import { randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { AtlasCredentials } from './credentials.ts';
import { chooseChallenge, type DigestChallenge, digestAuthorization } from './digest.ts';
import type { HttpRequest, HttpResponse, Send } from './http.ts';

type ApiKey = Extract<AtlasCredentials, { kind: 'apiKey' }>;

export interface DigestAuthentication {
  /** The response to the request; a 401 is only returned when the credentials themselves were refused. */
  readonly authenticate: (send: Send, request: HttpRequest, credentials: ApiKey, key: string) => Promise<HttpResponse>;
}

interface Nonce {
  readonly challenge: DigestChallenge;
  count: number;
}

/** Nonces are kept for this many credentials; rotated ones fall out. */
const MAX_NONCES = 1_000;
/** The second challenge of one exchange is answered when it says stale=true: the nonce, not the key, was refused. */
const MAX_CHALLENGES = 2;

export function createDigestAuthentication(): DigestAuthentication {
  const nonces = new LRUCache<string, Nonce>({ max: MAX_NONCES });

  async function authenticate(
    send: Send,
    request: HttpRequest,
    credentials: ApiKey,
    key: string,
  ): Promise<HttpResponse> {
    const known = nonces.get(key);
    let response = await send(known === undefined ? request : authorized(request, credentials, known));
    for (let challenges = 0; response.status === 401 && challenges < MAX_CHALLENGES; challenges++) {
      const challenge = chooseChallenge(response.headers['www-authenticate']);
      if (challenge === undefined || (challenges > 0 && !challenge.stale)) break;
      // Not shared before it has worked: another request could use count 2 of it and arrive first, and a strict server
      // would then refuse count 1, which would look like a wrong key.
      const fresh: Nonce = { challenge, count: 0 };
      response = await send(authorized(request, credentials, fresh));
      if (response.status !== 401) nonces.set(key, fresh);
    }
    if (response.status === 401 && nonces.get(key) === known) nonces.delete(key);
    return response;
  }

  return { authenticate };
}

function authorized(request: HttpRequest, credentials: ApiKey, nonce: Nonce): HttpRequest {
  const url = new URL(request.url);
  const authorization = digestAuthorization({
    challenge: nonce.challenge,
    username: credentials.publicKey,
    password: credentials.privateKey,
    method: request.method,
    uri: url.pathname + url.search,
    nonceCount: ++nonce.count,
    cnonce: randomBytes(16).toString('hex'),
  });
  return { ...request, headers: { ...request.headers, authorization } };
}
