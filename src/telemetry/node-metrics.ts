/** The metrics of Node.js and of the process: few of those that prom-client knows, under its names. */
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { MetricEntry } from './metrics.ts';

/** What is kept, in the order of the documentation. The explanations in the scrape are prom-client's. */
export const NODE_METRICS: readonly MetricEntry[] = [
  {
    name: 'process_cpu_seconds_total',
    type: 'counter',
    labels: [],
    help: 'CPU time of the process in seconds, user and system.',
  },
  {
    name: 'process_start_time_seconds',
    type: 'gauge',
    labels: [],
    help: 'When the process started, in seconds since the epoch.',
  },
  { name: 'process_resident_memory_bytes', type: 'gauge', labels: [], help: 'Resident memory of the process.' },
  { name: 'process_open_fds', type: 'gauge', labels: [], help: 'Open file descriptors. Linux only.' },
  { name: 'process_max_fds', type: 'gauge', labels: [], help: 'Most file descriptors that may be open. Linux only.' },
  {
    name: 'nodejs_eventloop_lag_p99_seconds',
    type: 'gauge',
    labels: [],
    help: 'How late timers fired since the last scrape, 99th percentile, the resolution of 0.01 s included.',
  },
  { name: 'nodejs_heap_size_total_bytes', type: 'gauge', labels: [], help: 'Size of the JavaScript heap.' },
  { name: 'nodejs_heap_size_used_bytes', type: 'gauge', labels: [], help: 'Used part of the JavaScript heap.' },
  { name: 'nodejs_external_memory_bytes', type: 'gauge', labels: [], help: 'Memory of buffers outside of the heap.' },
  {
    name: 'nodejs_version_info',
    type: 'gauge',
    labels: [{ name: 'version' }, { name: 'major' }, { name: 'minor' }, { name: 'patch' }],
    help: 'Always 1; the labels tell the version of Node.js.',
  },
  {
    name: 'nodejs_gc_duration_seconds',
    type: 'histogram',
    labels: [{ name: 'kind', values: ['major', 'minor', 'incremental', 'weakcb'] }],
    help: 'Duration of garbage collections in seconds, by kind.',
  },
];

/**
 * Collects them from now on and puts them on a registry. The function that it returns brings them up to date and is to
 * be called before a scrape: prom-client sets some from within others that are not kept.
 */
export function collectNodeMetrics(registry: Registry): () => Promise<void> {
  const all = new Registry();
  collectDefaultMetrics({ register: all });
  for (const { name } of NODE_METRICS) {
    const metric = all.getSingleMetric(name);
    if (metric !== undefined) registry.registerMetric(metric);
  }
  return async () => {
    await all.getMetricsAsJSON();
  };
}
