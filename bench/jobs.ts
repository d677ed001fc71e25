/** The restore jobs of a bench: what Atlas says of job number i, in each of its versions. */
import type { ApiKey } from '../test/support/atlas-simulator/credentials.ts';
import type { JobIdentity } from '../test/support/atlas-simulator/jobs.ts';
import type { JsonObject } from '../test/support/atlas-simulator/json.ts';

/** A resource and the job that it mirrors. */
export interface BenchJob {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly identity: JobIdentity;
}

/** `finished`: nothing can change any more. `running`: Atlas is asked again and again. */
export type Phase = 'finished' | 'running';

/** Resources are spread over so many namespaces, each with its project and its Secret. */
export const NAMESPACES = 10;
export const namespaceOf = (index: number): string => `bench-${index % NAMESPACES}`;

export const SECRET_NAME = 'atlas-key';
export const API_KEY: ApiKey = { publicKey: 'benchkey', privateKey: '0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0' };

/** Job number `index`, always the same. */
export function benchJob(index: number): BenchJob {
  const number = index.toString(16).padStart(8, '0');
  return {
    namespace: namespaceOf(index),
    name: `restore-${String(index).padStart(6, '0')}`,
    uid: `00000000-0000-4000-8000-0000${number}`,
    identity: {
      groupId: `5a66666887d9d61443b4164${index % NAMESPACES}`,
      clusterName: 'Cluster0',
      jobId: `6b77893b80eef535${number}`,
    },
  };
}

/**
 * A body with every member that Atlas documents for a restore into a cluster. Each `version` differs from the one before
 * in one number, so that its change moves no condition and causes no event.
 */
export function bodyOf({ identity }: BenchJob, phase: Phase, version: number): JsonObject {
  const { groupId, clusterName, jobId } = identity;
  const cluster = `https://cloud.mongodb.com/api/atlas/v1.0/groups/${groupId}/clusters/${clusterName}`;
  return {
    batchId: '5a66783b80eef5354c77ee13',
    clusterId: '5a66689487d9d61443b46149',
    clusterName,
    created: '2018-01-22T23:48:11Z',
    delivery: phase === 'finished' ? FINISHED_DELIVERY : RUNNING_DELIVERY,
    encryptionEnabled: true,
    groupId,
    hashes: [
      {
        fileName: `${clusterName}-shard-1-1516661094-${jobId}.tar.gz`,
        hash: '86bc2f505c0874cdc0eaaa82ead2ef48aaf56d67',
        typeName: 'SHA1',
      },
    ],
    id: jobId,
    links: [
      { href: `${cluster}/restoreJobs/${jobId}`, rel: 'self' },
      { href: cluster, rel: 'http://mms.mongodb.com/cluster' },
    ],
    masterKeyUUID: '3f2b7a52-6f3c-4c0e-9a5d-6a1f0f4d2c11',
    pointInTime: false,
    snapshotId: '5a6669d9fcc178211a0d86b9',
    statusName: phase === 'finished' ? 'FINISHED' : 'IN_PROGRESS',
    timestamp: { date: '2018-01-22T22:44:54Z', increment: version },
  };
}

const TARGET: JsonObject = {
  targetClusterId: '5a66689487d9d61443b46150',
  targetClusterName: 'Cluster1',
  targetGroupId: '5a66666887d9d61443b41650',
};
const FINISHED_DELIVERY: JsonObject = {
  expirationHours: 48,
  maxDownloads: 2_147_483_647,
  methodName: 'HTTP',
  statusName: 'READY',
  ...TARGET,
};
const RUNNING_DELIVERY: JsonObject = { methodName: 'HTTP', statusName: 'IN_PROGRESS', ...TARGET };

/** The conditions that every subject writes, as type, status and reason. */
export function expectedConditions(phase: Phase): ReadonlyArray<readonly [string, string, string]> {
  const ready =
    phase === 'finished' ? (['Ready', 'True', 'JobFinished'] as const) : (['Ready', 'False', 'JobInProgress'] as const);
  return [ready, ['Synced', 'True', 'JobFetched']];
}
