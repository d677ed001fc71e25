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

/** Patches the status of a resource. Rejects only with an unexpected error. */
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
    // A 404 can come from the subresource or a gateway alone: only the resource itself tells whether it is gone.
    return isConflict || hasStatus(error, 404) ? explain(client, job, error, isConflict) : { kind: 'failed', error };
  }
}

async function explain(
  client: KubeClient,
  job: LegacyRestoreJob,
  error: unknown,
  isConflict: boolean,
): Promise<StatusPatch> {
  try {
    const fresh = await getLegacyRestoreJob(client, job);
    return fresh !== undefined && isConflict ? { kind: 'conflict', job: fresh, error } : { kind: 'failed', error };
  } catch (again) {
    return hasStatus(again, 404) ? { kind: 'gone' } : { kind: 'failed', error };
  }
}
