import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { atlasDate, endedDownload, fetchedDownload, youngJob } from '../support/atlas-simulator/recorded-bodies.ts';
import { eventually } from '../support/eventually.ts';
import { LEADER_ELECTION } from '../support/installation.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { metricValue, samplesOf, scrapeText } from '../support/scrape.ts';
import { API_KEY, conditionOf, NAMESPACE, putJob, startTestBed, type TestBed } from '../support/test-bed.ts';

const TOMORROW = atlasDate(Date.now() + 86_400_000);
const YESTERDAY = atlasDate(Date.now() - 86_400_000);

let bed: TestBed;
beforeAll(async () => {
  bed = await startTestBed();
});
afterEach(() => bed.endOperators());
afterAll(() => bed?.stop());

/** An operator that has begun to reconcile resources. */
async function startWorking(env?: Readonly<Record<string, string>>): Promise<OperatorProcess> {
  const operator = await bed.startOperator(env);
  await operator.waitForLog(({ msg }) => msg === 'starting workers');
  return operator;
}

const isReady = async (url: string): Promise<boolean> => (await fetch(`${url}/readyz`)).status === 200;

/** A resource whose job is running, mirrored once. */
async function createRunning(name: string) {
  const job = putJob(bed.atlas, youngJob);
  await bed.create(name, { jobId: job.jobId, interval: '10s' });
  return job;
}

const mirrored = (name: string, statusName: string) =>
  bed.until(name, `it is mirrored as ${statusName}`, ({ status }) => status.statusName === statusName);

describe('while the operator is down', () => {
  test('what was created, changed and deleted is caught up with at its start', async () => {
    const first = await startWorking();
    const changed = await createRunning('down-changed');
    await createRunning('down-deleted');
    await mirrored('down-changed', 'IN_PROGRESS');
    await mirrored('down-deleted', 'IN_PROGRESS');
    expect(await first.stop()).toBe(0);

    bed.atlas.setBody(changed.jobId, fetchedDownload(changed, TOMORROW));
    await bed.patch('down-changed', { spec: { interval: '11s' } });
    await bed.delete('down-deleted');
    await createRunning('down-created');
    await startWorking();
    expect((await mirrored('down-changed', 'FINISHED')).status.observedGeneration).toBe(2);
    await mirrored('down-created', 'IN_PROGRESS');
  });

  test('after a restart those to which nothing can happen are not fetched, and no status is rewritten', async () => {
    const first = await startWorking();
    const job = putJob(bed.atlas, (id) => endedDownload(id, 'EXPIRED', YESTERDAY));
    await bed.create('final', { jobId: job.jobId });
    const running = await createRunning('still-open');
    const before = await mirrored('final', 'FINISHED');
    const open = await mirrored('still-open', 'IN_PROGRESS');
    expect(await first.stop()).toBe(0);
    const [fetches, openFetches] = [bed.atlas.requests.ofJob(job.jobId), bed.atlas.requests.ofJob(running.jobId)];

    await startWorking();
    await eventually('the open one is fetched again', () =>
      expect(bed.atlas.requests.ofJob(running.jobId)).toBeGreaterThan(openFetches),
    );
    expect(bed.atlas.requests.ofJob(job.jobId)).toBe(fetches);
    expect((await bed.get('final')).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
    expect((await bed.get('still-open')).metadata.resourceVersion).toBe(open.metadata.resourceVersion);
  });
});

test('the API server is killed and started again under it: changes arrive, one warning, no restart', async () => {
  const operator = await startWorking();
  const job = await createRunning('killed-server');
  await mirrored('killed-server', 'IN_PROGRESS');
  const before = operator.log.length;
  const linesSince = () => operator.log.slice(before);
  await bed.controlPlane.killApiServer('SIGKILL');
  await eventually('the interruption is told', () =>
    expect(linesSince().filter(({ cause }) => cause !== undefined)).not.toEqual([]),
  );
  bed.atlas.setBody(job.jobId, fetchedDownload(job, TOMORROW));
  await bed.controlPlane.startApiServer();
  await mirrored('killed-server', 'FINISHED');
  await bed.reconcile('killed-server');
  await eventually('the end of it is told', () =>
    expect(linesSince().map(({ msg }) => msg)).toContain('watching legacyrestorejobs again'),
  );
  // A status write that an API server refuses before it has read the Roles has a warning of its own.
  const warnings = operator.log.filter(({ level, cause }) => level === 'warn' && cause !== undefined);
  expect(warnings).toHaveLength(1);
  expect(await operator.stop()).toBe(0);
});

test('started without an API server it waits for it, not ready, and does not crash', async () => {
  await bed.controlPlane.killApiServer('SIGKILL');
  const operator = await bed.startOperator();
  await operator.waitForLog(({ msg }) => msg === 'the API server cannot be reached');
  expect(await isReady(operator.url)).toBe(false);
  await bed.controlPlane.startApiServer();
  await eventually('it is ready', async () => expect(await isReady(operator.url)).toBe(true), { timeoutMs: 60_000 });
  expect(await operator.stop()).toBe(0);
});

test('SIGTERM: the reconcile under way is finished and written, then it exits with 0', async () => {
  const operator = await startWorking();
  const job = putJob(bed.atlas, youngJob);
  bed.atlas.faults.add({
    match: { jobId: job.jobId },
    times: 1,
    when: 'after-auth',
    fault: { kind: 'delay', ms: 1_500 },
  });
  await bed.create('stopping', { jobId: job.jobId });
  await eventually('the request is under way', () => expect(bed.atlas.requests.ofJob(job.jobId)).toBeGreaterThan(0));
  expect(await operator.stop()).toBe(0);
  expect((await bed.get('stopping')).status.statusName).toBe('IN_PROGRESS');
});

describe('leader election', () => {
  const env = { ...LEADER_ELECTION };

  test('one replica works, the other stands by ready and takes over when the leader is told to stop', async () => {
    const leader = await bed.startOperator(env);
    await leader.waitForLog(({ msg }) => msg === 'acquired the lease');
    const standby = await bed.startOperator(env);
    await standby.waitForLog(({ msg }) => msg.startsWith('standby'));
    await eventually('the standby is ready', async () => expect(await isReady(standby.url)).toBe(true));
    const job = await createRunning('led');
    await mirrored('led', 'IN_PROGRESS');
    const samples = await eventually('the standby knows of the resource too', async () => {
      const found = samplesOf(await scrapeText(standby.url));
      expect(metricValue(found, 'legacy_restore_resources', { status: 'IN_PROGRESS' })).toBeGreaterThan(0);
      return found;
    });
    expect(metricValue(samples, 'legacy_restore_atlas_requests_total')).toBe(0);
    expect(metricValue(samples, 'leader_election_master_status')).toBe(0);
    expect(metricValue(samples, 'legacy_restore_mirror_age_seconds')).toBe(0);
    expect(await leader.stop()).toBe(0);
    await standby.waitForLog(({ msg }) => msg === 'acquired the lease', 10_000);
    bed.atlas.setBody(job.jobId, fetchedDownload(job, TOMORROW));
    expect(conditionOf(await mirrored('led', 'FINISHED'), 'Ready')).toBe('True JobFinished');
    expect(await standby.stop()).toBe(0);
  });

  test('a leader that was frozen until another one leads ends without writing', async () => {
    const frozen = await bed.startOperator(env);
    await frozen.waitForLog(({ msg }) => msg === 'acquired the lease');
    await frozen.kill('SIGSTOP');
    const successor = await bed.startOperator(env);
    await successor.waitForLog(({ msg }) => msg === 'acquired the lease', 60_000);
    await frozen.kill('SIGCONT');
    expect(await frozen.exited).toBe(1);
    expect(frozen.log.map(({ msg }) => msg).join()).toContain('lease lost');
    expect(await successor.stop()).toBe(0);
  });
});

/** Gives a service account what the operator needs in one namespace. */
async function grant(namespace: string, name: string): Promise<void> {
  const rules = [
    { apiGroups: ['atlasrestore.dev'], resources: ['legacyrestorejobs'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: ['atlasrestore.dev'], resources: ['legacyrestorejobs/status'], verbs: ['patch'] },
    { apiGroups: [''], resources: ['secrets'], verbs: ['get'] },
    { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
  ];
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  await bed.controlPlane.request('POST', `${rbac}/roles`, { metadata: { name }, rules });
  await bed.controlPlane.request('POST', `${rbac}/rolebindings`, {
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
    subjects: [{ kind: 'ServiceAccount', name: 'operator', namespace: name }],
  });
}

test('NAMESPACES: one that cannot be listed stops no other, and is worked on as soon as it can be', async () => {
  const other = 'locked';
  await bed.controlPlane.request('POST', '/api/v1/namespaces', { metadata: { name: other } });
  await bed.createSecret('atlas-key', { publicApiKey: API_KEY.publicKey, privateApiKey: API_KEY.privateKey }, other);
  const kubeconfig = await bed.controlPlane.serviceAccountKubeconfig('half', 'operator');
  await grant(NAMESPACE, 'half');
  const job = putJob(bed.atlas, youngJob);
  await bed.create('behind', { jobId: job.jobId }, other);

  const operator = await startWorking({ NAMESPACES: `${NAMESPACE},${other}`, KUBECONFIG: kubeconfig });
  await createRunning('in-front');
  await mirrored('in-front', 'IN_PROGRESS');
  const ready = await fetch(`${operator.url}/readyz`);
  expect([ready.status, await ready.text()]).toEqual([
    200,
    `ok\nnamespace ${other}: the operator may not list and watch legacyrestorejobs: check its Role or ClusterRole\n`,
  ]);
  const unavailable = async () =>
    metricValue(samplesOf(await scrapeText(operator.url)), 'legacy_restore_namespaces_unavailable');
  expect(await unavailable()).toBe(1);

  await grant(other, 'half');
  await bed.until('behind', 'it is mirrored', ({ status }) => status.statusName === 'IN_PROGRESS', other, 60_000);
  await eventually('nothing is noted any more', async () => {
    expect(await (await fetch(`${operator.url}/readyz`)).text()).toBe('ok\n');
    expect(await unavailable()).toBe(0);
  });
  const warnings = operator.log.filter(({ level }) => level === 'warn');
  expect(warnings).toMatchObject([{ watchedNamespace: other }]);
  expect(await operator.stop()).toBe(0);
});

test('NAMESPACES: Roles suffice, and resources elsewhere are left alone', async () => {
  const kubeconfig = await bed.controlPlane.serviceAccountKubeconfig('narrow', 'operator');
  await grant(NAMESPACE, 'narrow');
  const operator = await startWorking({ NAMESPACES: NAMESPACE, KUBECONFIG: kubeconfig });
  await createRunning('inside');
  await bed.create('outside', {}, 'default');
  await mirrored('inside', 'IN_PROGRESS');
  expect((await bed.get('outside', 'default')).status.observedGeneration).toBe(-1);
  expect(operator.log.filter(({ level }) => level === 'warn')).toHaveLength(0);
  expect(await operator.stop()).toBe(0);
});
