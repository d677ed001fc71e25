/** What the chart ships for monitoring, read from its files. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { load } from 'js-yaml';
import * as z from 'zod';

export const ROOT = path.join(import.meta.dirname, '../..');
/** A rules file of Prometheus. */
export const ALERTS_FILE = path.join(ROOT, 'charts/legacy-restore-operator/files/alerts.yaml');
export const DASHBOARD_FILE = path.join(ROOT, 'charts/legacy-restore-operator/files/dashboard.json');

/** The labels that Prometheus gives to the series of a target; those of the dashboard's variables are among them. */
export const TARGET_LABELS = ['cluster', 'namespace', 'job', 'pod', 'instance'] as const;

export type Alert = z.infer<typeof Alert>;
const Alert = z.strictObject({
  alert: z.string().regex(/^LegacyRestore[A-Z][A-Za-z]+$/),
  expr: z.string(),
  for: z.string().regex(/^\d+m$/),
  labels: z.strictObject({ severity: z.enum(['critical', 'warning', 'info']) }),
  annotations: z.strictObject({ summary: z.string().min(1), description: z.string().min(1), runbook_url: z.url() }),
});
const RulesFile = z.strictObject({ groups: z.array(z.strictObject({ name: z.string(), rules: z.array(Alert) })) });

export async function readAlerts(): Promise<Alert[]> {
  const { groups } = RulesFile.parse(load(await readFile(ALERTS_FILE, 'utf8')));
  return groups.flatMap(({ rules }) => rules);
}

const GridPos = z.strictObject({
  x: z.int().min(0),
  y: z.int().min(0),
  w: z.int().min(1).max(24),
  h: z.int().min(1),
});
const Reference = z.strictObject({ type: z.literal('prometheus'), uid: z.literal('$datasource') });
const Target = z.looseObject({ refId: z.string(), expr: z.string().min(1), datasource: Reference });
const Panel = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('row'), id: z.int(), title: z.string().min(1), gridPos: GridPos }),
  z.looseObject({
    type: z.enum(['stat', 'timeseries']),
    id: z.int(),
    title: z.string().min(1),
    description: z.string().min(1),
    datasource: Reference,
    gridPos: GridPos,
    targets: z.array(Target).min(1),
  }),
]);
const Variable = z.looseObject({ name: z.string(), type: z.enum(['datasource', 'query']) });

/** The members of a dashboard that tests look at. */
export type Dashboard = z.infer<typeof Dashboard>;
const Dashboard = z.looseObject({
  uid: z.string().regex(/^[\w-]{1,40}$/),
  title: z.string(),
  schemaVersion: z.int(),
  templating: z.object({ list: z.array(Variable) }),
  panels: z.array(Panel),
});

/** Throws where the file is no dashboard of this shape. */
export async function readDashboard(): Promise<Dashboard> {
  return Dashboard.parse(JSON.parse(await readFile(DASHBOARD_FILE, 'utf8')));
}

/** A query as Grafana sends it, with the name of its panel. */
export interface DashboardQuery {
  readonly panel: string;
  readonly expr: string;
}

/** All queries, with Grafana's variables replaced by what Grafana would put there for "All". */
export function queriesOf({ panels }: Dashboard): DashboardQuery[] {
  let row = '';
  return panels.flatMap((panel) => {
    if (panel.type === 'row') {
      row = panel.title;
      return [];
    }
    return panel.targets.map(({ expr }) => ({ panel: `${row}: ${panel.title}`, expr: substituted(expr) }));
  });
}

const substituted = (expr: string): string =>
  expr.replaceAll('$__rate_interval', '5m').replaceAll('$namespace', '.*').replaceAll('$job', '.+');
