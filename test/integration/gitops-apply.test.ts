/** What GitOps tools do with resources, on a real API server while the operator writes their status. */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as z from 'zod';
import { atlasDate, fetchedDownload } from '../support/atlas-simulator/recorded-bodies.ts';
import {
  API_KEY,
  CLUSTER_NAME,
  conditionOf,
  GROUP_ID,
  NAMESPACE,
  startTestBed,
  type TestBed,
} from '../support/test-bed.ts';

const RESTORES = 'deploy/gitops/restores';
const JOBS = { 'cluster0-friday': '6b77893b80eef5354c77ee15', 'cluster0-monday': '6b77893b80eef5354c77ee16' };

let bed: TestBed;
let kubectl: TestBed['controlPlane']['kubectlRun'];
let folder: string;
beforeAll(async () => {
  bed = await startTestBed();
  await bed.createSecret('atlas-account', { publicApiKey: API_KEY.publicKey, privateApiKey: API_KEY.privateKey });
  kubectl = bed.controlPlane.kubectlRun;
  folder = await mkdtemp(path.join(tmpdir(), 'gitops-'));
  await cp(RESTORES, folder, { recursive: true });
  for (const jobId of Object.values(JOBS)) putJob(jobId);
  await bed.startOperator();
});
afterAll(async () => {
  await bed?.stop();
  await rm(folder, { recursive: true, force: true });
});

function putJob(jobId: string): void {
  const job = { groupId: GROUP_ID, clusterName: CLUSTER_NAME, jobId };
  const body = fetchedDownload(job, atlasDate(Date.now() + 86_400_000));
  bed.atlas.putJob(job, { kind: 'fixed', body });
}

const mirrored = (name: string) =>
  bed.until(name, 'it is mirrored', (now) => conditionOf(now, 'Ready') === 'True JobFinished');

describe('the example repository', () => {
  test('kubectl apply -k: each job is mirrored, and then there is nothing to apply', async () => {
    await kubectl(['apply', '-k', folder]);
    for (const [name, jobId] of Object.entries(JOBS)) {
      expect((await mirrored(name)).status.id).toBe(jobId);
    }
    // Exits with 1 where something differs.
    expect(await kubectl(['diff', '-k', folder])).toBe('');
    expect(await kubectl(['apply', '-k', folder])).toMatch(/^(.* unchanged\n){2}$/);
  });

  test('a change of the manifests is a difference', async () => {
    const file = path.join(folder, 'cluster0', 'restore-job.yaml');
    const text = await readFile(file, 'utf8');
    await writeFile(file, `${text}  interval: 2m\n`);
    await expect(kubectl(['diff', '-k', folder])).rejects.toMatchObject({ cause: { code: 1 } });
    await writeFile(file, text);
    expect(await kubectl(['diff', '-k', folder])).toBe('');
  });

  test('another jobId under the same name is refused with words that tell the remedy, and a new folder is not', async () => {
    const file = path.join(folder, 'cluster0-friday', 'kustomization.yaml');
    const text = await readFile(file, 'utf8');
    const other = text.replace(JOBS['cluster0-friday'], '6b77893b80eef5354c77ee17');
    await writeFile(file, other);
    await expect(kubectl(['apply', '-k', folder])).rejects.toThrow(
      'jobId is immutable: create another LegacyRestoreJob',
    );
    await writeFile(file, text);

    putJob('6b77893b80eef5354c77ee17');
    const added = path.join(folder, 'cluster0-sunday');
    await cp(path.dirname(file), added, { recursive: true });
    await writeFile(path.join(added, 'kustomization.yaml'), other.replace('-friday', '-sunday'));
    const list = path.join(folder, 'kustomization.yaml');
    await writeFile(list, `${await readFile(list, 'utf8')}  - cluster0-sunday\n`);
    await kubectl(['apply', '-k', folder]);
    expect((await mirrored('cluster0-sunday')).status.id).toBe('6b77893b80eef5354c77ee17');
  });
});

describe('server-side apply', () => {
  const manifest = JSON.stringify({
    apiVersion: 'atlasrestore.dev/v1',
    kind: 'LegacyRestoreJob',
    metadata: { name: 'server-side', namespace: NAMESPACE },
    spec: {
      groupId: GROUP_ID,
      clusterName: CLUSTER_NAME,
      jobId: JOBS['cluster0-friday'],
      credentialsSecretRef: { name: 'atlas-key' },
    },
  });
  const apply = (manager: string, stdin = manifest) =>
    kubectl(['apply', '--server-side', `--field-manager=${manager}`, '-f', '-'], { stdin });
  const diff = (manager: string) =>
    kubectl(['diff', '--server-side', `--field-manager=${manager}`, '-f', '-'], { stdin: manifest });

  test('never meets the operator: no conflict, no difference, no write', async () => {
    await apply('kustomize-controller');
    const { metadata } = await mirrored('server-side');
    await apply('kustomize-controller');
    expect(await diff('kustomize-controller')).toBe('');
    expect((await bed.get('server-side')).metadata.resourceVersion).toBe(metadata.resourceVersion);

    // Another tool, or the same one under another name, without --force-conflicts.
    await apply('argocd-controller');
    expect(await diff('argocd-controller')).toBe('');
    const { status } = await bed.reconcile('server-side');
    expect(status.statusName).toBe('FINISHED');
    await apply('kustomize-controller');
    expect(await diff('kustomize-controller')).toBe('');
  });

  test('the operator owns status and nothing else', async () => {
    const Managed = z.object({
      metadata: z.object({
        managedFields: z.array(
          z.object({
            manager: z.string(),
            subresource: z.string().optional(),
            fieldsV1: z.record(z.string(), z.unknown()),
          }),
        ),
      }),
    });
    const path = `/apis/atlasrestore.dev/v1/namespaces/${NAMESPACE}/legacyrestorejobs/server-side`;
    const { metadata } = Managed.parse((await bed.controlPlane.request('GET', path)).body);
    const operators = metadata.managedFields.filter(({ manager }) => manager === 'legacy-restore-operator');
    expect(operators.map(({ subresource, fieldsV1 }) => [subresource, Object.keys(fieldsV1)])).toEqual([
      ['status', ['f:status']],
    ]);
  });
});

test('the health check goes into a ConfigMap of Argo CD that has other keys', async () => {
  const page = await readFile('docs/gitops.md', 'utf8');
  const command = /^kubectl create configmap argocd-cm[^`]*/m.exec(page)?.[0] ?? '';
  const key = 'resource.customizations.health.atlasrestore.dev_LegacyRestoreJob';
  const data = { url: 'https://argocd.example.com' };
  await kubectl(['create', 'namespace', 'argocd']);
  await kubectl(['apply', '-f', '-'], {
    stdin: JSON.stringify({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'argocd-cm', namespace: 'argocd' },
      data,
    }),
  });
  const { kubectl: program, kubeconfig: KUBECONFIG } = bed.controlPlane;
  const PATH = `${path.dirname(program)}${path.delimiter}${process.env['PATH']}`;
  await promisify(execFile)('sh', ['-c', command], { env: { ...process.env, PATH, KUBECONFIG } });
  const { body } = await bed.controlPlane.request('GET', '/api/v1/namespaces/argocd/configmaps/argocd-cm');
  expect(body).toMatchObject({ data: { ...data, [key]: await readFile('deploy/gitops/argocd/health.lua', 'utf8') } });
});
