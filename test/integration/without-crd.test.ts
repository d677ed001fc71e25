import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { youngJob } from '../support/atlas-simulator/recorded-bodies.ts';
import { eventually } from '../support/eventually.ts';
import { installCrds } from '../support/installation.ts';
import { putJob, startTestBed, type TestBed } from '../support/test-bed.ts';

let bed: TestBed;
beforeAll(async () => {
  bed = await startTestBed({}, { crd: false, tls: false });
});
afterAll(() => bed?.stop());

test('without the CRD, from the start or later, it says exactly that, is not ready, and carries on when it appears', async () => {
  const operator = await bed.startOperator();
  const line = await operator.waitForLog(({ level }) => level === 'warn');
  expect(line['msg']).toContain('CustomResourceDefinition of legacyrestorejobs (atlasrestore.dev/v1) is not installed');
  const answer = await fetch(`${operator.url}/readyz`);
  expect(answer.status).toBe(503);
  expect(await answer.text()).toContain('is not installed');
  expect((await fetch(`${operator.url}/livez`)).status).toBe(200);
  await installCrds(bed.controlPlane);
  await eventually('it is ready', async () => expect((await fetch(`${operator.url}/readyz`)).status).toBe(200), {
    timeoutMs: 60_000,
  });
  const job = putJob(bed.atlas, youngJob);
  await bed.create('after-crd', { jobId: job.jobId });
  await bed.until('after-crd', 'it is mirrored', ({ status }) => status.statusName === 'IN_PROGRESS');
  expect(operator.log.filter(({ msg }) => msg.includes('is not installed'))).toHaveLength(1);

  await bed.controlPlane.kubectlRun(['delete', 'crd', 'legacyrestorejobs.atlasrestore.dev']);
  await eventually('it is not ready, and says why', async () => {
    const gone = await fetch(`${operator.url}/readyz`);
    expect(gone.status).toBe(503);
    expect(await gone.text()).toContain('is not installed');
  });
  expect((await fetch(`${operator.url}/livez`)).status).toBe(200);
  await installCrds(bed.controlPlane);
  await eventually('it is ready again', async () => expect((await fetch(`${operator.url}/readyz`)).status).toBe(200), {
    timeoutMs: 60_000,
  });
  await bed.create('after-second-crd', { jobId: job.jobId });
  await bed.until('after-second-crd', 'it is mirrored', ({ status }) => status.statusName === 'IN_PROGRESS');
  expect(await operator.stop()).toBe(0);
});
