import type { Api } from './apis.ts';
import type { Route } from './atlas-request.ts';
import type { AuthScheme } from './authorization.ts';
import type { DigestRefusal } from './digest-check.ts';

/** Why credentials were refused: an answer to a Digest challenge, an access token, or a client id and secret. */
export type Refusal = DigestRefusal | 'dead-token' | 'wrong-client';

/** What was counted since the start or the last reset. Counters alone: a soak of any length needs no more memory. */
export interface RequestCounts {
  readonly total: number;
  readonly byKind: Readonly<Record<Route['kind'], number>>;
  /** Requests for jobs and lists. */
  readonly byApi: Readonly<Record<Api, number>>;
  readonly byAuth: Readonly<Record<AuthScheme, number>>;
  /** By HTTP status as sent: inside of an envelope it is 200. */
  readonly byStatus: Readonly<Record<number, number>>;
  /** Requests whose answer was left to a fault: reset, stalled, or raw bytes. */
  readonly withoutStatus: number;
  readonly byRefusal: Readonly<Partial<Record<Refusal, number>>>;
  /** Of the first 100,000 different ids. */
  readonly byJobId: Readonly<Record<string, number>>;
}

export interface RequestLog {
  /** An immutable copy of all counters. */
  counts(): RequestCounts;
  /** The requests for one job, answered or not. */
  ofJob(jobId: string): number;
  /** Resolves as soon as the counters satisfy the predicate: instead of a sleep. Rejects when the simulator stops. */
  until(predicate: (counts: RequestCounts) => boolean): Promise<void>;
  reset(): void;
}

/** The side of the log that the server writes. */
export interface RequestRecorder {
  readonly log: RequestLog;
  arrived(route: Route, scheme: AuthScheme): void;
  refused(refusal: Refusal): void;
  /** `status` is undefined when the server sent none. */
  answered(status: number | undefined): void;
  /** Rejects everybody who still waits. */
  close(): void;
}

const MOST_JOB_IDS = 100_000;

export function createRequestRecorder(): RequestRecorder {
  let counters = zero();
  const waiting = new Set<Waiter>();

  function changed(): void {
    if (waiting.size === 0) return;
    const counts = snapshot(counters);
    for (const waiter of waiting) {
      if (!waiter.predicate(counts)) continue;
      waiting.delete(waiter);
      waiter.resolve();
    }
  }

  return {
    log: {
      counts: () => snapshot(counters),
      ofJob: (jobId) => counters.byJobId.get(jobId) ?? 0,
      until: (predicate) =>
        new Promise((resolve, reject) => {
          waiting.add({ predicate, resolve, reject });
          changed();
        }),
      reset() {
        counters = zero();
      },
    },
    arrived(route, scheme) {
      counters.total += 1;
      counters.byKind[route.kind] += 1;
      counters.byAuth[scheme] += 1;
      if ('api' in route) counters.byApi[route.api] += 1;
      if (route.kind === 'job') increment(counters.byJobId, route.jobId, MOST_JOB_IDS);
      changed();
    },
    refused(refusal) {
      increment(counters.byRefusal, refusal);
      changed();
    },
    answered(status) {
      if (status === undefined) counters.withoutStatus += 1;
      else increment(counters.byStatus, status);
      changed();
    },
    close() {
      for (const { reject } of waiting) reject(new Error('the Atlas simulator was stopped'));
      waiting.clear();
    },
  };
}

interface Waiter {
  readonly predicate: (counts: RequestCounts) => boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

function zero() {
  return {
    total: 0,
    withoutStatus: 0,
    byKind: { job: 0, list: 0, token: 0, revoke: 0, other: 0 },
    byApi: { 'atlas/v1.0': 0, 'atlas/v2': 0, 'public/v1.0': 0 },
    byAuth: { none: 0, digest: 0, bearer: 0, basic: 0, other: 0 },
    byStatus: new Map<number, number>(),
    byRefusal: new Map<Refusal, number>(),
    byJobId: new Map<string, number>(),
  };
}

function snapshot(counters: ReturnType<typeof zero>): RequestCounts {
  return {
    total: counters.total,
    withoutStatus: counters.withoutStatus,
    byKind: { ...counters.byKind },
    byApi: { ...counters.byApi },
    byAuth: { ...counters.byAuth },
    byStatus: Object.fromEntries(counters.byStatus),
    byRefusal: Object.fromEntries(counters.byRefusal),
    byJobId: Object.fromEntries(counters.byJobId),
  };
}

function increment<Key>(counts: Map<Key, number>, key: Key, mostKeys = Number.POSITIVE_INFINITY): void {
  const count = counts.get(key);
  if (count !== undefined || counts.size < mostKeys) counts.set(key, (count ?? 0) + 1);
}
