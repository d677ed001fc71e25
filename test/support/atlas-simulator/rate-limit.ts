import type { TokenBucket } from './behavior.ts';

/** What a token bucket says to one request. */
export type BucketVerdict =
  | { readonly kind: 'allowed'; readonly remaining: number }
  | { readonly kind: 'limited'; readonly retryAfterSeconds: number };

/** Takes one token of a project; `bucket` holds for all of them. */
export type TakeToken = (groupId: string, bucket: TokenBucket) => BucketVerdict;

/** Token buckets by project, full at first. `now` in milliseconds since the epoch. */
export function createTokenBuckets(now: () => number): TakeToken {
  const levels = new Map<string, { tokens: number; refilledAt: number; readonly bucket: TokenBucket }>();

  return (groupId, bucket) => {
    let level = levels.get(groupId);
    // A bucket whose settings changed starts full.
    if (level?.bucket !== bucket) {
      level = { tokens: bucket.capacity, refilledAt: now(), bucket };
      levels.set(groupId, level);
    }
    const periodMs = bucket.periodSeconds * 1000;
    const periods = Math.floor((now() - level.refilledAt) / periodMs);
    level.tokens = Math.min(bucket.capacity, level.tokens + periods * bucket.refill);
    level.refilledAt += periods * periodMs;
    if (level.tokens < 1) {
      return { kind: 'limited', retryAfterSeconds: Math.ceil((level.refilledAt + periodMs - now()) / 1000) };
    }
    level.tokens -= 1;
    return { kind: 'allowed', remaining: level.tokens };
  };
}

/**
 * Notes a request of a client and says how many seconds it has to wait: 0 when fewer than `limit` requests were let through in the
 * last 60 s.
 */
export type NoteRequest = (client: string, limit: number) => number;

/** Sliding windows of 60 s by client. `now` in milliseconds since the epoch. */
export function createMinuteWindows(now: () => number): NoteRequest {
  const windowMs = 60_000;
  const times = new Map<string, readonly number[]>();

  // Clients are named by whoever calls: without this, made-up names would pile up.
  function forgetIdle(): void {
    for (const [client, recent] of times) if ((recent.at(-1) ?? 0) <= now() - windowMs) times.delete(client);
  }

  return (client, limit) => {
    forgetIdle();
    const recent = (times.get(client) ?? []).filter((time) => time > now() - windowMs);
    const oldest = recent[recent.length - limit];
    if (recent.length >= limit) return Math.ceil(((oldest ?? now()) + windowMs - now()) / 1000);
    times.set(client, [...recent, now()]);
    return 0;
  };
}
