/** Reads the credentials from where they are. */
import { readFile } from 'node:fs/promises';
import { REASONS } from '../api/reasons.ts';
import type { AtlasCredentials } from '../atlas/credentials.ts';
import { readCredentialsData } from '../atlas/credentials-data.ts';
import type { KubeClient } from '../kube/client.ts';
import { hasStatus } from '../kube/errors.ts';
import { getSecret, type SecretName } from '../kube/secrets.ts';
import { type CredentialsSource, FILE_FLAGS } from './credentials-source.ts';

/** The problem is a sentence that names flags, keys and Secrets, never a value. */
export type CredentialsResult =
  | { readonly ok: true; readonly credentials: AtlasCredentials }
  | { readonly ok: false; readonly problem: string };

/** Throws KubeConfigError and KubeError where a Secret is to be read and the API server cannot be asked. */
export async function readCredentials(
  source: CredentialsSource,
  openClient: () => KubeClient,
): Promise<CredentialsResult> {
  switch (source.kind) {
    case 'given':
      return { ok: true, credentials: source.credentials };
    case 'files':
      return readFiles(source);
    case 'secret':
      return readSecret(source, openClient());
  }
}

async function readFiles({
  pair,
  nameFile,
  secretFile,
}: Extract<CredentialsSource, { kind: 'files' }>): Promise<CredentialsResult> {
  const [name, secret] = await Promise.all([readText(nameFile), readText(secretFile)]);
  // Without the name of the file: who gave a key instead of a file would find the key in the log.
  if (!name.ok) return { ok: false, problem: `The file of ${FILE_FLAGS[pair.name]} cannot be read (${name.code}).` };
  if (!secret.ok)
    return { ok: false, problem: `The file of ${FILE_FLAGS[pair.secret]} cannot be read (${secret.code}).` };
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

async function readSecret(secret: SecretName, client: KubeClient): Promise<CredentialsResult> {
  const called = `Secret ${secret.namespace}/${secret.name}`;
  try {
    const read = readCredentialsData((await getSecret(client, secret)).data);
    return read.ok ? read : { ok: false, problem: `${called} ${read.problem}. ${REASONS.SecretInvalid.remedy}` };
  } catch (error) {
    if (hasStatus(error, 404))
      return { ok: false, problem: `${called} does not exist. Check --secret and the context of the kubeconfig.` };
    if (hasStatus(error, 403)) return { ok: false, problem: `The user of the kubeconfig may not read ${called}.` };
    throw error;
  } finally {
    await client.close();
  }
}
