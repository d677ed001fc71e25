import { installCrds } from '../installation.ts';
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
    await installCrds(controlPlane);
    console.log(await introduction(controlPlane));
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

async function introduction(controlPlane: ControlPlane): Promise<string> {
  const version = /^Server Version: (.*)$/m.exec(await controlPlane.kubectlRun(['version']))?.[1] ?? '';
  return [
    `Kubernetes ${version} is ready at ${controlPlane.server}`,
    '',
    `export KUBECONFIG=${controlPlane.kubeconfig}`,
    `kubectl: ${controlPlane.kubectl}`,
    `audit log: ${controlPlane.auditLog}`,
    '',
    'Ctrl-C ends it and removes its data.',
  ].join('\n');
}
