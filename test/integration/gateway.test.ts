/** A gateway that asks the operator to sign in, where it expects the API server: redirects and pages are no success. */
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  type ApiServerProxy,
  GATEWAY_RESPONSES,
  type ProxiedRequest,
  startApiServerProxy,
} from '../support/api-server-proxy.ts';
import { youngJob } from '../support/atlas-simulator/recorded-bodies.ts';
import { base64 } from '../support/control-plane/credentials.ts';
import { eventually } from '../support/eventually.ts';
import { LEADER_ELECTION, OPERATOR } from '../support/installation.ts';
import { metricValue, samplesOf, scrapeText } from '../support/scrape.ts';
import { putJob, startTestBed, type TestBed } from '../support/test-bed.ts';

let bed: TestBed;
let proxy: ApiServerProxy;
let kubeconfig: string;
beforeAll(async () => {
  bed = await startTestBed();
  const { server, caPem, serviceAccountKubeconfig } = bed.controlPlane;
  proxy = await startApiServerProxy(server, caPem);
  const direct = await serviceAccountKubeconfig(OPERATOR.namespace, OPERATOR.name);
  kubeconfig = `${direct}.proxied`;
  const text = (await readFile(direct, 'utf8')).replaceAll(server, proxy.url);
  await writeFile(kubeconfig, text.replaceAll(base64(caPem), base64(proxy.caPem())), { mode: 0o600 });
});
let undo = (): void => undefined;
afterEach(async () => {
  undo();
  await bed.endOperators();
});
afterAll(async () => {
  await proxy?.stop();
  await bed?.stop();
});

const requestsTo = (matches: (request: ProxiedRequest) => boolean): number => proxy.requests.filter(matches).length;

describe.each(['redirect', 'page'] as const)('with a %s', (what) => {
  test('for a Lease: nobody leads, one warning, one line when it is over', async () => {
    const isLease = ({ target }: ProxiedRequest): boolean => target.includes('/leases');
    undo = proxy.always(isLease, GATEWAY_RESPONSES[what]);
    const before = requestsTo(isLease);
    const operator = await bed.startOperator({ ...LEADER_ELECTION, KUBECONFIG: kubeconfig });
    await eventually('it is tried again and again', () => expect(requestsTo(isLease)).toBeGreaterThan(before + 2));
    const said = (text: string) => operator.log.filter(({ msg }) => msg === text);
    expect(said('acquired the lease')).toEqual([]);
    expect(said('starting workers')).toEqual([]);
    const warnings = said('the lease could not be read or written');
    expect(warnings).toMatchObject([{ level: 'warn', error: expect.stringContaining('response is not a Lease') }]);
    undo();
    await operator.waitForLog(({ msg }) => msg === 'acquired the lease');
    expect(said('the lease can be read and written again')).toHaveLength(1);
    expect(await operator.stop()).toBe(0);
  });

  test('for a status write: it counts as not written, and is written later', async () => {
    const isWrite = ({ method, target }: ProxiedRequest): boolean => method === 'PATCH' && target.endsWith('/status');
    undo = proxy.always(isWrite, GATEWAY_RESPONSES[what]);
    const operator = await bed.startOperator({ KUBECONFIG: kubeconfig });
    const job = putJob(bed.atlas, youngJob);
    const name = `written-${what}`;
    await bed.create(name, { jobId: job.jobId });
    const { error } = await operator.waitForLog(({ msg }) => msg.startsWith('the status could not be written'));
    expect(error).toContain('response is not a LegacyRestoreJob');
    const writes = samplesOf(await scrapeText(operator.url));
    expect(metricValue(writes, 'legacy_restore_status_writes_total', { result: 'success' })).toBe(0);
    undo();
    await bed.until(name, 'it is mirrored', ({ status }) => status.statusName === 'IN_PROGRESS');
    expect(await operator.stop()).toBe(0);
  });

  test('for a Secret: it is no Secret without keys', async () => {
    const isSecret = ({ target }: ProxiedRequest): boolean => target.includes('/secrets/');
    undo = proxy.always(isSecret, GATEWAY_RESPONSES[what]);
    const before = requestsTo(isSecret);
    const operator = await bed.startOperator({ KUBECONFIG: kubeconfig });
    const job = putJob(bed.atlas, youngJob);
    const name = `secret-${what}`;
    await bed.create(name, { jobId: job.jobId });
    await eventually('it is tried again', () => expect(requestsTo(isSecret)).toBeGreaterThan(before + 1));
    expect(JSON.stringify((await bed.get(name)).status)).not.toMatch(/SecretInvalid|SecretNotFound/);
    expect(operator.log.filter(({ level }) => level === 'error')).toEqual([]);
    undo();
    await bed.until(name, 'it is mirrored', ({ status }) => status.statusName === 'IN_PROGRESS', undefined, 60_000);
    expect(await operator.stop()).toBe(0);
  });
});
