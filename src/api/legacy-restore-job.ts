/** The LegacyRestoreJob resource: spec and status as zod types. The CRD in crds/ is generated from them. */
import * as z from 'zod';
import { ApiError } from './api-error.ts';
import { RestoreJob } from './restore-job.ts';

export const GROUP = 'atlasrestore.dev';
export const VERSION = 'v1';
export const API_VERSION = `${GROUP}/${VERSION}`;
export const KIND = 'LegacyRestoreJob';
export const PLURAL = 'legacyrestorejobs';

/** Any new value of this annotation requests a reconcile now; status.lastHandledReconcileAt answers it. */
export const REQUESTED_AT = `${GROUP}/requestedAt`;

/** Shortest and longest spec.interval, in milliseconds. */
export const INTERVAL_BOUNDS = { min: 10_000, max: 86_400_000 } as const;

const HEX_ID = /^([a-f0-9]{24})$/;
const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

interface ValidationRule {
  readonly rule: string;
  readonly message: string;
}
const rules = (...list: readonly ValidationRule[]) => ({ 'x-kubernetes-validations': list });
const immutable = (field: string): ValidationRule => ({
  rule: 'self == oldSelf',
  message: `${field} is immutable: create another LegacyRestoreJob for another restore job; to correct a mistake, delete this one and create it again`,
});
const hexId = (field: string, description: string) =>
  z
    .string()
    .regex(HEX_ID)
    .meta({ description, ...rules(immutable(field)) });
const secretName = (description: string) =>
  z.string().regex(DNS_SUBDOMAIN).meta({ description, minLength: 1, maxLength: 253 });

export const Spec = z
  .object({
    groupId: hexId('groupId', 'Id of the Atlas project that the cluster belongs to. Immutable.'),
    clusterName: z
      .string()
      .regex(/^[a-zA-Z0-9][a-zA-Z0-9-]*$/)
      .meta({
        description:
          'Name of the Atlas cluster whose legacy backup is restored; with the setting atlas-api=public/v1.0 the id of the cluster. Immutable.',
        ...rules(
          { rule: 'self.size() <= 64', message: 'clusterName must have at most 64 characters' },
          immutable('clusterName'),
        ),
      }),
    jobId: hexId('jobId', 'Id of the legacy backup restore job. Immutable.'),
    credentialsSecretRef: z
      .object({ name: secretName('Name of the Secret, in the namespace of the resource.') })
      .meta({
        description:
          'Secret with the Atlas credentials: publicApiKey and privateApiKey, publicKey and privateKey, or clientId and clientSecret. ' +
          'Optional only where the operator grants default credentials to the namespace.',
      })
      .exactOptional(),
    interval: z
      .string()
      .meta({
        description:
          "How often the restore job is fetched while it runs: a duration from 10s to 24h such as 90s or 1h30m. The operator's setting applies when absent.",
        ...rules({
          rule: "self.matches('^([0-9]+([.][0-9]+)?(ns|us|µs|ms|s|m|h))+$') && duration(self) >= duration('10s') && duration(self) <= duration('24h')",
          message: 'interval must be a duration from 10s to 24h, such as 90s or 1h30m',
        }),
      })
      .exactOptional(),
    suspend: z
      .boolean()
      .meta({
        description:
          'While true the restore job is not fetched, and a requested reconcile waits. What is mirrored stays as it is, ' +
          'but URLs that deliverySecretName keeps out of status are removed.',
      })
      .exactOptional(),
    deliverySecretName: secretName(
      'Name of a Secret that the operator creates in the namespace of the resource for the download: url, urlV2, ' +
        'authHeader and authValue go there, and the URLs and authHeader not into status. The Secret of an earlier name stays ' +
        'until the resource is deleted.',
    ).exactOptional(),
  })
  .meta({ description: 'Which restore job to mirror, with which credentials, and how.' });
export type Spec = Readonly<z.infer<typeof Spec>>;

export const Condition = z
  .object({
    // No enum: the API server of an older CustomResourceDefinition would refuse the whole status for one new type.
    type: z.string().meta({ description: 'Type of the condition.' }),
    status: z.enum(['True', 'False', 'Unknown']).meta({ description: 'Status of the condition.' }),
    reason: z.string().meta({ description: 'Stable CamelCase word for the cause.' }),
    message: z.string().meta({ description: 'The cause in words, and what to do about it.' }),
    lastTransitionTime: z.string().meta({ description: 'When status last changed.', format: 'date-time' }),
    observedGeneration: z
      .int()
      .meta({ description: 'metadata.generation that this condition belongs to.', format: 'int64' }),
  })
  .meta({ description: 'One observation of the state of the resource, as kstatus and kubectl wait read it.' });
export type Condition = Readonly<z.infer<typeof Condition>>;

export const Status = z
  .object({
    observedGeneration: z
      .int()
      .meta({
        description: 'metadata.generation that the operator last acted on; -1 before the first reconcile.',
        format: 'int64',
      })
      .exactOptional(),
    conditions: z
      .array(Condition)
      .meta({
        description:
          'Ready, Synced and Reconciling; DownloadAvailable where the delivery is a download; Stalled while it is True.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['type'],
      })
      .exactOptional(),
    reason: z
      .string()
      .meta({ description: "What to look at first: Synced's reason while Synced is not True, else Ready's." })
      .exactOptional(),
    failure: ApiError.meta({
      description:
        'Why Synced is not True, while that is because of a failure: the error as Atlas or the Kubernetes API server described it.',
    }).exactOptional(),
    lastHandledReconcileAt: z
      .string()
      .meta({
        description: `Last value of the annotation ${REQUESTED_AT} that a reconcile answered, also one that failed; unchanged while suspended.`,
      })
      .exactOptional(),
    lastChangeTime: z
      .string()
      .meta({ description: 'When the mirrored content last changed.', format: 'date-time' })
      .exactOptional(),
    urlWithheld: z
      .boolean()
      .meta({ description: 'True where Atlas gave a download URL that is kept out of status.' })
      .exactOptional(),
    ...RestoreJob.shape,
  })
  .meta({ description: "Atlas's answer under Atlas's own names, and what the operator observed." });
export type Status = Readonly<z.infer<typeof Status>>;

/** The types of the conditions, in the order in which status lists them. */
export const CONDITION_TYPES = ['Ready', 'Synced', 'DownloadAvailable', 'Reconciling', 'Stalled'] as const;
export type ConditionType = (typeof CONDITION_TYPES)[number];

/** The condition of that type; undefined where the status has none. */
export const conditionOf = (status: Status, type: ConditionType): Condition | undefined =>
  status.conditions?.find((candidate) => candidate.type === type);

/** What the operator caches of a LegacyRestoreJob: no managedFields, no labels, no other annotations. */
export interface LegacyRestoreJob {
  /** `namespace/name`. */
  readonly key: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly namespace: string;
  readonly name: string;
  readonly generation: number;
  readonly spec: Spec;
  readonly status: Status;
  /** Value of the annotation that requests a reconcile now. */
  readonly requestedAt: string | undefined;
  /** Whether it is being deleted and only waits for finalizers. */
  readonly deleting: boolean;
}

/** The two parts of a key, as fields of the log. */
export function namesOf(key: string): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** How events and owner references name the resource. */
export const objectReference = ({ name, namespace, uid }: LegacyRestoreJob) => ({
  apiVersion: API_VERSION,
  kind: KIND,
  name,
  namespace,
  uid,
});
