/** Reading and writing LegacyRestoreJobs. */
import * as z from 'zod';
import { GROUP, KIND, PLURAL, REQUESTED_AT, Spec, Status, VERSION } from '../api/legacy-restore-job.ts';
import type { KubeClient } from './client.ts';
import type { Kept } from './reflector.ts';
import { shareStrings } from './shared-strings.ts';

/** What the operator keeps of a LegacyRestoreJob: no managedFields, no labels, no other annotations. */
export interface LegacyRestoreJob extends Kept {
  readonly namespace: string;
  readonly name: string;
  readonly generation: number;
  readonly spec: Spec;
  readonly status: Status;
  /** Value of the annotation that asks for a visit now. */
  readonly requestedAt: string | undefined;
}

/** Path of the collection: of one namespace, or of all. */
export const collectionPath = (namespace?: string): string =>
  namespace === undefined
    ? `/apis/${GROUP}/${VERSION}/${PLURAL}`
    : `/apis/${GROUP}/${VERSION}/namespaces/${encodeURIComponent(namespace)}/${PLURAL}`;

/**
 * The kept form of an object as the API server sent it. Undefined when it cannot be read, which the installed
 * CustomResourceDefinition should have prevented: `onUnreadable` is told of its name and of what is wrong.
 */
export function keepLegacyRestoreJob(
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
  return { key: `${namespace}/${name}`, namespace, name, uid, resourceVersion, generation, spec, status, requestedAt };
}

/** The object as the API server has it now. Throws KubeError. */
export async function getLegacyRestoreJob(
  client: KubeClient,
  job: LegacyRestoreJob,
): Promise<LegacyRestoreJob | undefined> {
  return keepLegacyRestoreJob(await client.request({ method: 'GET', path: objectPath(job) }));
}

/**
 * Writes the whole status. The patch carries the resourceVersion that it was computed from, so that it can never
 * overwrite anything newer: a KubeError with status 409 says that there is something newer.
 */
export async function writeStatus(
  client: KubeClient,
  job: LegacyRestoreJob,
  status: Status,
): Promise<LegacyRestoreJob | undefined> {
  const answer = await client.request({
    method: 'PATCH',
    path: `${objectPath(job)}/status`,
    contentType: 'application/json-patch+json',
    body: [
      { op: 'replace', path: '/metadata/resourceVersion', value: job.resourceVersion },
      // add replaces what is there, and works where a status was never written.
      { op: 'add', path: '/status', value: status },
    ],
  });
  return keepLegacyRestoreJob(answer);
}

/** The two parts of a key, as fields of the log. */
export function namesOf(key: string): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** How events and owner references name the object. */
export const objectReference = (job: LegacyRestoreJob) => ({
  apiVersion: `${GROUP}/${VERSION}`,
  kind: KIND,
  name: job.name,
  namespace: job.namespace,
  uid: job.uid,
});

const objectPath = (job: LegacyRestoreJob): string =>
  `${collectionPath(job.namespace)}/${encodeURIComponent(job.name)}`;

const Named = z.object({ metadata: z.object({ namespace: z.string().optional(), name: z.string().optional() }) });

const Sent = z.object({
  metadata: z.object({
    namespace: z.string(),
    name: z.string(),
    uid: z.string(),
    resourceVersion: z.string(),
    generation: z.number(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  spec: Spec,
  // A status that another version of the CRD let in and this one cannot read counts as empty: it is mirrored anew.
  status: Status.catch({}).default({}),
});
