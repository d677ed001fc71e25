import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import * as z from 'zod';
import type { KubeRequest } from '../../../src/kube/client.ts';
import { KubeError } from '../../../src/kube/errors.ts';
import type { LeaseEvent } from '../../../src/kube/lease.ts';
import { fakeClient } from '../support/fake-client.ts';
import { fakeTimersPromises } from '../support/fake-sleep.ts';

jest.unstable_mockModule('node:timers/promises', fakeTimersPromises);
const { createLeaderElection, livenessProblems } = await import('../../../src/kube/lease.ts');

const NOW = Date.parse('2030-01-01T00:00:00Z');
const SECOND = 1_000;
const COLLECTION = '/apis/coordination.k8s.io/v1/namespaces/operators/leases';
const PATH = `${COLLECTION}/legacy-restore-operator`;

beforeEach(() => {
  jest.useFakeTimers({ now: NOW });
  jest.spyOn(Math, 'random').mockReturnValue(0);
});
afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

const Body = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string().optional() }),
  spec: z.looseObject({ holderIdentity: z.string().nullish() }),
});
type Body = z.infer<typeof Body>;

/** An API server with room for one lease. */
class LeaseServer {
  lease: Body | undefined;
  /** What happens to requests: an error is thrown, undefined lets them pass. */
  trouble: (request: KubeRequest) => Error | undefined | Promise<Error | undefined> = () => undefined;
  readonly requests: KubeRequest[] = [];
  #version = 0;

  hold(holderIdentity: string | null, more: Record<string, unknown> = {}): void {
    this.#store({ metadata: { name: 'legacy-restore-operator' }, spec: { holderIdentity, ...more } });
  }

  get holder(): string | null | undefined {
    return this.lease?.spec.holderIdentity;
  }

  get writes(): readonly string[] {
    return this.requests.filter(({ method }) => method !== 'GET').map(({ method }) => method);
  }

  async answer(request: KubeRequest): Promise<unknown> {
    this.requests.push(request);
    const trouble = await this.trouble(request);
    if (trouble !== undefined) throw trouble;
    expect(request.path).toBe(request.method === 'POST' ? COLLECTION : PATH);
    if (request.method === 'GET') {
      if (this.lease === undefined) throw new KubeError('no lease', { status: 404 });
      return structuredClone(this.lease);
    }
    const body = Body.parse(request.body);
    const conflict =
      request.method === 'POST'
        ? this.lease !== undefined
        : body.metadata.resourceVersion !== this.lease?.metadata.resourceVersion;
    if (conflict) throw new KubeError('somebody was faster', { status: 409 });
    this.#store(body);
    return structuredClone(this.lease);
  }

  #store(body: Body): void {
    this.#version += 1;
    this.lease = { ...body, metadata: { ...body.metadata, resourceVersion: `${this.#version}` } };
  }
}

class Replica {
  readonly events: string[] = [];
  readonly errors: unknown[] = [];
  readonly stop = new AbortController();
  ended = false;
  begun = 0;
  readonly #election;

  constructor(server: LeaseServer, identity = 'me') {
    this.#election = createLeaderElection({
      client: fakeClient({ request: (request) => server.answer(request) }),
      namespace: 'operators',
      name: 'legacy-restore-operator',
      identity,
      onEvent: (event: LeaseEvent) => {
        this.events.push(event.kind === 'standby' ? `standby ${event.holder}` : event.kind);
        if (event.kind === 'failed') this.errors.push(event.error);
      },
    });
  }

  get leads(): boolean {
    return this.#election.writableForMs() > 0;
  }

  get writableForMs(): number {
    return this.#election.writableForMs();
  }

  get sinceLastAttempt(): number {
    return this.#election.sinceLastAttempt();
  }

  get liveness(): readonly string[] {
    return livenessProblems(this.#election);
  }

  run(): this {
    void this.#election
      .run(this.stop.signal, () => {
        this.begun += 1;
      })
      .then(() => {
        this.ended = true;
      });
    return this;
  }
}

const pass = (ms = 0): Promise<void> => jest.advanceTimersByTimeAsync(ms);
const unavailable = () => new KubeError('the API server cannot be reached', { status: 0 });

/** A replica that is the leader. */
async function leading(): Promise<{ server: LeaseServer; me: Replica }> {
  const server = new LeaseServer();
  const me = new Replica(server).run();
  await pass();
  expect([me.leads, me.begun]).toEqual([true, 1]);
  return { server, me };
}

describe('the acquisition', () => {
  test('where there is no lease: it is created', async () => {
    const { server, me } = await leading();
    expect(me.events).toEqual(['acquired']);
    expect(server.requests.at(-1)).toMatchObject({
      method: 'POST',
      body: {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { name: 'legacy-restore-operator' },
        spec: {
          holderIdentity: 'me',
          leaseDurationSeconds: 15,
          acquireTime: '2030-01-01T00:00:00.000000Z',
          renewTime: '2030-01-01T00:00:00.000000Z',
          leaseTransitions: 0,
        },
      },
    });
  });

  test.each([[''], [null]])('where nobody holds it (%p): it is taken at once', async (holder) => {
    const server = new LeaseServer();
    server.hold(holder, { leaseTransitions: 3, strategy: 'x' });
    const me = new Replica(server).run();
    await pass();
    expect([me.events, server.holder, server.lease?.spec['leaseTransitions']]).toEqual([['acquired'], 'me', 4]);
  });

  test('where it is still ours from before: without waiting, and it is no transition', async () => {
    const server = new LeaseServer();
    server.hold('me', { leaseTransitions: 3, acquireTime: '2029-12-31T23:00:00.000000Z' });
    const me = new Replica(server).run();
    await pass();
    expect(me.events).toEqual(['acquired']);
    expect(server.lease?.spec).toMatchObject({ leaseTransitions: 3, acquireTime: '2029-12-31T23:00:00.000000Z' });
  });

  test('what else stands in the lease is kept', async () => {
    const server = new LeaseServer();
    server.hold('');
    server.lease = { ...Body.parse(server.lease), kind: 'Lease', extra: 'kept' };
    new Replica(server).run();
    await pass();
    expect(server.lease).toMatchObject({ kind: 'Lease', extra: 'kept', metadata: { name: 'legacy-restore-operator' } });
  });

  test.each([
    ['creates', undefined],
    ['takes', ''],
  ])('another one %s it at the same time: no error, one is the leader', async (_name, holder) => {
    const server = new LeaseServer();
    if (holder !== undefined) server.hold(holder);
    const replicas = ['me', 'other'].map((identity) => new Replica(server, identity).run());
    await pass(20 * SECOND);
    expect(replicas.filter(({ leads }) => leads)).toHaveLength(1);
    expect(replicas.flatMap(({ events }) => events)).not.toContain('failed');
    expect(replicas.reduce((sum, { begun }) => sum + begun, 0)).toBe(1);
  });

  test('while the API server cannot be reached it is tried without end', async () => {
    const server = new LeaseServer();
    server.trouble = unavailable;
    const me = new Replica(server).run();
    await pass(60 * SECOND);
    expect([me.ended, me.leads, new Set(me.events)]).toEqual([false, false, new Set(['failed'])]);
    expect(me.errors[0]).toBeInstanceOf(KubeError);
    server.trouble = () => undefined;
    await pass(10 * SECOND);
    expect([me.leads, me.events.slice(-2)]).toEqual([true, ['recovered', 'acquired']]);
  });
});

test('an acquisition that outlasts the renew deadline is made again, and told once', async () => {
  const server = new LeaseServer();
  server.hold('');
  server.trouble = async ({ method }) => {
    if (method === 'PUT') await new Promise((resolve) => setTimeout(resolve, 11 * SECOND));
    return undefined;
  };
  const me = new Replica(server).run();
  await pass(11 * SECOND);
  expect([server.holder, me.leads, me.events, me.begun]).toEqual(['me', false, [], 0]);
  server.trouble = () => undefined;
  await pass(3 * SECOND);
  expect([me.leads, me.events, me.begun]).toEqual([true, ['acquired'], 1]);
});

describe('standby', () => {
  test('while the holder renews nothing is written, and the holder is told once', async () => {
    const server = new LeaseServer();
    const other = new Replica(server, 'other').run();
    await pass();
    const me = new Replica(server).run();
    await pass(10 * 60 * SECOND);
    expect(me.events).toEqual(['standby other']);
    expect([other.leads, me.leads, me.writableForMs, me.begun]).toEqual([true, false, 0, 0]);
    expect(server.requests.filter(({ body }) => JSON.stringify(body)?.includes('"me"'))).toEqual([]);
  });

  test.each([
    ['long past', '2000-01-01T00:00:00.000000Z'],
    ['in the future', '2099-01-01T00:00:00.000000Z'],
    ['missing', undefined],
  ])(
    'the lease is taken over when it did not change for 15 s by our clock; its own time is %s',
    async (_name, renewTime) => {
      const server = new LeaseServer();
      const acquireTime = '2000-01-01T00:00:00.000000Z';
      server.hold('gone', { leaseDurationSeconds: 15, leaseTransitions: 1, renewTime, acquireTime });
      const me = new Replica(server).run();
      await pass(15 * SECOND);
      expect([me.leads, server.writes]).toEqual([false, []]);
      await pass(SECOND);
      expect([me.events, server.holder]).toEqual([['standby gone', 'acquired'], 'me']);
      expect(server.lease?.spec).toMatchObject({ leaseTransitions: 2, acquireTime: '2030-01-01T00:00:16.000000Z' });
    },
  );

  test('every change of the lease begins the 15 s again', async () => {
    const server = new LeaseServer();
    server.hold('other');
    const me = new Replica(server).run();
    for (let renewals = 0; renewals < 5; renewals++) {
      await pass(13 * SECOND);
      server.hold('other');
    }
    expect([me.leads, server.writes]).toEqual([false, []]);
    await pass(18 * SECOND);
    expect(me.leads).toBe(true);
  });

  test('a lease that is released is taken in the next round', async () => {
    const server = new LeaseServer();
    const other = new Replica(server, 'other').run();
    await pass();
    const me = new Replica(server).run();
    await pass(10 * SECOND);
    other.stop.abort();
    await pass(2 * SECOND);
    expect([other.ended, other.leads, me.leads]).toEqual([true, false, true]);
  });

  test('a replica that is stopped on standby writes nothing', async () => {
    const server = new LeaseServer();
    server.hold('other');
    const me = new Replica(server).run();
    await pass(3 * SECOND);
    me.stop.abort();
    await pass();
    expect([me.ended, server.writes, jest.getTimerCount()]).toEqual([true, [], 0]);
  });
});

describe('the leader', () => {
  test('is renewed every two seconds, and is told once', async () => {
    const { server, me } = await leading();
    await pass(60 * SECOND);
    expect([me.events, me.begun, me.leads]).toEqual([['acquired'], 1, true]);
    expect(server.writes).toHaveLength(31);
    expect(server.lease?.spec).toMatchObject({
      leaseTransitions: 0,
      acquireTime: '2030-01-01T00:00:00.000000Z',
      renewTime: '2030-01-01T00:01:00.000000Z',
    });
  });

  test('survives conflicts and short trouble', async () => {
    const { server, me } = await leading();
    server.trouble = ({ method }) => (method === 'PUT' ? new KubeError('conflict', { status: 409 }) : undefined);
    await pass(4 * SECOND);
    expect(me.events).toEqual(['acquired']);
    server.trouble = unavailable;
    await pass(4 * SECOND);
    server.trouble = () => undefined;
    await pass(60 * SECOND);
    expect([me.leads, me.events.includes('lost')]).toEqual([true, false]);
  });

  test('nothing may be written from the renew deadline on, to the millisecond; then it is lost for good', async () => {
    const { server, me } = await leading();
    await pass(4 * SECOND);
    server.trouble = unavailable;
    await pass(10 * SECOND - 1);
    expect([me.leads, me.writableForMs]).toEqual([true, 1]);
    await pass(1);
    expect([me.leads, me.writableForMs]).toEqual([false, 0]);
    await pass(2 * SECOND);
    expect([me.ended, me.events.at(-1)]).toEqual([true, 'lost']);
    const sent = server.requests.length;
    server.trouble = () => undefined;
    await pass(60 * SECOND);
    expect([server.requests.length, me.leads, jest.getTimerCount()]).toEqual([sent, false, 0]);
  });

  test('the deadline counts from the start of the renewal, not from its response', async () => {
    const { server, me } = await leading();
    server.trouble = async ({ method }) => {
      if (method === 'PUT') await new Promise((resolve) => setTimeout(resolve, 4 * SECOND));
    };
    await pass(6 * SECOND);
    // The renewal began at 2 s and was answered at 6 s.
    expect(me.writableForMs).toBe(6 * SECOND);
  });

  test('a request that nobody answers is given up in time, and ends in the loss', async () => {
    const { server, me } = await leading();
    server.trouble = ({ timeoutMs = Number.NaN }) =>
      new Promise((resolve) => {
        setTimeout(() => resolve(unavailable()), timeoutMs);
      });
    await pass(10 * SECOND);
    expect(me.leads).toBe(false);
    await pass(6 * SECOND);
    expect([me.ended, me.events.at(-1)]).toEqual([true, 'lost']);
  });

  test('somebody else holds the lease: nothing may be written from that instant, and nothing is', async () => {
    const { server, me } = await leading();
    await pass(4 * SECOND);
    server.hold('usurper');
    const before = server.writes.length;
    await pass(2 * SECOND);
    expect([me.leads, me.ended]).toEqual([false, true]);
    expect(me.events).toEqual(['acquired', 'standby usurper', 'lost']);
    await pass(60 * SECOND);
    me.stop.abort();
    await pass();
    expect([server.writes.length, server.holder]).toEqual([before, 'usurper']);
  });
});

describe('the stop', () => {
  test('releases the lease, so that the next replica need not wait', async () => {
    const { server, me } = await leading();
    await pass(5 * SECOND);
    me.stop.abort();
    await pass();
    expect([me.ended, me.leads]).toEqual([true, false]);
    expect(server.lease?.spec).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1, leaseTransitions: 0 });
    expect([me.events, jest.getTimerCount()]).toEqual([['acquired'], 0]);
  });

  test('in the middle of a renewal releases it, too', async () => {
    const { server, me } = await leading();
    server.trouble = ({ signal }) =>
      signal === undefined
        ? undefined
        : new Promise((resolve) => {
            signal.addEventListener('abort', () => resolve(signal.reason));
          });
    await pass(2 * SECOND);
    me.stop.abort(new Error('the end'));
    await pass();
    expect([me.ended, server.holder, me.events]).toEqual([true, '', ['acquired']]);
  });

  test('after the deadline is a stop, not a loss', async () => {
    const { server, me } = await leading();
    server.trouble = ({ signal }) =>
      new Promise((resolve) => {
        signal?.addEventListener('abort', () => resolve(signal.reason));
      });
    await pass(12 * SECOND);
    expect(me.leads).toBe(false);
    me.stop.abort(new Error('the end'));
    await pass();
    expect([me.ended, me.events, server.writes]).toEqual([true, ['acquired'], ['POST']]);
  });

  test('leaves a lease alone that has passed on', async () => {
    const { server, me } = await leading();
    server.hold('usurper');
    me.stop.abort();
    await pass();
    expect([me.ended, server.holder]).toEqual([true, 'usurper']);
  });

  test('is not held up by an API server that fails', async () => {
    const { server, me } = await leading();
    server.trouble = unavailable;
    me.stop.abort();
    await pass();
    expect([me.ended, me.leads, me.events]).toEqual([true, false, ['acquired', 'failed']]);
  });

  test('before the start: nothing is asked', async () => {
    const server = new LeaseServer();
    const me = new Replica(server);
    me.stop.abort();
    me.run();
    await pass();
    expect([me.ended, server.requests]).toEqual([true, []]);
  });
});

test('a loop that hangs is seen by the time since its last attempt, one whose requests fail is not', async () => {
  const { server, me } = await leading();
  await pass(61 * SECOND);
  expect([me.sinceLastAttempt, me.liveness]).toEqual([SECOND, []]);
  server.trouble = () => new Promise(() => {});
  await pass(SECOND + 45 * SECOND);
  expect([me.sinceLastAttempt, me.liveness]).toEqual([45 * SECOND, []]);
  await pass(1);
  expect(me.liveness).toEqual(['the loop that renews the lease hangs']);

  const failing = new LeaseServer();
  failing.trouble = unavailable;
  const other = new Replica(failing).run();
  await pass(120 * SECOND);
  expect(other.liveness).toEqual([]);
});

test('without an election there is nothing that could hang', () => {
  expect(livenessProblems(undefined)).toEqual([]);
});
