/** What the soak runs on: a control plane, an Atlas simulator, a proxy in front of each, and two replicas of the operator. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { AtlasSimulator } from '../support/atlas-simulator/simulator.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane/control-plane.ts';
import { install, LEADER_ELECTION, proxiedKubeconfig } from '../support/installation.ts';
import { type SecureAtlas, startSecureAtlas } from '../support/secure-atlas.ts';
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
  /** In front of the simulator, which speaks TLS and offers HTTP/2. */
  readonly atlasProxy: TcpProxy;
  readonly replicas: Replicas;
  /** Where the operators' logs are. It outlives the run; `forgetLogs` removes it. */
  readonly logFolder: string;
  readonly forgetLogs: () => Promise<void>;
}

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
  const atlas = await startSecureAtlas({ tokenLifetimeSeconds: TOKEN_LIFETIME_SECONDS });
  cleanup.defer(() => atlas.stop());
  const apiProxy = await startTcpProxy(Number(new URL(controlPlane.server).port));
  cleanup.defer(() => apiProxy.stop());
  const atlasProxy = await startTcpProxy(Number(new URL(atlas.url).port));
  cleanup.defer(() => atlasProxy.stop());

  const cluster = createCluster(controlPlane, signal);
  const kubeconfig = await install(controlPlane);
  for (const name of NAMESPACES) await cluster.create('/api/v1/namespaces', { metadata: { name } });
  const credentials = createCredentials(cluster, atlas, random.fork('credentials'));
  await credentials.createAll();

  const logFolder = await mkdtemp(path.join(tmpdir(), 'legacy-restore-operator-soak-'));
  const replicas = startReplicas({
    count: 2,
    kubeconfig: await proxiedKubeconfig(controlPlane, kubeconfig, apiProxy.port),
    env: settings(atlas, atlasProxy, logLevel),
    logFolder,
  });
  cleanup.defer(() => replicas.end());
  const forgetLogs = (): Promise<void> => rm(logFolder, { recursive: true, force: true });
  return { controlPlane, cluster, atlas, credentials, apiProxy, atlasProxy, replicas, logFolder, forgetLogs };
}

/** Tokens are renewed all the time; and those that killed replicas never give back do not fill the account's 100. */
const TOKEN_LIFETIME_SECONDS = 60;

function settings(atlas: SecureAtlas, atlasProxy: TcpProxy, logLevel: string): Readonly<Record<string, string>> {
  return {
    ATLAS_BASE_URL: `https://127.0.0.1:${atlasProxy.port}`,
    NODE_EXTRA_CA_CERTS: atlas.caFile,
    ATLAS_REQUESTS_PER_MINUTE: '0',
    ATLAS_TIMEOUT: '2s',
    ...LEADER_ELECTION,
    LOG_LEVEL: logLevel,
  };
}
