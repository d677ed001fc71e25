/** The one table of what goes wrong during the soak: how each kind begins, how it ends, and how long it lasts. */
import { gzipSync } from 'node:zlib';
import type { ProxiedRequest } from '../support/api-server-proxy.ts';
import {
  failing,
  invalidUtf8,
  otherItems,
  oversized,
  rateLimited,
  truncatedJson,
  wrongContentLength,
} from '../support/atlas-simulator/fault-samples.ts';
import type { Fault, FaultMatch, FaultMoment } from '../support/atlas-simulator/faults.ts';
import type { JsonObject } from '../support/atlas-simulator/json.ts';
import { SECRET_PREFIX } from '../support/etcd.ts';
import { eventually } from '../support/eventually.ts';
import { grantRights, OPERATOR } from '../support/installation.ts';
import { CREDENTIALS, NAMESPACES } from './credentials.ts';
import type { Environment } from './environment.ts';
import type { Random } from './random.ts';
import type { Replica } from './replicas.ts';

/** Where it goes wrong. At most one fault of a place lasts at a time, so that the end of one is not the end of another. */
export const PLACES = ['API server', 'Atlas', 'operator', 'credentials'] as const;
export type Place = (typeof PLACES)[number];

export interface FaultKind {
  readonly name: string;
  readonly place: Place;
  /** The shortest and the longest time between its beginning and its end, in milliseconds. */
  readonly lastsMs: readonly [number, number];
  /** Whether an operator restarts after it, which reconciles everything again and hides what other faults have broken. */
  readonly restarts: boolean;
  readonly begin: (environment: Environment, random: Random) => Promise<ActiveFault>;
}

export interface ActiveFault {
  readonly end: () => Promise<void>;
}

/** Seconds as a range in milliseconds. */
const seconds = (from: number, to: number): readonly [number, number] => [from * 1_000, to * 1_000];
const AT_ONCE = seconds(0, 0);

export const FAULTS: readonly FaultKind[] = [
  // The API server and the way to it
  fault('API server killed', 'API server', seconds(0, 3), async ({ controlPlane, startOrUnreadable }) => {
    const leave = await startOrUnreadable.enter();
    await controlPlane.killApiServer('SIGKILL');
    return async () => {
      await controlPlane.startApiServer();
      leave();
    };
  }),
  fault('connections reset', 'API server', AT_ONCE, ({ apiProxy }) => {
    apiProxy.resetAll();
    return nothing;
  }),
  fault('open connections silent forever', 'API server', AT_ONCE, ({ apiProxy }) => {
    apiProxy.freezeOpen();
    return nothing;
  }),
  fault('black hole', 'API server', seconds(2, 6), ({ apiProxy }) => {
    apiProxy.blackHole();
    return () => apiProxy.thaw();
  }),
  // Nobody can renew the lease for longer than 10 s.
  restarting('black hole until the leader gives up', 'API server', seconds(12, 16), ({ apiProxy }) => {
    apiProxy.blackHole();
    return () => apiProxy.thaw();
  }),
  fault('answers in tiny pieces', 'API server', seconds(3, 6), ({ apiProxy }, random) => {
    apiProxy.cutInto(random.int(20, 200));
    apiProxy.resetAll();
    return () => {
      apiProxy.cutInto(0);
      apiProxy.resetAll();
    };
  }),
  fault('connections die in the middle', 'API server', seconds(3, 8), ({ apiProxy }, random) => {
    apiProxy.resetAfter(random.int(4, 100) * 1_000);
    apiProxy.resetAll();
    return () => apiProxy.resetAfter(undefined);
  }),
  fault('rights withdrawn', 'API server', seconds(2, 6), async ({ cluster, controlPlane }) => {
    const bindings = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings';
    await cluster.delete(bindings, OPERATOR.name);
    await cluster.delete(bindings, `${OPERATOR.name}-delivery-secrets`);
    return () => eventually('the rights are given back', () => grantRights(controlPlane));
  }),
  fault('status writes refused by a policy', 'API server', seconds(4, 9), async ({ cluster }, random) => {
    const name = 'refuse-status';
    const reason = random.pick(['Forbidden', 'Invalid']);
    await cluster.create(POLICIES, { metadata: { name }, spec: refuseStatus(reason) });
    const spec = { policyName: name, validationActions: ['Deny'] };
    await cluster.create(POLICY_BINDINGS, { metadata: { name }, spec });
    return async () => {
      await cluster.delete(POLICY_BINDINGS, name);
      await cluster.delete(POLICIES, name);
    };
  }),
  gatewayPages(
    'status writes',
    seconds(3, 8),
    ({ method, target }) => method === 'PATCH' && target.includes('/status'),
  ),
  gatewayPages('lists and watches', seconds(3, 8), ({ kind }) => kind !== 'other'),
  gatewayPages('leases', seconds(3, 7), isLeaseRequest),
  // Of no effect in runs that list and watch all namespaces at once.
  fault('one namespace cannot be listed', 'API server', seconds(3, 8), ({ gateway, apiProxy }, random) => {
    const collection = `/namespaces/${random.pick(NAMESPACES)}/legacyrestorejobs?`;
    const remove = gateway.answer(({ target }) => target.includes(collection), 'forbidden');
    apiProxy.resetAll();
    return remove;
  }),
  {
    ...gatewayPages('leases until the leader gives up', seconds(12, 16), isLeaseRequest, 1),
    restarts: true,
  },

  // Atlas's answers. None of them is a permanent error: those are asked again after up to an hour, by design.
  answers('5xx', seconds(3, 8), (random) => failing(random.pick([500, 502, 503, 504]), 'UNEXPECTED_ERROR')),
  answers('429 with Retry-After', seconds(2, 4), (random) => rateLimited(String(random.int(1, 4)))),
  answers('429 with a wait in its body', seconds(2, 4), (random) => rateLimited(undefined, random.int(1, 4))),
  answers('429 with a wait of no time', seconds(2, 4), () => rateLimited('0', 0)),
  answers('503 with Retry-After', seconds(2, 4), (random) => ({
    kind: 'status',
    status: 503,
    headers: { 'Retry-After': String(random.int(1, 4)) },
  })),
  answers('stalls', seconds(3, 6), (random) => ({
    kind: 'stall',
    phase: random.pick(['accept', 'headers', 'body'] as const),
  })),
  answers('resets', seconds(3, 6), (random) => ({
    kind: 'reset',
    phase: random.pick(['before-answer', 'mid-body'] as const),
  })),
  answers('slow, some of them too slow', seconds(3, 6), (random) => ({ kind: 'delay', ms: random.int(500, 3_000) })),
  answers('pages of a proxy', seconds(3, 6), (random) =>
    random.chance(0.5)
      ? { kind: 'html', status: random.pick([200, 502]) }
      : { kind: 'redirect', location: 'https://login.example.com/' },
  ),
  answers('answers that are no JSON', seconds(3, 6), (random) => random.pick(GARBAGE)),
  answers('bodies in an encoding that nobody asked for', seconds(3, 6), () => ENCODED),
  answers('answers with more than is known', seconds(3, 6), () => MORE_THAN_KNOWN),
  answers('token endpoint fails', seconds(3, 6), (random) => failing(random.pick([500, 503]), 'UNEXPECTED_ERROR'), {
    kind: 'token',
  }),
  answers('lists fail', seconds(5, 12), (random) => random.pick(FAILING_LISTS), { kind: 'list' }),
  answers('lists lie', seconds(5, 12), (random) => random.pick(LYING_LISTS)(), { kind: 'list' }, 'after-auth'),
  fault('short pages of lists', 'Atlas', seconds(5, 12), ({ atlas }, random) => {
    atlas.configure({ longestPage: random.int(1, 5), pageLinks: random.chance(0.5), totalCountError: -3 });
    return () => atlas.configure({ longestPage: 500, pageLinks: true, totalCountError: 0 });
  }),
  fault('rate limit', 'Atlas', seconds(4, 8), ({ atlas }) => {
    atlas.configure({ rateLimit: { capacity: 20, refill: 20, periodSeconds: 3 } });
    return () => atlas.configure({ rateLimit: 'documented' });
  }),
  fault('nonces forgotten', 'Atlas', AT_ONCE, ({ atlas }) => {
    atlas.expireNonces();
    return nothing;
  }),
  fault('tokens revoked', 'Atlas', AT_ONCE, ({ atlas, credentials }) => {
    for (const clientId of credentials.clientIds()) atlas.revokeAllTokens(clientId);
    return nothing;
  }),
  fault('connections reset', 'Atlas', AT_ONCE, ({ atlasProxy }) => {
    atlasProxy.resetAll();
    return nothing;
  }),
  fault('open connections silent forever', 'Atlas', AT_ONCE, ({ atlasProxy }) => {
    atlasProxy.freezeOpen();
    return nothing;
  }),
  fault('black hole', 'Atlas', seconds(3, 10), ({ atlasProxy }) => {
    atlasProxy.blackHole();
    return () => atlasProxy.thaw();
  }),

  // The operator's own processes
  restarting('leader killed', 'operator', AT_ONCE, async (environment) => {
    const leader = await leaderOf(environment);
    await leader.kill();
    return nothing;
  }),
  restarting('leader told to stop', 'operator', AT_ONCE, async (environment) => {
    const leader = await leaderOf(environment);
    await leader.tellToStop();
    return nothing;
  }),
  restarting('leader frozen for a moment', 'operator', seconds(2, 7), async (environment) => {
    const leader = await leaderOf(environment);
    await leader.freeze();
    return () => leader.thaw();
  }),
  // A lease is good for 15 s: the other replica leads when this one wakes up.
  restarting('leader frozen until another leads', 'operator', seconds(18, 23), async (environment) => {
    const leader = await leaderOf(environment);
    await leader.freeze();
    return () => leader.thaw();
  }),
  restarting('standby killed', 'operator', AT_ONCE, async ({ replicas }) => {
    await replicas.standby()?.kill();
    return nothing;
  }),
  restarting('lease deleted', 'operator', AT_ONCE, async ({ cluster }) => {
    await cluster.delete(`/apis/coordination.k8s.io/v1/namespaces/${OPERATOR.namespace}/leases`, OPERATOR.name);
    return nothing;
  }),
  // Never ahead and not far back: one that is ahead takes a download for expired, and one that is put right after it was
  // back looks at `expires` so much later.
  fault('wall clock set back', 'operator', seconds(5, 15), async ({ shiftClock }, random) => {
    await shiftClock(-random.int(10, 60) * 1_000);
    return () => shiftClock(0);
  }),

  // The Secrets with the credentials
  fault('rotated at Atlas first', 'credentials', seconds(1, 5), ({ credentials }, random) => {
    const { finish } = credentials.rotate(random.pick(CREDENTIALS), random);
    return finish;
  }),
  fault('Secret deleted and created again', 'credentials', seconds(1, 5), async ({ credentials }, random) => {
    const secret = random.pick(CREDENTIALS);
    await credentials.deleteSecret(secret);
    return () => credentials.createSecret(secret);
  }),
  fault('Secret without its key', 'credentials', seconds(1, 5), async ({ credentials }, random) => {
    const secret = random.pick(CREDENTIALS);
    await credentials.damage(secret);
    return () => credentials.repair(secret);
  }),
  // Values that were read before are used for half a minute, and the failure is told after as long again.
  fault('Secret unreadable in etcd', 'credentials', seconds(25, 65), async ({ etcd, startOrUnreadable }, random) => {
    const { namespace, name } = random.pick(CREDENTIALS);
    const leave = await startOrUnreadable.enter();
    const key = `${SECRET_PREFIX}${namespace}/${name}`;
    const readable = await etcd.getBytes(key);
    await etcd.put(key, 'garbage');
    return async () => {
      await etcd.put(key, readable);
      leave();
    };
  }),
];

type End = () => Promise<void> | void;

/** It is over as soon as it has begun, or needs no hand to end. */
const nothing: End = () => {};

function fault(
  name: string,
  place: Place,
  lastsMs: FaultKind['lastsMs'],
  begin: (environment: Environment, random: Random) => Promise<End> | End,
): FaultKind {
  return {
    name: `${place}: ${name}`,
    place,
    lastsMs,
    restarts: false,
    begin: async (environment, random) => {
      const end = await begin(environment, random);
      return { end: async () => end() };
    },
  };
}

function restarting(...args: Parameters<typeof fault>): FaultKind {
  return { ...fault(...args), restarts: true };
}

/** The simulator answers all requests, or those that match, like this. */
function answers(
  name: string,
  lastsMs: FaultKind['lastsMs'],
  draw: (random: Random) => Fault,
  match: FaultMatch = {},
  when: FaultMoment = 'before-auth',
): FaultKind {
  return fault(name, 'Atlas', lastsMs, ({ atlas }, random) => {
    const added = atlas.faults.add({ match, when, fault: draw(random) });
    return () => added.remove();
  });
}

const ADMISSION = '/apis/admissionregistration.k8s.io/v1';
const POLICIES = `${ADMISSION}/validatingadmissionpolicies`;
const POLICY_BINDINGS = `${ADMISSION}/validatingadmissionpolicybindings`;

const refuseStatus = (reason: string) => ({
  failurePolicy: 'Fail',
  matchConstraints: {
    resourceRules: [
      {
        apiGroups: ['atlasrestore.dev'],
        apiVersions: ['*'],
        operations: ['UPDATE'],
        resources: ['legacyrestorejobs/status'],
      },
    ],
  },
  validations: [{ expression: 'false', reason, message: 'no status is written now' }],
});

/** A gateway in front of the API server wants somebody to sign in: it answers a share of the requests that match. */
function gatewayPages(
  what: string,
  lastsMs: FaultKind['lastsMs'],
  matches: (request: ProxiedRequest) => boolean,
  share = 0.7,
): FaultKind {
  return fault(`pages of a gateway for ${what}`, 'API server', lastsMs, ({ gateway, apiProxy }, random) => {
    const how = random.pick(['redirect', 'page'] as const);
    const remove = gateway.answer((request) => matches(request) && random.chance(share), how);
    // A watch that is open would hear nothing of it.
    apiProxy.resetAll();
    return remove;
  });
}

function isLeaseRequest({ target }: ProxiedRequest): boolean {
  return target.includes('/leases');
}

/** Some job's: were any of it mirrored, that resource would stay different from Atlas. */
const STRANGE_JOB: JsonObject = { id: '0'.repeat(24), statusName: 'KILLED', delivery: { methodName: 'HTTP' } };

const GARBAGE: readonly Fault[] = [
  truncatedJson(STRANGE_JOB),
  invalidUtf8(),
  // More than is ever read.
  oversized(STRANGE_JOB, 9 * 1_024 * 1_024),
  wrongContentLength(STRANGE_JOB, 10),
  wrongContentLength(STRANGE_JOB, -10),
  { kind: 'body', body: '' },
  { kind: 'body', body: 'null' },
  { kind: 'body', body: '[]' },
  { kind: 'body', body: '{}' },
];

const FAILING_LISTS: readonly Fault[] = [
  failing(500, 'UNEXPECTED_ERROR'),
  failing(403, 'ACCESS_FORBIDDEN'),
  rateLimited('1'),
  { kind: 'html', status: 200 },
  { kind: 'stall', phase: 'body' },
  oversized({ results: [] }, 9 * 1_024 * 1_024),
  { kind: 'body', body: JSON.stringify({ results: [STRANGE_JOB, null, {}] }) },
];

/** A list decides which jobs are fetched, never what is mirrored. */
const LYING_LISTS: readonly (() => Fault)[] = [
  () => otherItems((items) => items.map((item) => ({ ...item, statusName: 'KILLED' }))),
  () => otherItems((items) => items.map((item) => ({ ...item, deploymentJobId: null, links: [{}] }))),
  () => otherItems((items) => items.filter((_, index) => index % 2 === 0)),
  () => otherItems((items) => items.flatMap((item) => [item, { ...item, snapshotId: '0'.repeat(24) }])),
  () => otherItems((items) => items.toReversed()),
  () => {
    // The first page over and over, whichever cluster and page is asked for.
    let first: readonly JsonObject[] | undefined;
    return otherItems((items) => (first ??= items));
  },
];

/** A gateway that compresses, whatever was asked for. */
const ENCODED: Fault = {
  kind: 'transform',
  transform: ({ status, headers, body }) => ({
    status,
    headers: { ...headers, 'Content-Encoding': 'gzip' },
    body: gzipSync(body),
  }),
};

/** A later version of the API: members and headers that nobody knows yet. Nothing of it may be mirrored. */
const MORE_THAN_KNOWN: Fault = {
  kind: 'transform',
  transform: (answer) => {
    if (answer.status !== 200) return answer;
    const body: unknown = JSON.parse(Buffer.from(answer.body).toString());
    const more = { ...Object(body), futureState: 'UNHEARD_OF', futureList: [{ a: [null] }] };
    return { ...answer, body: JSON.stringify(more), headers: { ...answer.headers, Deprecation: '@1893456000' } };
  },
};

/** A takeover takes 18 s, and more while the API server is away. */
const LEADERLESS_MS = 120_000;

function leaderOf({ replicas }: Environment): Promise<Replica> {
  const find = (): Replica => {
    const leader = replicas.leader();
    if (leader === undefined) throw new Error('no replica leads');
    return leader;
  };
  return eventually('a replica leads', find, { timeoutMs: LEADERLESS_MS, intervalMs: 200 });
}
