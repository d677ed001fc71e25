/**
 * `npm run bench`: the operator and its peers do the same work, in turns, and are measured from outside.
 *
 *     npm run bench [-- --quick] [--only <workload>] [--runs <n>] [--write]
 *
 * `--quick` takes about two minutes and measures less of everything. `--write` puts the result into bench/README.md. Exit code 0:
 * all subjects did the work; 1: one did not, or something broke; 2: usage.
 */
import * as z from 'zod';
import { readFlags, runCommand } from '../test/support/command.ts';
import { budgetTable, type Sizes } from './budgets.ts';
import { downloads } from './download.ts';
import { type Environment, startEnvironment } from './environment.ts';
import { addMeasurement, type Measurement, type Results } from './measurement.ts';
import { circumstances, writePage, writePlot } from './report.ts';
import { sizes } from './size.ts';
import { OPERATOR_BUNDLE, PEER_BINARY, SUBJECT_NAMES, SUBJECTS, type Subject } from './subjects.ts';
import { toMarkdown } from './table.ts';
import {
  firstSync,
  life,
  lists,
  type PollingOptions,
  polling,
  type ScaleOptions,
  scale,
  start,
  type Take,
} from './workloads.ts';

const WORKLOADS = [
  'first-sync',
  'running',
  'life',
  'growth',
  'scale',
  'polling',
  'lists',
  'start',
  'download',
] as const;
type Workload = (typeof WORKLOADS)[number];
/** Those that need a control plane. */
const IN_CLUSTER = WORKLOADS.filter((workload) => workload !== 'download');

/** How much is measured. */
interface Plan extends Sizes {
  /** How often each subject does each workload. */
  readonly runs: Readonly<Record<Workload, number>>;
  /** Numbers of resources for the plot, besides those of `firstSync` and `life`. */
  readonly growth: readonly number[];
  readonly scale: ScaleOptions;
  readonly polling: PollingOptions;
}

const MIB = 1_024 ** 2;

const FULL: Plan = {
  runs: { 'first-sync': 7, running: 3, life: 3, growth: 1, scale: 1, polling: 2, lists: 1, start: 5, download: 5 },
  firstSync: 1_000,
  running: 10_000,
  life: { resources: 10_000, idleSeconds: 30, burst: 1_000 },
  growth: [2_000, 5_000, 20_000],
  scale: { resources: 20_000, intervalSeconds: 60, seconds: 120 },
  polling: { resources: 1_000, seconds: 60 },
  lists: [
    { resources: 60, intervalSeconds: 10, changes: 0, intervals: 6 },
    { resources: 1_000, intervalSeconds: 60, changes: 50, intervals: 3 },
  ],
  download: [MIB, 2_048 * MIB],
};
const QUICK: Plan = {
  runs: { 'first-sync': 0, running: 0, life: 1, growth: 0, scale: 0, polling: 1, lists: 0, start: 2, download: 1 },
  firstSync: 0,
  running: 0,
  life: { resources: 1_000, idleSeconds: 5, burst: 200 },
  growth: [],
  scale: { resources: 0, intervalSeconds: 60, seconds: 0 },
  polling: { resources: 200, seconds: 10 },
  lists: [],
  download: [MIB, 256 * MIB],
};

/** What people download, and for which subject it is built. */
const ARTIFACTS = [
  { subject: 'operator', artifact: ['bundle of the operator (Node.js not included)', OPERATOR_BUNDLE] },
  { subject: 'controller-runtime', artifact: ['binary of the controller-runtime peer', PEER_BINARY] },
] as const;

type Flags = z.infer<typeof Flags>;
const Flags = z.object({
  quick: z.boolean(),
  write: z.boolean(),
  only: z.enum(WORKLOADS).optional(),
  subjects: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(SUBJECT_NAMES))),
  runs: z.coerce.number().int().min(1).max(100).optional(),
});

const flags = readFlags(
  `npm run bench [-- --quick --only ${WORKLOADS.join('|')} --subjects ${SUBJECT_NAMES.join(',')} --runs <n> --write]`,
  {
    quick: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    only: { type: 'string' },
    subjects: { type: 'string', default: SUBJECT_NAMES.join(',') },
    runs: { type: 'string' },
  },
  Flags,
);
await runCommand('The benchmark', async (signal) => {
  await bench(flags, signal);
  return 0;
});

async function bench(chosen: Flags, signal: AbortSignal): Promise<void> {
  const startedAt = new Date();
  const plan = planOf(chosen);
  const subjects = SUBJECTS.filter(({ name }) => chosen.subjects.includes(name));
  for (const { name, build } of subjects) {
    console.log(`building ${name}`);
    await build();
  }
  const results = await measureAll(plan, subjects, signal);
  const artifacts = await sizes(
    ARTIFACTS.filter(({ subject }) => chosen.subjects.includes(subject)).map(({ artifact }) => artifact),
  );
  const command = `npm run bench${process.argv.length > 2 ? ` -- ${process.argv.slice(2).join(' ')}` : ''}`;
  const budgets = budgetTable(results, plan);
  const sections = [
    circumstances(command, startedAt),
    ...(budgets === '' ? [] : [`### Budgets\n\n${budgets}`]),
    toMarkdown(results).trimEnd(),
    `### Sizes\n\n${artifacts}\n`,
  ];
  const measured = sections.join('\n\n');
  console.log(`\n${measured}`);
  if (!chosen.write) return;
  await writePage(measured);
  await writePlot(results, [plan.firstSync, ...plan.growth, plan.life.resources]);
}

function planOf({ quick, only, runs }: Flags): Plan {
  const plan = quick ? QUICK : FULL;
  const chosen = (workload: Workload): number => {
    if (only !== undefined && only !== workload) return 0;
    return runs !== undefined && plan.runs[workload] > 0 ? runs : plan.runs[workload];
  };
  const all = Object.fromEntries(WORKLOADS.map((workload) => [workload, chosen(workload)]));
  return { ...plan, runs: z.record(z.enum(WORKLOADS), z.number()).parse(all) };
}

async function measureAll(plan: Plan, subjects: readonly Subject[], signal: AbortSignal): Promise<Results> {
  const results: Results = new Map();
  const take: Take = (row, subject, measurement) => {
    addMeasurement(results, row, subject, measurement);
    console.log(`${row}: ${subject}: ${inShort(measurement)}`);
  };
  await measureInCluster(plan, subjects, take, signal);
  for (let run = 0; run < plan.runs.download; run++) await downloads(plan.download, run, take, signal);
  return results;
}

async function measureInCluster(
  plan: Plan,
  subjects: readonly Subject[],
  take: Take,
  signal: AbortSignal,
): Promise<void> {
  if (IN_CLUSTER.every((workload) => plan.runs[workload] === 0)) return;
  await using cleanup = new AsyncDisposableStack();
  const environment = await startEnvironment(cleanup, signal);
  for (const workload of IN_CLUSTER) {
    for (let run = 0; run < plan.runs[workload]; run++) {
      // Which comes first in one round comes last in the next: none always has the warm machine.
      const order = [...subjects.slice(run % subjects.length), ...subjects.slice(0, run % subjects.length)];
      for (const subject of order) {
        signal.throwIfAborted();
        await measure(workload, plan, environment, subject, take);
      }
    }
  }
}

async function measure(
  workload: Exclude<Workload, 'download'>,
  plan: Plan,
  environment: Environment,
  subject: Subject,
  take: Take,
): Promise<void> {
  switch (workload) {
    case 'first-sync':
      await firstSync(environment, subject, plan.firstSync, take);
      break;
    case 'running':
      await firstSync(environment, subject, plan.running, take, 'running');
      break;
    case 'life':
      await life(environment, subject, plan.life, take);
      break;
    case 'growth':
      for (const size of plan.growth) await firstSync(environment, subject, size, take);
      break;
    case 'scale':
      await scale(environment, subject, plan.scale, take);
      break;
    case 'polling':
      await polling(environment, subject, plan.polling, take);
      break;
    case 'lists':
      for (const options of plan.lists) await lists(environment, subject, options, take);
      break;
    case 'start':
      await start(environment, subject, take);
  }
}

function inShort(measurement: Measurement): string {
  return Object.entries(measurement)
    .map(([figure, value]) => `${figure} ${Math.round(value * 100) / 100}`)
    .join(', ');
}
