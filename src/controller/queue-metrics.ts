/** The metrics of the work queue, under client-go's names. */
import { CONTROLLER, type Metrics } from '../telemetry/metrics.ts';
import type { QueueObserver } from './queue.ts';

const QUEUE = { name: CONTROLLER } as const;

/** Counts what goes through the queue. */
export const observeQueue = (metrics: Metrics): QueueObserver => ({
  added: () => metrics.queueAdds.inc(QUEUE),
  taken: (waitedMs) => metrics.queueSeconds.observe(QUEUE, waitedMs / 1_000),
  ended: (workedMs) => metrics.workSeconds.observe(QUEUE, workedMs / 1_000),
});
