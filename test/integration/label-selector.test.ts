/** Shards: operators that share the resources of a cluster by their labels. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import * as z from 'zod';
import { readSettings } from '../../src/config/settings.ts';
import { type ApiServerProxy, startApiServerProxy } from '../support/api-server-proxy.ts';
import { brokenJob, pendingDownload, youngJob } from '../support/atlas-simulator/recorded-bodies.ts';
import { eventually } from '../support/eventually.ts';
import { OPERATOR, proxiedKubeconfig } from '../support/installation.ts';
import { CHART, environmentOf, helm, parseManifests } from '../support/manifests.ts';
import { type OperatorProcess, startOperator } from '../support/operator-process.ts';
import { CLUSTER_NAME, GROUP_ID, NAMESPACE, putJob, startTestBed, type TestBed } from '../support/test-bed.ts';

const JOBS = `/apis/atlasrestore.dev/v1/namespaces/${NAMESPACE}/legacyrestorejobs`;
/** The namespace of both releases. */
const RELEASES = 'mirrors';
const SHARD_A = 'shard-a-legacy-restore-operator';
const REST = 'rest-legacy-restore-operator';

let bed: TestBed;
let proxy: ApiServerProxy;
const operators: OperatorProcess[] = [];
beforeAll(async () => {
  bed = await startTestBed({}, { crd: false });
  proxy = await startApiServerProxy(bed.controlPlane.server, bed.controlPlane.caPem);
  await install('shard-a', { labelSelector: 'shard=a' });
  await bed.controlPlane.kubectlRun(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s']);
  await install('rest', { labelSelector: 'shard notin (a,deaf)', crds: { install: false } });
  for (const deployment of [SHARD_A, REST]) operators.push(await startRelease(deployment));
});
afterAll(async () => {
  await Promise.all(operators.map((operator) => operator.kill('SIGKILL')));
  await proxy?.stop();
  await bed?.stop();
});

const install = (release: string, values: object): Promise<string> =>
  helm(
    ['install', release, CHART, `--namespace=${RELEASES}`, '--create-namespace', '--values=-'],
    JSON.stringify(values),
    bed.controlPlane.kubeconfig,
  );

/** A replica with the settings and the service account of a Deployment on the API server. */
async function startRelease(deployment: string): Promise<OperatorProcess> {
  const { kubectlRun, serviceAccountKubeconfig } = bed.controlPlane;
  const manifest = await kubectlRun(['get', 'deployment', deployment, `--namespace=${RELEASES}`, '--output=yaml']);
  const given = Object.entries(environmentOf(parseManifests(manifest)));
  return startOperator({
    kubeconfig: await serviceAccountKubeconfig(RELEASES, deployment),
    env: { ...Object.fromEntries(given.map(([name, value = '']) => [name, value])), ...bed.atlasEnv },
  });
}

async function create(name: string, jobId: string, labels: Readonly<Record<string, string>>): Promise<void> {
  const ids = { groupId: GROUP_ID, clusterName: CLUSTER_NAME, jobId };
  const spec = { ...ids, credentialsSecretRef: { name: 'atlas-key' }, interval: '10s' };
  const resource = { apiVersion: 'atlasrestore.dev/v1', kind: 'LegacyRestoreJob', metadata: { name, labels }, spec };
  expect((await bed.controlPlane.request('POST', JOBS, resource)).status).toBe(201);
}

const relabel = (name: string, shard: string) => bed.patch(name, { metadata: { labels: { shard } } });

const mirrored = (name: string, statusName: string) =>
  bed.until(name, `it is ${statusName}`, ({ status }) => status.statusName === statusName);

/** Names of the service accounts whose writes of a status were responded to with this code, in order. */
async function statusWrites(name: string, code = 200): Promise<readonly string[]> {
  const lines = (await readFile(bed.controlPlane.auditLog, 'utf8')).split('\n');
  return lines
    .filter((line) => line.includes(`/${name}/status`) && line.includes('"verb":"patch"') && line.endsWith('}'))
    .map((line) => AuditEvent.parse(JSON.parse(line)))
    .filter(({ responseStatus }) => responseStatus.code === code)
    .map(({ user }) => user.username.slice(user.username.lastIndexOf(':') + 1));
}
const AuditEvent = z.object({
  user: z.object({ username: z.string() }),
  responseStatus: z.object({ code: z.number() }),
});

describe('two releases side by side', () => {
  test('each leads under a Lease of its own', async () => {
    for (const operator of operators) await operator.waitForLog(({ msg }) => msg === 'acquired the lease');
    const leases = await bed.controlPlane.kubectlRun(['get', 'leases', `--namespace=${RELEASES}`, '--output=name']);
    expect(leases.trim().split('\n')).toEqual([
      `lease.coordination.k8s.io/${REST}`,
      `lease.coordination.k8s.io/${SHARD_A}`,
    ]);
  });

  test('each writes what it selects, and nothing else', async () => {
    const shards = { 'in-a': { shard: 'a' }, 'in-b': { shard: 'b' }, unlabeled: {} };
    for (const [name, labels] of Object.entries(shards)) {
      await create(name, putJob(bed.atlas, brokenJob).jobId, labels);
      await mirrored(name, 'BROKEN');
    }
    expect([await statusWrites('in-a'), await statusWrites('in-b'), await statusWrites('unlabeled')]).toEqual([
      [SHARD_A],
      [REST],
      [REST],
    ]);
  });

  test('a resource whose label moves is taken over, and its first shard writes it no more', async () => {
    const job = putJob(bed.atlas, youngJob);
    await create('moved', job.jobId, { shard: 'a' });
    await mirrored('moved', 'IN_PROGRESS');
    await relabel('moved', 'b');
    bed.atlas.setBody(job.jobId, pendingDownload(job));
    await mirrored('moved', 'FINISHED');
    await relabel('moved', 'a');
    bed.atlas.setBody(job.jobId, brokenJob(job));
    await mirrored('moved', 'BROKEN');
    expect(await statusWrites('moved')).toEqual([SHARD_A, REST, SHARD_A]);
  });
});

describe('an operator that does not hear that a resource has left', () => {
  test('forgets it where its write comes too late, and reconciles it when it is back', async () => {
    // It lists by pages, in one namespace, and no event tells that an object is gone.
    proxy.always(({ kind }) => kind === 'list', { kind: 'status', code: 422 });
    proxy.always(({ kind }) => kind === 'watch', { kind: 'forward-without', text: '"type":"DELETED"' });
    const account = await bed.controlPlane.serviceAccountKubeconfig(OPERATOR.namespace, OPERATOR.name);
    const deaf = await startOperator({
      kubeconfig: await proxiedKubeconfig(bed.controlPlane, account, { port: proxy.port, caPem: proxy.caPem() }),
      env: { ...bed.atlasEnv, NAMESPACES: NAMESPACE, LABEL_SELECTOR: 'shard=deaf' },
    });
    operators.push(deaf);
    await deaf.waitForLog(({ msg }) => msg === 'starting workers');

    const job = putJob(bed.atlas, youngJob);
    await create('late', job.jobId, { shard: 'deaf' });
    await mirrored('late', 'IN_PROGRESS');
    await relabel('late', 'b');
    bed.atlas.setBody(job.jobId, pendingDownload(job));
    await mirrored('late', 'FINISHED');
    await eventually('it tries to write', async () => expect(await statusWrites('late', 409)).toContain(OPERATOR.name));
    await eventually('it looks again', () =>
      expect(rereads()).toEqual([{ fieldSelector: 'metadata.name=late', labelSelector: 'shard=deaf' }]),
    );

    await relabel('late', 'deaf');
    bed.atlas.setBody(job.jobId, brokenJob(job));
    await mirrored('late', 'BROKEN');
    expect(await statusWrites('late')).toEqual([OPERATOR.name, REST, OPERATOR.name]);
  });

  const rereads = () =>
    proxy.requests
      .filter(({ target }) => target.includes('fieldSelector'))
      .map(({ target }) => Object.fromEntries(new URL(target, proxy.url).searchParams));
});

test('the setting takes what the API server takes for a label selector', async () => {
  const name = fc.stringMatching(/^[-a-zA-Z0-9_./ ]{0,6}$/);
  const word = fc.oneof(name, fc.constantFrom('shard', 'in', 'notin', 'a.b/c', 'x'.repeat(63), 'x'.repeat(64), '7'));
  const sign = fc.constantFrom('=', '==', '!=', '!', '<', '>', ' in ', ' notin ', '(', ')', ',', ' ', '\t');
  const loose = fc.array(fc.oneof(word, sign), { maxLength: 7 }).map((parts) => parts.join(''));
  const exact = fc.tuple(word, fc.constantFrom('=', '==', '!=', '<', '>'), word).map((parts) => parts.join(''));
  const set = fc
    .tuple(word, fc.constantFrom(' in (', ' notin (', 'in('), word, word)
    .map(([key, sign, ...values]) => `${key}${sign}${values.join(',')})`);
  const selector = fc.oneof(
    loose,
    exact,
    set,
    fc.tuple(exact, set).map((parts) => parts.join(',')),
  );
  const counts = { taken: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(selector, async (text) => {
      // Nobody means everything by that.
      fc.pre(text.trim() !== '' || text === '');
      const { status } = await bed.controlPlane.request('GET', `${JOBS}?labelSelector=${encodeURIComponent(text)}`);
      counts[status === 200 ? 'taken' : 'refused'] += 1;
      expect([200, 400]).toContain(status);
      expect(readSettings([`--label-selector=${text}`], {}).ok).toBe(status === 200);
    }),
    { numRuns: 1_000 },
  );
  // Else one of the two would not have been looked at.
  expect(Math.min(counts.taken, counts.refused)).toBeGreaterThan(100);
});
