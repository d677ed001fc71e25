import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { pino } from 'pino';
import type { LegacyRestoreJob, Status } from '../../../src/api/legacy-restore-job.ts';
import type { RestoreJobResponse } from '../../../src/api/restore-job.ts';
import type { AtlasClient, Fetch, FetchedPage } from '../../../src/atlas/client.ts';
import { errorFromResponse } from '../../../src/atlas/errors.ts';
import { type Controller, createController } from '../../../src/controller/controller.ts';
import { toLegacyRestoreJob } from '../../../src/controller/legacy-restore-jobs.ts';
import { createQueue } from '../../../src/controller/queue.ts';
import { observeQueue } from '../../../src/controller/queue-metrics.ts';
import type { KubeRequest } from '../../../src/kube/client.ts';
import { KubeError } from '../../../src/kube/errors.ts';
import type { EventContent } from '../../../src/restore-job/events.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import {
  atlasDate,
  brokenJob,
  endedDownload,
  pendingDownload,
  readyDownload,
  youngJob,
} from '../../support/atlas-simulator/recorded-bodies.ts';
import { metricValue, samplesOf } from '../../support/scrape.ts';
import { fakeClient } from '../support/fake-client.ts';
import { conditionOf, resource, responseOf, SPEC } from '../support/resources.ts';

const NOW = Date.parse('2030-01-01T00:00:00Z');
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const KEY = 'payments/cluster0-friday';
const SECRET_PATH = '/api/v1/namespaces/payments/secrets/atlas-key';

const RUNNING = responseOf(youngJob(SPEC));
const FINISHED = responseOf(pendingDownload(SPEC));
const BROKEN = responseOf(brokenJob(SPEC));

beforeEach(() => {
  jest.useFakeTimers({ now: NOW });
  jest.spyOn(Math, 'random').mockReturnValue(0.5);
});
afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

type AtlasReply = RestoreJobResponse | Promise<RestoreJobResponse> | Error | Exclude<Fetch, { kind: 'fetching' }>;

/** A controller between an API server and an Atlas that do what the test says. */
class World {
  /** The resources as the API server has them. */
  readonly server = new Map<string, LegacyRestoreJob>();
  /** The resources as the reflector has them. */
  readonly cache = new Map<string, LegacyRestoreJob>();
  /** What Atlas answers next; the last one forever. */
  atlas: AtlasReply[] = [RUNNING];
  /** Keys that asked Atlas, in order. */
  readonly fetches: string[] = [];
  readonly leftQueue: string[] = [];
  /** What the list of the cluster says, and how often it was asked for. */
  list: (() => Promise<FetchedPage>) | undefined;
  lists = 0;
  /** Since when Atlas asks to wait; monotonic. */
  pausedSince: number | undefined;
  missingFields: readonly string[] = [];
  readonly waited: string[] = [];
  atlasClosed = false;
  /** What happens to the next status writes: undefined lets one pass. */
  writes: (KubeError | undefined)[] = [];
  /** Called for each status write before it is answered. */
  onWrite: () => void = () => {};
  /** Statuses that were written, in order. */
  readonly statuses: Status[] = [];
  /** Statuses that somebody tried to write. */
  attempts = 0;
  readonly events: EventContent[] = [];
  /** How many statuses had been written when an event was recorded. */
  readonly eventsAfter: number[] = [];
  readonly logged: { readonly level: number; readonly msg: string; readonly requestId?: string }[] = [];
  credentials: { readonly version: string; readonly data: Record<string, string> } | undefined = {
    version: '1',
    data: { publicApiKey: 'public', privateApiKey: 'private' },
  };
  secretReads = 0;
  /** What reading the Secret fails with. */
  secretError: KubeError | undefined;
  /** Requests about other Secrets. */
  deliveries = 0;
  /** Whether those get no response. */
  isDeliverySilent = false;
  readonly metrics = createMetrics('test');
  readonly controller: Controller;
  readonly queue = createQueue({ concurrency: 4, observer: observeQueue(this.metrics) });
  #resourceVersion = 100;

  constructor() {
    this.controller = createController({
      client: fakeClient({ request: (request) => this.#answer(request) }),
      labelSelector: '',
      cache: {
        get: (key) => this.cache.get(key),
        all: () => this.cache.values(),
        update: (object) => {
          const previous = this.cache.get(object.key);
          if (previous?.uid !== object.uid || Number(object.resourceVersion) <= Number(previous.resourceVersion))
            return undefined;
          this.cache.set(object.key, object);
          return { type: 'updated', object, previous };
        },
        forget: ({ key }) => this.cache.delete(key),
      },
      queue: this.queue,
      atlas: this.#atlasClient(),
      events: {
        record: (_about, event) => {
          this.events.push(event);
          this.eventsAfter.push(this.statuses.length);
        },
        drain: () => Promise.resolve(),
      },
      log: pino({ level: 'trace' }, { write: (line) => this.logged.push(JSON.parse(line)) }),
      metrics: this.metrics,
      atlasApi: 'atlas/v1.0',
      defaultInterval: MINUTE,
      deliveryUrlInStatus: true,
      atlasList: true,
      signal: new AbortController().signal,
      missingFields: () => this.missingFields,
      defaultCredentialsDir: '',
      defaultCredentialsNamespaces: [],
    });
  }

  /** Somebody creates or changes a resource; the reflector hears of it, unless it lags behind. */
  apply(job: LegacyRestoreJob, { lag = false } = {}): LegacyRestoreJob {
    this.#resourceVersion += 1;
    const now = { ...job, resourceVersion: String(this.#resourceVersion) };
    this.server.set(job.key, now);
    if (!lag) this.#see(now);
    return now;
  }

  /** The reflector catches up. */
  catchUp(key = KEY): void {
    const job = this.server.get(key);
    if (job !== undefined) this.#see(job);
  }

  /** A request to Atlas is reserved for somebody. */
  onReserved(key = KEY): void {
    this.queue.add(key, 'due');
  }

  delete(key = KEY): void {
    this.server.delete(key);
    const previous = this.cache.get(key);
    this.cache.delete(key);
    if (previous !== undefined) this.controller.onChange({ type: 'deleted', previous });
  }

  get job(): LegacyRestoreJob {
    const job = this.server.get(KEY);
    if (job === undefined) throw new Error('there is no such resource');
    return job;
  }

  #see(object: LegacyRestoreJob): void {
    const previous = this.cache.get(object.key);
    if (previous?.uid === object.uid && previous.resourceVersion === object.resourceVersion) return;
    this.cache.set(object.key, object);
    if (previous?.uid === object.uid) {
      this.controller.onChange({ type: 'updated', object, previous });
      return;
    }
    if (previous !== undefined) this.controller.onChange({ type: 'deleted', previous });
    this.controller.onChange({ type: 'added', object });
  }

  #answer({ method, path, body }: KubeRequest): unknown {
    if (path === SECRET_PATH) {
      this.secretReads += 1;
      if (this.secretError !== undefined) throw this.secretError;
      if (this.credentials === undefined) throw new KubeError('no Secret', { status: 404 });
      const data = Object.entries(this.credentials.data).map(([key, value]) => [
        key,
        Buffer.from(value).toString('base64'),
      ]);
      return {
        metadata: { uid: 'secret-uid', resourceVersion: this.credentials.version },
        data: Object.fromEntries(data),
      };
    }
    if (path.includes('/secrets')) {
      this.deliveries += 1;
      if (this.isDeliverySilent) throw new KubeError('no response', { status: 0 });
    }
    const name = /\/namespaces\/([^/]+)\/legacyrestorejobs\/([^/]+)(\/status)?$/.exec(path);
    const key = `${name?.[1]}/${name?.[2]}`;
    if (method === 'PATCH') this.#takeWrite();
    const job = this.server.get(key);
    if (job === undefined) throw new KubeError('no such resource', { status: 404 });
    return raw(method === 'PATCH' ? this.#patch(job, body) : job);
  }

  #takeWrite(): void {
    this.attempts += 1;
    const problem = this.writes.shift();
    this.onWrite();
    if (problem !== undefined) throw problem;
  }

  #patch(job: LegacyRestoreJob, body: unknown): LegacyRestoreJob {
    if (!Array.isArray(body)) throw new Error('not a JSON patch');
    const [version, status] = body;
    if (version.value !== job.resourceVersion) throw new KubeError('there is something newer', { status: 409 });
    this.statuses.push(status.value);
    this.#resourceVersion += 1;
    const now = toLegacyRestoreJob(
      JSON.parse(JSON.stringify(raw({ ...job, status: status.value, resourceVersion: `${this.#resourceVersion}` }))),
    );
    if (now === undefined) throw new Error('the status is not valid');
    this.server.set(job.key, now);
    return now;
  }

  #atlasClient(): AtlasClient {
    return {
      fetch: (_ref, _credentials, waiter) => {
        this.fetches.push(waiter);
        const reply = this.atlas.length > 1 ? this.atlas.shift() : this.atlas[0];
        if (reply instanceof Error) return { kind: 'fetching', response: Promise.reject(reply), begunAt: Date.now() };
        if (reply !== undefined && 'kind' in reply) return reply;
        return { kind: 'fetching', response: Promise.resolve(reply ?? RUNNING), begunAt: Date.now() };
      },
      list: () => Promise.reject(new Error('nobody lists')),
      listPage: () => {
        this.lists += 1;
        return this.list === undefined ? Promise.reject(new Error('nobody lists')) : this.list();
      },
      pauseOf: () =>
        this.pausedSince === undefined
          ? undefined
          : { forMs: performance.now() - this.pausedSince, apiError: undefined },
      wait: (_ref, _credentials, waiter) => {
        this.waited.push(waiter);
        return { kind: 'waiting', pause: { forMs: Date.now() - NOW, apiError: undefined } };
      },
      forget: (waiter) => this.leftQueue.push(waiter),
      budgets: () => ({ paused: 3, waiting: 2, remaining: 1 }),
      close: () => {
        this.atlasClosed = true;
        return Promise.resolve();
      },
    };
  }
}

/** As the API server sends it. */
const raw = ({ namespace, name, uid, resourceVersion, generation, spec, status, requestedAt }: LegacyRestoreJob) => ({
  metadata: {
    namespace,
    name,
    uid,
    resourceVersion,
    generation,
    ...(requestedAt === undefined ? {} : { annotations: { 'atlasrestore.dev/requestedAt': requestedAt } }),
  },
  spec,
  status,
});

const pass = (ms = 0): Promise<void> => jest.advanceTimersByTimeAsync(ms);

/** A world that works, with one fresh resource that was not reconciled yet. */
function working(...atlas: AtlasReply[]): World {
  const world = new World();
  if (atlas.length > 0) world.atlas = atlas;
  world.controller.start();
  world.apply(resource());
  return world;
}

const suspended = (job: LegacyRestoreJob): LegacyRestoreJob => ({
  ...job,
  generation: job.generation + 1,
  spec: { ...job.spec, suspend: true },
});
const unauthorized = () => errorFromResponse(401, { error: 401, errorCode: 'USER_UNAUTHORIZED' }, undefined);
const outage = () => errorFromResponse(503, undefined, undefined);
const kubeError = (status: number, retryAfterMs?: number) =>
  new KubeError(`the API server answered ${status}`, { status, retryAfterMs });

/** What a scrape would tell of a gauge now. */
async function gauge(world: World, name: string): Promise<number | undefined> {
  world.controller.updateGauges();
  return metricValue(samplesOf(await world.metrics.registry.metrics()), name);
}

describe('the mirror age', () => {
  const age = (world: World) => gauge(world, 'legacy_restore_mirror_age_seconds');

  test('grows from fetch to fetch, and through failures', async () => {
    const world = working(RUNNING, outage());
    await pass();
    expect(await age(world)).toBe(0);
    await pass(59 * SECOND);
    expect(await age(world)).toBe(59);
    await pass(30 * SECOND);
    expect(await age(world)).toBe(89);
  });

  test('is counted from the start, or since the resource is known, where nothing was fetched', async () => {
    const world = new World();
    world.atlas = [outage()];
    world.apply(resource());
    await pass(HOUR);
    expect(await age(world)).toBe(0);
    world.controller.start();
    await pass(40 * SECOND);
    expect(await age(world)).toBe(40);
    world.delete();
    expect(await age(world)).toBe(0);
    world.apply(resource({ uid: 'uid-2' }));
    await pass(5 * SECOND);
    expect(await age(world)).toBe(5);
  });

  test('of a resource that was suspended is counted from its resume', async () => {
    const world = working(RUNNING, outage());
    await pass();
    world.apply(suspended(world.job));
    await pass(HOUR);
    expect(await age(world)).toBe(0);
    const { suspend: _, ...spec } = world.job.spec;
    world.apply({ ...world.job, generation: world.job.generation + 1, spec });
    await pass(3 * SECOND);
    expect(await age(world)).toBe(3);
  });

  test('of a job that has ended is none', async () => {
    const world = working(BROKEN);
    await pass(HOUR);
    expect(await age(world)).toBe(0);
  });
});

describe('the start', () => {
  test('nothing is reconciled before it, whatever changes', async () => {
    const world = new World();
    world.apply(resource());
    world.apply({ ...world.job, generation: 2 });
    await pass(10 * MINUTE);
    expect([world.fetches, world.attempts, world.secretReads, jest.getTimerCount()]).toEqual([[], 0, 0, 0]);
    expect(await gauge(world, 'workqueue_depth')).toBe(0);
    expect(await gauge(world, 'legacy_restore_mirror_age_seconds')).toBe(0);
  });

  test('what is urgent is reconciled now, what is open is spread, what has ended is left alone', async () => {
    const world = new World();
    const observed = (name: string, status: Status) =>
      world.apply(resource({ name, status: { observedGeneration: 1, ...status } }));
    world.apply(resource({ name: 'fresh' }));
    observed('open', { statusName: 'IN_PROGRESS' });
    observed('ended', { statusName: 'BROKEN' });
    world.controller.start();
    await pass();
    expect(world.fetches).toEqual(['payments/fresh']);
    await pass(MINUTE / 2);
    expect(world.fetches.slice(0, 2)).toEqual(['payments/fresh', 'payments/open']);
    await pass(60 * MINUTE);
    expect(world.fetches).not.toContain('payments/ended');
  });

  test('a resource that comes later and is not urgent is spread, too', async () => {
    const world = new World();
    world.controller.start();
    world.apply(resource({ status: { observedGeneration: 1, statusName: 'IN_PROGRESS' } }));
    await pass(MINUTE / 2 - 1);
    expect(world.fetches).toEqual([]);
    await pass(1);
    expect(world.fetches).toEqual([KEY]);
  });
});

describe('a reconcile', () => {
  test('costs one request to Atlas and one status write, and its own write asks for no other', async () => {
    const world = working();
    await pass();
    expect([world.fetches.length, world.attempts]).toEqual([1, 1]);
    expect(world.job.status).toMatchObject({ observedGeneration: 1, statusName: 'IN_PROGRESS' });
    world.catchUp();
    await pass(MINUTE - 1);
    expect([world.fetches.length, world.attempts]).toEqual([1, 1]);
  });

  test('that finds nothing new costs one request and no write', async () => {
    const world = working();
    await pass();
    await pass(MINUTE);
    expect([world.fetches.length, world.attempts]).toEqual([2, 1]);
    expect(world.events).toHaveLength(1);
  });

  test('writes nothing for fields that the installed schema lacks, until it has them', async () => {
    const world = new World();
    world.missingFields = ['status.snapshotId'];
    world.controller.start();
    world.apply(resource());
    await pass(MINUTE);
    expect([world.fetches.length, world.attempts]).toEqual([2, 1]);
    expect(world.job.status).not.toHaveProperty('snapshotId');
    world.missingFields = [];
    await pass(MINUTE);
    expect([world.fetches.length, world.attempts]).toEqual([3, 2]);
    expect(world.job.status).toHaveProperty('snapshotId');
  });

  test('events follow a written status', async () => {
    const world = working(RUNNING, FINISHED);
    await pass();
    await pass(MINUTE);
    expect(world.events.map(({ reason }) => reason)).toEqual(['JobInProgress', 'JobFinished']);
    expect(world.eventsAfter).toEqual([1, 2]);
  });

  test('of a job that has ended is the last', async () => {
    const world = working(BROKEN);
    await pass();
    await pass(24 * 60 * MINUTE);
    expect(world.fetches).toHaveLength(1);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('is counted, with its time', async () => {
    const world = working(RUNNING, unauthorized());
    await pass();
    await pass(MINUTE);
    const samples = samplesOf(await world.metrics.registry.metrics());
    expect(metricValue(samples, 'controller_runtime_reconcile_total', { result: 'success' })).toBe(1);
    expect(metricValue(samples, 'controller_runtime_reconcile_total', { result: 'error' })).toBe(1);
    expect(metricValue(samples, 'controller_runtime_reconcile_errors_total')).toBe(1);
    expect(metricValue(samples, 'controller_runtime_reconcile_time_seconds_count', { result: 'error' })).toBe(1);
    expect(metricValue(samples, 'legacy_restore_status_writes_total', { result: 'success' })).toBe(2);
    expect(metricValue(samples, 'legacy_restore_status_writes_skipped_total')).toBe(0);
    expect(metricValue(samples, 'workqueue_adds_total')).toBe(2);
    expect(metricValue(samples, 'workqueue_queue_duration_seconds_count')).toBe(2);
    expect(metricValue(samples, 'workqueue_work_duration_seconds_count')).toBe(2);
    expect(metricValue(samples, 'workqueue_retries_total')).toBe(1);
    await pass(HOUR);
    const later = samplesOf(await world.metrics.registry.metrics());
    expect(metricValue(later, 'legacy_restore_status_writes_skipped_total')).toBeGreaterThan(0);
  });

  test('that ends with an unexpected error is counted as an error, and made again', async () => {
    const world = working(RUNNING);
    world.onWrite = () => {
      throw new TypeError('a bug');
    };
    await pass();
    const samples = samplesOf(await world.metrics.registry.metrics());
    expect(metricValue(samples, 'controller_runtime_reconcile_errors_total')).toBe(1);
    expect(metricValue(samples, 'workqueue_retries_total')).toBe(1);
  });

  test('while it is under way the gauges tell', async () => {
    const pending = Promise.withResolvers<RestoreJobResponse>();
    const world = working(pending.promise);
    await pass(7 * SECOND);
    expect(await gauge(world, 'controller_runtime_active_workers')).toBe(1);
    expect(await gauge(world, 'workqueue_longest_running_processor_seconds')).toBe(7);
    expect(await gauge(world, 'legacy_restore_atlas_budgets_paused')).toBe(3);
    expect(await gauge(world, 'legacy_restore_atlas_budget_waiting')).toBe(2);
    expect(await gauge(world, 'legacy_restore_atlas_budget_remaining_requests')).toBe(1);
    pending.resolve(RUNNING);
    await pass();
    expect(await gauge(world, 'controller_runtime_active_workers')).toBe(0);
    expect(await gauge(world, 'workqueue_longest_running_processor_seconds')).toBe(0);
  });

  test('of a suspended resource asks nobody and writes once', async () => {
    const world = working();
    await pass();
    world.apply(suspended(world.job));
    await pass();
    await pass(24 * 60 * MINUTE);
    expect([world.fetches.length, world.attempts]).toEqual([1, 2]);
    expect(conditionOf(world.job.status, 'Synced')).toMatchObject({ reason: 'Suspended', observedGeneration: 2 });
    // It must not keep a place in the line, where a request would be set aside for it.
    expect(world.leftQueue).toContain(KEY);
  });

  test('is answered where it was requested', async () => {
    const world = working(BROKEN);
    await pass();
    world.apply({ ...world.job, requestedAt: 'please' });
    await pass();
    expect(world.fetches).toHaveLength(2);
    expect(world.job.status.lastHandledReconcileAt).toBe('please');
    world.apply({ ...world.job, requestedAt: 'please' });
    await pass(MINUTE);
    expect(world.fetches).toHaveLength(2);
  });

  test('follows at once when somebody empties the status', async () => {
    const world = working();
    await pass();
    world.apply({ ...world.job, status: {} });
    await pass();
    expect(world.fetches).toHaveLength(2);
    expect(world.job.status.statusName).toBe('IN_PROGRESS');
  });

  test('does not follow once the resource is gone', async () => {
    const world = working();
    await pass();
    world.delete();
    expect(jest.getTimerCount()).toBe(0);
  });

  test('that fails unexpectedly is logged and made up for', async () => {
    const world = working();
    jest.spyOn(world.cache, 'get').mockImplementationOnce(() => {
      throw new TypeError('a bug');
    });
    await pass();
    expect(world.logged).toMatchObject([
      { level: 50, msg: 'reconcile failed with an unexpected error', error: 'a bug' },
    ]);
    await pass(SECOND);
    expect(world.job.status.statusName).toBe('IN_PROGRESS');
  });
});

describe('a status write that conflicts', () => {
  test('is computed again on the fresh resource, without asking Atlas again', async () => {
    const world = working();
    await pass();
    world.atlas = [FINISHED];
    const otherwise: Status = { ...world.job.status, lastHandledReconcileAt: 'by somebody else' };
    world.apply({ ...world.job, status: otherwise }, { lag: true });
    await pass(MINUTE);
    expect(world.fetches).toHaveLength(2);
    expect(world.attempts).toBe(3);
    expect(world.job.status).toMatchObject({ statusName: 'FINISHED', lastHandledReconcileAt: 'by somebody else' });
    expect(world.events.map(({ reason }) => reason)).toEqual(['JobInProgress', 'JobFinished']);
  });

  test('again and again is left to the next reconcile, which asks nobody', async () => {
    const world = working();
    world.onWrite = () => {
      world.apply({ ...world.job }, { lag: true });
    };
    await pass();
    expect([world.fetches.length, world.attempts, world.statuses.length]).toEqual([1, 6, 0]);
    world.onWrite = () => {};
    await pass(MINUTE / 2);
    expect([world.fetches.length, world.statuses.length]).toEqual([1, 1]);
  });

  test('with a changed spec is dropped: the change has its own reconcile', async () => {
    const world = working();
    world.onWrite = () => {
      world.onWrite = () => {};
      world.apply({ ...world.job, generation: 2, spec: { ...SPEC, interval: '90s' } }, { lag: true });
    };
    await pass();
    expect(world.fetches).toHaveLength(2);
    expect(world.statuses).toMatchObject([{ observedGeneration: 2 }]);
  });
});

describe('a status write that fails', () => {
  test('as there is no such resource any more is dropped', async () => {
    const world = working();
    world.onWrite = () => world.server.delete(KEY);
    await pass();
    await pass(60 * MINUTE);
    expect([world.fetches.length, world.attempts, world.events, jest.getTimerCount()]).toEqual([1, 1, [], 0]);
  });

  test('again and again is told once, and what is written at last belongs to the same reconcile', async () => {
    const world = working(RUNNING);
    world.writes = [kubeError(500), kubeError(500), kubeError(500)];
    await pass(HOUR / 60);
    expect(world.attempts).toBeGreaterThanOrEqual(4);
    const told = world.logged.filter(({ level }) => level >= 30);
    expect(told.map(({ level, msg }) => [level, msg])).toEqual([
      [40, 'the status could not be written and is tried again'],
      [30, 'status changed'],
    ]);
    expect(told[0]?.requestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(told[1]?.requestId).toBe(told[0]?.requestId);
  });

  test.each([
    ['500', kubeError(500), SECOND],
    ['no answer', kubeError(0), SECOND],
    ['429, which says when', kubeError(429, 7 * SECOND), 7 * SECOND],
  ])('%s: the same outcome is written later, without asking Atlas again', async (_name, problem, ms) => {
    const world = working(RUNNING, FINISHED);
    world.writes = [problem];
    await pass();
    expect([world.attempts, world.statuses.length, world.events]).toEqual([1, 0, []]);
    expect(world.logged).toMatchObject([{ level: 40, msg: 'the status could not be written and is tried again' }]);
    await pass(ms - 1);
    expect(world.attempts).toBe(1);
    await pass(1);
    expect([world.fetches.length, world.statuses.length]).toEqual([1, 1]);
    expect(world.job.status.statusName).toBe('IN_PROGRESS');
    expect(world.events).toMatchObject([{ reason: 'JobInProgress' }]);
  });

  test('again and again waits longer and longer', async () => {
    const world = working();
    world.writes = [500, 500, 500].map((status) => kubeError(status));
    await pass();
    const times: number[] = [];
    for (let before = world.attempts; times.length < 3; ) {
      await pass(100);
      if (world.attempts > before) times.push((Date.now() - NOW) / SECOND);
      before = world.attempts;
    }
    expect(times).toEqual([1, 3, 7]);
    expect([world.fetches.length, world.statuses.length]).toEqual([1, 1]);
  });

  test.each([400, 403, 413, 422])(
    'as it is refused (%i): it is told once, and the next try starts from Atlas',
    async (status) => {
      const world = working(RUNNING, responseOf(readyDownload(SPEC, atlasDate(NOW + 2 * HOUR))));
      world.writes = [kubeError(status), kubeError(status), kubeError(status)];
      await pass();
      expect(world.logged.filter(({ level }) => level >= 40)).toHaveLength(1);
      expect(world.events).toMatchObject([{ type: 'Warning', reason: 'StatusWriteRefused' }]);
      await pass(10 * MINUTE);
      expect(world.job.status.statusName).toBe('FINISHED');
      expect(world.fetches.length).toBeGreaterThan(3);
      expect(world.events.map(({ reason }) => reason)).toEqual(['StatusWriteRefused', 'DownloadReady']);
      expect(world.logged.filter(({ level }) => level >= 40)).toHaveLength(1);
    },
  );

  test('five times in a row: the outcome is dropped, and what Atlas says by then is written', async () => {
    const world = working(RUNNING, BROKEN);
    world.writes = Array.from({ length: 5 }, () => kubeError(500));
    await pass(2 * MINUTE);
    expect(world.statuses).toMatchObject([{ statusName: 'BROKEN' }]);
    expect(world.events.map(({ reason }) => reason)).toEqual(['StatusWriteRefused', 'JobBroken']);
    expect(world.logged.filter(({ level }) => level >= 40).map(({ msg }) => msg)).toEqual([
      'the status could not be written and is tried again',
      'the status is refused and dropped, the next try starts from Atlas',
    ]);
  });

  test('with a 404 although the resource is there is tried again', async () => {
    const world = working(RUNNING, FINISHED);
    world.writes = [kubeError(404)];
    await pass(SECOND);
    expect(world.statuses).toMatchObject([{ statusName: 'IN_PROGRESS' }]);
    await pass(2 * MINUTE);
    expect(world.job.status.statusName).toBe('FINISHED');
  });

  test('found before a download ended and written after: the end is looked at', async () => {
    const expires = atlasDate(NOW + 5 * SECOND);
    const world = working(
      responseOf(readyDownload(SPEC, expires)),
      responseOf(endedDownload(SPEC, 'EXPIRED', expires)),
    );
    world.writes = [kubeError(429, 10 * SECOND)];
    await pass(10 * SECOND);
    expect(world.statuses).toMatchObject([{ delivery: { statusName: 'READY' } }]);
    await pass(SECOND);
    expect(world.statuses.at(-1)).toMatchObject({ delivery: { statusName: 'EXPIRED' } });
  });

  test('is overtaken by a request: Atlas is asked again', async () => {
    const world = working(RUNNING, FINISHED);
    world.writes = [kubeError(500)];
    await pass();
    world.apply({ ...world.job, requestedAt: 'please' });
    await pass();
    expect(world.fetches).toHaveLength(2);
    expect(world.job.status).toMatchObject({ statusName: 'FINISHED', lastHandledReconcileAt: 'please' });
    await pass(MINUTE - 1);
    expect(world.fetches).toHaveLength(2);
  });

  test('is overtaken by another spec: Atlas is asked again', async () => {
    const world = working(RUNNING, FINISHED);
    world.writes = [kubeError(500)];
    await pass();
    world.apply({ ...world.job, generation: 2, spec: { ...SPEC, interval: '90s' } });
    await pass();
    expect(world.statuses).toMatchObject([{ observedGeneration: 2, statusName: 'FINISHED' }]);
  });

  test('is overtaken by a resource of the same name: nothing of the old one is written', async () => {
    const world = working(RUNNING, FINISHED);
    world.writes = [kubeError(500)];
    await pass();
    world.apply(resource({ uid: 'uid-2' }));
    await pass();
    expect(world.statuses).toMatchObject([{ statusName: 'FINISHED' }]);
    expect(world.fetches).toHaveLength(2);
  });
});

describe('changes during a reconcile', () => {
  /** A reconcile that waits for Atlas until the answer is given. */
  async function reconciling(): Promise<{ world: World; answer: (answer: RestoreJobResponse) => Promise<void> }> {
    const pending = Promise.withResolvers<RestoreJobResponse>();
    const world = working(pending.promise, FINISHED);
    await pass();
    expect(world.fetches).toHaveLength(1);
    return {
      world,
      answer: async (answer) => {
        pending.resolve(answer);
        await pass();
      },
    };
  }

  test('of the spec: the result is not written, and exactly one more reconcile follows', async () => {
    const { world, answer } = await reconciling();
    world.apply({ ...world.job, generation: 2, spec: { ...SPEC, interval: '90s' } });
    world.apply({ ...world.job, generation: 3, spec: { ...SPEC, interval: '91s' } });
    await answer(RUNNING);
    expect(world.fetches).toHaveLength(2);
    expect(world.statuses).toMatchObject([{ observedGeneration: 3, statusName: 'FINISHED' }]);
    await pass(MINUTE - 1);
    expect(world.fetches).toHaveLength(2);
  });

  test('of the annotation: the reconcile does not answer it, the next one does', async () => {
    const { world, answer } = await reconciling();
    world.apply({ ...world.job, requestedAt: 'please' });
    await answer(RUNNING);
    expect(world.statuses.map(({ lastHandledReconcileAt }) => lastHandledReconcileAt)).toEqual([undefined, 'please']);
    expect(world.fetches).toHaveLength(2);
  });

  test('deleted: nothing is written and nothing is kept', async () => {
    const { world, answer } = await reconciling();
    world.delete();
    await answer(RUNNING);
    expect([world.attempts, world.events, jest.getTimerCount()]).toEqual([0, [], 0]);
    expect(world.leftQueue).toContain(KEY);
  });

  test('deleted while its credentials fail: its Secret is not read for ever', async () => {
    const pending = Promise.withResolvers<RestoreJobResponse>();
    const world = working(pending.promise);
    await pass();
    world.delete();
    pending.reject(unauthorized());
    await pass();
    const reads = world.secretReads;
    await pass(10 * MINUTE);
    expect([world.secretReads, jest.getTimerCount()]).toEqual([reads, 0]);
  });

  test('deleted and created again: nothing of the old one is written', async () => {
    const { world, answer } = await reconciling();
    world.delete();
    world.apply(resource({ uid: 'uid-2' }));
    await answer(BROKEN);
    expect(world.statuses).toMatchObject([{ statusName: 'FINISHED' }]);
    expect(world.events).toEqual([]);
    expect(world.fetches).toHaveLength(2);
  });

  test('created again while nobody watched: a stale resourceVersion keeps the old result out', async () => {
    const { world, answer } = await reconciling();
    world.server.delete(KEY);
    world.apply(resource({ uid: 'uid-2' }), { lag: true });
    await answer(BROKEN);
    expect(world.statuses).toEqual([]);
    world.catchUp();
    await pass(MINUTE - 1);
    expect(world.statuses).toMatchObject([{ statusName: 'FINISHED' }]);
  });
});

describe('a resource that a write finds gone', () => {
  /** Its status write conflicts, and it cannot be found. */
  async function gone(): Promise<World> {
    const world = working();
    await pass();
    world.atlas = [FINISHED];
    const { job } = world;
    world.server.delete(KEY);
    await pass(2 * MINUTE);
    expect([world.attempts, world.statuses.length]).toEqual([2, 1]);
    world.server.set(KEY, job);
    return world;
  }

  test('is forgotten ahead of its watch event', async () => {
    const world = await gone();
    expect([world.cache.size, jest.getTimerCount()]).toEqual([0, 0]);
    expect(world.leftQueue).toContain(KEY);
  });

  test('is reconciled when it comes back as the same resource, as one does under a label selector', async () => {
    const world = await gone();
    world.catchUp();
    await pass(MINUTE);
    expect(world.job.status.statusName).toBe('FINISHED');
  });
});

describe('failures in a row', () => {
  test('wait longer and longer, and a resource created again starts from the beginning', async () => {
    const down = errorFromResponse(503, undefined, undefined);
    const world = working(down);
    await pass();
    for (const seconds of [1, 2, 4]) {
      const before = world.fetches.length;
      await pass(seconds * SECOND - 1);
      expect(world.fetches).toHaveLength(before);
      await pass(1);
      expect(world.fetches).toHaveLength(before + 1);
    }
    world.delete();
    world.apply(resource({ uid: 'uid-2' }));
    await pass();
    const before = world.fetches.length;
    await pass(SECOND);
    expect(world.fetches).toHaveLength(before + 1);
  });
});

describe('waiting for a budget', () => {
  const waiting = (forMs: number | undefined): AtlasReply => ({
    kind: 'waiting',
    pause: forMs === undefined ? undefined : { forMs, apiError: undefined },
  });

  test('holds no worker and no timer, and the turn brings the reconcile', async () => {
    const world = working(waiting(undefined), RUNNING);
    await pass();
    expect([world.queue.active(), world.attempts, jest.getTimerCount()]).toEqual([0, 0, 0]);
    world.onReserved();
    await pass();
    expect(world.job.status.statusName).toBe('IN_PROGRESS');
  });

  test('a 429 puts the reconcile into the queue, and says nothing at once', async () => {
    const limited = errorFromResponse(429, { error: 429, errorCode: 'RATE_LIMITED' }, undefined);
    const world = working(limited, RUNNING);
    await pass();
    expect([world.waited, world.attempts]).toEqual([[KEY], 0]);
    world.onReserved();
    await pass();
    expect(world.job.status.statusName).toBe('IN_PROGRESS');
  });

  test('a pause of more than a minute becomes visible once', async () => {
    const world = working(waiting(0), waiting(MINUTE));
    await pass();
    await pass(MINUTE);
    expect(conditionOf(world.job.status, 'Synced')).toMatchObject({ status: 'Unknown', reason: 'RateLimited' });
    await pass(60 * MINUTE);
    expect(world.attempts).toBe(1);
  });

  test('a pause that could not be made visible does not outlive the turn', async () => {
    const world = working(waiting(MINUTE), RUNNING);
    world.writes = [kubeError(500)];
    await pass();
    world.onReserved();
    await pass();
    expect(world.statuses).toMatchObject([{ statusName: 'IN_PROGRESS' }]);
  });

  test('who is deleted leaves the queue', async () => {
    const world = working(waiting(undefined));
    await pass();
    world.delete();
    expect(world.leftQueue).toContain(KEY);
  });
});

describe('three jobs of one cluster', () => {
  const NAMES = ['a', 'b', 'c'];
  const specOf = (name: string) => ({ ...SPEC, jobId: name.repeat(24) });
  const bodies = new Map(NAMES.map((name) => [name, youngJob(specOf(name))]));
  const page = (): FetchedPage => ({
    jobs: [...bodies].map(([name, body]) => ({ ...responseOf(body), id: specOf(name).jobId })),
    entryCount: 3,
    links: 'last',
    begunAt: performance.now(),
  });

  /** All mirrored a minute ago, by fetches of their own. */
  async function mirrored(): Promise<World> {
    const world = new World();
    world.atlas = NAMES.map((name) => responseOf(youngJob(specOf(name))));
    world.list = () => Promise.resolve(page());
    world.controller.start();
    for (const name of NAMES) world.apply(resource({ name, uid: name, spec: specOf(name) }));
    await pass();
    for (const name of NAMES) world.catchUp(`payments/${name}`);
    world.fetches.length = 0;
    return world;
  }

  test('are asked for together, once per interval, and written only when one has changed', async () => {
    const world = await mirrored();
    await pass(10 * MINUTE);
    expect([world.fetches, world.attempts]).toEqual([[], 3]);
    expect(world.lists).toBeGreaterThanOrEqual(9);
    expect(world.lists).toBeLessThanOrEqual(10);
    expect(await gauge(world, 'legacy_restore_mirror_age_seconds')).toBeLessThanOrEqual(66);
    bodies.set('b', pendingDownload(specOf('b')));
    world.atlas = [responseOf(pendingDownload(specOf('b')))];
    await pass(70 * SECOND);
    expect([world.fetches, world.attempts]).toEqual([['payments/b'], 4]);
    bodies.set('b', youngJob(specOf('b')));
  });

  test('are not asked about one by one for what waits for a worker when the list comes', async () => {
    const world = await mirrored();
    const arrival = Promise.withResolvers<FetchedPage>();
    const others = Promise.withResolvers<RestoreJobResponse>();
    world.list = () => arrival.promise;
    await pass(50 * SECOND);
    // Whoever is the first to be due asks for the list; then no worker is left.
    world.queue.add('payments/a', 'due');
    await pass();
    world.atlas = [others.promise];
    for (const name of ['d', 'e', 'f', '0'])
      world.apply(resource({ name: `other-${name}`, uid: name, spec: { ...specOf(name), clusterName: 'Cluster1' } }));
    await pass(20 * SECOND);
    expect(await gauge(world, 'workqueue_depth')).toBe(2);
    arrival.resolve(page());
    others.resolve(RUNNING);
    await pass();
    expect([world.lists, world.fetches.filter((key) => !key.includes('other'))]).toEqual([1, []]);
  });

  test('of which a list says something wrong: that one alone is fetched from then on', async () => {
    const world = await mirrored();
    world.atlas = [responseOf(youngJob(specOf('b')))];
    world.list = () => {
      const right = page();
      const wrong = responseOf(pendingDownload(specOf('b')));
      return Promise.resolve({ ...right, jobs: right.jobs.with(1, { ...wrong, id: specOf('b').jobId }) });
    };
    // Two are too few for a list.
    await pass(10 * MINUTE);
    expect(new Set(world.fetches)).toEqual(new Set(['payments/a', 'payments/b', 'payments/c']));
    expect(world.lists).toBe(1);
  });

  test('that wait for a paused list show it after a minute, and are fetched once it is over', async () => {
    const world = await mirrored();
    const arrival = Promise.withResolvers<FetchedPage>();
    world.list = () => arrival.promise;
    world.pausedSince = performance.now();
    await pass(3 * MINUTE);
    expect([world.lists, world.fetches]).toEqual([1, []]);
    const reasons = NAMES.map((name) => conditionOf(world.server.get(`payments/${name}`)?.status, 'Synced')?.reason);
    expect(reasons).toEqual(['RateLimited', 'RateLimited', 'RateLimited']);
    world.pausedSince = undefined;
    arrival.resolve(page());
    await pass();
    expect(world.fetches.toSorted()).toEqual(['payments/a', 'payments/b', 'payments/c']);
  });

  test('leave nothing behind when they are deleted while they wait', async () => {
    const world = await mirrored();
    const arrival = Promise.withResolvers<FetchedPage>();
    world.list = () => arrival.promise;
    await pass(2 * MINUTE);
    expect(world.lists).toBe(1);
    for (const name of NAMES) world.delete(`payments/${name}`);
    arrival.resolve(page());
    await pass(10 * MINUTE);
    expect([world.fetches, world.lists, jest.getTimerCount()]).toEqual([[], 1, 0]);
  });

  test('end with a stop, however long a list lasts', async () => {
    const world = await mirrored();
    world.list = () => new Promise(() => {});
    await pass(2 * MINUTE);
    await world.controller.stop();
    expect([world.lists, world.atlasClosed, jest.getTimerCount()]).toEqual([1, true, 0]);
  });
});

describe('credentials that do not work', () => {
  test('are expected to come for a minute, then it is told once, and the Secret alone is looked at until it changes', async () => {
    const world = new World();
    world.credentials = undefined;
    world.controller.start();
    world.apply(resource());
    await pass();
    expect(conditionOf(world.job.status, 'Synced')).toMatchObject({ status: 'Unknown', reason: 'SecretNotFound' });
    expect(conditionOf(world.job.status, 'Reconciling')?.status).toBe('True');
    const reads = world.secretReads;
    await pass(30 * SECOND);
    expect(world.secretReads - reads).toBe(6);
    expect([world.attempts, world.events]).toEqual([1, []]);
    await pass(35 * SECOND);
    expect(conditionOf(world.job.status, 'Synced')).toMatchObject({ status: 'False', reason: 'SecretNotFound' });
    expect(world.events).toMatchObject([{ type: 'Warning', reason: 'SecretNotFound' }]);
    await pass(2 * MINUTE);
    expect([world.fetches, world.attempts, world.events.length]).toEqual([[], 2, 1]);
    world.credentials = { version: '1', data: { publicApiKey: 'public', privateApiKey: 'private' } };
    await pass(MINUTE / 2);
    expect(world.job.status.statusName).toBe('IN_PROGRESS');
    expect(world.fetches).toHaveLength(1);
  });

  test('a resource that was observed before gets no grace after a restart', async () => {
    const world = new World();
    world.credentials = undefined;
    world.apply(resource({ status: { observedGeneration: 1, statusName: 'IN_PROGRESS' } }));
    world.controller.start();
    await pass(MINUTE);
    expect(conditionOf(world.job.status, 'Synced')).toMatchObject({ status: 'False', reason: 'SecretNotFound' });
  });

  test('a key that Atlas does not know yet: it is asked every ten seconds for a minute, and nobody is told', async () => {
    const world = working(unauthorized(), unauthorized(), unauthorized(), RUNNING);
    await pass(25 * SECOND);
    expect(world.fetches).toHaveLength(3);
    expect(conditionOf(world.job.status, 'Synced')).toMatchObject({ status: 'Unknown', reason: 'Unauthorized' });
    await pass(5 * SECOND);
    expect(world.job.status.statusName).toBe('IN_PROGRESS');
    expect(world.events.map(({ reason }) => reason)).toEqual(['JobInProgress']);
  });

  test('a rotated Secret gets its own minute', async () => {
    const world = working(RUNNING, unauthorized());
    await pass(MINUTE);
    await pass(10 * SECOND);
    expect(conditionOf(world.job.status, 'Synced')).toMatchObject({ status: 'False', reason: 'Unauthorized' });
    world.credentials = { version: '2', data: { publicApiKey: 'public', privateApiKey: 'new' } };
    await pass(40 * SECOND);
    expect(conditionOf(world.job.status, 'Synced')).toMatchObject({ status: 'Unknown', reason: 'Unauthorized' });
    await pass(2 * MINUTE);
    expect(conditionOf(world.job.status, 'Synced')).toMatchObject({ status: 'False', reason: 'Unauthorized' });
    expect(world.events.map(({ reason }) => reason)).toEqual(['JobInProgress', 'Unauthorized', 'Unauthorized']);
  });

  test('after a 401 all resources of the Secret are reconciled once it changes, and Atlas is not asked before', async () => {
    const world = working(unauthorized());
    world.apply(resource({ name: 'second' }));
    await pass(3 * MINUTE);
    const asked = world.fetches.length;
    world.atlas = [RUNNING];
    await pass(5 * SECOND);
    expect(world.fetches).toHaveLength(asked);
    world.credentials = { version: '2', data: { publicApiKey: 'public', privateApiKey: 'new' } };
    await pass(30 * SECOND);
    expect(world.fetches.slice(asked).toSorted()).toEqual([KEY, 'payments/second']);
    expect(world.job.status.statusName).toBe('IN_PROGRESS');
  });

  test('an outcome that waits for its write is not written once the credentials have changed', async () => {
    const world = working(unauthorized(), FINISHED);
    world.writes = [kubeError(429, 5 * MINUTE)];
    await pass();
    world.credentials = { version: '2', data: { publicApiKey: 'public', privateApiKey: 'new' } };
    await pass(MINUTE);
    expect(world.statuses).toMatchObject([{ statusName: 'FINISHED' }]);
  });

  test('a Secret that was rotated just now is tried at once, and that was it', async () => {
    const world = new World();
    world.atlas = [RUNNING, RUNNING, unauthorized(), BROKEN];
    world.controller.start();
    world.apply(resource({ spec: { ...SPEC, interval: '1h' } }));
    await pass(2 * MINUTE);
    world.apply({ ...world.job, requestedAt: 'once' });
    await pass(5 * SECOND);
    // The reader still has the old one for half a minute.
    world.credentials = { version: '2', data: { publicApiKey: 'public', privateApiKey: 'new' } };
    world.apply({ ...world.job, requestedAt: 'twice' });
    await pass();
    expect(world.job.status.statusName).toBe('BROKEN');
    await pass(10 * MINUTE);
    expect([world.fetches.length, jest.getTimerCount()]).toEqual([4, 0]);
  });

  test('that the API server cannot give: nobody is told for half a minute, then it is told once', async () => {
    const world = new World();
    world.secretError = kubeError(500);
    world.controller.start();
    world.apply(resource());
    await pass(20 * SECOND);
    expect([world.attempts, world.events]).toEqual([0, []]);
    await pass(2 * MINUTE);
    expect(conditionOf(world.job.status, 'Synced')).toMatchObject({ status: 'Unknown', reason: 'SecretUnreadable' });
    expect(world.job.status.failure).toMatchObject({ error: 500 });
    expect([world.attempts, world.events.map(({ reason }) => reason)]).toEqual([1, ['SecretUnreadable']]);
    expect(world.logged.filter(({ level }) => level >= 40)).toHaveLength(1);
    world.secretError = undefined;
    await pass(2 * MINUTE);
    expect(world.job.status.statusName).toBe('IN_PROGRESS');
  });

  test('that the API server cannot give for a moment: those that were read before serve', async () => {
    const world = working(RUNNING, FINISHED);
    await pass(50 * SECOND);
    world.secretError = kubeError(500);
    await pass(20 * SECOND);
    expect([world.job.status.statusName, world.fetches.length]).toEqual(['FINISHED', 2]);
    expect(conditionOf(world.job.status, 'Synced')?.reason).toBe('JobFetched');
  });
});

describe('an unexpected error', () => {
  const bug = (): Error => new TypeError('a bug with canary-1 in it');

  test('is logged at once, told once it has lasted for half a minute, and its message nowhere in the cluster', async () => {
    const world = working(bug());
    await pass(20 * SECOND);
    expect([world.attempts, world.events]).toEqual([0, []]);
    await pass(2 * MINUTE);
    expect(conditionOf(world.job.status, 'Synced')).toMatchObject({ status: 'Unknown', reason: 'InternalError' });
    expect(world.job.status.failure).toEqual({ detail: 'TypeError' });
    expect([world.attempts, world.events.map(({ reason }) => reason)]).toEqual([1, ['InternalError']]);
    expect(JSON.stringify([world.job.status, world.events])).not.toContain('canary-1');
    expect(world.logged.filter(({ level }) => level === 50)).toMatchObject([{ error: 'a bug with canary-1 in it' }]);
    world.atlas = [RUNNING];
    await pass(HOUR);
    expect(world.job.status.statusName).toBe('IN_PROGRESS');
  });

  test('ten times in a row gets the permanent back-off', async () => {
    const world = working(bug());
    await pass(2 * HOUR);
    // Nine tries with the transient back-off, those before it was told among them, then one an hour.
    expect(world.fetches.length).toBeLessThanOrEqual(12);
  });
});

describe('a resource that is being deleted', () => {
  test('is no longer polled, and gets no delivery Secret', async () => {
    const world = working(RUNNING, responseOf(readyDownload(SPEC, atlasDate(NOW + HOUR))));
    await pass();
    world.apply({ ...world.job, deleting: true, generation: 2, spec: { ...SPEC, deliverySecretName: 'download' } });
    await pass(HOUR);
    expect([world.fetches.length, jest.getTimerCount()]).toEqual([1, 0]);
  });

  test('is left alone after a restart', async () => {
    const world = new World();
    world.apply(resource({ deleting: true }));
    world.controller.start();
    await pass(HOUR);
    expect([world.fetches, world.attempts]).toEqual([[], 0]);
  });

  test('meanwhile: what was fetched is not written', async () => {
    const pending = Promise.withResolvers<RestoreJobResponse>();
    const world = working(pending.promise);
    await pass();
    world.apply({ ...world.job, deleting: true });
    pending.resolve(FINISHED);
    await pass();
    expect([world.attempts, jest.getTimerCount()]).toEqual([0, 0]);
  });
});

describe('the delivery Secret', () => {
  const READY = responseOf(readyDownload(SPEC, atlasDate(NOW + 60 * MINUTE)));

  test('that is refused is tried again alone, and Atlas is asked as the schedule says', async () => {
    const world = new World();
    world.atlas = [READY];
    world.controller.start();
    // The fake has no such Secret, and responds to its creation with 404: the namespace is going.
    world.apply(resource({ spec: { ...SPEC, deliverySecretName: 'download' } }));
    await pass();
    expect(world.job.status).toMatchObject({
      statusName: 'FINISHED',
      reason: 'DeliverySecretRefused',
      urlWithheld: true,
    });
    expect([world.fetches.length, world.attempts]).toEqual([1, 1]);
    const tries = world.deliveries;
    await pass(9 * MINUTE);
    expect(world.deliveries).toBeGreaterThan(tries + 6);
    expect([world.fetches.length, world.attempts]).toEqual([1, 1]);
    await pass(2 * MINUTE);
    expect(world.fetches).toHaveLength(2);
    world.apply({ ...world.job, generation: 2, spec: SPEC });
    await pass();
    expect(conditionOf(world.job.status, 'Synced')?.status).toBe('True');
  });

  test('that nobody can ask for, as the API server is away, is no refusal', async () => {
    const world = new World();
    world.atlas = [READY];
    world.isDeliverySilent = true;
    world.controller.start();
    world.apply(resource({ spec: { ...SPEC, deliverySecretName: 'download' } }));
    await pass(10_000);
    expect(world.deliveries).toBeGreaterThan(2);
    expect([world.attempts, world.events]).toEqual([0, []]);
    world.isDeliverySilent = false;
    await pass(MINUTE);
    expect(world.job.status).toMatchObject({ statusName: 'FINISHED', urlWithheld: true });
  });
});

describe('the stop', () => {
  test('ends the look at credentials, too', async () => {
    const world = working(unauthorized());
    await pass();
    await world.controller.stop();
    expect(jest.getTimerCount()).toBe(0);
  });

  test('begins no further reconcile, lets those under way end, then closes the Atlas client', async () => {
    const pending = Promise.withResolvers<RestoreJobResponse>();
    const world = working(pending.promise);
    await pass();
    expect(world.queue.active()).toBe(1);
    let stopped = false;
    const stopping = world.controller.stop().then(() => {
      stopped = true;
    });
    world.apply(resource({ name: 'late' }));
    await pass(MINUTE);
    expect([stopped, world.atlasClosed, await gauge(world, 'workqueue_depth')]).toEqual([false, false, 0]);
    pending.resolve(responseOf(endedDownload(SPEC, 'EXPIRED', atlasDate(NOW))));
    await pass();
    await stopping;
    expect(world.job.status.statusName).toBe('FINISHED');
    expect([world.atlasClosed, world.fetches, jest.getTimerCount()]).toEqual([true, [KEY], 0]);
  });
});
