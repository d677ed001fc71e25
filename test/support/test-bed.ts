/** What integration tests stand on: a control plane with CRD and RBAC, an Atlas simulator, and operators against them. */
import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import type { AtlasApi } from '../../src/api/atlas-api.ts';
import { Status } from '../../src/api/legacy-restore-job.ts';
import type { JobIdentity } from './atlas-simulator/jobs.ts';
import type { JsonObject } from './atlas-simulator/json.ts';
import { type AtlasSimulator, startAtlasSimulator } from './atlas-simulator/simulator.ts';
import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from './control-plane/control-plane.ts';
import { eventually } from './eventually.ts';
import { installAccount, installCrds } from './installation.ts';
import { type OperatorProcess, startOperator } from './operator-process.ts';
import { startSecureAtlas } from './secure-atlas.ts';

/** The project and cluster of all jobs, and the API key that may read them. */
export const GROUP_ID = '5a66666887d9d61443b41645';
export const CLUSTER_NAME = 'Cluster0';
/** What names that cluster where clusters have ids. */
export const CLUSTER_ID = '5a66689487d9d61443b46149';
export const API_KEY = { publicKey: 'abcdefgh', privateKey: '0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0' } as const;
/** Where the Secret `atlas-key` is, and resources are unless a test says otherwise. */
export const NAMESPACE = 'payments';

/** A LegacyRestoreJob as the API server sends it. */
export type Resource = z.infer<typeof Resource>;
const Resource = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    uid: z.string(),
    resourceVersion: z.string(),
    generation: z.number(),
  }),
  spec: z.looseObject({}),
  status: Status.default({}),
});

export interface TestBed {
  readonly controlPlane: ControlPlane;
  readonly atlas: AtlasSimulator;
  /** What names the usual cluster in the API that operators ask. */
  readonly clusterName: string;
  /** What a process that is to reach the simulator needs in its environment. */
  readonly atlasEnv: Readonly<Record<string, string>>;
  /** Starts an operator under its own service account and RBAC; it is ended with the test bed. */
  readonly startOperator: (env?: Readonly<Record<string, string>>) => Promise<OperatorProcess>;
  /** Kills all operators that still run. */
  readonly endOperators: () => Promise<void>;
  /** Creates a Secret and throws when that is refused. */
  readonly createSecret: (name: string, data: Readonly<Record<string, string>>, namespace?: string) => Promise<void>;
  /** Creates a resource; `spec` replaces parts of the usual one. */
  readonly create: (name: string, spec?: Readonly<Record<string, unknown>>, namespace?: string) => Promise<Resource>;
  readonly get: (name: string, namespace?: string) => Promise<Resource>;
  /** Merge-patches a resource and throws when that is refused. */
  readonly patch: (name: string, patch: unknown, namespace?: string) => Promise<Resource>;
  readonly delete: (name: string, namespace?: string) => Promise<void>;
  /** Requests a reconcile now and waits until it is done. */
  readonly reconcile: (name: string, namespace?: string) => Promise<Resource>;
  /** Waits until a resource fulfils a condition. */
  readonly until: (
    name: string,
    what: string,
    condition: (resource: Resource) => boolean,
    namespace?: string,
    timeoutMs?: number,
  ) => Promise<Resource>;
  /** Creates a namespace with the Secret `atlas-key`; an operator that is started there works in no other one. */
  readonly inNamespace: (namespace: string) => Promise<NamespacedBed>;
  readonly stop: () => Promise<void>;
}

/** A test bed whose resources are all in one namespace: several tests can run at once, each with an operator of its own. */
export interface NamespacedBed {
  readonly namespace: string;
  readonly startOperator: TestBed['startOperator'];
  readonly createSecret: (name: string, data: Readonly<Record<string, string>>) => Promise<void>;
  readonly create: (name: string, spec?: Readonly<Record<string, unknown>>) => Promise<Resource>;
  readonly get: (name: string) => Promise<Resource>;
  readonly patch: (name: string, patch: unknown) => Promise<Resource>;
  readonly delete: (name: string) => Promise<void>;
  readonly reconcile: (name: string) => Promise<Resource>;
  readonly until: (
    name: string,
    what: string,
    condition: (resource: Resource) => boolean,
    timeoutMs?: number,
  ) => Promise<Resource>;
}

interface TestBedOptions {
  /** Whether the CRD is installed. Default: true. */
  readonly crd?: boolean;
  /** Whether Atlas speaks TLS. Default: true. */
  readonly tls?: boolean;
  /** Which API operators ask. Default: their own. */
  readonly api?: AtlasApi;
}

export async function startTestBed(
  options?: ControlPlaneOptions,
  { crd = true, tls = true, api }: TestBedOptions = {},
): Promise<TestBed> {
  const controlPlane = await startControlPlane(options);
  const started = await startAtlas(tls);
  const { atlas } = started;
  const atlasEnv = { ...started.atlasEnv, ...(api === undefined ? {} : { ATLAS_API: api }) };
  const clusterName = api === 'public/v1.0' ? CLUSTER_ID : CLUSTER_NAME;
  const operators: OperatorProcess[] = [];
  atlas.addApiKey({ ...API_KEY, groupIds: [GROUP_ID] });
  atlas.addCluster(GROUP_ID, clusterName);
  if (crd) await installCrds(controlPlane);
  const kubeconfig = await installAccount(controlPlane);

  const collection = (namespace: string): string =>
    `/apis/atlasrestore.dev/v1/namespaces/${namespace}/legacyrestorejobs`;

  async function mustBe(status: number, method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await controlPlane.request(method, path, body);
    if (answer.status !== status) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  async function get(name: string, namespace = NAMESPACE): Promise<Resource> {
    return Resource.parse(await mustBe(200, 'GET', `${collection(namespace)}/${name}`));
  }

  async function patch(name: string, body: unknown, namespace = NAMESPACE): Promise<Resource> {
    return Resource.parse(await mustBe(200, 'PATCH', `${collection(namespace)}/${name}`, body));
  }

  function until(
    name: string,
    what: string,
    condition: (resource: Resource) => boolean,
    namespace = NAMESPACE,
    timeoutMs = 30_000,
  ): Promise<Resource> {
    const attempt = async (): Promise<Resource> => {
      const resource = await get(name, namespace);
      if (!condition(resource)) throw new Error(`status is ${JSON.stringify(resource.status)}`);
      return resource;
    };
    return eventually(`${name}: ${what}`, attempt, { timeoutMs });
  }

  async function createSecret(
    name: string,
    data: Readonly<Record<string, string>>,
    namespace = NAMESPACE,
  ): Promise<void> {
    await mustBe(201, 'POST', `/api/v1/namespaces/${namespace}/secrets`, { metadata: { name }, stringData: data });
  }

  async function createNamespace(name: string): Promise<void> {
    await mustBe(201, 'POST', '/api/v1/namespaces', { metadata: { name } });
    await createSecret('atlas-key', { publicApiKey: API_KEY.publicKey, privateApiKey: API_KEY.privateKey }, name);
  }
  await createNamespace(NAMESPACE);

  async function endOperators(): Promise<void> {
    await Promise.all(operators.splice(0).map((operator) => operator.kill('SIGKILL')));
  }

  const bed: TestBed = {
    controlPlane,
    atlas,
    clusterName,
    atlasEnv,
    startOperator: async (env = {}) => {
      const operator = await startOperator({
        kubeconfig,
        env: { ...atlasEnv, ATLAS_REQUESTS_PER_MINUTE: '0', ...env },
      });
      operators.push(operator);
      return operator;
    },
    endOperators,
    createSecret,
    create: async (name, spec = {}, namespace = NAMESPACE) => {
      const usual = {
        groupId: GROUP_ID,
        clusterName,
        jobId: newJobId(),
        credentialsSecretRef: { name: 'atlas-key' },
      };
      const body = {
        apiVersion: 'atlasrestore.dev/v1',
        kind: 'LegacyRestoreJob',
        metadata: { name },
        spec: { ...usual, ...spec },
      };
      return Resource.parse(await mustBe(201, 'POST', collection(namespace), body));
    },
    get,
    patch,
    delete: async (name, namespace = NAMESPACE) => {
      await mustBe(200, 'DELETE', `${collection(namespace)}/${name}`);
    },
    reconcile: async (name, namespace = NAMESPACE) => {
      const token = randomBytes(8).toString('hex');
      await patch(name, { metadata: { annotations: { 'atlasrestore.dev/requestedAt': token } } }, namespace);
      const isHandled = ({ status }: Resource): boolean => status.lastHandledReconcileAt === token;
      return until(name, 'the requested reconcile is done', isHandled, namespace);
    },
    until,
    inNamespace: async (namespace) => {
      await createNamespace(namespace);
      return {
        namespace,
        startOperator: (env = {}) => bed.startOperator({ NAMESPACES: namespace, ...env }),
        createSecret: (name, data) => createSecret(name, data, namespace),
        create: (name, spec) => bed.create(name, spec, namespace),
        get: (name) => get(name, namespace),
        patch: (name, body) => patch(name, body, namespace),
        delete: (name) => bed.delete(name, namespace),
        reconcile: (name) => bed.reconcile(name, namespace),
        until: (name, what, condition, timeoutMs) => until(name, what, condition, namespace, timeoutMs),
      };
    },
    stop: async () => {
      await endOperators();
      await atlas.stop();
      await controlPlane.stop();
    },
  };
  return bed;
}

async function startAtlas(tls: boolean): Promise<Pick<TestBed, 'atlas' | 'atlasEnv'>> {
  if (!tls) {
    const atlas = await startAtlasSimulator();
    return { atlas, atlasEnv: { ATLAS_BASE_URL: atlas.url } };
  }
  const atlas = await startSecureAtlas();
  return { atlas, atlasEnv: { ATLAS_BASE_URL: atlas.url, NODE_EXTRA_CA_CERTS: atlas.caFile } };
}

/** Puts a new restore job at Atlas, whose answers have the body made for it. */
export function putJob(
  atlas: AtlasSimulator,
  body: (job: JobIdentity) => JsonObject,
  ids: Partial<JobIdentity> = {},
): JobIdentity {
  const job = { groupId: GROUP_ID, clusterName: CLUSTER_NAME, jobId: newJobId(), ...ids };
  atlas.putJob(job, { kind: 'fixed', body: body(job) });
  return job;
}

/** A fresh id of a restore job. */
export const newJobId = (): string => randomBytes(12).toString('hex');

/** A condition in short, as `True JobFinished`; undefined when it is absent. */
export function conditionOf({ status }: Resource, type: string): string | undefined {
  const found = status.conditions?.find((condition) => condition.type === type);
  return found === undefined ? undefined : `${found.status} ${found.reason}`;
}
