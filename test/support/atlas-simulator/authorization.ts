/** What a request's `Authorization` header says, syntax only. */
export type Authorization =
  | { readonly kind: 'none' }
  | { readonly kind: 'digest'; readonly parameters: AuthParameters }
  | { readonly kind: 'bearer'; readonly token: string }
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  | { readonly kind: 'malformed'; readonly scheme: Exclude<AuthScheme, 'none'> };

/** The scheme that a header names, whether or not the rest of it can be read. */
export type AuthScheme = 'none' | 'digest' | 'bearer' | 'basic' | 'other';

/** Parameters by lower-case name. RFC 7616 says which must be quoted and which must not, so the quoting is kept. */
export type AuthParameters = ReadonlyMap<string, { readonly value: string; readonly quoted: boolean }>;

/** Reads an `Authorization` header; never throws. */
export function parseAuthorization(header: string | undefined): Authorization {
  if (header === undefined) return { kind: 'none' };
  const [, name = '', rest = ''] = /^(\S+) +(.*)$/s.exec(header) ?? [];
  switch (name.toLowerCase()) {
    case 'digest':
      return parseDigest(rest);
    case 'bearer':
      return parseBearer(rest);
    case 'basic':
      return parseBasic(rest);
    default:
      return { kind: 'malformed', scheme: 'other' };
  }
}

/** The scheme to count a request under. */
export function schemeOf(authorization: Authorization): AuthScheme {
  return authorization.kind === 'malformed' ? authorization.scheme : authorization.kind;
}

function parseDigest(text: string): Authorization {
  const parameters = parseParameters(text);
  return parameters === undefined ? { kind: 'malformed', scheme: 'digest' } : { kind: 'digest', parameters };
}

function parseBearer(text: string): Authorization {
  return /^[A-Za-z0-9\-._~+/]+=*$/.test(text)
    ? { kind: 'bearer', token: text }
    : { kind: 'malformed', scheme: 'bearer' };
}

// RFC 6749 §2.3.1: id and secret are form-encoded each before the Basic encoding, so a secret may contain `:` or `%`.
function parseBasic(text: string): Authorization {
  const malformed: Authorization = { kind: 'malformed', scheme: 'basic' };
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return malformed;
  const [, id, secret] = /^([^:]*):(.*)$/s.exec(Buffer.from(text, 'base64').toString('utf8')) ?? [];
  const username = formDecode(id ?? '%');
  const password = formDecode(secret ?? '%');
  return username === undefined || password === undefined ? malformed : { kind: 'basic', username, password };
}

function formDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

// RFC 9110 §11.2: name = token or quoted string, comma separated. Sticky, so that nothing between two parameters is skipped.
const PARAMETER =
  /[\s,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+.^_`|~0-9A-Za-z-]+))\s*(?:,|$)/y;

function parseParameters(text: string): AuthParameters | undefined {
  const parameters = new Map<string, { value: string; quoted: boolean }>();
  PARAMETER.lastIndex = 0;
  while (PARAMETER.lastIndex < text.length) {
    const match = PARAMETER.exec(text);
    const name = match?.[1]?.toLowerCase();
    // A parameter given twice is refused: whichever one is checked, an attacker would profit from the other.
    if (match === null || name === undefined || parameters.has(name)) return undefined;
    const quoted = match[2]?.replace(/\\(.)/g, '$1');
    parameters.set(name, { value: quoted ?? match[3] ?? '', quoted: quoted !== undefined });
  }
  return parameters;
}
