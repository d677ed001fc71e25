/** Credentials as texts under keys, wherever those stand: a Secret, a folder, the environment. */
import type { AtlasCredentials } from './credentials.ts';

export const CREDENTIAL_KEYS = [
  'publicApiKey',
  'privateApiKey',
  'publicKey',
  'privateKey',
  'clientId',
  'clientSecret',
] as const;
type CredentialKey = (typeof CREDENTIAL_KEYS)[number];

/** The key beside `publicApiKey` in Secrets of older operators for Ops Manager. */
export const OLDER_USER_KEY = 'user';

/** What problems call the keys in one place, such as `variable` and `MONGODB_ATLAS_CLIENT_ID`. */
export interface KeyNames
  extends Readonly<Record<Exclude<CredentialKey, AlternativeKey>, string>>,
    Readonly<Partial<Record<AlternativeKey, string>>> {
  readonly noun: string;
}

/** The keys that only Secrets and folders have, beside those that mean the same. */
type AlternativeKey = 'publicKey' | 'privateKey';

/** The two keys of one kind of credentials. */
export type CredentialPair = (typeof PAIRS)[number];

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
  publicKey: 'publicKey',
  privateKey: 'privateKey',
  clientId: 'clientId',
  clientSecret: 'clientSecret',
};
const PAIRS = [
  // As in Secrets of the MongoDB Atlas Kubernetes Operator.
  { kind: 'apiKey', name: 'publicApiKey', secret: 'privateApiKey' },
  // As in Secrets of MongoDB's operator for Ops Manager and Cloud Manager.
  { kind: 'apiKey', name: 'publicKey', secret: 'privateKey' },
  { kind: 'serviceAccount', name: 'clientId', secret: 'clientSecret' },
] as const;

/** The credentials in a place; other keys are ignored. */
export function readCredentialsData(
  data: Readonly<Record<string, string>>,
  names: KeyNames = PLAIN_NAMES,
): { readonly ok: true; readonly credentials: AtlasCredentials } | Problem {
  const present = CREDENTIAL_KEYS.filter((key) => data[key] !== undefined);
  if (data[OLDER_USER_KEY] !== undefined && present.join() === 'publicApiKey')
    return invalid(`has the older keys ${OLDER_USER_KEY} and publicApiKey: rename them to publicKey and privateKey`);
  const chosen = choosePair(present, names);
  if (!chosen.ok) return chosen;
  const { pair } = chosen;
  // A trailing newline comes with `kubectl create secret --from-file` and is part of no credential.
  const [name, secret] = [data[pair.name]?.trim() ?? '', data[pair.secret]?.trim() ?? ''];
  const odd = oddityOf(name, nameOf(pair.name, names)) ?? oddityOf(secret, nameOf(pair.secret, names));
  if (odd !== undefined) return invalid(odd);
  return {
    ok: true,
    credentials:
      pair.kind === 'apiKey'
        ? { kind: 'apiKey', publicKey: name, privateKey: secret }
        : { kind: 'serviceAccount', clientId: name, clientSecret: secret },
  };
}

/** The kind of credentials that a place has both keys of, and nothing of the other kinds. */
export function choosePair(
  present: readonly CredentialKey[],
  names: KeyNames,
): { readonly ok: true; readonly pair: CredentialPair } | Problem {
  const [pair, other] = PAIRS.filter(({ name, secret }) => present.some((key) => key === name || key === secret));
  const listed = (keys: readonly CredentialKey[]): string => keys.map((key) => nameOf(key, names)).join(', ');
  if (pair === undefined)
    return invalid(`holds none of the ${names.noun}s ${listed(CREDENTIAL_KEYS.filter((key) => key in names))}`);
  if (other !== undefined) return invalid(`holds two kinds of credentials (${listed(present)})`);
  const missing = [pair.name, pair.secret].find((key) => !present.includes(key));
  return missing === undefined ? { ok: true, pair } : invalid(`lacks the ${names.noun} ${nameOf(missing, names)}`);
}

/** What problems call a key. */
export const nameOf = (key: CredentialKey, names: KeyNames): string => names[key] ?? key;

const invalid = (problem: string): Problem => ({ ok: false, problem });

/** Characters; the longest that Atlas gives out have fewer than 100. */
const MAX_LENGTH = 1_024;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** How a value was mangled on its way, as far as that can be seen; undefined where it looks like a credential. */
function oddityOf(value: string, key: string): string | undefined {
  if (value === '') return `has an empty ${key}`;
  if (value.length > MAX_LENGTH)
    return `has a ${key} of ${value.length} characters, which is longer than any credential`;
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
