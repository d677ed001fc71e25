/**
 * HTTP Digest access authentication (RFC 7616, with RFC 2617's form without qop): no npm package is fit, they draw
 * cnonces from Math.random or share nonce counters.
 */
import { hash } from 'node:crypto';
import { AtlasError } from './errors.ts';

const HASHES = { MD5: 'md5', 'SHA-256': 'sha256', 'SHA-512-256': 'sha512-256' } as const;
type HashName = keyof typeof HASHES;
/** Weakest first: of several challenges the strongest is answered. */
const STRENGTH: readonly HashName[] = ['MD5', 'SHA-256', 'SHA-512-256'];

/** One Digest challenge of a WWW-Authenticate header, its parameters unquoted. */
export interface DigestChallenge {
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string | undefined;
  readonly hash: HashName;
  /** The `-sess` form of the algorithm. */
  readonly session: boolean;
  /** Algorithm as the server wrote it; undefined when it wrote none, and then none is sent back. */
  readonly algorithm: string | undefined;
  /** False is RFC 2069's form, without qop, nc and cnonce. */
  readonly qopAuth: boolean;
  readonly stale: boolean;
  readonly userhash: boolean;
}

/** What one Authorization header is computed from. */
export interface DigestRequest {
  readonly challenge: DigestChallenge;
  readonly username: string;
  readonly password: string;
  readonly method: string;
  /** The request target: path plus query. */
  readonly uri: string;
  /** How often the nonce has been used, this request included; starts at 1. */
  readonly nonceCount: number;
  /** Client nonce: at least 64 random bits. */
  readonly cnonce: string;
}

/**
 * The strongest Digest challenge in the WWW-Authenticate headers that can be answered, or undefined when there is
 * none. Other schemes, unknown algorithms and unsupported qop values are passed over; one whose hash this Node.js does
 * not compute comes last.
 */
export function chooseChallenge(headers: string | readonly string[] | undefined): DigestChallenge | undefined {
  const lines = typeof headers === 'string' ? [headers] : (headers ?? []);
  const usable = lines
    .flatMap(parseChallenges)
    .filter(({ scheme }) => scheme === 'digest')
    .map(({ parameters }) => toDigestChallenge(parameters))
    .filter((challenge) => challenge !== undefined);
  return usable.reduce<DigestChallenge | undefined>(
    (best, next) => (best === undefined || strength(next) > strength(best) ? next : best),
    undefined,
  );
}

/** The value of the Authorization header that answers a challenge (RFC 7616 section 3.4). Throws AtlasError. */
export function digestAuthorization(request: DigestRequest): string {
  const { challenge, username, cnonce } = request;
  const h = (text: string): string => digestOf(challenge.hash, text);
  const nc = request.nonceCount.toString(16).padStart(8, '0');
  const secret = h(`${username}:${challenge.realm}:${request.password}`);
  const ha1 = challenge.session ? h(`${secret}:${challenge.nonce}:${cnonce}`) : secret;
  const ha2 = h(`${request.method}:${request.uri}`);
  const middle = challenge.qopAuth ? `${challenge.nonce}:${nc}:${cnonce}:auth` : challenge.nonce;
  const parameters = [
    ...usernameParameters(challenge, username, h),
    quoted('realm', challenge.realm),
    quoted('nonce', challenge.nonce),
    quoted('uri', request.uri),
    quoted('response', h(`${ha1}:${middle}:${ha2}`)),
    ...(challenge.algorithm === undefined ? [] : [`algorithm=${challenge.algorithm}`]),
    ...(challenge.opaque === undefined ? [] : [quoted('opaque', challenge.opaque)]),
    ...(challenge.qopAuth ? ['qop=auth', `nc=${nc}`] : []),
    ...(challenge.qopAuth || challenge.session ? [quoted('cnonce', cnonce)] : []),
    ...(challenge.userhash ? ['userhash=true'] : []),
  ];
  return `Digest ${parameters.join(', ')}`;
}

const strength = (challenge: DigestChallenge): number =>
  isAvailable(challenge.hash) ? STRENGTH.indexOf(challenge.hash) : -1;

function isAvailable(name: HashName): boolean {
  try {
    hash(HASHES[name], '');
    return true;
  } catch {
    return false;
  }
}

function digestOf(name: HashName, text: string): string {
  try {
    return hash(HASHES[name], text, 'hex');
  } catch (cause) {
    const message = `${name} is not available in this Node.js (FIPS mode)`;
    throw new AtlasError('ATLAS_HASH_UNAVAILABLE', message, { cause });
  }
}

const quoted = (name: string, value: string): string => `${name}="${value.replace(/["\\]/g, '\\$&')}"`;

function usernameParameters(challenge: DigestChallenge, username: string, h: (text: string) => string): string[] {
  if (challenge.userhash) return [quoted('username', h(`${username}:${challenge.realm}`))];
  // A header carries ASCII only; RFC 7616 section 3.4 gives other names the RFC 8187 form.
  if (/^[\x20-\x7e]*$/.test(username)) return [quoted('username', username)];
  return [`username*=UTF-8''${encodeURIComponent(username).replace(/['()*]/g, percentEncoded)}`];
}

const percentEncoded = (character: string): string =>
  `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;

function toDigestChallenge(parameters: ReadonlyMap<string, string>): DigestChallenge | undefined {
  const realm = parameters.get('realm');
  const nonce = parameters.get('nonce');
  const algorithm = parameters.get('algorithm');
  const [, name = '', suffix] = /^(.*?)(-sess)?$/i.exec(algorithm ?? 'MD5') ?? [];
  const hash = STRENGTH.find((known) => known === name.toUpperCase());
  const qop = parameters.get('qop');
  const qopAuth = (qop ?? '').split(',').some((option) => option.trim().toLowerCase() === 'auth');
  // qop=auth-int alone would need the body's hash; no server of Atlas asks for it.
  if (realm === undefined || nonce === undefined || hash === undefined || (qop !== undefined && !qopAuth))
    return undefined;
  return {
    realm,
    nonce,
    opaque: parameters.get('opaque'),
    hash,
    session: suffix !== undefined,
    algorithm,
    qopAuth,
    stale: parameters.get('stale')?.toLowerCase() === 'true',
    userhash: parameters.get('userhash')?.toLowerCase() === 'true',
  };
}

interface Challenge {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const SCHEME = new RegExp(`[\\s,]*(${TOKEN})(?=\\s|,|$)(?!\\s*=)`, 'y');
const PARAMETER = new RegExp(`[\\s,]*(${TOKEN})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${TOKEN}))(?=\\s|,|$)`, 'sy');
const TOKEN68 = /\s+[A-Za-z0-9._~+/-]+=*(?=\s*(?:,|$))/y;

/**
 * All challenges of one WWW-Authenticate header line (RFC 9110 section 11.6.1): several can share a line, parameters
 * come in any order, quoted or not. What cannot be parsed ends the list; nothing throws.
 */
export function parseChallenges(line: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let position = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = position;
    const match = pattern.exec(line);
    if (match !== null) position = pattern.lastIndex;
    return match;
  };
  for (;;) {
    const current = challenges.at(-1);
    const parameter = current === undefined ? null : take(PARAMETER);
    if (current !== undefined && parameter !== null) {
      const [, name = '', quotedValue, token] = parameter;
      const value = quotedValue?.replace(/\\(.)/gs, '$1') ?? token ?? '';
      // A repeated parameter is an error of the server; the first one counts.
      if (!current.parameters.has(name.toLowerCase())) current.parameters.set(name.toLowerCase(), value);
      continue;
    }
    const scheme = take(SCHEME);
    if (scheme === null) return challenges;
    challenges.push({ scheme: (scheme[1] ?? '').toLowerCase(), parameters: new Map() });
    if (parameterFollows(line, position)) continue;
    take(TOKEN68);
  }
}

function parameterFollows(line: string, position: number): boolean {
  PARAMETER.lastIndex = position;
  return PARAMETER.test(line);
}
