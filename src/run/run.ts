/** The command `run`: builds the parts and owns their lifecycle, which lifecycle.ts describes. */
import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import { hostname } from 'node:os';
import packageJson from '../../package.json' with { type: 'json' };
import { serverName } from '../api/atlas-api.ts';
import { GROUP, type LegacyRestoreJob, namesOf, PLURAL } from '../api/legacy-restore-job.ts';
import { type AtlasClient, createAtlasClient } from '../atlas/client.ts';
import { announcedDate } from '../atlas/deprecation.ts';
import type { Settings } from '../config/settings.ts';
import { type Controller, createController } from '../controller/controller.ts';
import { createSchemaCheck, type SchemaCheck } from '../controller/installed-schema.ts';
import { collectionPath, LEGACY_RESTORE_JOB, toLegacyRestoreJob } from '../controller/legacy-restore-jobs.ts';
import { createQueue, type Queue } from '../controller/queue.ts';
import { observeQueue } from '../controller/queue-metrics.ts';
import { createKubeClient, type KubeClient } from '../kube/client.ts';
import { createEventRecorder, type EventRecorder } from '../kube/events.ts';
import { type LeaderElection, livenessProblems } from '../kube/lease.ts';
import { createMultiNamespaceCache, type MultiNamespaceCache } from '../kube/multi-namespace-cache.ts';
import { startHealthServer } from '../telemetry/health-server.ts';
import { errorFields, type Logger } from '../telemetry/log.ts';
import { CONTROLLER, codeClass, createMetrics, type Metrics } from '../telemetry/metrics.ts';
import { collectNodeMetrics } from '../telemetry/node-metrics.ts';
import type { Context } from './context.ts';
import { createElection, whileLeading } from './election.ts';
import { LeaseLostError, StoppedError, StopTimeoutError } from './errors.ts';
import { createLifecycle, type LifecycleVariable, type StopCause } from './lifecycle.ts';
import { duringLifetime } from './lifetime.ts';

/** How long a stop waits for running reconciles, in milliseconds: within the 30 s that Kubernetes gives a pod. */
export const STOP_MS = 20_000;

/**
 * Runs the operator until it is told to stop; resolves with the exit code. Rejects with KubeConfigError when there is
 * no usable kubeconfig, and with the error of the bind when the address cannot be bound.
 */
export async function run(settings: Settings, log: Logger, stop: AbortSignal): Promise<number> {
  const { version } = packageJson;
  const metrics = createMetrics(version);
  const identity = `${hostname()}_${randomUUID()}`;
  const client = createClient(metrics);
  const context: Context = { settings, log, metrics, client };
  const lifecycle = createLifecycle(log);
  // Ends everything that talks, at once. A stop ends most of it in order instead.
  const lifetime = new AbortController();
  const election = settings.leaderElect
    ? createElection(context, identity, () => lifetime.abort(new LeaseLostError()))
    : undefined;
  const mortal = duringLifetime(client, lifetime.signal);
  const writer = election === undefined ? mortal : whileLeading(mortal, election);
  const schema = createSchemaCheck({ client, log, version });
  const cache = createCache(context, schema.checkSoon);
  const queue = createQueue({ concurrency: settings.concurrency, observer: observeQueue(metrics) });
  metrics.maxConcurrentReconciles.set({ controller: CONTROLLER }, settings.concurrency);
  const events = createEvents(context, writer, identity, lifetime.signal);
  const controller = createController({
    client: writer,
    cache,
    queue,
    atlas: createAtlas(context, lifetime.signal, (key) => queue.add(key, 'due')),
    events,
    log,
    metrics,
    signal: lifetime.signal,
    missingFields: schema.missingFields,
    ...settings,
  });
  const parts: Parts = { lifecycle, election, schema, cache, queue, controller };
  const server = await serve(context, parts);
  lifecycle.enter({ kind: 'syncing' });
  log.info(
    { atlas: settings.atlasBaseUrl, namespaces: settings.namespaces, labelSelector: settings.labelSelector },
    `legacy-restore-operator ${version} started`,
  );

  const ending = AbortSignal.any([stop, lifetime.signal]);
  const stopping = untilStopping(parts, ending, lifetime.signal);
  const running = [cache.run(ending, controller.onChange), schema.run(ending), lead(parts, lifetime.signal)];
  const cause = await stopping;
  const late = setTimeout(() => lifetime.abort(new StopTimeoutError()), STOP_MS);
  await controller.stop();
  await events.drain();
  // Only now may another replica begin: nothing of ours is on its way any more.
  lifetime.abort(new StoppedError());
  await Promise.allSettled(running);
  clearTimeout(late);
  await client.close();
  server.close();
  server.closeAllConnections();
  lifecycle.enter({ kind: 'stopped', cause });
  return cause === 'signal' ? 0 : 1;
}

interface Parts {
  readonly lifecycle: LifecycleVariable;
  readonly election: LeaderElection | undefined;
  readonly schema: SchemaCheck;
  readonly cache: MultiNamespaceCache<LegacyRestoreJob>;
  readonly queue: Queue;
  readonly controller: Controller;
}

/** Starts the workers once the cache is synced, the installed schema was looked at and this replica is the leader. */
async function lead({ lifecycle, election, schema, cache, controller }: Parts, lifetime: AbortSignal): Promise<void> {
  const synced = Promise.all([cache.synced, schema.checked]);
  const startWorkers = (): void => {
    void synced.then(() => {
      if (lifecycle.enter({ kind: 'running', resources: cache.size() })) controller.start();
    });
  };
  if (election === undefined) {
    startWorkers();
    return;
  }
  void synced.then(() => {
    if (election.writableForMs() === 0) lifecycle.enter({ kind: 'standby' });
  });
  await election.run(lifetime, startWorkers);
}

/** Resolves with the cause when a stop begins. No worker can start after that. */
function untilStopping({ lifecycle, queue }: Parts, ending: AbortSignal, lifetime: AbortSignal): Promise<StopCause> {
  const { promise, resolve } = Promise.withResolvers<StopCause>();
  const begin = (): void => {
    const cause = lifetime.aborted ? 'leaseLost' : 'signal';
    lifecycle.enter({ kind: 'stopping', cause, reconciles: queue.active() });
    resolve(cause);
  };
  if (ending.aborted) begin();
  else ending.addEventListener('abort', begin, { once: true });
  return promise;
}

function createClient(metrics: Metrics): KubeClient {
  return createKubeClient({
    userAgent: `legacy-restore-operator/${packageJson.version}`,
    onRequest: ({ method, status, durationMs }) => {
      // client-go's word for a request without a response.
      metrics.kubeRequests.inc({ method, code: status === 0 ? '<error>' : String(status) });
      metrics.kubeSeconds.observe({ verb: method }, durationMs / 1_000);
    },
  });
}

function createCache(
  { settings, log, metrics, client }: Context,
  onDisturbed: () => void,
): MultiNamespaceCache<LegacyRestoreJob> {
  return createMultiNamespaceCache({
    client,
    log,
    namespaces: settings.namespaces,
    labelSelector: settings.labelSelector,
    resource: { ...LEGACY_RESTORE_JOB, plural: PLURAL },
    collectionPath,
    transform: (object) =>
      toLegacyRestoreJob(object, (resource, fields) =>
        log.warn(
          { ...namesOf(resource), fields },
          'a resource cannot be read and is left alone: is the CustomResourceDefinition of this version installed?',
        ),
      ),
    observer: {
      listed: (kind, objects) => {
        metrics.watchLists.inc({ kind });
        metrics.watchListObjects.set(objects);
      },
      interrupted: (cause) => metrics.watchInterruptions.inc({ cause }),
      disturbed: onDisturbed,
    },
  });
}

function createEvents(
  { log, metrics }: Context,
  client: KubeClient,
  instance: string,
  signal: AbortSignal,
): EventRecorder {
  return createEventRecorder({
    client,
    signal,
    controller: `${GROUP}/legacy-restore-operator`,
    instance,
    action: 'Mirror',
    onWritten: () => metrics.events.inc({ result: 'written' }),
    onFailed: (error) => {
      metrics.events.inc({ result: 'failed' });
      log.debug(errorFields(error), 'an event could not be written');
    },
  });
}

function createAtlas(
  { settings, log, metrics }: Context,
  signal: AbortSignal,
  onReserved: (key: string) => void,
): AtlasClient {
  return createAtlasClient({
    baseUrl: settings.atlasBaseUrl,
    api: settings.atlasApi,
    timeoutMs: settings.atlasTimeout,
    envelope: settings.atlasEnvelope,
    pretty: settings.atlasPretty,
    requestsPerMinute: settings.atlasRequestsPerMinute,
    version: packageJson.version,
    signal,
    onReserved,
    observer: {
      request: ({ endpoint, auth, status, durationMs, requestId }) => {
        metrics.atlasRequests.inc({ endpoint, auth, code: codeClass(status) });
        metrics.atlasSeconds.observe({ endpoint, auth }, durationMs / 1_000);
        const fields = { endpoint, auth, httpStatus: status, durationMs: Math.round(durationMs), requestId };
        log.debug(fields, `a request to ${serverName(settings.atlasApi)}`);
      },
      token: (result) => metrics.tokens.inc({ result }),
      pause: () => metrics.budgetPauses.inc(),
      deprecation: (notice) => {
        const [deprecatedAt, endsAt] = [announcedDate(notice.deprecation), announcedDate(notice.sunset)];
        metrics.apiDeprecated.set(1);
        if (deprecatedAt !== undefined) metrics.apiDeprecation.set(deprecatedAt);
        if (endsAt !== undefined) metrics.apiSunset.set(endsAt);
        log.warn(notice, `${serverName(settings.atlasApi)} marks this version of its API as deprecated`);
      },
    },
  });
}

function serve({ settings, metrics }: Context, parts: Parts): Promise<Server> {
  const { election, schema, cache, controller } = parts;
  const updateNodeMetrics = collectNodeMetrics(metrics.registry);
  return startHealthServer({
    address: settings.httpBindAddress,
    live: () => livenessProblems(election),
    ready: () => readinessProblems(parts),
    notes: () => [...schema.problems(), ...cache.notes()],
    metrics: async () => {
      metrics.crdOutdated.set(schema.missingFields().length === 0 ? 0 : 1);
      metrics.namespacesUnavailable.set(cache.unavailable());
      controller.updateGauges();
      updateNodeMetrics();
      return { body: await metrics.registry.metrics(), contentType: metrics.registry.contentType };
    },
  });
}

/** What /readyz tells: a replica is ready on standby, too, and stays so until it has stopped. */
const readinessProblems = ({ lifecycle, cache }: Parts): readonly string[] =>
  lifecycle.get().kind === 'stopped' ? [] : cache.problems();
