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
import packageJson from '../../package.json' with { type: 'json' };
import { type AtlasClient, createAtlasClient } from '../atlas/client.ts';
import type { Settings } from '../config/settings.ts';
import { type Controller, createController } from '../controller/controller.ts';
import { createSchemaCheck, type SchemaCheck } from '../controller/installed-schema.ts';
import { createKubeClient } from '../kube/client.ts';
import { createEventRecorder } from '../kube/events.ts';
import { type LeaderElection, livenessProblems } from '../kube/lease.ts';
import { startHealthServer } from '../telemetry/health-server.ts';
import { errorFields, type Logger } from '../telemetry/log.ts';
import { codeClass, createMetrics } from '../telemetry/metrics.ts';
import { collectNodeMetrics } from '../telemetry/node-metrics.ts';
import type { Context } from './context.ts';
import { createElection, whileLeading } from './election.ts';
import { createWatches, type Watches } from './watches.ts';

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
  const client = createKubeClient({
    userAgent: `legacy-restore-operator/${version}`,
    onRequest: ({ method, status, durationMs }) => {
      // client-go's word for a request without an answer.
      metrics.kubeRequests.inc({ method, code: status === 0 ? '<error>' : String(status) });
      metrics.kubeSeconds.observe({ verb: method }, durationMs / 1_000);
    },
  });
  // Ends everything that talks, at once. A stop ends most of it in order instead.
  const lifetime = new AbortController();
  const context: Context = { settings, log, metrics, client };
  const election = settings.leaderElect
    ? createElection(context, identity, (reason) => lifetime.abort(reason))
    : undefined;
  const writing = election === undefined ? client : whileLeading(client, election);

  let controller: Controller | undefined;
  const schema = createSchemaCheck({ client, log, version });
  const watches = createWatches(context, {
    onChange: (change) => controller?.onChange(change),
    onDisturbed: schema.checkSoon,
  });
  const events = createEventRecorder({
    client: writing,
    signal: lifetime.signal,
    instance: identity,
    onWritten: () => metrics.events.inc({ result: 'written' }),
    onFailed: (error) => {
      metrics.events.inc({ result: 'failed' });
      log.debug(errorFields(error), 'an event could not be written');
    },
  });
  controller = createController({
    client: writing,
    jobs: watches.jobs,
    atlas: (onTurn) => createAtlas(context, lifetime.signal, onTurn),
    events,
    log,
    metrics,
    missingFields: schema.missingFields,
    ...settings,
  });
  const server = await serve(context, { controller, watches, schema, election });
  log.info(
    { atlas: settings.atlasBaseUrl, namespaces: settings.namespaces },
    `legacy-restore-operator ${version} started`,
  );

  const watching = watches.run(AbortSignal.any([stop, lifetime.signal]));
  const checking = schema.run(AbortSignal.any([stop, lifetime.signal]));
  const leading = work(context, { controller, watches, schema, election }, stop, lifetime.signal);
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
  await client.close();
  server.close();
  server.closeAllConnections();
  log.info(inOrder ? 'stopped' : 'ended: another replica leads now');
  return inOrder ? 0 : 1;
}

interface Parts {
  readonly controller: Controller;
  readonly watches: Watches;
  readonly schema: SchemaCheck;
  readonly election: LeaderElection | undefined;
}

/** Begins to visit once the picture is complete, the installed schema was looked at and this replica leads. */
async function work(
  { log }: Context,
  { controller, watches, schema, election }: Parts,
  stop: AbortSignal,
  lifetime: AbortSignal,
): Promise<void> {
  const begin = (): void => {
    void Promise.all([watches.listed, schema.checked]).then(() => {
      if (stop.aborted || lifetime.aborted) return;
      log.info({ resources: watches.jobs.size() }, 'working');
      controller.start();
    });
  };
  if (election === undefined) begin();
  else await election.run(lifetime, begin);
}

function createAtlas(
  { settings, log, metrics }: Context,
  signal: AbortSignal,
  onTurn: (key: string) => void,
): AtlasClient {
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

function serve({ settings, metrics }: Context, { controller, watches, schema, election }: Parts): Promise<Server> {
  const updateNodeMetrics = collectNodeMetrics(metrics.registry);
  return startHealthServer({
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
