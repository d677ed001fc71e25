/**
 * The command `run`: builds the parts and owns their lifecycle.
 *
 *   starting ──address bound──▶ listing ──all lists complete──▶ standby ──leading, or no election──▶ working
 *   any ──SIGTERM, SIGINT──▶ stopping: no further visit begins, those under way end, the lease is released ──▶ exit 0
 *   working ──lease lost──▶ aborted: another replica leads, nothing more is written ──▶ exit 1
 */
import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import { hostname } from 'node:os';
import packageJson from '../package.json' with { type: 'json' };
import { createAtlasClient } from './atlas/client.ts';
import type { Settings } from './config/settings.ts';
import { type Controller, createController, type LegacyRestoreJobs } from './controller/controller.ts';
import { createEventRecorder } from './kube/events.ts';
import { createSchemaCheck, type SchemaCheck } from './kube/installed-schema.ts';
import { createInterruptionLog, type InterruptionLog } from './kube/interruption-log.ts';
import { createLeaderElection, type LeaderElection, livenessProblems } from './kube/lease.ts';
import { collectionPath, keepLegacyRestoreJob, type LegacyRestoreJob, namesOf } from './kube/legacy-restore-jobs.ts';
import { type Change, createReflector, type Reflector } from './kube/reflector.ts';
import { createSession, type KubeSession } from './kube/session.ts';
import { startHttpServer } from './telemetry/http-server.ts';
import { errorFields, type Logger } from './telemetry/log.ts';
import { codeClass, createMetrics, type Metrics } from './telemetry/metrics.ts';
import { collectNodeMetrics } from './telemetry/node-metrics.ts';

/** How long a stop waits for visits under way, in milliseconds: within the 30 s that Kubernetes gives a pod. */
export const STOP_MS = 20_000;

/**
 * Runs the operator until it is told to stop; resolves with the exit code. Rejects with KubeConfigError when there is
 * no usable kubeconfig, and with the error of the bind when the address cannot be had.
 */
export async function run(settings: Settings, log: Logger, stop: AbortSignal): Promise<number> {
  const { version } = packageJson;
  const metrics = createMetrics(version);
  const identity = `${hostname()}_${randomUUID()}`;
  const session = createSession({
    userAgent: `legacy-restore-operator/${version}`,
    onRequest: ({ method, status, durationMs }) => {
      // client-go's word for a request without an answer.
      metrics.kubeRequests.inc({ method, code: status === 0 ? '<error>' : String(status) });
      metrics.kubeSeconds.observe({ verb: method }, durationMs / 1_000);
    },
  });
  // Ends everything that talks, at once. A stop ends most of it in order instead.
  const lifetime = new AbortController();
  const election = settings.leaderElect
    ? createElection(settings, session, identity, log, metrics, lifetime)
    : undefined;
  const writing = election === undefined ? session : whileLeading(session, election);

  let controller: Controller | undefined;
  const schema = createSchemaCheck({ session, log, version });
  const watches = createWatches(settings, session, log, metrics, schema, (change) => controller?.onChange(change));
  const events = createEventRecorder({
    session: writing,
    instance: identity,
    onWritten: () => metrics.events.inc({ result: 'written' }),
    onFailed: (error) => {
      metrics.events.inc({ result: 'failed' });
      log.debug(errorFields(error), 'an event could not be written');
    },
  });
  controller = createController({
    session: writing,
    jobs: watches.jobs,
    atlas: (onTurn) => createAtlas(settings, log, metrics, lifetime.signal, onTurn),
    events,
    log,
    metrics,
    missingFields: schema.missingFields,
    ...settings,
  });
  const server = await serve(settings, controller, watches, schema, election, metrics);
  log.info(
    { atlas: settings.atlasBaseUrl, namespaces: settings.namespaces },
    `legacy-restore-operator ${version} started`,
  );

  const watching = watches.run(AbortSignal.any([stop, lifetime.signal]));
  const checking = schema.run(AbortSignal.any([stop, lifetime.signal]));
  const leading = work(controller, watches, schema, election, stop, lifetime.signal, log);
  await untilAborted(AbortSignal.any([stop, lifetime.signal]));
  const inOrder = !lifetime.signal.aborted;
  if (inOrder)
    log.info({ visits: controller.activeVisits() }, 'stopping: visits under way are finished, no further ones begin');
  const late = setTimeout(() => lifetime.abort(new Error('the stop took too long')), STOP_MS);
  await controller.stop();
  await events.drain();
  // Only now may another replica begin: nothing of ours is on its way any more.
  lifetime.abort(new Error('stopped'));
  await Promise.allSettled([watching, checking, leading]);
  clearTimeout(late);
  await session.close();
  server.close();
  server.closeAllConnections();
  log.info(inOrder ? 'stopped' : 'ended: another replica leads now');
  return inOrder ? 0 : 1;
}

interface Watches {
  readonly jobs: LegacyRestoreJobs & { readonly size: () => number };
  /** Resolves when the signal is aborted. */
  readonly run: (signal: AbortSignal) => Promise<void>;
  /** Resolves when every list has been complete once. */
  readonly listed: Promise<void>;
  /** Why the picture is not complete yet, one sentence each. */
  readonly problems: () => readonly string[];
}

/** One reflector for all namespaces, or one for each that is named. */
function createWatches(
  { namespaces }: Settings,
  session: KubeSession,
  log: Logger,
  metrics: Metrics,
  schema: SchemaCheck,
  onChange: (change: Change<LegacyRestoreJob>) => void,
): Watches {
  const { promise: listed, resolve } = Promise.withResolvers<void>();
  const scopes = namespaces.length === 0 ? [undefined] : namespaces;
  const listSizes = new Map<string | undefined, number>();
  const watches = new Map<
    string | undefined,
    { reflector: Reflector<LegacyRestoreJob>; interruptions: InterruptionLog }
  >();
  for (const scope of scopes) {
    const interruptions = createInterruptionLog(log, scope);
    const reflector = createReflector({
      session,
      path: collectionPath(scope),
      keep: (object) =>
        keepLegacyRestoreJob(object, (resource, fields) =>
          log.warn(
            { ...namesOf(resource), fields },
            'a resource cannot be read and is left alone: is the CustomResourceDefinition of this version installed?',
          ),
        ),
      onChange,
      onListed: (resources, kind) => {
        metrics.watchLists.inc({ kind });
        listSizes.set(scope, resources);
        metrics.watchListObjects.set([...listSizes.values()].reduce((sum, size) => sum + size, 0));
        log.debug({ resources, ...(scope === undefined ? {} : { watchedNamespace: scope }) }, 'listed');
        if ([...watches.values()].every((watch) => watch.reflector.hasListed())) resolve();
      },
      onInterrupted: (cause, error, waitMs) => {
        metrics.watchInterruptions.inc({ cause });
        interruptions.interrupted(cause, error, waitMs);
      },
      onRecovered: () => {
        interruptions.recovered();
        schema.checkSoon();
      },
      onEndedEarly: schema.checkSoon,
    });
    watches.set(scope, { reflector, interruptions });
  }
  const reflectorOf = (key: string): Reflector<LegacyRestoreJob> | undefined =>
    (watches.get(undefined) ?? watches.get(key.slice(0, key.indexOf('/'))))?.reflector;
  return {
    jobs: {
      get: (key) => reflectorOf(key)?.get(key),
      all: function* () {
        for (const { reflector } of watches.values()) yield* reflector.all();
      },
      learn: (job) => reflectorOf(job.key)?.learn(job),
      size: () => [...watches.values()].reduce((sum, { reflector }) => sum + reflector.size(), 0),
    },
    run: async (signal) => {
      await Promise.all([...watches.values()].map(({ reflector }) => reflector.run(signal)));
    },
    listed,
    problems: () =>
      [...watches.values()]
        .filter(({ reflector }) => !reflector.hasListed())
        .map(({ interruptions }) => interruptions.problem() ?? 'the first list of resources is not complete yet'),
  };
}

/** Begins to visit once the picture is complete, the installed schema was looked at and this replica leads. */
async function work(
  controller: Controller,
  { listed, jobs }: Watches,
  { checked }: SchemaCheck,
  election: LeaderElection | undefined,
  stop: AbortSignal,
  lifetime: AbortSignal,
  log: Logger,
): Promise<void> {
  const begin = (): void => {
    void Promise.all([listed, checked]).then(() => {
      if (stop.aborted || lifetime.aborted) return;
      log.info({ resources: jobs.size() }, 'working');
      controller.start();
    });
  };
  if (election === undefined) begin();
  else await election.run(lifetime, begin);
}

function createElection(
  settings: Settings,
  session: KubeSession,
  identity: string,
  log: Logger,
  metrics: Metrics,
  lifetime: AbortController,
): LeaderElection {
  const namespace = settings.leaseNamespace || session.namespace || 'default';
  const leader = (value: 0 | 1): void => metrics.leader.set({ name: settings.leaseName }, value);
  leader(0);
  return createLeaderElection({
    session,
    namespace,
    name: settings.leaseName,
    identity,
    onEvent: (event) => {
      switch (event.kind) {
        case 'leading':
          leader(1);
          log.info({ lease: `${namespace}/${settings.leaseName}`, identity }, 'this replica leads');
          break;
        case 'following':
          log.info(
            { lease: `${namespace}/${settings.leaseName}`, holder: event.holder },
            'standing by: another replica leads',
          );
          break;
        case 'lost':
          leader(0);
          log.error('the lease could not be renewed in time: this process ends, so that it writes nothing more');
          lifetime.abort(new Error('the lease was lost'));
          break;
        case 'failed':
          log.warn(errorFields(event.error), 'the lease could not be read or written');
      }
    },
  });
}

/**
 * A session that writes only under the lease: each write is checked as it is dispatched, and one that then waits for a
 * connection is given up when the lease may have passed on.
 */
function whileLeading(session: KubeSession, election: LeaderElection): KubeSession {
  return {
    ...session,
    request: (request) => {
      if (request.method === 'GET') return session.request(request);
      const leftMs = Math.floor(election.writableForMs());
      if (leftMs <= 0) return Promise.reject(new Error('not leading: nothing is written'));
      const passedOn = AbortSignal.timeout(leftMs);
      const signal = request.signal === undefined ? passedOn : AbortSignal.any([request.signal, passedOn]);
      return session.request({ ...request, signal });
    },
  };
}

function createAtlas(
  settings: Settings,
  log: Logger,
  metrics: Metrics,
  signal: AbortSignal,
  onTurn: (key: string) => void,
) {
  return createAtlasClient({
    baseUrl: settings.atlasBaseUrl,
    timeoutMs: settings.atlasTimeout,
    envelope: settings.atlasEnvelope,
    pretty: settings.atlasPretty,
    requestsPerMinute: settings.atlasRequestsPerMinute,
    version: packageJson.version,
    signal,
    onTurn,
    onRequest: ({ endpoint, auth, status, durationMs }) => {
      metrics.atlasRequests.inc({ endpoint, auth, code: codeClass(status) });
      metrics.atlasSeconds.observe({ endpoint, auth }, durationMs / 1_000);
      log.debug({ endpoint, auth, httpStatus: status, durationMs: Math.round(durationMs) }, 'a request to Atlas');
    },
    onToken: (result) => metrics.tokens.inc({ result }),
    onPause: () => metrics.budgetPauses.inc(),
    onDeprecation: (notice) => {
      metrics.apiDeprecated.set(1);
      log.warn(notice, 'Atlas marks this version of its API as deprecated');
    },
  });
}

function serve(
  settings: Settings,
  controller: Controller,
  watches: Watches,
  schema: SchemaCheck,
  election: LeaderElection | undefined,
  metrics: Metrics,
): Promise<Server> {
  const updateNodeMetrics = collectNodeMetrics(metrics.registry);
  return startHttpServer({
    address: settings.httpBindAddress,
    live: () => livenessProblems(election),
    ready: watches.problems,
    notes: schema.problems,
    metrics: async () => {
      metrics.crdOutdated.set(schema.missingFields().length === 0 ? 0 : 1);
      controller.updateGauges();
      updateNodeMetrics();
      return { body: await metrics.registry.metrics(), contentType: metrics.registry.contentType };
    },
  });
}

function untilAborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  else signal.addEventListener('abort', () => resolve(), { once: true });
  return promise;
}
