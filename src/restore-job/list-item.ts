/** For which resources the list of their cluster can answer, and whether its item says what is mirrored already. */
import { conditionOf, type LegacyRestoreJob } from '../api/legacy-restore-job.ts';
import type { RestoreJobResponse } from '../api/restore-job.ts';
import { type ReconcileInput, reconcileResult } from './reconcile-result.ts';
import { isPolled, isUrgent } from './schedule.ts';
import { hasUrl } from './state.ts';

/** Whether a list can answer for a resource: it is open, equals Atlas as far as anybody knows, and nobody asked for more. */
export function isListable(job: LegacyRestoreJob): boolean {
  const { status, spec, generation, deleting } = job;
  if (spec.suspend === true || deleting || !isPolled(status) || isUrgent(job)) return false;
  // The Secret takes over a URL that status does not show: only the job's own response tells that it has changed.
  if (spec.deliverySecretName !== undefined && hasUrl(status)) return false;
  const synced = conditionOf(status, 'Synced');
  return synced?.status === 'True' && synced.observedGeneration === generation;
}

/**
 * Whether the item of a list says what is mirrored: the job's own response, were it the same, would change nothing in the
 * status. Links are left out of it, because an item has fewer of them.
 */
export function saysWhatIsMirrored(
  item: RestoreJobResponse,
  input: Pick<ReconcileInput, 'job' | 'atlasApi' | 'deliveryUrlInStatus' | 'missingFields' | 'now'>,
): boolean {
  const { job, now } = input;
  const { links: _, ...rest } = item.job;
  const { links } = job.status;
  const response = { ...item, job: links === undefined ? rest : { ...rest, links } };
  const { status } = reconcileResult({
    ...input,
    requestedAt: job.requestedAt,
    outcome: { kind: 'fetched', response, asOf: now, deliveryFailure: undefined },
    failures: 0,
    defaultInterval: 0,
    random: () => 0,
  });
  return status === undefined;
}
