import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { TOKEN_PREFIX } from '../support/atlas-simulator/access-tokens.ts';
import { failing } from '../support/atlas-simulator/fault-samples.ts';
import { atlasDate, readyDownload, urlV2Download, youngJob } from '../support/atlas-simulator/recorded-bodies.ts';
import { eventually } from '../support/eventually.ts';
import { fastClock } from '../support/fast-clock.ts';
import { PROGRAM } from '../support/program.ts';
import { conditionOf, GROUP_ID, NAMESPACE, newJobId, putJob, startTestBed, type TestBed } from '../support/test-bed.ts';

const TOMORROW = atlasDate(Date.now() + 86_400_000);

let bed: TestBed;
/** It takes half a minute, in which the other tests run. */
let everywhere: Promise<void>;
beforeAll(async () => {
  bed = await startTestBed();
  everywhere = searchEverywhere();
  everywhere.catch(() => {});
});
afterAll(() => bed?.stop());

/** Values that stand nowhere but where they belong. */
const CANARIES = {
  privateKey: 'canary-private-key-0b1c2d3e',
  wrongPrivateKey: 'canary-wrong-key-4f506172',
  clientSecret: 'mdb_sa_sk_canary-client-secret',
  wrongClientSecret: 'mdb_sa_sk_canary-wrong-secret',
} as const;

describe('what cannot be used is named without what stands there', () => {
  /** A kubeconfig in which only the canaries are secret. */
  const kubeconfigWith = (cluster: Readonly<Record<string, string>>, user: unknown): string =>
    JSON.stringify({
      'current-context': 'x',
      contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
      clusters: [{ name: 'x', cluster: { server: 'https://127.0.0.1:1', ...cluster } }],
      users: [{ name: 'x', user }],
    });
  const USER = { token: 'canary-token' } as const;
  const plugin = (script: string) => ({
    exec: { command: '/bin/sh', args: ['-c', script, '--token=canary-arg'], env: [{ name: 'A', value: 'canary-env' }] },
  });

  test.concurrent.each<[string, string, Readonly<Record<string, string>>]>([
    ['a kubeconfig with a wrong indentation', 'users:\n- user:\n    token: canary-token\n   as: canary', {}],
    ['a kubeconfig with an alias that is none', 'users:\n- user:\n    token: *canary-token', {}],
    ['a kubeconfig with a wrong type', kubeconfigWith({}, { token: ['canary-token'] }), {}],
    ['a server that is no URL', kubeconfigWith({ server: 'https//user:canary-password@host' }, USER), {}],
    ['a server with a password', kubeconfigWith({ server: 'https://user:canary-password@127.0.0.1:1' }, USER), {}],
    ['a proxy-url that is no URL', kubeconfigWith({ 'proxy-url': 'http://u:canary-password@h:99999' }, USER), {}],
    [
      'a proxy-url that nobody listens on',
      kubeconfigWith({ server: 'https://10.0.0.1', 'proxy-url': 'http://u:canary-password@127.0.0.1:1' }, USER),
      {},
    ],
    ['a plugin that fails', kubeconfigWith({}, plugin('echo "$A $*" "$0" "Bearer canary-bearer" >&2; exit 1')), {}],
    ['a plugin that prints nonsense', kubeconfigWith({}, plugin('echo "token=canary-token"; echo $A >&2')), {}],
    ['a proxy variable that is no URL', kubeconfigWith({}, USER), { HTTPS_PROXY: 'http://u:canary-password@h:99999' }],
    ['a proxy variable with a bad escape', kubeconfigWith({}, USER), { HTTP_PROXY: 'http://u:canary-%zz@h' }],
  ])('%s', async (_name, content, env) => {
    const file = path.join(bed.controlPlane.dir, `broken-kubeconfig-${newJobId()}`);
    await writeFile(file, content);
    const ids = [`--group-id=${GROUP_ID}`, '--cluster-name=x', `--job-id=${newJobId()}`, '--secret=default/x'];
    const variables = { PATH: process.env['PATH'] ?? '', HOME: '/nowhere', KUBECONFIG: file, ...env };
    const outputs = await Promise.all([
      outputOf(['get', ...ids], variables),
      outputOf(['run', '--log-level=trace', '--http-bind-address=127.0.0.1:0'], variables),
    ]);
    for (const output of outputs) {
      expect(output).not.toBe('');
      expect(output).not.toContain('canary');
    }
  });

  /** All that a command writes until it ends, or within some seconds of its first word. */
  async function outputOf(args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
    const child = spawn(process.execPath, [PROGRAM, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let timer: NodeJS.Timeout | undefined;
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        timer ??= setTimeout(() => child.kill('SIGTERM'), 3_000);
      });
    await once(child, 'close');
    clearTimeout(timer);
    return output;
  }
});

test('no secret reaches a log line, an event, a metric, a probe or a condition', () => everywhere);

async function searchEverywhere(): Promise<void> {
  const clientId = 'mdb_sa_id_0123456789abcdef01234567';
  bed.atlas.addApiKey({ publicKey: 'canaries', privateKey: CANARIES.privateKey, groupIds: [GROUP_ID] });
  bed.atlas.addServiceAccount({ clientId, clientSecret: CANARIES.clientSecret, groupIds: [GROUP_ID] });
  await bed.createSecret('key', { publicApiKey: 'canaries', privateApiKey: CANARIES.privateKey });
  await bed.createSecret('wrong-key', { publicApiKey: 'canaries', privateApiKey: CANARIES.wrongPrivateKey });
  await bed.createSecret('account', { clientId, clientSecret: CANARIES.clientSecret });
  await bed.createSecret('wrong-account', { clientId, clientSecret: CANARIES.wrongClientSecret });
  await bed.createSecret('half', { privateApiKey: CANARIES.privateKey });
  await bed.createSecret('taken', { url: 'x' });
  // Credentials that do not work are expected to be corrected for a minute.
  const operator = await bed.startOperator({ LOG_LEVEL: 'trace', ...fastClock(0.1) });

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
}

test('a policy that repeats the download of the Secret that it refuses', async () => {
  const name = 'repeats-secrets';
  const api = 'admissionregistration.k8s.io/v1';
  const rule = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['secrets'] };
  const policy = {
    apiVersion: api,
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name },
    spec: {
      matchConstraints: { resourceRules: [rule] },
      validations: [
        {
          expression: "object.metadata.name != 'refused-download'",
          messageExpression: "'not with ' + string(object.data['urlV2']) + ' and ' + string(object.data['authValue'])",
        },
      ],
    },
  };
  const binding = {
    apiVersion: api,
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name },
    spec: { policyName: name, validationActions: ['Deny'] },
  };
  const list = { apiVersion: 'v1', kind: 'List', items: [policy, binding] };
  await bed.controlPlane.kubectlRun(['apply', '-f', '-'], { stdin: JSON.stringify(list) });
  await eventually('the policy refuses', async () => {
    const metadata = { name: 'refused-download' };
    const url = '/api/v1/namespaces/payments/secrets?dryRun=All';
    expect((await bed.controlPlane.request('POST', url, { metadata })).status).toBeGreaterThan(400);
  });
  const job = putJob(bed.atlas, (ids) => urlV2Download(ids, TOMORROW));
  const operator = await bed.startOperator({ LOG_LEVEL: 'trace' });
  await bed.create('refused', { jobId: job.jobId, deliverySecretName: 'refused-download' });
  const told = await eventually('the refusal is told', async () => {
    const text = JSON.stringify([operator.log, await bed.get('refused')]);
    expect(text).toContain('not with [redacted] and [redacted]');
    return text;
  });
  await operator.stop();
  await bed.controlPlane.kubectlRun(['delete', `${binding.kind}/${name}`]);
  const value = `key-of-${job.jobId}`;
  for (const secret of [value, Buffer.from(value).toString('base64'), 'api-backup.mongodb.com']) {
    expect(told).not.toContain(secret);
  }
});
