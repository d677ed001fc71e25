/** The manifests of deploy/samples, which the demo applies as they are, but for the batch. Names and ids stand there and nowhere else. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { loadAll } from 'js-yaml';
import * as z from 'zod';
import { KIND } from '../src/api/legacy-restore-job.ts';
import { manifestName } from '../src/list/manifests.ts';
import type { JobIdentity } from '../test/support/atlas-simulator/jobs.ts';

/** The root of the repository. */
export const ROOT = path.join(import.meta.dirname, '..');

export interface Sample {
  /** Relative to the root. */
  readonly file: string;
  readonly jobs: readonly SampleJob[];
  readonly secrets: readonly SampleSecret[];
}

/** A LegacyRestoreJob, and the restore job at Atlas that it names. */
export interface SampleJob extends JobIdentity {
  readonly name: string;
  readonly deliverySecretName: string | undefined;
}

export interface SampleSecret {
  readonly name: string;
  readonly clientId: string;
  readonly clientSecret: string;
}

/** Every sample; of the batch only the ids, which Atlas lists. */
export type Samples = Awaited<ReturnType<typeof readSamples>>;

export async function readSamples() {
  return {
    credentials: await readSample('credentials-secret.yaml'),
    running: await readSample('restore-job.yaml'),
    wrongCredentials: await readSample('wrong-credentials.yaml'),
    wrongId: await readSample('wrong-id.yaml'),
    batch: asListed(await readSample('sharded-batch.yaml')),
    expired: await readSample('expired.yaml'),
    automated: await readSample('automated-restore.yaml'),
    deliverySecret: await readSample('delivery-secret.yaml'),
  };
}

/** With the names that `list -o manifests` gives: the demo creates the resources of the batch that way. */
const asListed = (sample: Sample): Sample => ({
  ...sample,
  jobs: sample.jobs.map((job) => ({ ...job, name: manifestName(job.clusterName, job.jobId) })),
});

/** The one element of a list. */
export function only<T>(list: readonly T[]): T {
  const [first] = list;
  if (first === undefined || list.length > 1) throw new Error(`${list.length} elements where one was expected`);
  return first;
}

const SecretManifest = z
  .object({
    kind: z.literal('Secret'),
    metadata: z.object({ name: z.string() }),
    stringData: z.object({ clientId: z.string(), clientSecret: z.string() }),
  })
  .transform(({ metadata, stringData }): SampleSecret => ({ name: metadata.name, ...stringData }));

const JobManifest = z
  .object({
    kind: z.literal(KIND),
    metadata: z.object({ name: z.string() }),
    spec: z.object({
      groupId: z.string(),
      clusterName: z.string(),
      jobId: z.string(),
      deliverySecretName: z.string().optional(),
    }),
  })
  .transform(
    ({ metadata, spec }): SampleJob => ({
      name: metadata.name,
      groupId: spec.groupId,
      clusterName: spec.clusterName,
      jobId: spec.jobId,
      deliverySecretName: spec.deliverySecretName,
    }),
  );

async function readSample(name: string): Promise<Sample> {
  const file = `deploy/samples/${name}`;
  const documents = loadAll(await readFile(path.join(ROOT, file), 'utf8'));
  const sample = {
    file,
    jobs: documents.flatMap((document) => JobManifest.safeParse(document).data ?? []),
    secrets: documents.flatMap((document) => SecretManifest.safeParse(document).data ?? []),
  };
  const understood = sample.jobs.length + sample.secrets.length;
  if (understood !== documents.length) throw new Error(`${file} holds something that the demo does not understand`);
  return sample;
}
