import type { JobIdentity } from './jobs.ts';
import type { JsonObject } from './json.ts';

/** The job of `PUBLISHED_EXAMPLE`. */
export const PUBLISHED_EXAMPLE_JOB: JobIdentity = {
  groupId: '5a66666887d9d61443b41645',
  clusterName: 'Cluster0',
  jobId: '6b77893b80eef5354c77ee15',
};

/** The example of the page "Get One Legacy Backup Restore Job", verbatim: a shard's download, finished and expired. */
export const PUBLISHED_EXAMPLE: JsonObject = {
  batchId: '5a66783b80eef5354c77ee13',
  clusterId: '5a66689487d9d61443b46149',
  clusterName: 'Cluster0',
  created: '2018-01-22T23:48:11Z',
  delivery: {
    expirationHours: 48,
    expires: '2018-01-22T23:49:38Z',
    maxDownloads: 2147483647,
    methodName: 'HTTP',
    statusName: 'EXPIRED',
    url: 'https://api-backup.mongodb.com/backup/restore/v2/pull/6b77893b80eef5354c77ee15/N2Y1NDhkMjg0Mzk4NGU1Mzk3NTkwMjA0M2ZhODVkNDk=/Cluster0-shard-1-1516661094-6b77893b80eef5354c77ee15.tar.gz',
  },
  encryptionEnabled: false,
  groupId: '5a66666887d9d61443b41645',
  hashes: [
    {
      fileName: 'Cluster0-shard-1-1516661094-6b77893b80eef5354c77ee15.tar.gz',
      hash: '86bc2f505c0874cdc0eaaa82ead2ef48aaf56d67',
      typeName: 'SHA1',
    },
  ],
  id: '6b77893b80eef5354c77ee15',
  links: [
    {
      href: 'https://cloud.mongodb.com/api/atlas/v1.0/groups/5a66666887d9d61443b41645/clusters/Cluster0/restoreJobs/6b77893b80eef5354c77ee15',
      rel: 'self',
    },
    {
      href: 'https://cloud.mongodb.com/api/atlas/v1.0/groups/5a66666887d9d61443b41645/clusters/Cluster0',
      rel: 'http://mms.mongodb.com/cluster',
    },
  ],
  pointInTime: false,
  snapshotId: '5a6669d9fcc178211a0d86b9',
  statusName: 'FINISHED',
  timestamp: { date: '2018-01-22T22:44:54Z', increment: 1 },
};

/** A time as Atlas writes it: ISO 8601, UTC, to the second (rounded up). */
export function atlasDate(epochMs: number): string {
  return `${new Date(Math.ceil(epochMs / 1000) * 1000).toISOString().slice(0, -5)}Z`;
}

/** A job that has just started: no expirationHours, no maxDownloads, no encryptionEnabled, empty links. */
export function youngJob(job: JobIdentity): JsonObject {
  return {
    ...core(job),
    delivery: { methodName: 'HTTP', statusName: 'NOT_STARTED' },
    links: [],
    statusName: 'IN_PROGRESS',
  };
}

/** A young job with the recorded status that no enum lists. */
export function openJob(job: JobIdentity): JsonObject {
  return { ...youngJob(job), statusName: 'OPEN' };
}

/** Finished, the download still being prepared. */
export function pendingDownload(job: JobIdentity): JsonObject {
  return { ...settled(job), delivery: httpDelivery('PENDING'), hashes: [] };
}

/** A download that is ready until `expires` (a date as Atlas writes it) and has not been fetched: no hashes. */
export function readyDownload(job: JobIdentity, expires: string): JsonObject {
  return { ...settled(job), delivery: { ...httpDelivery('READY'), expires, url: downloadUrl(job) }, hashes: [] };
}

/** The same after it was fetched once: Atlas now knows the hash of its one file. */
export function fetchedDownload(job: JobIdentity, expires: string): JsonObject {
  return { ...readyDownload(job, expires), hashes: hashesOf(job) };
}

/** A download that is over: `EXPIRED`, `MAX_DOWNLOADS_EXCEEDED`, `FAILED` or `INTERRUPTED`, while the job stays FINISHED. */
export function endedDownload(job: JobIdentity, deliveryStatus: string, expires: string): JsonObject {
  const delivery = { ...httpDelivery(deliveryStatus), expires, url: downloadUrl(job) };
  return { ...settled(job), delivery, hashes: hashesOf(job) };
}

/** The preferred kind of download: the key is not in the URL but in a header, whose value is a secret. */
export function urlV2Download(job: JobIdentity, expires: string): JsonObject {
  const delivery = {
    ...httpDelivery('READY'),
    authHeader: 'X-Backup-Restore-Key',
    authValue: `key-of-${job.jobId}`,
    expires,
    url: downloadUrl(job),
    urlV2: `https://api-backup.mongodb.com/backup/restore/v2/pull/${job.jobId}/${fileName(job)}`,
  };
  return { ...settled(job), delivery, hashes: [] };
}

/** A ready download of an encrypted cluster. */
export function encryptedDownload(job: JobIdentity, expires: string): JsonObject {
  return {
    ...readyDownload(job, expires),
    encryptionEnabled: true,
    masterKeyUUID: '3f2b7a52-6f3c-4c0e-9a5d-6a1f0f4d2c11',
  };
}

/** A ready download of a point in time rather than of a snapshot. */
export function pointInTimeDownload(job: JobIdentity, expires: string): JsonObject {
  return { ...readyDownload(job, expires), pointInTime: true };
}

/** The timestamp as the sibling resource writes it at times: members that are null, and an extra `time`. */
export function oddTimestamp(job: JobIdentity): JsonObject {
  return { ...pendingDownload(job), timestamp: { date: null, increment: null, time: 1516661094 } };
}

/** A restore into a cluster. It reads back as HTTP without a url, and nothing says that it was automated. */
export function automatedRestore(job: JobIdentity): JsonObject {
  return { ...settled(job), delivery: { methodName: 'HTTP', statusName: 'READY' } };
}

/** A restore into a cluster that names its target. */
export function automatedRestoreInto(
  job: JobIdentity,
  target: { readonly groupId: string; readonly clusterId: string; readonly clusterName: string },
): JsonObject {
  const delivery = {
    methodName: 'HTTP',
    statusName: 'READY',
    targetClusterId: target.clusterId,
    targetClusterName: target.clusterName,
    targetGroupId: target.groupId,
  };
  return { ...settled(job), delivery };
}

/** A job that failed. */
export function brokenJob(job: JobIdentity): JsonObject {
  return { ...youngJob(job), statusName: 'BROKEN' };
}

/** A job that somebody canceled. */
export function killedJob(job: JobIdentity): JsonObject {
  return { ...youngJob(job), statusName: 'KILLED' };
}

/** The jobs of a sharded restore, in the order config server, shard 0, shard 1. */
export interface ShardedBatch {
  readonly groupId: string;
  readonly clusterName: string;
  readonly batchId: string;
  readonly jobIds: readonly [string, string, string];
}

/** The three bodies of a sharded restore: one batchId, a clusterId and a file each. */
export function shardedBatch(
  batch: ShardedBatch,
  expires: string,
): readonly (JobIdentity & { readonly body: JsonObject })[] {
  const parts = ['config', 'shard-0', 'shard-1'];
  return batch.jobIds.map((jobId, index) => {
    const job = { groupId: batch.groupId, clusterName: batch.clusterName, jobId };
    const part = parts[index] ?? '';
    const file = index === 0 ? `${part}-${fileName(job)}` : fileName(job, part);
    const body = {
      ...fetchedDownload(job, expires),
      batchId: batch.batchId,
      clusterId: `5a66689487d9d61443b4614${index}`,
      delivery: { ...httpDelivery('READY'), expires, url: downloadUrl(job, file) },
      hashes: hashesOf(job, file),
    };
    return { ...job, body };
  });
}

// What every body has, however young.
function core(job: JobIdentity): JsonObject {
  return {
    clusterId: '5a66689487d9d61443b46149',
    clusterName: job.clusterName,
    created: '2018-01-22T23:48:11Z',
    groupId: job.groupId,
    id: job.jobId,
    snapshotId: '5a6669d9fcc178211a0d86b9',
    timestamp: { date: '2018-01-22T22:44:54Z', increment: 1 },
  };
}

// What a job that is not young has in addition.
function settled(job: JobIdentity): JsonObject {
  const cluster = `https://cloud.mongodb.com/api/atlas/v1.0/groups/${job.groupId}/clusters/${job.clusterName}`;
  return {
    ...core(job),
    encryptionEnabled: false,
    links: [
      { href: `${cluster}/restoreJobs/${job.jobId}`, rel: 'self' },
      { href: cluster, rel: 'http://mms.mongodb.com/cluster' },
    ],
    pointInTime: false,
    statusName: 'FINISHED',
  };
}

function httpDelivery(statusName: string): JsonObject {
  return { expirationHours: 48, maxDownloads: 2147483647, methodName: 'HTTP', statusName };
}

function fileName(job: JobIdentity, part = 'shard-0'): string {
  return `${job.clusterName}-${part}-1516661094-${job.jobId}.tar.gz`;
}

// The key is inside the path: holding the URL is holding the data.
function downloadUrl(job: JobIdentity, file = fileName(job)): string {
  const key = Buffer.from(`verification-key-${job.jobId}`).toString('base64');
  return `https://api-backup.mongodb.com/backup/restore/v2/pull/${job.jobId}/${key}/${file}`;
}

function hashesOf(job: JobIdentity, file = fileName(job)): readonly JsonObject[] {
  return [{ fileName: file, hash: '86bc2f505c0874cdc0eaaa82ead2ef48aaf56d67', typeName: 'SHA1' }];
}
