/** What single values change in the objects that the chart renders. No cluster is needed. */
import { readFileSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import * as z from 'zod';
import {
  CHART,
  DEFAULT_RELEASE,
  deploymentOf,
  helm,
  helmTemplate,
  type Manifest,
  parseManifests,
} from '../support/manifests.ts';

type Values = Readonly<Record<string, unknown>>;

describe('labels', () => {
  const OWN = {
    'app.kubernetes.io/name': 'legacy-restore-operator',
    'app.kubernetes.io/instance': 'legacy-restore-operator',
    'app.kubernetes.io/managed-by': 'Helm',
  };
  const foreign = Object.fromEntries(
    [...Object.keys(OWN), 'app.kubernetes.io/version', 'helm.sh/chart', 'app.kubernetes.io/component', 'team'].map(
      (key) => [key, 'foreign'],
    ),
  );
  const MONITORING = {
    serviceMonitor: { enabled: true, labels: foreign },
    podMonitor: { enabled: true, labels: foreign },
    prometheusRule: { enabled: true, labels: foreign },
    dashboard: { enabled: true, labels: foreign },
  };

  test('the own ones of the chart win on every object, and no key is there twice', async () => {
    // A key that is there twice would not be parsed.
    const manifests = await helmTemplate({ commonLabels: foreign, podLabels: foreign, monitoring: MONITORING });
    for (const { metadata } of manifests) {
      expect(metadata.labels).toMatchObject({ ...OWN, team: 'foreign' });
      expect(metadata.labels?.['helm.sh/chart']).not.toBe('foreign');
    }
    const component = (kind: string): unknown =>
      manifests.find((manifest) => manifest.kind === kind)?.metadata.labels?.['app.kubernetes.io/component'];
    expect([component('Service'), component('Pod')]).toEqual(['operator', 'test']);
    const { selector, template } = deploymentOf(manifests).spec;
    expect(template.metadata.labels).toMatchObject({ ...selector.matchLabels, team: 'foreign' });
  });

  test('those of an object win over those of all', async () => {
    const manifests = await helmTemplate({
      commonLabels: { team: 'all' },
      podLabels: { team: 'pods' },
      monitoring: { dashboard: { enabled: true, labels: { team: 'dashboard' } } },
    });
    expect(deploymentOf(manifests).spec.template.metadata.labels['team']).toBe('pods');
    expect(manifests.find(({ kind }) => kind === 'ConfigMap')?.metadata.labels?.['team']).toBe('dashboard');
  });

  test('annotations of the chart are not there twice either', async () => {
    const manifests = await helmTemplate({
      crds: { annotations: { 'helm.sh/resource-policy': 'none', owner: 'data' } },
      podAnnotations: { 'kubectl.kubernetes.io/default-container': 'proxy', owner: 'data' },
    });
    const crd = manifests.find(({ kind }) => kind === 'CustomResourceDefinition');
    expect(crd?.metadata.annotations).toEqual({ 'helm.sh/resource-policy': 'keep', owner: 'data' });
  });
});

test('a ServiceMonitor finds its Service also where Argo CD has relabeled it', async () => {
  const values = { monitoring: { serviceMonitor: { enabled: true } } };
  const manifests = await helmTemplate(values, { name: 'mirror', namespace: 'tools' });
  const find = (kind: string): Manifest => z.custom<Manifest>().parse(manifests.find((each) => each.kind === kind));
  const service = { ...find('Service').metadata.labels, 'app.kubernetes.io/instance': 'name-of-the-application' };
  const { matchLabels } = Object(find('ServiceMonitor')['spec']).selector;
  expect(service).toMatchObject(matchLabels);
  // Neither does it find that of another release.
  const other = await helmTemplate({}, { name: 'other', namespace: 'tools' });
  expect(other.find(({ kind }) => kind === 'Service')?.metadata.labels).not.toMatchObject(matchLabels);
});

describe('values for other clusters', () => {
  const podOf = async (values: Values) => deploymentOf(await helmTemplate(values)).spec.template.spec;
  const containerOf = async (values: Values) => (await podOf(values)).containers[0];
  const find = async (kind: string, values: Values): Promise<Manifest | undefined> =>
    (await helmTemplate(values)).find((manifest) => manifest.kind === kind);
  const CONTAINER = { name: 'other', image: 'registry.example.com/other:1' };

  test.each<[string, unknown]>([
    ['runtimeClassName', 'sandboxed'],
    ['hostUsers', false],
    ['dnsPolicy', 'Default'],
    ['dnsConfig', { nameservers: ['10.0.0.10'] }],
    ['hostAliases', [{ ip: '10.0.0.20', hostnames: ['cloud.mongodb.com'] }]],
    ['initContainers', [CONTAINER]],
  ])('%s goes into the pods, and is left out by default', async (name, value) => {
    expect((await podOf({ [name]: value }))[name]).toEqual(value);
    expect(await podOf({})).not.toHaveProperty(name);
  });

  test.each([0, 3])('revisionHistoryLimit: %d', async (revisionHistoryLimit) => {
    expect(deploymentOf(await helmTemplate({ revisionHistoryLimit })).spec).toMatchObject({ revisionHistoryLimit });
    expect(deploymentOf(await helmTemplate()).spec).not.toHaveProperty('revisionHistoryLimit');
  });

  test('extraContainers stand beside the operator', async () => {
    const { containers } = await podOf({ extraContainers: [CONTAINER] });
    expect(containers.map((container) => container['name'])).toEqual(['operator', 'other']);
  });

  test.each([
    ['ghcr.io/owner/image', 'registry.example.com/owner/image'],
    ['localhost:5000/image', 'registry.example.com/image'],
    ['owner/image', 'registry.example.com/owner/image'],
  ])('global.imageRegistry makes %s %s', async (repository, expected) => {
    const values = { image: { repository, tag: '1' }, global: { imageRegistry: 'registry.example.com' } };
    expect((await containerOf(values)).image).toBe(`${expected}:1`);
    const test = await find('Pod', values);
    expect(JSON.stringify(test)).toContain(`"image":"${expected}:1"`);
  });

  test('global.imagePullSecrets are added, each once', async () => {
    const values = {
      imagePullSecrets: [{ name: 'own' }],
      global: { imagePullSecrets: ['shared', { name: 'own' }], other: 'of another chart' },
    };
    const expected = [{ name: 'own' }, { name: 'shared' }];
    expect((await podOf(values))['imagePullSecrets']).toEqual(expected);
    expect((await find('Pod', values))?.['spec']).toMatchObject({ imagePullSecrets: expected });
  });

  test('namespaceOverride moves every object', async () => {
    const everything = {
      serviceMonitor: { enabled: true },
      prometheusRule: { enabled: true },
      dashboard: { enabled: true },
    };
    const manifests = await helmTemplate({
      namespaceOverride: 'elsewhere',
      networkPolicy: { enabled: true },
      monitoring: everything,
    });
    const namespaces = manifests.map(({ metadata }) => metadata.namespace).filter((name) => name !== undefined);
    expect(new Set(namespaces)).toEqual(new Set(['elsewhere']));
    expect(JSON.stringify(manifests)).not.toContain(DEFAULT_RELEASE.namespace);
  });

  test.each([
    ['ServiceMonitor', 'serviceMonitor', 'endpoints'],
    ['PodMonitor', 'podMonitor', 'podMetricsEndpoints'],
  ])('a %s can stand elsewhere, and still selects the pods where they are', async (kind, name, endpoints) => {
    const values = { monitoring: { [name]: { enabled: true, namespace: 'monitoring', honorLabels: true } } };
    const monitor = await find(kind, values);
    expect(monitor?.metadata.namespace).toBe('monitoring');
    expect(monitor?.['spec']).toMatchObject({
      namespaceSelector: { matchNames: [DEFAULT_RELEASE.namespace] },
      [endpoints]: [{ honorLabels: true }],
    });
  });

  test('a NetworkPolicy leaves egress open until it is asked for', async () => {
    const policy = async (egress: Values) =>
      (await find('NetworkPolicy', { networkPolicy: { enabled: true, egress } }))?.['spec'];
    expect(await policy({})).toMatchObject({ policyTypes: ['Ingress'] });
    expect(await policy({})).not.toHaveProperty('egress');
    const extra = { ports: [{ port: 3128 }], to: [{ ipBlock: { cidr: '10.0.0.5/32' } }] };
    expect(await policy({ enabled: true, extra: [extra] })).toMatchObject({
      policyTypes: ['Ingress', 'Egress'],
      egress: [
        {
          ports: [
            { port: 53, protocol: 'UDP' },
            { port: 53, protocol: 'TCP' },
          ],
        },
        {
          ports: [
            { port: 443, protocol: 'TCP' },
            { port: 6443, protocol: 'TCP' },
          ],
        },
        extra,
      ],
    });
  });

  test('extraObjects are templates, as objects and as text', async () => {
    const metadata = { name: '{{ .Release.Name }}-object' };
    const manifests = await helmTemplate({
      extraObjects: [
        { apiVersion: 'v1', kind: 'ConfigMap', metadata },
        'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-text\n',
      ],
    });
    const names = manifests.filter(({ kind }) => kind === 'ConfigMap').map(({ metadata: { name } }) => name);
    expect(names).toEqual(['legacy-restore-operator-object', 'legacy-restore-operator-text']);
  });
});

describe('null for a value of this chart as a dependency', () => {
  const DEFAULTS = z.record(z.string(), z.unknown()).parse(load(readFileSync(`${CHART}/values.yaml`, 'utf8')));
  const NAME = 'legacy-restore-operator';
  let parent: string;
  beforeAll(async () => {
    parent = await mkdtemp(path.join(tmpdir(), 'umbrella-'));
    await cp(CHART, path.join(parent, 'charts', NAME), { recursive: true });
    await writeFile(path.join(parent, 'Chart.yaml'), 'apiVersion: v2\nname: umbrella\nversion: 1.0.0\n');
  });
  afterAll(() => rm(parent, { recursive: true, force: true }));

  async function render(values: Values): Promise<readonly Manifest[]> {
    const given = JSON.stringify({ [NAME]: { ...EVERYTHING, ...values } });
    return parseManifests(await helm(['template', 'release', parent, '--values=-'], given));
  }
  /** So that the templates of all objects are rendered. */
  const EVERYTHING: Values = {
    deliverySecrets: { enabled: true, secretNames: ['download'] },
    rbac: { secretNames: ['atlas-key'] },
    networkPolicy: { enabled: true, egress: { enabled: true } },
    monitoring: {
      serviceMonitor: { enabled: true },
      podMonitor: { enabled: true },
      prometheusRule: { enabled: true },
      dashboard: { enabled: true },
    },
  };
  const isSection = (value: unknown): value is Values =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  const nulls = (value: unknown): unknown =>
    isSection(value) ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, nulls(inner)])) : null;

  /** What cannot be left out, and what Helm says instead. */
  const REFUSED: Readonly<Record<string, string>> = {
    image: "missing property '(image|repository)'",
    httpPort: "missing property 'httpPort'",
    service: "missing property '(service|port)'",
    leaderElection: 'replicaCount is more than 1, which needs leaderElection.enabled',
  };

  test.each(Object.keys(DEFAULTS))('%s, as a whole or all that is in it', async (key) => {
    for (const value of [null, nulls(DEFAULTS[key])]) {
      const rendering = render({ [key]: value });
      if (REFUSED[key] === undefined) expect((await rendering).map(({ kind }) => kind)).toContain('Deployment');
      else await expect(rendering).rejects.toThrow(new RegExp(REFUSED[key]));
    }
  });

  test('the definition of the resource stays all the same when the release goes', async () => {
    const manifests = await render({ crds: { keep: null } });
    const crd = manifests.find(({ kind }) => kind === 'CustomResourceDefinition');
    expect(crd?.metadata.annotations).toEqual({ 'helm.sh/resource-policy': 'keep' });
  });
});
