/** Writes a status, with what can come of it as values: an error of the API server is no error of the reconcile. */
import type { LegacyRestoreJob, Status } from '../api/legacy-restore-job.ts';
import type { KubeClient } from '../kube/client.ts';
import { hasStatus } from '../kube/errors.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { getLegacyRestoreJob, patchStatus } from './legacy-restore-jobs.ts';

export type StatusPatch =
  /** `job`: the resource with the new status. */
  | { readonly kind: 'written'; readonly job: LegacyRestoreJob }
  /** Something newer than the cached resource is there: `job`. */
  | { readonly kind: 'conflict'; readonly job: LegacyRestoreJob; readonly error: unknown }
  /** The resource was deleted. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'failed'; readonly error: unknown };

/** Patches the status of a resource, and reads the resource again where it has changed meanwhile. Never rejects. */
export async function tryPatchStatus(
  client: KubeClient,
  metrics: Pick<Metrics, 'statusWrites'>,
  job: LegacyRestoreJob,
  status: Status,
): Promise<StatusPatch> {
  try {
    const written = await patchStatus(client, job, status);
    metrics.statusWrites.inc({ result: 'success' });
    return { kind: 'written', job: written };
  } catch (error) {
    const isConflict = hasStatus(error, 409);
    metrics.statusWrites.inc({ result: isConflict ? 'conflict' : 'error' });
    if (hasStatus(error, 404)) return { kind: 'gone' };
    const fresh = isConflict ? await getLegacyRestoreJob(client, job).catch(() => undefined) : undefined;
    return fresh === undefined ? { kind: 'failed', error } : { kind: 'conflict', job: fresh, error };
  }
}
