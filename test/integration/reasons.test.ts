import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Condition } from '../../src/api/legacy-restore-job.ts';
import { entryOf, isReason, REASONS, type Reason } from '../../src/restore-job/reasons.ts';
import { LOG_FIELDS } from '../../src/telemetry/log-fields.ts';
import { failing, rateLimited } from '../support/atlas-simulator/fault-samples.ts';
import type { Fault } from '../support/atlas-simulator/faults.ts';
import type { JobIdentity } from '../support/atlas-simulator/jobs.ts';
import type { JsonObject } from '../support/atlas-simulator/json.ts';
import {
  atlasDate,
  brokenJob,
  endedDownload,
  fetchedDownload,
  killedJob,
  openJob,
  pendingDownload,
  readyDownload,
  youngJob,
} from '../support/atlas-simulator/recorded-bodies.ts';
import { eventually } from '../support/eventually.ts';
import type { LogLine, OperatorProcess } from '../support/operator-process.ts';
import {
  API_KEY,
  CLUSTER_NAME,
  conditionOf,
  GROUP_ID,
  NAMESPACE,
  newJobId,
  startTestBed,
  type TestBed,
} from '../support/test-bed.ts';

/** What brings a reason about: what is set up at Atlas and in the cluster before the resource. */
interface Cause {
  readonly status: Condition['status'];
  /** What Atlas says of the job; without it there is no such job. */
  readonly body?: (job: JobIdentity) => JsonObject;
  readonly fault?: Fault;
  readonly spec?: Readonly<Record<string, unknown>>;
  /** The content of a Secret of the resource's own, in place of the right API key. */
  readonly secret?: Readonly<Record<string, string>>;
}

const TOMORROW = atlasDate(Date.now() + 86_400_000);
const YESTERDAY = atlasDate(Date.now() - 86_400_000);
const SOON = atlasDate(Date.now() + 1_800_000);
const LIMITED_GROUP = newJobId();
const KEYS = {
  notListed: { publicKey: 'nolisted', privateKey: 'a' },
  unpaid: { publicKey: 'unpaid00', privateKey: 'b' },
  everyProject: { publicKey: 'everyone', privateKey: 'c' },
} as const;
const secretOf = ({ publicKey, privateKey }: { publicKey: string; privateKey: string }) => ({
  publicApiKey: publicKey,
  privateApiKey: privateKey,
});
const ready = (job: JobIdentity): JsonObject => readyDownload(job, TOMORROW);

/**
 * Every reason with its real cause. Those of the API server's trouble are reached in trouble.test.ts, and an unexpected
 * error of the operator in the controller's unit tests: there is none to reach from outside.
 */
const CAUSES: Readonly<Record<Exclude<Reason, (typeof ELSEWHERE)[number]>, Cause>> = {
  JobFinished: { status: 'True', body: (job) => fetchedDownload(job, TOMORROW) },
  JobInProgress: { status: 'False', body: youngJob, spec: { interval: '10s' } },
  JobBroken: { status: 'False', body: brokenJob },
  JobKilled: { status: 'False', body: killedJob },
  JobStatusUnknown: { status: 'Unknown', body: openJob },
  JobFetched: { status: 'True', body: youngJob, spec: { interval: '10s' } },
  SecretNotFound: { status: 'False', body: youngJob, spec: { credentialsSecretRef: { name: 'nowhere' } } },
  SecretInvalid: { status: 'False', body: youngJob, secret: { publicApiKey: API_KEY.publicKey } },
  Unauthorized: { status: 'False', body: youngJob, secret: secretOf({ ...API_KEY, privateKey: 'wrong' }) },
  AccessListDenied: { status: 'False', body: youngJob, secret: secretOf(KEYS.notListed) },
  Forbidden: { status: 'False', body: youngJob, fault: failing(403, 'ACCESS_FORBIDDEN') },
  PaymentRequired: { status: 'False', body: youngJob, secret: secretOf(KEYS.unpaid) },
  BackupNotEnabled: { status: 'False', fault: failing(400, 'BACKUP_JOB_NOT_FOUND') },
  JobNotFound: { status: 'False' },
  ClusterNotFound: { status: 'False', spec: { clusterName: 'Nowhere' } },
  GroupNotFound: { status: 'False', spec: { groupId: newJobId() }, secret: secretOf(KEYS.everyProject) },
  BadRequest: { status: 'False', fault: failing(400, 'VALIDATION_ERROR') },
  VersionGone: { status: 'False', fault: failing(410, 'VERSION_GONE') },
  RateLimited: {
    status: 'Unknown',
    body: youngJob,
    fault: rateLimited('120', 120),
    spec: { groupId: LIMITED_GROUP, interval: '10s' },
    secret: secretOf(KEYS.everyProject),
  },
  AtlasUnavailable: { status: 'Unknown', body: youngJob, fault: { kind: 'reset', phase: 'before-answer' } },
  InvalidResponse: { status: 'Unknown', body: youngJob, fault: { kind: 'html', status: 200 } },
  DeliverySecretConflict: { status: 'False', body: ready, spec: { deliverySecretName: 'atlas-key' } },
  DeliverySecretForbidden: { status: 'False', body: ready, spec: { deliverySecretName: 'not-allowed' } },
  Suspended: { status: 'Unknown', body: youngJob, spec: { suspend: true } },
  DownloadReady: { status: 'True', body: ready },
  DownloadExpiring: { status: 'True', body: (job) => readyDownload(job, SOON) },
  DownloadPending: { status: 'False', body: pendingDownload },
  DownloadExpired: { status: 'False', body: (job) => endedDownload(job, 'EXPIRED', YESTERDAY) },
  MaxDownloadsExceeded: { status: 'False', body: (job) => endedDownload(job, 'MAX_DOWNLOADS_EXCEEDED', TOMORROW) },
  DownloadFailed: { status: 'False', body: (job) => endedDownload(job, 'FAILED', TOMORROW) },
};
const ELSEWHERE = ['SecretUnreadable', 'DeliverySecretRefused', 'InternalError'] as const;
const ROWS = Object.entries(CAUSES).map(([reason, cause]) => ({ reason, ...cause }));
/** They show only after a minute. */
const LATE: readonly string[] = ['RateLimited', 'SecretNotFound', 'SecretInvalid', 'Unauthorized'];
const AT_ONCE = ROWS.filter(({ reason }) => !LATE.includes(reason));
const AFTER_A_MINUTE = ROWS.filter(({ reason }) => LATE.includes(reason));

let bed: TestBed;
let operator: OperatorProcess;
const jobIds = new Map<string, string>();

beforeAll(async () => {
  bed = await startTestBed();
  // No right to write Secrets: that is how the operator is installed where nobody asks for more.
  await bed.controlPlane.kubectlRun(['delete', '-f', 'deploy/base/delivery-secrets-rbac.yaml']);
  bed.atlas.addApiKey({ ...KEYS.notListed, groupIds: [GROUP_ID], accessListed: false });
  bed.atlas.addApiKey({ ...KEYS.unpaid, groupIds: [GROUP_ID], suspended: true });
  bed.atlas.addApiKey(KEYS.everyProject);
  for (const row of ROWS) await put(row);
  // Each resource has requests of its own: no list answers for several of them.
  operator = await bed.startOperator({ ATLAS_LIST: 'false' });
});
afterAll(() => bed?.stop());

const nameOf = (reason: string): string => reason.toLowerCase();

async function put({ reason, body, fault, spec = {}, secret }: Cause & { readonly reason: string }): Promise<void> {
  const name = nameOf(reason);
  const job = { groupId: GROUP_ID, clusterName: CLUSTER_NAME, jobId: newJobId(), ...spec };
  jobIds.set(reason, job.jobId);
  if (body !== undefined) bed.atlas.putJob(job, { kind: 'fixed', body: body(job) });
  if (fault !== undefined) bed.atlas.faults.add({ match: { jobId: job.jobId }, when: 'after-auth', fault });
  if (secret !== undefined) await bed.createSecret(name, secret);
  await bed.create(name, {
    jobId: job.jobId,
    ...(secret === undefined ? {} : { credentialsSecretRef: { name } }),
    ...spec,
  });
}

const requestsOf = (reason: Reason): number => bed.atlas.requests.ofJob(jobIds.get(reason) ?? '');

async function untilReached(reason: string, status: string, timeoutMs: number): Promise<void> {
  const { condition } = entryOf(reasonOf(reason));
  const wanted = `${status} ${reason}`;
  await bed.until(
    nameOf(reason),
    wanted,
    (resource) => conditionOf(resource, condition) === wanted,
    NAMESPACE,
    timeoutMs,
  );
}

test('every reason of the table has a cause here', () => {
  expect([...Object.keys(CAUSES), ...ELSEWHERE].toSorted()).toEqual(Object.keys(REASONS).toSorted());
});

describe('is reached by its real cause', () => {
  test.each(AT_ONCE)('$reason', async ({ reason, status }) => {
    await untilReached(reason, status, 30_000);
  });
});

describe('the log', () => {
  const linesOf = (reason: string): readonly LogLine[] =>
    operator.log.filter(({ name, level }) => name === nameOf(reason) && level !== 'debug');
  const atInfo = (): readonly LogLine[] =>
    operator.log.filter(({ name, level }) => level !== 'debug' && !LATE.map(nameOf).includes(String(name)));

  test('has one line about each resource, with every stable field', async () => {
    for (const { reason } of AT_ONCE) await operator.waitForLog(({ name }) => name === nameOf(reason));
    const fields = LOG_FIELDS.filter(({ lines }) => lines !== 'some').map(({ name }) => name);
    for (const { reason } of AT_ONCE) {
      const failed = entryOf(reasonOf(reason)).retry !== 'none';
      const lines = linesOf(reason);
      expect([reason, lines.length]).toEqual([reason, 1]);
      expect(Object.keys(lines[0] ?? {})).toEqual(expect.arrayContaining(fields));
      expect(lines[0]).toMatchObject({
        level: failed ? 'warn' : 'info',
        namespace: NAMESPACE,
        jobId: jobIds.get(reason),
        durationMs: expect.any(Number),
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        ...(failed || reason === 'Suspended' ? { reason } : {}),
      });
    }
    const ids = AT_ONCE.map(({ reason }) => linesOf(reason)[0]?.['requestId']);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('is quiet while jobs run, have ended, and fail again and again', async () => {
    const [lines, polls, failures] = [atInfo().length, requestsOf('JobInProgress'), requestsOf('AtlasUnavailable')];
    await eventually(
      'jobs are polled and failures repeat themselves',
      () => {
        expect(requestsOf('JobInProgress')).toBeGreaterThanOrEqual(polls + 2);
        expect(requestsOf('AtlasUnavailable')).toBeGreaterThanOrEqual(failures + 2);
      },
      { timeoutMs: 60_000 },
    );
    expect(atInfo().slice(lines)).toEqual([]);
  });

  test('logs every reconcile after SIGUSR2, and is quiet again after another one', async () => {
    await operator.kill('SIGUSR2');
    await operator.waitForLog(({ level, msg }) => level === 'debug' && msg === 'the log level is debug now');
    await operator.waitForLog(({ name, msg }) => name === nameOf('JobInProgress') && msg === 'nothing changed');
    await operator.waitForLog(({ msg, endpoint }) => msg === 'a request to Atlas' && endpoint === 'restoreJob');
    await operator.kill('SIGUSR2');
    await operator.waitForLog(({ level, msg }) => level === 'info' && msg === 'the log level is info now');
    expect(operator.process.exitCode).toBeNull();
  });
});

describe('is reached after a minute', () => {
  test.each(AFTER_A_MINUTE)('$reason', async ({ reason, status }) => {
    await untilReached(reason, status, 90_000);
  });
});

test('RateLimited: Atlas is not asked while it asks to wait', async () => {
  const resource = await bed.get(nameOf('RateLimited'));
  expect(conditionOf(resource, 'Ready')).toBe('Unknown RateLimited');
  expect(conditionOf(resource, 'Reconciling')).toBe('True RateLimited');
  // With a cold nonce the challenge, and the one that was refused.
  expect(requestsOf('RateLimited')).toBeLessThanOrEqual(2);
});

function reasonOf(text: string): Reason {
  if (!isReason(text)) throw new Error(`${text} is no reason`);
  return text;
}
