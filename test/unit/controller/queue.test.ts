import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { createQueue, type Priority, type Queue } from '../../../src/controller/queue.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

interface Reconciles {
  readonly queue: Omit<Queue, 'start'> & { readonly start: () => void };
  /** Keys of all reconciles so far, in the order of their beginning. */
  readonly begun: readonly string[];
  /** Keys under way, in the order of their beginning. */
  readonly running: readonly string[];
  /** Keys whose reconcile failed. */
  readonly failed: readonly string[];
  /** Ends the reconcile of a key. */
  readonly end: (key: string, error?: Error) => Promise<void>;
}

/** A queue whose reconciles end when the test says so. */
function reconciles(concurrency: number): Reconciles {
  const begun: string[] = [];
  const failed: string[] = [];
  const running = new Map<string, PromiseWithResolvers<void>>();
  const queue = createQueue({ concurrency });
  const reconcile = (key: string): Promise<void> => {
    begun.push(key);
    if (running.has(key)) throw new Error(`two workers reconcile ${key}`);
    const done = Promise.withResolvers<void>();
    running.set(key, done);
    if (running.size > concurrency) throw new Error(`${running.size} reconciles at the same time`);
    return done.promise;
  };
  return {
    queue: { ...queue, start: () => queue.start(reconcile, (key) => failed.push(key)) },
    begun,
    failed,
    get running() {
      return [...running.keys()];
    },
    end: async (key, error) => {
      const done = running.get(key);
      if (done === undefined) throw new Error(`${key} is not under way`);
      running.delete(key);
      if (error === undefined) done.resolve();
      else done.reject(error);
      await settled();
    },
  };
}

/** Lets everything happen that needs no timer. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

describe('before the start', () => {
  test('keys gather and none is reconciled', async () => {
    const { queue, begun } = reconciles(2);
    queue.add('a/1', 'fresh');
    queue.addAfter('a/2', 0);
    await jest.advanceTimersByTimeAsync(1_000);
    expect(begun).toEqual([]);
    expect(queue.depth()).toBe(2);
    queue.start();
    expect(begun).toEqual(['a/1', 'a/2']);
    expect([queue.depth(), queue.active()]).toEqual([0, 2]);
  });
});

describe('order', () => {
  test('fresh goes before due, whatever came first', async () => {
    const { queue, begun, end } = reconciles(1);
    queue.add('a/1', 'due');
    queue.add('a/2', 'due');
    queue.add('a/3', 'fresh');
    queue.start();
    await end('a/3');
    await end('a/1');
    expect(begun).toEqual(['a/3', 'a/1', 'a/2']);
  });

  test('a due key that becomes fresh goes ahead, a fresh one that is due as well stays there', async () => {
    const { queue, begun, end } = reconciles(1);
    queue.add('a/1', 'due');
    queue.add('a/2', 'due');
    queue.add('a/2', 'fresh');
    queue.add('a/2', 'due');
    expect(queue.depth()).toBe(2);
    queue.start();
    await end('a/2');
    await end('a/1');
    expect(begun).toEqual(['a/2', 'a/1']);
    expect(queue.active()).toBe(0);
  });

  test('namespaces take turns: one with many keys does not hold up the others', async () => {
    const { queue, begun, end } = reconciles(1);
    for (const key of ['a/1', 'a/2', 'a/3', 'b/1', 'c/1', 'b/2']) queue.add(key, 'due');
    queue.start();
    for (let reconcile = 0; reconcile < 6; reconcile++) await end(begun.at(-1) ?? '');
    expect(begun).toEqual(['a/1', 'b/1', 'c/1', 'a/2', 'b/2', 'a/3']);
  });

  test('no more reconciles at a time than the concurrency', async () => {
    const watched = reconciles(3);
    const { queue, end } = watched;
    queue.start();
    for (let name = 0; name < 10; name++) queue.add(`a/${name}`, 'due');
    expect([queue.active(), queue.depth()]).toEqual([3, 7]);
    await end('a/1');
    expect([queue.active(), queue.depth()]).toEqual([3, 6]);
    expect(watched.running).toEqual(['a/0', 'a/2', 'a/3']);
  });
});

describe('changes during a reconcile', () => {
  test('cause exactly one more reconcile, after it', async () => {
    const { queue, begun, end } = reconciles(4);
    queue.start();
    queue.add('a/1', 'due');
    queue.add('a/1', 'due');
    queue.add('a/1', 'fresh');
    queue.add('a/1', 'due');
    expect([begun, queue.depth()]).toEqual([['a/1'], 0]);
    await end('a/1');
    expect(begun).toEqual(['a/1', 'a/1']);
    await end('a/1');
    expect(begun).toEqual(['a/1', 'a/1']);
    expect([queue.active(), queue.depth()]).toEqual([0, 0]);
  });

  test('keep their priority: fresh goes before those that are due', async () => {
    const { queue, begun, end } = reconciles(1);
    queue.start();
    queue.add('a/1', 'due');
    queue.add('a/2', 'due');
    queue.add('a/1', 'fresh');
    queue.add('a/1', 'due');
    await end('a/1');
    expect(begun).toEqual(['a/1', 'a/1']);
  });

  test('a key that was forgotten is not reconciled once more', async () => {
    const { queue, begun, end } = reconciles(1);
    queue.start();
    queue.add('a/1', 'due');
    queue.add('a/1', 'fresh');
    queue.forget('a/1');
    await end('a/1');
    expect(begun).toEqual(['a/1']);
    expect([queue.active(), queue.depth(), jest.getTimerCount()]).toEqual([0, 0, 0]);
  });
});

describe('time', () => {
  test('a key sleeps until its time and is not held by anything else', async () => {
    const { queue, begun } = reconciles(1);
    queue.start();
    queue.addAfter('a/1', 1_000);
    await jest.advanceTimersByTimeAsync(999);
    expect([begun, queue.depth()]).toEqual([[], 0]);
    await jest.advanceTimersByTimeAsync(1);
    expect(begun).toEqual(['a/1']);
    expect(jest.getTimerCount()).toBe(0);
  });

  test.each([
    ['an earlier time', 100, 100],
    ['a later time', 5_000, 5_000],
  ])('%s takes the place of the one before', async (_name, ms, expected) => {
    const { queue, begun } = reconciles(1);
    queue.start();
    queue.addAfter('a/1', 1_000);
    queue.addAfter('a/1', ms);
    await jest.advanceTimersByTimeAsync(expected - 1);
    expect(begun).toEqual([]);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(begun).toEqual(['a/1']);
  });

  test('a key that is added now is not reconciled again at its time', async () => {
    const { queue, begun, end } = reconciles(1);
    queue.start();
    queue.addAfter('a/1', 1_000);
    queue.add('a/1', 'fresh');
    await end('a/1');
    await jest.advanceTimersByTimeAsync(10_000);
    expect(begun).toEqual(['a/1']);
  });

  test('a reconcile can arrange the next one', async () => {
    const { queue, begun, end } = reconciles(1);
    queue.start();
    queue.add('a/1', 'due');
    queue.addAfter('a/1', 1_000);
    await end('a/1');
    await jest.advanceTimersByTimeAsync(1_000);
    expect(begun).toEqual(['a/1', 'a/1']);
  });

  test('what is further away than a timer reaches is not reconciled at once', async () => {
    const { queue, begun } = reconciles(1);
    queue.start();
    queue.addAfter('a/1', 2 ** 40);
    await jest.advanceTimersByTimeAsync(60_000);
    expect(begun).toEqual([]);
  });

  test('a time in the past is now', async () => {
    const { queue, begun } = reconciles(1);
    queue.start();
    queue.addAfter('a/1', -5);
    await jest.advanceTimersByTimeAsync(0);
    expect(begun).toEqual(['a/1']);
  });

  test('a sleeping key that was forgotten leaves no timer', () => {
    const { queue } = reconciles(1);
    queue.addAfter('a/1', 1_000);
    queue.forget('a/1');
    expect(jest.getTimerCount()).toBe(0);
  });
});

test.each<Priority>(['fresh', 'due'])('a %s key that was forgotten is not reconciled', (priority) => {
  const { queue, begun } = reconciles(1);
  queue.add('a/1', priority);
  queue.forget('a/1');
  queue.start();
  expect([begun, queue.depth()]).toEqual([[], 0]);
});

test('a reconcile that throws, also at once, is reported and its worker goes on', async () => {
  const failed: [string, unknown][] = [];
  const problem = new Error('at once');
  const queue = createQueue({ concurrency: 1 });
  queue.start(
    (key) => {
      if (key === 'a/1') throw problem;
      return Promise.reject(problem);
    },
    (key, error) => failed.push([key, error]),
  );
  queue.add('a/1', 'due');
  queue.add('a/2', 'due');
  await settled();
  expect(failed).toEqual([
    ['a/1', problem],
    ['a/2', problem],
  ]);
  expect(queue.active()).toBe(0);
});

describe('stop', () => {
  test('begins no further reconcile, and waits for those under way', async () => {
    const { queue, begun, end } = reconciles(2);
    queue.start();
    for (const key of ['a/1', 'a/2', 'a/3']) queue.add(key, 'fresh');
    queue.addAfter('a/4', 1_000);
    queue.add('a/1', 'fresh');
    let stopped = false;
    const stopping = queue.stop().then(() => {
      stopped = true;
    });
    expect([queue.depth(), jest.getTimerCount()]).toEqual([1, 0]);
    await end('a/1');
    queue.add('a/5', 'fresh');
    queue.addAfter('a/6', 1);
    expect([queue.depth(), jest.getTimerCount()]).toEqual([1, 0]);
    await jest.advanceTimersByTimeAsync(60_000);
    expect(stopped).toBe(false);
    await end('a/2');
    await stopping;
    expect(begun).toEqual(['a/1', 'a/2']);
    expect([queue.active(), jest.getTimerCount()]).toEqual([0, 0]);
  });

  test('resolves at once where nothing is under way, also when nothing was started', async () => {
    const { queue } = reconciles(1);
    queue.add('a/1', 'due');
    await queue.stop();
    queue.start();
    expect(queue.active()).toBe(0);
  });
});

// Random lives, compared with a model that is too simple to be wrong.

type Step =
  | { readonly do: 'add'; readonly key: string; readonly priority: Priority }
  | { readonly do: 'addAfter'; readonly key: string; readonly ms: number }
  | { readonly do: 'forget'; readonly key: string }
  | { readonly do: 'end'; readonly which: number; readonly fails: boolean }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'start' };

class Model {
  readonly begun: string[] = [];
  readonly sleeping: { key: string; at: number }[] = [];
  readonly lanes: Record<Priority, { namespace: string; keys: string[] }[]> = { fresh: [], due: [] };
  readonly running: { key: string; again: Priority | undefined }[] = [];
  readonly #concurrency: number;
  now = 0;
  started = false;

  constructor(concurrency: number) {
    this.#concurrency = concurrency;
  }

  get depth(): number {
    return [...this.lanes.fresh, ...this.lanes.due].reduce((sum, { keys }) => sum + keys.length, 0);
  }

  add(key: string, priority: Priority): void {
    this.#wake(key);
    const worker = this.running.find((entry) => entry.key === key);
    if (worker !== undefined) {
      if (worker.again !== 'fresh') worker.again = priority;
      return;
    }
    if (priority === 'due' && this.lanes.fresh.some(({ keys }) => keys.includes(key))) return;
    if (priority === 'fresh') this.#leave('due', key);
    const namespace = key.slice(0, 1);
    const line = this.lanes[priority].find((entry) => entry.namespace === namespace);
    if (line === undefined) this.lanes[priority].push({ namespace, keys: [key] });
    else if (!line.keys.includes(key)) line.keys.push(key);
    this.work();
  }

  addAfter(key: string, ms: number): void {
    this.#wake(key);
    this.sleeping.push({ key, at: this.now + ms });
  }

  forget(key: string): void {
    this.#wake(key);
    this.#leave('fresh', key);
    this.#leave('due', key);
    const worker = this.running.find((entry) => entry.key === key);
    if (worker !== undefined) worker.again = undefined;
  }

  end(key: string): void {
    const index = this.running.findIndex((entry) => entry.key === key);
    const [worker] = this.running.splice(index, 1);
    if (worker?.again !== undefined) this.add(key, worker.again);
    this.work();
  }

  wait(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const due = this.sleeping.filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.now = due.at;
      this.add(due.key, 'due');
    }
    this.now = until;
  }

  work(): void {
    while (this.started && this.running.length < this.#concurrency) {
      const lane = this.lanes.fresh.length > 0 ? this.lanes.fresh : this.lanes.due;
      const line = lane.shift();
      const key = line?.keys.shift();
      if (line === undefined || key === undefined) return;
      if (line.keys.length > 0) lane.push(line);
      this.begun.push(key);
      this.running.push({ key, again: undefined });
    }
  }

  #wake(key: string): void {
    const index = this.sleeping.findIndex((entry) => entry.key === key);
    if (index >= 0) this.sleeping.splice(index, 1);
  }

  #leave(priority: Priority, key: string): void {
    const lane = this.lanes[priority];
    for (const line of lane) line.keys = line.keys.filter((other) => other !== key);
    this.lanes[priority] = lane.filter(({ keys }) => keys.length > 0);
  }
}

test('any interleaving does what the model does', async () => {
  const key = fc.constantFrom('a/1', 'a/2', 'a/3', 'b/1', 'b/2', 'c/1');
  const ms = fc.integer({ min: 1, max: 20 });
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ do: fc.constant('add' as const), key, priority: fc.constantFrom<Priority>('fresh', 'due') }),
    fc.record({ do: fc.constant('addAfter' as const), key, ms }),
    fc.record({ do: fc.constant('forget' as const), key }),
    fc.record({ do: fc.constant('end' as const), which: fc.nat(), fails: fc.boolean() }),
    fc.record({ do: fc.constant('wait' as const), ms }),
    fc.record({ do: fc.constant('start' as const) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60 }), async (concurrency, life) => {
      const real = reconciles(concurrency);
      const model = new Model(concurrency);
      const compare = () => {
        expect(real.begun).toEqual(model.begun);
        expect(real.queue.depth()).toBe(model.depth);
        expect(real.queue.active()).toBe(model.running.length);
        expect(jest.getTimerCount()).toBe(model.sleeping.length);
      };
      for (const one of life) {
        await take(one, real, model);
        compare();
      }
      // Whatever is left comes to an end, and nothing is kept.
      await take({ do: 'start' }, real, model);
      while (model.running.length + model.sleeping.length > 0) {
        await take({ do: 'wait', ms: 20 }, real, model);
        await take({ do: 'end', which: 0, fails: false }, real, model);
        compare();
      }
      expect([real.queue.depth(), real.queue.active(), jest.getTimerCount()]).toEqual([0, 0, 0]);
    }),
    { numRuns: 300 },
  );
});

async function take(step: Step, real: Reconciles, model: Model): Promise<void> {
  switch (step.do) {
    case 'add':
      model.add(step.key, step.priority);
      real.queue.add(step.key, step.priority);
      break;
    case 'addAfter':
      model.addAfter(step.key, step.ms);
      real.queue.addAfter(step.key, step.ms);
      break;
    case 'forget':
      model.forget(step.key);
      real.queue.forget(step.key);
      break;
    case 'wait':
      model.wait(step.ms);
      await jest.advanceTimersByTimeAsync(step.ms);
      break;
    case 'start':
      model.started = true;
      model.work();
      real.queue.start();
      break;
    case 'end': {
      const running = model.running.map((worker) => worker.key);
      const key = running[step.which % Math.max(1, running.length)];
      if (key === undefined) return;
      model.end(key);
      await real.end(key, step.fails ? new Error('a failed reconcile') : undefined);
    }
  }
}
