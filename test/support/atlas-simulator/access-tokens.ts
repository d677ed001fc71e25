import { randomBytes } from 'node:crypto';

/** What every token begins with, so that a test can look for them where they must not be. */
export const TOKEN_PREFIX = 'simulated-token-';

/** The access tokens of the service accounts. */
export interface AccessTokens {
  /** A new token, or undefined when the account has `limit` live ones already. */
  issue(clientId: string, lifetimeSeconds: number, limit: number): string | undefined;
  /** The account of a token that is live. */
  ownerOf(token: string): string | undefined;
  /** Ends one token; of another account's token, nothing happens. */
  revoke(clientId: string, token: string): void;
  revokeAll(clientId: string): void;
}

/** `now` in milliseconds since the epoch. */
export function createAccessTokens(now: () => number): AccessTokens {
  const expiries = new Map<string, Map<string, number>>();
  const owners = new Map<string, string>();

  function forget(clientId: string, token: string): void {
    expiries.get(clientId)?.delete(token);
    owners.delete(token);
  }

  function liveTokens(clientId: string): Map<string, number> {
    const tokens = expiries.get(clientId) ?? new Map<string, number>();
    expiries.set(clientId, tokens);
    for (const [token, expiry] of tokens) if (expiry <= now()) forget(clientId, token);
    return tokens;
  }

  return {
    issue(clientId, lifetimeSeconds, limit) {
      const tokens = liveTokens(clientId);
      if (tokens.size >= limit) return undefined;
      const token = `${TOKEN_PREFIX}${randomBytes(32).toString('base64url')}`;
      tokens.set(token, now() + lifetimeSeconds * 1000);
      owners.set(token, clientId);
      return token;
    },
    ownerOf(token) {
      const clientId = owners.get(token);
      if (clientId === undefined) return undefined;
      return (expiries.get(clientId)?.get(token) ?? 0) > now() ? clientId : undefined;
    },
    revoke(clientId, token) {
      if (owners.get(token) === clientId) forget(clientId, token);
    },
    revokeAll(clientId) {
      for (const token of expiries.get(clientId)?.keys() ?? []) owners.delete(token);
      expiries.delete(clientId);
    },
  };
}
