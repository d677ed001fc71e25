import { createHash, timingSafeEqual } from 'node:crypto';
import type { AuthParameters } from './authorization.ts';
import type { Behavior, DigestAlgorithm } from './behavior.ts';
import { createNonces } from './nonces.ts';

/** The realm of the recorded challenge. */
export const REALM = 'MMS Public API';

/** Why an answer to a challenge was refused. Counted by the request log, never told to the client. */
export type DigestRefusal =
  | 'malformed'
  | 'wrong-algorithm'
  | 'wrong-qop'
  | 'missing-cnonce'
  | 'wrong-nc'
  | 'wrong-realm'
  | 'wrong-uri'
  | 'unknown-key'
  | 'wrong-response'
  | 'stale-nonce'
  | 'replayed-nc'
  | 'nc-not-rising';

export type DigestVerdict =
  | { readonly kind: 'accepted'; readonly publicKey: string }
  | { readonly kind: 'refused'; readonly refusal: DigestRefusal };

export interface DigestCheck {
  /** The values of `Www-Authenticate`, with a fresh nonce. */
  challenge(stale: boolean): readonly string[];
  /** Checks one answer and, when it is right, uses up its nonce count. `target` is the request target: path plus query. */
  verify(method: string, target: string, parameters: AuthParameters): DigestVerdict;
  /** Makes every nonce issued so far stale. */
  expireNonces(): void;
}

/** The server's side of RFC 7616 with qop=auth, as strict as the text allows. */
export function createDigestCheck(
  behavior: () => Behavior,
  now: () => number,
  privateKeyOf: (publicKey: string) => string | undefined,
): DigestCheck {
  const nonces = createNonces(now, () => behavior().nonceLifetimeMs);

  function judge(method: string, target: string, parameters: AuthParameters): DigestRefusal | DigestAnswer {
    const answer = readAnswer(parameters, behavior().algorithms);
    if (typeof answer === 'string') return answer;
    if (answer.realm !== REALM) return 'wrong-realm';
    if (answer.uri !== target) return 'wrong-uri';
    const privateKey = privateKeyOf(answer.username);
    if (privateKey === undefined) return 'unknown-key';
    if (!sameText(answer.response, expectedResponse(answer, method, privateKey))) return 'wrong-response';
    // Only after the response: `stale=true` means that the answer was right but for its nonce (RFC 7616 §3.3).
    if (!nonces.isLive(answer.nonce)) return 'stale-nonce';
    const use = nonces.use(answer.nonce, Number.parseInt(answer.nc, 16));
    if (use === 'replayed') return 'replayed-nc';
    return use === 'out-of-order' && behavior().strictNc ? 'nc-not-rising' : answer;
  }

  return {
    challenge(stale) {
      const nonce = nonces.issue();
      const challenges = behavior().algorithms.map((algorithm) => challengeText(nonce, algorithm, stale));
      return behavior().challengeLayout === 'combined' ? [challenges.join(', ')] : challenges;
    },
    verify(method, target, parameters) {
      const judged = judge(method, target, parameters);
      return typeof judged === 'string'
        ? { kind: 'refused', refusal: judged }
        : { kind: 'accepted', publicKey: judged.username };
    },
    expireNonces: () => nonces.expireAll(),
  };
}

// Verbatim from a recorded challenge: empty domain, algorithm and stale without quotes, no opaque.
function challengeText(nonce: string, algorithm: DigestAlgorithm, stale: boolean): string {
  return `Digest realm="${REALM}", domain="", nonce="${nonce}", algorithm=${algorithm}, qop="auth", stale=${stale}`;
}

interface DigestAnswer {
  readonly username: string;
  readonly realm: string;
  readonly nonce: string;
  readonly uri: string;
  readonly response: string;
  readonly cnonce: string;
  readonly nc: string;
  readonly algorithm: DigestAlgorithm;
}

// RFC 7616 §3.4: these six are quoted; qop, nc and algorithm must not be.
function readAnswer(
  parameters: AuthParameters,
  offered: readonly DigestAlgorithm[],
): Exclude<DigestRefusal, 'replayed-nc'> | DigestAnswer {
  const quoted = (name: string) => (parameters.get(name)?.quoted === true ? parameters.get(name)?.value : undefined);
  const bare = (name: string) => (parameters.get(name)?.quoted === false ? parameters.get(name)?.value : undefined);

  const [username, realm, nonce, uri, response] = ['username', 'realm', 'nonce', 'uri', 'response'].map(quoted);
  if (username === undefined || realm === undefined || nonce === undefined) return 'malformed';
  if (uri === undefined || response === undefined || parameters.has('opaque')) return 'malformed';

  const algorithm = offered.find((name) => name === (parameters.has('algorithm') ? bare('algorithm') : 'MD5'));
  if (algorithm === undefined) return 'wrong-algorithm';
  // Without qop a client falls back to RFC 2069, whose answers can be replayed.
  if (bare('qop') !== 'auth') return 'wrong-qop';
  const cnonce = quoted('cnonce');
  if (cnonce === undefined || cnonce === '') return 'missing-cnonce';
  const nc = bare('nc');
  if (nc === undefined || !/^[0-9a-f]{8}$/.test(nc) || nc === '00000000') return 'wrong-nc';
  return { username, realm, nonce, uri, response, cnonce, nc, algorithm };
}

function expectedResponse(answer: DigestAnswer, method: string, privateKey: string): string {
  const hash = (text: string) => createHash(answer.algorithm).update(text).digest('hex');
  const secret = hash(`${answer.username}:${REALM}:${privateKey}`);
  return hash(`${secret}:${answer.nonce}:${answer.nc}:${answer.cnonce}:auth:${hash(`${method}:${answer.uri}`)}`);
}

// Constant time: the comparison must not tell how many characters of a guess were right.
function sameText(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
