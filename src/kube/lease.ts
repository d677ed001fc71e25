/**
 * Leader election on a Lease, with client-go's timings. The states are those of `State` below; what leads from one to
 * the next:
 *
 *   standby ──lease free, released or expired──▶ leader ──renewed in time──▶ leader
 *   leader ──not renewed for the renew deadline, or held by another──▶ lost (the process must write nothing more and exit)
 *   any ──signal aborted──▶ released where it was leader, so that the next replica need not wait for the lease to expire
 *
 * All deadlines are measured with the monotonic clock: a process that was frozen or whose wall clock was set must not
 * believe in a lease that has passed on.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { KubeClient } from './client.ts';
import { hasStatus } from './errors.ts';
import type { ObjectType } from './response.ts';
import { kubeMicroTime } from './time.ts';

interface LeaseOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** Name of this replica, unique among all. */
  readonly identity: string;
  readonly onEvent: (event: LeaseEvent) => void;
  readonly timings?: LeaseTimings;
}

/** Milliseconds. */
interface LeaseTimings {
  readonly duration: number;
  readonly renewDeadline: number;
  readonly retryPeriod: number;
}

export type LeaseEvent =
  | { readonly kind: 'acquired' }
  | { readonly kind: 'standby'; readonly holder: string }
  | { readonly kind: 'lost' }
  /** Told of each attempt that fails. */
  | { readonly kind: 'failed'; readonly error: unknown }
  /** The first attempt that works after some that failed. */
  | { readonly kind: 'recovered' };

export interface LeaderElection {
  /**
   * Runs until the signal is aborted (the lease is then released) or the lease is lost. Never rejects. `onAcquired` is
   * called once, when this replica becomes the leader.
   */
  readonly run: (signal: AbortSignal, onAcquired: () => void) => Promise<void>;
  /** Milliseconds for which writes may still be dispatched unless the lease is renewed; 0 unless this is the leader. */
  readonly writableForMs: () => number;
  /** Milliseconds since the loop last did anything; grows when it hangs. */
  readonly sinceLastAttempt: () => number;
}

type State =
  /** `holder`: the replica that was last seen to hold the lease; undefined when none was. */
  | { readonly kind: 'standby'; readonly holder: string | undefined }
  /** `renewedAt`: monotonic time of the start of the last successful renewal. */
  | { readonly kind: 'leader'; readonly renewedAt: number }
  | { readonly kind: 'lost' }
  | { readonly kind: 'released' };

const DEFAULT_TIMINGS: LeaseTimings = { duration: 15_000, renewDeadline: 10_000, retryPeriod: 2_000 };

const LEASE: ObjectType = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };

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
  let state: State = { kind: 'standby', holder: undefined };
  let attemptedAt = performance.now();
  let failing = false;
  /** The lease as it was last seen to change, and when: expiry is judged by our own clock, not by the holder's. */
  let observed: { readonly version: string; readonly at: number } | undefined;

  const writableForMs = (): number =>
    state.kind === 'leader' ? Math.max(0, state.renewedAt + timings.renewDeadline - performance.now()) : 0;

  async function run(signal: AbortSignal, onAcquired: () => void): Promise<void> {
    while (!signal.aborted) {
      const wasLeader = state.kind === 'leader';
      attemptedAt = performance.now();
      await attempt(signal);
      const isLeader = writableForMs() > 0;
      if (!wasLeader && isLeader) {
        onEvent({ kind: 'acquired' });
        onAcquired();
      }
      // An acquisition that outlasted the renew deadline, as in a process that was frozen, counts for nothing: the next
      // attempt finds the lease ours. Else nobody would be told of the acquisition.
      if (!wasLeader && !isLeader && state.kind === 'leader') state = { kind: 'standby', holder: undefined };
      if (signal.aborted) break;
      if (wasLeader && !isLeader) {
        state = { kind: 'lost' };
        onEvent(state);
        return;
      }
      await sleep(timings.retryPeriod * (wasLeader ? 1 : 1 + Math.random() / 5), undefined, { signal }).catch(
        () => undefined,
      );
    }
    await release();
  }

  async function attempt(signal: AbortSignal): Promise<void> {
    const startedAt = performance.now();
    try {
      if (await acquireOrRenew(signal)) state = { kind: 'leader', renewedAt: startedAt };
      if (failing) onEvent({ kind: 'recovered' });
      failing = false;
    } catch (error) {
      if (signal.aborted) return;
      failing = true;
      onEvent({ kind: 'failed', error });
    }
  }

  /** True when the lease is ours from now on. */
  async function acquireOrRenew(signal: AbortSignal): Promise<boolean> {
    const request = { signal, returns: LEASE, timeoutMs: timings.renewDeadline / 2 };
    const lease = await client.request({ method: 'GET', path, ...request }).catch((error: unknown) => {
      if (hasStatus(error, 404)) return undefined;
      throw error;
    });
    if (lease === undefined) {
      const body = {
        ...LEASE,
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
    const known = state.kind === 'standby' ? state.holder : undefined;
    // Somebody else holds it: we are the leader no longer, whatever our clock says.
    state = { kind: 'standby', holder: holderIdentity };
    if (known !== holderIdentity) onEvent({ kind: 'standby', holder: holderIdentity });
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
    if (writableForMs() === 0) return;
    state = { kind: 'released' };
    try {
      const request = { path, returns: LEASE, timeoutMs: 2_000 };
      const current = Lease.parse(await client.request({ method: 'GET', ...request }));
      if (current.spec.holderIdentity !== identity) return;
      const released = {
        ...current.spec,
        holderIdentity: '',
        leaseDurationSeconds: 1,
        renewTime: kubeMicroTime(Date.now()),
      };
      await client.request({ method: 'PUT', body: { ...current, spec: released }, ...request });
    } catch (error) {
      onEvent({ kind: 'failed', error });
    }
  }

  return { run, writableForMs, sinceLastAttempt: () => performance.now() - attemptedAt };
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
