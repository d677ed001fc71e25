/**
 * The work queue: keys wait for their time or for a worker, one worker per key at a time. A key is in one of these
 * states: sleeping (a timer), ready (in a lane), running, running and changed meanwhile (it runs exactly once more).
 * Nothing is kept for a key in none of them.
 */

/** `fresh`: somebody changed something and looks at it; `due`: a reconcile whose time has come. Fresh goes first. */
export type Priority = 'fresh' | 'due';

/** Reconciles one key. */
type Reconcile = (key: string) => Promise<void>;

interface QueueOptions {
  readonly concurrency: number;
  /** Told of the ways of the keys, for metrics. */
  readonly observer?: QueueObserver;
}

export interface QueueObserver {
  /** A key became ready that was not. */
  readonly added: () => void;
  /** A worker took a key that had been ready for so many milliseconds. */
  readonly taken: (waitedMs: number) => void;
  /** A reconcile ended after so many milliseconds. */
  readonly ended: (workedMs: number) => void;
}

export interface Queue {
  /** Makes a key ready now; one that is running runs once more. */
  readonly add: (key: string, priority: Priority) => void;
  /** Makes a key ready after so many milliseconds, in place of an earlier arrangement. */
  readonly addAfter: (key: string, ms: number) => void;
  /** Drops a key wherever it waits; a running reconcile goes on, but not once more. */
  readonly forget: (key: string) => void;
  /** Starts the workers; until then keys only gather. What `reconcile` throws is given to `onError`. */
  readonly start: (reconcile: Reconcile, onError: (key: string, error: unknown) => void) => void;
  /** Begins no further reconcile and resolves when those under way have ended. */
  readonly stop: () => Promise<void>;
  /** Keys that are ready and wait for a worker. */
  readonly depth: () => number;
  /** Reconciles under way. */
  readonly active: () => number;
  /** Milliseconds since the oldest reconcile under way began; 0 where there is none. */
  readonly longestMs: () => number;
}

/** setTimeout fires at once for more. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Workers take keys while it is started; one that was shut down takes no keys at all. */
type State =
  | { readonly kind: 'notStarted' }
  | {
      readonly kind: 'started';
      readonly reconcile: Reconcile;
      readonly onError: (key: string, error: unknown) => void;
    }
  | { readonly kind: 'shutDown' };

interface Run {
  readonly startedAt: number;
  /** What came for the key meanwhile. */
  again: Priority | undefined;
}

export function createQueue({ concurrency, observer }: QueueOptions): Queue {
  const timers = new Map<string, NodeJS.Timeout>();
  const lanes = { fresh: createLane(), due: createLane() } as const;
  const running = new Map<string, Run>();
  let state: State = { kind: 'notStarted' };
  const idle = Promise.withResolvers<void>();

  function add(key: string, priority: Priority): void {
    if (state.kind === 'shutDown') return;
    wake(key);
    const run = running.get(key);
    if (run !== undefined) {
      if (run.again !== 'fresh') run.again = priority;
      return;
    }
    makeReady(key, priority);
    work();
  }

  function makeReady(key: string, priority: Priority): void {
    if (lanes.fresh.has(key)) return;
    if (priority === 'due' && lanes.due.has(key)) return;
    // Promoted, it keeps the time since when it waits.
    const readySince = lanes.due.remove(key);
    lanes[priority].put(key, readySince ?? performance.now());
    if (readySince === undefined) observer?.added();
  }

  function addAfter(key: string, ms: number): void {
    if (state.kind === 'shutDown') return;
    wake(key);
    const timer = setTimeout(
      () => {
        timers.delete(key);
        add(key, 'due');
      },
      Math.min(LONGEST_TIMER_MS, Math.max(0, Math.ceil(ms))),
    );
    timers.set(key, timer);
  }

  function wake(key: string): void {
    clearTimeout(timers.get(key));
    timers.delete(key);
  }

  function forget(key: string): void {
    wake(key);
    lanes.fresh.remove(key);
    lanes.due.remove(key);
    const run = running.get(key);
    if (run !== undefined) run.again = undefined;
  }

  function work(): void {
    while (state.kind === 'started' && running.size < concurrency) {
      const taken = lanes.fresh.take() ?? lanes.due.take();
      if (taken === undefined) return;
      const [key, readySince] = taken;
      const run: Run = { startedAt: performance.now(), again: undefined };
      running.set(key, run);
      observer?.taken(run.startedAt - readySince);
      void perform(key, run, state);
    }
  }

  async function perform(
    key: string,
    run: Run,
    { reconcile, onError }: Extract<State, { kind: 'started' }>,
  ): Promise<void> {
    try {
      await reconcile(key);
    } catch (error) {
      onError(key, error);
    }
    running.delete(key);
    observer?.ended(performance.now() - run.startedAt);
    if (run.again !== undefined) add(key, run.again);
    if (state.kind === 'shutDown' && running.size === 0) idle.resolve();
    work();
  }

  function start(reconcile: Reconcile, onError: (key: string, error: unknown) => void): void {
    if (state.kind !== 'notStarted') return;
    state = { kind: 'started', reconcile, onError };
    work();
  }

  function stop(): Promise<void> {
    state = { kind: 'shutDown' };
    for (const timer of timers.values()) clearTimeout(timer);
    timers.clear();
    if (running.size === 0) idle.resolve();
    return idle.promise;
  }

  return {
    add,
    addAfter,
    forget,
    start,
    stop,
    depth: () => lanes.fresh.size() + lanes.due.size(),
    active: () => running.size,
    longestMs: () => {
      // The order of a Map is that of its insertions: the oldest comes first.
      for (const { startedAt } of running.values()) return performance.now() - startedAt;
      return 0;
    },
  };
}

/** Ready keys of one priority: first come first served within a namespace, the namespaces in turn. */
function createLane() {
  /** Keys of each namespace, with the monotonic time since when each is ready. */
  const namespaces = new Map<string, Map<string, number>>();
  let size = 0;
  const namespaceOf = (key: string): string => key.slice(0, Math.max(0, key.indexOf('/')));

  /** Since when it was ready; undefined when it was not in the lane. */
  function remove(key: string): number | undefined {
    const namespace = namespaceOf(key);
    const keys = namespaces.get(namespace);
    const readySince = keys?.get(key);
    if (keys === undefined || readySince === undefined) return undefined;
    keys.delete(key);
    size -= 1;
    if (keys.size === 0) namespaces.delete(namespace);
    return readySince;
  }

  return {
    put: (key: string, readySince: number): void => {
      const namespace = namespaceOf(key);
      const keys = namespaces.get(namespace) ?? new Map<string, number>();
      if (!keys.has(key)) size += 1;
      namespaces.set(namespace, keys.set(key, readySince));
    },
    take: (): readonly [key: string, readySince: number] | undefined => {
      const [entry] = namespaces;
      if (entry === undefined) return undefined;
      const [namespace, keys] = entry;
      const [first] = keys;
      if (first === undefined) return undefined;
      remove(first[0]);
      // To the end of the line: ten thousand resources of one namespace must not hold up one of another.
      if (namespaces.delete(namespace)) namespaces.set(namespace, keys);
      return first;
    },
    has: (key: string): boolean => namespaces.get(namespaceOf(key))?.has(key) ?? false,
    remove,
    size: () => size,
  };
}
