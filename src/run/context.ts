/** What the parts of `run` have in common. */
import type { Settings } from '../config/settings.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export interface Context {
  readonly settings: Settings;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly client: KubeClient;
}
