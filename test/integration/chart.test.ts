/** Everything that the chart and the kustomize folders render is what the API server takes. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { dump, load } from 'js-yaml';
import * as z from 'zod';
import { type ControlPlane, startControlPlane } from '../support/control-plane/control-plane.ts';
import { ensureTools } from '../support/control-plane/tools.ts';
import { schemaLocation, writeJsonSchemas } from '../support/json-schemas.ts';
import {
  CHART,
  DEFAULT_RELEASE,
  deploymentOf,
  helm,
  helmTemplate,
  helmTemplateText,
  kustomize,
  type Manifest,
  parseManifests,
  run,
} from '../support/manifests.ts';
import { MONITORING_CRDS } from '../support/monitoring-crds.ts';

type Values = Readonly<Record<string, unknown>>;

const MONITOR = {
  enabled: true,
  namespace: 'orders',
  honorLabels: true,
  interval: '1m30s',
  scrapeTimeout: '5s',
  labels: { release: 'prometheus' },
  relabelings: [{ action: 'labeldrop', regex: 'pod' }],
  metricRelabelings: [{ action: 'drop', sourceLabels: ['__name__'], regex: 'nodejs_.*' }],
};
const SIDECAR = {
  name: 'proxy',
  image: 'registry.example.com/proxy:1.0.0',
  securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
};
const SANDBOXED = {
  apiVersion: 'node.k8s.io/v1',
  kind: 'RuntimeClass',
  metadata: { name: 'sandboxed' },
  handler: 'sandbox',
};
const DEFAULTS: Values = z.record(z.string(), z.unknown()).parse(load(readFileSync(`${CHART}/values.yaml`, 'utf8')));
const EVERYTHING: Values = {
  // The chart's own win over these.
  commonLabels: { team: 'data', 'app.kubernetes.io/component': 'database', 'app.kubernetes.io/version': '7' },
  global: { imageRegistry: 'registry.example.com:5000/mirror', imagePullSecrets: ['shared', { name: 'registry' }] },
  imagePullSecrets: [{ name: 'registry' }],
  revisionHistoryLimit: 2,
  runtimeClassName: 'sandboxed',
  hostUsers: false,
  dnsPolicy: 'None',
  dnsConfig: { nameservers: ['10.0.0.10'], options: [{ name: 'timeout', value: '2' }] },
  hostAliases: [{ ip: '10.0.0.20', hostnames: ['cloud.mongodb.com'] }],
  initContainers: [{ ...SIDECAR, name: 'before' }],
  extraContainers: [SIDECAR],
  extraObjects: [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: '{{ .Release.Name }}-extra', namespace: 'payments' } },
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-text\n  namespace: payments\n',
  ],
  deliverySecrets: { enabled: true },
  defaultCredentials: { secretName: 'atlas-key', namespaces: ['payments'] },
  settings: { deliveryUrlInStatus: false, logFormat: null },
  serviceAccount: { annotations: { owner: 'data' } },
  crds: { annotations: { owner: 'data' } },
  service: { annotations: { owner: 'data' } },
  networkPolicy: {
    enabled: true,
    from: [{ namespaceSelector: { matchLabels: { team: 'monitoring' } } }],
    egress: { enabled: true, extra: [{ ports: [{ port: 3128 }], to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }] },
  },
  monitoring: {
    serviceMonitor: MONITOR,
    podMonitor: MONITOR,
    prometheusRule: { enabled: true, labels: { release: 'prometheus' } },
    dashboard: { enabled: true, annotations: { folder: 'databases' } },
  },
  deploymentAnnotations: { owner: 'data' },
  podAnnotations: { owner: 'data' },
  podLabels: { tier: 'backend' },
  strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0 } },
  priorityClassName: 'system-cluster-critical',
  nodeSelector: { 'kubernetes.io/arch': 'arm64' },
  tolerations: [{ key: 'dedicated', operator: 'Exists' }],
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'pool', operator: 'In', values: ['system'] }] }],
      },
    },
  },
  extraEnv: [{ name: 'NODE_EXTRA_CA_CERTS', value: '/etc/company-ca/ca.crt' }],
  extraEnvFrom: [{ configMapRef: { name: 'operator-settings' } }],
  extraVolumes: [{ name: 'company-ca', configMap: { name: 'company-ca' } }],
  extraVolumeMounts: [{ name: 'company-ca', mountPath: '/etc/company-ca', readOnly: true }],
};

const MATRIX: Readonly<Record<string, Values>> = {
  defaults: {},
  everything: EVERYTHING,
  namespaced: { namespaces: ['payments', 'orders'] },
  'namespaced with everything': { ...EVERYTHING, namespaces: ['payments', 'orders'] },
  'some Secrets': {
    rbac: { secretNames: ['atlas-key'] },
    deliverySecrets: { enabled: true, secretNames: ['download'] },
  },
  'delivery Secrets in one namespace': { deliverySecrets: { enabled: true, namespaces: ['payments'] } },
  'a single replica without election': { replicaCount: 1, leaderElection: { enabled: false } },
  'another namespace': { namespaceOverride: 'payments' },
  'a lease elsewhere': { leaderElection: { leaseName: 'election', leaseNamespace: 'orders' } },
  'an image by digest': { image: { repository: 'registry.example.com/operator', digest: `sha256:${'0'.repeat(64)}` } },
  'names that YAML would not take for text': {
    fullnameOverride: 'on',
    serviceAccount: { name: '1e3' },
    rbac: { secretNames: ['123', 'true'] },
    leaderElection: { leaseName: 'null' },
  },
  'null where it is allowed': {
    ...Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, null])),
    image: DEFAULTS['image'],
    httpPort: 8080,
    service: { port: 8080 },
    // The namespace enforces Pod Security "restricted".
    podSecurityContext: DEFAULTS['podSecurityContext'],
    securityContext: DEFAULTS['securityContext'],
  },
  'nothing that can be left out': {
    crds: { install: false },
    rbac: { create: false },
    serviceAccount: { create: false },
    podDisruptionBudget: { enabled: false },
    leaderElection: { enabled: false },
    replicaCount: 1,
    topologySpreadConstraints: [],
  },
};

let controlPlane: ControlPlane;
let schemas: string;
beforeAll(async () => {
  controlPlane = await startControlPlane();
  schemas = path.join(controlPlane.dir, 'schemas');
  const crds = (await helmTemplate()).filter(({ kind }) => kind === 'CustomResourceDefinition');
  await controlPlane.kubectlRun(['apply', '-f', '-'], { stdin: yaml([...crds, ...MONITORING_CRDS, SANDBOXED]) });
  await controlPlane.kubectlRun(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s']);
  for (const name of [DEFAULT_RELEASE.namespace, 'payments', 'orders', 'restores']) await createNamespace(name);
});
afterAll(async () => {
  await controlPlane?.stop();
});

async function createNamespace(name: string): Promise<void> {
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  expect((await controlPlane.request('POST', '/api/v1/namespaces', { metadata: { name, labels } })).status).toBe(201);
}

const yaml = (objects: readonly object[]): string =>
  objects.map((object) => dump(object, { noRefs: true })).join('---\n');

/** Rejects with what kubeconform found wrong, member by member. */
async function kubeconform(manifests: readonly Manifest[]): Promise<void> {
  await writeJsonSchemas(controlPlane, schemas, manifests);
  const { path: of } = await ensureTools(['kubeconform']);
  const args = ['-strict', '-summary', `-schema-location=${schemaLocation(schemas)}`];
  const summary = await run(of('kubeconform'), args, yaml(manifests), process.env);
  expect(summary).toContain(`${manifests.length} resources found parsing stdin - Valid: ${manifests.length}`);
}

/** Rejects with what the API server found wrong. */
const dryRun = (manifests: string | readonly object[]): Promise<string> =>
  controlPlane.kubectlRun(['apply', '--server-side', '--force-conflicts', '--dry-run=server', '-f', '-'], {
    stdin: typeof manifests === 'string' ? manifests : yaml(manifests),
  });

describe('kubeconform and the API server take', () => {
  test.each(Object.entries(MATRIX))('the chart: %s', async (_, values) => {
    const text = await helmTemplateText(values);
    const manifests = parseManifests(text);
    await kubeconform(manifests);
    const told = await dryRun(text);
    expect(told.trim().split('\n')).toHaveLength(manifests.length);
  });

  test.each(['deploy/base', 'deploy/namespaced', 'deploy/samples/download-batch'])('%s', async (folder) => {
    const manifests = await kustomize(folder);
    await kubeconform(manifests);
    await dryRun(manifests);
  });

  test('and refuse a misspelled member', async () => {
    const manifests = (await helmTemplate()).filter(({ kind }) => kind === 'PodDisruptionBudget');
    const wrong = manifests.map((manifest) => ({
      ...manifest,
      spec: { ...Object(manifest['spec']), maxUnavailabel: 1 },
    }));
    await expect(kubeconform(wrong)).rejects.toThrow('maxUnavailabel');
    await expect(dryRun(wrong)).rejects.toThrow('maxUnavailabel');
  });
});

const PodTemplate = z.looseObject({ metadata: z.looseObject({}), spec: z.looseObject({}) });
const Job = z.looseObject({ spec: z.looseObject({ template: PodTemplate }) });

describe('Pod Security "restricted"', () => {
  const podFrom = ({ metadata, spec }: z.output<typeof PodTemplate>) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadata, name: 'pod', namespace: 'payments' },
    spec,
  });
  const podOf = (manifests: readonly Manifest[]) => podFrom(deploymentOf(manifests).spec.template);

  test.each(['defaults', 'everything'])('takes the pods: %s', async (name) => {
    await dryRun([podOf(await helmTemplate(MATRIX[name]))]);
  });

  test('takes the pods that download', async () => {
    const manifests = await kustomize('deploy/samples/download-batch');
    const jobs = manifests.filter(({ kind }) => kind === 'Job').map((job) => Job.parse(job));
    expect(jobs).toHaveLength(3);
    for (const { spec } of jobs) {
      // Its service account is not there, and a pod cannot be created without it.
      const { serviceAccountName: _, ...pod } = spec.template.spec;
      await dryRun([podFrom({ ...spec.template, spec: pod })]);
    }
  });

  test('is enforced here', async () => {
    const pod = podOf(await helmTemplate({ securityContext: { allowPrivilegeEscalation: true } }));
    await expect(dryRun([pod])).rejects.toThrow('violates PodSecurity "restricted');
  });
});

describe('helm on the API server', () => {
  const cluster = (...args: readonly string[]): Promise<string> => helm(args, '', controlPlane.kubeconfig);
  const install = (name: string, namespace: string, ...flags: readonly string[]): Promise<string> =>
    cluster('install', name, CHART, `--namespace=${namespace}`, '--create-namespace', ...flags);
  const job = {
    apiVersion: 'atlasrestore.dev/v1',
    kind: 'LegacyRestoreJob',
    metadata: { name: 'kept', namespace: 'payments' },
    spec: { groupId: '5a66666887d9d61443b41645', clusterName: 'Cluster0', jobId: '6b77893b80eef5354c77ee15' },
  };

  test('a definition that kubectl applied is refused until ownership is taken; no other value is needed', async () => {
    await expect(install('first', 'first')).rejects.toThrow(
      'CustomResourceDefinition "legacyrestorejobs.atlasrestore.dev"',
    );
    expect(await install('first', 'first', '--take-ownership', '--force-conflicts')).toContain('kubectl wait');
    await controlPlane.kubectlRun(['get', 'deployment/first-legacy-restore-operator', '--namespace=first']);
  });

  test('a second release is refused for the definition, and works without it', async () => {
    await expect(install('second', 'second')).rejects.toThrow('"meta.helm.sh/release-namespace" must equal "second"');
    await install('second', 'second', '--set=crds.install=false', '--set=namespaces={payments}');
  });

  test('a release is upgraded and rolled back', async () => {
    await cluster('upgrade', 'first', CHART, '--namespace=first', '--set=settings.concurrency=8', '--reuse-values');
    const concurrency = async (): Promise<string> => {
      const path = '{.spec.template.spec.containers[0].env[?(@.name=="CONCURRENCY")].value}';
      const name = 'deployment/first-legacy-restore-operator';
      return controlPlane.kubectlRun(['get', name, '--namespace=first', `--output=jsonpath=${path}`]);
    };
    expect(await concurrency()).toBe('8');
    await cluster('rollback', 'first', '1', '--namespace=first');
    expect(await concurrency()).toBe('16');
  });

  test('a release takes every value at once, and gives it up again', async () => {
    const upgrade = ['upgrade', 'first', CHART, '--namespace=first', '--reset-values', '--values=-'];
    const podOf = async (): Promise<unknown> =>
      JSON.parse(
        await controlPlane.kubectlRun([
          'get',
          'deployment/first-legacy-restore-operator',
          '--namespace=first',
          '--output=jsonpath={.spec.template.spec}',
        ]),
      );
    const before = await podOf();
    await helm(upgrade, JSON.stringify(EVERYTHING), controlPlane.kubeconfig);
    expect(await podOf()).toMatchObject({ hostUsers: false, runtimeClassName: 'sandboxed', dnsPolicy: 'None' });
    await controlPlane.kubectlRun(['get', 'configmap/first-extra', 'configmap/first-text', '--namespace=payments']);
    await helm(upgrade, '{}', controlPlane.kubeconfig);
    expect(await podOf()).toEqual(before);
  });

  test('uninstalling takes neither the definition nor a resource away', async () => {
    await controlPlane.kubectlRun(['apply', '-f', '-'], { stdin: yaml([job]) });
    await cluster('uninstall', 'second', '--namespace=second');
    expect(await cluster('uninstall', 'first', '--namespace=first')).toContain('kept due to the resource policy');
    await controlPlane.kubectlRun(['get', 'lrj/kept', '--namespace=payments']);
    await expect(
      controlPlane.kubectlRun(['get', 'deployment/first-legacy-restore-operator', '--namespace=first']),
    ).rejects.toThrow('not found');
  });
});

test.each(['defaults', 'everything'])('helm lint --strict is content: %s', async (name) => {
  await helm(['lint', '--strict', CHART, '--values=-'], JSON.stringify(MATRIX[name]));
});

test('a cluster that is too old is refused', async () => {
  await expect(helm(['template', 'r', CHART, '--kube-version=1.30.9'])).rejects.toThrow(
    'requires kubeVersion: >=1.31.0-0',
  );
});
