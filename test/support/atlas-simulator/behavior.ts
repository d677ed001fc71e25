/** A hash algorithm of HTTP Digest that the simulator can offer. */
export type DigestAlgorithm = 'MD5' | 'SHA-256';

/** A project's token bucket, refilled in whole at the end of each period (the recorded wait of 55 s at 5 per 60 s says so). */
export interface TokenBucket {
  readonly capacity: number;
  /** Tokens added per period. */
  readonly refill: number;
  readonly periodSeconds: number;
}

/** What can be set at the start and changed while the simulator runs. */
export interface Behavior {
  /** How long a Digest nonce can be used, in milliseconds; then a right answer gets 401 with `stale=true`. */
  readonly nonceLifetimeMs: number;
  /** false: a nonce count may arrive out of order, but never twice. true: it must rise. */
  readonly strictNc: boolean;
  /** One challenge for each, in this order. Atlas has MD5 alone. */
  readonly algorithms: readonly DigestAlgorithm[];
  /** Several challenges in one header line each, or in one line separated by commas. */
  readonly challengeLayout: 'separate' | 'combined';
  /** `expires_in` of new access tokens, in seconds. */
  readonly tokenLifetimeSeconds: number;
  /** Requests to the token endpoint per client in any 60 s. */
  readonly tokenRequestsPerMinute: number;
  /** Live access tokens per service account. */
  readonly liveTokensPerAccount: number;
  /** Whether `invalid_client` carries `WWW-Authenticate: Basic`: RFC 6749 §5.2 demands it, of Atlas it is not known. */
  readonly basicChallenge: boolean;
  /** Limit of the endpoints of jobs together, for each project: what is documented for each API, or this one for all. */
  readonly rateLimit: 'documented' | TokenBucket;
  /** The longest page of a list: older servers give 100 items to whoever asks for 500. */
  readonly longestPage: number;
  /** Whether pages of lists have links. */
  readonly pageLinks: boolean;
  /** What totalCount differs by from the number of jobs: it is documented as an estimate. */
  readonly totalCountError: number;
}

/** Atlas as recorded and documented: `atlas/v1.0` has no rate limit. */
export const DEFAULT_BEHAVIOR: Behavior = {
  nonceLifetimeMs: 60_000,
  strictNc: false,
  algorithms: ['MD5'],
  challengeLayout: 'separate',
  tokenLifetimeSeconds: 3600,
  tokenRequestsPerMinute: 10,
  liveTokensPerAccount: 100,
  basicChallenge: true,
  rateLimit: 'documented',
  longestPage: 500,
  pageLinks: true,
  totalCountError: 0,
};
