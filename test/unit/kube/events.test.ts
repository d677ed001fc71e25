import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { KubeRequest } from '../../../src/kube/client.ts';
import { KubeError } from '../../../src/kube/errors.ts';
import {
  createEventRecorder,
  type EventContent,
  type EventRecorder,
  type ObjectReference,
} from '../../../src/kube/events.ts';
import { fakeClient } from '../support/fake-client.ts';

const MINUTE = 60_000;
const COLLECTION = '/apis/events.k8s.io/v1/namespaces/payments/events';
const EVENT = { apiVersion: 'events.k8s.io/v1', kind: 'Event' };
const WARNING: EventContent = { type: 'Warning', reason: 'Unauthorized', note: 'Atlas answered 401.' };

const reference = (more: Partial<ObjectReference> = {}): ObjectReference => ({
  apiVersion: 'example.org/v1',
  kind: 'Thing',
  name: 'cluster0-friday',
  namespace: 'payments',
  uid: 'uid-1',
  ...more,
});

interface Setup {
  readonly recorder: EventRecorder;
  readonly requests: readonly KubeRequest[];
  readonly failures: unknown[];
  /** How many writes went well. */
  written: number;
  /** Records an event and waits until it is written. */
  readonly record: (event?: EventContent, about?: ObjectReference) => Promise<void>;
  /** The wall clock. */
  now: number;
  /** Lets time pass on both clocks. */
  readonly pass: (ms: number) => void;
}

function setup(
  answer: (request: KubeRequest) => unknown = () => ({}),
  instance = 'replica-1',
  signal = new AbortController().signal,
): Setup {
  const client = fakeClient({ request: answer });
  const failures: unknown[] = [];
  let uptime = 0;
  const recorder = createEventRecorder({
    client,
    signal,
    controller: 'example.org/some-operator',
    instance,
    action: 'Mirror',
    onWritten: () => {
      world.written += 1;
    },
    onFailed: (error) => failures.push(error),
    now: () => world.now,
    monotonicNow: () => uptime,
  });
  const world: Setup = {
    recorder,
    requests: client.requests,
    failures,
    written: 0,
    record: async (event = WARNING, about = reference()) => {
      recorder.record(about, event);
      await recorder.drain();
    },
    now: Date.parse('2030-01-01T00:00:00.123Z'),
    pass: (ms) => {
      world.now += ms;
      uptime += ms;
    },
  };
  return world;
}

const methods = ({ requests }: Setup): string => requests.map(({ method }) => method).join(' ');
function bodyOf(request: KubeRequest | undefined): Readonly<Record<string, unknown>> {
  return { ...Object(request?.body) };
}

describe('an event', () => {
  test('is about the resource, as the API group wants it', async () => {
    const world = setup();
    await world.record();
    expect(world.requests).toEqual([
      {
        method: 'POST',
        path: COLLECTION,
        returns: EVENT,
        body: {
          apiVersion: 'events.k8s.io/v1',
          kind: 'Event',
          metadata: { name: expect.stringMatching(/^cluster0-friday\.[0-9a-f-]{36}$/), namespace: 'payments' },
          eventTime: '2030-01-01T00:00:00.123000Z',
          reportingController: 'example.org/some-operator',
          reportingInstance: 'replica-1',
          action: 'Mirror',
          type: 'Warning',
          reason: 'Unauthorized',
          note: 'Atlas answered 401.',
          regarding: {
            apiVersion: 'example.org/v1',
            kind: 'Thing',
            name: 'cluster0-friday',
            namespace: 'payments',
            uid: 'uid-1',
          },
        },
      },
    ]);
  });

  test('has a name that the API server takes, however long that of the resource', async () => {
    const world = setup();
    for (const name of [
      'a'.repeat(253),
      `${'a'.repeat(199)}-${'b'.repeat(53)}`,
      `${'a'.repeat(198)}.-${'b'.repeat(50)}`,
    ])
      await world.record(WARNING, reference({ name, uid: name }));
    expect(methods(world)).toBe('POST POST POST');
    for (const request of world.requests) {
      const name = String(Object(bodyOf(request)['metadata'])['name']);
      expect(name.length).toBeLessThanOrEqual(253);
      expect(name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);
    }
  });

  test('of a process with a long name is cut where the API server cuts', async () => {
    const world = setup(undefined, 'x'.repeat(200));
    await world.record();
    expect(bodyOf(world.requests[0])['reportingInstance']).toHaveLength(128);
  });

  test('whose note is too long is cut at a character', async () => {
    const noteOf = async (note: string) => {
      const world = setup();
      await world.record({ ...WARNING, note });
      return String(bodyOf(world.requests[0])['note']);
    };
    expect(await noteOf('x'.repeat(1_024))).toBe('x'.repeat(1_024));
    expect(await noteOf('x'.repeat(1_025))).toMatch(/^x{1000,}…$/);
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', minLength: 200, maxLength: 700 }), async (text) => {
        const full = text.replaceAll('\uFFFD', '').toWellFormed().replaceAll('\uFFFD', '');
        const note = await noteOf(full);
        expect(Buffer.byteLength(note)).toBeLessThanOrEqual(1_024);
        expect(note).not.toContain('\uFFFD');
        const kept = note === full ? note : note.slice(0, -1);
        expect(full.startsWith(kept)).toBe(true);
        // Nothing is cut without need.
        if (note !== full) expect(Buffer.byteLength(kept)).toBeGreaterThan(1_010);
      }),
    );
  });
});

describe('the same event again', () => {
  test('is counted instead of written', async () => {
    const world = setup();
    await world.record();
    world.pass(MINUTE);
    await world.record();
    world.pass(MINUTE);
    await world.record();
    const path = `${COLLECTION}/${String(Object(bodyOf(world.requests[0])['metadata'])['name'])}`;
    expect(world.requests.slice(1)).toEqual([
      {
        method: 'PATCH',
        path,
        returns: EVENT,
        contentType: 'application/merge-patch+json',
        body: { series: { count: 2, lastObservedTime: '2030-01-01T00:01:00.123000Z' } },
      },
      {
        method: 'PATCH',
        path,
        returns: EVENT,
        contentType: 'application/merge-patch+json',
        body: { series: { count: 3, lastObservedTime: '2030-01-01T00:02:00.123000Z' } },
      },
    ]);
  });

  test.each<[string, EventContent, ObjectReference]>([
    ['with another note', { ...WARNING, note: 'x' }, reference()],
    ['with another reason', { ...WARNING, reason: 'Forbidden' }, reference()],
    ['of another type', { ...WARNING, type: 'Normal' }, reference()],
    ['about another resource', WARNING, reference({ name: 'other', uid: 'uid-2' })],
    ['about a resource of the same name', WARNING, reference({ uid: 'uid-2' })],
  ])('%s is another event', async (_name, event, about) => {
    const world = setup();
    await world.record();
    await world.record(event, about);
    expect(methods(world)).toBe('POST POST');
  });

  test('after six minutes of silence is a new event, before that each one prolongs the series', async () => {
    const world = setup();
    await world.record();
    for (const wait of [6 * MINUTE - 1, 6 * MINUTE - 1, 6 * MINUTE]) {
      world.pass(wait);
      await world.record();
    }
    expect(methods(world)).toBe('POST PATCH PATCH POST');
  });

  test('is counted by the time that passed, whatever happens to the wall clock', async () => {
    const world = setup();
    await world.record();
    world.now += 60 * MINUTE;
    await world.record();
    world.now -= 120 * MINUTE;
    world.pass(6 * MINUTE);
    await world.record();
    expect(methods(world)).toBe('POST PATCH POST');
  });

  test('whose series somebody deleted is a new event, which is counted again', async () => {
    let gone = true;
    const world = setup(({ method }) => {
      if (method === 'PATCH' && gone) throw new KubeError('no such event', { status: 404 });
      return {};
    });
    await world.record();
    await world.record();
    gone = false;
    await world.record();
    expect(methods(world)).toBe('POST PATCH POST PATCH');
    expect(bodyOf(world.requests[3])).toMatchObject({ series: { count: 2 } });
    expect(world.failures).toEqual([]);
    // The event that had to be created again is one.
    expect(world.written).toBe(3);
  });

  test('is remembered for the last 2,000 events', async () => {
    const world = setup();
    for (let note = 0; note <= 2_000; note++) world.recorder.record(reference(), { ...WARNING, note: `${note}` });
    await world.recorder.drain();
    await world.record({ ...WARNING, note: '1' });
    await world.record({ ...WARNING, note: '0' });
    expect(world.requests.slice(2_001).map(({ method }) => method)).toEqual(['PATCH', 'POST']);
  });
});

test('an event that came again is not the first to be forgotten', async () => {
  const world = setup();
  for (let note = 0; note < 2_000; note++) world.recorder.record(reference(), { ...WARNING, note: `${note}` });
  await world.recorder.drain();
  world.pass(6 * MINUTE);
  for (const note of ['0', 'one more', '0']) await world.record({ ...WARNING, note });
  expect(world.requests.slice(2_000).map(({ method }) => method)).toEqual(['POST', 'POST', 'PATCH']);
});

describe('an event that cannot be written', () => {
  test.each(['POST', 'PATCH'])('by %s is reported, not thrown, and holds up no other', async (method) => {
    const problem = new KubeError('the API server answered 403', { status: 403 });
    const world = setup((request) => {
      if (request.method === method) throw problem;
      return {};
    });
    await world.record();
    await world.record();
    await world.record({ ...WARNING, note: 'other' });
    expect(world.failures).toContain(problem);
    expect(world.requests).toHaveLength(3);
  });

  test('drain waits for those under way, failed ones too', async () => {
    const answers: PromiseWithResolvers<unknown>[] = [];
    const world = setup(() => {
      const answer = Promise.withResolvers<unknown>();
      answers.push(answer);
      return answer.promise;
    });
    world.recorder.record(reference(), WARNING);
    world.recorder.record(reference(), { ...WARNING, note: 'other' });
    let drained = false;
    const draining = world.recorder.drain().then(() => {
      drained = true;
    });
    answers[0]?.resolve({});
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    expect(drained).toBe(false);
    answers[1]?.reject(new KubeError('x', { status: 0 }));
    await draining;
    expect(world.failures).toHaveLength(1);
    expect(world.written).toBe(1);
  });
});

describe('events that come faster than they can be written', () => {
  /** A recorder whose writes each wait until they are let go, in order. */
  function slow(signal?: AbortSignal) {
    const answers: PromiseWithResolvers<unknown>[] = [];
    const world = setup(
      () => {
        const answer = Promise.withResolvers<unknown>();
        answers.push(answer);
        return answer.promise;
      },
      'replica-1',
      signal,
    );
    const record = (count: number): void => {
      for (let note = 0; note < count; note++) world.recorder.record(reference(), { ...WARNING, note: `${note}` });
    };
    const notes = () => world.requests.map((request) => bodyOf(request)['note']);
    const settle = async (): Promise<void> => {
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    };
    return { world, answers, record, notes, settle };
  }

  test('are written four at a time, in the order in which they came', async () => {
    const { answers, record, notes, settle } = slow();
    record(6);
    expect(notes()).toEqual(['0', '1', '2', '3']);
    answers[2]?.resolve({});
    await settle();
    expect(notes()).toEqual(['0', '1', '2', '3', '4']);
    answers[0]?.reject(new KubeError('x', { status: 0 }));
    await settle();
    expect(notes()).toEqual(['0', '1', '2', '3', '4', '5']);
  });

  test('are given up when more than 50,000 wait, and told of', () => {
    const { world, record } = slow();
    record(50_004);
    expect(world.failures).toEqual([]);
    record(1);
    expect(world.failures).toEqual([expect.objectContaining({ message: 'too many events wait to be written' })]);
  });

  test('are given up when the signal is aborted: nobody waits for them any more', async () => {
    const stop = new AbortController();
    const { world, answers, record, settle } = slow(stop.signal);
    record(6);
    const drained = world.recorder.drain();
    stop.abort(new Error('stopped'));
    await drained;
    answers[0]?.resolve({});
    await settle();
    expect(world.requests).toHaveLength(4);
  });
});
