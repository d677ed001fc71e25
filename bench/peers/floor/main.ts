/**
 * The floor: what the exchanges alone cost. A bare loop that lists the resources once and then sends, with the given
 * concurrency, one GET to Atlas and one PATCH to the API server for each, and the event where there is one to write. No
 * watch, no cache, no queue. It stays until it is ended, so that it can be measured.
 */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import * as z from 'zod';
import { type ApiKey, createAtlas, environment, eventAfter, type Resource, statusAfter } from '../mirror.ts';

const RESOURCES = '/apis/atlasrestore.dev/v1';
const EVENTS = '/apis/events.k8s.io/v1';
const PAGE = 500;

const CONTENT_TYPES = {
  GET: {},
  POST: { 'content-type': 'application/json' },
  PATCH: { 'content-type': 'application/json-patch+json' },
};

const Text = z.string();
const KubeConfig = z.object({
  clusters: z.tuple([z.object({ cluster: z.object({ server: Text, 'certificate-authority-data': Text }) })]),
  users: z.tuple([z.object({ user: z.object({ token: Text }) })]),
});
const Secret = z.object({ data: z.object({ publicApiKey: Text, privateApiKey: Text }) });

// The control plane writes its kubeconfigs as JSON.
const { clusters, users } = KubeConfig.parse(JSON.parse(readFileSync(environment('KUBECONFIG'), 'utf8')));
const { server, 'certificate-authority-data': ca } = clusters[0].cluster;
const authorization = `Bearer ${users[0].user.token}`;
const concurrency = Number(environment('CONCURRENCY'));
const kube = new Agent({ connections: concurrency, connect: { ca: Buffer.from(ca, 'base64') }, allowH2: false });
const fetchJob = createAtlas(environment('ATLAS_BASE_URL'), new Agent({ connections: concurrency }));
const keys = new Map<string, Promise<ApiKey>>();

setInterval(() => undefined, 2 ** 30);
// No top-level await: the bundle is CommonJS.
void mirrorAll();

async function mirrorAll(): Promise<void> {
  const resources = await listAll();
  const work = async (): Promise<void> => {
    for (let resource = resources.pop(); resource !== undefined; resource = resources.pop()) await mirror(resource);
  };
  await Promise.all(Array.from({ length: concurrency }, work));
}

async function mirror(resource: Resource): Promise<void> {
  const { metadata, spec } = resource;
  const answer = await fetchJob(await keyOf(metadata.namespace, spec.credentialsSecretRef.name), spec);
  const path = `${RESOURCES}/namespaces/${metadata.namespace}/legacyrestorejobs/${metadata.name}/status`;
  const status = statusAfter(answer, resource);
  await send('PATCH', path, [
    { op: 'replace', path: '/metadata/resourceVersion', value: metadata.resourceVersion },
    { op: 'add', path: '/status', value: status },
  ]);
  const event = eventAfter(status, resource, 'floor');
  if (event === undefined) return;
  // To the microsecond, as metav1.MicroTime is.
  const eventTime = new Date().toISOString().replace('Z', '000Z');
  await send('POST', `${EVENTS}/namespaces/${metadata.namespace}/events`, { ...event, eventTime });
}

async function listAll(): Promise<Resource[]> {
  const all: Resource[] = [];
  for (let token = ''; ; ) {
    const page = toList(await send('GET', `${RESOURCES}/legacyrestorejobs?limit=${PAGE}&continue=${token}`));
    all.push(...page.items);
    token = encodeURIComponent(page.metadata.continue ?? '');
    if (token === '') return all;
  }
}

function keyOf(namespace: string, name: string): Promise<ApiKey> {
  const known = keys.get(namespace) ?? readKey(`/api/v1/namespaces/${namespace}/secrets/${name}`);
  keys.set(namespace, known);
  return known;
}

async function readKey(path: string): Promise<ApiKey> {
  const { data } = Secret.parse(await send('GET', path));
  const decode = (value: string): string => Buffer.from(value, 'base64').toString();
  return { publicApiKey: decode(data.publicApiKey), privateApiKey: decode(data.privateApiKey) };
}

async function send(method: keyof typeof CONTENT_TYPES, path: string, body?: unknown): Promise<unknown> {
  const answer = await request(server + path, {
    method,
    dispatcher: kube,
    headers: { authorization, accept: 'application/json', ...CONTENT_TYPES[method] },
    body: body === undefined ? null : JSON.stringify(body),
  });
  if (answer.statusCode < 300) return answer.body.json();
  throw new Error(`${method} ${path}: ${answer.statusCode} ${await answer.body.text()}`);
}

interface List {
  readonly metadata: { readonly continue?: string };
  readonly items: readonly Resource[];
}

/** Not checked item by item: the floor does nothing that the exchanges do not need. */
function toList(body: unknown): List {
  const isList = (value: unknown): value is List => typeof value === 'object' && value !== null && 'items' in value;
  if (isList(body)) return body;
  throw new Error('the API server answered with no list');
}
