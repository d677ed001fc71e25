/** deploy/download, as kubectl renders it where people use it. */
import { cp, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { dump } from 'js-yaml';
import * as z from 'zod';
import { kustomize, type Manifest, rolesOf } from '../support/manifests.ts';

const BATCH = 'deploy/samples/download-batch';
const JOB = {
  apiVersion: 'atlasrestore.dev/v1',
  kind: 'LegacyRestoreJob',
  metadata: { name: 'friday' },
  spec: {
    groupId: '5a66666887d9d61443b41645',
    clusterName: 'Cluster0',
    jobId: '6b77893b80eef5354c77ee15',
    deliverySecretName: 'friday-secret',
  },
};

let folder: string;
beforeAll(async () => {
  // kustomize compares paths without links.
  folder = await realpath(await mkdtemp(path.join(tmpdir(), 'download-component-')));
  await cp('deploy/download', path.join(folder, 'download'), { recursive: true });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The objects of a kustomization that has these resources and the component. */
async function render(name: string, resources: readonly object[], kustomization: object = {}) {
  const directory = path.join(folder, name);
  await mkdir(directory);
  await writeFile(path.join(directory, 'resources.yaml'), resources.map((resource) => dump(resource)).join('---\n'));
  const all = { resources: ['resources.yaml'], components: ['../download'], ...kustomization };
  await writeFile(path.join(directory, 'kustomization.yaml'), dump(all));
  return kustomize(directory);
}

const Job = z.object({
  kind: z.literal('Job'),
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    template: z.object({
      spec: z.object({
        serviceAccountName: z.string(),
        containers: z.tuple([z.object({ args: z.array(z.string()) })]),
        volumes: z.tuple([z.object({ persistentVolumeClaim: z.object({ claimName: z.string() }) })]),
      }),
    }),
  }),
});
const RoleBinding = z.object({
  kind: z.literal('RoleBinding'),
  metadata: z.object({ name: z.string() }),
  roleRef: z.object({ name: z.string() }),
  subjects: z.tuple([z.object({ name: z.string(), namespace: z.string() })]),
});

/** What each Job downloads, with the rights that it has by way of its service account. */
function downloadsOf(manifests: readonly Manifest[]) {
  const names = (kind: string) => new Set(manifests.filter((one) => one.kind === kind).map((one) => one.metadata.name));
  return manifests
    .flatMap((manifest) => Job.safeParse(manifest).data ?? [])
    .map(({ spec: { template } }) => {
      const { serviceAccountName, containers, volumes } = template.spec;
      const binding = manifests
        .flatMap((manifest) => RoleBinding.safeParse(manifest).data ?? [])
        .find(({ subjects }) => subjects[0].name === serviceAccountName && subjects[0].namespace === 'restores');
      const role = rolesOf(manifests).find(({ metadata }) => metadata.name === binding?.roleRef.name);
      return {
        resource: containers[0].args.at(-1),
        mayGet: role?.rules.flatMap(({ resources, resourceNames = [] }) =>
          resources.flatMap((resource) => resourceNames.map((name) => `${resource}/${name}`)),
        ),
        verbs: new Set(role?.rules.flatMap(({ verbs }) => verbs)),
        hasAccount: names('ServiceAccount').has(serviceAccountName),
        hasVolume: names('PersistentVolumeClaim').has(volumes[0].persistentVolumeClaim.claimName),
      };
    });
}

const expected = (resource: string, secret: string) => ({
  resource,
  mayGet: [`legacyrestorejobs/${resource}`, `secrets/${secret}`],
  verbs: new Set(['get']),
  hasAccount: true,
  hasVolume: true,
});

test('each job of the batch has a Job that may read this job and its Secret, and nothing else', async () => {
  const manifests = await kustomize(BATCH);
  expect(downloadsOf(manifests)).toEqual(
    ['orders-config', 'orders-shard-0', 'orders-shard-1'].map((name) => expected(name, `${name}-download`)),
  );
  expect(JSON.stringify(manifests)).not.toMatch(/RESOURCE|SECRET/);
});

test('a prefix and a suffix of the kustomization reach the Job and its Role', async () => {
  const around = { namespace: 'restores', namePrefix: 'a-', nameSuffix: '-z' };
  expect(downloadsOf(await render('around', [JOB], around))).toEqual([expected('a-friday-z', 'friday-secret')]);
});

test('other Jobs and Roles of the kustomization are left alone', async () => {
  const others = [
    { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'download' }, spec: { template: { spec: {} } } },
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: 'download' }, rules: [] },
  ];
  const rendered = await render('others', [JOB, ...others]);
  expect(rendered).toEqual(expect.arrayContaining(others));
});

test('a LegacyRestoreJob without spec.deliverySecretName is refused by the name of the field', async () => {
  const { deliverySecretName: _, ...spec } = JOB.spec;
  await expect(render('no-secret', [{ ...JOB, spec }])).rejects.toThrow('`spec.deliverySecretName` is missing');
});

test('two LegacyRestoreJobs in one kustomization are refused', async () => {
  await expect(render('two', [JOB, { ...JOB, metadata: { name: 'monday' } }])).rejects.toThrow('multiple matches');
});
