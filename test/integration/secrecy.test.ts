import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { TOKEN_PREFIX } from '../support/atlas-simulator/access-tokens.ts';
import { failing } from '../support/atlas-simulator/fault-samples.ts';
import { atlasDate, readyDownload, urlV2Download, youngJob } from '../support/atlas-simulator/recorded-bodies.ts';
import { conditionOf, GROUP_ID, NAMESPACE, putJob, startTestBed, type TestBed } from '../support/test-bed.ts';

const TOMORROW = atlasDate(Date.now() + 86_400_000);

let bed: TestBed;
beforeAll(async () => {
  bed = await startTestBed();
});
afterAll(() => bed?.stop());

/** Values that stand nowhere but where they belong. */
const CANARIES = {
  privateKey: 'canary-private-key-0b1c2d3e',
  wrongPrivateKey: 'canary-wrong-key-4f506172',
  clientSecret: 'mdb_sa_sk_canary-client-secret',
  wrongClientSecret: 'mdb_sa_sk_canary-wrong-secret',
} as const;

test('no secret reaches a log line, an event, a metric, a probe or a condition', async () => {
  const clientId = 'mdb_sa_id_0123456789abcdef01234567';
  bed.atlas.addApiKey({ publicKey: 'canaries', privateKey: CANARIES.privateKey, groupIds: [GROUP_ID] });
  bed.atlas.addServiceAccount({ clientId, clientSecret: CANARIES.clientSecret, groupIds: [GROUP_ID] });
  await bed.createSecret('key', { publicApiKey: 'canaries', privateApiKey: CANARIES.privateKey });
  await bed.createSecret('wrong-key', { publicApiKey: 'canaries', privateApiKey: CANARIES.wrongPrivateKey });
  await bed.createSecret('account', { clientId, clientSecret: CANARIES.clientSecret });
  await bed.createSecret('wrong-account', { clientId, clientSecret: CANARIES.wrongClientSecret });
  await bed.createSecret('half', { privateApiKey: CANARIES.privateKey });
  await bed.createSecret('taken', { url: 'x' });
  const operator = await bed.startOperator({ LOG_LEVEL: 'trace' });

  const download = putJob(bed.atlas, (job) => readyDownload(job, TOMORROW));
  const secretDownload = putJob(bed.atlas, (job) => urlV2Download(job, TOMORROW));
  const failingJob = putJob(bed.atlas, youngJob);
  const running = putJob(bed.atlas, youngJob);
  bed.atlas.faults.add({ match: { jobId: failingJob.jobId }, fault: failing(500, 'UNEXPECTED_ERROR') });

  const expected: ReadonlyArray<readonly [string, { jobId: string }, string, string | undefined, string]> = [
    ['plain', download, 'key', undefined, 'True JobFetched'],
    ['in-secret', secretDownload, 'key', 'delivered', 'True JobFetched'],
    ['in-taken-secret', secretDownload, 'key', 'taken', 'False DeliverySecretConflict'],
    ['by-account', running, 'account', undefined, 'True JobFetched'],
    ['with-wrong-key', running, 'wrong-key', undefined, 'False Unauthorized'],
    ['with-wrong-account', running, 'wrong-account', undefined, 'False Unauthorized'],
    ['with-half-a-key', running, 'half', undefined, 'False SecretInvalid'],
    ['failing', failingJob, 'key', undefined, 'Unknown AtlasUnavailable'],
  ];
  for (const [name, { jobId }, secret, deliverySecretName] of expected) {
    await bed.create(name, {
      jobId,
      credentialsSecretRef: { name: secret },
      ...(deliverySecretName === undefined ? {} : { deliverySecretName }),
    });
  }
  // Credentials that do not work are expected to be corrected for a minute.
  for (const [name, , , , synced] of expected) {
    await bed.until(name, synced, (resource) => conditionOf(resource, 'Synced') === synced, NAMESPACE, 90_000);
  }
  // The API server goes away in the middle: network errors are where requests are logged by mistake.
  await bed.controlPlane.killApiServer('SIGKILL');
  await operator.waitForLog(({ cause }) => cause !== undefined);
  await bed.controlPlane.startApiServer();
  await bed.reconcile('plain');
  // The level that is reached while it runs must be as discreet as the one it was started with.
  await operator.kill('SIGUSR2');
  await operator.waitForLog(({ msg }) => msg === 'the log level is debug now');
  const before = operator.log.length;
  for (const [name] of expected) await bed.reconcile(name);
  expect(operator.log.slice(before).filter(({ level }) => level === 'debug').length).toBeGreaterThan(expected.length);

  const pages = await Promise.all(
    ['metrics', 'readyz', 'livez'].map(async (path) => (await fetch(`${operator.url}/${path}`)).text()),
  );
  const events = await bed.controlPlane.kubectlRun(['get', 'events', '-A', '-o', 'json']);
  const resources = (await bed.controlPlane.kubectlRun(['get', 'lrj', '-A', '-o', 'json'])).replace(
    /"(url|urlV2)": "[^"]*"/g,
    '',
  );
  const audit = await readFile(bed.controlPlane.auditLog, 'utf8');
  expect(await operator.stop()).toBe(0);
  expect(operator.log.length).toBeGreaterThan(5);
  const everything = [JSON.stringify(operator.log), operator.otherOutput(), ...pages, events, resources, audit].join(
    '\n',
  );

  const forbidden = [
    ...Object.values(CANARIES),
    ...Object.values(CANARIES).map((value) => Buffer.from(value).toString('base64')),
    `key-of-${secretDownload.jobId}`,
    'https://api-backup.mongodb.com',
    TOKEN_PREFIX,
    'Bearer ',
    'response=',
  ];
  for (const secret of forbidden) expect(everything).not.toContain(secret);
  // The URL stands in exactly the status that may hold it.
  expect((await bed.get('plain')).status.delivery?.url).toContain('https://api-backup.mongodb.com');
  expect((await bed.get('in-secret')).status.delivery).not.toHaveProperty('url');
});
