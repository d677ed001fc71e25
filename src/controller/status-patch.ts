/** Writes a status, with what can come of it as values: an error of the API server is no error of the reconcile. */
import type { LegacyRestoreJob, Status } from '../api/legacy-restore-job.ts';
import { hasStatus } from '../kube/errors.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { getLegacyRestoreJob, patchStatus, type ReconciledResources } from './legacy-restore-jobs.ts';

export type StatusPatch =
  /** `job`: the resource with the new status. */
  | { readonly kind: 'written'; readonly job: LegacyRestoreJob }
  /** Something newer than the cached resource is there: `job`. */
  | { readonly kind: 'conflict'; readonly job: LegacyRestoreJob; readonly error: unknown }
  /** The resource was deleted, or has left the label selector. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'failed'; readonly error: unknown };

/** Patches the status of a resource. Rejects only with an unexpected error. */
export async function tryPatchStatus(
  { metrics, ...resources }: ReconciledResources & { readonly metrics: Pick<Metrics, 'statusWrites'> },
  job: LegacyRestoreJob,
  status: Status,
): Promise<StatusPatch> {
  try {
    const written = await patchStatus(resources.client, job, status);
    metrics.statusWrites.inc({ result: 'success' });
    return { kind: 'written', job: written };
  } catch (error) {
    const isConflict = hasStatus(error, 409);
    metrics.statusWrites.inc({ result: isConflict ? 'conflict' : 'error' });
    // A 404 can come from the subresource or a gateway alone: only the resource itself tells whether it is gone.
    return isConflict || hasStatus(error, 404) ? explain(resources, job, error, isConflict) : { kind: 'failed', error };
  }
}

async function explain(
  resources: ReconciledResources,
  job: LegacyRestoreJob,
  error: unknown,
  isConflict: boolean,
): Promise<StatusPatch> {
  try {
    const fresh = await getLegacyRestoreJob(resources, job);
    if (fresh === undefined) return { kind: 'gone' };
    return isConflict ? { kind: 'conflict', job: fresh, error } : { kind: 'failed', error };
  } catch {
    return { kind: 'failed', error };
  }
}
