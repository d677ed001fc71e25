import { beforeAll, describe, expect, test } from '@jest/globals';
import { type Dashboard, queriesOf, readDashboard } from '../../support/monitoring.ts';

let dashboard: Dashboard;
beforeAll(async () => {
  dashboard = await readDashboard();
});

test('the ids of panels are unique, and so are the letters of the queries in each', () => {
  const ids = dashboard.panels.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const panel of dashboard.panels) {
    if (panel.type === 'row') continue;
    const letters = panel.targets.map(({ refId }) => refId);
    expect(new Set(letters).size).toBe(letters.length);
  }
});

test('panels lie within 24 columns, do not overlap, and follow their row', () => {
  const taken = new Map<string, string>();
  for (const { title, gridPos } of dashboard.panels) {
    expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect({ x, y, by: taken.get(`${x},${y}`) }).toEqual({ x, y, by: undefined });
        taken.set(`${x},${y}`, title);
      }
    }
  }
  const rows = dashboard.panels.map(({ gridPos }) => gridPos.y);
  expect(rows).toEqual(rows.toSorted((a, b) => a - b));
});

test('every row that whoever is on call looks for is there', () => {
  const rows = dashboard.panels.filter(({ type }) => type === 'row').map(({ title }) => title);
  expect(rows).toEqual(['Overview', 'Atlas', 'Controller', 'Kubernetes API', 'Process']);
});

describe('variables', () => {
  test('are the data source, the namespace and the job', () => {
    expect(dashboard.templating.list.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'datasource datasource',
      'namespace query',
      'job query',
    ]);
  });

  test('narrow down every selector: names such as process_cpu_seconds_total belong to every program', () => {
    const raw = dashboard.panels.flatMap((panel) => (panel.type === 'row' ? [] : panel.targets));
    for (const { expr } of raw) {
      const selectors = expr.match(/\{[^}]*\}/g) ?? [];
      expect(selectors.length).toBeGreaterThan(0);
      for (const selector of selectors) expect(selector).toContain('job=~"$job", namespace=~"$namespace"');
    }
  });

  test('none is left when they are replaced', () => {
    for (const { expr } of queriesOf(dashboard)) expect(expr).not.toContain('$');
  });
});
