import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { pino } from 'pino';
import type { LegacyRestoreJob } from '../../../src/api/legacy-restore-job.ts';
import type { FetchedPage } from '../../../src/atlas/client.ts';
import { type AtlasCredentials, credentialsKey } from '../../../src/atlas/credentials.ts';
import { AtlasError, errorFromResponse } from '../../../src/atlas/errors.ts';
import type { ListedJob } from '../../../src/atlas/list-response.ts';
import type { CredentialsResult } from '../../../src/controller/credentials.ts';
import { createKeyStates } from '../../../src/controller/key-state.ts';
import { reconcileResult } from '../../../src/restore-job/reconcile-result.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import type { JsonObject } from '../../support/atlas-simulator/json.ts';
import { pendingDownload, youngJob } from '../../support/atlas-simulator/recorded-bodies.ts';
import { metricValue, samplesOf } from '../../support/scrape.ts';
import { fakeTimersPromises } from '../support/fake-sleep.ts';
import { resource, responseOf, SPEC, written } from '../support/resources.ts';

jest.unstable_mockModule('node:timers/promises', fakeTimersPromises);
const { createClusterLists } = await import('../../../src/controller/cluster-lists.ts');

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const WARN = 40;
const KEY: AtlasCredentials = { kind: 'apiKey', publicKey: 'public', privateKey: 'private' };
const OTHER: AtlasCredentials = { kind: 'apiKey', publicKey: 'public', privateKey: 'other' };

beforeEach(() => {
  jest.useFakeTimers({ now: Date.parse('2030-01-01T00:00:00Z') });
  jest.spyOn(Math, 'random').mockReturnValue(0.5);
});
afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

const pass = (ms = 0): Promise<void> => jest.advanceTimersByTimeAsync(ms);

/** A resource whose running job is mirrored. */
function mirrored(name: string, overrides: Partial<LegacyRestoreJob> = {}): LegacyRestoreJob {
  const job = resource({ name, uid: `uid-${name}`, spec: { ...SPEC, jobId: name }, ...overrides });
  return written(job, statusAfter(job, youngJob({ ...SPEC, jobId: name })));
}

const statusAfter = (job: LegacyRestoreJob, body: JsonObject) =>
  reconcileResult({
    job,
    requestedAt: job.requestedAt,
    outcome: { kind: 'fetched', response: responseOf(body), asOf: Date.now(), deliveryFailure: undefined },
    failures: 0,
    atlasApi: 'atlas/v1.0',
    defaultInterval: MINUTE,
    deliveryUrlInStatus: true,
    missingFields: [],
    now: Date.now(),
    random: Math.random,
  }).status;

/** The item that says what is mirrored of `mirrored(id)`, or something else. */
const item = (id: string, body: (job: typeof SPEC) => JsonObject = youngJob): ListedJob => ({
  ...responseOf(body({ ...SPEC, jobId: id })),
  id,
});
const page = (items: readonly ListedJob[], links: FetchedPage['links'] = 'last'): FetchedPage => ({
  jobs: items,
  entryCount: items.length,
  links,
  begunAt: performance.now(),
});

type Reply = FetchedPage | Error | (() => Promise<FetchedPage>);

/** Resources of one cluster, and an Atlas whose lists say what the test says. */
class Cluster {
  readonly cache = new Map<string, LegacyRestoreJob>();
  readonly states = createKeyStates(() => performance.now());
  readonly metrics = createMetrics('test');
  /** What the pages are, in the order in which they are asked for; the last one forever. */
  replies: Reply[] = [];
  /** The number of each page that was asked for, with the private key. */
  readonly asked: string[] = [];
  readonly due: string[] = [];
  readonly unchanged: string[] = [];
  readonly logged: {
    readonly level: number;
    readonly msg: string;
    readonly cause?: string;
    readonly error?: string;
  }[] = [];
  /** By the name of the Secret. */
  readonly secrets = new Map<string, AtlasCredentials | Error>([['atlas-key', KEY]]);
  pause: { readonly forMs: number; readonly apiError: undefined } | undefined;
  readonly lists = createClusterLists({
    cache: this.cache,
    states: this.states,
    atlas: {
      listPage: (_ref, credentials, pageNum) => {
        this.asked.push(`${pageNum} ${credentials.kind === 'apiKey' ? credentials.privateKey : ''}`);
        const reply = this.replies.length > 1 ? this.replies.shift() : this.replies[0];
        if (reply === undefined) return Promise.reject(new Error('nothing to say'));
        if (typeof reply === 'function') return reply();
        return reply instanceof Error
          ? Promise.reject(reply)
          : Promise.resolve({ ...reply, begunAt: performance.now() });
      },
      pauseOf: () => this.pause,
      forget: () => undefined,
    },
    credentials: {
      sourceOf: ({ namespace, spec }) => {
        const name = spec.credentialsSecretRef?.name ?? '';
        return { kind: 'secret', id: `${namespace}/${name}`, namespace, name };
      },
      read: (source) => this.#read(source.kind === 'secret' ? source.name : ''),
      readAgain: () => Promise.reject(new Error('nobody reads again')),
    },
    log: pino({ level: 'trace' }, { write: (line) => this.logged.push(JSON.parse(line)) }),
    metrics: this.metrics,
    signal: new AbortController().signal,
    atlasApi: 'atlas/v1.0',
    defaultInterval: MINUTE,
    deliveryUrlInStatus: true,
    missingFields: () => [],
    onDue: (key) => this.due.push(key.replace('payments/', '')),
    onUnchanged: ({ name }) => this.unchanged.push(name),
  });

  constructor(...jobs: readonly LegacyRestoreJob[]) {
    for (const job of jobs) this.put(job);
  }

  put(job: LegacyRestoreJob): void {
    if (!this.cache.has(job.key)) this.lists.add(job);
    this.cache.set(job.key, job);
    this.states.of(job);
  }

  /** A job is due: whether it waits for a list. */
  waits(name: string, credentials = KEY): boolean {
    return this.lists.wait(this.job(name), credentials) !== undefined;
  }

  job(name: string): LegacyRestoreJob {
    const job = this.cache.get(`payments/${name}`);
    if (job === undefined) throw new Error(`there is no ${name}`);
    return job;
  }

  /** The own fetch of a job works. */
  fetched(name: string, isNews: boolean): void {
    const state = this.states.of(this.job(name));
    state.fetchedAt = performance.now();
    this.lists.fetched(state, isNews);
  }

  /** Lines that tell that there are no lists for a while. */
  rests(): readonly (string | undefined)[] {
    return this.logged.filter(({ msg }) => msg.includes('one by one')).map(({ cause, error }) => cause ?? error);
  }

  async answers(): Promise<readonly (number | undefined)[]> {
    const samples = samplesOf(await this.metrics.registry.metrics());
    return ['unchanged', 'changed', 'missing'].map((result) =>
      metricValue(samples, 'legacy_restore_atlas_list_answers_total', { result }),
    );
  }

  #read(name: string): Promise<CredentialsResult> {
    const credentials = this.secrets.get(name);
    if (credentials === undefined || credentials instanceof Error)
      return Promise.reject(credentials ?? new Error('no Secret'));
    return Promise.resolve({ version: credentialsKey(credentials), ok: true, credentials });
  }
}

/** Jobs a, b, c and so on, all mirrored. */
const clusterOf = (names: string): Cluster => new Cluster(...names.split('').map((name) => mirrored(name)));
const answered = (httpStatus: number, retryAfterMs?: number) => errorFromResponse(httpStatus, undefined, retryAfterMs);

describe('a job that is due', () => {
  test('waits for the list of its cluster, which others wait for, too', async () => {
    const cluster = clusterOf('abcd');
    cluster.replies = [page(['a', 'b', 'c', 'd'].map((id) => item(id)))];
    expect(cluster.lists.wait(cluster.job('a'), KEY)).toEqual({ kind: 'waiting', pause: undefined });
    expect(cluster.waits('b')).toBe(true);
    await pass();
    expect(cluster.asked).toEqual(['1 private']);
    // Those that are not due yet are answered, too.
    expect([cluster.unchanged, cluster.due]).toEqual([['a', 'b', 'c', 'd'], []]);
    expect(await cluster.answers()).toEqual([4, 0, 0]);
  });

  test('counts as fetched when the list was asked for', async () => {
    const cluster = clusterOf('abc');
    cluster.replies = [page(['a', 'b', 'c'].map((id) => item(id)))];
    await pass(MINUTE);
    cluster.waits('a');
    await pass();
    expect(['a', 'b', 'c'].map((name) => cluster.states.of(cluster.job(name)).fetchedAt)).toEqual([
      performance.now(),
      performance.now(),
      performance.now(),
    ]);
  });

  test('has its own fetch where there are two, and where somebody wants to know', () => {
    expect(clusterOf('ab').waits('a')).toBe(false);
    const cluster = clusterOf('abc');
    cluster.put({ ...cluster.job('a'), requestedAt: 'now' });
    expect([cluster.waits('a'), cluster.waits('b')]).toEqual([false, false]);
    expect(cluster.asked).toEqual([]);
  });

  test('has its own fetch while something that went wrong is left over', () => {
    const cluster = clusterOf('abcd');
    cluster.states.of(cluster.job('a')).failedWrites = { count: 1, told: false };
    expect([cluster.waits('a'), cluster.waits('b')]).toEqual([false, true]);
  });

  test('of another cluster or project does not wait for this list', () => {
    const cluster = clusterOf('ab');
    cluster.put(mirrored('c', { spec: { ...SPEC, jobId: 'c', clusterName: 'Cluster1' } }));
    cluster.put(mirrored('d', { spec: { ...SPEC, jobId: 'd', groupId: '0'.repeat(24) } }));
    expect(['a', 'b', 'c', 'd'].map((name) => cluster.waits(name))).toEqual([false, false, false, false]);
  });

  test('is told what Atlas asked to wait for', () => {
    const cluster = clusterOf('abc');
    cluster.pause = { forMs: 17, apiError: undefined };
    cluster.replies = [() => new Promise(() => {})];
    expect(cluster.lists.wait(cluster.job('a'), KEY)).toEqual({ kind: 'waiting', pause: cluster.pause });
  });
});

describe('an item', () => {
  test('that differs causes the own fetch of its job, once', async () => {
    const cluster = clusterOf('abc');
    cluster.replies = [page([item('a'), item('b', pendingDownload), item('c')])];
    cluster.waits('a');
    await pass();
    expect([cluster.unchanged, cluster.due]).toEqual([['a', 'c'], ['b']]);
    expect([cluster.waits('b'), cluster.waits('a')]).toEqual([false, false]);
    cluster.fetched('b', true);
    expect(cluster.waits('b')).toBe(true);
    await pass();
    expect(await cluster.answers()).toEqual([4, 2, 0]);
  });

  test('that differs for nothing leaves its job to itself for an hour', async () => {
    const cluster = clusterOf('abcd');
    cluster.replies = [page([item('a', pendingDownload), item('b'), item('c'), item('d')])];
    cluster.waits('a');
    await pass();
    cluster.fetched('a', false);
    expect([cluster.waits('a'), cluster.waits('b')]).toEqual([false, true]);
    await pass(59 * MINUTE);
    expect(cluster.waits('a')).toBe(false);
    await pass(MINUTE);
    expect(cluster.waits('a')).toBe(true);
    expect(cluster.rests()).toEqual([]);
  });

  test('that says two things says something new', async () => {
    const cluster = clusterOf('abc');
    cluster.replies = [page([item('a'), item('b'), item('c'), item('a', pendingDownload)])];
    cluster.waits('a');
    await pass();
    expect([cluster.unchanged, cluster.due]).toEqual([['b', 'c'], ['a']]);
  });

  test('that is older than the own fetch of its job says nothing', async () => {
    const cluster = clusterOf('abc');
    const arrival = Promise.withResolvers<FetchedPage>();
    cluster.replies = [() => arrival.promise];
    cluster.waits('a');
    await pass();
    const late = page([item('a'), item('b', pendingDownload), item('c')]);
    await pass(SECOND);
    cluster.fetched('b', true);
    arrival.resolve(late);
    await pass();
    expect([cluster.unchanged, cluster.due]).toEqual([['a', 'c'], []]);
  });

  test('that is missing leaves its job to itself for an hour', async () => {
    const cluster = clusterOf('abcd');
    cluster.replies = [page([item('a'), item('b'), item('d')])];
    cluster.waits('c');
    await pass();
    expect([cluster.unchanged, cluster.due]).toEqual([['a', 'b', 'd'], ['c']]);
    cluster.fetched('c', false);
    expect([cluster.waits('c'), cluster.waits('a')]).toEqual([false, true]);
    await pass(60 * MINUTE);
    expect(cluster.waits('c')).toBe(true);
    expect(await cluster.answers()).toEqual([6, 0, 1]);
  });
});

describe('lists rest for ten minutes', () => {
  test.each<[string, Error, number]>([
    ['a 404', answered(404), 1],
    ['a 401', answered(401), 1],
    ['a 403 with a Retry-After', answered(403, SECOND), 1],
    ['a redirect with a Retry-After', answered(302, SECOND), 1],
    ['what cannot be understood', new AtlasError('ATLAS_NOT_A_LIST', 'no list'), 1],
    ['8 MiB', new AtlasError('ATLAS_RESPONSE_TOO_LARGE', 'too large'), 1],
    ['three failures that could have passed', answered(503), 3],
    ['three deadlines', new AtlasError('ATLAS_TIMEOUT', 'too late'), 3],
  ])('after %s, and those that wait have fetches of their own', async (_, error, requests) => {
    const cluster = clusterOf('abcd');
    cluster.replies = [error];
    expect([cluster.waits('a'), cluster.waits('c')]).toEqual([true, true]);
    await pass(10 * SECOND);
    expect([cluster.asked.length, cluster.due]).toEqual([requests, ['a', 'c']]);
    expect([cluster.waits('a'), cluster.rests()]).toEqual([false, [error.message]]);
    for (const name of 'ac') cluster.fetched(name, false);
    await pass(9 * MINUTE);
    expect(cluster.waits('b')).toBe(false);
    await pass(MINUTE);
    expect(cluster.waits('b')).toBe(true);
  });

  test('where most fetches that one caused found nothing new', async () => {
    const cluster = clusterOf('abcdefg');
    const lie = (id: string) => item(id, pendingDownload);
    cluster.replies = [page([lie('a'), lie('c'), lie('d'), item('b'), item('e'), item('f'), item('g')])];
    cluster.waits('b');
    await pass();
    cluster.fetched('a', false);
    cluster.fetched('c', false);
    expect(cluster.rests()).toEqual([]);
    cluster.fetched('d', false);
    expect(cluster.rests()).toEqual(['most fetches that they caused found nothing new']);
    await pass(10 * MINUTE - 1);
    expect(cluster.waits('b')).toBe(false);
    await pass(1);
    expect(cluster.waits('b')).toBe(true);
  });

  test('where it costs more than it spares', async () => {
    const cluster = clusterOf('abc');
    cluster.replies = [page([item('x')], 'next'), page([item('y')], 'next'), page([item('z')], 'next')];
    cluster.waits('a');
    await pass();
    expect([cluster.asked.length, cluster.due]).toEqual([2, ['a']]);
    expect(cluster.rests()).toEqual(['they cost more requests than they spare']);
    expect(cluster.logged.some(({ level }) => level > 30)).toBe(false);
  });

  test('and tell why once, until a list is worth it again or the reason is another one', async () => {
    const cluster = clusterOf('abc');
    const works = page(['a', 'b', 'c'].map((id) => item(id)));
    const [forbidden, missing] = [answered(403), answered(404)];
    for (const reply of [forbidden, forbidden, missing, missing, works, missing]) {
      cluster.replies = [reply];
      expect(cluster.waits('a')).toBe(true);
      await pass();
      cluster.fetched('a', true);
      await pass(10 * MINUTE);
    }
    const told = cluster.logged.filter(({ level }) => level === WARN).map(({ error }) => error);
    expect(told).toEqual([forbidden.message, missing.message, missing.message]);
  });

  test('not after failures that pass', async () => {
    const cluster = clusterOf('abc');
    cluster.replies = [answered(500), answered(500), page(['a', 'b', 'c'].map((id) => item(id)))];
    cluster.waits('a');
    await pass(10 * SECOND);
    expect([cluster.asked.length, cluster.unchanged.length, cluster.rests()]).toEqual([3, 3, []]);
  });
});

describe('Atlas asks to wait in the middle of the pages', () => {
  test.each([answered(429, 30 * SECOND), answered(429), answered(503, 5 * SECOND)])(
    'and the list goes on there, however often: %s',
    async (error) => {
      const cluster = clusterOf('abcd');
      const rest = page([item('c'), item('d')]);
      cluster.replies = [page([item('a'), item('b')], 'next'), error, error, error, error, rest];
      cluster.waits('c');
      await pass();
      expect(cluster.asked.map((asked) => asked[0])).toEqual(['1', '2', '2', '2', '2', '2']);
      expect(cluster.unchanged).toEqual(['a', 'b', 'c', 'd']);
      // Those that still waited looked up, to show that they wait for Atlas.
      expect([cluster.due, cluster.rests()]).toEqual([['c', 'c', 'c', 'c'], []]);
    },
  );

  test('a job that moved to the next page meanwhile is answered once', async () => {
    const cluster = clusterOf('abcd');
    cluster.replies = [page([item('a'), item('b')], 'next'), page([item('b'), item('c'), item('d')])];
    cluster.waits('a');
    await pass();
    expect(cluster.unchanged).toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('credentials', () => {
  const withSecret = (name: string, secret: string): LegacyRestoreJob =>
    mirrored(name, { spec: { ...SPEC, jobId: name, credentialsSecretRef: { name: secret } } });
  const items = ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => item(id));

  test('of the same values share a list, whatever Secrets hold them', async () => {
    const cluster = new Cluster(mirrored('a'), mirrored('b'), withSecret('c', 'copy'));
    cluster.secrets.set('copy', { ...KEY });
    cluster.replies = [page(items)];
    cluster.waits('a');
    await pass();
    expect(cluster.unchanged).toEqual(['a', 'b', 'c']);
  });

  test('of other values have a list of their own, at the same time', async () => {
    const cluster = new Cluster(...'abc'.split('').map((name) => mirrored(name)));
    for (const name of 'def') cluster.put(withSecret(name, 'other'));
    cluster.secrets.set('other', OTHER);
    cluster.replies = [page(items)];
    cluster.waits('a');
    await pass();
    expect(cluster.unchanged).toEqual(['a', 'b', 'c']);
    cluster.waits('d', OTHER);
    await pass();
    expect([cluster.unchanged, cluster.asked]).toEqual([
      ['a', 'b', 'c', 'd', 'e', 'f'],
      ['1 private', '1 other'],
    ]);
  });

  test('of too few jobs make no list', async () => {
    const cluster = new Cluster(mirrored('a'), mirrored('b'), withSecret('c', 'other'));
    cluster.secrets.set('other', OTHER);
    expect(cluster.waits('a')).toBe(true);
    await pass();
    expect([cluster.asked, cluster.due, cluster.waits('a')]).toEqual([[], ['a'], false]);
  });

  test('that changed while the list was under way get nothing of it', async () => {
    const cluster = new Cluster(mirrored('a'), mirrored('b'), mirrored('c'), withSecret('d', 'rotated'));
    cluster.secrets.set('rotated', KEY);
    cluster.replies = [
      () => {
        cluster.secrets.set('rotated', OTHER);
        return Promise.resolve(page(items));
      },
    ];
    expect(cluster.waits('d')).toBe(true);
    await pass();
    expect([cluster.unchanged, cluster.due]).toEqual([['a', 'b', 'c'], ['d']]);
  });

  test('that cannot be read get nothing of a list', async () => {
    const cluster = new Cluster(mirrored('a'), mirrored('b'), mirrored('c'), withSecret('d', 'gone'));
    cluster.replies = [page(items)];
    expect(cluster.waits('a')).toBe(true);
    await pass();
    expect(cluster.unchanged).toEqual(['a', 'b', 'c']);
  });
});

describe('while a list is under way', () => {
  /** A list of a, b, c and d that arrives when the test says so. */
  async function underWay() {
    const cluster = clusterOf('abcd');
    const arrival = Promise.withResolvers<FetchedPage>();
    cluster.replies = [() => arrival.promise];
    for (const name of 'abcd') cluster.waits(name);
    await pass();
    const arrive = async (...replies: readonly ListedJob[]): Promise<void> => {
      arrival.resolve(page(replies));
      await pass();
    };
    return { cluster, arrive };
  }
  const ITEMS = ['a', 'b', 'c', 'd'].map((id) => item(id, pendingDownload));

  test('there is no second one', async () => {
    const { cluster, arrive } = await underWay();
    expect(cluster.waits('a')).toBe(true);
    await arrive(...ITEMS);
    expect(cluster.asked).toHaveLength(1);
  });

  test('what is deleted, suspended or changed drops out of it', async () => {
    const { cluster, arrive } = await underWay();
    const [a, b, c] = ['a', 'b', 'c'].map((name) => cluster.job(name));
    if (a === undefined || b === undefined || c === undefined) throw new Error('too few');
    cluster.lists.remove(a);
    cluster.cache.delete(a.key);
    cluster.states.forget(a.key);
    cluster.put({ ...b, generation: 2, spec: { ...b.spec, suspend: true } });
    cluster.lists.leave(b.key);
    cluster.put({ ...c, generation: 2, spec: { ...c.spec, interval: '10s' } });
    cluster.lists.leave(c.key);
    await arrive(...ITEMS);
    expect([cluster.unchanged, cluster.due]).toEqual([[], ['d']]);
    expect(cluster.states.get(a.key)).toBeUndefined();
  });

  test('a stop wakes nobody for it and tells nothing', async () => {
    const { cluster, arrive } = await underWay();
    cluster.lists.stop();
    await arrive(...ITEMS);
    expect([cluster.unchanged, cluster.due, await cluster.answers()]).toEqual([[], [], [0, 0, 0]]);
    expect(cluster.rests()).toEqual([]);
    expect(cluster.waits('a')).toBe(false);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('a stop ends the rest between two attempts', async () => {
    const cluster = clusterOf('abc');
    cluster.replies = [answered(500)];
    cluster.waits('a');
    await pass();
    cluster.lists.stop();
    await pass();
    expect([cluster.asked.length, cluster.rests(), jest.getTimerCount()]).toEqual([1, [], 0]);
  });
});
