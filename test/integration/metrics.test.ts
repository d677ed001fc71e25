import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { MetricEntry } from '../../src/telemetry/instruments.ts';
import { METRICS } from '../../src/telemetry/metrics.ts';
import { NODE_METRICS } from '../../src/telemetry/node-metrics.ts';
import { deprecated, failing, rateLimited } from '../support/atlas-simulator/fault-samples.ts';
import type { JobIdentity } from '../support/atlas-simulator/jobs.ts';
import type { JsonObject } from '../support/atlas-simulator/json.ts';
import {
  atlasDate,
  brokenJob,
  endedDownload,
  fetchedDownload,
  openJob,
  pendingDownload,
  readyDownload,
  youngJob,
} from '../support/atlas-simulator/recorded-bodies.ts';
import { ensureTools } from '../support/control-plane/tools.ts';
import { eventually } from '../support/eventually.ts';
import { LEADER_ELECTION, OPERATOR } from '../support/installation.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { metricValue, type Sample, samplesOf, scrapeText } from '../support/scrape.ts';
import {
  CLUSTER_NAME,
  GROUP_ID,
  NAMESPACE,
  newJobId,
  putJob,
  startTestBed,
  type TestBed,
} from '../support/test-bed.ts';

const TABLE: readonly MetricEntry[] = [...Object.values(METRICS), ...Object.values(NODE_METRICS)];
const HOUR = 3_600_000;
const inHours = (hours: number): string => atlasDate(Date.now() + hours * HOUR);
const ACCOUNT = { clientId: 'mdb_sa_id_0123456789abcdef01234567', clientSecret: 'mdb_sa_sk_right' };
const LIMITED_KEY = { publicKey: 'limited1', privateKey: 'e0f1a2b3-c4d5-4e6f-8091-a2b3c4d5e6f7' };
const LIMITED_GROUP = newJobId();

let bed: TestBed;
let operator: OperatorProcess;
let promtool: string;
/** Names that no label may hold. */
const names: string[] = [NAMESPACE, GROUP_ID, LIMITED_GROUP, CLUSTER_NAME, 'atlas-key', ACCOUNT.clientId];

beforeAll(async () => {
  promtool = (await ensureTools(['promtool'])).path('promtool');
  bed = await startTestBed({}, { tls: false });
  await putResources();
  operator = await bed.startOperator({
    ...LEADER_ELECTION,
    ATLAS_REQUESTS_PER_MINUTE: '100',
  });
  for (const name of names.filter((candidate) => candidate.startsWith('canary-'))) {
    await bed.until(name, 'it is reconciled', ({ status }) => status.observedGeneration === 1);
  }
});
afterAll(() => bed?.stop());

/** Resources with both kinds of credentials, some of which fail, all there before the operator starts. */
async function putResources(): Promise<void> {
  bed.atlas.addServiceAccount({ ...ACCOUNT, groupIds: [GROUP_ID] });
  bed.atlas.addApiKey({ ...LIMITED_KEY, groupIds: [LIMITED_GROUP] });
  await bed.createSecret('account', ACCOUNT);
  await bed.createSecret('wrong-account', { ...ACCOUNT, clientSecret: 'mdb_sa_sk_wrong' });
  await bed.createSecret('wrong-key', { publicApiKey: 'abcdefgh', privateApiKey: 'wrong' });
  await bed.createSecret('limited', { publicApiKey: LIMITED_KEY.publicKey, privateApiKey: LIMITED_KEY.privateKey });

  await put('canary-young', youngJob);
  await put('canary-pending', pendingDownload);
  await put('canary-expiring', (job) => readyDownload(job, inHours(5)));
  await put('canary-fetched', (job) => fetchedDownload(job, inHours(5)));
  const later = await put('canary-later', (job) => readyDownload(job, inHours(48)));
  const notice = deprecated('@1767225600', 'Thu, 31 Dec 2026 00:00:00 GMT');
  bed.atlas.faults.add({ match: { jobId: later.jobId }, when: 'after-auth', fault: notice });
  await put('canary-expired', (job) => endedDownload(job, 'EXPIRED', inHours(-1)));
  await put('canary-broken', brokenJob);
  await put('canary-open', openJob);
  await put('canary-account', youngJob, { credentialsSecretRef: { name: 'account' } });
  await put('canary-wrong-account', youngJob, { credentialsSecretRef: { name: 'wrong-account' } });
  await put('canary-wrong-key', youngJob, { credentialsSecretRef: { name: 'wrong-key' } });
  await put('canary-no-secret', youngJob, { credentialsSecretRef: { name: 'nowhere' } });
  await put('canary-suspended', youngJob, { suspend: true });
  const { jobId } = await put('canary-failing', youngJob);
  bed.atlas.faults.add({ match: { jobId }, fault: failing(500, 'UNEXPECTED_ERROR') });
  bed.atlas.faults.add({ match: { groupId: LIMITED_GROUP }, when: 'after-auth', fault: rateLimited('120', 120) });
  await put('limited', youngJob, { groupId: LIMITED_GROUP, credentialsSecretRef: { name: 'limited' } });
}

async function put(name: string, body: (job: JobIdentity) => JsonObject, spec: object = {}): Promise<JobIdentity> {
  const job = putJob(bed.atlas, body, spec);
  await bed.create(name, { jobId: job.jobId, ...spec });
  names.push(name, job.jobId);
  return job;
}

const samples = async (): Promise<Sample[]> => samplesOf(await scrapeText(operator.url));

describe('a scrape', () => {
  test('is what promtool wants', async () => {
    const { status, stdout, stderr } = spawnSync(promtool, ['check', 'metrics'], {
      input: await scrapeText(operator.url),
      encoding: 'utf8',
    });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  test('has every metric of the table, with the labels and values that are documented, and no other one', async () => {
    const found = await eventually('garbage has been collected', async () => {
      const all = await samples();
      expect(metricValue(all, 'nodejs_gc_duration_seconds_count')).toBeGreaterThan(0);
      return all;
    });
    for (const entry of TABLE) {
      const own = found.filter(
        ({ name }) => name === (entry.type === 'histogram' ? `${entry.name}_count` : entry.name),
      );
      expect([entry.name, own.length > 0]).toEqual([entry.name, true]);
      for (const { labels } of own) {
        expect([entry.name, Object.keys(labels).toSorted()]).toEqual([
          entry.name,
          entry.labels.map(({ name }) => name).toSorted(),
        ]);
        for (const { name, values } of entry.labels) if (values !== undefined) expect(values).toContain(labels[name]);
      }
    }
    const known = new Set(
      TABLE.flatMap(({ name, type }) =>
        type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
      ),
    );
    expect(found.filter(({ name }) => !known.has(name))).toEqual([]);
  });

  test('has no label that holds the name of a resource, a namespace, a project, a cluster, a job or a credential', async () => {
    const values = (await samples()).flatMap(({ labels }) => Object.values(labels));
    for (const name of names) expect(values.filter((value) => value.includes(name))).toEqual([]);
  });
});

describe('the values are right', () => {
  test('of the resources, as the API server has them', async () => {
    const { items } = JSON.parse(await bed.controlPlane.kubectlRun(['get', 'lrj', '-A', '-o', 'json']));
    expect(items).toHaveLength(15);
    const now = await samples();
    const count = (name: string, labels: Record<string, string> = {}) =>
      metricValue(now, `legacy_restore_${name}`, labels);
    expect(count('resources')).toBe(items.length);
    for (const [status, expected] of [
      ['IN_PROGRESS', 2],
      ['FINISHED', 5],
      ['BROKEN', 1],
      ['KILLED', 0],
      ['other', 1],
      ['none', 6],
    ] as const)
      expect([status, count('resources', { status })]).toEqual([status, expected]);
    expect(count('resources_by_delivery')).toBe(items.length);
    expect(count('resources_by_delivery', { delivery: 'READY' })).toBe(3);
    expect(count('resources_by_delivery', { delivery: 'EXPIRED' })).toBe(1);
    expect(count('resources_by_synced')).toBe(items.length);
    for (const [reason, status, expected] of [
      ['JobFetched', 'True', 9],
      ['Unauthorized', 'Unknown', 2],
      ['SecretNotFound', 'Unknown', 1],
      ['AtlasUnavailable', 'Unknown', 1],
      ['Suspended', 'Unknown', 1],
      ['none', 'Unknown', 1],
      ['PaymentRequired', 'False', 0],
    ] as const)
      expect([reason, count('resources_by_synced', { reason, status })]).toEqual([reason, expected]);
    expect(count('downloads_expiring_soon', { fetched: 'false' })).toBe(1);
    expect(count('downloads_expiring_soon', { fetched: 'true' })).toBe(1);
  });

  test('of the requests to Atlas, as Atlas counted them', async () => {
    const seen = await eventually('no request is on its way', async () => {
      const counts = bed.atlas.requests.counts();
      const now = await samples();
      const requests = (labels: Record<string, string>) =>
        metricValue(now, 'legacy_restore_atlas_requests_total', labels) ?? 0;
      expect(requests({})).toBe(counts.total);
      expect(requests({ endpoint: 'restoreJob' })).toBe(counts.byKind.job);
      expect(requests({ endpoint: 'token' })).toBe(counts.byKind.token);
      const byCode = ['2xx', '4xx', '429', '5xx'].map((code) => requests({ code }));
      const sent = (matches: (status: number) => boolean): number =>
        Object.entries(counts.byStatus)
          .filter(([status]) => matches(Number(status)))
          .reduce((sum, [, count]) => sum + count, 0);
      expect(byCode).toEqual([
        sent((status) => status < 300),
        sent((status) => status >= 400 && status < 500 && status !== 429),
        sent((status) => status === 429),
        sent((status) => status >= 500),
      ]);
      expect(metricValue(now, 'legacy_restore_atlas_request_duration_seconds_count')).toBe(counts.total);
      return { byCode, serviceAccount: requests({ endpoint: 'restoreJob', auth: 'serviceAccount' }) };
    });
    // Each class has really been there.
    expect(seen.byCode.filter((count) => count === 0)).toEqual([]);
    expect(seen.serviceAccount).toBeGreaterThan(0);
  });

  test('of an API version that Atlas withdraws, whose dates are in the log once', async () => {
    const now = await samples();
    expect(metricValue(now, 'legacy_restore_atlas_api_deprecated')).toBe(1);
    const dates = ['deprecation', 'sunset'].map((which) =>
      metricValue(now, `legacy_restore_atlas_api_${which}_timestamp_seconds`),
    );
    expect(dates).toEqual([1_767_225_600, 1_798_675_200]);
    expect(operator.log.filter(({ msg }) => msg.includes('deprecated'))).toMatchObject([
      { level: 'warn', deprecation: '@1767225600', sunset: 'Thu, 31 Dec 2026 00:00:00 GMT' },
    ]);
  });

  test('of tokens, budgets and the leader', async () => {
    const now = await samples();
    expect(metricValue(now, 'legacy_restore_atlas_tokens_total', { result: 'granted' })).toBe(1);
    expect(metricValue(now, 'legacy_restore_atlas_tokens_total', { result: 'refused' })).toBeGreaterThan(0);
    expect(metricValue(now, 'legacy_restore_atlas_budgets_paused')).toBe(1);
    expect(metricValue(now, 'legacy_restore_atlas_budget_pauses_total')).toBe(1);
    expect(metricValue(now, 'legacy_restore_atlas_budget_waiting')).toBe(1);
    expect(metricValue(now, 'legacy_restore_atlas_budget_remaining_requests')).toBe(0);
    expect(metricValue(now, 'leader_election_master_status', { name: 'legacy-restore-operator' })).toBe(1);
    expect(metricValue(now, 'controller_runtime_max_concurrent_reconciles')).toBe(16);
  });

  test('of lists and writes', async () => {
    await eventually('the audit log and the metrics agree', async () => {
      const written = await writesOfOperator();
      const now = await samples();
      const writes = written.filter((line) => /"requestURI":"[^"]*\/legacyrestorejobs\/[^"]*\/status/.test(line));
      expect(metricValue(now, 'legacy_restore_status_writes_total', { result: 'success' })).toBe(writes.length);
      const events = written.filter((line) => /"requestURI":"[^"]*\/events/.test(line));
      expect(metricValue(now, 'legacy_restore_events_total', { result: 'written' })).toBe(events.length);
    });
    const now = await samples();
    expect(metricValue(now, 'legacy_restore_watch_lists_total', { kind: 'watch_list' })).toBe(1);
    expect(metricValue(now, 'legacy_restore_watch_list_objects')).toBe(15);
    expect(metricValue(now, 'legacy_restore_watch_interruptions_total')).toBe(0);
    expect(metricValue(now, 'legacy_restore_events_total', { result: 'failed' })).toBe(0);
  });

  /** The lines of the audit log about its writes that succeeded. The API server writes events of its own, too. */
  async function writesOfOperator(): Promise<readonly string[]> {
    const lines = (await readFile(bed.controlPlane.auditLog, 'utf8')).split('\n');
    return lines.filter(
      (line) =>
        line.includes(`"username":"${OPERATOR.user}"`) &&
        /"verb":"(create|patch)"/.test(line) &&
        /"code":20[01]/.test(line),
    );
  }

  test('of the age of the mirror, which starts again with each fetch', async () => {
    const age = async () => metricValue(await samples(), 'legacy_restore_mirror_age_seconds') ?? -1;
    // Resources for which Atlas fails are open and not fetched: counted from the start of the work, or the last fetch.
    const first = await age();
    expect(first).toBeGreaterThan(0);
    await eventually('it grows', async () => expect(await age()).toBeGreaterThan(first));
    for (const name of names.filter((candidate) => candidate.startsWith('canary-') || candidate === 'limited'))
      if (name !== 'canary-young') await bed.delete(name);
    await bed.reconcile('canary-young');
    await eventually('only the resource that was fetched just now counts', async () =>
      expect(await age()).toBeLessThan(first),
    );
  });
});
