/** Whether resources and delivery Secrets are what they must be, by a reading of Atlas's answers of its own. */
import * as z from 'zod';
import type { JsonObject, JsonValue } from '../support/atlas-simulator/json.ts';
import type { ExpectedResource } from './workload.ts';

/** A resource as the API server sends it. */
export type ActualResource = z.infer<typeof ActualResource>;
export const ActualResource = z.looseObject({
  metadata: z.looseObject({ namespace: z.string(), name: z.string(), uid: z.string(), generation: z.int() }),
  status: z.record(z.string(), z.json()).default({}),
});

/** A Secret as the API server sends it. */
export type ActualSecret = z.infer<typeof ActualSecret>;
export const ActualSecret = z.looseObject({
  metadata: z.looseObject({
    namespace: z.string(),
    name: z.string(),
    uid: z.string(),
    ownerReferences: z.array(z.looseObject({ uid: z.string() })).default([]),
  }),
  data: z.record(z.string(), z.string()).default({}),
});

/** What is wrong, one sentence each: nothing when the resource is exactly what it must be. */
export function differences(
  expected: ExpectedResource,
  body: JsonObject,
  actual: ActualResource | undefined,
  secret: ActualSecret | undefined,
): readonly string[] {
  if (actual === undefined) return ['the resource does not exist'];
  return [
    ...compare(mirrored(expected, body), pick(actual.status, Object.keys(MIRRORED))),
    ...compare(observed(expected, actual, body), observations(actual, body)),
    ...compare(delivered(expected, body, secret), deliveries(actual, secret)),
  ];
}

// What Atlas says

type Shape = 'text' | 'flag' | 'integer' | { readonly object: Members } | { readonly listOf: Members };
interface Members {
  readonly [member: string]: Shape;
}

/** Every field of Atlas's that a status mirrors. */
const MIRRORED: Members = {
  id: 'text',
  groupId: 'text',
  clusterId: 'text',
  clusterName: 'text',
  batchId: 'text',
  snapshotId: 'text',
  deploymentJobId: 'text',
  created: 'text',
  statusName: 'text',
  pointInTime: 'flag',
  encryptionEnabled: 'flag',
  masterKeyUUID: 'text',
  timestamp: { object: { date: 'text', increment: 'integer' } },
  delivery: {
    object: {
      methodName: 'text',
      statusName: 'text',
      url: 'text',
      urlV2: 'text',
      authHeader: 'text',
      expires: 'text',
      expirationHours: 'integer',
      maxDownloads: 'integer',
      targetClusterId: 'text',
      targetClusterName: 'text',
      targetGroupId: 'text',
    },
  },
  hashes: { listOf: { fileName: 'text', hash: 'text', typeName: 'text' } },
  links: { listOf: { href: 'text', rel: 'text' } },
};
/** What stays out of a status whose download goes into a Secret. */
const WITHHELD = ['url', 'urlV2', 'authHeader'] as const;
const SECRET_KEYS = [...WITHHELD, 'authValue'] as const;

function mirrored({ deliverySecretName }: ExpectedResource, body: JsonObject): JsonObject {
  const content = fitting(MIRRORED, body);
  const { delivery } = content;
  if (deliverySecretName === undefined || !isObject(delivery)) return content;
  const rest = Object.entries(delivery).filter(([member]) => !WITHHELD.some((withheld) => withheld === member));
  return { ...content, delivery: Object.fromEntries(rest) };
}

/** The members of an object that are of the documented type. */
function fitting(shapes: Members, value: JsonObject): JsonObject {
  const members = Object.entries(shapes).flatMap(([member, shape]) => {
    const fits = fit(shape, value[member]);
    return fits === undefined ? [] : [[member, fits] as const];
  });
  return Object.fromEntries(members);
}

function fit(shape: Shape, value: JsonValue | undefined): JsonValue | undefined {
  if (shape === 'text') return typeof value === 'string' ? value : undefined;
  if (shape === 'flag') return typeof value === 'boolean' ? value : undefined;
  if (shape === 'integer') return Number.isSafeInteger(value) ? value : undefined;
  if ('object' in shape) return isObject(value) ? fitting(shape.object, value) : undefined;
  return isList(value) ? value.filter(isObject).map((element) => fitting(shape.listOf, element)) : undefined;
}

// What the operator says of it

const READY: Readonly<Record<string, string>> = {
  IN_PROGRESS: 'False JobInProgress',
  FINISHED: 'True JobFinished',
  BROKEN: 'False JobBroken',
  KILLED: 'False JobKilled',
};
const ENDED_DELIVERIES: readonly JsonValue[] = ['EXPIRED', 'MAX_DOWNLOADS_EXCEEDED', 'FAILED', 'INTERRUPTED'];

function observed({ requestedAt }: ExpectedResource, { metadata }: ActualResource, body: JsonObject): JsonObject {
  const { statusName } = body;
  return {
    observedGeneration: metadata.generation,
    ...(requestedAt === undefined ? {} : { lastHandledReconcileAt: requestedAt }),
    Ready: (typeof statusName === 'string' ? READY[statusName] : undefined) ?? 'Unknown JobStatusUnknown',
    ...(hasEnded(body) ? {} : { Synced: 'True JobFetched' }),
  };
}

function observations({ status }: ActualResource, body: JsonObject): JsonObject {
  const conditions = z.array(Condition).catch([]).parse(status['conditions']);
  const reported = Object.fromEntries(conditions.map(({ type, ...rest }) => [type, `${rest.status} ${rest.reason}`]));
  return {
    ...pick(status, ['observedGeneration', 'lastHandledReconcileAt']),
    ...pick(reported, hasEnded(body) ? ['Ready'] : ['Ready', 'Synced']),
  };
}

const Condition = z.looseObject({ type: z.string(), status: z.string(), reason: z.string() });

/**
 * Nothing can change any more. What kept the last reconcile from succeeding, such as a Secret that was just missing,
 * may stay in `Synced`, by design: such a resource is not reconciled again for it after a restart.
 */
function hasEnded({ statusName, delivery }: JsonObject): boolean {
  if (statusName === 'BROKEN' || statusName === 'KILLED') return true;
  if (statusName !== 'FINISHED' || !isObject(delivery)) return false;
  const automated = delivery['statusName'] === 'READY' && delivery['url'] === undefined;
  return automated || ENDED_DELIVERIES.includes(delivery['statusName'] ?? null);
}

// The download

/**
 * An empty Secret and none are the same: one that once held a URL stays. One that could not be created before the
 * delivery was over is given up, by design.
 */
function delivered(
  { deliverySecretName }: ExpectedResource,
  { delivery }: JsonObject,
  secret: ActualSecret | undefined,
): JsonObject {
  if (deliverySecretName === undefined || !isObject(delivery)) return { Secret: {} };
  const isGivenUp = secret === undefined && ENDED_DELIVERIES.includes(delivery['statusName'] ?? null);
  return { Secret: isGivenUp ? {} : pick(delivery, SECRET_KEYS) };
}

function deliveries({ metadata }: ActualResource, secret: ActualSecret | undefined): JsonObject {
  if (secret === undefined) return { Secret: {} };
  const values = Object.entries(secret.data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]);
  const isOurs = secret.metadata.ownerReferences.some(({ uid }) => uid === metadata.uid);
  return { Secret: Object.fromEntries(values), ...(isOurs ? {} : { 'owner of the Secret': 'another resource' }) };
}

// Comparing, field by field

function compare(expected: JsonObject, actual: JsonObject): readonly string[] {
  const [wanted, present] = [leaves(expected), leaves(actual)];
  return [...new Set([...wanted.keys(), ...present.keys()])]
    .filter((path) => wanted.get(path) !== present.get(path))
    .map((path) => `${path} is ${present.get(path) ?? 'absent'} instead of ${wanted.get(path) ?? 'absent'}`);
}

/** Every value by its path; empty objects and lists count as values. */
function leaves(value: JsonValue, path = ''): ReadonlyMap<string, string> {
  const members = isList(value) ? value.entries() : isObject(value) ? Object.entries(value) : [];
  const entries = [...members].flatMap(([member, inner]) => [
    ...leaves(inner, path === '' ? String(member) : `${path}.${member}`),
  ]);
  if (entries.length > 0 || path === '') return new Map(entries);
  return new Map([[path, JSON.stringify(value)]]);
}

function pick(value: JsonObject, members: readonly string[]): JsonObject {
  return Object.fromEntries(
    members.flatMap((member) => {
      const inner = value[member];
      return inner === undefined ? [] : [[member, inner] as const];
    }),
  );
}

/** Array.isArray does not see that a list may be readonly. */
const isList = (value: JsonValue | undefined): value is readonly JsonValue[] => Array.isArray(value);

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !isList(value);
