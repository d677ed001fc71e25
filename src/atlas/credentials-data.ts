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
  if (name === '') return invalid(`has an empty ${names[pair.name]}`);
  if (secret === '') return invalid(`has an empty ${names[pair.secret]}`);
  if (hasControlCharacters(name) || hasControlCharacters(secret))
    return invalid(`has control characters in ${names[pair.name]} or ${names[pair.secret]}`);
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

const hasControlCharacters = (text: string): boolean => /\p{Cc}/u.test(text);
