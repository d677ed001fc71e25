/**
 * The fields of Atlas's BackupRestoreJob that a LegacyRestoreJob mirrors, under Atlas's own names.
 *
 * This is the one source: the CRD's status schema is generated from it and Atlas's answers are read with it. No field
 * has an enum, a format, a pattern or bounds: one odd value would make the API server refuse the whole status.
 */
import * as z from 'zod';

/** The states of a job that Atlas documents. */
export const JOB_STATUS_NAMES = ['IN_PROGRESS', 'FINISHED', 'BROKEN', 'KILLED'] as const;
/** The states of a delivery that Atlas documents. */
export const DELIVERY_STATUS_NAMES = [
  'NOT_STARTED',
  'PENDING',
  'IN_PROGRESS',
  'READY',
  'EXPIRED',
  'MAX_DOWNLOADS_EXCEEDED',
  'FAILED',
  'INTERRUPTED',
] as const;

const text = (description: string) => z.string().meta({ description }).exactOptional();
const flag = (description: string) => z.boolean().meta({ description }).exactOptional();
const integer = (description: string) => z.int().meta({ description, format: 'int64' }).exactOptional();

/** How the restored data is handed over. */
export const RestoreDelivery = z
  .object({
    methodName: text(
      'How the data is delivered: HTTP, AUTOMATED_RESTORE, QUERY, CLIENT_PIT_HTTP, CLIENT_PIT_SCP, SCP or THIRD_PARTY_COPY. ' +
        'Atlas reports an automated restore as HTTP too, with target fields or without a url.',
    ),
    statusName: text(
      'State of the delivery: NOT_STARTED, PENDING, IN_PROGRESS, READY, FAILED, INTERRUPTED, EXPIRED or MAX_DOWNLOADS_EXCEEDED. ' +
        'A job can be FINISHED while its delivery is EXPIRED.',
    ),
    url: text(
      'Download URL of the restore file. Whoever holds it can read the data. Absent when spec.deliverySecretName is set ' +
        'or the operator keeps URLs out of status.',
    ),
    urlV2: text(
      'Download URL that needs the HTTP header named in authHeader. Preferred over url. Its header value is never in ' +
        'status: set spec.deliverySecretName to receive it.',
    ),
    authHeader: text(
      'Name of the HTTP header that a download from urlV2 needs. Absent where the URLs are kept out of status.',
    ),
    expires: text('When the download expires, ISO 8601 in UTC.'),
    expirationHours: integer('Hours that the download stays valid once it is ready.'),
    maxDownloads: integer('How often the file can be downloaded; 2147483647 means no limit.'),
    targetClusterId: text('Id of the cluster that an automated restore writes to.'),
    targetClusterName: text('Name of the cluster that an automated restore writes to.'),
    targetGroupId: text('Id of the project of the cluster that an automated restore writes to.'),
  })
  .meta({ description: 'How, where and until when the restored data can be fetched, as Atlas tells it.' });

/** Checksum of one restore file. */
const RestoreHash = z
  .object({
    fileName: text('Name of the file that the hash belongs to.'),
    hash: text('The checksum, in lower-case hexadecimal digits.'),
    typeName: text('Algorithm of the checksum: SHA1.'),
  })
  .meta({ description: 'Checksum of one restore file.' });

/** Reference to a related Atlas resource; never a download. */
const RestoreLink = z
  .object({
    href: text('URL of the related Atlas resource. It is not a download.'),
    rel: text('Relation to the job: self, or a URL that names the kind of resource.'),
  })
  .meta({ description: 'Reference to a related Atlas resource.' });

/** Position in the oplog that the restore goes to. */
const RestoreTimestamp = z
  .object({
    date: text('Date and time of the oplog entry, ISO 8601 in UTC, to the second.'),
    increment: integer('Order of the oplog entry within its second.'),
  })
  .meta({ description: 'Timestamp of the last oplog entry that the restored data contains.' });

/** Every mirrored field of Atlas's BackupRestoreJob. */
export const RestoreJob = z.object({
  id: text('Id of the restore job at Atlas.'),
  groupId: text('Id of the Atlas project.'),
  clusterId: text('Id of the source cluster; differs from shard to shard within a batch.'),
  clusterName: text('Name of the source cluster.'),
  batchId: text(
    'Id shared by all jobs of one restore of a sharded cluster. Selectable: --field-selector status.batchId=….',
  ),
  snapshotId: text('Id of the snapshot that is restored.'),
  deploymentJobId: text('Id of the deployment job, for a restore from an imported snapshot.'),
  created: text('When the job was created, ISO 8601 in UTC.'),
  statusName: text('State of the job: IN_PROGRESS, FINISHED, BROKEN or KILLED.'),
  pointInTime: flag('Whether the restore goes to a point in time instead of a snapshot.'),
  encryptionEnabled: flag('Whether the data is encrypted at rest with a customer key.'),
  masterKeyUUID: text('Id of the master key that encrypted the data; only where encryptionEnabled is true.'),
  timestamp: RestoreTimestamp.exactOptional(),
  delivery: RestoreDelivery.exactOptional(),
  hashes: z
    .array(RestoreHash)
    .meta({ description: 'Checksums of the restore files. Empty or absent until the file was downloaded.' })
    .exactOptional(),
  links: z.array(RestoreLink).meta({ description: 'References to related Atlas resources.' }).exactOptional(),
});
export type RestoreJob = Readonly<z.infer<typeof RestoreJob>>;
export type RestoreDelivery = Readonly<z.infer<typeof RestoreDelivery>>;

/** A restore job as Atlas responded with it. */
export interface RestoreJobResponse {
  readonly job: RestoreJob;
  /** The value of the header that downloads from urlV2 need: a secret, and for that reason not part of `job`. */
  readonly authValue: string | undefined;
  /** Paths of members that Atlas gave but that could not be mirrored, such as `delivery.expires`. */
  readonly dropped: readonly string[];
  /** How many hashes Atlas gave; `job.hashes` holds the first of them. */
  readonly hashCount: number;
}
