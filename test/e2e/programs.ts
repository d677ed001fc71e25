/** The programs that the run needs: found on this machine, or built from source where that can be done. */
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { findProgram } from '../interop/processes.ts';
import { messageOf } from '../support/command.ts';
import { ensureTools } from '../support/control-plane/tools.ts';
import { ensureGoTools } from '../support/go-tools.ts';
import { run } from './commands.ts';

export interface Programs {
  readonly docker: string;
  readonly kubectl: string;
  readonly helm: string;
  /** Helm 3, for `lint`, `template` and an upgrade of the chart. */
  readonly helm3: string;
  /** Undefined where an existing cluster is used whose nodes kind did not make. */
  readonly kind: string | undefined;
}

/** Finds them all, or rejects with one sentence that says what is missing. */
export async function findPrograms(needsKind: boolean, signal: AbortSignal): Promise<Programs> {
  const docker = await findDocker(signal);
  const tools = await ensureTools(['helm', 'kubectl'], { signal });
  const own = path.join(import.meta.dirname, 'tools');
  const { path: helm3 } = await ensureGoTools(own, { helm3: { package: 'helm.sh/helm/v3/cmd/helm' } }, { signal });
  return {
    docker,
    kubectl: tools.path('kubectl'),
    helm: tools.path('helm'),
    helm3: helm3('helm3'),
    kind: needsKind ? await findKind(own, signal) : undefined,
  };
}

async function findDocker(signal: AbortSignal): Promise<string> {
  const docker = findProgram('docker');
  if (docker === undefined) throw new Error('npm run e2e needs Docker: there is no program `docker` on the PATH.');
  try {
    await run(docker, ['info', '--format', '{{.ServerVersion}}'], { signal, timeoutMs: 20_000 });
    return docker;
  } catch (error) {
    signal.throwIfAborted();
    throw new Error(`npm run e2e needs a Docker engine that answers: ${messageOf(error)}`);
  }
}

async function findKind(own: string, signal: AbortSignal): Promise<string> {
  const named = process.env['KIND'];
  if (named) {
    accessSync(named, constants.X_OK);
    return named;
  }
  return (
    findProgram('kind') ??
    (await ensureGoTools(own, { kind: { package: 'sigs.k8s.io/kind' } }, { signal })).path('kind')
  );
}
