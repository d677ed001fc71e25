/**
 * Request budgets: one per project and credential. A caller that finds a budget used up or paused waits in its queue,
 * until a request is reserved for it; waiting costs one map entry and no worker. A waiter has one place at most: in the
 * budget that it asked last. Lists go before fetches, which they may spare.
 */
import type { ApiError } from '../api/api-error.ts';

type Admission =
  | { readonly admitted: true }
  /** `pause`: what Atlas asked for; undefined when only the client-side limit is used up. */
  | { readonly admitted: false; readonly pause: BudgetPause | undefined };

/** Atlas asked a budget to wait. */
export interface BudgetPause {
  /** Milliseconds since the first response that asked to wait, without a success since. */
  readonly forMs: number;
  /** The error of the newest such response, as Atlas described it. */
  readonly apiError: ApiError | undefined;
}

/** What a request is for. */
type RequestKind = 'list' | 'fetch';

export interface Budgets {
  /** Takes one request from a budget, or a place in its queue; `fetch` is the default. */
  readonly admit: (budget: string, waiter: string, kind?: RequestKind) => Admission;
  /** A place in the queue, without asking for a request now. */
  readonly wait: (budget: string, waiter: string) => Admission & { readonly admitted: false };
  /** What Atlas asked the budget to wait for; undefined where it is not paused. */
  readonly pauseOf: (budget: string) => BudgetPause | undefined;
  /** Counts a request that had to follow at once, such as the one that answers a challenge. */
  readonly spend: (budget: string) => void;
  /** Atlas asked to wait. Without a time the pause doubles with each one that follows without a success in between. */
  readonly pause: (budget: string, retryAfterMs: number | undefined, apiError?: ApiError) => void;
  /** Atlas answered: the next pause without a time is a short one again. `remaining` is its RateLimit-Remaining. */
  readonly succeeded: (budget: string, remaining: number | undefined) => void;
  /** Takes a waiter that needs no request out of its queue, and gives back what is reserved for it. */
  readonly forget: (waiter: string) => void;
  readonly usage: () => BudgetUsage;
  readonly close: () => void;
}

/** All budgets together, at one instant. */
export interface BudgetUsage {
  /** Budgets that Atlas has paused. */
  readonly paused: number;
  /** Waiters in all queues. */
  readonly waiting: number;
  /** Requests that the budget with the least left grants now; undefined without a client-side limit. */
  readonly remaining: number | undefined;
}

export interface BudgetOptions {
  /** Most requests in any 60 seconds; 0 means no limit. */
  readonly requestsPerMinute: number;
  /** Called when a request is reserved for a waiter: its next `admit` is granted. */
  readonly onReserved: (waiter: string) => void;
  /** Called for each pause that Atlas asks for. */
  readonly onPause?: () => void;
  /** Monotonic, in milliseconds: a wall clock that is set back would stop every refill and prolong every pause. */
  readonly now?: () => number;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

interface Budget {
  tokens: number;
  refilledAt: number;
  pausedSince: number | undefined;
  pausedUntil: number;
  pausesInARow: number;
  pausedBy: ApiError | undefined;
  readonly queues: Record<RequestKind, Set<string>>;
  /** Whose turn was last. */
  lastServed: RequestKind;
  /** Waiters with a token set aside for each. */
  readonly reserved: Map<string, RequestKind>;
  timer: NodeJS.Timeout | undefined;
}

const MINUTE_MS = 60_000;
const LONGEST_PAUSE_MS = 3_600_000;
/** A budget that nobody waits for and nobody used for so long is forgotten. */
const IDLE_MS = 10 * MINUTE_MS;

export function createBudgets(options: BudgetOptions): Budgets {
  const { requestsPerMinute, onReserved, onPause, now = () => performance.now(), random = Math.random } = options;
  // A burst and the refill of one minute together never exceed the limit, whatever minute is looked at.
  const burst = Math.max(1, Math.floor(requestsPerMinute / 5));
  const refillPerMs = Math.max(requestsPerMinute - burst, requestsPerMinute / 2) / MINUTE_MS;
  const limited = requestsPerMinute > 0;
  const budgets = new Map<string, Budget>();
  /** The budget in which each waiter has its place. */
  const places = new Map<string, Budget>();
  let sweptAt = now();

  function get(name: string): Budget {
    const known = budgets.get(name);
    if (known !== undefined) return known;
    sweep();
    const fresh: Budget = {
      tokens: burst,
      refilledAt: now(),
      pausedSince: undefined,
      pausedUntil: 0,
      pausesInARow: 0,
      pausedBy: undefined,
      queues: { list: new Set(), fetch: new Set() },
      lastServed: 'fetch',
      reserved: new Map(),
      timer: undefined,
    };
    budgets.set(name, fresh);
    return fresh;
  }

  /** Rotated credentials leave budgets behind. A busy one must stay, which a bounded cache cannot promise. */
  function sweep(): void {
    if (now() - sweptAt < IDLE_MS) return;
    sweptAt = now();
    for (const [name, budget] of budgets) {
      const busy = waitersOf(budget) > 0 || budget.reserved.size > 0 || budget.pausedUntil > now();
      if (!busy && now() - budget.refilledAt > IDLE_MS) budgets.delete(name);
    }
  }

  const tokensNow = ({ tokens, refilledAt, pausedUntil }: Budget): number =>
    Math.min(burst, tokens + Math.max(0, now() - Math.max(refilledAt, pausedUntil)) * refillPerMs);

  function refill(budget: Budget): void {
    if (now() <= Math.max(budget.refilledAt, budget.pausedUntil)) return;
    budget.tokens = tokensNow(budget);
    budget.refilledAt = now();
  }

  const admit: Budgets['admit'] = (name, waiter, kind = 'fetch') => {
    const budget = get(name);
    leaveAllBut(budget, waiter);
    refill(budget);
    if (budget.pausedUntil <= now()) {
      if (budget.reserved.delete(waiter)) {
        places.delete(waiter);
        return { admitted: true };
      }
      // Whoever already waits goes first.
      if (waitersOf(budget) === 0 && (!limited || budget.tokens >= 1)) {
        if (limited) budget.tokens -= 1;
        return { admitted: true };
      }
    }
    return queueUp(budget, waiter, kind);
  };

  function pauseOf({ pausedSince, pausedUntil, pausedBy }: Budget): BudgetPause | undefined {
    if (pausedSince === undefined || pausedUntil <= now()) return undefined;
    return { forMs: now() - pausedSince, apiError: pausedBy };
  }

  function queueUp(budget: Budget, waiter: string, kind: RequestKind): Admission & { readonly admitted: false } {
    leaveAllBut(budget, waiter);
    if (!budget.reserved.has(waiter)) budget.queues[kind].add(waiter);
    places.set(waiter, budget);
    arm(budget);
    return { admitted: false, pause: pauseOf(budget) };
  }

  /** A place that stayed behind, as after a change of the credentials, would cause a fetch that nobody asked for. */
  function leaveAllBut(budget: Budget, waiter: string): void {
    if (places.get(waiter) !== budget) forget(waiter);
  }

  function forget(waiter: string): void {
    const budget = places.get(waiter);
    if (budget === undefined) return;
    places.delete(waiter);
    for (const queue of Object.values(budget.queues)) queue.delete(waiter);
    if (!budget.reserved.delete(waiter)) return;
    refill(budget);
    budget.tokens = Math.min(burst, budget.tokens + 1);
    rearm(budget);
  }

  function arm(budget: Budget): void {
    if (budget.timer !== undefined || waitersOf(budget) === 0) return;
    const shortage = limited ? Math.max(0, 1 - budget.tokens) / refillPerMs : 0;
    const due = Math.max(budget.pausedUntil, now()) + shortage;
    budget.timer = setTimeout(() => serve(budget), Math.max(1, Math.ceil(due - now())));
  }

  /** When the next turn is has changed. */
  function rearm(budget: Budget): void {
    clearTimeout(budget.timer);
    budget.timer = undefined;
    arm(budget);
  }

  /** Reserves as many requests as there are tokens, one for each waiter: a second one would cause a second reconcile. */
  function serve(budget: Budget): void {
    budget.timer = undefined;
    refill(budget);
    if (budget.pausedUntil <= now()) {
      const admitted: string[] = [];
      while (!limited || budget.tokens >= 1) {
        const waiter = takeFirst(budget);
        if (waiter === undefined) break;
        if (limited) budget.tokens -= 1;
        budget.reserved.set(waiter, budget.lastServed);
        admitted.push(waiter);
      }
      for (const waiter of admitted) onReserved(waiter);
    }
    arm(budget);
  }

  function pause(name: string, retryAfterMs: number | undefined, apiError?: ApiError): void {
    const budget = get(name);
    budget.pausedBy = apiError;
    refill(budget);
    // After a quiet minute it is a new trouble.
    if (now() - budget.pausedUntil > MINUTE_MS) budget.pausesInARow = 0;
    if (budget.pausesInARow === 0) budget.pausedSince = now();
    // Requests that were under way together are all told the same: that is one pause.
    if (budget.pausedUntil <= now()) {
      budget.pausesInARow += 1;
      onPause?.();
    }
    const untold = Math.min(MINUTE_MS, 500 * 2 ** budget.pausesInARow) * (0.5 + random() / 2);
    // No time at all, or a date that has passed by our clock, is as good as none: the requests would never end.
    const wanted = retryAfterMs === undefined || retryAfterMs === 0 ? untold : retryAfterMs;
    budget.pausedUntil = Math.max(budget.pausedUntil, now() + Math.min(LONGEST_PAUSE_MS, wanted));
    // The bucket at Atlas is empty: a burst right after the pause would end in the next one. Waiters with a reservation
    // that they have not used yet go to the front of the queue.
    budget.tokens = Math.min(budget.tokens + budget.reserved.size, 1);
    for (const kind of ['list', 'fetch'] as const) {
      const reserved = [...budget.reserved].flatMap(([waiter, of]) => (of === kind ? [waiter] : []));
      if (reserved.length > 0) budget.queues[kind] = new Set([...reserved, ...budget.queues[kind]]);
    }
    budget.reserved.clear();
    rearm(budget);
  }

  function succeeded(name: string, remaining: number | undefined): void {
    const budget = get(name);
    budget.pausesInARow = 0;
    if (remaining !== undefined && limited) budget.tokens = Math.min(budget.tokens, remaining);
  }

  /** Looks without a refill, which would make a budget seem in use. */
  function usage(): BudgetUsage {
    let [paused, waiting, remaining] = [0, 0, burst];
    for (const budget of budgets.values()) {
      const isPaused = budget.pausedUntil > now();
      if (isPaused) paused += 1;
      waiting += waitersOf(budget);
      remaining = Math.min(remaining, isPaused ? 0 : Math.max(0, Math.floor(tokensNow(budget))));
    }
    return { paused, waiting, remaining: limited ? remaining : undefined };
  }

  return {
    admit,
    wait: (name, waiter) => queueUp(get(name), waiter, 'fetch'),
    pauseOf: (name) => {
      const budget = budgets.get(name);
      return budget === undefined ? undefined : pauseOf(budget);
    },
    spend: (name) => {
      get(name).tokens -= 1;
    },
    pause,
    succeeded,
    forget,
    usage,
    close: () => {
      for (const budget of budgets.values()) clearTimeout(budget.timer);
      budgets.clear();
      places.clear();
    },
  };
}

const waitersOf = ({ queues }: Budget): number => queues.list.size + queues.fetch.size;

/** Lists and fetches in turn, a list first: lists alone could use a budget up, and what they find would not be fetched. */
function takeFirst(budget: Budget): string | undefined {
  const { list, fetch } = budget.queues;
  const kind = list.size === 0 || (budget.lastServed === 'list' && fetch.size > 0) ? 'fetch' : 'list';
  for (const waiter of budget.queues[kind]) {
    budget.queues[kind].delete(waiter);
    budget.lastServed = kind;
    return waiter;
  }
  return undefined;
}
