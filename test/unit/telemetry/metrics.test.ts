import { expect, test } from '@jest/globals';
import { createMetrics } from '../../../src/telemetry/metrics.ts';

test('every metric is explained and named as Prometheus wants it', async () => {
  const { registry } = createMetrics('1.2.3');
  const metrics = await registry.getMetricsAsJSON();
  expect(metrics.length).toBeGreaterThan(10);
  for (const { name, help } of metrics) {
    expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
    expect(help).toMatch(/^\S.*\.$/);
  }
});

test('names that dashboards and alerts of Kubernetes know are theirs', async () => {
  const { registry } = createMetrics('1.2.3');
  const names = (await registry.getMetricsAsJSON()).map(({ name }) => name);
  expect(names).toEqual(
    expect.arrayContaining([
      'controller_runtime_reconcile_total',
      'controller_runtime_reconcile_time_seconds',
      'controller_runtime_active_workers',
      'workqueue_depth',
      'rest_client_requests_total',
      'leader_election_master_status',
    ]),
  );
});

test('the version is told', async () => {
  const text = await createMetrics('1.2.3').registry.metrics();
  expect(text).toContain('legacy_restore_build_info{version="1.2.3"} 1');
});

test('two operators in one process do not share their counts', async () => {
  const [one, two] = [createMetrics('1'), createMetrics('2')];
  one.statusWrites.inc({ result: 'success' });
  expect(await two.registry.metrics()).not.toContain('legacy_restore_status_writes_total{');
});
