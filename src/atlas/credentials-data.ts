/** Credentials as texts under four keys, wherever those stand: a Secret, a folder, the environment. */
import type { AtlasCredentials } from './credentials.ts';

export const CREDENTIAL_KEYS = ['publicApiKey', 'privateApiKey', 'clientId', 'clientSecret'] as const;
type CredentialKey = (typeof CREDENTIAL_KEYS)[number];

/** What problems call the keys in one place, such as `variable` and `MONGODB_ATLAS_CLIENT_ID`. */
export interface KeyNames extends Readonly<Record<CredentialKey, string>> {
  readonly noun: string;
}

/** The two keys of one kind of credentials. */
export type CredentialPair = (typeof PAIRS)[AtlasCredentials['kind']];

/** What is wrong, to be read after the name of the place: `lacks the key clientId`. It names keys, never values. */
interface Problem {
  readonly ok: false;
  readonly problem: string;
}

/** The names that a Secret and a folder have. */
const PLAIN_NAMES: KeyNames = {
  noun: 'key',
  publicApiKey: 'publicApiKey',
  privateApiKey: 'privateApiKey',
  clientId: 'clientId',
  clientSecret: 'clientSecret',
};
const PAIRS = {
  apiKey: { kind: 'apiKey', name: 'publicApiKey', secret: 'privateApiKey' },
  serviceAccount: { kind: 'serviceAccount', name: 'clientId', secret: 'clientSecret' },
} as const;

/** The credentials in a place; other keys are ignored. */
export function readCredentialsData(
  data: Readonly<Record<string, string>>,
  names: KeyNames = PLAIN_NAMES,
): { readonly ok: true; readonly credentials: AtlasCredentials } | Problem {
  const chosen = choosePair(
    CREDENTIAL_KEYS.filter((key) => data[key] !== undefined),
    names,
  );
  if (!chosen.ok) return chosen;
  const { pair } = chosen;
  // A trailing newline comes with `kubectl create secret --from-file` and is part of no credential.
  const [name, secret] = [data[pair.name]?.trim() ?? '', data[pair.secret]?.trim() ?? ''];
  const odd = oddityOf(name, names[pair.name]) ?? oddityOf(secret, names[pair.secret]);
  if (odd !== undefined) return invalid(odd);
  return {
    ok: true,
    credentials:
      pair.kind === 'apiKey'
        ? { kind: 'apiKey', publicKey: name, privateKey: secret }
        : { kind: 'serviceAccount', clientId: name, clientSecret: secret },
  };
}

/** The kind of credentials that a place has both keys of, and nothing of the other kind. */
export function choosePair(
  present: readonly CredentialKey[],
  names: KeyNames,
): { readonly ok: true; readonly pair: CredentialPair } | Problem {
  const [pair, other] = Object.values(PAIRS).filter(({ name, secret }) =>
    present.some((key) => key === name || key === secret),
  );
  const called = (keys: readonly CredentialKey[]): string => keys.map((key) => names[key]).join(', ');
  if (pair === undefined) return invalid(`holds none of the ${names.noun}s ${called(CREDENTIAL_KEYS)}`);
  if (other !== undefined) return invalid(`holds two kinds of credentials (${called(present)})`);
  const missing = [pair.name, pair.secret].find((key) => !present.includes(key));
  return missing === undefined ? { ok: true, pair } : invalid(`lacks the ${names.noun} ${names[missing]}`);
}

const invalid = (problem: string): Problem => ({ ok: false, problem });

/** Characters; the longest that Atlas gives out have fewer than 100. */
const MAX_LENGTH = 1_024;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** How a value was mangled on its way, as far as that can be seen; undefined where it looks like a credential. */
function oddityOf(value: string, key: string): string | undefined {
  if (value === '') return `has an empty ${key}`;
  if (value.length > MAX_LENGTH)
    return `has a ${key} of ${value.length} characters, which is not a credential of Atlas`;
  if (/\p{Cf}/u.test(value)) return `has invisible characters in ${key}, such as a zero-width space`;
  if (/\p{Cc}/u.test(value)) return `has control characters in ${key}`;
  if (/\s/.test(value)) return `has white space in ${key}`;
  if (/^(["'`]).*\1$/.test(value)) return `has a ${key} in quotes, which are not part of it`;
  return isEncoded(value) ? `has a ${key} that is encoded with base64 twice` : undefined;
}

/** Whether a value is base64 of what Atlas gives out: a private key, or a part of a service account. */
function isEncoded(value: string): boolean {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(value)) return false;
  const decoded = Buffer.from(value, 'base64').toString('latin1').trim();
  return decoded.startsWith('mdb_sa_') || UUID.test(decoded);
}
