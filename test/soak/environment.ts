/** What the soak runs on: a control plane, an Atlas simulator, a proxy in front of each, and two replicas of the operator. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type AtlasSimulator, startAtlasSimulator } from '../support/atlas-simulator/simulator.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane/control-plane.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { type Cluster, createCluster } from './cluster.ts';
import { type CredentialsKeeper, createCredentials, NAMESPACES } from './credentials.ts';
import type { Random } from './random.ts';
import { type Replicas, startReplicas } from './replicas.ts';

export interface Environment {
  readonly controlPlane: ControlPlane;
  readonly cluster: Cluster;
  readonly atlas: AtlasSimulator;
  readonly credentials: CredentialsKeeper;
  /** In front of the API server; only the operators use it. */
  readonly apiProxy: TcpProxy;
  /** In front of the simulator. */
  readonly atlasProxy: TcpProxy;
  readonly replicas: Replicas;
  /** Where the operators' logs are. It outlives the run; `forgetLogs` removes it. */
  readonly logFolder: string;
  readonly forgetLogs: () => Promise<void>;
}

/** The operators' lease is there, and their service account. */
export const OPERATOR = { namespace: 'legacy-restore-operator-system', name: 'legacy-restore-operator' } as const;
/** What the operator may do, as it is installed. */
export const MANIFESTS: readonly string[] = ['rbac.yaml', 'delivery-secrets-rbac.yaml'].map((file) =>
  path.join(import.meta.dirname, '../../deploy/base', file),
);
const CRDS = path.join(import.meta.dirname, '../../crds');

export interface EnvironmentOptions {
  readonly random: Random;
  /** Of the operators. */
  readonly logLevel: string;
  readonly signal: AbortSignal;
}

/** Sets everything up; `cleanup` takes it down in reverse order. */
export async function startEnvironment(
  cleanup: AsyncDisposableStack,
  { random, logLevel, signal }: EnvironmentOptions,
): Promise<Environment> {
  const controlPlane = await startControlPlane({ signal });
  cleanup.defer(() => controlPlane.stop());
  const atlas = await startAtlasSimulator({ tokenLifetimeSeconds: TOKEN_LIFETIME_SECONDS });
  cleanup.defer(() => atlas.stop());
  const apiProxy = await startTcpProxy(Number(new URL(controlPlane.server).port));
  cleanup.defer(() => apiProxy.stop());
  const atlasProxy = await startTcpProxy(Number(new URL(atlas.url).port));
  cleanup.defer(() => atlasProxy.stop());

  const cluster = createCluster(controlPlane, signal);
  await installApi(controlPlane);
  for (const name of NAMESPACES) await cluster.create('/api/v1/namespaces', { metadata: { name } });
  const credentials = createCredentials(cluster, atlas, random.fork('credentials'));
  await credentials.createAll();

  const logFolder = await mkdtemp(path.join(tmpdir(), 'legacy-restore-operator-soak-'));
  const replicas = startReplicas({
    count: 2,
    kubeconfig: await proxiedKubeconfig(controlPlane, apiProxy),
    env: settings(atlasProxy, logLevel),
    logFolder,
  });
  cleanup.defer(() => replicas.end());
  const forgetLogs = (): Promise<void> => rm(logFolder, { recursive: true, force: true });
  return { controlPlane, cluster, atlas, credentials, apiProxy, atlasProxy, replicas, logFolder, forgetLogs };
}

/** Tokens are renewed all the time; and those that killed replicas never give back do not fill the account's 100. */
const TOKEN_LIFETIME_SECONDS = 60;

async function installApi(controlPlane: ControlPlane): Promise<void> {
  await controlPlane.kubectlRun(['apply', `--filename=${CRDS}`]);
  await controlPlane.kubectlRun(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s']);
}

/** The kubeconfig of the operator's service account, with the proxy for a server. */
async function proxiedKubeconfig(controlPlane: ControlPlane, proxy: TcpProxy): Promise<string> {
  const direct = await controlPlane.serviceAccountKubeconfig(OPERATOR.namespace, OPERATOR.name);
  await controlPlane.kubectlRun(['apply', ...MANIFESTS.map((file) => `--filename=${file}`)]);
  const file = `${direct}.proxied`;
  const text = await readFile(direct, 'utf8');
  await writeFile(file, text.replaceAll(controlPlane.server, `https://127.0.0.1:${proxy.port}`), { mode: 0o600 });
  return file;
}

function settings(atlasProxy: TcpProxy, logLevel: string): Readonly<Record<string, string>> {
  return {
    ATLAS_BASE_URL: `http://127.0.0.1:${atlasProxy.port}`,
    ATLAS_REQUESTS_PER_MINUTE: '0',
    ATLAS_TIMEOUT: '2s',
    LEADER_ELECT: 'true',
    LEASE_NAMESPACE: OPERATOR.namespace,
    LOG_LEVEL: logLevel,
  };
}
