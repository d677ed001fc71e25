/** The programs that the run needs: found on this machine, or built from source where that can be done. */
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { findProgram } from '../interop/processes.ts';
import { messageOf } from '../support/command.ts';
import { ensureTools } from '../support/control-plane/tools.ts';
import { ensureGoTools } from '../support/go-tools.ts';
import { ensureHelm3 } from '../support/helm3.ts';
import { run } from './commands.ts';

export interface Programs {
  readonly docker: string;
  readonly kubectl: string;
  readonly helm: string;
  /** Helm 3, for `lint` and `template`. */
  readonly helm3: string;
  /** Undefined where an existing cluster is used whose nodes kind did not make. */
  readonly kind: string | undefined;
}

/** Finds them all, or rejects with one sentence that says what is missing. */
export async function findPrograms(needsKind: boolean, signal: AbortSignal): Promise<Programs> {
  const docker = await findDocker(signal);
  const tools = await ensureTools(['helm', 'kubectl'], { signal });
  return {
    docker,
    kubectl: tools.path('kubectl'),
    helm: tools.path('helm'),
    helm3: await ensureHelm3({ signal }),
    kind: needsKind ? await findKind(signal) : undefined,
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

async function findKind(signal: AbortSignal): Promise<string> {
  const named = process.env['KIND'];
  if (named) {
    accessSync(named, constants.X_OK);
    return named;
  }
  const own = path.join(import.meta.dirname, 'tools');
  return (
    findProgram('kind') ??
    (await ensureGoTools(own, { kind: { package: 'sigs.k8s.io/kind' } }, { signal })).path('kind')
  );
}
