/** How everything is to be at the end of the demo. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { OPERATOR } from '../test/support/installation.ts';
import { restoreFolder } from './environment.ts';
import { fileNameOf } from './files.ts';
import { conditionOf, type Resource } from './resources.ts';
import { only, type Samples } from './samples.ts';
import { BATCH_ID } from './scenario.ts';
import { type Demo, secretKeys } from './script.ts';

/** Compares everything with what it should be; each problem is a sentence that says both. */
export async function findProblems(demo: Demo): Promise<readonly string[]> {
  for (let tries = 1; ; tries += 1) {
    const problems = await compare(demo);
    if (problems.length === 0 || tries === TRIES) return problems;
    // Events and the audit log are written behind what they tell of.
    await delay(500, undefined, { signal: demo.signal });
  }
}

const TRIES = 10;

async function compare(demo: Demo): Promise<readonly string[]> {
  const beside = await Promise.all([
    batchProblems(demo),
    eventProblems(demo),
    deliverySecretProblems(demo),
    downloadProblems(demo),
    secrecyProblems(demo),
    permissionProblems(demo),
  ]);
  return [...resourceProblems(demo), ...beside.flat()];
}

// The resources

/** What is compared of a resource. */
interface Facts {
  readonly status: string;
  readonly delivery: string;
  readonly Ready: string;
  readonly Synced: string;
  readonly DownloadAvailable: string;
  readonly expires: 'ahead' | 'past' | 'absent';
  readonly hashes: number;
  readonly 'URL in status': boolean;
}

const DOWNLOAD: Facts = {
  status: 'FINISHED',
  delivery: 'READY',
  Ready: 'True JobFinished',
  Synced: 'True JobFetched',
  DownloadAvailable: 'True DownloadReady',
  expires: 'ahead',
  hashes: 0,
  'URL in status': true,
};
const DOWNLOADED: Facts = { ...DOWNLOAD, hashes: 1 };
const EXPIRED: Facts = {
  ...DOWNLOADED,
  delivery: 'EXPIRED',
  DownloadAvailable: 'False DownloadExpired',
  expires: 'past',
};
const AUTOMATED: Facts = { ...DOWNLOAD, DownloadAvailable: 'absent', expires: 'absent', 'URL in status': false };
const MISTYPED: Facts = {
  status: 'absent',
  delivery: 'absent',
  Ready: 'False JobNotFound',
  Synced: 'False JobNotFound',
  DownloadAvailable: 'absent',
  expires: 'absent',
  hashes: 0,
  'URL in status': false,
};
const IN_A_SECRET: Facts = { ...DOWNLOAD, 'URL in status': false };

const expectedFacts = (samples: Samples): ReadonlyMap<string, Facts> =>
  new Map([
    [only(samples.running.jobs).name, DOWNLOADED],
    [only(samples.wrongCredentials.jobs).name, DOWNLOAD],
    [only(samples.wrongId.jobs).name, MISTYPED],
    ...samples.batch.jobs.map(({ name }) => [name, DOWNLOADED] as const),
    [only(samples.expired.jobs).name, EXPIRED],
    [only(samples.automated.jobs).name, AUTOMATED],
    [only(samples.deliverySecret.jobs).name, IN_A_SECRET],
  ]);

function resourceProblems({ samples, resources }: Demo): string[] {
  return [...expectedFacts(samples)].flatMap(([name, expected]) => {
    const resource = resources.get(name);
    if (resource === undefined) return [`${name} does not exist`];
    return differences(name, { ...expected }, { ...factsOf(resource) });
  });
}

function factsOf(resource: Resource): Facts {
  const { delivery, statusName, hashes } = resource.status;
  const expires = delivery?.expires;
  return {
    status: statusName ?? 'absent',
    delivery: delivery?.statusName ?? 'absent',
    Ready: conditionOf(resource, 'Ready'),
    Synced: conditionOf(resource, 'Synced'),
    DownloadAvailable: conditionOf(resource, 'DownloadAvailable'),
    expires: expires === undefined ? 'absent' : Date.parse(expires) > Date.now() ? 'ahead' : 'past',
    hashes: hashes?.length ?? 0,
    'URL in status': delivery?.url !== undefined || delivery?.urlV2 !== undefined,
  };
}

function differences(
  name: string,
  expected: Readonly<Record<string, string | number | boolean>>,
  actual: Readonly<Record<string, string | number | boolean | undefined>>,
): string[] {
  return Object.keys(expected)
    .filter((key) => expected[key] !== actual[key])
    .map((key) => `${name}: ${key} should be ${expected[key]} and is ${actual[key]}`);
}

// What stands beside the resources

async function batchProblems({ environment, samples }: Demo): Promise<string[]> {
  const selector = `--field-selector=status.batchId=${BATCH_ID}`;
  const output = await environment.kubectl('get', 'lrj', selector, '--output=jsonpath={.items[*].metadata.name}');
  const names = samples.batch.jobs.map((job) => job.name).join(' ');
  return differences(`kubectl get lrj ${selector}`, { names }, { names: output });
}

const EventList = z.object({
  items: z.array(z.object({ reason: z.string(), regarding: z.object({ name: z.string() }) })),
});

async function eventProblems({ environment, samples }: Demo): Promise<string[]> {
  const expected: readonly (readonly [name: string, reasons: readonly string[]])[] = [
    [only(samples.running.jobs).name, ['JobInProgress', 'JobFinished', 'DownloadReady']],
    [only(samples.wrongCredentials.jobs).name, ['DownloadReady']],
    [only(samples.wrongId.jobs).name, ['JobNotFound']],
  ];
  const { items } = EventList.parse(
    JSON.parse(await environment.kubectl('get', 'events.events.k8s.io', '--output=json')),
  );
  return expected.flatMap(([name, reasons]) => {
    const told = items.filter(({ regarding }) => regarding.name === name).map(({ reason }) => reason);
    return reasons
      .filter((reason) => !told.includes(reason))
      .map((reason) => `${name}: there should be an event ${reason}, and there are ${told.join(', ') || 'none'}`);
  });
}

async function deliverySecretProblems({ environment, samples }: Demo): Promise<string[]> {
  const { deliverySecretName: name = '' } = only(samples.deliverySecret.jobs);
  const keys = (await secretKeys(environment, name)).toSorted().join(', ');
  return differences(`Secret ${name}`, { keys: 'authHeader, authValue, url, urlV2' }, { keys });
}

/** The file is in the folder with its hash, and was fetched in two parts. */
async function downloadProblems({ environment, samples, resources }: Demo): Promise<string[]> {
  const { atlas, controlPlane } = environment;
  const { delivery, hashes } = resources.get(only(samples.running.jobs).name)?.status ?? {};
  const name = fileNameOf(delivery?.url ?? 'about:blank');
  const file = await readFile(path.join(restoreFolder(controlPlane), name));
  const sha1 = createHash('sha1').update(file).digest('hex');
  const statuses = atlas.files.requests.filter((request) => request.name === name).map(({ status }) => status);
  return [
    ...differences(name, { sha1: hashes?.[0]?.hash ?? 'told by Atlas' }, { sha1 }),
    ...differences(name, { responses: '200, 206' }, { responses: statuses.join(', ') }),
    ...atlas.files.violations,
  ];
}

const DeliverySecret = z.object({ data: z.object({ authValue: z.string() }) });

/** Neither a resource nor the log may hold what opens a download. */
async function secrecyProblems({ environment, samples }: Demo): Promise<string[]> {
  const { deliverySecretName: name = '' } = only(samples.deliverySecret.jobs);
  const secret = DeliverySecret.parse(JSON.parse(await environment.kubectl('get', 'secret', name, '--output=json')));
  const authValue = Buffer.from(secret.data.authValue, 'base64').toString();
  const { clientSecret } = only(samples.credentials.secrets);
  const places: readonly (readonly [place: string, content: string])[] = [
    ['a resource', await environment.kubectl('get', 'lrj', '--output=json')],
    ["the operator's log", JSON.stringify(environment.operator.log) + environment.operator.otherOutput()],
  ];
  return places.flatMap(([place, content]) => [
    ...(content.includes(authValue) ? [`${place} holds the authValue of a download`] : []),
    ...(content.includes(clientSecret) ? [`${place} holds a client secret`] : []),
  ]);
}

const AuditEvent = z.object({
  verb: z.string(),
  requestURI: z.string(),
  user: z.object({ username: z.string() }),
  responseStatus: z.object({ code: z.number() }).optional(),
});

/** The operator is given exactly what it uses: nothing may have been refused to it. */
async function permissionProblems({ environment }: Demo): Promise<string[]> {
  const lines = (await readFile(environment.controlPlane.auditLog, 'utf8')).split('\n');
  // The last one is empty, or still being written.
  const events = lines.slice(0, -1).map((line) => AuditEvent.parse(JSON.parse(line)));
  return events
    .filter(({ user, responseStatus }) => user.username === OPERATOR.user && responseStatus?.code === 403)
    .map(({ verb, requestURI }) => `the API server refused the operator to ${verb} ${requestURI}`);
}
