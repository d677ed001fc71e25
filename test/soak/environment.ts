/** What the soak runs on: a control plane, an Atlas simulator, proxies in front of each, and two replicas of the operator. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { AtlasSimulator } from '../support/atlas-simulator/simulator.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane/control-plane.ts';
import { createEtcdClient, type EtcdClient } from '../support/etcd.ts';
import { install, LEADER_ELECTION, proxiedKubeconfig } from '../support/installation.ts';
import { type SecureAtlas, startSecureAtlas } from '../support/secure-atlas.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { type Cluster, createCluster } from './cluster.ts';
import { type CredentialsKeeper, createCredentials, NAMESPACES } from './credentials.ts';
import { createExclusion, type Exclusion } from './exclusion.ts';
import { type Gateway, startGateway } from './gateway.ts';
import type { Random } from './random.ts';
import { type Replicas, startReplicas } from './replicas.ts';

export interface Environment {
  readonly controlPlane: ControlPlane;
  readonly cluster: Cluster;
  readonly atlas: AtlasSimulator;
  readonly credentials: CredentialsKeeper;
  readonly etcd: EtcdClient;
  /** The network between the operators and the gateway. */
  readonly apiProxy: TcpProxy;
  /** In front of the API server; only the operators use it. */
  readonly gateway: Gateway;
  /** An API server cannot start while it has a Secret that it cannot read: only one of these happens at a time. */
  readonly startOrUnreadable: Exclusion;
  /** In front of the simulator, which speaks TLS and offers HTTP/2. */
  readonly atlasProxy: TcpProxy;
  /** From now on the wall clock of the operators is so many milliseconds away from the machine's. */
  readonly shiftClock: (ms: number) => Promise<void>;
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
  const gateway = await startGateway(controlPlane);
  cleanup.defer(() => gateway.stop());
  const apiProxy = await startTcpProxy(gateway.port);
  cleanup.defer(() => apiProxy.stop());
  const atlasProxy = await startTcpProxy(Number(new URL(atlas.url).port));
  cleanup.defer(() => atlasProxy.stop());

  const cluster = createCluster(controlPlane, signal);
  const kubeconfig = await install(controlPlane);
  for (const name of NAMESPACES) await cluster.create('/api/v1/namespaces', { metadata: { name } });
  const credentials = createCredentials(cluster, atlas, random.fork('credentials'));
  await credentials.createAll();

  const clockOffset = path.join(controlPlane.dir, 'clock-offset');
  const shiftClock = (ms: number): Promise<void> => writeFile(clockOffset, String(ms));
  await shiftClock(0);

  const logFolder = await mkdtemp(path.join(tmpdir(), 'legacy-restore-operator-soak-'));
  const replicas = startReplicas({
    count: 2,
    kubeconfig: await proxiedKubeconfig(controlPlane, kubeconfig, { port: apiProxy.port, caPem: gateway.caPem }),
    env: {
      ...settings(atlas, atlasProxy, logLevel),
      // One half of the runs lists and watches each namespace by itself.
      ...(random.fork('namespaced').chance(0.5) ? { NAMESPACES: NAMESPACES.join(',') } : {}),
      NODE_OPTIONS: `--import=${SHIFTED_CLOCK}`,
      CLOCK_OFFSET_FILE: clockOffset,
    },
    logFolder,
  });
  cleanup.defer(() => replicas.end());
  const forgetLogs = (): Promise<void> => rm(logFolder, { recursive: true, force: true });
  return {
    controlPlane,
    cluster,
    atlas,
    credentials,
    etcd: createEtcdClient(controlPlane.etcdUrl),
    apiProxy,
    gateway,
    startOrUnreadable: createExclusion(),
    atlasProxy,
    shiftClock,
    replicas,
    logFolder,
    forgetLogs,
  };
}

const SHIFTED_CLOCK = path.join(import.meta.dirname, '../support/shifted-clock.mjs');

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
