/**
 * The one table of condition reasons. Reasons are stable API: scripts and alerts compare them.
 * Documentation lists are generated from here.
 */

export const CONDITION_TYPES = ['Ready', 'Synced', 'DownloadAvailable', 'Reconciling', 'Stalled'] as const;
export type ConditionType = (typeof CONDITION_TYPES)[number];

interface ReasonEntry {
  /** The condition whose own reason this is. Ready, Reconciling and Stalled can borrow it. */
  readonly condition: 'Ready' | 'Synced' | 'DownloadAvailable';
  /** What it means, one sentence. */
  readonly meaning: string;
  /** What a person does about it; empty where there is nothing to do. */
  readonly remedy: string;
}

export const REASONS = {
  JobFinished: { condition: 'Ready', meaning: 'Atlas finished the restore job.', remedy: '' },
  JobInProgress: { condition: 'Ready', meaning: 'The restore job is running at Atlas.', remedy: '' },
  JobBroken: {
    condition: 'Ready',
    meaning: 'The restore job broke at Atlas and will not finish.',
    remedy: 'Create a new restore job in Atlas and a new LegacyRestoreJob for it.',
  },
  JobKilled: {
    condition: 'Ready',
    meaning: 'The restore job was cancelled at Atlas and will not finish.',
    remedy: 'Create a new restore job in Atlas and a new LegacyRestoreJob for it.',
  },
  JobStatusUnknown: {
    condition: 'Ready',
    meaning: 'Atlas reports a job status that this version of the operator does not know.',
    remedy: 'Look at the job in Atlas; a newer version of the operator may know the status.',
  },
  JobFetched: { condition: 'Synced', meaning: "The status equals Atlas's last answer.", remedy: '' },
  SecretNotFound: {
    condition: 'Synced',
    meaning: 'The Secret with the Atlas credentials does not exist or the operator may not read it.',
    remedy:
      'Create the Secret named in spec.credentialsSecretRef in the namespace of the resource, or allow the operator to get it.',
  },
  SecretInvalid: {
    condition: 'Synced',
    meaning: 'The Secret with the Atlas credentials lacks a key, has an empty one, or holds two kinds of credentials.',
    remedy: 'Give it either publicApiKey and privateApiKey, or clientId and clientSecret.',
  },
  Unauthorized: {
    condition: 'Synced',
    meaning: 'Atlas does not accept the credentials for this project.',
    remedy:
      'Check that the key or service account is enabled, belongs to the organisation of the project and has the role Project Read Only, and correct the Secret.',
  },
  AccessListDenied: {
    condition: 'Synced',
    meaning: "Atlas knows the credentials but refuses the operator's network address.",
    remedy: "Add the cluster's egress address to the access list of the API key or service account in Atlas.",
  },
  Forbidden: {
    condition: 'Synced',
    meaning: 'Atlas knows the credentials but does not allow the request.',
    remedy: 'Give the key or service account the role Project Read Only on the project.',
  },
  PaymentRequired: {
    condition: 'Synced',
    meaning: 'Atlas has suspended the account.',
    remedy: 'Settle the open invoices of the Atlas organisation.',
  },
  BackupNotEnabled: {
    condition: 'Synced',
    meaning: 'Legacy backups are not enabled for the cluster.',
    remedy: 'Check spec.clusterName; clusters with cloud backups have no legacy restore jobs.',
  },
  JobNotFound: {
    condition: 'Synced',
    meaning: 'Atlas has no such restore job in this project and cluster.',
    remedy: 'Check spec.jobId; Atlas also forgets old restore jobs.',
  },
  ClusterNotFound: {
    condition: 'Synced',
    meaning: 'Atlas has no such cluster in this project.',
    remedy: 'Check spec.clusterName and spec.groupId; the cluster may have been deleted.',
  },
  GroupNotFound: {
    condition: 'Synced',
    meaning: 'Atlas has no such project.',
    remedy: 'Check spec.groupId.',
  },
  BadRequest: {
    condition: 'Synced',
    meaning: 'Atlas refuses the request as it stands.',
    remedy: 'Check spec.groupId, spec.clusterName and spec.jobId.',
  },
  VersionGone: {
    condition: 'Synced',
    meaning: 'Atlas has withdrawn this version of its API.',
    remedy: 'Upgrade the operator.',
  },
  RateLimited: {
    condition: 'Synced',
    meaning: 'The request limit of the project has been used up for more than a minute; the operator waits as told.',
    remedy: 'Raise spec.interval of resources of this project, or lower --atlas-requests-per-minute.',
  },
  AtlasUnavailable: {
    condition: 'Synced',
    meaning: 'Atlas cannot be reached or reports an error of its own; the operator tries again.',
    remedy: 'If it lasts, check the egress network and the Atlas status page.',
  },
  InvalidResponse: {
    condition: 'Synced',
    meaning: 'The answer is not one that Atlas gives for a restore job; the operator tries again.',
    remedy: 'Check whether a proxy stands in between and whether --atlas-base-url is right.',
  },
  DeliverySecretConflict: {
    condition: 'Synced',
    meaning:
      'A Secret with the name of spec.deliverySecretName exists and does not belong to the resource; it is left untouched.',
    remedy: 'Choose another spec.deliverySecretName or delete that Secret.',
  },
  DeliverySecretForbidden: {
    condition: 'Synced',
    meaning: 'The operator may not write the Secret named in spec.deliverySecretName.',
    remedy: 'Allow the operator to get, create and patch Secrets in this namespace, or remove spec.deliverySecretName.',
  },
  Suspended: {
    condition: 'Synced',
    meaning: 'spec.suspend is true: Atlas is not asked.',
    remedy: 'Set spec.suspend to false to resume.',
  },
  DownloadReady: { condition: 'DownloadAvailable', meaning: 'The restore file can be downloaded.', remedy: '' },
  DownloadPending: { condition: 'DownloadAvailable', meaning: 'The restore file is not ready yet.', remedy: '' },
  DownloadExpired: {
    condition: 'DownloadAvailable',
    meaning: 'The time to download the restore file is over.',
    remedy: 'Create a new restore job in Atlas.',
  },
  MaxDownloadsExceeded: {
    condition: 'DownloadAvailable',
    meaning: 'The restore file was downloaded as often as allowed.',
    remedy: 'Create a new restore job in Atlas.',
  },
  DownloadFailed: {
    condition: 'DownloadAvailable',
    meaning: 'Atlas could not provide the restore file.',
    remedy: 'Create a new restore job in Atlas.',
  },
} as const satisfies Readonly<Record<string, ReasonEntry>>;

/** The reasons that are a condition's own, in the order of the table. */
export const reasonsOf = (condition: ReasonEntry['condition']): readonly string[] =>
  Object.entries(REASONS)
    .filter(([, entry]) => entry.condition === condition)
    .map(([reason]) => reason);

export type Reason = keyof typeof REASONS;
type ReasonOf<C extends ReasonEntry['condition']> = {
  [R in Reason]: (typeof REASONS)[R]['condition'] extends C ? R : never;
}[Reason];
export type ReadyReason = ReasonOf<'Ready'>;
export type SyncedReason = ReasonOf<'Synced'>;
export type DownloadReason = ReasonOf<'DownloadAvailable'>;
