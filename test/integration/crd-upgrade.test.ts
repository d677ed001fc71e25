/** The operator on a CustomResourceDefinition that is older than itself, and the upgrade of that. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import * as z from 'zod';
import type { JobIdentity } from '../support/atlas-simulator/jobs.ts';
import type { JsonObject } from '../support/atlas-simulator/json.ts';
import { atlasDate, fetchedDownload, youngJob } from '../support/atlas-simulator/recorded-bodies.ts';
import { eventually } from '../support/eventually.ts';
import { installCrds } from '../support/installation.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { conditionOf, NAMESPACE, putJob, type Resource, startTestBed, type TestBed } from '../support/test-bed.ts';

const CRD_FILE = 'crds/atlasrestore.dev_legacyrestorejobs.yaml';
const DOCUMENT = '/openapi/v3/apis/atlasrestore.dev/v1';
const TOMORROW = atlasDate(Date.now() + 86_400_000);

let bed: TestBed;
let operator: OperatorProcess;
beforeAll(async () => {
  bed = await startTestBed();
  await bed.controlPlane.kubectlRun(['apply', '-f', '-'], { stdin: JSON.stringify(await olderCrd()) });
  await eventually('the API server publishes the older schema', async () => {
    const { status, body } = await bed.controlPlane.request('GET', DOCUMENT);
    expect([status, JSON.stringify(body).includes('masterKeyUUID')]).toEqual([200, false]);
  });
  operator = await bed.startOperator();
});
afterAll(() => bed?.stop());

/** The definition as it was before some fields were added. */
async function olderCrd(): Promise<unknown> {
  const Properties = z.record(z.string(), z.unknown());
  const Crd = z.looseObject({
    spec: z.looseObject({
      versions: z.tuple([
        z.looseObject({
          schema: z.object({
            openAPIV3Schema: z.looseObject({
              properties: z.looseObject({
                status: z.looseObject({
                  properties: z.looseObject({ delivery: z.looseObject({ properties: Properties }) }),
                }),
              }),
            }),
          }),
        }),
      ]),
    }),
  });
  const crd = Crd.parse(load(await readFile(CRD_FILE, 'utf8')));
  const { properties } = crd.spec.versions[0].schema.openAPIV3Schema.properties.status;
  delete properties.delivery.properties['urlV2'];
  delete properties['masterKeyUUID'];
  delete properties['hashes'];
  return crd;
}

const NEW_FIELDS = ['status.delivery.urlV2', 'status.hashes', 'status.masterKeyUUID'];

/** A body that fills every field that the older definition lacks. */
const withNewFields = (body: JsonObject): JsonObject => ({
  ...body,
  masterKeyUUID: '3f2b7a52-6f3c-4c0e-9a5d-6a1f0f4d2c11',
  delivery: { methodName: 'HTTP', statusName: 'READY', expires: TOMORROW, urlV2: 'https://example.org/file' },
  hashes: [{ fileName: 'a.tar.gz', hash: 'b', typeName: 'SHA1' }],
});

async function mirror(name: string, body: (job: JobIdentity) => JsonObject, spec: object = {}): Promise<string> {
  const job = putJob(bed.atlas, (id) => withNewFields(body(id)));
  await bed.create(name, { jobId: job.jobId, ...spec });
  await bed.until(name, 'it is mirrored', (now) => conditionOf(now, 'Synced') === 'True JobFetched');
  return job.jobId;
}

const newFieldsOf = ({ status }: Resource): readonly unknown[] => [
  status.delivery?.urlV2,
  status.hashes?.length,
  status.masterKeyUUID,
];
const NONE = [undefined, undefined, undefined];
const ALL = ['https://example.org/file', 1, '3f2b7a52-6f3c-4c0e-9a5d-6a1f0f4d2c11'];

const read = async (endpoint: string) => {
  const answer = await fetch(`${operator.url}/${endpoint}`);
  return { status: answer.status, text: await answer.text() };
};

test('an older definition is one warning, a detail of /readyz and a metric, and the operator works', async () => {
  const warning = await operator.waitForLog(({ level, missing }) => level === 'warn' && missing !== undefined);
  expect(warning['missing']).toEqual(NEW_FIELDS);
  expect(warning.msg).toContain('helm upgrade');
  expect(warning.msg).toContain('kubectl apply -f crds/');
  await operator.waitForLog(({ msg }) => msg === 'starting workers');
  const ready = await read('readyz');
  expect(ready.status).toBe(200);
  expect(ready.text).toMatch(/^ok\n.*is older than this operator.*status\.delivery\.urlV2.*\n$/);
  expect((await read('metrics')).text).toContain('legacy_restore_crd_outdated 1\n');
});

test('what it can hold is mirrored, and reconciles that bring nothing new write nothing', async () => {
  const jobId = await mirror('running', youngJob, { interval: '10s' });
  await mirror('finished', (job) => fetchedDownload(job, TOMORROW));
  const { metadata, status } = await bed.get('running');
  expect([status.statusName, ...newFieldsOf(await bed.get('running'))]).toEqual(['IN_PROGRESS', ...NONE]);

  const before = await bed.get('finished');
  const after = await bed.reconcile('finished');
  expect(after.status).toEqual({ ...before.status, lastHandledReconcileAt: after.status.lastHandledReconcileAt });

  const gets = bed.atlas.requests.ofJob(jobId);
  await eventually('two more polls', () => expect(bed.atlas.requests.ofJob(jobId)).toBeGreaterThanOrEqual(gets + 2), {
    timeoutMs: 60_000,
  });
  expect((await bed.get('running')).metadata.resourceVersion).toBe(metadata.resourceVersion);
  expect(operator.log.filter(({ missing }) => missing !== undefined)).toHaveLength(1);
});

test('after the upgrade open resources fill by themselves, finished ones with the command that the log names', async () => {
  await installCrds(bed.controlPlane);
  const { msg } = await operator.waitForLog((line) => line.msg.includes('kubectl annotate'));
  // The API server ends the watches of a CRD that changes: that may still be a note.
  await eventually('nothing is missing anymore', async () =>
    expect(await read('readyz')).toEqual({ status: 200, text: 'ok\n' }),
  );
  expect((await read('metrics')).text).toContain('legacy_restore_crd_outdated 0\n');
  await bed.until('running', 'it is filled', (now) => newFieldsOf(now).join() === ALL.join());

  expect(newFieldsOf(await bed.get('finished'))).toEqual(NONE);
  const command = msg.slice(msg.indexOf('kubectl annotate'));
  const { kubectl, kubeconfig: KUBECONFIG } = bed.controlPlane;
  const PATH = `${path.dirname(kubectl)}${path.delimiter}${process.env['PATH']}`;
  await promisify(execFile)('sh', ['-c', command], { env: { ...process.env, PATH, KUBECONFIG } });
  await bed.until('finished', 'it is filled', (now) => newFieldsOf(now).join() === ALL.join());
});

test('a service account without any rights may read the schema, as in namespaced mode', async () => {
  const kubeconfig = await bed.controlPlane.serviceAccountKubeconfig(NAMESPACE, 'no-rights');
  expect(await bed.controlPlane.kubectlRun(['get', '--raw', DOCUMENT], { kubeconfig })).toContain('masterKeyUUID');
});
