/** The two kinds of Atlas credentials. */
import { hash } from 'node:crypto';

export type AtlasCredentials =
  | { readonly kind: 'apiKey'; readonly publicKey: string; readonly privateKey: string }
  | { readonly kind: 'serviceAccount'; readonly clientId: string; readonly clientSecret: string };

/**
 * A key for caches: a hash of the credentials' values, so that two Secrets with the same content share nonces, tokens
 * and fetches, and no response ever crosses from one credential to another. It reveals nothing of the values.
 */
export function credentialsKey(credentials: AtlasCredentials): string {
  const values =
    credentials.kind === 'apiKey'
      ? [credentials.kind, credentials.publicKey, credentials.privateKey]
      : [credentials.kind, credentials.clientId, credentials.clientSecret];
  return hash('sha256', JSON.stringify(values), 'base64url');
}
