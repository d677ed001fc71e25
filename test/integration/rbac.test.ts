/**
 * The chart's roles hold what the operator needs, and nothing else: operators run under them through everything that
 * they do, and the API server's audit log tells which permissions were used.
 */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { dump } from 'js-yaml';
import {
  atlasDate,
  fetchedDownload,
  readyDownload,
  urlV2Download,
} from '../support/atlas-simulator/recorded-bodies.ts';
import { eventually } from '../support/eventually.ts';
import { deploymentOf, helmTemplate, type Manifest, type Release, rolesOf } from '../support/manifests.ts';
import { type OperatorProcess, startOperator } from '../support/operator-process.ts';
import { covers, describePermission, grantsOf, type Permission, usesOf } from '../support/permissions.ts';
import { API_KEY, conditionOf, putJob, startTestBed, type TestBed } from '../support/test-bed.ts';

const TOMORROW = atlasDate(Date.now() + 86_400_000);

let bed: TestBed;
const operators: OperatorProcess[] = [];
beforeAll(async () => {
  // Without the gate the API server refuses to stream lists, as old ones do: the operator lists by pages.
  bed = await startTestBed({ apiServerFlags: { 'feature-gates': 'WatchList=false' } });
});
afterEach(() => Promise.all(operators.splice(0).map((operator) => operator.kill('SIGKILL'))));
afterAll(() => bed?.stop());

test.each<{ what: string; values: object; namespaces: readonly string[]; delivery: boolean }>([
  { what: 'defaults', values: {}, namespaces: ['everywhere'], delivery: false },
  {
    what: 'delivery',
    values: { deliverySecrets: { enabled: true } },
    namespaces: ['everywhere-delivery'],
    delivery: true,
  },
  {
    what: 'namespaced',
    values: { namespaces: ['first', 'second'], leaderElection: { leaseName: 'election', leaseNamespace: 'second' } },
    namespaces: ['first', 'second'],
    delivery: false,
  },
  {
    what: 'narrow',
    values: {
      namespaces: ['narrow-first', 'narrow-second'],
      rbac: { secretNames: ['atlas-key'] },
      deliverySecrets: { enabled: true, secretNames: ['download'] },
    },
    namespaces: ['narrow-first', 'narrow-second'],
    delivery: true,
  },
])('nothing is missing and nothing is unused: $what', async ({ what, values, namespaces, delivery }) => {
  for (const name of namespaces) await createNamespace(name);
  const release = { name: what, namespace: `${what}-system` };
  const manifests = await helmTemplate({ ...values }, release);
  const account = await install(manifests, release);

  const used = () => usesOf(bed.controlPlane.auditLog, account.user);
  try {
    await live(manifests, account, namespaces, delivery);
  } finally {
    // A permission that is missing is the likely cause of a failure: it is told in place of that.
    const refused = (await used()).filter(({ allowed }) => !allowed);
    expect({ refused: describeAll(refused) }).toEqual({ refused: [] });
  }

  const grants = grantsOf(rolesOf(manifests));
  const uses = await used();
  const [elsewhere, unused] = [
    uses.filter((use) => !grants.some((grant) => covers(grant, use))),
    grants.filter((grant) => !uses.some((use) => covers(grant, use))),
  ];
  expect({ grantedElsewhere: describeAll(elsewhere), unused: describeAll(unused) }).toEqual({
    grantedElsewhere: [],
    unused: [],
  });
  // That nobody asked would look the same.
  expect(uses.length).toBeGreaterThan(10);
});

/** Everything that operators do: election, list and watch, credentials, statuses, events, delivery Secrets, takeover. */
async function live(
  manifests: readonly Manifest[],
  { kubeconfig, user }: Account,
  namespaces: readonly string[],
  delivery: boolean,
): Promise<void> {
  const leader = await start(kubeconfig, manifests);
  await leader.waitForLog(({ msg }) => msg === 'acquired the lease');
  const standby = await start(kubeconfig, manifests);
  await standby.waitForLog(({ msg }) => msg.startsWith('standby'));
  await Promise.all(
    namespaces.map(async (namespace) => {
      await mirrorAndCount(namespace);
      if (delivery) await writeAndRenewDeliverySecret(namespace);
      await provokeConflict(namespace, user);
    }),
  );
  expect(await leader.stop()).toBe(0);
  await standby.waitForLog(({ msg }) => msg === 'acquired the lease');
  expect(await standby.stop()).toBe(0);
}

const describeAll = (permissions: readonly Permission[]): readonly string[] =>
  permissions.map(describePermission).toSorted();

async function createNamespace(name: string): Promise<void> {
  expect((await bed.controlPlane.request('POST', '/api/v1/namespaces', { metadata: { name } })).status).toBe(201);
  await bed.createSecret('atlas-key', { publicApiKey: API_KEY.publicKey, privateApiKey: API_KEY.privateKey }, name);
}

interface Account {
  readonly kubeconfig: string;
  readonly user: string;
}

/** Gives the release's service account what the chart gives it, and nothing else. */
async function install(manifests: readonly Manifest[], { namespace }: Release): Promise<Account> {
  const name = manifests.find(({ kind }) => kind === 'ServiceAccount')?.metadata.name ?? '';
  const kubeconfig = await bed.controlPlane.serviceAccountKubeconfig(namespace, name);
  const rules = manifests.filter(({ apiVersion }) => apiVersion.startsWith('rbac.authorization.k8s.io/'));
  const stdin = rules.map((manifest) => dump(manifest)).join('---\n');
  await bed.controlPlane.kubectlRun(['apply', '-f', '-'], { stdin });
  return { kubeconfig, user: `system:serviceaccount:${namespace}:${name}` };
}

/** A replica with the settings of the chart's Deployment. */
async function start(kubeconfig: string, manifests: readonly Manifest[]): Promise<OperatorProcess> {
  const given = deploymentOf(manifests).spec.template.spec.containers[0].env;
  const operator = await startOperator({
    kubeconfig,
    env: {
      ...Object.fromEntries(given.map(({ name, value = '' }) => [name, value])),
      ...bed.atlasEnv,
    },
  });
  operators.push(operator);
  return operator;
}

const reaches = (namespace: string, name: string, type: string, condition: string) =>
  bed.until(name, condition, (resource) => conditionOf(resource, type) === condition, namespace);

/** Credentials, a status, and events: one written, one counted in its series. */
async function mirrorAndCount(namespace: string): Promise<void> {
  const { jobId } = putJob(bed.atlas, (job) => fetchedDownload(job, TOMORROW));
  await bed.create('mirrored', { jobId }, namespace);
  await reaches(namespace, 'mirrored', 'Ready', 'True JobFinished');
  for (const suspend of [true, false, true, false]) {
    await bed.patch('mirrored', { spec: { suspend } }, namespace);
    await reaches(namespace, 'mirrored', 'Synced', suspend ? 'Unknown Suspended' : 'True JobFetched');
  }
}

async function writeAndRenewDeliverySecret(namespace: string): Promise<void> {
  const job = putJob(bed.atlas, (identity) => readyDownload(identity, TOMORROW));
  await bed.create('delivered', { jobId: job.jobId, deliverySecretName: 'download' }, namespace);
  await reaches(namespace, 'delivered', 'Synced', 'True JobFetched');
  expect(await secretKeys(namespace)).not.toContain('urlV2');
  bed.atlas.setBody(job.jobId, urlV2Download(job, TOMORROW));
  await askForVisit('delivered', namespace, 'renew');
  await eventually('the Secret is renewed', async () => expect(await secretKeys(namespace)).toContain('urlV2'));
}

async function secretKeys(namespace: string): Promise<readonly string[]> {
  const { body } = await bed.controlPlane.request('GET', `/api/v1/namespaces/${namespace}/secrets/download`);
  return Object.keys(Object(Object(body)['data']));
}

const askForVisit = (name: string, namespace: string, token: string) =>
  bed.patch(name, { metadata: { annotations: { 'atlasrestore.dev/requestedAt': token } } }, namespace);

/** Changes the resource until a status write comes too late, and the operator fetches the newer resource. */
async function provokeConflict(namespace: string, user: string): Promise<void> {
  let token = 0;
  await eventually(
    `a status write in ${namespace} conflicts`,
    async () => {
      for (let count = 0; count < 20; count++) await askForVisit('mirrored', namespace, String(token++));
      const uses = await usesOf(bed.controlPlane.auditLog, user);
      const refreshed = uses.some(
        (use) => use.verb === 'get' && use.name === 'mirrored' && use.namespace === namespace,
      );
      expect(refreshed).toBe(true);
    },
    { timeoutMs: 60_000 },
  );
}
