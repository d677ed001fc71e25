/** What stands at the end: how it looks with kubectl, and how to go on. */
import { REQUESTED_AT } from '../src/api/legacy-restore-job.ts';
import { operatorLog } from './environment.ts';
import { only } from './samples.ts';
import type { Demo } from './script.ts';

/** The real output of kubectl, as a person would see it. */
export async function showResult({ environment, samples, screen }: Demo): Promise<void> {
  const { name } = only(samples.running.jobs);
  for (const args of [
    ['get', 'lrj', '-o', 'wide'],
    ['describe', 'lrj', name],
  ]) {
    screen.print(`\n$ kubectl ${args.join(' ')}\n${await environment.kubectl(...args)}`);
  }
}

/** How to get the same on a cluster of one's own. */
export function showOwnCluster({ samples, screen }: Demo): void {
  const { name } = only(samples.running.jobs);
  screen.print(`
On your own cluster, with your kubeconfig and from this checkout:

  kubectl apply -f crds/
  kubectl create secret generic atlas-key --from-literal=publicApiKey=… --from-literal=privateApiKey=…
  kubectl apply -f ${samples.running.file}     # after you have put in your ids
  KUBECONFIG=~/.kube/config npm start
  kubectl get lrj -w
  kubectl wait --for=condition=Reconciling=false lrj/${name} --timeout=2h   # returns for every end, good or bad
`);
}

/** What can be done with everything that is left up. */
export function showWhatToTry({ environment, samples, screen }: Demo): void {
  const { name } = only(samples.running.jobs);
  const { kubeconfig, kubectl } = environment.controlPlane;
  screen.print(`
Everything stays up until Ctrl-C. In another terminal:

  export KUBECONFIG=${kubeconfig}
  alias kubectl=${kubectl}

  kubectl get lrj -o wide -w
  kubectl describe lrj ${name}
  kubectl explain lrj.status.delivery
  kubectl annotate lrj ${name} ${REQUESTED_AT}="$(date)" --overwrite     # asks Atlas now
  kubectl patch lrj ${name} --type=merge -p '{"spec":{"suspend":true}}'
  kubectl get events --field-selector involvedObject.kind=LegacyRestoreJob
  curl ${environment.operator.url}/metrics
  tail -f ${operatorLog(environment.controlPlane)}
`);
}
