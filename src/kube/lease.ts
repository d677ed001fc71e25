/**
 * Leader election on a Lease, with client-go's timings. Its states:
 *
 *   following ──lease free, released or expired──▶ leading ──renewed in time──▶ leading
 *   leading ──not renewed for the renew deadline──▶ lost (the end: the process must stop writing and exit)
 *   any ──signal aborted──▶ released when leading, so that the next replica need not wait for the lease to expire
 *
 * All own deadlines are measured with the monotonic clock: a process that was frozen or whose wall clock was set must
 * not believe in a lease that has passed on.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { KubeClient } from './client.ts';
import { hasStatus } from './errors.ts';
import { kubeMicroTime } from './time.ts';

export interface LeaseOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** Name of this replica, unique among all. */
  readonly identity: string;
  readonly onEvent: (event: LeaseEvent) => void;
  readonly timings?: LeaseTimings;
}

/** Milliseconds. */
export interface LeaseTimings {
  readonly duration: number;
  readonly renewDeadline: number;
  readonly retryPeriod: number;
}

export type LeaseEvent =
  | { readonly kind: 'leading' }
  | { readonly kind: 'following'; readonly holder: string }
  | { readonly kind: 'lost' }
  | { readonly kind: 'failed'; readonly error: unknown };

export interface LeaderElection {
  /**
   * Runs until the signal is aborted (the lease is then released) or the lease is lost. Never rejects. `onLeading` is
   * called once, when this replica begins to lead.
   */
  readonly run: (signal: AbortSignal, onLeading: () => void) => Promise<void>;
  /** Whether a write may be dispatched at this instant. */
  readonly mayWrite: () => boolean;
  /** Milliseconds for which writes may still be dispatched unless the lease is renewed; 0 while not leading. */
  readonly writableForMs: () => number;
  /** Milliseconds since the loop last did anything; grows when it hangs. */
  readonly sinceLastAttempt: () => number;
}

const DEFAULT_TIMINGS: LeaseTimings = { duration: 15_000, renewDeadline: 10_000, retryPeriod: 2_000 };

const Lease = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string() }),
  spec: z
    .looseObject({
      holderIdentity: z.string().nullish(),
      leaseDurationSeconds: z.number().nullish(),
      acquireTime: z.string().nullish(),
      renewTime: z.string().nullish(),
      leaseTransitions: z.number().nullish(),
    })
    .default({}),
});
type Lease = z.infer<typeof Lease>;

/** A loop that did nothing for so long hangs, in milliseconds: each of its requests has a deadline far below. */
const HANGS_MS = 45_000;

/** What /livez tells of the loop that renews the lease; nothing while it works, and where there is none. */
export function livenessProblems(election: LeaderElection | undefined): readonly string[] {
  const hangs = election !== undefined && election.sinceLastAttempt() > HANGS_MS;
  return hangs ? ['the loop that renews the lease hangs'] : [];
}

export function createLeaderElection(options: LeaseOptions): LeaderElection {
  const { client, identity, onEvent, timings = DEFAULT_TIMINGS } = options;
  const collection = `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(options.namespace)}/leases`;
  const path = `${collection}/${encodeURIComponent(options.name)}`;
  /** Monotonic time of the start of the last successful renewal; undefined while not leading. */
  let renewedAt: number | undefined;
  let attemptedAt = performance.now();
  /** The lease as it was last seen to change, and when: expiry is judged by our own clock, not by the holder's. */
  let observed: { readonly version: string; readonly at: number } | undefined;
  let followed: string | undefined;

  const writableForMs = (): number =>
    renewedAt === undefined ? 0 : Math.max(0, renewedAt + timings.renewDeadline - performance.now());
  const mayWrite = (): boolean => writableForMs() > 0;

  async function run(signal: AbortSignal, onLeading: () => void): Promise<void> {
    while (!signal.aborted) {
      const leading = renewedAt !== undefined;
      attemptedAt = performance.now();
      await attempt(signal);
      if (!leading && mayWrite()) {
        onEvent({ kind: 'leading' });
        onLeading();
      }
      if (signal.aborted) break;
      if (leading && !mayWrite()) {
        renewedAt = undefined;
        onEvent({ kind: 'lost' });
        return;
      }
      await sleep(timings.retryPeriod * (leading ? 1 : 1 + Math.random() / 5), undefined, { signal }).catch(
        () => undefined,
      );
    }
    await release();
  }

  async function attempt(signal: AbortSignal): Promise<void> {
    const startedAt = performance.now();
    try {
      if (await acquireOrRenew(signal)) renewedAt = startedAt;
    } catch (error) {
      if (!signal.aborted) onEvent({ kind: 'failed', error });
    }
  }

  /** True when the lease is ours from now on. */
  async function acquireOrRenew(signal: AbortSignal): Promise<boolean> {
    const request = { signal, timeoutMs: timings.renewDeadline / 2 };
    const lease = await client.request({ method: 'GET', path, ...request }).catch((error: unknown) => {
      if (hasStatus(error, 404)) return undefined;
      throw error;
    });
    if (lease === undefined) {
      const body = {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { name: options.name },
        spec: spec(undefined),
      };
      return unlessConflict(client.request({ method: 'POST', path: collection, body, ...request }));
    }
    const current = Lease.parse(lease);
    if (!mayTake(current)) return false;
    return unlessConflict(
      client.request({ method: 'PUT', path, body: { ...current, spec: spec(current) }, ...request }),
    );
  }

  function mayTake({ metadata, spec: { holderIdentity } }: Lease): boolean {
    if (observed?.version !== metadata.resourceVersion)
      observed = { version: metadata.resourceVersion, at: performance.now() };
    if (!holderIdentity || holderIdentity === identity) return true;
    // Somebody else holds it: we lead no longer, whatever our clock says.
    renewedAt = undefined;
    if (followed !== holderIdentity) onEvent({ kind: 'following', holder: holderIdentity });
    followed = holderIdentity;
    return performance.now() - observed.at > timings.duration;
  }

  function spec(previous: Lease | undefined) {
    const now = kubeMicroTime(Date.now());
    const same = previous?.spec.holderIdentity === identity;
    return {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(timings.duration / 1_000),
      acquireTime: same ? (previous.spec.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: (previous?.spec.leaseTransitions ?? -1) + (same ? 0 : 1),
    };
  }

  async function release(): Promise<void> {
    if (!mayWrite()) return;
    renewedAt = undefined;
    try {
      const current = Lease.parse(await client.request({ method: 'GET', path, timeoutMs: 2_000 }));
      if (current.spec.holderIdentity !== identity) return;
      const released = {
        ...current.spec,
        holderIdentity: '',
        leaseDurationSeconds: 1,
        renewTime: kubeMicroTime(Date.now()),
      };
      await client.request({ method: 'PUT', path, body: { ...current, spec: released }, timeoutMs: 2_000 });
    } catch (error) {
      onEvent({ kind: 'failed', error });
    }
  }

  return { run, mayWrite, writableForMs, sinceLastAttempt: () => performance.now() - attemptedAt };
}

/** Another replica was faster: no error, only not ours. */
async function unlessConflict(write: Promise<unknown>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (error) {
    if (hasStatus(error, 409)) return false;
    throw error;
  }
}
