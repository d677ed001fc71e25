import { createHmac, randomBytes } from 'node:crypto';

/** The Digest nonces that this server has issued, and which nonce counts each has seen. */
export interface Nonces {
  /** A new nonce: 32 base64 characters, as the recorded one. */
  issue(): string;
  /** Whether the nonce is of this server and younger than its lifetime. */
  isLive(nonce: string): boolean;
  /** Notes the use of a count on a live nonce and says whether it had been used, or is lower than one seen before. */
  use(nonce: string, count: number): 'rising' | 'out-of-order' | 'replayed';
  /** Makes every nonce issued so far stale. */
  expireAll(): void;
}

/** `now` in milliseconds since the epoch; `lifetimeMs` is asked at each use, so that it can change. */
export function createNonces(now: () => number, lifetimeMs: () => number): Nonces {
  const key = randomBytes(32);
  const counts = new Map<number, NonceCounts>();
  let lastSerial = 0;
  let staleUpTo = 0;

  // A nonce carries its own time and a MAC: a challenge costs no memory, and a stale nonce is still known as one.
  function encode(issuedAt: number, serial: number): string {
    const body = Buffer.alloc(10);
    body.writeUIntBE(issuedAt, 0, 6);
    body.writeUInt32BE(serial, 6);
    return Buffer.concat([body, createHmac('sha256', key).update(body).digest().subarray(0, 14)]).toString('base64');
  }

  function decode(nonce: string): { issuedAt: number; serial: number } | undefined {
    const bytes = Buffer.from(nonce, 'base64');
    if (bytes.length !== 24) return undefined;
    const issuedAt = bytes.readUIntBE(0, 6);
    const serial = bytes.readUInt32BE(6);
    return encode(issuedAt, serial) === nonce ? { issuedAt, serial } : undefined;
  }

  function forgetStale(): void {
    for (const [serial, { issuedAt }] of counts) {
      if (now() - issuedAt < lifetimeMs()) return;
      counts.delete(serial);
      // Its counts are gone: a longer lifetime set later must not revive it, or used counts would be accepted again.
      staleUpTo = Math.max(staleUpTo, serial);
    }
  }

  return {
    issue() {
      forgetStale();
      lastSerial += 1;
      return encode(Math.trunc(now()), lastSerial);
    },
    isLive(nonce) {
      const known = decode(nonce);
      return known !== undefined && known.serial > staleUpTo && now() - known.issuedAt < lifetimeMs();
    },
    use(nonce, count) {
      const known = decode(nonce);
      if (known === undefined) return 'replayed';
      const seen = counts.get(known.serial) ?? { issuedAt: known.issuedAt, highest: 0, allUpTo: 0, above: new Set() };
      counts.set(known.serial, seen);
      return noteCount(seen, count);
    },
    expireAll() {
      staleUpTo = lastSerial;
      counts.clear();
    },
  };
}

/** Used counts: everything up to `allUpTo`, and those in `above`; a client that counts in order needs no set. */
interface NonceCounts {
  readonly issuedAt: number;
  highest: number;
  allUpTo: number;
  readonly above: Set<number>;
}

function noteCount(seen: NonceCounts, count: number): 'rising' | 'out-of-order' | 'replayed' {
  if (count <= seen.allUpTo || seen.above.has(count)) return 'replayed';
  seen.above.add(count);
  while (seen.above.delete(seen.allUpTo + 1)) seen.allUpTo += 1;
  const rising = count > seen.highest;
  seen.highest = Math.max(seen.highest, count);
  return rising ? 'rising' : 'out-of-order';
}
