import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { Serving } from './files.ts';
import type { JobScript } from './jobs.ts';
import type { JsonValue } from './json.ts';
import { downloadLifecycle, SHORT_DOWNLOAD } from './lifecycle.ts';
import type { AtlasSimulator } from './simulator.ts';

const milliseconds = z.int().min(0);

const json: z.ZodType<JsonValue> = z.lazy(() =>
  z.union([z.null(), z.boolean(), z.number(), z.string(), z.array(json), z.record(z.string(), json)]),
);
const body = z.record(z.string(), json);

const identity = { groupId: z.string(), clusterName: z.string(), jobId: z.string() };

const job = z.union([
  /** Always the same body. */
  z.strictObject({ ...identity, body }),
  /** Bodies by the time since the start of the simulator. */
  z.strictObject({ ...identity, steps: z.array(z.strictObject({ afterMs: milliseconds, body })).min(1) }),
  /** The typical life of a download; phases that are not given are those of SHORT_DOWNLOAD. */
  z.strictObject({
    ...identity,
    download: z.strictObject({
      runningMs: milliseconds.default(SHORT_DOWNLOAD.runningMs),
      pendingMs: milliseconds.default(SHORT_DOWNLOAD.pendingMs),
      readyMs: milliseconds.default(SHORT_DOWNLOAD.readyMs),
      fetchedMs: milliseconds.default(SHORT_DOWNLOAD.fetchedMs),
    }),
  }),
]);

/** A file behind a header, as `fileContent` makes it; ranges are served. The first response stops after so many bytes. */
const file = z.strictObject({
  name: z.string(),
  bytes: z.int().min(0),
  key: z.string(),
  header: z.strictObject({ name: z.string(), value: z.string() }),
  stallAfter: z.int().min(0),
});

/** What the simulator in a cluster is started with: a JSON file of this form. */
export const scenarioSchema = z.strictObject({
  apiKeys: z
    .array(z.strictObject({ publicKey: z.string(), privateKey: z.string(), groupIds: z.array(z.string()).readonly() }))
    .default([]),
  serviceAccounts: z
    .array(z.strictObject({ clientId: z.string(), clientSecret: z.string(), groupIds: z.array(z.string()).readonly() }))
    .default([]),
  clusters: z.array(z.strictObject({ groupId: z.string(), clusterName: z.string() })).default([]),
  jobs: z.array(job).default([]),
  files: z.array(file).default([]),
});

/** A scenario with its defaults filled in. */
export type Scenario = z.output<typeof scenarioSchema>;

/** A scenario as it is written: everything that has a default may be left out. */
export type ScenarioInput = z.input<typeof scenarioSchema>;

/** The bytes of a file: random ones, the same for the same name. */
export const fileContent = ({ name, bytes }: { readonly name: string; readonly bytes: number }): Buffer =>
  createHash('shake256', { outputLength: bytes }).update(name).digest();

/** Sets up a scenario. The timelines of its jobs start now. */
export function applyScenario(scenario: Scenario, simulator: AtlasSimulator): void {
  for (const key of scenario.apiKeys) simulator.addApiKey(key);
  for (const account of scenario.serviceAccounts) simulator.addServiceAccount(account);
  for (const { groupId, clusterName } of scenario.clusters) simulator.addCluster(groupId, clusterName);
  for (const { name, bytes, key, header, stallAfter } of scenario.files) {
    const whole: Serving = { kind: 'file', framing: 'length', etag: '"1"', ranges: true };
    const content = fileContent({ name, bytes });
    simulator.files.put({ name, content, key, header, servings: [{ ...whole, stallAfter }, whole] });
  }
  for (const entry of scenario.jobs) {
    const { groupId, clusterName, jobId } = entry;
    simulator.putJob({ groupId, clusterName, jobId }, scriptOf(entry));
  }
}

function scriptOf(entry: Scenario['jobs'][number]): JobScript {
  if ('body' in entry) return { kind: 'fixed', body: entry.body };
  if ('steps' in entry) return { kind: 'timeline', steps: entry.steps };
  return { kind: 'timeline', steps: downloadLifecycle(entry, Date.now(), entry.download) };
}
