/** LegacyRestoreJobs at the API server: the cache transform, and the reads and writes of one. */
import * as z from 'zod';
import {
  API_VERSION,
  GROUP,
  KIND,
  type LegacyRestoreJob,
  PLURAL,
  REQUESTED_AT,
  Spec,
  Status,
  VERSION,
} from '../api/legacy-restore-job.ts';
import { pruning } from '../api/prune.ts';
import type { KubeClient } from '../kube/client.ts';
import { errorFromContent, hasStatus } from '../kube/errors.ts';
import type { ObjectType } from '../kube/response.ts';
import { shareStrings } from '../kube/shared-strings.ts';

/** Path of the collection: of one namespace, or of all. */
export const collectionPath = (namespace?: string): string =>
  namespace === undefined
    ? `/apis/${GROUP}/${VERSION}/${PLURAL}`
    : `/apis/${GROUP}/${VERSION}/namespaces/${encodeURIComponent(namespace)}/${PLURAL}`;

/**
 * The cached form of an object as the API server sent it. Undefined when it cannot be read, which the installed
 * CustomResourceDefinition should have prevented: `onUnreadable` is told of its name and of what is wrong.
 */
export function toLegacyRestoreJob(
  object: unknown,
  onUnreadable?: (name: string, problem: string) => void,
): LegacyRestoreJob | undefined {
  const { data, error } = Sent.safeParse(object);
  if (data === undefined) {
    const { namespace = '', name = '' } = Named.safeParse(object).data?.metadata ?? {};
    onUnreadable?.(`${namespace}/${name}`, error.issues.map(({ path }) => path.join('.')).join(', '));
    return undefined;
  }
  const { metadata, spec, status } = shareStrings(data);
  const { namespace, name, uid, resourceVersion, generation } = metadata;
  const requestedAt = metadata.annotations?.[REQUESTED_AT];
  const deleting = metadata.deletionTimestamp !== undefined;
  const names = { key: `${namespace}/${name}`, namespace, name, uid };
  return { ...names, resourceVersion, generation, spec, status, requestedAt, deleting };
}

/** What names a resource. */
export type ResourceName = Pick<LegacyRestoreJob, 'namespace' | 'name'>;

/** The resources that this operator reconciles, at the API server. */
export interface ReconciledResources {
  readonly client: KubeClient;
  /** Of the only ones; empty for all. */
  readonly labelSelector: string;
}

/**
 * The resource as the API server has it now; undefined where it is no longer to be reconciled: it was deleted, has left
 * the label selector, or cannot be read. Throws KubeError.
 */
export async function getLegacyRestoreJob(
  { client, labelSelector }: ReconciledResources,
  name: ResourceName,
): Promise<LegacyRestoreJob | undefined> {
  try {
    if (labelSelector !== '') return await findSelected(client, name, labelSelector);
    const request = { path: objectPath(name), returns: LEGACY_RESTORE_JOB } as const;
    return toLegacyRestoreJob(await client.request({ method: 'GET', ...request }));
  } catch (error) {
    if (hasStatus(error, 404)) return undefined;
    throw error;
  }
}

/** Only a list takes a label selector. */
async function findSelected(
  client: KubeClient,
  { namespace, name }: ResourceName,
  labelSelector: string,
): Promise<LegacyRestoreJob | undefined> {
  const query = new URLSearchParams({ fieldSelector: `metadata.name=${name}`, labelSelector });
  const path = `${collectionPath(namespace)}?${query.toString()}`;
  const { data: list } = List.safeParse(
    await client.request({ method: 'GET', path, returns: LEGACY_RESTORE_JOB_LIST }),
  );
  if (list === undefined) throw errorFromContent(`LIST ${collectionPath(namespace)}`, 200, `a ${KIND}List`);
  return toLegacyRestoreJob(list.items[0]);
}

/** Requests a reconcile of a resource; `value` is one that the annotation did not have before. Throws KubeError. */
export async function requestReconcile(client: KubeClient, name: ResourceName, value: string): Promise<void> {
  await client.request({
    method: 'PATCH',
    path: objectPath(name),
    returns: LEGACY_RESTORE_JOB,
    contentType: 'application/merge-patch+json',
    body: { metadata: { annotations: { [REQUESTED_AT]: value } } },
  });
}

/**
 * Writes the whole status. The patch carries the resourceVersion that it was computed from, so that it can never
 * overwrite anything newer: a KubeError with status 409 says that there is something newer. Resolves with the resource as
 * it is now; a response that is not this resource counts as not written.
 */
export async function patchStatus(
  client: KubeClient,
  job: LegacyRestoreJob,
  status: Status,
): Promise<LegacyRestoreJob> {
  const response = await client.request({
    method: 'PATCH',
    path: `${objectPath(job)}/status`,
    returns: LEGACY_RESTORE_JOB,
    contentType: 'application/json-patch+json',
    body: [
      { op: 'replace', path: '/metadata/resourceVersion', value: job.resourceVersion },
      // add replaces what is there, and works where a status was never written.
      { op: 'add', path: '/status', value: status },
    ],
  });
  const written = toLegacyRestoreJob(response);
  if (written?.uid !== job.uid) throw errorFromContent(`PATCH ${objectPath(job)}/status`, 200, 'this LegacyRestoreJob');
  return written;
}

/** What the API server calls the type. */
export const LEGACY_RESTORE_JOB: ObjectType = { apiVersion: API_VERSION, kind: KIND };
const LEGACY_RESTORE_JOB_LIST: ObjectType = { apiVersion: API_VERSION, kind: `${KIND}List` };

const objectPath = ({ namespace, name }: ResourceName): string =>
  `${collectionPath(namespace)}/${encodeURIComponent(name)}`;

const List = z.object({ items: z.array(z.unknown()) });
const Named = z.object({ metadata: z.object({ namespace: z.string().optional(), name: z.string().optional() }) });

const isStatus = pruning(Status);

const Sent = z.object({
  metadata: z.object({
    namespace: z.string(),
    name: z.string(),
    uid: z.string(),
    resourceVersion: z.string(),
    generation: z.number(),
    annotations: z.record(z.string(), z.string()).optional(),
    deletionTimestamp: z.string().optional(),
  }),
  spec: Spec,
  // A status that another version of the CRD let in and this one cannot read counts as empty: it is mirrored again.
  status: z
    .unknown()
    .default({})
    .transform((status): Status => (isStatus(status) ? status : {})),
});
