/** What the demo runs in: a control plane, an Atlas simulator, and the operator under its own service account. */
import { execFile } from 'node:child_process';
import { copyFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import * as z from 'zod';
import { type AtlasSimulator, startAtlasSimulator } from '../test/support/atlas-simulator/simulator.ts';
import { type ControlPlane, startControlPlane } from '../test/support/control-plane/control-plane.ts';
import { install, LEADER_ELECTION, MANIFESTS, OPERATOR } from '../test/support/installation.ts';
import { type OperatorProcess, startOperator } from '../test/support/operator-process.ts';
import { PROGRAM } from '../test/support/program.ts';
import { only, ROOT, type Samples } from './samples.ts';
import type { Screen } from './screen.ts';

export interface Environment {
  readonly controlPlane: ControlPlane;
  readonly atlas: AtlasSimulator;
  readonly operator: OperatorProcess;
  /** kubectl with all rights, in the root of the repository; returns its output. */
  readonly kubectl: (...args: readonly string[]) => Promise<string>;
  /** A command of the program, with the service account and a kubeconfig with all rights. */
  readonly program: (...args: readonly string[]) => Promise<{ readonly stdout: string; readonly stderr: string }>;
}

/** Sets everything up; `cleanup` takes it down in reverse order. */
export async function startEnvironment(
  samples: Samples,
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

  const files = [MANIFESTS.crds, ...MANIFESTS.rights];
  screen.say(`kubectl apply -f ${files.join(' -f ')}: the resource, and what the operator may do`);
  const kubeconfig = await install(controlPlane);

  const logFile = operatorLog(controlPlane);
  const operator = await startOperator({
    kubeconfig,
    env: { ATLAS_BASE_URL: atlas.url, LOG_FORMAT: 'json', DEFAULT_INTERVAL: '10s', ...LEADER_ELECTION },
    logFile,
  });
  cleanup.defer(async () => {
    // Without its API server, which Ctrl-C ends as well, a stop in order can fail; nothing depends on it here.
    await operator.stop().catch(() => {});
  });
  await operator.waitForLog(({ msg }) => msg === 'starting workers');
  screen.say(`the operator runs (process ${operator.process.pid}) as ${OPERATOR.user}`);
  return { controlPlane, atlas, operator, kubectl, program: programAt(controlPlane, commandVariables(atlas, samples)) };
}

/** The variables that the commands need, as a person would export them. */
export function commandVariables({ url }: AtlasSimulator, samples: Samples): Readonly<Record<string, string>> {
  const { clientId, clientSecret } = only(samples.credentials.secrets);
  return { ATLAS_BASE_URL: url, MONGODB_ATLAS_CLIENT_ID: clientId, MONGODB_ATLAS_CLIENT_SECRET: clientSecret };
}

/** Copies the operator's log to where it survives the end of the demo, and returns that path. */
export async function keepOperatorLog({ controlPlane }: Environment): Promise<string> {
  const kept = path.join(tmpdir(), `legacy-restore-operator-demo-${process.pid}.log`);
  await copyFile(operatorLog(controlPlane), kept);
  return kept;
}

/** Folder that files are downloaded into; it goes away with the control plane. */
export const restoreFolder = ({ dir }: ControlPlane): string => path.join(dir, 'restore');

/** Path of the operator's log while the demo runs. */
export const operatorLog = ({ dir }: ControlPlane): string => path.join(dir, 'operator.log');

function programAt({ kubeconfig }: ControlPlane, variables: Readonly<Record<string, string>>): Environment['program'] {
  const env = { ...process.env, KUBECONFIG: kubeconfig, ...variables };
  return (...args) => promisify(execFile)(process.execPath, [PROGRAM, ...args], { env });
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
