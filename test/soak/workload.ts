/** Jobs that change all the time, and resources that people create, edit, delete and create again meanwhile. */
import { setTimeout as delay } from 'node:timers/promises';
import { REQUESTED_AT } from '../../src/api/legacy-restore-job.ts';
import type { JobIdentity } from '../support/atlas-simulator/jobs.ts';
import { youngJob } from '../support/atlas-simulator/recorded-bodies.ts';
import { resourcesOf } from './cluster.ts';
import { CREDENTIALS, type CredentialsSecret } from './credentials.ts';
import type { Environment } from './environment.ts';
import type { ExpectedState } from './expected-state.ts';
import { chooseEnding, runningBody } from './job-lives.ts';
import type { Random } from './random.ts';

/** A resource that exists. */
export interface ExpectedResource {
  readonly namespace: string;
  readonly name: string;
  readonly job: JobIdentity;
  readonly deliverySecretName: string | undefined;
  /** Value of the annotation that requests a reconcile; undefined when nobody ever asked. */
  readonly requestedAt: string | undefined;
}

export interface Workload {
  /** Creates all resources. */
  readonly populate: () => Promise<void>;
  /** Lets everything change until it is over; resolves when the last change has been carried out. */
  readonly run: (over: AbortSignal) => Promise<void>;
  /** What exists now. */
  readonly resources: () => readonly ExpectedResource[];
  /** How often people did something to a resource, by what it was. */
  readonly userActions: () => ReadonlyMap<UserAction, number>;
}

export const USER_ACTIONS = ['created', 'deleted', 'edited', 'suspended', 'requested a reconcile'] as const;
export type UserAction = (typeof USER_ACTIONS)[number];

export interface WorkloadOptions {
  readonly environment: Environment;
  readonly expectedState: ExpectedState;
  readonly random: Random;
  readonly resources: number;
}

/** So many resources are created at once. */
const CREATE_AT_ONCE = 20;
/** Every tenth job is named by two resources. */
const TWINS = 0.1;
/** So few clusters that each has several open jobs of each credential, which are polled by a list. */
const RESOURCES_PER_CLUSTER = 60;

export function createWorkload({ environment, expectedState, random, resources: count }: WorkloadOptions): Workload {
  const existing = new Map<string, ExpectedResource>();
  const lastCluster = Math.floor(count / RESOURCES_PER_CLUSTER);
  const userActions = new Map<UserAction, number>(USER_ACTIONS.map((action) => [action, 0]));
  const note = (action: UserAction): void => void userActions.set(action, (userActions.get(action) ?? 0) + 1);
  const lives = placesOf(count, random).map((places, index) => live(places, random.fork(`life ${index}`)));

  // What people do

  async function create(place: Place, job: JobIdentity, interval: string): Promise<void> {
    const { namespace, name, credentials, deliverySecretName } = place;
    existing.set(keyOf(place), { namespace, name, job, deliverySecretName, requestedAt: undefined });
    await environment.cluster.create(resourcesOf(namespace), {
      apiVersion: 'atlasrestore.dev/v1',
      kind: 'LegacyRestoreJob',
      metadata: { name },
      spec: {
        ...job,
        credentialsSecretRef: { name: credentials.name },
        interval,
        ...(deliverySecretName === undefined ? {} : { deliverySecretName }),
      },
    });
    note('created');
  }

  async function remove(place: Place): Promise<void> {
    await environment.cluster.delete(resourcesOf(place.namespace), place.name);
    existing.delete(keyOf(place));
    note('deleted');
  }

  async function edit(place: Place, spec: Readonly<Record<string, unknown>>, action: UserAction): Promise<void> {
    await environment.cluster.patch(resourcesOf(place.namespace), place.name, { spec });
    note(action);
  }

  async function ask(place: Place, requestedAt: string): Promise<void> {
    const known = existing.get(keyOf(place));
    if (known !== undefined) existing.set(keyOf(place), { ...known, requestedAt });
    const metadata = { annotations: { [REQUESTED_AT]: requestedAt } };
    await environment.cluster.patch(resourcesOf(place.namespace), place.name, { metadata });
    note('requested a reconcile');
  }

  // A life: it yields how long it rests, in milliseconds, and may be ended at any rest.

  /** One job after the other, each with the same resources. */
  async function* live(places: readonly Place[], seed: Random): AsyncGenerator<number, void> {
    for (let generation = 0; ; generation++) {
      const own = seed.fork(`generation ${generation}`);
      const clusterName = `Cluster${own.int(0, lastCluster)}`;
      const job: JobIdentity = { groupId: groupOf(places), clusterName, jobId: own.hex(24) };
      expectedState.set(job, youngJob(job));
      for (const place of places) await create(place, job, own.pick(['10s', '10s', '11s']));
      yield own.int(4_000, 14_000);
      yield* run(job, places, own);
      const ending = chooseEnding(own);
      yield* ending({
        job,
        expectedState,
        random: own,
        // Nobody looks at a finished download for ten minutes, by design: whoever wants to know earlier asks.
        ask: async () => {
          for (const place of places) await ask(place, own.hex(8));
        },
      });
      yield own.int(15_000, 45_000);
      for (const place of places) await remove(place);
      // Created again at once under the same name, or after a while.
      yield own.pick([0, 0, 3_000]);
    }
  }

  /** The job is running: most of its changes happen now. */
  async function* run(job: JobIdentity, places: readonly Place[], own: Random): AsyncGenerator<number, void> {
    const changes = own.chance(0.1) ? 1_000 : own.int(1, 5);
    for (let change = 1; change <= changes; change++) {
      expectedState.set(job, runningBody(job, change, own));
      yield own.int(3_000, 14_000);
      if (own.chance(0.1)) await edit(own.pick(places), { interval: own.pick(['10s', '11s', '12s']) }, 'edited');
      if (own.chance(0.05)) yield* suspend(own.pick(places), own);
    }
  }

  async function* suspend(place: Place, own: Random): AsyncGenerator<number, void> {
    await edit(place, { suspend: true }, 'suspended');
    try {
      yield own.int(2_000, 12_000);
    } finally {
      await edit(place, { suspend: false }, 'edited');
    }
  }

  return {
    populate: async () => {
      for (let start = 0; start < lives.length; start += CREATE_AT_ONCE) {
        await Promise.all(lives.slice(start, start + CREATE_AT_ONCE).map((life) => life.next()));
      }
    },
    run: async (over) => {
      await Promise.all(lives.map((life, index) => letLive(life, random.fork(`start ${index}`), over)));
    },
    resources: () => [...existing.values()],
    userActions: () => userActions,
  };
}

/** Where a resource is, again and again. */
interface Place {
  readonly namespace: string;
  readonly name: string;
  readonly credentials: CredentialsSecret;
  readonly deliverySecretName: string | undefined;
}

const keyOf = ({ namespace, name }: Place): string => `${namespace}/${name}`;

function groupOf(places: readonly Place[]): string {
  const [first] = places;
  if (first === undefined) throw new Error('a job without a resource');
  return first.credentials.groupId;
}

/** The places of each life: `count` altogether. */
function placesOf(count: number, seed: Random): readonly (readonly Place[])[] {
  const random = seed.fork('places');
  const lives: Place[][] = [];
  for (let placed = 0; placed < count; placed++) {
    const last = lives.at(-1);
    const isTwin = last?.length === 1 && random.chance(TWINS);
    const credentials = random.pick(
      isTwin ? CREDENTIALS.filter(({ groupId }) => groupId === groupOf(last)) : CREDENTIALS,
    );
    const name = `job-${placed}`;
    const deliverySecretName = random.chance(0.3) ? `${name}-download` : undefined;
    const place: Place = { namespace: credentials.namespace, name, credentials, deliverySecretName };
    if (isTwin) last.push(place);
    else lives.push([place]);
  }
  return lives;
}

/** Lets a life that has been created go on until it is over. */
async function letLive(life: AsyncGenerator<number, void>, random: Random, over: AbortSignal): Promise<void> {
  // The rest that follows its creation has passed long ago: not all of them go on in the same moment.
  await rest(random.int(0, 10_000), over);
  if (over.aborted) return;
  for await (const ms of life) {
    await rest(ms, over);
    // Leaving the loop carries out what the life still has to put right.
    if (over.aborted) return;
  }
}

const rest = (ms: number, over: AbortSignal): Promise<void> =>
  delay(ms, undefined, { signal: over }).catch(() => undefined);
