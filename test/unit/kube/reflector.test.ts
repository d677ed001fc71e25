import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import * as z from 'zod';
import type { KubeRequest } from '../../../src/kube/client.ts';
import { KubeError } from '../../../src/kube/errors.ts';
import type { CachedObject, Change, ListKind } from '../../../src/kube/reflector.ts';
import { type FakeClient, fakeClient } from '../support/fake-client.ts';
import { fakeTimersPromises } from '../support/fake-sleep.ts';

jest.unstable_mockModule('node:timers/promises', fakeTimersPromises);
const { createReflector } = await import('../../../src/kube/reflector.ts');

const PATH = '/apis/example.org/v1/things';
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

interface Thing extends CachedObject {
  readonly value: string;
}

const Sent = z.object({
  metadata: z.object({ name: z.string(), uid: z.string(), resourceVersion: z.string() }),
  value: z.string(),
});

/** As the API server sends it. */
const thing = (name: string, resourceVersion: number, uid = `uid-${name}`, value = 'x') => ({
  metadata: { namespace: 'a', name, uid, resourceVersion: String(resourceVersion) },
  value,
});
const cached = (name: string, resourceVersion: number, uid = `uid-${name}`): Thing => ({
  key: `a/${name}`,
  uid,
  resourceVersion: String(resourceVersion),
  value: 'x',
});
type Sendable = ReturnType<typeof thing>;

/** The bytes of a stream, sent by the test. */
class Pipe {
  readonly path: string;
  readonly #signal: AbortSignal;
  readonly #waiting: (Uint8Array | Error | 'end')[] = [];
  #wake: () => void = () => {};
  closed = false;

  constructor(path: string, signal: AbortSignal) {
    this.path = path;
    this.#signal = signal;
  }

  get query(): URLSearchParams {
    return new URLSearchParams(this.path.split('?')[1]);
  }

  send(...events: readonly (readonly [string, unknown])[]): this {
    for (const [type, object] of events) this.#put(Buffer.from(`${JSON.stringify({ type, object })}\n`));
    return this;
  }

  text(text: string): this {
    return this.#put(Buffer.from(text));
  }

  bookmark(resourceVersion: number, annotations: Record<string, string> = {}): this {
    return this.send(['BOOKMARK', { metadata: { resourceVersion: String(resourceVersion), annotations } }]);
  }

  /** What a list by stream ends with. */
  complete(resourceVersion: number): this {
    return this.bookmark(resourceVersion, { 'k8s.io/initial-events-end': 'true' });
  }

  error(code: number, reason = ''): this {
    return this.send(['ERROR', { kind: 'Status', code, reason, message: `code ${code}` }]);
  }

  end(): this {
    return this.#put('end');
  }

  fail(error: Error): this {
    return this.#put(error);
  }

  #put(what: Uint8Array | Error | 'end'): this {
    this.#waiting.push(what);
    this.#wake();
    return this;
  }

  async *read(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        if (this.#signal.aborted) throw new Error('the connection was closed');
        const next = this.#waiting.shift();
        if (next === 'end') return;
        if (next instanceof Error) throw next;
        if (next !== undefined) yield next;
        else await this.#more();
      }
    } finally {
      this.closed = true;
    }
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }
}

interface World {
  readonly reflector: ReturnType<typeof createReflector<Thing>>;
  readonly client: FakeClient;
  /** All streams so far. */
  readonly pipes: Pipe[];
  /** The last one. */
  readonly pipe: Pipe;
  readonly told: string[];
  readonly listed: number[];
  readonly listKinds: ListKind[];
  readonly interruptions: string[];
  readonly waits: number[];
  recovered: number;
  /** How many objects were reduced to what is cached. */
  transformed: number;
  endedEarly: number;
  readonly stop: AbortController;
  ended: boolean;
  /** What the cache holds: `name@resourceVersion`. */
  readonly cache: readonly string[];
}

interface WorldOptions {
  /** Answers the n-th stream, from 0: may send, or throw what the request throws. */
  readonly onStream?: (pipe: Pipe, index: number) => void;
  readonly onRequest?: (request: KubeRequest) => unknown;
  readonly onChange?: () => void;
  readonly labelSelector?: string;
  readonly random?: number;
}

function world({ onStream, onRequest, onChange, labelSelector = '', random = 0 }: WorldOptions = {}): World {
  const pipes: Pipe[] = [];
  const client = fakeClient({
    ...(onRequest === undefined ? {} : { request: onRequest }),
    stream: (path, signal) => {
      const pipe = new Pipe(path, signal);
      pipes.push(pipe);
      if (pipes.length > 500) throw new Error('a hot loop');
      onStream?.(pipe, pipes.length - 1);
      return pipe.read();
    },
  });
  const it: World = {
    client,
    pipes,
    get pipe() {
      const last = pipes.at(-1);
      if (last === undefined) throw new Error('no stream was opened');
      return last;
    },
    told: [],
    listed: [],
    listKinds: [],
    interruptions: [],
    waits: [],
    recovered: 0,
    transformed: 0,
    endedEarly: 0,
    stop: new AbortController(),
    ended: false,
    get cache() {
      return [...reflector.all()].map(({ key, resourceVersion }) => `${key.slice(2)}@${resourceVersion}`);
    },
    get reflector() {
      return reflector;
    },
  };
  const reflector = createReflector<Thing>({
    client,
    path: PATH,
    labelSelector,
    listType: { apiVersion: 'example.org/v1', kind: 'ThingList' },
    transform: (object) => {
      it.transformed += 1;
      const { data } = Sent.safeParse(object);
      if (data === undefined) return undefined;
      const { name, uid, resourceVersion } = data.metadata;
      return { key: `a/${name}`, uid, resourceVersion, value: data.value };
    },
    onListed: (count, kind) => {
      it.listed.push(count);
      it.listKinds.push(kind);
    },
    onInterrupted: (cause, error, waitMs) => {
      it.interruptions.push(`${cause}: ${error instanceof Error ? error.message : String(error)}`);
      it.waits.push(waitMs);
    },
    onRecovered: () => {
      it.recovered += 1;
    },
    onEndedEarly: () => {
      it.endedEarly += 1;
    },
    random: () => random,
  });
  const tell = (change: Change<Thing>): void => {
    const shown = ({ key, resourceVersion }: CachedObject) => `${key.slice(2)}@${resourceVersion}`;
    if (change.type === 'added') it.told.push(`added ${shown(change.object)}`);
    if (change.type === 'updated') it.told.push(`updated ${shown(change.previous)} to ${shown(change.object)}`);
    if (change.type === 'deleted') it.told.push(`deleted ${shown(change.previous)}`);
    onChange?.();
  };
  void reflector.run(it.stop.signal, tell).then(() => {
    it.ended = true;
  });
  return it;
}

const pass = (ms = 0): Promise<void> => jest.advanceTimersByTimeAsync(ms);

/** A world whose first list had these objects, at version 100, and that watches now. */
async function watching(objects: readonly Sendable[] = [], options: WorldOptions = {}): Promise<World> {
  const it = world({
    ...options,
    onStream: (pipe, index) => {
      if (index === 0) pipe.send(...objects.map((object) => ['ADDED', object] as const)).complete(100);
      else options.onStream?.(pipe, index);
    },
  });
  await pass();
  expect(it.pipes).toHaveLength(2);
  return it;
}

const isList = ({ query }: Pipe): boolean => query.has('sendInitialEvents');
const versionOf = ({ query }: Pipe): string | null => query.get('resourceVersion');
const kubeError = (status: number, retryAfterMs?: number) =>
  new KubeError(`status ${status}`, { status, retryAfterMs });

describe('the first list', () => {
  test('comes as a stream, and is complete with its bookmark', async () => {
    const it = world();
    await pass();
    expect(Object.fromEntries(it.pipe.query)).toEqual({
      watch: 'true',
      sendInitialEvents: 'true',
      resourceVersionMatch: 'NotOlderThan',
      allowWatchBookmarks: 'true',
    });
    it.pipe
      .send(['ADDED', thing('one', 1)], ['ADDED', { kind: 'other' }])
      .bookmark(50)
      .send(['ADDED', thing('two', 2)]);
    await pass();
    expect([it.told, it.listed, it.reflector.hasListed()]).toEqual([['added one@1', 'added two@2'], [], false]);
    it.pipe.complete(100);
    await pass();
    expect([it.listed, it.reflector.hasListed(), it.reflector.size()]).toEqual([[2], true, 2]);
    expect(it.reflector.get('a/one')).toEqual(cached('one', 1));
    expect(it.reflector.get('a/three')).toBeUndefined();
    expect(it.pipes[0]?.closed).toBe(true);
  });

  test('is followed by a watch from its version', async () => {
    const it = await watching();
    expect(Object.fromEntries(it.pipe.query)).toEqual({
      watch: 'true',
      allowWatchBookmarks: 'true',
      timeoutSeconds: '30',
      resourceVersion: '100',
    });
  });

  test('that is cut off is none: it is done again, and nothing that was there is taken for deleted', async () => {
    const it = await watching([thing('one', 1), thing('two', 2)]);
    it.pipe.error(410);
    await pass();
    expect(isList(it.pipe)).toBe(true);
    it.pipe.send(['ADDED', thing('one', 1)]).end();
    await pass(SECOND);
    expect(it.interruptions.at(-1)).toBe('list: the stream of the list ended before the list was complete');
    expect([it.cache, it.listed, it.listKinds]).toEqual([['one@1', 'two@2'], [2], ['watch_list']]);
    it.pipe.send(['ADDED', thing('two', 2)]).complete(200);
    await pass();
    expect([it.cache, it.told.at(-1)]).toEqual([['two@2'], 'deleted one@1']);
  });

  test('an object that goes while the list is being sent is gone', async () => {
    const it = world();
    await pass();
    it.pipe.send(['ADDED', thing('one', 1)], ['DELETED', thing('one', 3)]).complete(100);
    await pass();
    expect(it.cache).toEqual([]);
  });
});

describe('lists by page', () => {
  const pages: WorldOptions = {
    onStream: (pipe) => {
      if (isList(pipe)) throw kubeError(422);
    },
  };

  test.each([400, 422])('serve where lists by stream are refused (%i), from then on', async (status) => {
    const it = world({
      onStream: (pipe) => {
        if (isList(pipe)) throw kubeError(status);
      },
      onRequest: ({ path }) =>
        path.includes('continue')
          ? { metadata: { resourceVersion: '100' }, items: [thing('two', 2)] }
          : { metadata: { resourceVersion: '100', continue: 'to ken' }, items: [thing('one', 1)] },
    });
    await pass();
    expect(it.client.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      `GET ${PATH}?limit=500`,
      `GET ${PATH}?limit=500&continue=to%20ken`,
    ]);
    expect([it.cache, it.listed, it.listKinds, it.interruptions]).toEqual([['one@1', 'two@2'], [2], ['paged'], []]);
    expect(versionOf(it.pipe)).toBe('100');
    it.pipe.error(410);
    await pass();
    expect(it.client.requests).toHaveLength(4);
    expect(it.pipes.filter(isList)).toHaveLength(1);
  });

  test('that expire in their middle are one list in one answer', async () => {
    const it = world({
      ...pages,
      onRequest: ({ path }) => {
        if (path.includes('continue')) throw kubeError(410);
        if (path.includes('limit'))
          return { metadata: { resourceVersion: '90', continue: 'token' }, items: [thing('gone', 1)] };
        return { metadata: { resourceVersion: '100' }, items: [thing('one', 1)] };
      },
    });
    await pass();
    expect(it.client.requests.at(-1)?.path).toBe(`${PATH}?`);
    expect([it.cache, versionOf(it.pipe), it.interruptions]).toEqual([['one@1'], '100', []]);
  });

  test('that fail are done again, and a page alone deletes nothing', async () => {
    let fails = false;
    const it = world({
      ...pages,
      onRequest: ({ path }) => {
        if (path.includes('continue')) {
          if (fails) throw kubeError(500);
          return { metadata: { resourceVersion: '100' }, items: [thing('two', 2)] };
        }
        return { metadata: { continue: 'token' }, items: [thing('one', 1)] };
      },
    });
    await pass();
    fails = true;
    it.pipe.error(410);
    await pass();
    expect([it.interruptions.at(-1), it.cache]).toEqual(['list: status 500', ['one@1', 'two@2']]);
    fails = false;
    await pass(SECOND);
    expect(it.listed).toEqual([2, 2]);
  });

  test('may be empty', async () => {
    const it = world({ ...pages, onRequest: () => ({ metadata: { resourceVersion: '7' }, items: null }) });
    await pass();
    expect([it.listed, versionOf(it.pipe)]).toEqual([[0], '7']);
  });
});

describe('watching', () => {
  test('events change the cache, in their order', async () => {
    const it = await watching([thing('one', 1)]);
    it.told.length = 0;
    it.pipe.send(['ADDED', thing('two', 101)], ['MODIFIED', thing('one', 102)], ['DELETED', thing('two', 103)]);
    await pass();
    expect(it.told).toEqual(['added two@101', 'updated one@1 to one@102', 'deleted two@101']);
    expect(it.cache).toEqual(['one@102']);
  });

  test('what did not change, what is not kept, and what was not there is not told', async () => {
    const it = await watching([thing('one', 1)]);
    it.told.length = 0;
    it.pipe.send(['MODIFIED', thing('one', 1)], ['ADDED', { metadata: {} }], ['DELETED', thing('two', 103)]);
    await pass();
    expect(it.told).toEqual([]);
  });

  test('an end is no interruption: the watch goes on at once from the last version', async () => {
    const it = await watching();
    it.pipe.send(['ADDED', thing('one', 101)]).end();
    await pass();
    expect([versionOf(it.pipe), it.interruptions]).toEqual(['101', []]);
  });

  test('an end before the announced one is told: the CRD may have changed', async () => {
    const it = await watching();
    const seconds = Number(it.pipe.query.get('timeoutSeconds'));
    await pass(9 * SECOND);
    it.pipe.bookmark(101).end();
    await pass();
    expect([it.endedEarly, it.interruptions]).toEqual([1, []]);
    for (let elapsed = 0; elapsed < seconds; elapsed += 5) {
      it.pipe.bookmark(102);
      await pass(5 * SECOND);
    }
    it.pipe.end();
    await pass();
    expect(it.endedEarly).toBe(1);
  });

  test('bookmarks move the version', async () => {
    const it = await watching();
    it.pipe.bookmark(150);
    await pass(30 * SECOND);
    it.pipe.end();
    await pass();
    expect([it.pipes.length, versionOf(it.pipe), it.told]).toEqual([3, '150', []]);
  });

  test.each([
    [0, '30'],
    [0.999, '38'],
  ])('the server is asked to end it after 30 to 38 s (random %d)', async (random, seconds) => {
    const it = await watching([], { random });
    expect(it.pipe.query.get('timeoutSeconds')).toBe(seconds);
  });

  test('deleted and created again under one name: both are told', async () => {
    const it = await watching([thing('one', 1, 'old')]);
    it.told.length = 0;
    it.pipe.send(['ADDED', thing('one', 105, 'new')]);
    await pass();
    expect(it.told).toEqual(['deleted one@1', 'added one@105']);
    expect(it.reflector.get('a/one')?.uid).toBe('new');
  });

  test('deleted and created again while nobody watched: the next list tells both, even at the same version', async () => {
    const it = await watching([thing('one', 1, 'old')]);
    it.told.length = 0;
    it.pipe.error(410);
    await pass();
    it.pipe.send(['ADDED', thing('one', 1, 'new')]).complete(200);
    await pass();
    expect(it.told).toEqual(['deleted one@1', 'added one@1']);
  });

  test('an hour later all are listed again, whatever went well', async () => {
    const it = await watching([thing('one', 1)], {
      onStream: (pipe) => void (isList(pipe) ? pipe.send(['ADDED', thing('two', 9)]).complete(200) : 0),
    });
    for (let minutes = 0; minutes < 61; minutes++) {
      await pass(30 * SECOND);
      it.pipe.end();
      await pass(30 * SECOND);
      it.pipe.end();
      await pass();
    }
    expect([it.pipes.filter(isList).length, it.cache, it.interruptions]).toEqual([2, ['two@9'], []]);
  });
});

describe('a version that expired', () => {
  const refused = (): never => {
    throw kubeError(410);
  };

  test('as a status: all are listed again at once', async () => {
    const it = await watching([thing('one', 1)], { onStream: (_pipe, index) => void (index === 2 && refused()) });
    it.pipe.bookmark(150).end();
    await pass();
    it.pipe.send(['ADDED', thing('one', 7)]).complete(300);
    await pass();
    expect(it.pipes.map(isList)).toEqual([true, false, false, true, false]);
    expect([it.interruptions, it.cache, versionOf(it.pipe)]).toEqual([['expired: status 410'], ['one@7'], '300']);
  });

  test('in the stream: all are listed again at once', async () => {
    const it = await watching([thing('one', 1)]);
    it.pipe.send(['MODIFIED', thing('one', 101)]).error(410, 'Expired');
    await pass();
    expect(it.pipes.map(isList)).toEqual([true, false, true]);
    expect([it.waits, it.recovered]).toEqual([[0], 0]);
    it.pipe.send(['ADDED', thing('one', 101)]).complete(300);
    await pass();
    expect([it.recovered, it.told]).toEqual([1, ['added one@1', 'updated one@1 to one@101']]);
  });

  test('again and again is no hot loop', async () => {
    const it = await watching([], {
      onStream: (pipe, index) => {
        if (isList(pipe)) pipe.complete(200);
        else if (index > 1) pipe.error(410);
      },
    });
    it.pipe.error(410);
    await pass(MINUTE);
    expect(it.pipes.length).toBeLessThan(40);
  });
});

describe('interruptions', () => {
  test.each([
    [
      'an ERROR event of another code',
      (pipe: Pipe) => pipe.error(500),
      'watch: WATCH /apis/example.org/v1/things: the API server answered 500: code 500',
    ],
    [
      'an ERROR event without a code',
      (pipe: Pipe) => pipe.send(['ERROR', {}]),
      'watch: WATCH /apis/example.org/v1/things: the API server answered 0',
    ],
    ['a reset', (pipe: Pipe) => pipe.fail(new Error('ECONNRESET')), 'watch: ECONNRESET'],
  ])('%s: the watch goes on from the last version, after a wait', async (_name, trouble, told) => {
    const it = await watching();
    it.pipe.send(['ADDED', thing('one', 101)]);
    trouble(it.pipe);
    await pass(399);
    expect(it.pipes).toHaveLength(2);
    await pass(1);
    expect([it.pipes.length, versionOf(it.pipe), it.interruptions, it.waits]).toEqual([3, '101', [told], [400]]);
    expect(it.recovered).toBe(1);
  });

  test.each(['not JSON\n', '{"type":1}\n', '{"type":"BOOKMARK","object":{}}\n'])(
    'a line that cannot be read (%j) is one, too',
    async (text) => {
      const it = await watching();
      it.pipe.text(text);
      await pass(SECOND);
      expect([it.pipes.length, it.interruptions.length, versionOf(it.pipe)]).toEqual([3, 1, '100']);
    },
  );

  test('a line that is cut off by the end is thrown away', async () => {
    const it = await watching();
    it.pipe.text('{"type":"ADDED","object":{"meta').fail(new Error('ECONNRESET'));
    await pass(SECOND);
    expect([it.interruptions, it.cache]).toEqual([['watch: ECONNRESET'], []]);
  });

  test('wait longer and longer, up to half a minute and without end', async () => {
    const it = await watching([], {
      onStream: () => {
        throw kubeError(0);
      },
    });
    it.pipe.fail(kubeError(0));
    await pass(10 * MINUTE);
    expect(it.waits.slice(0, 9)).toEqual([400, 800, 1_600, 3_200, 6_400, 12_800, 15_000, 15_000, 15_000]);
    // Whoever cannot be reached is not asked for everything again.
    expect(it.pipes.filter(isList)).toHaveLength(1);
    expect(it.ended).toBe(false);
  });

  test('with jitter: between half and all of the wait', async () => {
    const it = await watching([], { random: 0.5 });
    it.pipe.fail(new Error('x'));
    await pass();
    expect(it.waits).toEqual([600]);
  });

  test('the third answer in a row that is an error makes the version suspect: all are listed again', async () => {
    const it = await watching([], {
      onStream: (pipe) => {
        if (!isList(pipe)) throw kubeError(500);
      },
    });
    it.pipe.fail(kubeError(500));
    await pass(3 * SECOND);
    expect(it.pipes.map(isList)).toEqual([true, false, false, false, true]);
  });

  test('a watch that brought something in between begins the count and the wait again', async () => {
    const it = await watching();
    for (let time = 1; time <= 6; time++) {
      it.pipe.send(['MODIFIED', thing('one', 100 + time)]).fail(kubeError(500));
      await pass(400);
    }
    expect(it.waits).toEqual([400, 400, 400, 400, 400, 400]);
    expect(it.pipes.filter(isList)).toHaveLength(1);
  });

  test.each([
    ['watching', false],
    ['listing', true],
  ])('Retry-After is honored while %s', async (_name, listing) => {
    const it = await watching([], {
      onStream: (pipe, index) => {
        if (index > 2) return;
        if (isList(pipe) === listing) throw kubeError(429, 7 * SECOND);
      },
    });
    if (listing) it.pipe.error(410);
    else it.pipe.end();
    await pass(SECOND);
    expect(it.waits.at(-1)).toBe(7 * SECOND);
    const before = it.pipes.length;
    await pass(7 * SECOND - SECOND - 1);
    expect(it.pipes).toHaveLength(before);
    await pass(1_001);
    expect(it.pipes).toHaveLength(before + 1);
  });

  test('a watch that ends at once without anything is no hot loop, and is told as none from the third on', async () => {
    const it = await watching([], {
      onStream: (pipe) => void (isList(pipe) ? pipe.send(['ADDED', thing('two', 9)]).complete(200) : pipe.end()),
    });
    it.pipe.end();
    await pass(400);
    expect(it.interruptions).toEqual([]);
    await pass(MINUTE);
    expect(it.pipes.length).toBeLessThan(20);
    expect(new Set(it.interruptions)).toEqual(new Set(['watch: the watch ends at once and brings nothing']));
    // Lists stand in for it, and are no end of the trouble.
    expect([it.cache, it.recovered]).toEqual([['two@9'], 0]);
  });

  test('a watch that brings something again is the end of the trouble', async () => {
    let broken = true;
    const it = await watching([], {
      onStream: (pipe) => {
        if (isList(pipe)) pipe.complete(200);
        else if (broken) pipe.end();
      },
    });
    it.pipe.end();
    await pass(10 * SECOND);
    broken = false;
    await pass(30 * SECOND);
    expect(it.recovered).toBe(0);
    it.pipe.bookmark(300);
    await pass();
    expect(it.recovered).toBe(1);
  });

  test('the end of the trouble is told once', async () => {
    const it = await watching([], {
      onStream: (_pipe, index) => {
        if (index < 5) throw kubeError(0);
      },
    });
    it.pipe.fail(kubeError(0));
    await pass(10 * SECOND);
    expect([it.interruptions.length, it.recovered, it.pipes.length]).toEqual([4, 1, 6]);
    it.pipe.bookmark(120).end();
    await pass(SECOND);
    expect([it.pipes.length, it.recovered]).toEqual([7, 1]);
  });

  test('while the first list fails the cache is not complete', async () => {
    let down = true;
    const it = world({
      onStream: (pipe) => {
        if (down) throw kubeError(403);
        pipe.complete(100);
      },
    });
    await pass(MINUTE);
    expect([it.reflector.hasListed(), new Set(it.interruptions)]).toEqual([false, new Set(['list: status 403'])]);
    down = false;
    await pass(MINUTE);
    expect([it.reflector.hasListed(), it.recovered > 0]).toEqual([true, true]);
  });
});

describe('silence', () => {
  test('after the announced end of a watch: its connection is given up', async () => {
    const it = await watching();
    await pass(34 * SECOND - 1);
    expect(it.interruptions).toEqual([]);
    await pass(1);
    expect(it.interruptions).toEqual(['stalled: nothing came for 34 s']);
    await pass(SECOND);
    expect([it.pipes.length, versionOf(it.pipe), it.pipes[1]?.closed]).toEqual([3, '100', true]);
  });

  test('the other connections are given up with it, and with nothing else', async () => {
    const it = await watching();
    it.pipe.fail(new Error('ECONNRESET'));
    await pass(SECOND);
    it.pipe.end();
    await pass(SECOND);
    expect(it.client.abandoned()).toBe(0);
    await pass(34 * SECOND);
    expect(it.client.abandoned()).toBe(1);
  });

  test('ten seconds after the last byte, where that came later', async () => {
    const it = await watching();
    await pass(30 * SECOND);
    it.pipe.bookmark(120);
    await pass(10 * SECOND - 1);
    expect(it.interruptions).toEqual([]);
    await pass(1);
    expect(it.interruptions).toEqual(['stalled: nothing came for 10 s']);
  });

  test('for half a minute in the middle of a list: it is done again, by pages', async () => {
    const it = world(inPages);
    await pass();
    it.pipe.send(['ADDED', thing('one', 1)]);
    await pass(30 * SECOND);
    expect(it.interruptions).toEqual(['list: nothing came for 30 s']);
    await pass(SECOND);
    expect([it.pipes.map(isList), it.listKinds, it.cache]).toEqual([[true, false], ['paged'], ['one@1', 'two@2']]);
  });
});

/** The pages of a list with two objects, at version 100. */
const inPages: WorldOptions = {
  onRequest: () => ({ metadata: { resourceVersion: '100' }, items: [thing('one', 1), thing('two', 2)] }),
};

describe('a list by stream whose end does not come', () => {
  test('although other bookmarks and events do: it is done by pages, also the next time, and told once', async () => {
    const it = world(inPages);
    await pass();
    it.pipe.send(['ADDED', thing('one', 1)], ['ADDED', thing('two', 2)]);
    for (let version = 101; version < 200 && it.pipes.length === 1; version++) {
      await pass(5 * SECOND);
      it.pipe.bookmark(version).send(['MODIFIED', thing('one', version)]);
    }
    expect(it.interruptions).toEqual(['list: no further object came for 30 s, and no end']);
    await pass(SECOND);
    expect([it.pipes.map(isList), it.listKinds, it.recovered]).toEqual([[true, false], ['paged'], 1]);
    it.pipe.error(410);
    await pass(SECOND);
    expect([it.listKinds, it.pipes.filter(isList).length]).toEqual([['paged', 'paged'], 1]);
  });

  test('for as long as objects come: it may take its time', async () => {
    const it = world(inPages);
    await pass();
    for (let index = 1; index <= 10; index++) {
      await pass(20 * SECOND);
      it.pipe.send(['ADDED', thing(`n${index}`, index)]).bookmark(index);
    }
    it.pipe.complete(100);
    await pass();
    expect([it.listKinds, it.interruptions]).toEqual([['watch_list'], []]);
  });

  test('because it breaks off twice in a row: it is done by pages', async () => {
    const it = world({ ...inPages, onStream: (pipe) => void (isList(pipe) && pipe.end()) });
    await pass(2 * SECOND);
    expect([it.interruptions.length, it.pipes.filter(isList).length, it.listKinds]).toEqual([2, 2, ['paged']]);
  });
});

describe('the regular list', () => {
  /** A watch that went well for longer than an hour, and lists that fail from then on. */
  async function anHourLater(fails: () => boolean): Promise<World> {
    const it = await watching([thing('one', 1)], {
      onStream: (pipe) => {
        if (!isList(pipe)) return;
        if (fails()) throw kubeError(429, 5 * SECOND);
        pipe.send(['ADDED', thing('late', 9)]).complete(900);
      },
    });
    while (it.interruptions.length === 0 && it.listed.length < 2) {
      await pass(30 * SECOND);
      it.pipe.bookmark(500).end();
      await pass();
    }
    return it;
  }

  test('that fails leaves the watch to go on from where it was', async () => {
    const it = await anHourLater(() => true);
    expect([it.interruptions, it.waits]).toEqual([['list: status 429'], [0]]);
    expect([isList(it.pipe), versionOf(it.pipe), it.recovered]).toEqual([false, '500', 1]);
    it.pipe.send(['ADDED', thing('two', 501)]);
    await pass();
    expect(it.cache).toEqual(['one@1', 'two@501']);
  });

  test('that failed is tried again minutes later', async () => {
    let down = true;
    const it = await anHourLater(() => down);
    down = false;
    const lists = it.pipes.filter(isList).length;
    for (let minutes = 0; minutes < 6; minutes++) {
      await pass(30 * SECOND);
      it.pipe.bookmark(600 + minutes).end();
      await pass(30 * SECOND);
      it.pipe.bookmark(700 + minutes).end();
      await pass();
    }
    expect([it.pipes.filter(isList).length - lists, it.cache]).toEqual([1, ['late@9']]);
  });
});

test('lists that fail do not keep watches from being tried, when both failed', async () => {
  let watches = false;
  const it = await watching([], {
    onStream: (pipe) => {
      if (isList(pipe) || !watches) throw kubeError(500);
    },
  });
  it.pipe.fail(kubeError(500));
  await pass(10 * SECOND);
  expect(it.pipes.filter(isList).length).toBeGreaterThan(1);
  watches = true;
  await pass(MINUTE);
  expect([isList(it.pipe), versionOf(it.pipe)]).toEqual([false, '100']);
});

describe('what is no watch', () => {
  test.each(['<html>sign in</html>\n', '{"kind":"Status"}\n', '[]\n'])(
    '%j: its words are not repeated',
    async (text) => {
      const it = await watching();
      it.pipe.text(text);
      await pass();
      expect(it.interruptions).toEqual([
        `watch: WATCH ${PATH}: the API server's response is not a watch event (a gateway or proxy may answer in its place)`,
      ]);
    },
  );

  test.each([
    ['no items', { metadata: { resourceVersion: '100' } }],
    ['no version', { metadata: {}, items: [] }],
  ])('nor is a list one that has %s', async (_name, page) => {
    const it = world({ onStream: () => void refuseStreams(), onRequest: () => page });
    await pass();
    expect([it.listed, it.interruptions[0]]).toEqual([[], expect.stringContaining('response is not a ThingList')]);
  });

  const refuseStreams = (): never => {
    throw kubeError(400);
  };
});

describe('a handler that throws', () => {
  test('is reported, changes nothing, and the next change is told', async () => {
    let throws = true;
    const it = await watching([thing('one', 1)], {
      onChange: () => {
        if (throws) throw new Error('a bug');
      },
    });
    expect([it.interruptions, it.waits, it.cache]).toEqual([['watch: a bug'], [0], ['one@1']]);
    it.pipe.send(['MODIFIED', thing('one', 101)], ['DELETED', thing('one', 102)]);
    throws = false;
    await pass();
    expect([it.told.slice(1), it.cache, it.pipes.length]).toEqual([
      ['updated one@1 to one@101', 'deleted one@101'],
      [],
      2,
    ]);
  });
});

describe('a label selector', () => {
  const labelSelector = 'shard in (a, b)';
  const selectorOf = (path: string): string | null =>
    new URLSearchParams(path.slice(path.indexOf('?'))).get('labelSelector');

  test('goes with lists by stream and with watches', async () => {
    const it = await watching([], { labelSelector });
    expect(it.pipes.map(({ path }) => selectorOf(path))).toEqual([labelSelector, labelSelector]);
  });

  test('goes with every page', async () => {
    const it = world({
      labelSelector,
      onStream: (pipe) => {
        if (isList(pipe)) throw kubeError(422);
      },
      onRequest: ({ path }) =>
        path.includes('continue')
          ? { metadata: { resourceVersion: '100' }, items: [] }
          : { metadata: { resourceVersion: '100', continue: 'token' }, items: [] },
    });
    await pass();
    expect(it.client.requests.map(({ path }) => selectorOf(path))).toEqual([labelSelector, labelSelector]);
  });
});

describe('what is forgotten', () => {
  test('is gone from the cache, and its last event is no news', async () => {
    const it = await watching([thing('one', 1)]);
    it.reflector.forget(cached('one', 1));
    it.pipe.send(['DELETED', thing('one', 2)]);
    await pass();
    expect([it.told, it.cache]).toEqual([['added one@1'], []]);
  });

  test('is new when it comes back', async () => {
    const it = await watching([thing('one', 1)]);
    it.reflector.forget(cached('one', 1));
    it.pipe.send(['MODIFIED', thing('one', 2)]);
    await pass();
    expect(it.told).toEqual(['added one@1', 'added one@2']);
  });

  test('is no other object of that name', async () => {
    const it = await watching([thing('one', 1, 'new')]);
    it.reflector.forget(cached('one', 1, 'old'));
    expect(it.cache).toEqual(['one@1']);
  });
});

describe('what a write answered', () => {
  test('is taken over ahead of its event, which then is no news', async () => {
    const it = await watching([thing('one', 1)]);
    it.told.length = 0;
    expect(it.reflector.update(cached('one', 105))).toEqual({
      type: 'updated',
      object: cached('one', 105),
      previous: cached('one', 1),
    });
    expect([it.told, it.cache]).toEqual([[], ['one@105']]);
    it.transformed = 0;
    it.pipe.send(['MODIFIED', thing('one', 105)]);
    await pass();
    expect([it.told, it.transformed]).toEqual([[], 0]);
  });

  test.each([
    ['older', cached('one', 99)],
    ['the same', cached('one', 100)],
    ['older, though longer ago its text would sort later', cached('one', 99)],
    ['of another object of that name', cached('one', 105, 'new')],
    ['of an object that nobody knows', cached('two', 105)],
    ['of a version that is no number', { ...cached('one', 105), resourceVersion: 'x' }],
  ])('is left alone when it is %s', async (_name, object) => {
    const it = await watching([thing('one', 100)]);
    it.told.length = 0;
    expect(it.reflector.update(object)).toBeUndefined();
    expect([it.told, it.cache]).toEqual([[], ['one@100']]);
  });

  test('is compared as a whole number, however long', async () => {
    const it = await watching([
      { ...thing('one', 1), metadata: { namespace: 'a', name: 'one', uid: 'u', resourceVersion: '9007199254740993' } },
    ]);
    it.reflector.update({ ...cached('one', 0, 'u'), resourceVersion: '9007199254740992' });
    expect(it.cache).toEqual(['one@9007199254740993']);
    it.reflector.update({ ...cached('one', 0, 'u'), resourceVersion: '10000000000000000' });
    expect(it.cache).toEqual(['one@10000000000000000']);
  });

  test('is not turned back by an event that lags behind it', async () => {
    const it = await watching([thing('one', 1)]);
    it.reflector.update(cached('one', 105));
    it.told.length = 0;
    it.pipe.send(['MODIFIED', thing('one', 104)], ['MODIFIED', thing('one', 105)]);
    await pass();
    expect([it.told, it.cache]).toEqual([[], ['one@105']]);
    it.pipe.send(['MODIFIED', thing('one', 106)]).end();
    await pass();
    expect([it.told, versionOf(it.pipe)]).toEqual([['updated one@105 to one@106'], '106']);
  });

  test('does not hide that the object was deleted or created again', async () => {
    const it = await watching([thing('one', 1), thing('two', 2)]);
    it.reflector.update(cached('one', 105));
    it.reflector.update(cached('two', 106));
    it.told.length = 0;
    it.pipe.send(['DELETED', thing('one', 107)], ['ADDED', thing('two', 50, 'new')]);
    await pass();
    expect(it.told).toEqual(['deleted one@105', 'deleted two@106', 'added two@50']);
  });

  test('a list is always right, also when the API server was restored from a backup', async () => {
    const it = await watching([thing('one', 500)]);
    it.pipe.error(410);
    await pass();
    it.pipe.send(['ADDED', thing('one', 20)]).complete(30);
    await pass();
    expect(it.cache).toEqual(['one@20']);
  });
});

describe('the stop', () => {
  const ended = async (it: World): Promise<void> => {
    it.stop.abort(new Error('the end'));
    await pass();
    expect([it.ended, it.interruptions, jest.getTimerCount()]).toEqual([true, [], 0]);
    const { length } = it.pipes;
    await pass(MINUTE);
    expect(it.pipes).toHaveLength(length);
  };

  test('while a list comes as a stream', async () => {
    const it = world();
    await pass();
    it.pipe.send(['ADDED', thing('one', 1)]);
    await pass();
    await ended(it);
    expect([it.pipe.closed, it.listed]).toEqual([true, []]);
  });

  test('while a list comes by pages', async () => {
    const it = world({
      onStream: () => {
        throw kubeError(400);
      },
      onRequest: ({ signal }) =>
        new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => reject(new Error('the connection was closed')));
        }),
    });
    await pass();
    expect(it.client.requests).toHaveLength(1);
    await ended(it);
  });

  test('while watching', async () => {
    const it = await watching();
    await ended(it);
    expect(it.pipe.closed).toBe(true);
  });

  test('while waiting', async () => {
    const it = await watching();
    it.pipe.fail(new Error('x'));
    await pass(100);
    it.interruptions.length = 0;
    await ended(it);
  });

  test('before it began', async () => {
    const it = world();
    it.stop.abort();
    await pass();
    expect(it.ended).toBe(true);
    const stopped = new AbortController();
    stopped.abort();
    await it.reflector.run(stopped.signal, () => undefined);
    expect(it.pipes).toHaveLength(1);
  });
});
