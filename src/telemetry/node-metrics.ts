/**
 * The metrics of Node.js and of the process: few of those that prom-client has, under its names. They are measured here,
 * because its own wake an idle process a hundred times a second, and count one of several collections of garbage.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { constants, monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import type { Registry } from 'prom-client';
import { createInstruments, type MetricTable } from './instruments.ts';

/** In the order of the documentation. */
export const NODE_METRICS = {
  cpu: {
    name: 'process_cpu_seconds_total',
    type: 'counter',
    labels: [],
    help: 'CPU time of the process in seconds, user and system.',
  },
  startTime: {
    name: 'process_start_time_seconds',
    type: 'gauge',
    labels: [],
    help: 'When the process started, in seconds since the epoch.',
  },
  residentMemory: {
    name: 'process_resident_memory_bytes',
    type: 'gauge',
    labels: [],
    help: 'Resident memory of the process.',
  },
  openFiles: {
    name: 'process_open_fds',
    type: 'gauge',
    labels: [],
    help: 'Open file descriptors. Without a sample where there is no /proc.',
  },
  maxFiles: {
    name: 'process_max_fds',
    type: 'gauge',
    labels: [],
    help: 'Most file descriptors that may be open. Without a sample where there is no /proc.',
  },
  eventLoopLag: {
    name: 'nodejs_eventloop_lag_p99_seconds',
    type: 'gauge',
    labels: [],
    help: 'How late timers fired since the last scrape, 99th percentile.',
  },
  heapTotal: {
    name: 'nodejs_heap_size_total_bytes',
    type: 'gauge',
    labels: [],
    help: 'Size of the JavaScript heap.',
  },
  heapUsed: {
    name: 'nodejs_heap_size_used_bytes',
    type: 'gauge',
    labels: [],
    help: 'Used part of the JavaScript heap.',
  },
  external: {
    name: 'nodejs_external_memory_bytes',
    type: 'gauge',
    labels: [],
    help: 'Memory of buffers outside of the JavaScript heap.',
  },
  version: {
    name: 'nodejs_version_info',
    type: 'gauge',
    labels: [{ name: 'version' }, { name: 'major' }, { name: 'minor' }, { name: 'patch' }],
    help: 'Always 1; the labels hold the version of Node.js.',
  },
  garbage: {
    name: 'nodejs_gc_duration_seconds',
    type: 'histogram',
    labels: [{ name: 'kind', values: ['major', 'minor', 'incremental', 'weakcb'] }],
    help: 'Duration of garbage collections in seconds, by kind.',
    buckets: [0.001, 0.01, 0.1, 1, 2, 5],
  },
} as const satisfies MetricTable;

/** Measures from now on. The function that it returns brings the gauges up to date, before a scrape. */
export function collectNodeMetrics(registry: Registry): () => void {
  const metrics = createInstruments(NODE_METRICS, registry);
  metrics.startTime.set(Math.round(performance.timeOrigin / 1_000));
  setOrRemove(metrics.maxFiles, maxFileDescriptors());
  const [major = '', minor = '', patch = ''] = process.versions.node.split('.');
  metrics.version.set({ version: process.version, major, minor, patch }, 1);
  new PerformanceObserver((list) => {
    for (const { kind, seconds } of list.getEntries().map(collectionOf)) metrics.garbage.observe({ kind }, seconds);
  }).observe({ entryTypes: ['gc'] });
  const delays = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  delays.enable();

  let spent = 0;
  return () => {
    const { user, system } = process.cpuUsage();
    const total = (user + system) / 1_000_000;
    metrics.cpu.inc(Math.max(0, total - spent));
    spent = total;
    const memory = process.memoryUsage();
    metrics.residentMemory.set(memory.rss);
    metrics.heapTotal.set(memory.heapTotal);
    metrics.heapUsed.set(memory.heapUsed);
    metrics.external.set(memory.external);
    setOrRemove(metrics.openFiles, openFileDescriptors());
    // The time between two samples is part of each delay.
    metrics.eventLoopLag.set(Math.max(0, delays.percentile(99) / 1e9 - LAG_RESOLUTION_MS / 1_000));
    delays.reset();
  };
}

/** Each sample wakes the process. */
const LAG_RESOLUTION_MS = 100;

const GC_KINDS: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weakcb',
};

function collectionOf(entry: PerformanceEntry): { readonly kind: string; readonly seconds: number } {
  const detail: unknown = 'detail' in entry ? entry.detail : undefined;
  const kind = typeof detail === 'object' && detail !== null && 'kind' in detail ? detail.kind : undefined;
  return { kind: (typeof kind === 'number' ? GC_KINDS[kind] : undefined) ?? 'minor', seconds: entry.duration / 1_000 };
}

/** undefined where there is no /proc. */
function openFileDescriptors(): number | undefined {
  try {
    // One of them is the folder that is being read.
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    return undefined;
  }
}

function maxFileDescriptors(): number | undefined {
  try {
    const soft = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

function setOrRemove(
  gauge: { readonly set: (value: number) => void; readonly remove: () => void },
  value: number | undefined,
): void {
  if (value === undefined) gauge.remove();
  else gauge.set(value);
}
