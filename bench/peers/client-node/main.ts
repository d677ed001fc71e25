/**
 * The operator's work on @kubernetes/client-node's own informer and API classes: the peer that shows what the
 * operator's own layer over the API server brings.
 *
 * The environment says what to do: KUBECONFIG, ATLAS_BASE_URL, CONCURRENCY.
 */
import { isDeepStrictEqual } from 'node:util';
import {
  CoreV1Api,
  CustomObjectsApi,
  EventsV1Api,
  KubeConfig,
  makeInformer,
  PatchStrategy,
  type RequestContext,
  setHeaderOptions,
  V1MicroTime,
} from '@kubernetes/client-node';
import { Agent, type Dispatcher } from 'undici';
import { parseDuration } from '../../../src/api/duration.ts';
import {
  type ApiKey,
  createAtlas,
  type EventBody,
  environment,
  eventAfter,
  hasEnded,
  type Resource,
  type Status,
  statusAfter,
} from '../mirror.ts';

const RESOURCES = { group: 'atlasrestore.dev', version: 'v1', plural: 'legacyrestorejobs' } as const;
/** Milliseconds that a Secret is not read again. */
const CREDENTIALS_MS = 30_000;
const RETRY_MS = 2_000;

/** As it is published, client-node opens a connection for each request; with one dispatcher it keeps them. */
class KeepAliveKubeConfig extends KubeConfig {
  #dispatcher: Dispatcher | undefined;

  override async applySecurityAuthentication(context: RequestContext): Promise<void> {
    await super.applySecurityAuthentication(context);
    this.#dispatcher ??= context.getDispatcher();
    if (this.#dispatcher !== undefined) context.setDispatcher(this.#dispatcher);
  }
}

const concurrency = Number(environment('CONCURRENCY'));
const config = new KeepAliveKubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(CoreV1Api);
const customObjects = config.makeApiClient(CustomObjectsApi);
const events = config.makeApiClient(EventsV1Api);
const fetchJob = createAtlas(environment('ATLAS_BASE_URL'), new Agent({ connections: concurrency }));
const keys = new Map<string, { readonly readAt: number; readonly key: Promise<ApiKey> }>();

const waiting = new Set<string>();
const active = new Set<string>();

const informer = makeInformer<Resource>(
  config,
  `/apis/${RESOURCES.group}/${RESOURCES.version}/${RESOURCES.plural}`,
  () => customObjects.listClusterCustomObject(RESOURCES),
);
informer.on('add', (resource) => add(keyOf(resource)));
informer.on('update', (resource) => {
  if (resource.status?.observedGeneration !== resource.metadata.generation) add(keyOf(resource));
});
informer.on('error', (error: unknown) => {
  log('warn', 'listing and watching again', { error: String(error) });
  setTimeout(() => void informer.start(), RETRY_MS);
});
void informer.start();

// The queue: one reconcile of a resource at a time

function add(key: string): void {
  waiting.add(key);
  work();
}

function work(): void {
  for (const key of waiting) {
    if (active.size >= concurrency) return;
    if (active.has(key)) continue;
    waiting.delete(key);
    active.add(key);
    void processKey(key);
  }
}

async function processKey(key: string): Promise<void> {
  try {
    const afterMs = await reconcile(key);
    if (afterMs !== undefined) setTimeout(() => add(key), afterMs);
  } catch (error) {
    log('warn', 'the reconcile failed', { key, error: String(error) });
    setTimeout(() => add(key), RETRY_MS);
  }
  active.delete(key);
  work();
}

// One reconcile

/** Milliseconds until the next reconcile; undefined when there is none. */
async function reconcile(key: string): Promise<number | undefined> {
  const [namespace = '', name = ''] = key.split('/');
  const resource = informer.get(name, namespace);
  if (resource === undefined) return undefined;
  const { metadata, spec, status: previous } = resource;
  if (previous?.observedGeneration === metadata.generation && hasEnded(previous)) return undefined;
  const answer = await fetchJob(await keyFor(namespace, spec.credentialsSecretRef.name), spec);
  const status = statusAfter(answer, resource);
  if (!isDeepStrictEqual(status, previous)) await write(resource, status);
  return hasEnded(status) ? undefined : (parseDuration(spec.interval) ?? 60_000) * (0.9 + Math.random() / 5);
}

function keyFor(namespace: string, name: string): Promise<ApiKey> {
  const known = keys.get(`${namespace}/${name}`);
  if (known !== undefined && performance.now() - known.readAt < CREDENTIALS_MS) return known.key;
  const key = readKey(namespace, name);
  keys.set(`${namespace}/${name}`, { readAt: performance.now(), key });
  return key;
}

async function readKey(namespace: string, name: string): Promise<ApiKey> {
  const { data = {} } = await core.readNamespacedSecret({ namespace, name });
  const decode = (key: string): string => Buffer.from(data[key] ?? '', 'base64').toString();
  return { publicApiKey: decode('publicApiKey'), privateApiKey: decode('privateApiKey') };
}

async function write(resource: Resource, status: Status): Promise<void> {
  const { namespace, name, resourceVersion } = resource.metadata;
  await customObjects.patchNamespacedCustomObjectStatus(
    { ...RESOURCES, namespace, name, body: { metadata: { resourceVersion }, status } },
    setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
  );
  log('info', 'status changed', {
    namespace,
    name,
    statusName: status.statusName,
    ready: status.conditions?.[0]?.reason,
  });
  const event = eventAfter(status, resource, 'client-node');
  if (event !== undefined) void record(event);
}

async function record(event: EventBody): Promise<void> {
  const body = { ...event, eventTime: new V1MicroTime() };
  try {
    await events.createNamespacedEvent({ namespace: event.metadata.namespace, body });
  } catch (error) {
    log('warn', 'an event could not be written', { error: String(error) });
  }
}

function keyOf({ metadata: { namespace, name } }: Resource): string {
  return `${namespace}/${name}`;
}

function log(level: 'info' | 'warn', msg: string, fields: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify({ level, msg, time: new Date().toISOString(), ...fields })}\n`);
}
