/** The objects of the Helm chart and of the kustomize folders, rendered by the real programs. */
import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadAll } from 'js-yaml';
import * as z from 'zod';
import { ensureBinaries } from './control-plane/binaries.ts';
import { ensureTools } from './control-plane/tools.ts';

/** A Kubernetes object. */
export type Manifest = z.infer<typeof Manifest>;
export const Manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
});

/** A role of the API group rbac.authorization.k8s.io. */
export type Role = z.infer<typeof Role>;
export const Role = Manifest.extend({
  kind: z.enum(['Role', 'ClusterRole']),
  rules: z.array(
    z.strictObject({
      apiGroups: z.array(z.string()),
      resources: z.array(z.string()),
      verbs: z.array(z.string()),
      resourceNames: z.array(z.string()).optional(),
    }),
  ),
});

/** The Deployment of the operator, as far as tests look into it. */
export type Deployment = z.infer<typeof Deployment>;
export const Deployment = Manifest.extend({
  kind: z.literal('Deployment'),
  spec: z.looseObject({
    replicas: z.number(),
    selector: z.object({ matchLabels: z.record(z.string(), z.string()) }),
    template: z.looseObject({
      metadata: z.looseObject({ labels: z.record(z.string(), z.string()) }),
      spec: z.looseObject({
        terminationGracePeriodSeconds: z.number(),
        // The operator, and what extraContainers adds.
        containers: z.tuple(
          [
            z.looseObject({
              image: z.string(),
              env: z.array(z.looseObject({ name: z.string(), value: z.string().optional() })),
              ports: z.array(z.looseObject({ name: z.string(), containerPort: z.number() })),
            }),
          ],
          z.looseObject({ name: z.string() }),
        ),
      }),
    }),
  }),
});

export const CHART = path.join(import.meta.dirname, '../../charts/legacy-restore-operator');
/** Where the defaults of the kustomize base are, too. */
export const DEFAULT_RELEASE = {
  name: 'legacy-restore-operator',
  namespace: 'legacy-restore-operator-system',
} as const;

export interface Release {
  readonly name: string;
  readonly namespace: string;
}

/** The objects of a release with such values; rejects with what Helm complained. */
export async function helmTemplate(
  values?: Readonly<Record<string, unknown>>,
  release?: Release,
): Promise<readonly Manifest[]> {
  return parseManifests(await helmTemplateText(values, release));
}

/** As `helmTemplate`, as Helm sends it to the API server. */
export function helmTemplateText(
  values: Readonly<Record<string, unknown>> = {},
  { name, namespace }: Release = DEFAULT_RELEASE,
): Promise<string> {
  return helm(['template', name, CHART, `--namespace=${namespace}`, '--values=-'], JSON.stringify(values));
}

/**
 * Runs helm without the user's settings and plugins, and on no cluster unless a kubeconfig is given; returns its output
 * and rejects with what it complained.
 */
export async function helm(args: readonly string[], stdin = '', kubeconfig?: string): Promise<string> {
  const { path: of } = await ensureTools(['helm']);
  const home = path.join(tmpdir(), 'legacy-restore-operator-helm');
  return run(of('helm'), args, stdin, {
    PATH: process.env['PATH'],
    HOME: home,
    HELM_CACHE_HOME: home,
    HELM_CONFIG_HOME: home,
    HELM_DATA_HOME: home,
    KUBECONFIG: kubeconfig ?? path.join(home, 'none'),
  });
}

/** The objects of a kustomize folder; rejects with what kubectl complained. */
export async function kustomize(folder: string): Promise<readonly Manifest[]> {
  const { kubectl } = await ensureBinaries();
  return parseManifests(await run(kubectl, ['kustomize', folder], '', process.env));
}

/** The objects of a file with YAML documents. */
export const parseManifests = (text: string): readonly Manifest[] =>
  loadAll(text)
    .filter((document) => document !== null && document !== undefined)
    .map((document) => Manifest.parse(document));

/** A name for messages. */
export const manifestId = ({ kind, metadata: { name, namespace } }: Manifest): string =>
  [kind, namespace, name].filter((part) => part !== undefined).join('/');

/** The roles among the objects; those that are aggregated into others' roles are left out. */
export const rolesOf = (manifests: readonly Manifest[]): readonly Role[] =>
  manifests
    .filter(({ kind, metadata }) => kind.endsWith('Role') && !isAggregated(metadata.labels))
    .map((role) => Role.parse(role));

/** The one Deployment among the objects. */
export const deploymentOf = (manifests: readonly Manifest[]): Deployment =>
  Deployment.parse(manifests.find(({ kind }) => kind === 'Deployment'));

/** The environment variables of the operator in the Deployment among the objects. */
export const environmentOf = (manifests: readonly Manifest[]): Record<string, string | undefined> =>
  Object.fromEntries(
    deploymentOf(manifests).spec.template.spec.containers[0].env.map(({ name, value }) => [name, value]),
  );

const isAggregated = (labels: Readonly<Record<string, string>> = {}): boolean =>
  Object.keys(labels).some((label) => label.startsWith('rbac.authorization.k8s.io/aggregate-to-'));

/** Runs a program and returns its output; rejects with what it complained. */
export function run(program: string, args: readonly string[], stdin: string, env: NodeJS.ProcessEnv): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = execFile(program, args, { env, maxBuffer: 64 * 2 ** 20 }, (error, stdout, stderr) => {
    if (error === null) resolve(stdout);
    else reject(new Error(`${path.basename(program)} ${args.join(' ')}: ${stderr.trim() || stdout || error.message}`));
  });
  // It may end without reading all of it, and says so itself.
  child.stdin?.on('error', () => {});
  child.stdin?.end(stdin);
  return promise;
}
