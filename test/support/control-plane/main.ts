/** `npm run control-plane`: a control plane with the CRD, until Ctrl-C. */
import { once } from 'node:events';
import { runCommand } from '../command.ts';
import { installCrds } from '../installation.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';

await runCommand('The control plane', async (signal) => {
  const controlPlane = await startControlPlane({ signal });
  try {
    await installCrds(controlPlane);
    console.log(await introduction(controlPlane));
    if (!signal.aborted) await once(signal, 'abort');
    return 0;
  } finally {
    await controlPlane.stop();
  }
});

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
