/** What the parts of `run` have in common. */
import type { Settings } from '../config/settings.ts';
import type { KubeSession } from '../kube/session.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export interface Context {
  readonly settings: Settings;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly session: KubeSession;
}
