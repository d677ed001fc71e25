/**
 * The one table of condition reasons: whatever hangs on a reason is a column of it. Reasons are stable API: scripts and
 * alerts compare them. Lists in the documentation are generated from here.
 */
import { type AtlasApi, type Sentence, sentenceFor } from '../api/atlas-api.ts';
import type { Condition, ConditionType } from '../api/legacy-restore-job.ts';

/** What a person does about a reason: in the words of the resource and, where those differ, of the command line. */
type Remedy = Sentence | { readonly resource: Sentence; readonly command: Sentence };

/** Who reads a sentence: somebody with the resource before them, or with a command line. */
export type Audience = 'resource' | 'command';

/** An error code that Atlas documents for this endpoint or for its API at large. */
export interface AtlasErrorCode {
  readonly errorCode: string;
  /** The HTTP status code that it comes with. */
  readonly httpStatus: number;
  /** Where the remedy of the reason is not exact enough. */
  readonly remedy?: Remedy;
}

/** Something that this process, or the API that is asked, cannot do. */
interface UnsupportedCode {
  readonly code: string;
  readonly remedy: Remedy;
}

interface ReasonEntry {
  /** The condition whose own reason this is. Others borrow it, see conditions.ts. */
  readonly condition: 'Ready' | 'Synced' | 'DownloadAvailable';
  /** Status of that condition with this reason. */
  readonly status: Condition['status'];
  /**
   * Back-off class of a failure. permanent: it stays until a person changes something; transient: it may pass by itself;
   * none: it is no failure.
   */
  readonly retry: 'none' | 'transient' | 'permanent';
  /** After so many failures in a row a transient one gets the permanent back-off. */
  readonly permanentAfter?: number;
  /**
   * Milliseconds between two tries during the grace period, in which the failure is expected to pass: a Secret often comes
   * seconds after the resource, and Atlas needs some for a new key.
   */
  readonly graceRetryMs?: number;
  /**
   * Type of the event when the reason appears. `Recovery` is a Normal one, emitted only after another reason. `Completion`
   * is a Normal one, emitted only of a job that was mirrored before: what ended before anybody watched is no news.
   */
  readonly event: 'Normal' | 'Warning' | 'Recovery' | 'Completion' | 'none';
  /** Level of the log line when the reason appears. */
  readonly level: 'info' | 'warn';
  /** Exit code of the commands that ask Atlas; absent where only the operator meets the reason. */
  readonly exitCode?: number;
  /** The HTTP status codes of Atlas that lead to it where the error code is not known. */
  readonly httpStatuses?: readonly number[];
  /** The error codes of Atlas that lead to it. */
  readonly errorCodes?: readonly AtlasErrorCode[];
  /** What this process, or the API that is asked, cannot do that leads to it: codes of the Atlas client's own errors. */
  readonly unsupported?: readonly UnsupportedCode[];
  /** What it means, one sentence. */
  readonly meaning: Sentence;
  /** Empty where there is nothing to do. */
  readonly remedy: Remedy;
}

const code = (httpStatus: number, errorCode: string, remedy?: Remedy): AtlasErrorCode => ({
  httpStatus,
  errorCode,
  ...(remedy === undefined ? {} : { remedy }),
});

const NEW_JOB = (server: string) => `Create a new restore job in ${server} and a new LegacyRestoreJob for it.`;
const NEW_DOWNLOAD = (server: string) => `Create a new restore job in ${server}.`;
/** The three ids in spec are immutable. */
const RECREATE = 'To correct an immutable field, delete the resource and create it again.';
const EGRESS: Readonly<Record<Audience, string>> = {
  resource: "the cluster's egress address",
  command: 'the address of this machine',
};
const ACCESS_LIST_REQUIRED: Remedy = {
  resource: `The organization requires an access list: give the API key or service account one that holds ${EGRESS.resource}.`,
  command: `The organization requires an access list: give the API key or service account one that holds ${EGRESS.command}.`,
};
const NOT_ON_ACCESS_LIST: Remedy = {
  resource: (server: string) =>
    `Add ${EGRESS.resource} to the access list of the API key or service account in ${server}, or use a credential without one.`,
  command: (server: string) =>
    `Add ${EGRESS.command} to the access list of the API key or service account in ${server}, or use a credential without one.`,
};
const NO_LEGACY_BACKUP: Remedy = {
  resource: "The project's plan or the cluster's configuration has no legacy backups; check spec.clusterName.",
  command: "The project's plan or the cluster's configuration has no legacy backups; check --cluster-name.",
};
const NO_DIGEST: Remedy = {
  resource:
    'Use a service account: put clientId and clientSecret into the Secret instead of the API key. Ops Manager, which has none, needs Node.js without FIPS mode.',
  command:
    'Use a service account, clientId and clientSecret, instead of the API key. Ops Manager, which has none, needs Node.js without FIPS mode.',
};
const OPS_MANAGER_KEY: Remedy = {
  resource: 'Put an API key of Ops Manager into the Secret: publicKey and privateKey.',
  command: 'Use an API key of Ops Manager.',
};
const CLUSTER_ID: Remedy = {
  resource: `With atlas-api=public/v1.0, spec.clusterName must be the id of the cluster: 24 digits of 0-9 and a-f. ${RECREATE}`,
  command: 'With --atlas-api=public/v1.0, --cluster-name must be the id of the cluster: 24 digits of 0-9 and a-f.',
};
const NOT_IN_PROJECT: Remedy = {
  resource: 'Give the API key or service account the role Project Read Only on the project, or check spec.groupId.',
  command: 'Give the API key or service account the role Project Read Only on the project, or check --group-id.',
};

/** What most failures that a person has to correct have in common. */
const permanentFailure = <const E extends object>(entry: E) =>
  ({ condition: 'Synced', status: 'False', retry: 'permanent', event: 'Warning', level: 'warn', ...entry }) as const;

/** What most failures that may pass by themselves have in common. */
const transientFailure = <const E extends object>(entry: E) =>
  ({ condition: 'Synced', status: 'Unknown', retry: 'transient', event: 'Warning', level: 'warn', ...entry }) as const;

/** What the states of jobs and downloads have in common: they are no failures of the operator. */
const state = <const E extends object>(entry: E) => ({ retry: 'none', level: 'info', ...entry }) as const;

export const REASONS = {
  JobFinished: state({
    condition: 'Ready',
    status: 'True',
    event: 'Completion',
    exitCode: 0,
    meaning: (server: string) => `${server} finished the restore job.`,
    remedy: '',
  }),
  JobInProgress: state({
    condition: 'Ready',
    status: 'False',
    event: 'Normal',
    exitCode: 3,
    meaning: (server: string) => `The restore job is running at ${server}.`,
    remedy: '',
  }),
  JobBroken: state({
    condition: 'Ready',
    status: 'False',
    event: 'Warning',
    exitCode: 4,
    meaning: (server: string) => `The restore job broke at ${server} and will not finish.`,
    remedy: NEW_JOB,
  }),
  JobKilled: state({
    condition: 'Ready',
    status: 'False',
    event: 'Warning',
    exitCode: 4,
    meaning: (server: string) => `The restore job was canceled at ${server} and will not finish.`,
    remedy: NEW_JOB,
  }),
  JobStatusUnknown: state({
    condition: 'Ready',
    status: 'Unknown',
    event: 'Warning',
    exitCode: 1,
    meaning: (server: string) => `${server} reports a job status that this version of the operator does not know.`,
    remedy: (server: string) => `Look at the job in ${server}; a newer version of the operator may know the status.`,
  }),
  JobFetched: state({
    condition: 'Synced',
    status: 'True',
    event: 'Recovery',
    meaning: (server: string) => `The status equals ${server}'s last response.`,
    remedy: '',
  }),
  SecretNotFound: permanentFailure({
    graceRetryMs: 5_000,
    exitCode: 2,
    meaning: (server: string) =>
      `The Secret with the ${server} credentials does not exist or the operator may not read it.`,
    remedy: {
      resource:
        'Create the Secret named in spec.credentialsSecretRef in the namespace of the resource, or allow the operator to get it.',
      command: 'Check --secret and the context of the kubeconfig.',
    },
  }),
  SecretInvalid: permanentFailure({
    graceRetryMs: 5_000,
    exitCode: 2,
    unsupported: [{ code: 'ATLAS_NO_SERVICE_ACCOUNTS', remedy: OPS_MANAGER_KEY }],
    meaning: (server: string) =>
      `The Secret with the ${server} credentials lacks a key, has an empty one, or holds two kinds of credentials or one that Ops Manager does not have.`,
    remedy: 'Give it publicApiKey and privateApiKey, publicKey and privateKey, or clientId and clientSecret.',
  }),
  SecretUnreadable: transientFailure({
    meaning: (server: string) =>
      `The API server has not been able to give the Secret with the ${server} credentials for half a minute.`,
    remedy: 'Check the API server, its etcd and its encryption provider (KMS); the operator tries again.',
  }),
  Unauthorized: permanentFailure({
    graceRetryMs: 10_000,
    exitCode: 5,
    httpStatuses: [401],
    errorCodes: [
      code(401, 'USER_UNAUTHORIZED'),
      code(401, 'NOT_IN_GROUP', NOT_IN_PROJECT),
      code(401, 'USER_CANNOT_ACCESS_GROUP', NOT_IN_PROJECT),
      code(401, 'NO_CURRENT_USER'),
    ],
    unsupported: [{ code: 'ATLAS_HASH_UNAVAILABLE', remedy: NO_DIGEST }],
    meaning: (server: string) => `${server} does not accept the credentials for this project.`,
    remedy: {
      resource:
        'Check that the key or service account is enabled, belongs to the organization of the project and has the role Project Read Only, and correct the Secret.',
      command:
        'Check that the key or service account is enabled, belongs to the organization of the project and has the role Project Read Only, and correct the credentials.',
    },
  }),
  AccessListDenied: permanentFailure({
    exitCode: 5,
    errorCodes: [
      code(403, 'IP_ADDRESS_NOT_ON_ACCESS_LIST', NOT_ON_ACCESS_LIST),
      code(403, 'IP_ADDRESS_NOT_ON_WHITELIST', NOT_ON_ACCESS_LIST),
      code(403, 'ORG_REQUIRES_ACCESS_LIST', ACCESS_LIST_REQUIRED),
      code(403, 'ORG_REQUIRES_WHITELIST', ACCESS_LIST_REQUIRED),
      code(403, 'RESOURCE_REQUIRES_WHITELIST', ACCESS_LIST_REQUIRED),
    ],
    meaning: (server: string) => `${server} knows the credentials but refuses the operator's network address.`,
    remedy: {
      resource: (server: string) =>
        `Add ${EGRESS.resource} to the access list of the API key or service account in ${server}.`,
      command: (server: string) =>
        `Add ${EGRESS.command} to the access list of the API key or service account in ${server}.`,
    },
  }),
  Forbidden: permanentFailure({
    exitCode: 5,
    httpStatuses: [403],
    errorCodes: [
      code(403, 'ACCESS_FORBIDDEN'),
      code(403, 'FEATURE_UNSUPPORTED', NO_LEGACY_BACKUP),
      code(403, 'UNSUPPORTED_FOR_CURRENT_PLAN', NO_LEGACY_BACKUP),
      code(403, 'UNSUPPORTED_FOR_CURRENT_CONFIG', NO_LEGACY_BACKUP),
      // Of the token endpoint; Atlas allows a service account 100 live tokens.
      code(
        403,
        'access_denied',
        'The service account may have too many live tokens: they expire within an hour, or when other users of it revoke theirs.',
      ),
    ],
    meaning: (server: string) => `${server} knows the credentials but does not allow the request.`,
    remedy: 'Give the key or service account the role Project Read Only on the project.',
  }),
  PaymentRequired: permanentFailure({
    exitCode: 5,
    httpStatuses: [402],
    errorCodes: [code(402, 'ACCOUNT_SUSPENDED')],
    meaning: (server: string) => `${server} has suspended the account.`,
    remedy: (server: string) => `Settle the open invoices of the ${server} organization.`,
  }),
  BackupNotEnabled: permanentFailure({
    exitCode: 6,
    errorCodes: [code(400, 'BACKUP_JOB_NOT_FOUND'), code(404, 'BACKUP_CONFIG_NOT_FOUND')],
    meaning: 'Legacy backups are not enabled for the cluster.',
    remedy: {
      resource: `Check spec.clusterName; clusters with cloud backups have no legacy restore jobs. ${RECREATE}`,
      command: 'Check --cluster-name; clusters with cloud backups have no legacy restore jobs.',
    },
  }),
  JobNotFound: permanentFailure({
    exitCode: 6,
    httpStatuses: [404],
    errorCodes: [
      code(404, 'INVALID_JOB_ID'),
      code(404, 'RESTORE_JOB_NOT_FOUND'),
      code(404, 'RESTORE_JOB_NOT_FOUND_IN_GROUP'),
      code(404, 'CONFIG_RESTORE_JOB_NOT_FOUND'),
      code(404, 'RESOURCE_NOT_FOUND'),
    ],
    meaning: (server: string) => `${server} has no such restore job in this project and cluster.`,
    remedy: {
      resource: (server: string) => `Check spec.jobId; ${server} also forgets old restore jobs. ${RECREATE}`,
      command: (server: string) => `Check --job-id; ${server} also forgets old restore jobs.`,
    },
  }),
  ClusterNotFound: permanentFailure({
    exitCode: 6,
    errorCodes: [code(404, 'INVALID_CLUSTER_ID'), code(404, 'CLUSTER_NOT_FOUND'), code(404, 'CLUSTER_NAME_NOT_FOUND')],
    unsupported: [{ code: 'ATLAS_CLUSTER_ID_REQUIRED', remedy: CLUSTER_ID }],
    meaning: (server: string) => `${server} has no such cluster in this project.`,
    remedy: {
      resource: `Check spec.clusterName and spec.groupId; the cluster may have been deleted. ${RECREATE}`,
      command: 'Check --cluster-name and --group-id; the cluster may have been deleted.',
    },
  }),
  GroupNotFound: permanentFailure({
    exitCode: 6,
    errorCodes: [
      code(404, 'INVALID_GROUP_ID'),
      code(404, 'GROUP_NOT_FOUND'),
      code(404, 'NOT_ATLAS_GROUP'),
      code(404, 'INVALID_ATLAS_GROUP'),
    ],
    meaning: (server: string) => `${server} has no such project.`,
    remedy: { resource: `Check spec.groupId. ${RECREATE}`, command: 'Check --group-id.' },
  }),
  BadRequest: permanentFailure({
    exitCode: 1,
    errorCodes: [code(400, 'ATLAS_GENERAL_ERROR'), code(400, 'VALIDATION_ERROR')],
    meaning: (server: string) => `${server} refuses the request as it stands.`,
    remedy: {
      resource: `Check spec.groupId, spec.clusterName and spec.jobId. ${RECREATE}`,
      command: 'Check --group-id, --cluster-name and the id of the job or batch.',
    },
  }),
  VersionGone: permanentFailure({
    exitCode: 1,
    httpStatuses: [406, 410],
    errorCodes: [code(406, 'INVALID_VERSION_DATE'), code(410, 'VERSION_GONE')],
    meaning: (server: string) => `${server} does not have this version of its API, or has withdrawn it.`,
    remedy: {
      resource: 'Set atlas-api to atlas/v2 instead of atlas/v1.0, or the other way round, or upgrade the operator.',
      command:
        'Use --atlas-api=atlas/v2 instead of atlas/v1.0, or the other way round, or upgrade legacy-restore-operator.',
    },
  }),
  RateLimited: transientFailure({
    exitCode: 7,
    errorCodes: [code(429, 'RATE_LIMITED'), code(429, 'RATE_LIMITED_TOKEN_BUCKET')],
    meaning: 'The request limit of the project has been used up for more than a minute; the operator waits as told.',
    remedy: {
      resource: 'Raise spec.interval of resources of this project, or lower --atlas-requests-per-minute.',
      command: 'Try again later.',
    },
  }),
  AtlasUnavailable: transientFailure({
    exitCode: 7,
    meaning: (server: string) =>
      `${server} cannot be reached or reports an error of its own; the operator tries again.`,
    remedy: (server: string) => `If it lasts, check the egress network and the status of ${server}.`,
  }),
  InvalidResponse: transientFailure({
    exitCode: 7,
    meaning: (server: string) =>
      `The response is not one that ${server} gives for a restore job; the operator tries again.`,
    remedy: 'Check whether a proxy stands in between and whether --atlas-base-url is right.',
  }),
  DeliverySecretConflict: permanentFailure({
    meaning:
      'A Secret with the name of spec.deliverySecretName exists and does not belong to the resource; it is left untouched.',
    remedy: 'Choose another spec.deliverySecretName or delete that Secret.',
  }),
  DeliverySecretForbidden: permanentFailure({
    meaning: 'The operator may not write the Secret named in spec.deliverySecretName.',
    remedy: 'Allow the operator to get, create and patch Secrets in this namespace, or remove spec.deliverySecretName.',
  }),
  DeliverySecretRefused: permanentFailure({
    meaning:
      'The API server does not take the Secret named in spec.deliverySecretName: a quota, a policy, a webhook that refuses or does not answer, an immutable Secret.',
    remedy: 'Correct what the message names, or remove spec.deliverySecretName; the operator tries again.',
  }),
  InternalError: transientFailure({
    permanentAfter: 10,
    meaning: 'The operator itself has failed unexpectedly for half a minute; it tries again.',
    remedy: 'Report the error and its stack from the log of the operator.',
  }),
  Suspended: state({
    condition: 'Synced',
    status: 'Unknown',
    event: 'Normal',
    meaning: 'spec.suspend is true: the restore job is not fetched.',
    remedy: 'Set spec.suspend to false to resume; a requested reconcile waits until then.',
  }),
  DownloadReady: state({
    condition: 'DownloadAvailable',
    status: 'True',
    event: 'Normal',
    meaning: 'The restore file can be downloaded.',
    remedy: '',
  }),
  DownloadExpiring: state({
    condition: 'DownloadAvailable',
    status: 'True',
    event: 'Warning',
    meaning: 'The download expires in less than an hour and nobody has downloaded the restore file yet.',
    remedy: 'Download the restore file now.',
  }),
  DownloadPending: state({
    condition: 'DownloadAvailable',
    status: 'False',
    event: 'none',
    meaning: 'The restore file is not ready yet.',
    remedy: '',
  }),
  DownloadExpired: state({
    condition: 'DownloadAvailable',
    status: 'False',
    event: 'Completion',
    meaning: 'The time to download the restore file is over.',
    remedy: NEW_DOWNLOAD,
  }),
  MaxDownloadsExceeded: state({
    condition: 'DownloadAvailable',
    status: 'False',
    event: 'Completion',
    meaning: 'The restore file was downloaded as often as allowed.',
    remedy: NEW_DOWNLOAD,
  }),
  DownloadFailed: state({
    condition: 'DownloadAvailable',
    status: 'False',
    event: 'Warning',
    meaning: (server: string) => `${server} could not provide the restore file.`,
    remedy: NEW_DOWNLOAD,
  }),
} as const satisfies Readonly<Record<string, ReasonEntry>>;

export type Reason = keyof typeof REASONS;
type ReasonWith<E> = { [R in Reason]: (typeof REASONS)[R] extends E ? R : never }[Reason];
export type ReadyReason = ReasonWith<{ readonly condition: 'Ready' }>;
export type SyncedReason = ReasonWith<{ readonly condition: 'Synced' }>;
export type DownloadReason = ReasonWith<{ readonly condition: 'DownloadAvailable' }>;
/** The reasons that say that something failed. */
export type FailureReason = ReasonWith<{ readonly retry: 'transient' | 'permanent' }>;

/** What the table says of a reason, without the narrow types of its row. */
export const entryOf = (reason: Reason): ReasonEntry => REASONS[reason];

/** Whether a text, such as the reason of a condition that another version wrote, is a reason of this table. */
export const isReason = (text: string): text is Reason => Object.hasOwn(REASONS, text);

/** The reasons that are a condition's own, in the order of the table; none where it borrows them all. */
export const reasonsOf = (condition: ConditionType): readonly Reason[] =>
  Object.keys(REASONS)
    .filter(isReason)
    .filter((reason) => entryOf(reason).condition === condition);

/** What a reason means; `api`: the one that is asked. */
export const meaningOf = (reason: Reason, api: AtlasApi = 'atlas/v1.0'): string =>
  sentenceFor(api, entryOf(reason).meaning);

/**
 * What a person does about a reason, more exactly where the error code tells more: Atlas's, or the Atlas client's own
 * where there was no response. Empty where there is nothing to do.
 */
export function remedyOf(
  reason: Reason,
  errorCode: string | undefined,
  audience: Audience,
  api: AtlasApi = 'atlas/v1.0',
): string {
  const entry = entryOf(reason);
  const remedy =
    entry.errorCodes?.find((candidate) => candidate.errorCode === errorCode)?.remedy ??
    entry.unsupported?.find((candidate) => candidate.code === errorCode)?.remedy ??
    entry.remedy;
  return sentenceFor(api, typeof remedy === 'object' ? remedy[audience] : remedy);
}

/** The reasons that say that something failed, in the order of the table. */
export const failureReasons = (): readonly FailureReason[] =>
  Object.keys(REASONS).filter(isReason).filter(isFailureReason);

const isFailureReason = (reason: Reason): reason is FailureReason => entryOf(reason).retry !== 'none';
