/**
 * The table of metrics, and the registry that is made from it. Names are those of controller-runtime and client-go where
 * the thing is the same. The page in docs/ is generated from the table, and tests compare it with a real scrape.
 */
import { Registry } from 'prom-client';
import { DELIVERY_STATUS_NAMES, JOB_STATUS_NAMES } from '../api/restore-job.ts';
import { reasonsOf } from '../restore-job/reasons.ts';
import { createInstruments, type Instruments, type MetricTable } from './instruments.ts';

/** The value of the labels `controller` and `name`. */
export const CONTROLLER = 'legacyrestorejob';

/** The values of Synced's reason for no reason at all and for a reason of another version. */
export const NO_REASON = 'none';
export const OTHER_REASON = 'other';

const controller = { name: 'controller', values: [CONTROLLER] } as const;
const queueName = { name: 'name', values: [CONTROLLER] } as const;
const reconcileResult = { name: 'result', values: ['success', 'error', 'requeue', 'suspended'] } as const;
const endpoint = { name: 'endpoint', values: ['restoreJob', 'restoreJobs', 'token', 'revoke'] } as const;
const auth = { name: 'auth', values: ['digest', 'serviceAccount'] } as const;
/** Tokens belong to service accounts alone. */
const NO_DIGEST_TOKENS = [
  ['token', 'digest'],
  ['revoke', 'digest'],
] as const;

/** Every metric of the operator's own, in the order of the documentation. Those of Node.js are in node-metrics.ts. */
export const METRICS = {
  buildInfo: {
    name: 'legacy_restore_build_info',
    type: 'gauge',
    labels: [{ name: 'version' }, { name: 'node_version' }],
    help: 'Always 1; the labels hold the versions of the operator and of Node.js.',
  },
  resources: {
    name: 'legacy_restore_resources',
    type: 'gauge',
    labels: [{ name: 'status', values: [...JOB_STATUS_NAMES, 'other', 'none'] }],
    help: 'LegacyRestoreJobs by the status of their job at Atlas. none: nothing is mirrored yet.',
  },
  resourcesByDelivery: {
    name: 'legacy_restore_resources_by_delivery',
    type: 'gauge',
    labels: [{ name: 'delivery', values: [...DELIVERY_STATUS_NAMES, 'other', 'none'] }],
    help: 'LegacyRestoreJobs by the status of their delivery. none: Atlas has reported no delivery yet.',
  },
  resourcesBySynced: {
    name: 'legacy_restore_resources_by_synced',
    type: 'gauge',
    labels: [
      { name: 'status', values: ['True', 'False', 'Unknown'] },
      { name: 'reason', values: [...reasonsOf('Synced'), NO_REASON, OTHER_REASON] },
    ],
    help: 'LegacyRestoreJobs by their condition Synced. Every reason is reported, even with 0. none: not reconciled yet.',
  },
  mirrorAge: {
    name: 'legacy_restore_mirror_age_seconds',
    type: 'gauge',
    labels: [],
    help: 'Seconds since the oldest last successful fetch among the resources that can still change, are not suspended and are not rejected (Synced is not False). For a resource that this replica has not fetched yet, seconds since the replica became the leader or first saw the resource. 0 if there is no such resource, and on a standby.',
  },
  mirrorOverdue: {
    name: 'legacy_restore_mirror_overdue_seconds',
    type: 'gauge',
    labels: [],
    help: 'The same among the same resources, reduced for each of them by its interval: by how many seconds the oldest fetch is late at least. 0 if none is.',
  },
  downloadsExpiringSoon: {
    name: 'legacy_restore_downloads_expiring_soon',
    type: 'gauge',
    labels: [{ name: 'fetched', values: ['true', 'false'] }],
    help: 'Downloads that are READY and expire within 6 hours, by whether someone has downloaded the file: Atlas then reports hashes.',
  },
  reconciles: {
    name: 'controller_runtime_reconcile_total',
    type: 'counter',
    labels: [controller, reconcileResult],
    help: 'Reconciles by result. requeue: the resource waits for the budget of its project or for the list of its cluster, or it changed in the meantime.',
  },
  reconcileErrors: {
    name: 'controller_runtime_reconcile_errors_total',
    type: 'counter',
    labels: [controller],
    help: 'Reconciles that ended with an error.',
  },
  reconcileSeconds: {
    name: 'controller_runtime_reconcile_time_seconds',
    type: 'histogram',
    labels: [controller, reconcileResult],
    help: 'Duration of reconciles in seconds, by result.',
  },
  activeWorkers: {
    name: 'controller_runtime_active_workers',
    type: 'gauge',
    labels: [controller],
    help: 'Reconciles in progress.',
  },
  maxConcurrentReconciles: {
    name: 'controller_runtime_max_concurrent_reconciles',
    type: 'gauge',
    labels: [controller],
    help: 'Maximum number of concurrent reconciles: the setting concurrency.',
  },
  queueDepth: {
    name: 'workqueue_depth',
    type: 'gauge',
    labels: [queueName],
    help: 'Resources that are due and wait for a worker.',
  },
  queueAdds: {
    name: 'workqueue_adds_total',
    type: 'counter',
    labels: [queueName],
    help: 'Number of times that a resource became due.',
  },
  queueSeconds: {
    name: 'workqueue_queue_duration_seconds',
    type: 'histogram',
    labels: [queueName],
    help: 'Seconds that resources were due before a worker took them.',
  },
  workSeconds: {
    name: 'workqueue_work_duration_seconds',
    type: 'histogram',
    labels: [queueName],
    help: 'Seconds that workers were busy with one resource.',
  },
  longestRunning: {
    name: 'workqueue_longest_running_processor_seconds',
    type: 'gauge',
    labels: [queueName],
    help: 'Seconds since the oldest reconcile in progress began; 0 if there is none.',
  },
  retries: {
    name: 'workqueue_retries_total',
    type: 'counter',
    labels: [queueName],
    help: 'Reconciles that were scheduled again after a failure.',
  },
  atlasRequests: {
    name: 'legacy_restore_atlas_requests_total',
    type: 'counter',
    labels: [endpoint, auth, { name: 'code', values: ['2xx', '3xx', '4xx', '429', '5xx', 'none'] }],
    help: 'Requests to Atlas by endpoint (restoreJobs: a page of the list of a cluster), kind of credentials and class of the HTTP status. 4xx excludes 429 and includes the 401 with which Atlas sends a Digest nonce. none: no response.',
    impossible: NO_DIGEST_TOKENS,
  },
  atlasSeconds: {
    name: 'legacy_restore_atlas_request_duration_seconds',
    type: 'histogram',
    labels: [endpoint, auth],
    help: 'Duration of requests to Atlas in seconds, to the last byte or to the failure.',
  },
  listAnswers: {
    name: 'legacy_restore_atlas_list_answers_total',
    type: 'counter',
    labels: [{ name: 'result', values: ['unchanged', 'changed', 'missing'] }],
    help: 'Open restore jobs that the list of their cluster answered for. unchanged: no request of its own was needed. changed: the job was fetched. missing: the list did not contain it, so it is fetched on its own for an hour.',
  },
  budgetsPaused: {
    name: 'legacy_restore_atlas_budgets_paused',
    type: 'gauge',
    labels: [],
    help: 'Pairs of project and credential that are paused because Atlas asked to wait.',
  },
  budgetPauses: {
    name: 'legacy_restore_atlas_budget_pauses_total',
    type: 'counter',
    labels: [],
    help: 'Number of times that Atlas asked a pair of project and credential to wait.',
  },
  budgetRemaining: {
    name: 'legacy_restore_atlas_budget_remaining_requests',
    type: 'gauge',
    labels: [],
    help: 'Requests that may be sent right now by the pair of project and credential with the fewest left. No sample without a client-side limit.',
  },
  budgetWaiting: {
    name: 'legacy_restore_atlas_budget_waiting',
    type: 'gauge',
    labels: [],
    help: 'Requests that wait in the queue of the budget of their project and credential: those of single resources, and lists.',
  },
  tokens: {
    name: 'legacy_restore_atlas_tokens_total',
    type: 'counter',
    labels: [{ name: 'result', values: ['granted', 'refused', 'failed'] }],
    help: 'Access tokens requested from Atlas. refused: Atlas refused, or asked to wait. failed: no usable response.',
  },
  apiDeprecated: {
    name: 'legacy_restore_atlas_api_deprecated',
    type: 'gauge',
    labels: [],
    help: '1 once Atlas has marked the API version in use as deprecated.',
  },
  apiDeprecation: {
    name: 'legacy_restore_atlas_api_deprecation_timestamp_seconds',
    type: 'gauge',
    labels: [],
    help: 'Time since which the API version in use is deprecated, in seconds since the epoch, as Atlas announces it. No sample without a date.',
  },
  apiSunset: {
    name: 'legacy_restore_atlas_api_sunset_timestamp_seconds',
    type: 'gauge',
    labels: [],
    help: 'Time of the end of the API version in use, in seconds since the epoch, as Atlas announces it. No sample without a date.',
  },
  statusWrites: {
    name: 'legacy_restore_status_writes_total',
    type: 'counter',
    labels: [{ name: 'result', values: ['success', 'conflict', 'error'] }],
    help: 'Status writes by result. A conflict is recomputed and written again.',
  },
  statusWritesSkipped: {
    name: 'legacy_restore_status_writes_skipped_total',
    type: 'counter',
    labels: [],
    help: 'Reconciles that found the status already equal and wrote nothing.',
  },
  events: {
    name: 'legacy_restore_events_total',
    type: 'counter',
    labels: [{ name: 'result', values: ['written', 'failed'] }],
    help: 'Kubernetes events by result, both new ones and those counted in a series.',
  },
  crdOutdated: {
    name: 'legacy_restore_crd_outdated',
    type: 'gauge',
    labels: [],
    help: '1 while the installed CustomResourceDefinition lacks fields that this version writes.',
  },
  watchInterruptions: {
    name: 'legacy_restore_watch_interruptions_total',
    type: 'counter',
    labels: [{ name: 'cause', values: ['list', 'watch', 'expired', 'stalled'] }],
    help: 'Interruptions of listing and watching the resources, by cause.',
  },
  watchLists: {
    name: 'legacy_restore_watch_lists_total',
    type: 'counter',
    labels: [{ name: 'kind', values: ['watch_list', 'paged'] }],
    help: 'Complete lists of the resources, by how they were read.',
  },
  watchListObjects: {
    name: 'legacy_restore_watch_list_objects',
    type: 'gauge',
    labels: [],
    help: 'Resources in the newest complete list, of all namespaces together.',
  },
  namespacesUnavailable: {
    name: 'legacy_restore_namespaces_unavailable',
    type: 'gauge',
    labels: [],
    help: 'Namespaces that cannot be listed or watched right now. Without the setting namespaces all of them count as one.',
  },
  leader: {
    name: 'leader_election_master_status',
    type: 'gauge',
    labels: [{ name: 'name' }],
    help: '1 while this replica is the leader, else 0. The label is the name of the Lease. No sample without leader election.',
  },
  kubeRequests: {
    name: 'rest_client_requests_total',
    type: 'counter',
    labels: [{ name: 'method', values: ['GET', 'POST', 'PUT', 'PATCH', 'WATCH'] }, { name: 'code' }],
    help: 'Requests to the API server by method and HTTP status. <error>: no response.',
  },
  kubeSeconds: {
    name: 'rest_client_request_duration_seconds',
    type: 'histogram',
    labels: [{ name: 'verb', values: ['GET', 'POST', 'PUT', 'PATCH', 'WATCH'] }],
    help: 'Duration of requests to the API server in seconds; for a WATCH until its response begins.',
  },
} as const satisfies MetricTable;

/** The instruments of the table, and the registry that they are on. */
export type Metrics = Instruments<typeof METRICS> & { readonly registry: Registry };

/** Registers every metric of the table on a registry of its own. */
export function createMetrics(version: string): Metrics {
  const registry = new Registry();
  const instruments = createInstruments(METRICS, registry);
  // A gauge without labels begins at 0, which would be a date.
  instruments.apiDeprecation.remove();
  instruments.apiSunset.remove();
  instruments.buildInfo.set({ version, node_version: process.version }, 1);
  return { ...instruments, registry };
}

/** The label `code` of a request to Atlas: the class of the HTTP status; 0 means that there was no response. */
export function codeClass(status: number): '2xx' | '3xx' | '4xx' | '429' | '5xx' | 'none' {
  if (status === 0) return 'none';
  if (status === 429) return '429';
  if (status >= 200 && status < 300) return '2xx';
  if (status >= 300 && status < 400) return '3xx';
  // RFC 9110 section 15: a status that is no status counts as 5xx.
  return status >= 400 && status < 500 ? '4xx' : '5xx';
}
