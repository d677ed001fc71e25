import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { METRICS } from '../../src/telemetry/metrics.ts';
import { NODE_METRICS } from '../../src/telemetry/node-metrics.ts';
import { deprecated } from '../support/atlas-simulator/fault-samples.ts';
import { youngJob } from '../support/atlas-simulator/recorded-bodies.ts';
import { eventually } from '../support/eventually.ts';
import { LEADER_ELECTION } from '../support/installation.ts';
import { queriesOf, readAlerts, readDashboard, TARGET_LABELS } from '../support/monitoring.ts';
import { isSelected, selectorsOf } from '../support/promql.ts';
import { type Sample, samplesOf, scrapeText } from '../support/scrape.ts';
import { putJob, startTestBed, type TestBed } from '../support/test-bed.ts';

/** What the chart ships, each with the place where it stands. */
const expressions: ReadonlyArray<{ readonly at: string; readonly expr: string }> = [
  ...(await readAlerts()).map(({ alert, expr }) => ({ at: alert, expr })),
  ...queriesOf(await readDashboard()).map(({ panel, expr }) => ({ at: panel, expr })),
];

let bed: TestBed;
let scrape: readonly Sample[];
beforeAll(async () => {
  bed = await startTestBed();
  // There is no sample of a date that no response has named.
  bed.atlas.faults.add({ fault: deprecated('@1767225600', 'Thu, 31 Dec 2026 00:00:00 GMT'), when: 'after-auth' });
  const job = putJob(bed.atlas, youngJob);
  await bed.create('watched', { jobId: job.jobId });
  // As the chart starts it: with an election, and with the limit that tests are spared otherwise.
  const operator = await bed.startOperator({
    ...LEADER_ELECTION,
    ATLAS_REQUESTS_PER_MINUTE: '100',
  });
  await bed.until('watched', 'it is mirrored', ({ status }) => status.statusName === 'IN_PROGRESS');
  scrape = await eventually('everything is measured', async () => {
    const samples = samplesOf(await scrapeText(operator.url));
    // There is none before the first collection of garbage.
    expect(samples.some(({ name }) => name === 'nodejs_gc_duration_seconds_sum')).toBe(true);
    return samples;
  });
});
afterAll(() => bed?.stop());

test('the alerts and the dashboard name only metrics of the table', () => {
  const known = [...Object.values(METRICS), ...Object.values(NODE_METRICS)].flatMap(({ name, type }) =>
    type === 'histogram' ? ['_bucket', '_sum', '_count'].map((suffix) => name + suffix) : [name],
  );
  const strange = expressions.flatMap(({ at, expr }) =>
    selectorsOf(expr)
      .filter(({ name }) => !known.includes(name))
      .map(({ name }) => `${at}: ${name}`),
  );
  expect(strange).toEqual([]);
});

test('all that the alerts and the dashboard select is in a real scrape, with every value of a label', () => {
  const absent = expressions.flatMap(({ at, expr }) =>
    selectorsOf(expr)
      .filter((selector) => !isSelected(selector, scrape, TARGET_LABELS))
      .map((selector) => ({ at, selector })),
  );
  expect(absent).toEqual([]);
});

test('every expression selects something', () => {
  expect(expressions.filter(({ expr }) => selectorsOf(expr).length === 0)).toEqual([]);
});

test('no series has a label that Prometheus gives to its target: it would be renamed and found by no alert', () => {
  const taken = scrape.filter(({ labels }) => TARGET_LABELS.some((label) => label in labels));
  expect(taken).toEqual([]);
});
