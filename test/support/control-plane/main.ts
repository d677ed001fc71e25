import { glob } from 'node:fs/promises';
import path from 'node:path';
import { type ControlPlane, startControlPlane } from './control-plane.ts';

/*
 * `npm run control-plane`: a control plane with the CRDs of this repository, until Ctrl-C.
 */

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // Who asks twice is in a hurry: the watchdog does the rest.
    if (interruption.signal.aborted) process.exit(130);
    interruption.abort();
  });
}
const interrupted = new Promise<void>((resolve) => {
  interruption.signal.addEventListener('abort', () => {
    resolve();
  });
});

try {
  const controlPlane = await startControlPlane({ signal: interruption.signal });
  try {
    console.log(await introduction(controlPlane, await installCrds(controlPlane)));
    await interrupted;
  } finally {
    await controlPlane.stop();
  }
} catch (error) {
  // Ctrl-C goes to the servers as well, whose end must not be reported as a failure then; nor is what was under way
  // with them to be waited for.
  if (interruption.signal.aborted) process.exit(0);
  console.error(Error.isError(error) ? error.message : error);
  process.exitCode = 1;
}

async function installCrds({ kubectlRun }: ControlPlane): Promise<readonly string[]> {
  const folder = path.join(import.meta.dirname, '../../../crds');
  const files = (await Array.fromAsync(glob('*.yaml', { cwd: folder }))).sort();
  if (files.length === 0) return [];
  await kubectlRun(['apply', ...files.map((file) => `--filename=${path.join(folder, file)}`)]);
  await kubectlRun(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s']);
  return files;
}

async function introduction(controlPlane: ControlPlane, crds: readonly string[]): Promise<string> {
  const version = /^Server Version: (.*)$/m.exec(await controlPlane.kubectlRun(['version']))?.[1] ?? '';
  return [
    `Kubernetes ${version} is ready at ${controlPlane.server}`,
    ...(crds.length === 0 ? [] : [`installed: ${crds.join(', ')}`]),
    '',
    `export KUBECONFIG=${controlPlane.kubeconfig}`,
    `kubectl: ${controlPlane.kubectl}`,
    `audit log: ${controlPlane.auditLog}`,
    '',
    'Ctrl-C ends it and removes its data.',
  ].join('\n');
}
