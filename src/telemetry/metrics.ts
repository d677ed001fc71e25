/** All metrics, in one place. Names follow controller-runtime's and client-go's where the thing is the same. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Seconds, from a local answer to the longest time-out. */
const LATENCY_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Registers every metric on a registry of its own. */
export function createMetrics(version: string) {
  const registry = new Registry();
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge({ name, help, labelNames, registers });
  const histogram = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Histogram({ name, help, labelNames, buckets: LATENCY_BUCKETS, registers });

  gauge('legacy_restore_build_info', 'Always 1; the label tells the version.', ['version']).set({ version }, 1);
  return {
    registry,
    reconciles: counter('controller_runtime_reconcile_total', 'Visits of resources, by outcome.', [
      'controller',
      'result',
    ]),
    reconcileSeconds: histogram('controller_runtime_reconcile_time_seconds', 'Time that visits took, in seconds.', [
      'controller',
    ]),
    queueDepth: gauge('workqueue_depth', 'Resources that are due and wait for a worker.', ['name']),
    activeWorkers: gauge('controller_runtime_active_workers', 'Resources that are being visited.', ['controller']),
    resources: gauge('legacy_restore_resources', 'LegacyRestoreJobs that the operator knows.'),
    atlasRequests: counter(
      'legacy_restore_atlas_requests_total',
      'Requests to Atlas, by endpoint and HTTP status (0: no answer).',
      ['endpoint', 'code'],
    ),
    atlasSeconds: histogram(
      'legacy_restore_atlas_request_duration_seconds',
      'Time that requests to Atlas took, in seconds.',
      ['endpoint'],
    ),
    pausedBudgets: gauge('legacy_restore_budgets_paused', 'Pairs of project and credential that Atlas asked to wait.'),
    kubeRequests: counter(
      'rest_client_requests_total',
      'Requests to the API server, by method and HTTP status (0: no answer).',
      ['method', 'code'],
    ),
    watchInterruptions: counter(
      'legacy_restore_watch_interruptions_total',
      'Interruptions of list and watch, by cause.',
      ['cause'],
    ),
    crdOutdated: gauge(
      'legacy_restore_crd_outdated',
      '1 while the installed CustomResourceDefinition lacks fields that this version needs, else 0.',
    ),
    statusWrites: counter('legacy_restore_status_writes_total', 'Status writes, by result.', ['result']),
    leader: gauge('leader_election_master_status', '1 while this replica leads, else 0.', ['name']),
    deprecated: gauge(
      'legacy_restore_atlas_api_deprecated',
      '1 once Atlas has marked the API version in use as deprecated.',
    ),
  };
}
export type Metrics = ReturnType<typeof createMetrics>;
