import { describe, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import type { MetricEntry } from '../../../src/telemetry/instruments.ts';
import { codeClass, createMetrics, METRICS } from '../../../src/telemetry/metrics.ts';
import { collectNodeMetrics, NODE_METRICS } from '../../../src/telemetry/node-metrics.ts';
import { metricValue, samplesOf } from '../../support/scrape.ts';

const OWN: readonly MetricEntry[] = Object.values(METRICS);
const NODE: readonly MetricEntry[] = Object.values(NODE_METRICS);

describe('the table', () => {
  test('and the registry hold the same metrics', async () => {
    const { registry } = createMetrics('1.2.3');
    const registered = (await registry.getMetricsAsJSON()).map(({ name, type, help }) => ({ name, type, help }));
    const listed = OWN.map(({ name, type, help }) => ({ name, type, help }));
    const byName = (left: { name: string }, right: { name: string }) => left.name.localeCompare(right.name);
    expect(registered.toSorted(byName)).toEqual(listed.toSorted(byName));
  });

  test.each([...OWN, ...NODE])('$name is named, typed and explained as Prometheus wants it', (entry) => {
    const { name, type, labels, help } = entry;
    expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
    expect(name.endsWith('_total')).toBe(type === 'counter');
    if (type === 'histogram') expect(name).toMatch(/_seconds$/);
    expect(help).toMatch(/^\S.*\.$/);
    for (const label of labels) expect(label.name).toMatch(/^[a-z][a-z_]*$/);
  });

  test('no label names something of which there can be any number', () => {
    const open = OWN.flatMap(({ name, labels }) =>
      labels.filter(({ values }) => values === undefined).map((label) => `${name} ${label.name}`),
    );
    expect(open).toEqual([
      'legacy_restore_build_info version',
      'legacy_restore_build_info node_version',
      'leader_election_master_status name',
      'rest_client_requests_total code',
    ]);
  });
});

test('the versions are told', async () => {
  const text = await createMetrics('1.2.3').registry.metrics();
  expect(text).toContain(`legacy_restore_build_info{version="1.2.3",node_version="${process.version}"} 1`);
});

test('two operators in one process do not share their counts', async () => {
  const [one, two] = [createMetrics('1'), createMetrics('2')];
  one.statusWrites.inc({ result: 'success' });
  const samples = samplesOf(await two.registry.metrics());
  expect(metricValue(samples, 'legacy_restore_status_writes_total', { result: 'success' })).toBe(0);
});

test('counters begin at 0, but for series that cannot be', async () => {
  const samples = samplesOf(await createMetrics('1').registry.metrics());
  const requests = samples.filter(({ name }) => name === 'legacy_restore_atlas_requests_total');
  expect(requests).toHaveLength(6 * 6);
  const ofTokens = requests.filter(({ labels: { endpoint = '' } }) => ['token', 'revoke'].includes(endpoint));
  expect(ofTokens.filter(({ labels }) => labels['auth'] === 'digest')).toEqual([]);
  for (const { name, type } of OWN) {
    if (type !== 'counter' || name === 'rest_client_requests_total') continue;
    expect([name, metricValue(samples, name)]).toEqual([name, 0]);
  }
});

test.each([
  [0, 'none'],
  [200, '2xx'],
  [204, '2xx'],
  [302, '3xx'],
  [400, '4xx'],
  [401, '4xx'],
  [429, '429'],
  [499, '4xx'],
  [500, '5xx'],
  [503, '5xx'],
  [999, '5xx'],
])('the class of the status %p is %p', (status, expected) => {
  expect(codeClass(status)).toBe(expected);
});

test('of Node.js what the table lists is told', async () => {
  const registry = new Registry();
  const update = collectNodeMetrics(registry);
  const startedAt = process.cpuUsage();
  update();
  const before = metricValue(samplesOf(await registry.metrics()), 'process_cpu_seconds_total') ?? 0;
  expect(before).toBeGreaterThanOrEqual((startedAt.user + startedAt.system) / 1e6);
  update();
  const found = await registry.getMetricsAsJSON();
  expect(found.map(({ name, type, help }) => ({ name, type, help }))).toEqual(
    expect.arrayContaining(NODE.map(({ name, type, help }) => ({ name, type, help }))),
  );
  expect(found).toHaveLength(NODE.length);
  const samples = samplesOf(await registry.metrics());
  expect(metricValue(samples, 'process_cpu_seconds_total')).toBeLessThan(before + 5);
  expect(metricValue(samples, 'nodejs_heap_size_used_bytes')).toBeGreaterThan(1_000_000);
  expect(metricValue(samples, 'process_resident_memory_bytes')).toBeGreaterThan(10_000_000);
  expect(metricValue(samples, 'nodejs_eventloop_lag_p99_seconds')).toBeGreaterThanOrEqual(0);
  expect(metricValue(samples, 'process_start_time_seconds')).toBeLessThanOrEqual(Date.now() / 1_000);
  expect(metricValue(samples, 'nodejs_version_info', { version: process.version })).toBe(1);
});
