/**
 * Looks whether the installed CustomResourceDefinition has every field that this version needs. The schema is read from
 * the OpenAPI document of our group: every service account may, where the CRD itself would need a ClusterRole.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { GROUP, KIND, PLURAL, VERSION } from '../api/legacy-restore-job.ts';
import { missingFields, neededSchema, Schema } from '../api/schema-fields.ts';
import type { KubeClient } from '../kube/client.ts';
import { errorFields, type Logger } from '../telemetry/log.ts';

interface SchemaCheckOptions {
  readonly client: KubeClient;
  readonly log: Logger;
  /** Version of the operator, for the remedy. */
  readonly version: string;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

export interface SchemaCheck {
  /** Checks at once and now and then until the signal is aborted, then resolves. Never rejects. */
  readonly run: (signal: AbortSignal) => Promise<void>;
  /** Something happened that a change of the CRD could have caused: checks soon. */
  readonly checkSoon: () => void;
  /** Resolves when the first check has ended, in whatever way. */
  readonly checked: Promise<void>;
  /** Paths of fields that the installed schema lacks; none while the schema could not be read yet. */
  readonly missingFields: () => readonly string[];
  /** What is wrong and what to run, in one sentence; none while the schema is current or unknown. */
  readonly problems: () => readonly string[];
}

const REGULAR_MS = 600_000;
/** What happened may have been told by many watches at once, and a proxy may end every watch early. */
const SHORTEST_GAP_MS = 5_000;
/** The work waits for the first check: a quiet reconcile before it would write what the API server drops. */
const TIMEOUT_MS = 5_000;
const DOCUMENT = `/openapi/v3/apis/${GROUP}/${VERSION}`;
/** Without quotes, which a line of JSON would escape: it is to be copied. */
const REFILL = `kubectl annotate lrj --all --all-namespaces ${GROUP}/requestedAt=$(date +%s) --overwrite`;

export function createSchemaCheck({ client, log, version, random = Math.random }: SchemaCheckOptions): SchemaCheck {
  const needed = neededSchema();
  const { promise: checked, resolve: firstEnded } = Promise.withResolvers<void>();
  let missing: readonly string[] = [];
  let wake = new AbortController();

  async function run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      wake = new AbortController();
      failures = (await check(signal)) ? 0 : failures + 1;
      firstEnded();
      await pause(SHORTEST_GAP_MS, signal);
      const ms = failures === 0 ? REGULAR_MS * (0.9 + random() / 5) : SHORTEST_GAP_MS * 2 ** Math.min(failures, 7);
      await pause(Math.min(ms, REGULAR_MS * 1.1) - SHORTEST_GAP_MS, AbortSignal.any([signal, wake.signal]));
    }
  }

  /** False when the schema could not be read: what was known of it stays. The reflector tells of a missing CRD. */
  async function check(signal: AbortSignal): Promise<boolean> {
    try {
      const now = missingFields(needed, await readInstalledSchema(client, signal));
      if (now.join() !== missing.join()) tell(now);
      missing = now;
      return true;
    } catch (error) {
      if (!signal.aborted) log.debug(errorFields(error), 'the installed schema cannot be read');
      return false;
    }
  }

  function tell(now: readonly string[]): void {
    if (now.length > 0) log.warn({ missing: now }, outdated(version));
    else
      log.info(
        `the CustomResourceDefinition of ${PLURAL} is current: open resources fill by themselves, finished ones after ${REFILL}`,
      );
  }

  return {
    run,
    checkSoon: () => wake.abort(),
    checked,
    missingFields: () => missing,
    problems: () => (missing.length === 0 ? [] : [`${outdated(version)} (it lacks ${missing.join(', ')})`]),
  };
}

const Document = z.object({
  components: z.object({
    schemas: z.record(
      z.string(),
      z.looseObject({
        'x-kubernetes-group-version-kind': z
          .array(z.object({ group: z.string(), version: z.string(), kind: z.string() }))
          .optional(),
      }),
    ),
  }),
});

/** The schema of LegacyRestoreJob that the API server has. Throws KubeError; status 404: there is none. */
async function readInstalledSchema(client: KubeClient, signal: AbortSignal): Promise<Schema> {
  const body = await client.request({
    method: 'GET',
    path: DOCUMENT,
    returns: 'object',
    signal,
    timeoutMs: TIMEOUT_MS,
    // The API server makes the document when somebody asks for it.
    mayBeSlow: true,
  });
  const found = Object.values(Document.parse(body).components.schemas).find((schema) =>
    schema['x-kubernetes-group-version-kind']?.some(
      ({ group, version, kind }) => group === GROUP && version === VERSION && kind === KIND,
    ),
  );
  if (found === undefined) throw new Error(`${DOCUMENT} has no schema of ${KIND}`);
  return Schema.parse(found);
}

const outdated = (version: string): string =>
  `the installed CustomResourceDefinition of ${PLURAL} is older than this operator, and the fields that it lacks are not kept: upgrade it with helm upgrade to the chart of version ${version}, or with kubectl apply -f crds/`;

/** Resolves after so long, or when the signal is aborted. */
const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal }).catch(() => undefined);
