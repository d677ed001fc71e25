import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  deeplyNested,
  failing,
  invalidUtf8,
  manyHashes,
  oversized,
  truncatedJson,
  wrongContentLength,
} from '../support/atlas-simulator/fault-samples.ts';
import type { Fault } from '../support/atlas-simulator/faults.ts';
import { youngJob } from '../support/atlas-simulator/recorded-bodies.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import {
  CLUSTER_NAME,
  conditionOf,
  GROUP_ID,
  newJobId,
  putJob,
  type Resource,
  startTestBed,
  type TestBed,
} from '../support/test-bed.ts';

let bed: TestBed;
let operator: OperatorProcess;
beforeAll(async () => {
  bed = await startTestBed();
  operator = await bed.startOperator({ ATLAS_TIMEOUT: '500ms' });
});
afterAll(() => bed?.stop());

let count = 0;
/** What a resource looks like after a reconcile that met this fault, and once it is gone. */
async function meet(
  fault: Fault,
): Promise<{ readonly name: string; readonly met: Resource; readonly remove: () => void }> {
  count += 1;
  const name = `hostile-${count}`;
  const job = putJob(bed.atlas, youngJob);
  const handle = bed.atlas.faults.add({ match: { jobId: job.jobId }, when: 'after-auth', fault });
  await bed.create(name, { jobId: job.jobId });
  const met = await bed.until(name, 'it is reconciled', ({ status }) => status.observedGeneration === 1);
  expect(handle.hits()).toBeGreaterThan(0);
  return { name, met, remove: () => handle.remove() };
}

const BODY = youngJob({ groupId: GROUP_ID, clusterName: CLUSTER_NAME, jobId: newJobId() });
const text = (value: unknown): Fault => ({
  kind: 'body',
  body: typeof value === 'string' ? value : JSON.stringify(value),
});

describe('becomes a typed error, and passes when it is over', () => {
  test.each<[string, Fault, string]>([
    ['an HTML page with 200', { kind: 'html', status: 200 }, 'Unknown InvalidResponse'],
    ['an HTML page with 503', { kind: 'html', status: 503 }, 'Unknown AtlasUnavailable'],
    ['truncated JSON', truncatedJson(BODY), 'Unknown InvalidResponse'],
    ['text that is no JSON', text('{"statusName": FINISHED}'), 'Unknown InvalidResponse'],
    ['an empty body', text(''), 'Unknown InvalidResponse'],
    ['a JSON array', text([BODY]), 'Unknown InvalidResponse'],
    ['an object that is no restore job', text({ hello: 'world' }), 'Unknown InvalidResponse'],
    ['invalid UTF-8', invalidUtf8(), 'Unknown InvalidResponse'],
    ['a body of more than 8 MiB', oversized(BODY, 9 * 1_024 * 1_024), 'Unknown InvalidResponse'],
    ['a content-length that is too long', wrongContentLength(BODY, 10), 'Unknown AtlasUnavailable'],
    ['a redirect', { kind: 'redirect', location: 'http://127.0.0.1:9/' }, 'Unknown InvalidResponse'],
    ['a connection that is reset', { kind: 'reset', phase: 'mid-body' }, 'Unknown AtlasUnavailable'],
    ['a stall before the headers', { kind: 'stall', phase: 'headers' }, 'Unknown AtlasUnavailable'],
    ['a stall in the body', { kind: 'stall', phase: 'body' }, 'Unknown AtlasUnavailable'],
    ['200 with an error body', text({ error: 404, errorCode: 'CLUSTER_NOT_FOUND' }), 'False ClusterNotFound'],
    [
      'an envelope around an error',
      text({ status: 403, content: { error: 403, errorCode: 'IP_ADDRESS_NOT_ON_ACCESS_LIST' } }),
      'False AccessListDenied',
    ],
    ['a code that nobody knows', failing(418, 'TEAPOT'), 'False BadRequest'],
  ])('%s', async (_, fault, synced) => {
    const { name, met, remove } = await meet(fault);
    expect(conditionOf(met, 'Synced')).toBe(synced);
    expect(met.status).not.toHaveProperty('statusName');
    remove();
    expect(conditionOf(await bed.reconcile(name), 'Synced')).toBe('True JobFetched');
  });
});

describe('is mirrored faithfully', () => {
  test('5 MB of members that nobody knows', async () => {
    const { met } = await meet(oversized(BODY, 5 * 1_024 * 1_024));
    expect(conditionOf(met, 'Synced')).toBe('True JobFetched');
    expect(JSON.stringify(met).length).toBeLessThan(10_000);
  });

  test('deep nesting', async () => {
    const { met } = await meet(deeplyNested(BODY));
    expect(conditionOf(met, 'Synced')).toMatch(/True JobFetched|Unknown InvalidResponse/);
  });

  test('10,000 hashes: 2,000 are kept, and Synced says so', async () => {
    const { met } = await meet(manyHashes(BODY));
    expect(met.status.hashes).toHaveLength(2_000);
    expect(JSON.stringify(met.status.conditions)).toContain('2000 of 10000');
  });

  test('numbers out of range are left out and named', async () => {
    const { met } = await meet(
      text({ ...BODY, delivery: { methodName: 'HTTP', expirationHours: 1e300, maxDownloads: 1.5 } }),
    );
    expect(met.status.delivery).toEqual({ methodName: 'HTTP' });
    expect(JSON.stringify(met.status.conditions)).toContain('delivery.expirationHours, delivery.maxDownloads');
  });

  test('control characters stay in the content and out of messages', async () => {
    const { met } = await meet(text({ ...BODY, statusName: 'ODD\u0007\u001b[31m' }));
    expect(met.status.statusName).toBe('ODD\u0007\u001b[31m');
    expect(JSON.stringify(met.status.conditions)).not.toContain('\\u001b');
  });
});

test('after all that it still runs, as the process that it was, and is well', async () => {
  expect(operator.process.exitCode).toBeNull();
  expect((await fetch(`${operator.url}/readyz`)).status).toBe(200);
  expect(operator.log.filter(({ level }) => level === 'error')).toEqual([]);
  expect(await operator.stop()).toBe(0);
});
