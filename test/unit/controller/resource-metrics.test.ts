import { describe, expect, test } from '@jest/globals';
import type { Condition, LegacyRestoreJob, Status } from '../../../src/api/legacy-restore-job.ts';
import { DELIVERY_STATUS_NAMES, JOB_STATUS_NAMES } from '../../../src/api/restore-job.ts';
import { countResources, setResourceMetrics } from '../../../src/controller/resource-metrics.ts';
import { entryOf, reasonsOf } from '../../../src/restore-job/reasons.ts';
import { intervalOf } from '../../../src/restore-job/schedule.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import {
  atlasDate,
  automatedRestore,
  brokenJob,
  endedDownload,
  fetchedDownload,
  pendingDownload,
  readyDownload,
  youngJob,
} from '../../support/atlas-simulator/recorded-bodies.ts';
import { metricValue, samplesOf } from '../../support/scrape.ts';
import { resource, responseOf, SPEC } from '../support/resources.ts';

const NOW = Date.parse('2030-01-01T00:00:00Z');
const HOUR = 3_600_000;

const synced = (status: Condition['status'], reason: string): Condition => ({
  type: 'Synced',
  status,
  reason,
  message: '',
  lastTransitionTime: '2030-01-01T00:00:00Z',
  observedGeneration: 1,
});
const download = { ...synced('True', 'DownloadReady'), type: 'DownloadAvailable' } as const;
const mirrored = (body: Parameters<typeof responseOf>[0], status: Status = {}): LegacyRestoreJob =>
  resource({ status: { ...responseOf(body).job, ...status } });
const count = (jobs: readonly LegacyRestoreJob[], ageMs: (job: LegacyRestoreJob) => number = () => 0) =>
  countResources(jobs, ageMs, ({ spec }) => intervalOf(spec, 60_000), NOW);
/** Only what is not zero. */
const some = (counts: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.entries(counts).filter(([, value]) => value !== 0));

describe('by status', () => {
  test('each that Atlas documents, what nobody knows, and what was not mirrored yet', () => {
    const jobs = [
      ...JOB_STATUS_NAMES.map((statusName) => resource({ status: { statusName } })),
      resource({ status: { statusName: 'OPEN' } }),
      resource({ status: { statusName: 'none' } }),
      resource({ status: { id: '1' } }),
      resource(),
      resource({ status: { conditions: [synced('False', 'Unauthorized')] } }),
    ];
    expect(count(jobs).byStatus).toEqual({ IN_PROGRESS: 1, FINISHED: 1, BROKEN: 1, KILLED: 1, other: 3, none: 2 });
  });

  test('without resources all are 0', () => {
    expect(count([]).byStatus).toEqual({ IN_PROGRESS: 0, FINISHED: 0, BROKEN: 0, KILLED: 0, other: 0, none: 0 });
  });
});

test('by delivery', () => {
  const jobs = [
    ...DELIVERY_STATUS_NAMES.map((statusName) => resource({ status: { delivery: { statusName } } })),
    resource({ status: { delivery: { statusName: '__proto__' } } }),
    resource({ status: { delivery: {} } }),
    resource({ status: { statusName: 'IN_PROGRESS' } }),
  ];
  const { byDelivery } = count(jobs);
  expect(byDelivery).toEqual({
    ...Object.fromEntries(DELIVERY_STATUS_NAMES.map((name) => [name, 1])),
    other: 2,
    none: 1,
  });
});

describe('by Synced', () => {
  test('every reason is there with the status that it comes with', () => {
    const { bySynced } = count([]);
    expect(Object.keys(bySynced).toSorted()).toEqual([...reasonsOf('Synced'), 'none'].toSorted());
    expect(bySynced['JobFetched']).toEqual({ True: 0 });
    expect(bySynced['Suspended']).toEqual({ Unknown: 0 });
    expect(bySynced['JobNotFound']).toEqual({ False: 0 });
    for (const reason of reasonsOf('Synced')) expect(bySynced[reason]).toEqual({ [entryOf(reason).status]: 0 });
  });

  test('what others wrote into a status makes no new label', () => {
    const jobs = [
      resource({ status: { conditions: [synced('True', 'JobFetched')] } }),
      resource({ status: { conditions: [download, synced('True', 'JobFetched')] } }),
      resource({ status: { conditions: [synced('Unknown', 'JobFetched')] } }),
      resource({ status: { conditions: [synced('False', 'payments')] } }),
      resource({ status: { conditions: [synced('False', 'constructor')] } }),
      resource(),
    ];
    const { bySynced } = count(jobs);
    expect(bySynced['JobFetched']).toEqual({ True: 2, Unknown: 1 });
    expect(bySynced['other']).toEqual({ False: 2 });
    expect(bySynced['none']).toEqual({ Unknown: 1 });
    expect(bySynced).not.toHaveProperty('payments');
  });
});

test('downloads that expire soon, by whether somebody has fetched them', () => {
  const at = (ms: number) => atlasDate(NOW + ms);
  const jobs = [
    mirrored(readyDownload(SPEC, at(HOUR))),
    mirrored(readyDownload(SPEC, at(6 * HOUR))),
    mirrored(fetchedDownload(SPEC, at(5 * HOUR))),
    // Not soon, past, not ready, over, no download.
    mirrored(readyDownload(SPEC, at(6 * HOUR + 1_000))),
    mirrored(readyDownload(SPEC, at(0))),
    mirrored(pendingDownload(SPEC)),
    mirrored(endedDownload(SPEC, 'EXPIRED', at(HOUR))),
    mirrored(automatedRestore(SPEC)),
  ];
  expect(count(jobs).expiringSoon).toEqual({ fetched: 1, unfetched: 2 });
  // Where the URL is kept out of status, status says that there is one.
  const hidden = { statusName: 'FINISHED', delivery: { statusName: 'READY', expires: at(HOUR) } };
  expect(count([resource({ status: hidden })]).expiringSoon.unfetched).toBe(0);
  expect(count([resource({ status: { ...hidden, urlWithheld: true } })]).expiringSoon.unfetched).toBe(1);
});

describe('the mirror age', () => {
  const aged = (job: LegacyRestoreJob, age: number): LegacyRestoreJob => ({ ...job, uid: String(age) });
  const age = (jobs: readonly LegacyRestoreJob[]) => count(jobs, ({ uid }) => Number(uid)).mirrorAgeMs;

  test('is that of the open resource which was fetched longest ago', () => {
    expect(age([aged(resource(), 1), aged(mirrored(youngJob(SPEC)), 3), aged(mirrored(youngJob(SPEC)), 2)])).toBe(3);
  });

  test('leaves out what has ended and what is suspended', () => {
    const suspended = resource({ spec: { ...SPEC, suspend: true } });
    const ended = [brokenJob(SPEC), automatedRestore(SPEC), endedDownload(SPEC, 'EXPIRED', atlasDate(NOW))];
    expect(age([aged(suspended, 9), ...ended.map((body) => aged(mirrored(body), 9))])).toBe(0);
    expect(age([aged(suspended, 9), aged(resource(), 2)])).toBe(2);
  });

  test('leaves out what a person has to correct first, and only that', () => {
    const refused = resource({ status: { conditions: [synced('False', 'JobNotFound')] } });
    const failing = resource({ status: { conditions: [synced('Unknown', 'AtlasUnavailable')] } });
    expect(age([aged(refused, 9)])).toBe(0);
    expect(age([aged(refused, 9), aged(failing, 2)])).toBe(2);
  });
});

test('a fetch is overdue beyond the interval of its resource, or the setting', () => {
  const overdue = (age: number, interval?: string) =>
    count([resource({ spec: { ...SPEC, ...(interval === undefined ? {} : { interval }) } })], () => age).overdueMs;
  expect(overdue(3 * HOUR)).toBe(3 * HOUR - 60_000);
  expect(overdue(3 * HOUR, '2h')).toBe(HOUR);
  expect(overdue(3 * HOUR, '24h')).toBe(0);
});

test('the gauges follow the figures, also down to 0', async () => {
  const metrics = createMetrics('1');
  const jobs = [mirrored(youngJob(SPEC), { conditions: [synced('Unknown', 'JobFetched')] }), resource()];
  setResourceMetrics(
    metrics,
    count(jobs, () => 1_500),
  );
  const before = samplesOf(await metrics.registry.metrics());
  expect(metricValue(before, 'legacy_restore_resources', { status: 'IN_PROGRESS' })).toBe(1);
  expect(metricValue(before, 'legacy_restore_resources')).toBe(2);
  expect(metricValue(before, 'legacy_restore_resources_by_delivery', { delivery: 'none' })).toBe(1);
  expect(metricValue(before, 'legacy_restore_resources_by_synced', { status: 'Unknown', reason: 'JobFetched' })).toBe(
    1,
  );
  expect(metricValue(before, 'legacy_restore_resources_by_synced')).toBe(2);
  expect(metricValue(before, 'legacy_restore_mirror_age_seconds')).toBe(1.5);
  expect(metricValue(before, 'legacy_restore_mirror_overdue_seconds')).toBe(0);

  setResourceMetrics(metrics, count([]));
  const after = samplesOf(await metrics.registry.metrics());
  for (const name of ['resources', 'resources_by_delivery', 'resources_by_synced', 'mirror_age_seconds'])
    expect([name, metricValue(after, `legacy_restore_${name}`)]).toEqual([name, 0]);
  // A pair that is not usual has gone.
  expect(
    metricValue(after, 'legacy_restore_resources_by_synced', { status: 'Unknown', reason: 'JobFetched' }),
  ).toBeUndefined();
  expect(some(count([]).byStatus)).toEqual({});
});
