/** What a credential may do. */
export interface Access {
  /** The projects of the credential; without it, every project. */
  readonly groupIds?: readonly string[];
  /** false: its access list lacks the caller's address, which is answered with 403. Default true. */
  readonly accessListed?: boolean;
  /** true: its organization has not paid, which is answered with 402. Default false. */
  readonly suspended?: boolean;
}

/** A programmatic API key, used with HTTP Digest. */
export interface ApiKey extends Access {
  readonly publicKey: string;
  readonly privateKey: string;
}

/** A service account, used with OAuth 2.0 client credentials. */
export interface ServiceAccount extends Access {
  readonly clientId: string;
  readonly clientSecret: string;
}

/** The credentials that the simulator knows. Adding one that exists replaces it, as a rotation does. */
export interface Credentials {
  addApiKey(key: ApiKey): void;
  removeApiKey(publicKey: string): void;
  apiKey(publicKey: string): ApiKey | undefined;
  addServiceAccount(account: ServiceAccount): void;
  /** Its access tokens stop working at once. */
  removeServiceAccount(clientId: string): void;
  serviceAccount(clientId: string): ServiceAccount | undefined;
}

export function createCredentials(): Credentials {
  const keys = new Map<string, ApiKey>();
  const accounts = new Map<string, ServiceAccount>();
  return {
    addApiKey: (key) => void keys.set(key.publicKey, key),
    removeApiKey: (publicKey) => void keys.delete(publicKey),
    apiKey: (publicKey) => keys.get(publicKey),
    addServiceAccount: (account) => void accounts.set(account.clientId, account),
    removeServiceAccount: (clientId) => void accounts.delete(clientId),
    serviceAccount: (clientId) => accounts.get(clientId),
  };
}
