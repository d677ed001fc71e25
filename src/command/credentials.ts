/** The credentials of a command: what the flags name, else the environment. */
import { readFile } from 'node:fs/promises';
import type { AtlasCredentials } from '../atlas/credentials.ts';
import {
  CREDENTIAL_KEYS,
  type CredentialPair,
  choosePair,
  type KeyNames,
  nameOf,
  readCredentialsData,
} from '../atlas/credentials-data.ts';
import type { KubeClient } from '../kube/client.ts';
import { hasStatus } from '../kube/errors.ts';
import { getSecret, type SecretName } from '../kube/secrets.ts';
import { remedyOf } from '../restore-job/reasons.ts';

export type CredentialsSource =
  | { readonly kind: 'files'; readonly pair: CredentialPair; readonly nameFile: string; readonly secretFile: string }
  | { readonly kind: 'secret'; readonly namespace: string; readonly name: string }
  /** From the environment. */
  | { readonly kind: 'given'; readonly credentials: AtlasCredentials };

/** Flags name files: a value on the command line would stand in the process list. */
export const FILE_FLAGS: KeyNames = {
  noun: 'flag',
  publicApiKey: '--public-api-key-file',
  privateApiKey: '--private-api-key-file',
  clientId: '--client-id-file',
  clientSecret: '--client-secret-file',
};

/** The names that the Atlas CLI uses. */
export const VARIABLES: KeyNames = {
  noun: 'variable',
  publicApiKey: 'MONGODB_ATLAS_PUBLIC_API_KEY',
  privateApiKey: 'MONGODB_ATLAS_PRIVATE_API_KEY',
  clientId: 'MONGODB_ATLAS_CLIENT_ID',
  clientSecret: 'MONGODB_ATLAS_CLIENT_SECRET',
};

type Texts = Readonly<Record<string, string | undefined>>;

export type CredentialsChoice<Source = CredentialsSource> =
  | { readonly ok: true; readonly source: Source }
  | { readonly ok: false; readonly problem: string };

/** Chooses by the flags that were given, under their keys; the environment counts only where none names a source. */
export function chooseSource(given: Texts, environment: Texts): CredentialsChoice {
  const files = CREDENTIAL_KEYS.filter((key) => given[`${key}File`] !== undefined);
  const secret = given['secret'];
  if (files.length > 0 && secret !== undefined)
    return wrong(`--secret and ${files.map((key) => nameOf(key, FILE_FLAGS)).join(', ')} exclude each other`);
  if (files.length > 0) return fromFiles(given, choosePair(files, FILE_FLAGS));
  if (secret === undefined) return fromEnvironment(environment);
  const [namespace = '', name = ''] = secret.split('/');
  return { ok: true, source: { kind: 'secret', namespace, name } };
}

/** The kind of credentials, as far as it is known before they are read. */
export function kindOf(source: CredentialsSource): AtlasCredentials['kind'] | undefined {
  switch (source.kind) {
    case 'given':
      return source.credentials.kind;
    case 'files':
      return source.pair.kind;
    case 'secret':
      return undefined;
  }
}

/** The problem is a sentence that names flags, keys and Secrets, never a value. */
export type CredentialsResult =
  | { readonly ok: true; readonly credentials: AtlasCredentials }
  | { readonly ok: false; readonly problem: string };

/**
 * Throws KubeConfigError and KubeError where a Secret is to be read and the API server cannot be asked. `stop` ends what
 * is under way for that, a credential plugin too.
 */
export async function readCredentials(
  source: CredentialsSource,
  openClient: () => KubeClient,
  stop: AbortSignal,
): Promise<CredentialsResult> {
  switch (source.kind) {
    case 'given':
      return { ok: true, credentials: source.credentials };
    case 'files':
      return readFiles(source);
    case 'secret':
      return readSecret(source, openClient(), stop);
  }
}

// Choosing

const wrong = (problem: string): CredentialsChoice => ({ ok: false, problem });

function fromFiles(given: Texts, chosen: ReturnType<typeof choosePair>): CredentialsChoice {
  if (!chosen.ok) return wrong(`the command line ${chosen.problem}`);
  const { pair } = chosen;
  const [nameFile = '', secretFile = ''] = [given[`${pair.name}File`], given[`${pair.secret}File`]];
  return { ok: true, source: { kind: 'files', pair, nameFile, secretFile } };
}

function fromEnvironment(environment: Texts): CredentialsChoice {
  const data: Record<string, string> = {};
  for (const key of CREDENTIAL_KEYS) {
    // An empty variable counts as absent, as everywhere.
    const value = environment[VARIABLES[key] ?? ''] || undefined;
    if (value !== undefined) data[key] = value;
  }
  if (Object.keys(data).length === 0) return wrong(NO_CREDENTIALS);
  const read = readCredentialsData(data, VARIABLES);
  if (!read.ok) return wrong(`the environment ${read.problem}`);
  return { ok: true, source: { kind: 'given', credentials: read.credentials } };
}

const NO_CREDENTIALS = [
  'no credentials are given: name files with',
  `${FILE_FLAGS.publicApiKey} and ${FILE_FLAGS.privateApiKey} or with ${FILE_FLAGS.clientId} and ${FILE_FLAGS.clientSecret},`,
  `or a Secret with --secret, or set ${VARIABLES.publicApiKey} and ${VARIABLES.privateApiKey}`,
  `or ${VARIABLES.clientId} and ${VARIABLES.clientSecret}`,
].join(' ');

// Reading

async function readFiles({
  pair,
  nameFile,
  secretFile,
}: Extract<CredentialsSource, { kind: 'files' }>): Promise<CredentialsResult> {
  const [name, secret] = await Promise.all([readText(nameFile), readText(secretFile)]);
  // Without the name of the file: who gave a key instead of a file would find the key in the log.
  if (!name.ok)
    return { ok: false, problem: `The file of ${nameOf(pair.name, FILE_FLAGS)} cannot be read (${name.code}).` };
  if (!secret.ok)
    return { ok: false, problem: `The file of ${nameOf(pair.secret, FILE_FLAGS)} cannot be read (${secret.code}).` };
  const read = readCredentialsData({ [pair.name]: name.text, [pair.secret]: secret.text }, FILE_FLAGS);
  return read.ok ? read : { ok: false, problem: `The pair of files ${read.problem}.` };
}

async function readText(
  file: string,
): Promise<{ readonly ok: true; readonly text: string } | { readonly ok: false; readonly code: string }> {
  try {
    return { ok: true, text: await readFile(file, 'utf8') };
  } catch (error) {
    const code = Error.isError(error) && 'code' in error ? String(error.code) : 'unknown error';
    return { ok: false, code };
  }
}

async function readSecret(secret: SecretName, client: KubeClient, stop: AbortSignal): Promise<CredentialsResult> {
  const onStop = (): void => void client.close();
  stop.addEventListener('abort', onStop, { once: true });
  const called = `Secret ${secret.namespace}/${secret.name}`;
  try {
    const read = readCredentialsData((await getSecret(client, secret)).data);
    return read.ok
      ? read
      : { ok: false, problem: `${called} ${read.problem}. ${remedyOf('SecretInvalid', undefined, 'command')}` };
  } catch (error) {
    if (hasStatus(error, 404))
      return { ok: false, problem: `${called} does not exist. ${remedyOf('SecretNotFound', undefined, 'command')}` };
    if (hasStatus(error, 403)) return { ok: false, problem: `The user of the kubeconfig may not read ${called}.` };
    throw error;
  } finally {
    stop.removeEventListener('abort', onStop);
    await client.close();
  }
}
