/** The script of the demo: its steps, and what is said about them. */
import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import type { JobIdentity } from '../test/support/atlas-simulator/jobs.ts';
import type { ControlPlane } from '../test/support/control-plane/control-plane.ts';
import { type Environment, restoreFolder } from './environment.ts';
import { conditionOf, type Resource, type Resources } from './resources.ts';
import { only, type Sample, type Samples } from './samples.ts';
import {
  acceptCredentials,
  offerDownload,
  offerGuardedDownload,
  recallExpired,
  restoreAutomatically,
  runBatch,
  runJob,
} from './scenario.ts';
import type { Screen } from './screen.ts';

export interface Demo {
  readonly environment: Environment;
  readonly samples: Samples;
  readonly screen: Screen;
  readonly resources: Resources;
  readonly signal: AbortSignal;
}

/** Runs all of it. Rejects when something does not happen. */
export async function runScript(demo: Demo): Promise<void> {
  await Promise.all([finish(demo), repair(demo), mistype(demo), followBatch(demo), deliver(demo), applyAll(demo)]);
}

/** So long that a person can read what is said. */
const READING_MS = 2_000;
/** How long the wrong credentials are looked at. */
const WRONG_FOR_MS = 10_000;

async function applyAll(demo: Demo): Promise<void> {
  const { environment, samples, screen, signal } = demo;
  const { atlas, kubectl } = environment;
  const apply = async ({ file }: Sample, explanation: string): Promise<void> => {
    screen.say(`kubectl apply -f ${file}: ${explanation}`);
    await kubectl('apply', `--filename=${file}`);
    await delay(READING_MS, undefined, { signal });
  };
  acceptCredentials(atlas, samples);
  await apply(samples.credentials, 'the service account for Atlas');
  await mirrorBatch(demo);
  runJob(atlas, samples.running);
  await apply(samples.running, 'a restore job that Atlas is still working on');
  offerDownload(atlas, samples.wrongCredentials);
  await apply(samples.wrongCredentials, 'a job whose Secret holds a client secret that Atlas does not accept');
  await apply(samples.wrongId, 'a job whose id has a typo');
  recallExpired(atlas, samples.expired);
  await apply(samples.expired, 'an old job: finished, but its download has expired');
  restoreAutomatically(atlas, samples.automated);
  await apply(samples.automated, 'a restore into another cluster, which has no file to download');
  offerGuardedDownload(atlas, samples.deliverySecret);
  await apply(samples.deliverySecret, 'a download whose URL goes into a Secret instead of the status');
}

/** From a restore that somebody has started at Atlas to resources that mirror it. */
async function mirrorBatch({ environment, samples, screen, signal }: Demo): Promise<void> {
  const { atlas, program, controlPlane } = environment;
  const { batch } = samples;
  const list = ['list', ...clusterFlags(batch.jobs)];
  const manifests = [...list, '--output=manifests', `--credentials-secret=${only(samples.credentials.secrets).name}`];
  runBatch(atlas, batch);
  const [{ stdout: table }, { stdout: documents }] = await Promise.all([program(...list), program(...manifests)]);
  screen.say('somebody has started a restore of a sharded cluster at Atlas. Its jobs:');
  screen.print(`\n$ ${COMMAND} ${list.join(' ')}\n${table}\n`);
  await delay(READING_MS, undefined, { signal });

  // The changes of the batch lie between reconciles: its time begins with the resources.
  runBatch(atlas, batch);
  const created = await controlPlane.kubectlRun(['apply', '--filename=-'], { stdin: documents });
  screen.say('one command makes a resource of each:');
  screen.print(`\n$ ${COMMAND} ${manifests.join(' ')} | kubectl apply -f -\n${created}\n`);
  await delay(READING_MS, undefined, { signal });
}

/** The program, as it is started from a checkout. */
export const COMMAND = 'npx node src/main.ts';

/** What names the cluster of jobs to a command. */
export function clusterFlags([job]: readonly JobIdentity[]): readonly string[] {
  if (job === undefined) throw new Error('there is no job');
  return [`--group-id=${job.groupId}`, `--cluster-name=${job.clusterName}`];
}

/** The running job: it finishes, its file becomes ready, somebody downloads it. */
async function finish(demo: Demo): Promise<void> {
  const { samples, screen, resources } = demo;
  const { name } = only(samples.running.jobs);
  await resources.until(name, 'it is in progress', ({ status }) => status.statusName === 'IN_PROGRESS');
  const ready = resources.until(name, 'its file is ready', (resource) => download(resource) === 'True DownloadReady');
  await Promise.all([ready, waitForJob(demo, name)]);
  screen.say(`${name}: the file can be downloaded, status.delivery.url says where`);
  await delay(READING_MS, undefined, { signal: demo.signal });

  await downloadFile(demo, name);
  const { status } = await resources.until(name, 'the hash is there', (resource) => hashes(resource).length === 1);
  screen.say(`${name}: Atlas tells the hash of a file once it was downloaded, here SHA1 ${status.hashes?.[0]?.hash}`);
}

/** The file in a folder, proven, although the connection breaks once on the way. */
async function downloadFile({ environment, screen }: Demo, name: string): Promise<void> {
  const { controlPlane, program } = environment;
  const folder = restoreFolder(controlPlane);
  await mkdir(folder);
  const download = ['download', '--resource', `default/${name}`, '--directory', folder];
  screen.say('download fetches the file. The connection breaks on the way, and it goes on where it was:');
  const { stdout, stderr } = await program(...download);
  screen.print(`\n$ ${COMMAND} ${download.join(' ')}\n${stderr}${stdout}\n`);
}

async function waitForJob({ environment, screen, signal }: Demo, name: string): Promise<void> {
  screen.say(`kubectl wait --for=condition=Reconciling=false lrj/${name} is started and waits for any end of the job`);
  const output = await kubectlWait(environment.controlPlane, name, signal);
  screen.say(`Atlas has finished the job, and kubectl wait returns: ${output}`);
}

/** The wrong credentials, until a person corrects the Secret. */
async function repair({ environment, samples, screen, resources, signal }: Demo): Promise<void> {
  const { name } = only(samples.wrongCredentials.jobs);
  const wrong = only(samples.wrongCredentials.secrets);
  const { clientId, clientSecret } = only(samples.credentials.secrets);
  const ready = (resource: Resource): string => conditionOf(resource, 'Ready');
  // Unknown for its first minute, in which Atlas may not know the account yet; then False.
  const refused = await resources.until(name, 'Atlas does not accept the credentials', (resource) =>
    ready(resource).endsWith(' Unauthorized'),
  );
  screen.say(`${name}: REASON says Unauthorized, and kubectl describe says what to do: ${syncedMessage(refused)}`);
  screen.say(`${name}: credentials can be too new for Atlas, so there is no event and READY is Unknown for a minute`);
  await delay(WRONG_FOR_MS, undefined, { signal });

  screen.say(`correcting Secret ${wrong.name}; the operator reads Secrets that failed again and again`);
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: wrong.name },
    stringData: { clientId, clientSecret },
  };
  await environment.controlPlane.kubectlRun(['apply', '--filename=-'], { stdin: JSON.stringify(secret) });
  await resources.until(name, 'Atlas accepts the credentials', (resource) => ready(resource) === 'True JobFinished');
  screen.say(`${name}: the operator has found the corrected Secret, and the job is there`);
}

/** A mistake that only a person can correct: it is told at once. */
async function mistype({ samples, screen, resources }: Demo): Promise<void> {
  const { name } = only(samples.wrongId.jobs);
  const missing = await resources.until(
    name,
    'Atlas has no such job',
    (resource) => conditionOf(resource, 'Stalled') === 'True JobNotFound',
  );
  screen.say(
    `${name}: REASON says JobNotFound, an event is written, and kubectl describe says what to do: ${syncedMessage(missing)}`,
  );
}

const syncedMessage = ({ status }: Resource): string =>
  status.conditions?.find(({ type }) => type === 'Synced')?.message ?? '';

async function followBatch({ samples, screen, resources }: Demo): Promise<void> {
  const done = samples.batch.jobs.map(({ name }) =>
    resources.until(name, 'it is finished', (resource) => conditionOf(resource, 'Ready') === 'True JobFinished'),
  );
  const [first] = await Promise.all(done);
  screen.say(`the batch is complete: kubectl get lrj --field-selector status.batchId=${first?.status.batchId}`);
}

async function deliver({ environment, samples, screen, resources }: Demo): Promise<void> {
  const { name, deliverySecretName = '' } = only(samples.deliverySecret.jobs);
  await resources.until(name, 'its file is ready', (resource) => download(resource) === 'True DownloadReady');
  const keys = await secretKeys(environment, deliverySecretName);
  screen.say(`${name}: Secret ${deliverySecretName} holds ${keys.join(', ')}; the status holds none of them`);
}

/** The names of the keys of a Secret. */
export async function secretKeys({ kubectl }: Pick<Environment, 'kubectl'>, name: string): Promise<readonly string[]> {
  return Object.keys(SecretData.parse(JSON.parse(await kubectl('get', 'secret', name, '--output=json'))).data);
}
const SecretData = z.object({ data: z.record(z.string(), z.string()) });

const download = (resource: Resource): string => conditionOf(resource, 'DownloadAvailable');
const hashes = ({ status }: Resource) => status.hashes ?? [];

/** A process of its own, as a person's script would have it; returns what it prints. */
async function kubectlWait({ kubectl, kubeconfig, dir }: ControlPlane, name: string, signal: AbortSignal) {
  const child = spawn(kubectl, ['wait', '--for=condition=Reconciling=false', `lrj/${name}`, '--timeout=60s'], {
    env: { ...process.env, KUBECONFIG: kubeconfig, KUBECACHEDIR: path.join(dir, 'kubectl-cache'), KUBERC: 'off' },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  });
  const { promise: ended, resolve, reject } = Promise.withResolvers<number | null>();
  child.once('error', reject);
  child.once('close', resolve);
  const [output, complaint, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  if (code !== 0) throw new Error(`kubectl wait ended with ${code}: ${complaint.trim()}`);
  return output.trim();
}
