/** The operator in the cluster, as kubectl shows it, and its resources. */
import * as z from 'zod';
import { Status } from '../../src/api/legacy-restore-job.ts';
import { eventually } from '../support/eventually.ts';
import { API_KEY, CLUSTER_NAME, GROUP_ID } from './atlas.ts';
import type { Cluster } from './cluster.ts';
import { namespaceOf } from './namespaces.ts';

/** Where the operator is installed, and how its objects are called. */
export const OPERATOR_NAMESPACE = 'legacy-restore-operator-system';
export const OPERATOR = 'legacy-restore-operator';
/** Selector of its pods. */
export const OPERATOR_PODS = 'app.kubernetes.io/name=legacy-restore-operator,app.kubernetes.io/component=operator';
export const CRD = 'crd/legacyrestorejobs.atlasrestore.dev';

/** A pod of the operator that is not being deleted. */
export interface OperatorPod {
  readonly name: string;
  readonly uid: string;
  readonly ip: string;
  readonly ready: boolean;
  readonly restarts: number;
  /** Exit code of its container's last run, if it was restarted. */
  readonly lastExitCode: number | undefined;
  readonly env: ReadonlyMap<string, string>;
}

/** A LegacyRestoreJob. */
export type Resource = z.infer<typeof Resource>;
const Resource = z.looseObject({
  metadata: z.looseObject({ name: z.string(), namespace: z.string(), resourceVersion: z.string() }),
  spec: z.looseObject({ jobId: z.string() }),
  status: Status,
});

export async function operatorPods(cluster: Cluster): Promise<readonly OperatorPod[]> {
  const { items } = await cluster.get(PodList, [
    'pods',
    `--namespace=${OPERATOR_NAMESPACE}`,
    `--selector=${OPERATOR_PODS}`,
  ]);
  return items
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(({ metadata, spec, status }) => {
      const [container] = status.containerStatuses;
      return {
        name: metadata.name,
        uid: metadata.uid,
        ip: status.podIP,
        ready: container?.ready ?? false,
        restarts: container?.restartCount ?? 0,
        lastExitCode: container?.lastState.terminated?.exitCode,
        env: new Map(spec.containers.flatMap(({ env }) => env.map(({ name, value }) => [name, value] as const))),
      };
    });
}

/** Waits until so many replicas are ready and no other pod of the operator is left. */
export function untilReady(cluster: Cluster, replicas: number): Promise<readonly OperatorPod[]> {
  return eventually(
    `${replicas} ready pods`,
    async () => {
      const pods = await operatorPods(cluster);
      if (pods.length !== replicas || !pods.every(({ ready }) => ready))
        throw new Error(
          pods.map(({ name, ready }) => `${name} is ${ready ? 'ready' : 'not ready'}`).join(', ') || 'no pod',
        );
      return pods;
    },
    SLOWLY,
  );
}

/** The pod that holds the Lease. */
export interface Leader extends OperatorPod {
  /** Of the process: another one after a restart of the container. */
  readonly holderIdentity: string;
}

/** `other`: not that process. */
export function untilLeader(cluster: Cluster, other?: Leader): Promise<Leader> {
  const leader = async (): Promise<Leader> => {
    const holderIdentity = await cluster.kubectl([
      'get',
      `lease/${OPERATOR}`,
      `--namespace=${OPERATOR_NAMESPACE}`,
      '--output=jsonpath={.spec.holderIdentity}',
    ]);
    // The identity is the pod's name and a random part.
    const pod = (await operatorPods(cluster)).find(({ name }) => holderIdentity.startsWith(`${name}_`));
    if (pod === undefined || holderIdentity === other?.holderIdentity)
      throw new Error(`the Lease is held by "${holderIdentity}"`);
    return { ...pod, holderIdentity };
  };
  return eventually('a pod leads', leader, SLOWLY);
}

/** The sum of a metric's samples in a pod, over all labels. */
export async function metricOf(cluster: Cluster, pod: OperatorPod, name: string): Promise<number> {
  const samples = samplesOf(await cluster.kubectl(['get', '--raw', podPath(pod, 'metrics')]), name);
  if (samples.length === 0) throw new Error(`${pod.name} has no metric ${name}`);
  return samples.reduce((sum, value) => sum + value, 0);
}

/** The values of a metric's samples in Prometheus's text format. */
export function samplesOf(text: string, name: string): readonly number[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)));
}

/** Path of an HTTP endpoint of a pod, by way of the API server. */
export function podPath({ name }: OperatorPod, endpoint: string): string {
  return `/api/v1/namespaces/${OPERATOR_NAMESPACE}/pods/${name}:8080/proxy/${endpoint}`;
}

/** The lines of a pod's log, parsed; a line that is no JSON is an error. */
export async function logOf(cluster: Cluster, { name }: OperatorPod): Promise<readonly LogLine[]> {
  const text = await cluster.kubectl(['logs', name, `--namespace=${OPERATOR_NAMESPACE}`, '--tail=-1']);
  return text
    .trim()
    .split('\n')
    .map((line) => LogLine.parse(JSON.parse(line)));
}

const LogLine = z.looseObject({ level: z.string(), msg: z.string(), error: z.string().optional() });
type LogLine = z.infer<typeof LogLine>;

/** A namespace with the Secret `atlas-key` that Atlas accepts. */
export function namespaceWithKey(name: string): readonly object[] {
  return [namespaceOf(name), keySecret(name, API_KEY)];
}

export function keySecret(namespace: string, key: { readonly publicKey: string; readonly privateKey: string }): object {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'atlas-key', namespace },
    stringData: { publicApiKey: key.publicKey, privateApiKey: key.privateKey },
  };
}

/** A LegacyRestoreJob as it is applied; `spec` adds to the usual one. */
export function resource(namespace: string, name: string, jobId: string, spec: object = {}): object {
  return {
    apiVersion: 'atlasrestore.dev/v1',
    kind: 'LegacyRestoreJob',
    metadata: { name, namespace },
    spec: {
      groupId: GROUP_ID,
      clusterName: CLUSTER_NAME,
      jobId,
      credentialsSecretRef: { name: 'atlas-key' },
      ...spec,
    },
  };
}

export async function resourcesIn(cluster: Cluster, namespace: string): Promise<readonly Resource[]> {
  const { items } = await cluster.get(z.object({ items: z.array(Resource) }), ['lrj', `--namespace=${namespace}`]);
  return items;
}

/** Waits until a resource fulfils a condition; the message of a failure tells its status. */
export function untilResource(
  cluster: Cluster,
  namespace: string,
  name: string,
  what: string,
  fulfilled: (status: Status) => boolean,
): Promise<Resource> {
  const attempt = async (): Promise<Resource> => {
    const found = await cluster.get(Resource, [`lrj/${name}`, `--namespace=${namespace}`]);
    if (!fulfilled(found.status)) throw new Error(`status is ${JSON.stringify(found.status)}`);
    return found;
  };
  return eventually(`${namespace}/${name}: ${what}`, attempt, SLOWLY);
}

/** A condition in short, as `True JobFinished`. */
export function conditionOf({ conditions = [] }: Status, type: string): string | undefined {
  const found = conditions.find((condition) => condition.type === type);
  return found === undefined ? undefined : `${found.status} ${found.reason}`;
}

/** Every attempt starts a kubectl. */
export const SLOWLY = { timeoutMs: 120_000, intervalMs: 500 } as const;

const PodList = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), uid: z.string(), deletionTimestamp: z.string().optional() }),
      spec: z.object({
        containers: z.array(
          z.object({ env: z.array(z.object({ name: z.string(), value: z.string().default('') })).default([]) }),
        ),
      }),
      status: z.object({
        podIP: z.string().default(''),
        containerStatuses: z
          .array(
            z.object({
              ready: z.boolean(),
              restartCount: z.number(),
              lastState: z.object({ terminated: z.object({ exitCode: z.number() }).optional() }).default({}),
            }),
          )
          .default([]),
      }),
    }),
  ),
});
