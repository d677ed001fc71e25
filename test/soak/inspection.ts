/** Looks at all resources again and again, and knows since when each has been equal to Atlas. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Cluster, RESOURCES } from './cluster.ts';
import { ActualResource, ActualSecret, differences } from './comparison.ts';
import type { ExpectedState } from './expected-state.ts';
import { DELIVERY_SECRETS } from './garbage-collector.ts';
import type { ExpectedResource, Workload } from './workload.ts';

export interface Inspection {
  /** Looks until the signal is aborted. Never rejects. */
  readonly run: (signal: AbortSignal) => Promise<void>;
  /** What the last look saw; `unanswered` when the API server was away. */
  readonly last: () => Look;
  /** Waits for a look that sees all equal, true, or until the time is up. Rejects when the signal is aborted. */
  readonly untilAllEqual: (timeoutMs: number, signal: AbortSignal) => Promise<boolean>;
  /**
   * The longest time that a resource took to become equal for good, from `epochMs` or the last change of its job,
   * whichever is later. Milliseconds, exact to a look.
   */
  readonly longestSince: (epochMs: number) => number;
}

export type Look =
  | { readonly kind: 'unanswered' }
  | { readonly kind: 'seen'; readonly resources: number; readonly unequal: readonly Unequal[] };

export interface Unequal {
  /** `namespace/name`. */
  readonly key: string;
  /** What is wrong with it, one sentence each. */
  readonly differences: readonly string[];
}

const PAUSE_MS = 1_000;

export function createInspection(cluster: Cluster, expectedState: ExpectedState, workload: Workload): Inspection {
  /** Milliseconds since the epoch. */
  const equalSince = new Map<string, number>();
  let last: Look = { kind: 'unanswered' };
  let looks = 0;

  async function look(): Promise<Look> {
    const resources = byName(await cluster.list(RESOURCES), (object) => ActualResource.parse(object));
    const secrets = byName(await cluster.list(DELIVERY_SECRETS), (object) => ActualSecret.parse(object));
    const expected = workload.resources();
    const unequal = expected.flatMap((resource): readonly Unequal[] => {
      const { body } = expectedState.of(resource.job.jobId);
      const secret = secrets.get(`${resource.namespace}/${resource.deliverySecretName}`);
      const list = differences(resource, body, resources.get(keyOf(resource)), secret);
      return list.length === 0 ? [] : [{ key: keyOf(resource), differences: list }];
    });
    remember(expected, unequal);
    return { kind: 'seen', resources: expected.length, unequal };
  }

  function remember(expected: readonly ExpectedResource[], unequal: readonly Unequal[]): void {
    const now = Date.now();
    for (const key of expected.map(keyOf)) if (!equalSince.has(key)) equalSince.set(key, now);
    for (const { key } of unequal) equalSince.delete(key);
  }

  return {
    run: async (signal) => {
      while (!signal.aborted) {
        last = await look().catch((): Look => ({ kind: 'unanswered' }));
        looks += 1;
        await delay(PAUSE_MS, undefined, { signal }).catch(() => {});
      }
    },
    last: () => last,
    untilAllEqual: async (timeoutMs, signal) => {
      const deadline = performance.now() + timeoutMs;
      // The look that is under way began before whoever asks now did what has to be seen.
      const enough = looks + 2;
      for (;;) {
        if (looks >= enough && last.kind === 'seen' && last.unequal.length === 0) return true;
        if (performance.now() > deadline) return false;
        await delay(100, undefined, { signal });
      }
    },
    longestSince: (epochMs) => {
      const now = Date.now();
      const times = workload.resources().map((resource) => {
        const from = Math.max(epochMs, expectedState.of(resource.job.jobId).since);
        return (equalSince.get(keyOf(resource)) ?? now) - from;
      });
      return Math.max(0, ...times);
    },
  };
}

const keyOf = ({ namespace, name }: { readonly namespace: string; readonly name: string }): string =>
  `${namespace}/${name}`;

function byName<T extends { readonly metadata: { readonly namespace: string; readonly name: string } }>(
  objects: readonly unknown[],
  parse: (object: unknown) => T,
): ReadonlyMap<string, T> {
  return new Map(
    objects.map((object) => {
      const parsed = parse(object);
      return [keyOf(parsed.metadata), parsed];
    }),
  );
}
