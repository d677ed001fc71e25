/** What the demo runs in: a control plane, an Atlas simulator, and the operator under its own service account. */
import { copyFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as z from 'zod';
import { type AtlasSimulator, startAtlasSimulator } from '../test/support/atlas-simulator/simulator.ts';
import { type ControlPlane, startControlPlane } from '../test/support/control-plane/control-plane.ts';
import { freePort, type OperatorProcess, startOperator } from '../test/support/operator-process.ts';
import { ROOT } from './samples.ts';
import type { Screen } from './screen.ts';

export interface Environment {
  readonly controlPlane: ControlPlane;
  readonly atlas: AtlasSimulator;
  readonly operator: OperatorProcess;
  /** Of the operator's /metrics, /livez and /readyz. */
  readonly operatorUrl: string;
  /** The operator's user name, as the API server knows it. */
  readonly operatorUser: string;
  /** kubectl with all rights, in the root of the repository; returns its output. */
  readonly kubectl: (...args: readonly string[]) => Promise<string>;
}

const NAMESPACE = 'legacy-restore-operator-system';
const ACCOUNT = 'legacy-restore-operator';
const MANIFESTS = ['crds/', 'deploy/base/rbac.yaml', 'deploy/base/delivery-secrets-rbac.yaml'];

/** Sets everything up; `cleanup` takes it down in reverse order. */
export async function startEnvironment(
  screen: Screen,
  cleanup: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Environment> {
  screen.say('starting etcd and kube-apiserver: a real Kubernetes API, without a cluster and without Docker');
  const controlPlane = await startControlPlane({ signal });
  cleanup.defer(() => controlPlane.stop());
  const { kubectlRun } = controlPlane;
  const kubectl = (...args: readonly string[]): Promise<string> => kubectlRun(args.map(absolute));
  screen.say(`Kubernetes ${await versionOf(controlPlane)} is up`);

  const atlas = await startAtlasSimulator();
  cleanup.defer(() => atlas.stop());
  screen.say(`an Atlas simulator is up at ${atlas.url}: the real Atlas is never called`);

  screen.say(`kubectl apply -f ${MANIFESTS.join(' -f ')}: the resource, and what the operator may do`);
  const kubeconfig = await controlPlane.serviceAccountKubeconfig(NAMESPACE, ACCOUNT);
  await kubectl('apply', ...MANIFESTS.map((file) => `--filename=${file}`));
  await kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s');

  const port = await freePort();
  const logFile = operatorLog(controlPlane);
  const operator = await startOperator({ kubeconfig, env: settings(atlas, port), logFile });
  cleanup.defer(async () => {
    // Without its API server, which Ctrl-C ends as well, a stop in order can fail; nothing depends on it here.
    await operator.stop().catch(() => {});
  });
  await operator.waitForLog(({ msg }) => msg === 'working');
  const operatorUser = `system:serviceaccount:${NAMESPACE}:${ACCOUNT}`;
  screen.say(`the operator runs (process ${operator.process.pid}) as ${operatorUser}`);
  return { controlPlane, atlas, operator, operatorUrl: `http://127.0.0.1:${port}`, operatorUser, kubectl };
}

/** Copies the operator's log to where it survives the end of the demo, and returns that path. */
export async function keepOperatorLog({ controlPlane }: Environment): Promise<string> {
  const kept = path.join(tmpdir(), `legacy-restore-operator-demo-${process.pid}.log`);
  await copyFile(operatorLog(controlPlane), kept);
  return kept;
}

/** Path of the operator's log while the demo runs. */
export const operatorLog = ({ dir }: ControlPlane): string => path.join(dir, 'operator.log');

function settings(atlas: AtlasSimulator, port: number): Readonly<Record<string, string>> {
  return {
    ATLAS_BASE_URL: atlas.url,
    HTTP_BIND_ADDRESS: `127.0.0.1:${port}`,
    LEADER_ELECT: 'true',
    LEASE_NAMESPACE: NAMESPACE,
    LOG_FORMAT: 'json',
  };
}

/** Manifests are found wherever the demo is started. */
function absolute(arg: string): string {
  const file = /^--filename=(?!-$)(.*)$/.exec(arg)?.[1];
  return file === undefined ? arg : `--filename=${path.join(ROOT, file)}`;
}

const Version = z.object({ gitVersion: z.string() });

async function versionOf({ request }: ControlPlane): Promise<string> {
  return Version.parse((await request('GET', '/version')).body).gitVersion;
}
