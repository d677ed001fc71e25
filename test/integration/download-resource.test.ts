import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Limits } from '../../src/download/limits.ts';
import type { JsonObject } from '../support/atlas-simulator/json.ts';
import { contentOf, type Ended, runDownload, temporaryDirectory } from '../support/download-run.ts';
import { eventually } from '../support/eventually.ts';
import { FILE_HEADER, FILE_SHA1, type Put, type PutOptions, putDownload, withHash } from '../support/put-download.ts';
import { NAMESPACE, type Resource, startTestBed, type TestBed } from '../support/test-bed.ts';

let bed: TestBed;
let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
/** May get resources and Secrets of the namespace, as the default Role allows it by name. */
let reader: string;
/** May patch resources, too. */
let requester: string;

beforeAll(async () => {
  bed = await startTestBed({}, { tls: false });
  const { serviceAccountKubeconfig } = bed.controlPlane;
  [reader, requester] = [
    await serviceAccountKubeconfig(NAMESPACE, 'reader'),
    await serviceAccountKubeconfig(NAMESPACE, 'requester'),
  ];
  await grant('reader', ['get']);
  await grant('requester', ['get', 'patch']);
});
beforeEach(async () => {
  directory = await temporaryDirectory();
});
afterEach(async () => {
  delete process.env['KUBECONFIG'];
  await bed.endOperators();
  await directory.remove();
});
afterAll(() => bed?.stop());

async function grant(account: string, verbs: readonly string[]): Promise<void> {
  const path = `/apis/rbac.authorization.k8s.io/v1/namespaces/${NAMESPACE}`;
  const rules = [
    { apiGroups: ['atlasrestore.dev'], resources: ['legacyrestorejobs'], verbs },
    { apiGroups: [''], resources: ['secrets'], verbs: ['get'] },
  ];
  const subjects = [{ kind: 'ServiceAccount', name: account, namespace: NAMESPACE }];
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: account };
  const { request } = bed.controlPlane;
  await request('POST', `${path}/roles`, { metadata: { name: account }, rules });
  await request('POST', `${path}/rolebindings`, { metadata: { name: account }, roleRef, subjects });
}

function run(
  name: string,
  args: readonly string[] = [],
  { kubeconfig = reader, limits = {} }: { readonly kubeconfig?: string; readonly limits?: Partial<Limits> } = {},
): Promise<Ended> {
  process.env['KUBECONFIG'] = kubeconfig;
  return runDownload({ limits, args: [`--resource=${name}`, '--directory', directory.path, ...args], env: {} });
}

let names = 0;
/** A resource of a job with a file. */
async function create(options: PutOptions, spec: Readonly<Record<string, unknown>> = {}) {
  const download = putDownload({ atlas: bed.atlas }, options);
  names += 1;
  const name = `download-${names}`;
  return { download, name, resource: await bed.create(name, { ...download.job, ...spec }) };
}

/** Writes a status as an operator would. */
async function mirror({ metadata }: Resource, { delivery, ...job }: JsonObject, more: JsonObject = {}): Promise<void> {
  const { authValue: _authValue, ...mirrored } = asObject(delivery);
  const status = { observedGeneration: 1, ...job, delivery: mirrored, ...more };
  const path = `/apis/atlasrestore.dev/v1/namespaces/${NAMESPACE}/legacyrestorejobs/${metadata.name}/status`;
  const answer = await bed.controlPlane.request('PATCH', path, { status });
  expect(answer.status).toBe(200);
}

const asObject = (value: unknown): Readonly<Record<string, never>> =>
  typeof value === 'object' && value !== null ? { ...value } : {};

async function createSecret(name: string, { metadata }: Resource, uid = metadata.uid): Promise<void> {
  const owner = { apiVersion: 'atlasrestore.dev/v1', kind: 'LegacyRestoreJob', name: metadata.name, uid };
  const download = downloads.get(metadata.name);
  const { url = '', urlV2 = '' } = asObject(download?.body['delivery']);
  const stringData = { url, urlV2, authHeader: FILE_HEADER.name, authValue: FILE_HEADER.value };
  const body = { metadata: { name, ownerReferences: [owner] }, stringData };
  const answer = await bed.controlPlane.request('POST', `/api/v1/namespaces/${NAMESPACE}/secrets`, body);
  expect(answer.status).toBe(201);
}
const downloads = new Map<string, Put>();

const filesOf = async (download: Put): Promise<readonly string[]> =>
  Object.keys(await contentOf(directory.path)).map((file) => file.replace(download.name, 'NAME'));

describe('with an operator', () => {
  test('from the delivery Secret, with the rights to read alone, and without a word about what it may not do', async () => {
    await bed.startOperator({ DEFAULT_INTERVAL: '10s' });
    const { download, name } = await create({ hash: 'known' }, { deliverySecretName: 'friday-download' });
    const { exitCode, stdout, stderr } = await run(name, ['--wait', '-o', 'json']);
    expect({ exitCode, stderr: stderr.replaceAll(/^(waiting: .*|asking the download host|.*B\/s.*)\n/gm, '') }).toEqual(
      {
        exitCode: 0,
        stderr: '',
      },
    );
    expect(JSON.parse(stdout)).toMatchObject({ sha1: FILE_SHA1, verified: true });
    expect(await filesOf(download)).toEqual(['NAME', 'NAME.sha1']);
    expect(bed.atlas.files.requests.find((request) => request.name === download.name)?.hasHeader).toBe(true);
  });

  test('the hash that Atlas tells after the download is asked for, where it may be', async () => {
    await bed.startOperator({ DEFAULT_INTERVAL: '10s' });
    const { download, name } = await create({});
    expect(await run(`${NAMESPACE}/${name}`, ['--wait'], { kubeconfig: requester })).toMatchObject({ exitCode: 0 });
    expect(await filesOf(download)).toEqual(['NAME', 'NAME.sha1']);
    expect((await bed.get(name)).metadata).toMatchObject({
      annotations: { 'atlasrestore.dev/requestedAt': expect.any(String) },
    });
  });
});

describe('without one', () => {
  test('from status: url, where the value of the header is not there', async () => {
    const { download, name, resource } = await create({});
    await mirror(resource, withHash(download.body, download.name, FILE_SHA1));
    expect(await run(name)).toMatchObject({ exitCode: 0 });
    expect(await filesOf(download)).toEqual(['NAME', 'NAME.sha1']);
  });

  test.each<[string, JsonObject, JsonObject]>([
    ['urlV2 alone', { url: null }, {}],
    ['a URL that is withheld', { url: null, urlV2: null }, { urlWithheld: true }],
  ])('%s in status: exit code 2 and the field that helps', async (_what, delivery, status) => {
    const { download, name, resource } = await create({ delivery });
    await mirror(resource, download.body, status);
    const { exitCode, stderr } = await run(name, ['--wait']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining('deliverySecretName') });
  });

  test('a delivery Secret that is missing: exit code 11, or waited for', async () => {
    const { download, name, resource } = await create({}, { deliverySecretName: 'late-download' });
    downloads.set(name, download);
    await mirror(resource, withHash(download.body, download.name, FILE_SHA1));
    expect(await run(name)).toMatchObject({ exitCode: 11, stderr: expect.stringContaining('payments/late-download') });
    const running = run(name, ['--wait']);
    await createSecret('late-download', resource);
    expect(await running).toMatchObject({ exitCode: 0 });
  });

  test('a delivery Secret of somebody else: exit code 2', async () => {
    const { download, name, resource } = await create({}, { deliverySecretName: 'foreign-download' });
    await createSecret('foreign-download', resource, '00000000-0000-0000-0000-000000000000');
    await mirror(resource, download.body);
    const { exitCode, stderr } = await run(name, ['--wait']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining('does not belong') });
    expect(download.requests()).toEqual([]);
  });

  test('a resource that is not there: exit code 6, or waited for', async () => {
    expect(await run('missing')).toMatchObject({ exitCode: 6, stderr: expect.stringContaining('payments/missing') });
    expect(await run('missing', ['--wait', '--timeout=1s'])).toMatchObject({ exitCode: 3 });
  });

  test('a resource that nobody has fetched says why it waits', async () => {
    const { name } = await create({});
    const { exitCode, stderr } = await run(name, ['--wait', '--timeout=1s']);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 3,
      stderr: expect.stringContaining('waiting: no status; The operator has not fetched the job yet.'),
    });
  });

  test('no rights: exit code 5, with what the API server says', async () => {
    const stranger = await bed.controlPlane.serviceAccountKubeconfig(NAMESPACE, 'stranger');
    const { exitCode, stderr } = await run('any', ['--wait'], { kubeconfig: stranger });
    expect({ exitCode, stderr }).toEqual({ exitCode: 5, stderr: expect.stringContaining('cannot get resource') });
  });

  test('an API server that is away is waited for, but no longer than --timeout', async () => {
    const { download, name, resource } = await create({});
    await mirror(resource, withHash(download.body, download.name, FILE_SHA1));
    await bed.controlPlane.killApiServer('SIGKILL');
    expect(await run(name, ['--wait', '--timeout=1s'])).toMatchObject({ exitCode: 1 });
    // It answers 403 before it knows its roles.
    const running = run(name, ['--wait'], { limits: { rights: 30_000 } });
    await bed.controlPlane.startApiServer();
    expect(await running).toMatchObject({ exitCode: 0 });
    await eventually('the file is there', async () => expect(await filesOf(download)).toEqual(['NAME', 'NAME.sha1']));
  });
});
