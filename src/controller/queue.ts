/**
 * The work queue: keys wait for their time or for a worker, one worker per key at a time. A key is in one of these
 * states: sleeping (a timer), ready (in a lane), running, running and changed meanwhile (it runs exactly once more).
 * Nothing is kept for a key in none of them.
 */

/** `fresh`: somebody changed something and looks at it; `due`: a visit whose time has come. Fresh goes first. */
export type Priority = 'fresh' | 'due';

export interface QueueOptions {
  readonly concurrency: number;
  /** Visits one key. What it throws is given to `onFailed`. */
  readonly visit: (key: string) => Promise<void>;
  readonly onFailed: (key: string, error: unknown) => void;
}

export interface Queue {
  /** Makes a key ready now; one that is running runs once more. */
  readonly add: (key: string, priority: Priority) => void;
  /** Makes a key ready after so many milliseconds, in place of an earlier arrangement. */
  readonly addAfter: (key: string, ms: number) => void;
  /** Drops a key wherever it waits; a running visit goes on, but not once more. */
  readonly forget: (key: string) => void;
  /** Lets workers begin; until then keys only gather. */
  readonly start: () => void;
  /** Begins no further visit and resolves when those under way have ended. */
  readonly stop: () => Promise<void>;
  /** Keys that are ready and wait for a worker. */
  readonly depth: () => number;
  /** Visits under way. */
  readonly active: () => number;
}

/** setTimeout fires at once for more. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export function createQueue({ concurrency, visit, onFailed }: QueueOptions): Queue {
  const timers = new Map<string, NodeJS.Timeout>();
  const lanes = { fresh: createLane(), due: createLane() } as const;
  /** What came for a key while it was running. */
  const running = new Map<string, Priority | undefined>();
  let state: 'gathering' | 'working' | 'stopped' = 'gathering';
  const idle = Promise.withResolvers<void>();

  function add(key: string, priority: Priority): void {
    if (state === 'stopped') return;
    wake(key);
    if (running.has(key)) {
      running.set(key, running.get(key) === 'fresh' ? 'fresh' : priority);
      return;
    }
    if (priority === 'fresh') lanes.due.remove(key);
    else if (lanes.fresh.has(key)) return;
    lanes[priority].put(key);
    work();
  }

  function addAfter(key: string, ms: number): void {
    if (state === 'stopped') return;
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
    if (running.has(key)) running.set(key, undefined);
  }

  function work(): void {
    while (state === 'working' && running.size < concurrency) {
      const key = lanes.fresh.take() ?? lanes.due.take();
      if (key === undefined) return;
      running.set(key, undefined);
      void run(key);
    }
  }

  async function run(key: string): Promise<void> {
    try {
      await visit(key);
    } catch (error) {
      onFailed(key, error);
    }
    const again = running.get(key);
    running.delete(key);
    if (again !== undefined) add(key, again);
    if (state === 'stopped' && running.size === 0) idle.resolve();
    work();
  }

  function start(): void {
    if (state !== 'gathering') return;
    state = 'working';
    work();
  }

  function stop(): Promise<void> {
    state = 'stopped';
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
  };
}

/** Ready keys of one priority: first come first served within a namespace, the namespaces in turn. */
function createLane() {
  const namespaces = new Map<string, Set<string>>();
  let size = 0;
  const namespaceOf = (key: string): string => key.slice(0, Math.max(0, key.indexOf('/')));

  function remove(key: string): void {
    const namespace = namespaceOf(key);
    const keys = namespaces.get(namespace);
    if (!keys?.delete(key)) return;
    size -= 1;
    if (keys.size === 0) namespaces.delete(namespace);
  }

  return {
    put: (key: string): void => {
      const namespace = namespaceOf(key);
      const keys = namespaces.get(namespace) ?? new Set();
      if (!keys.has(key)) size += 1;
      namespaces.set(namespace, keys.add(key));
    },
    take: (): string | undefined => {
      const [entry] = namespaces;
      if (entry === undefined) return undefined;
      const [namespace, keys] = entry;
      const [key] = keys;
      if (key === undefined) return undefined;
      remove(key);
      // To the end of the line: ten thousand resources of one namespace must not hold up one of another.
      if (namespaces.delete(namespace)) namespaces.set(namespace, keys);
      return key;
    },
    has: (key: string): boolean => namespaces.get(namespaceOf(key))?.has(key) ?? false,
    remove,
    size: () => size,
  };
}
