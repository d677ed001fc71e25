/**
 * The Grafana dashboard of the chart, in the classic model (grafana.com/docs, "Dashboard JSON model"). It is generated,
 * because by hand nobody keeps ids unique and panels from overlapping.
 *
 * Gauges are reported by every replica: max over them, never sum. Counters are summed after rate.
 */

/** charts/legacy-restore-operator/files/dashboard.json */
export function dashboardFile(): string {
  return `${JSON.stringify(dashboard(), null, 2)}\n`;
}

/** What a query selects by beyond its own labels. Only the variables make it the operator's where a name is shared. */
const TARGET = 'job=~"$job", namespace=~"$namespace"';
const DATASOURCE = { type: 'prometheus', uid: '$datasource' } as const;
const COLUMNS = 24;
/** Grafana 13 writes this one; older releases read it. */
const SCHEMA_VERSION = 42;

interface Query {
  readonly expr: string;
  /** Grafana's template of the name of a series. */
  readonly legend: string;
}

interface Step {
  readonly color: 'green' | 'yellow' | 'red';
  /** The first value of the color; null: from the lowest. */
  readonly value: number | null;
}

interface Panel {
  readonly type: 'stat' | 'timeseries';
  readonly title: string;
  readonly description: string;
  readonly queries: readonly Query[];
  /** Id of a unit of Grafana. */
  readonly unit: string;
  /** In columns, of 24. */
  readonly width: number;
  readonly stacked?: boolean;
  readonly steps?: readonly Step[];
  /** Words for values. */
  readonly words?: Readonly<Record<string, string>>;
  /** Shows the names of series instead of their values. */
  readonly namesOnly?: boolean;
  /** Shown where there is no series. */
  readonly empty?: string;
}

interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** A metric of the operator with its labels narrowed down: `own` matches its own labels. */
const metric = (name: string, own = ''): string => `${name}{${own === '' ? '' : `${own}, `}${TARGET}}`;
const rate = (name: string, own = ''): string => `rate(${metric(name, own)}[$__rate_interval])`;
const quantile = (q: number, histogram: string, by: readonly string[] = []): string =>
  `histogram_quantile(${q}, sum by (${['le', ...by].join(', ')}) (${rate(`${histogram}_bucket`)}))`;
const latencies = (histogram: string): readonly Query[] => [
  { expr: quantile(0.5, histogram), legend: 'p50' },
  { expr: quantile(0.99, histogram), legend: 'p99' },
];

const HALF = 12;
const THIRD = 8;
const stat = (title: string, description: string, expr: string, more: Partial<Panel> = {}): Panel => ({
  type: 'stat',
  title,
  description,
  queries: [{ expr, legend: '__auto' }],
  unit: 'short',
  width: 3,
  ...more,
});
/** Shows the names of the series instead of their values. */
const names = (title: string, description: string, query: Query, empty: string): Panel =>
  stat(title, description, query.expr, { queries: [query], namesOnly: true, empty });
const graph = (
  title: string,
  description: string,
  queries: readonly Query[],
  unit: string,
  more: Partial<Panel> = {},
): Panel => ({ type: 'timeseries', title, description, queries, unit, width: THIRD, ...more });

const GOOD: Step = { color: 'green', value: null };
const ANY_IS_A_WARNING: readonly Step[] = [GOOD, { color: 'yellow', value: 1 }];

const OVERVIEW: Row = {
  title: 'Overview',
  panels: [
    names(
      'Version',
      'Versions of the replicas; more than one while an update rolls out.',
      { expr: `max by (version) (${metric('legacy_restore_build_info')})`, legend: '{{version}}' },
      'not scraped',
    ),
    names(
      'Leader',
      'The replica that works.',
      { expr: `max by (pod, instance) (${metric('leader_election_master_status')}) == 1`, legend: '{{pod}}' },
      'none, or no election',
    ),
    stat('Replicas', 'Replicas that are scraped.', `count(${metric('legacy_restore_build_info')})`, {
      steps: [
        { color: 'red', value: null },
        { color: 'green', value: 1 },
      ],
    }),
    stat(
      'Resources',
      'LegacyRestoreJobs that the operator knows.',
      `sum(max by (status) (${metric('legacy_restore_resources')}))`,
    ),
    stat(
      'Not in sync',
      'Resources whose status is not what Atlas last said, suspended ones left out.',
      `sum(max by (status, reason) (${metric('legacy_restore_resources_by_synced', 'status!="True", reason!="Suspended"')}))`,
      { steps: ANY_IS_A_WARNING },
    ),
    stat(
      'Mirror age',
      'Time since the last successful fetch, of the open resource for which it is longest.',
      `max(${metric('legacy_restore_mirror_age_seconds')})`,
      { unit: 's', steps: [GOOD, { color: 'yellow', value: 3_600 }, { color: 'red', value: 7_200 }] },
    ),
    stat(
      'Expiring, not fetched',
      'Downloads that expire within 6 hours and that nobody has fetched.',
      `max(${metric('legacy_restore_downloads_expiring_soon', 'fetched="false"')})`,
      { steps: ANY_IS_A_WARNING },
    ),
    stat(
      'CRD',
      'Whether the installed CRD has all fields of this version.',
      `max(${metric('legacy_restore_crd_outdated')})`,
      {
        steps: ANY_IS_A_WARNING,
        words: { '0': 'current', '1': 'outdated' },
      },
    ),
    graph(
      'Resources by job status',
      'none: nothing has been mirrored yet.',
      [{ expr: `max by (status) (${metric('legacy_restore_resources')})`, legend: '{{status}}' }],
      'short',
      { stacked: true },
    ),
    graph(
      'Resources by delivery',
      'none: the job has no delivery, or nothing has been mirrored yet.',
      [{ expr: `max by (delivery) (${metric('legacy_restore_resources_by_delivery')})`, legend: '{{delivery}}' }],
      'short',
      { stacked: true },
    ),
    graph(
      'Resources that are not in sync, by reason',
      'docs/conditions.md tells what each reason means and what to do.',
      [
        {
          expr: `max by (reason) (${metric('legacy_restore_resources_by_synced', 'status!="True"')}) > 0`,
          legend: '{{reason}}',
        },
      ],
      'short',
      { stacked: true, empty: 'all in sync' },
    ),
    graph(
      'Mirror age',
      'Grows while open resources cannot be fetched. Long intervals make it high without a fault.',
      [{ expr: `max(${metric('legacy_restore_mirror_age_seconds')})`, legend: 'oldest' }],
      's',
    ),
    graph(
      'Downloads that expire within 6 hours',
      'fetched: Atlas has shown hashes, which it does after the download.',
      [
        {
          expr: `max by (fetched) (${metric('legacy_restore_downloads_expiring_soon')})`,
          legend: 'fetched: {{fetched}}',
        },
      ],
      'short',
      { stacked: true },
    ),
    graph(
      'Leader',
      'One replica is at 1, all others at 0.',
      [{ expr: metric('leader_election_master_status'), legend: '{{pod}} {{instance}}' }],
      'short',
    ),
  ],
};

const ATLAS: Row = {
  title: 'Atlas',
  panels: [
    graph(
      'Requests by code',
      'none: no answer. 4xx includes the challenges of HTTP Digest.',
      [{ expr: `sum by (code) (${rate('legacy_restore_atlas_requests_total')})`, legend: '{{code}}' }],
      'reqps',
      { stacked: true },
    ),
    graph(
      'Requests by endpoint and credential',
      'restoreJob: the job itself. token, revoke: access tokens of service accounts.',
      [
        {
          expr: `sum by (endpoint, auth) (${rate('legacy_restore_atlas_requests_total')})`,
          legend: '{{endpoint}} {{auth}}',
        },
      ],
      'reqps',
      { stacked: true },
    ),
    graph('Latency', 'Duration of requests to Atlas.', latencies('legacy_restore_atlas_request_duration_seconds'), 's'),
    graph(
      'Resources waiting for a budget',
      'Resources in line for a request. A line that never empties means that intervals cannot be kept.',
      [{ expr: `max(${metric('legacy_restore_atlas_budget_waiting')})`, legend: 'waiting' }],
      'short',
    ),
    graph(
      'Budgets',
      'Pauses are what Atlas asks for (429, Retry-After). Remaining: of the budget with the fewest requests left.',
      [
        { expr: `max(${metric('legacy_restore_atlas_budgets_paused')})`, legend: 'paused' },
        { expr: `max(${metric('legacy_restore_atlas_budget_remaining_requests')})`, legend: 'remaining requests' },
        {
          expr: `sum(increase(${metric('legacy_restore_atlas_budget_pauses_total')}[$__rate_interval]))`,
          legend: 'new pauses',
        },
      ],
      'short',
    ),
    graph(
      'Access tokens',
      'Tokens asked of Atlas for service accounts, by result.',
      [{ expr: `sum by (result) (${rate('legacy_restore_atlas_tokens_total')})`, legend: '{{result}}' }],
      'reqps',
    ),
  ],
};

const CONTROLLER: Row = {
  title: 'Controller',
  panels: [
    graph(
      'Reconciles by result',
      'requeue: put off, for example until a budget has its turn.',
      [
        {
          expr: `sum by (result) (${rate('controller_runtime_reconcile_total', 'controller="legacyrestorejob"')})`,
          legend: '{{result}}',
        },
      ],
      'ops',
      { stacked: true },
    ),
    graph(
      'Duration of reconciles',
      'From the queue to the written status.',
      latencies('controller_runtime_reconcile_time_seconds'),
      's',
    ),
    graph(
      'Workers',
      'Reconciles under way, and how many there can be.',
      [
        {
          expr: `max(${metric('controller_runtime_active_workers', 'controller="legacyrestorejob"')})`,
          legend: 'active',
        },
        {
          expr: `max(${metric('controller_runtime_max_concurrent_reconciles', 'controller="legacyrestorejob"')})`,
          legend: 'most',
        },
      ],
      'short',
    ),
    graph(
      'Queue',
      'Resources that are due and wait for a worker.',
      [{ expr: `max(${metric('workqueue_depth', 'name="legacyrestorejob"')})`, legend: 'depth' }],
      'short',
    ),
    graph('Wait in the queue', 'From due to a worker.', latencies('workqueue_queue_duration_seconds'), 's'),
    graph(
      'Longest reconcile under way',
      'A reconcile that does not end holds a worker.',
      [
        {
          expr: `max(${metric('workqueue_longest_running_processor_seconds', 'name="legacyrestorejob"')})`,
          legend: 'longest',
        },
      ],
      's',
    ),
    graph(
      'Status writes',
      'skipped: the status was equal already. After a conflict it is written again at once, after an error later.',
      [
        { expr: `sum by (result) (${rate('legacy_restore_status_writes_total')})`, legend: '{{result}}' },
        { expr: `sum(${rate('legacy_restore_status_writes_skipped_total')})`, legend: 'skipped' },
      ],
      'ops',
    ),
    graph(
      'Additions and retries',
      'Keys added to the queue, and reconciles planned again after a failure.',
      [
        { expr: `sum(${rate('workqueue_adds_total', 'name="legacyrestorejob"')})`, legend: 'added' },
        { expr: `sum(${rate('workqueue_retries_total', 'name="legacyrestorejob"')})`, legend: 'retried' },
      ],
      'ops',
    ),
    graph(
      'Events',
      'Kubernetes events by result.',
      [{ expr: `sum by (result) (${rate('legacy_restore_events_total')})`, legend: '{{result}}' }],
      'ops',
    ),
  ],
};

const KUBERNETES: Row = {
  title: 'Kubernetes API',
  panels: [
    graph(
      'Interruptions of the watch',
      'By cause, of the busiest replica. expired: all resources are listed again.',
      [
        {
          expr: `max by (cause) (increase(${metric('legacy_restore_watch_interruptions_total')}[$__rate_interval]))`,
          legend: '{{cause}}',
        },
      ],
      'short',
    ),
    graph(
      'Requests by code',
      '<error>: no answer.',
      [{ expr: `sum by (method, code) (${rate('rest_client_requests_total')})`, legend: '{{method}} {{code}}' }],
      'reqps',
      { stacked: true },
    ),
    graph(
      'Latency, p99',
      'By verb.',
      [{ expr: quantile(0.99, 'rest_client_request_duration_seconds', ['verb']), legend: '{{verb}}' }],
      's',
    ),
    graph(
      'Lists',
      'Complete lists, by how they were read.',
      [
        {
          expr: `sum by (kind) (increase(${metric('legacy_restore_watch_lists_total')}[$__rate_interval]))`,
          legend: '{{kind}}',
        },
      ],
      'short',
      { width: HALF },
    ),
    graph(
      'Objects in the newest list',
      'How many resources the newest complete list had.',
      [{ expr: `max(${metric('legacy_restore_watch_list_objects')})`, legend: 'objects' }],
      'short',
      { width: HALF },
    ),
  ],
};

const PROCESS: Row = {
  title: 'Process',
  panels: [
    graph('CPU', 'Cores in use.', [{ expr: rate('process_cpu_seconds_total'), legend: '{{pod}}' }], 'short'),
    graph(
      'Memory',
      'Resident memory.',
      [{ expr: metric('process_resident_memory_bytes'), legend: '{{pod}}' }],
      'bytes',
    ),
    graph(
      'Event loop lag, p99',
      'How late timers fire: above a second, leases and probes are at risk.',
      [{ expr: metric('nodejs_eventloop_lag_p99_seconds'), legend: '{{pod}}' }],
      's',
    ),
    graph(
      'Heap',
      'Of the JavaScript engine, and memory outside of it.',
      [
        { expr: metric('nodejs_heap_size_used_bytes'), legend: '{{pod}} used' },
        { expr: metric('nodejs_heap_size_total_bytes'), legend: '{{pod}} total' },
        { expr: metric('nodejs_external_memory_bytes'), legend: '{{pod}} external' },
      ],
      'bytes',
    ),
    graph(
      'Garbage collection',
      'Share of time.',
      [{ expr: `sum by (pod) (${rate('nodejs_gc_duration_seconds_sum')})`, legend: '{{pod}}' }],
      'percentunit',
    ),
    graph(
      'Open files',
      'Connections included; the process fails at the limit.',
      [
        { expr: metric('process_open_fds'), legend: '{{pod}} open' },
        { expr: metric('process_max_fds'), legend: '{{pod}} limit' },
      ],
      'short',
    ),
    graph(
      'Time since the start',
      'Falls to zero with every restart.',
      [{ expr: `time() - ${metric('process_start_time_seconds')}`, legend: '{{pod}}' }],
      's',
      { width: COLUMNS },
    ),
  ],
};

function dashboard() {
  return {
    uid: 'legacy-restore-operator',
    title: 'legacy-restore-operator',
    description: 'MongoDB Atlas legacy restore jobs, mirrored by legacy-restore-operator.',
    tags: ['atlas', 'legacy-restore-operator'],
    schemaVersion: SCHEMA_VERSION,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '1m',
    time: { from: 'now-6h', to: 'now' },
    timezone: 'browser',
    annotations: { list: [] },
    links: [],
    templating: {
      list: [
        {
          name: 'datasource',
          label: 'Data source',
          type: 'datasource',
          query: 'prometheus',
          hide: 0,
          refresh: 1,
        },
        variable('namespace', 'Namespace', 'label_values(legacy_restore_build_info, namespace)', '.*'),
        // Its values are listed, never `.*`: names such as process_cpu_seconds_total belong to every program.
        variable('job', 'Job', 'label_values(legacy_restore_build_info{namespace=~"$namespace"}, job)', undefined),
      ],
    },
    panels: placed([OVERVIEW, ATLAS, CONTROLLER, KUBERNETES, PROCESS]),
  };
}

function variable(name: string, label: string, query: string, allValue: string | undefined) {
  return {
    name,
    label,
    type: 'query',
    datasource: DATASOURCE,
    definition: query,
    query: { query, refId: name },
    refresh: 2,
    sort: 1,
    multi: true,
    includeAll: true,
    ...(allValue === undefined ? {} : { allValue }),
    current: { text: ['All'], value: ['$__all'] },
    hide: 0,
  };
}

/** Panels from left to right and from top to bottom, each row under its title. */
function placed(rows: readonly Row[]) {
  const panels: object[] = [];
  let y = 0;
  for (const { title, panels: own } of rows) {
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y, w: COLUMNS, h: 1 },
    });
    y += 1;
    let x = 0;
    let height = 0;
    for (const panel of own) {
      const h = panel.type === 'stat' ? 4 : 8;
      if (x + panel.width > COLUMNS || (x > 0 && h !== height)) {
        x = 0;
        y += height;
      }
      height = h;
      panels.push(rendered(panel, panels.length + 1, { x, y, w: panel.width, h }));
      x += panel.width;
    }
    y += height;
  }
  return panels;
}

function rendered(panel: Panel, id: number, gridPos: object): object {
  const { type, title, description } = panel;
  return {
    id,
    type,
    title,
    description,
    datasource: DATASOURCE,
    gridPos,
    targets: panel.queries.map(({ expr, legend }, index) => ({
      refId: String.fromCharCode('A'.charCodeAt(0) + index),
      datasource: DATASOURCE,
      editorMode: 'code',
      expr,
      legendFormat: legend,
      range: type === 'timeseries',
      instant: type === 'stat',
    })),
    fieldConfig: { defaults: { ...fieldDefaults(panel), ...lineStyle(panel) }, overrides: [] },
    options: type === 'stat' ? statOptions(panel) : GRAPH_OPTIONS,
  };
}

function fieldDefaults({ unit, steps = [GOOD], words, empty }: Panel) {
  const mappings =
    words === undefined
      ? []
      : [
          {
            type: 'value',
            options: Object.fromEntries(Object.entries(words).map(([value, text]) => [value, { text }])),
          },
        ];
  return {
    unit,
    min: 0,
    mappings,
    thresholds: { mode: 'absolute', steps },
    ...(empty === undefined ? {} : { noValue: empty }),
  };
}

function lineStyle({ type, stacked = false }: Panel) {
  if (type === 'stat') return { color: { mode: 'thresholds' } };
  return {
    color: { mode: 'palette-classic' },
    custom: {
      drawStyle: 'line',
      lineWidth: 1,
      fillOpacity: stacked ? 30 : 10,
      showPoints: 'never',
      stacking: { mode: stacked ? 'normal' : 'none', group: 'A' },
    },
  };
}

function statOptions({ namesOnly = false }: Panel) {
  return {
    textMode: namesOnly ? 'name' : 'value',
    colorMode: 'value',
    graphMode: 'none',
    justifyMode: 'auto',
    orientation: 'auto',
    reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
  };
}

const GRAPH_OPTIONS = {
  legend: { displayMode: 'list', placement: 'bottom', showLegend: true },
  tooltip: { mode: 'multi', sort: 'desc' },
};
