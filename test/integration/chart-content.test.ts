/** What the chart renders, and that the kustomize folders hold the same. No cluster is needed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import * as z from 'zod';
import { customResourceDefinition } from '../../src/api/crd.ts';
import { Spec } from '../../src/api/legacy-restore-job.ts';
import { listSettings, readSettings, type Settings } from '../../src/config/settings.ts';
import { STOP_MS } from '../../src/run/run.ts';
import { listen } from '../support/listen.ts';
import {
  CHART,
  DEFAULT_RELEASE,
  deploymentOf,
  environmentOf,
  helm,
  helmTemplate,
  kustomize,
  type Manifest,
  manifestId,
  parseManifests,
  type Role,
  rolesOf,
  run,
} from '../support/manifests.ts';

type Values = Readonly<Record<string, unknown>>;

describe('settings', () => {
  /** For each setting a value that is not its default, in the values of the chart, and as the operator gets it. */
  const OTHER = {
    atlasBaseUrl: [{ settings: { atlasBaseUrl: 'https://cloud.mongodbgov.com' } }, 'https://cloud.mongodbgov.com'],
    atlasApi: [{ settings: { atlasApi: 'atlas/v2' } }, 'atlas/v2'],
    atlasAllowPlainHttp: [{ settings: { atlasApi: 'public/v1.0', atlasAllowPlainHttp: true } }, 'true'],
    // A float in Helm's eyes: 1e+06 would be refused.
    atlasRequestsPerMinute: [{ settings: { atlasRequestsPerMinute: 1_000_000 } }, '1000000'],
    atlasTimeout: [{ settings: { atlasTimeout: '1m30s' } }, '1m30s'],
    atlasEnvelope: [{ settings: { atlasEnvelope: true } }, 'true'],
    atlasPretty: [{ settings: { atlasPretty: true } }, 'true'],
    atlasList: [{ settings: { atlasList: false } }, 'false'],
    namespaces: [{ namespaces: ['payments', 'orders'] }, 'payments,orders'],
    labelSelector: [{ labelSelector: 'shard in (a,b), !canary' }, 'shard in (a,b), !canary'],
    defaultInterval: [{ settings: { defaultInterval: '24h' } }, '24h'],
    concurrency: [{ settings: { concurrency: 1000 } }, '1000'],
    deliveryUrlInStatus: [{ settings: { deliveryUrlInStatus: false } }, 'false'],
    defaultCredentialsDir: [
      { defaultCredentials: { secretName: 'atlas-key', namespaces: ['payments'] } },
      '/etc/legacy-restore-operator/default-credentials',
    ],
    defaultCredentialsNamespaces: [
      { defaultCredentials: { secretName: 'atlas-key', namespaces: ['payments', 'orders'] } },
      'payments,orders',
    ],
    leaderElect: [{ replicaCount: 1, leaderElection: { enabled: false } }, 'false'],
    leaseName: [{ leaderElection: { leaseName: 'election' } }, 'election'],
    leaseNamespace: [{ leaderElection: { leaseNamespace: 'elections' } }, 'elections'],
    httpBindAddress: [{ httpPort: 9090 }, ':9090'],
    logLevel: [{ settings: { logLevel: 'debug' } }, 'debug'],
    logFormat: [{ settings: { logFormat: 'pretty' } }, 'pretty'],
  } satisfies Record<keyof Settings, readonly [Values, string]>;
  const variableOf = (key: string): string => listSettings().find((setting) => setting.key === key)?.variable ?? '';

  test('without values the operator has its own defaults, but for the election', async () => {
    const environment = environmentOf(await helmTemplate());
    const known = new Set(listSettings().map(({ variable }) => variable));
    expect(Object.keys(environment).filter((name) => !known.has(name))).toEqual([]);
    const [given, defaults] = [readSettings([], environment), readSettings([], {})];
    if (!given.ok || !defaults.ok) throw new Error(JSON.stringify(given));
    expect(given.settings).toEqual({ ...defaults.settings, leaderElect: true });
  });

  test('none is missing here', () => {
    expect(Object.keys(OTHER).toSorted()).toEqual(
      listSettings()
        .map(({ key }) => key)
        .toSorted(),
    );
  });

  test.each(Object.entries(OTHER))('%s can be set, and the operator takes it', async (key, [values, text]) => {
    const environment = environmentOf(await helmTemplate(values));
    expect(environment[variableOf(key)]).toBe(text);
    expect(readSettings([], environment)).toMatchObject({ ok: true });
  });

  test('null leaves a setting to extraEnvFrom', async () => {
    const environment = environmentOf(await helmTemplate({ settings: { logLevel: null } }));
    expect(Object.keys(environment)).not.toContain('LOG_LEVEL');
  });
});

describe('a wrong value is refused by its name', () => {
  test.each<[string, Values, string]>([
    ['an unknown value', { replicas: 3 }, "additional properties 'replicas' not allowed"],
    ['an unknown setting', { settings: { interval: '1m' } }, "at '/settings': additional properties 'interval'"],
    ['text for a number', { replicaCount: 'two' }, "at '/replicaCount': got string, want integer"],
    ['text for a boolean', { crds: { install: 'no' } }, "at '/crds/install': got string, want boolean"],
    ['a number for a tag', { image: { tag: 26 } }, "at '/image/tag': got number, want string"],
    ['half a digest', { image: { digest: 'sha256:12' } }, "at '/image/digest': 'sha256:12' does not match"],
    ['no duration', { settings: { atlasTimeout: 'soon' } }, "at '/settings/atlasTimeout': 'soon' does not match"],
    ['no concurrency', { settings: { concurrency: 0 } }, "at '/settings/concurrency': minimum: got 0, want 1"],
    ['no URL', { settings: { atlasBaseUrl: 'ftp://atlas' } }, "at '/settings/atlasBaseUrl': 'ftp://atlas'"],
    ['plain http', { settings: { atlasBaseUrl: 'http://atlas' } }, 'settings.atlasBaseUrl must be https'],
    [
      'another API',
      { settings: { atlasApi: 'atlas/v3' } },
      "at '/settings/atlasApi': value must be one of 'atlas/v1.0'",
    ],
    [
      'plain http of Atlas',
      { settings: { atlasAllowPlainHttp: true } },
      'settings.atlasAllowPlainHttp needs settings.atlasApi: public/v1.0',
    ],
    ['an unknown level', { settings: { logLevel: 'loud' } }, "at '/settings/logLevel': value must be one of 'trace'"],
    ['no namespace name', { namespaces: ['A_b'] }, "at '/namespaces/0': 'A_b' does not match"],
    ['a namespace twice', { namespaces: ['a', 'a'] }, "at '/namespaces': items at 0 and 1 are equal"],
    ['one namespace as text', { namespaces: 'payments' }, "at '/namespaces': got string, want array"],
    ['a port that is none', { httpPort: 70_000 }, "at '/httpPort': maximum: got 70,000, want 65,535"],
    [
      'a budget that no drain meets',
      { podDisruptionBudget: { maxUnavailable: 0 } },
      '/podDisruptionBudget/maxUnavailable',
    ],
    ['replicas without election', { leaderElection: { enabled: false } }, 'needs leaderElection.enabled'],
    [
      'credentials for nobody',
      { defaultCredentials: { secretName: 'atlas-key' } },
      'defaultCredentials.secretName needs defaultCredentials.namespaces',
    ],
    [
      'namespaces without credentials',
      { defaultCredentials: { namespaces: ['payments'] } },
      'defaultCredentials.namespaces needs defaultCredentials.secretName',
    ],
    [
      'delivery Secrets that cannot be read',
      { rbac: { secretNames: ['atlas-key'] }, deliverySecrets: { enabled: true } },
      'rbac.secretNames needs deliverySecrets.secretNames',
    ],
    [
      'delivery Secrets where the operator does not work',
      { namespaces: ['payments'], deliverySecrets: { enabled: true, namespaces: ['orders'] } },
      'deliverySecrets.namespaces names orders',
    ],
  ])('%s', async (_, values, message) => {
    await expect(helmTemplate(values)).rejects.toThrow(message);
  });
});

describe('roles', () => {
  const bindings = (manifests: readonly Manifest[]) => manifests.filter(({ kind }) => kind.endsWith('RoleBinding'));
  const aggregated = (manifests: readonly Manifest[]): string[] =>
    manifests
      .filter(({ kind }) => kind === 'ClusterRole')
      .flatMap(({ metadata }) => Object.keys(metadata.labels ?? {}))
      .filter((label) => label.includes('aggregate-to-'))
      .map((label) => label.replace(/^.*aggregate-to-/, ''))
      .toSorted();
  /** As `get secrets atlas-key`. */
  const onSecrets = (roles: readonly Role[]): string[] =>
    roles.flatMap(({ rules }) =>
      rules
        .filter(({ resources }) => resources.some((resource) => resource === 'secrets' || resource.startsWith('*')))
        .flatMap(({ verbs, resourceNames = [] }) => verbs.map((verb) => [verb, ...resourceNames].join(' '))),
    );

  test('the only verb on Secrets is get', async () => {
    expect(onSecrets(rolesOf(await helmTemplate()))).toEqual(['get']);
  });

  test('nothing is granted by a star, and nothing is deleted', async () => {
    const roles = rolesOf(await helmTemplate({ deliverySecrets: { enabled: true } }));
    expect(JSON.stringify(roles.map(({ rules }) => rules))).not.toMatch(/\*|delete/);
  });

  test('delivery Secrets take create and patch, and nothing else', async () => {
    expect(onSecrets(rolesOf(await helmTemplate({ deliverySecrets: { enabled: true } })))).toEqual([
      'get',
      'create',
      'patch',
    ]);
  });

  test('secretNames narrow down all but create', async () => {
    const values = {
      rbac: { secretNames: ['atlas-key'] },
      deliverySecrets: { enabled: true, secretNames: ['download'] },
    };
    const expected = ['get atlas-key download', 'create', 'patch download'];
    expect(onSecrets(rolesOf(await helmTemplate(values)))).toEqual(expected);
  });

  test('with namespaces there are Roles in them and nothing for the whole cluster', async () => {
    const manifests = await helmTemplate({ namespaces: ['payments', 'orders'], deliverySecrets: { enabled: true } });
    expect(manifests.filter(({ kind }) => kind.startsWith('ClusterRole'))).toEqual([]);
    for (const kind of ['Role', 'RoleBinding'])
      expect(
        manifests
          .filter((manifest) => manifest.kind === kind)
          .map(manifestId)
          .toSorted(),
      ).toEqual([
        `${kind}/${DEFAULT_RELEASE.namespace}/legacy-restore-operator-lease`,
        `${kind}/orders/legacy-restore-operator`,
        `${kind}/orders/legacy-restore-operator-delivery-secrets`,
        `${kind}/payments/legacy-restore-operator`,
        `${kind}/payments/legacy-restore-operator-delivery-secrets`,
      ]);
  });

  test('delivery Secrets can be allowed in one namespace', async () => {
    const manifests = await helmTemplate({ deliverySecrets: { enabled: true, namespaces: ['payments'] } });
    expect(manifests.filter(({ metadata }) => metadata.name.endsWith('-delivery-secrets')).map(manifestId)).toEqual([
      'Role/payments/legacy-restore-operator-delivery-secrets',
      'RoleBinding/payments/legacy-restore-operator-delivery-secrets',
    ]);
  });

  test('every role is bound to the service account of the pods', async () => {
    const values = { namespaces: ['payments'], serviceAccount: { create: false, name: 'mine' } };
    for (const each of [{}, { deliverySecrets: { enabled: true } }, values]) {
      const manifests = await helmTemplate(each);
      const subject = {
        kind: 'ServiceAccount',
        name: Object(deploymentOf(manifests).spec.template.spec)['serviceAccountName'],
        namespace: DEFAULT_RELEASE.namespace,
      };
      expect(bindings(manifests).map((binding) => binding['subjects'])).toEqual(
        bindings(manifests).map(() => [subject]),
      );
      expect(
        bindings(manifests)
          .map((binding): string => Object(binding['roleRef']).name)
          .toSorted(),
      ).toEqual(
        rolesOf(manifests)
          .map(({ metadata }) => metadata.name)
          .toSorted(),
      );
    }
  });

  test('edit and admin may edit resources; view may read them only while no URL is in any status', async () => {
    expect(aggregated(await helmTemplate())).toEqual(['admin', 'edit']);
    expect(aggregated(await helmTemplate({ settings: { deliveryUrlInStatus: false } }))).toEqual([
      'admin',
      'edit',
      'view',
    ]);
    expect(aggregated(await helmTemplate({ settings: { deliveryUrlInStatus: null } }))).toEqual(['admin', 'edit']);
    expect(
      aggregated(await helmTemplate({ namespaces: ['payments'], settings: { deliveryUrlInStatus: false } })),
    ).toEqual([]);
    expect(aggregated(await helmTemplate({ rbac: { aggregate: false } }))).toEqual([]);
  });

  test('without election there is no role for a Lease; without rbac.create there is no role', async () => {
    const single = await helmTemplate({ replicaCount: 1, leaderElection: { enabled: false } });
    expect(rolesOf(single).map(({ metadata }) => metadata.name)).toEqual(['legacy-restore-operator']);
    const none = await helmTemplate({ rbac: { create: false }, deliverySecrets: { enabled: true } });
    expect(none.filter(({ kind }) => kind.includes('Role'))).toEqual([]);
  });
});

describe('objects that belong together', () => {
  const monitors = { serviceMonitor: { enabled: true }, podMonitor: { enabled: true } };
  const values = { monitoring: monitors, networkPolicy: { enabled: true, from: [{ podSelector: {} }] } };
  const find = (manifests: readonly Manifest[], kind: string): Manifest => {
    const found = manifests.find((manifest) => manifest.kind === kind);
    if (found === undefined) throw new Error(`there is no ${kind}`);
    return found;
  };
  const selects = (selector: object, labels: object = {}): boolean =>
    Object.entries(selector).every(([key, value]) => Object(labels)[key] === value);

  test('the selectors find the operator and not the pod of helm test', async () => {
    const manifests = await helmTemplate(values, { name: 'mirror', namespace: 'tools' });
    const pod = deploymentOf(manifests).spec.template.metadata.labels;
    const testPod = find(manifests, 'Pod').metadata.labels;
    const selectors = [
      Object(find(manifests, 'Service')['spec']).selector,
      deploymentOf(manifests).spec.selector.matchLabels,
      Object(find(manifests, 'PodDisruptionBudget')['spec']).selector.matchLabels,
      Object(find(manifests, 'NetworkPolicy')['spec']).podSelector.matchLabels,
      Object(find(manifests, 'PodMonitor')['spec']).selector.matchLabels,
      ...Object(deploymentOf(manifests).spec.template.spec)['topologySpreadConstraints'].map(
        (constraint: object) => Object(constraint).labelSelector.matchLabels,
      ),
    ];
    expect(selectors).toHaveLength(7);
    for (const selector of selectors)
      expect([selects(selector, pod), selects(selector, testPod)]).toEqual([true, false]);
    const { selector } = Object(find(manifests, 'ServiceMonitor')['spec']);
    expect(selects(selector.matchLabels, find(manifests, 'Service').metadata.labels)).toBe(true);
    const [, allowed] = Object(find(manifests, 'NetworkPolicy')['spec']).ingress[0].from;
    expect(selects(allowed.podSelector.matchLabels, testPod)).toBe(true);
  });

  test('whatever names a port names one that is there', async () => {
    const manifests = await helmTemplate({ ...values, httpPort: 9090 });
    const ports = deploymentOf(manifests).spec.template.spec.containers[0].ports;
    expect(ports).toEqual([{ name: 'http', containerPort: 9090, protocol: 'TCP' }]);
    const [servicePort] = Object(find(manifests, 'Service')['spec']).ports;
    const [container] = deploymentOf(manifests).spec.template.spec.containers;
    expect([
      servicePort.name,
      servicePort.targetPort,
      Object(container['livenessProbe']).httpGet.port,
      Object(container['readinessProbe']).httpGet.port,
      Object(find(manifests, 'NetworkPolicy')['spec']).ingress[0].ports[0].port,
      Object(find(manifests, 'ServiceMonitor')['spec']).endpoints[0].port,
      Object(find(manifests, 'PodMonitor')['spec']).podMetricsEndpoints[0].port,
    ]).toEqual(Array.from({ length: 7 }, () => 'http'));
    expect(environmentOf(manifests)['HTTP_BIND_ADDRESS']).toBe(':9090');
  });

  test('a pod has the time that a stop takes: reconciles under way, two requests for the Lease, a reserve', async () => {
    const { terminationGracePeriodSeconds } = deploymentOf(await helmTemplate()).spec.template.spec;
    expect(terminationGracePeriodSeconds * 1_000).toBeGreaterThanOrEqual(STOP_MS + 2 * 2_000 + 2_000);
  });

  test('a digest wins over the tag', async () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    const imageOf = async (image: object) =>
      deploymentOf(await helmTemplate({ image })).spec.template.spec.containers[0].image;
    expect(await imageOf({ repository: 'r.example.com/o', tag: 'v1', digest })).toBe(`r.example.com/o@${digest}`);
    expect(await imageOf({ repository: 'r.example.com/o', tag: 'v1' })).toBe('r.example.com/o:v1');
  });

  test('the CustomResourceDefinition is the one of this version, and stays when the release goes', async () => {
    const crd = find(await helmTemplate(), 'CustomResourceDefinition');
    expect({ ...crd, metadata: { name: crd.metadata.name } }).toEqual(customResourceDefinition());
    expect(crd.metadata.annotations).toEqual({ 'helm.sh/resource-policy': 'keep' });
    const kept = find(
      await helmTemplate({ crds: { keep: false, annotations: { a: 'b' } } }),
      'CustomResourceDefinition',
    );
    expect(kept.metadata.annotations).toEqual({ a: 'b' });
  });
});

describe('alerts and dashboard', () => {
  const ruleOf = (manifests: readonly Manifest[]) =>
    Object(manifests.find(({ kind }) => kind === 'PrometheusRule')?.['spec']);
  const file = async () => Object(load(await readFile(`${CHART}/files/alerts.yaml`, 'utf8')));

  test('are left out unless they are asked for', async () => {
    const kinds = (await helmTemplate()).map(({ kind }) => kind);
    expect(kinds).not.toContain('PrometheusRule');
    expect(kinds).not.toContain('ConfigMap');
  });

  test('the PrometheusRule is the rules file, less what is disabled', async () => {
    const { groups } = await file();
    const whole = await helmTemplate({ monitoring: { prometheusRule: { enabled: true } } });
    expect(ruleOf(whole)).toEqual({ groups });
    const disabled: string = groups[0].rules[0].alert;
    const less = await helmTemplate({ monitoring: { prometheusRule: { enabled: true, disabled: [disabled] } } });
    expect(ruleOf(less)).toEqual({ groups: [{ ...groups[0], rules: groups[0].rules.slice(1) }, ...groups.slice(1)] });
  });

  test('alerts take labels for their routes and another place of their runbooks', async () => {
    const { groups } = await file();
    const prometheusRule = {
      enabled: true,
      alertLabels: { team: 'data', severity: 'page' },
      runbookBaseUrl: 'https://wiki.example.com/runbooks/',
    };
    const changed = ruleOf(await helmTemplate({ monitoring: { prometheusRule } }));
    const [before, after] = [groups[0].rules[0], changed.groups[0].rules[0]];
    expect(after).toEqual({
      ...before,
      labels: { severity: 'page', team: 'data' },
      annotations: {
        ...before.annotations,
        runbook_url: `https://wiki.example.com/runbooks/${before.alert}.md`,
      },
    });
  });

  test('an alert that there is not cannot be disabled', async () => {
    const monitoring = { prometheusRule: { enabled: true, disabled: ['LegacyRestoreTypo'] } };
    await expect(helmTemplate({ monitoring })).rejects.toThrow('LegacyRestoreTypo, which is no alert');
  });

  test('the dashboard arrives unchanged, under the label that the sidecar looks for', async () => {
    const manifests = await helmTemplate({ monitoring: { dashboard: { enabled: true } } });
    const configMap = manifests.find(({ kind }) => kind === 'ConfigMap');
    const text: string = Object(configMap?.['data'])['legacy-restore-operator.json'];
    expect(JSON.parse(text)).toEqual(JSON.parse(await readFile(`${CHART}/files/dashboard.json`, 'utf8')));
    expect(configMap?.metadata.labels).toMatchObject({ grafana_dashboard: '1' });
  });
});

describe('kustomize', () => {
  /** By their names, without what only Helm writes. */
  const comparable = (manifests: readonly Manifest[]): Record<string, unknown> =>
    Object.fromEntries(
      manifests
        .filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'] === undefined)
        .map((manifest) => [manifestId(manifest), withoutHelm(manifest)]),
    );
  const withoutHelm = ({
    metadata: { labels = {}, annotations = {}, ...metadata },
    ...manifest
  }: Manifest): unknown => ({
    ...manifest,
    metadata: { ...metadata, labels: own(labels), annotations: own(annotations) },
  });
  const own = (members: Readonly<Record<string, string>>) =>
    Object.fromEntries(
      Object.entries(members).filter(([key]) => !key.startsWith('helm.sh/') && key !== 'app.kubernetes.io/managed-by'),
    );
  const withoutNamespace = (manifests: readonly Manifest[]) => manifests.filter(({ kind }) => kind !== 'Namespace');

  test('base holds what the chart installs without values, and the namespace', async () => {
    const base = await kustomize('deploy/base');
    expect(comparable(withoutNamespace(base))).toEqual(comparable(await helmTemplate()));
    expect(base.filter(({ kind }) => kind === 'Namespace').map(manifestId)).toEqual([
      `Namespace/${DEFAULT_RELEASE.namespace}`,
    ]);
  });

  test('the documented way to uninstall finds all of it but the definition', async () => {
    const page = await readFile('docs/install.md', 'utf8');
    const found = /kubectl delete (\S+) -l app\.kubernetes\.io\/instance=(\S+)/.exec(page);
    const rest = (await kustomize('deploy/base'))
      .filter(({ metadata }) => metadata.namespace !== DEFAULT_RELEASE.namespace)
      .filter(({ kind }) => kind !== 'Namespace' && kind !== 'CustomResourceDefinition');
    expect(rest.map(({ kind }) => kind.toLowerCase())).toEqual(expect.arrayContaining(found?.[1]?.split(',') ?? ['']));
    for (const { kind, metadata } of rest) {
      expect(found?.[1]?.split(',')).toContain(kind.toLowerCase());
      expect(metadata.labels?.['app.kubernetes.io/instance']).toBe(found?.[2]);
    }
  });

  test('namespaced holds what the chart installs with namespaces', async () => {
    const overlay = comparable(withoutNamespace(await kustomize('deploy/namespaced')));
    expect(overlay).toEqual(comparable(await helmTemplate({ namespaces: ['default'] })));
  });

  test('the rules for delivery Secrets are those of the chart', async () => {
    const file = parseManifests(await readFile('deploy/base/delivery-secrets-rbac.yaml', 'utf8'));
    const chart = (await helmTemplate({ deliverySecrets: { enabled: true } })).filter(({ metadata }) =>
      metadata.name.endsWith('-delivery-secrets'),
    );
    const bare = (manifests: readonly Manifest[]) =>
      manifests.map(({ metadata, ...rest }) => ({ ...rest, metadata: { ...metadata, labels: {} } }));
    expect(bare(file)).toEqual(bare(chart));
  });
});

describe('the notes', () => {
  const notes = async (values: Values): Promise<string> => {
    const args = ['install', 'mirror', CHART, '--namespace=tools', '--dry-run=client', '--values=-'];
    const text = await helm(args, JSON.stringify(values));
    return text.slice(text.indexOf('NOTES:'));
  };

  test.each([
    ['default', {}],
    ['payments', { namespaces: ['payments', 'orders'] }],
    ['default', { labelSelector: 'shard=a' }],
  ])('lead to a finished sample in three commands, in %s', async (namespace, values) => {
    const text = await notes(values);
    const commands = text.split('\n').filter((line) => line.startsWith('kubectl '));
    expect(commands.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      'kubectl create',
      'kubectl apply',
      'kubectl wait',
    ]);
    for (const command of commands) expect(command).toContain(`--namespace=${namespace} `);
    await run(
      'bash',
      ['-n', '-c', text.slice(text.indexOf('kubectl create'), text.indexOf('--timeout=2h'))],
      '',
      process.env,
    );
    const resource = z
      .object({ kind: z.literal('LegacyRestoreJob'), spec: z.strictObject(Spec.shape) })
      .parse(load(text.slice(text.indexOf('apiVersion:'), text.indexOf('\nYAML\n'))));
    expect(commands[0]).toContain(` ${resource.spec.credentialsSecretRef?.name} `);
  });

  test.each([
    ['a service account', 'clientId=… --from-literal=clientSecret=…', {}],
    ['a service account', 'clientId=… --from-literal=clientSecret=…', { settings: null }],
    ['an API key', 'publicKey=… --from-literal=privateKey=…', { settings: { atlasApi: 'public/v1.0' } }],
  ])('ask for %s: %s', async (kind, literals, values) => {
    const text = await notes(values);
    expect(text).toContain(`use ${kind} with the role Project Read Only`);
    expect(text).toContain(`--from-literal=${literals}\n`);
  });

  test('say which resources a release with a label selector reconciles, and that others need labels', async () => {
    const text = await notes({ labelSelector: 'shard in (a,b)' });
    expect(text).toContain('all namespaces, and reconciles only resources with labels that match `shard in (a,b)`.');
    expect(text).toContain('give the\nresource labels that match:');
    expect(await notes({})).not.toContain('labels');
  });

  test('say what a second release needs, and what is not allowed yet', async () => {
    const text = await notes({});
    for (const words of ['--take-ownership', 'crds.install=false', 'deliverySecrets.enabled=true', 'stay when'])
      expect(text).toContain(words);
    expect(await notes({ deliverySecrets: { enabled: true } })).not.toContain('deliverySecrets.enabled=true');
    expect(await notes({ crds: { install: false } })).toContain('apply it again before each upgrade');
  });
});

describe('helm test', () => {
  const program = async (): Promise<string> => {
    const pod = (await helmTemplate()).find(({ metadata }) => metadata.annotations?.['helm.sh/hook'] === 'test');
    const [container] = Object(pod?.['spec']).containers;
    expect(container.command).toEqual(['/nodejs/bin/node']);
    expect(container.args[0]).toBe('--eval');
    return container.args[1];
  };

  /** Runs the program of the pod against a server that answers so, one answer after the other. */
  async function ask(answers: readonly number[]): Promise<{ readonly exitCode: unknown; readonly output: string }> {
    let count = 0;
    const server = createServer((request, response) => {
      response.statusCode = request.url === '/readyz' ? (answers[count++] ?? 200) : 404;
      response.end(`answer ${count}\n`);
    });
    const url = `http://127.0.0.1:${await listen(server)}/readyz`;
    try {
      const child = spawn(process.execPath, ['--eval', await program()], { env: { URL: url } });
      const [output, [exitCode]] = await Promise.all([
        Array.fromAsync(child.stdout).then((chunks) => chunks.join('')),
        once(child, 'exit'),
      ]);
      return { exitCode, output };
    } finally {
      server.close();
    }
  }

  test('is content once /readyz is', async () => {
    expect(await ask([503, 200])).toEqual({ exitCode: 0, output: expect.stringContaining('answer 2') });
  });

  test('fails when it never is', async () => {
    // With its patience cut short: eleven tries take twenty seconds.
    const text = await program();
    expect(text).toContain('attempt(10);');
    const child = spawn(process.execPath, ['--eval', text.replace('attempt(10);', 'attempt(0);')], {
      env: { URL: 'http://127.0.0.1:1/readyz' },
    });
    const [exitCode] = await once(child, 'exit');
    expect(exitCode).toBe(1);
  });
});
