/** What stands at the end: how it looks with kubectl, and how to go on. */
import { REQUESTED_AT } from '../src/api/legacy-restore-job.ts';
import { manifestName } from '../src/list/manifests.ts';
import type { JobIdentity } from '../test/support/atlas-simulator/jobs.ts';
import { commandVariables, operatorLog, restoreFolder } from './environment.ts';
import { only } from './samples.ts';
import { leaveRunning } from './scenario.ts';
import { COMMAND, clusterFlags, type Demo } from './script.ts';

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
export function showOwnCluster({ screen }: Demo): void {
  screen.print(`
On your own cluster, with your kubeconfig and from this checkout:

  kubectl apply -f crds/
  KUBECONFIG=~/.kube/config npm start

and in another terminal, with a service account of Atlas and your ids:

  kubectl create secret generic atlas-account --from-literal=clientId=… --from-literal=clientSecret=…
  ${COMMAND} list --secret=default/atlas-account --group-id=… --cluster-name=… -o manifests \\
    --credentials-secret=atlas-account | tee restores.yaml | kubectl apply -f -
  kubectl wait -f restores.yaml --for=condition=Reconciling=false --timeout=2h   # returns for every end, good or bad
  ${COMMAND} download --resource=default/…
`);
}

/** What can be done with everything that is left up: also jobs to wait for, to suspend and to download. */
export async function showWhatToTry({ environment, samples, screen }: Demo): Promise<void> {
  const { atlas, controlPlane, program } = environment;
  const { kubeconfig, kubectl } = controlPlane;
  const running = only(samples.running.jobs);
  const guarded = only(samples.deliverySecret.jobs);
  const [ending, endless] = leaveRunning(atlas, running.groupId);
  const cluster = clusterFlags([ending]);
  const secret = only(samples.credentials.secrets).name;
  const { stdout: documents } = await program(
    'list',
    ...cluster,
    '--output=manifests',
    `--credentials-secret=${secret}`,
  );
  await controlPlane.kubectlRun(['apply', '--filename=-'], { stdin: documents });
  const nameOf = ({ clusterName, jobId }: JobIdentity): string => manifestName(clusterName, jobId);
  const variables = Object.entries({ KUBECONFIG: kubeconfig, ...commandVariables(atlas, samples) });
  screen.print(`
Everything stays up until Ctrl-C. In another terminal, in this folder:

${variables.map(([name, value]) => `  export ${name}=${value}\n`).join('')}  alias kubectl=${kubectl}

  kubectl get lrj -o wide -w
  kubectl describe lrj ${only(samples.wrongId.jobs).name}
  kubectl explain lrj.status.delivery
  kubectl get events --field-selector involvedObject.kind=LegacyRestoreJob
  kubectl annotate lrj ${running.name} ${REQUESTED_AT}="$(date)" --overwrite     # asks Atlas now

  # a job that Atlas finishes in less than a minute, to wait for
  kubectl wait --for=condition=Reconciling=false lrj/${nameOf(ending)} --timeout=10m
  ${COMMAND} get ${jobFlags(ending)} --watch --for=download --timeout=10m

  # a job that runs on, to suspend and to resume
  kubectl patch lrj ${nameOf(endless)} --type=merge -p '{"spec":{"suspend":true}}'
  kubectl patch lrj ${nameOf(endless)} --type=merge -p '{"spec":{"suspend":false}}'

  # a file to download, with the URL and the header of its delivery Secret
  ${COMMAND} download --resource default/${guarded.name} --directory ${restoreFolder(controlPlane)}

  # without Kubernetes: the jobs of a cluster, and one of them
  ${COMMAND} list ${cluster.join(' ')}
  ${COMMAND} get ${jobFlags(running)}

  curl ${environment.operator.url}/metrics
  tail -f ${operatorLog(controlPlane)}
`);
}

const jobFlags = (job: JobIdentity): string => [...clusterFlags([job]), `--job-id=${job.jobId}`].join(' ');
