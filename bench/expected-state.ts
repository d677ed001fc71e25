/** What Atlas says of every job now; the final statuses are compared with it, field by field. */
import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import { RestoreJob } from '../src/api/restore-job.ts';
import type { JsonObject } from '../test/support/atlas-simulator/json.ts';
import { type BenchJob, benchJob, bodyOf, expectedConditions, type Phase } from './jobs.ts';

export interface ExpectedJob {
  readonly job: BenchJob;
  readonly phase: Phase;
  readonly body: JsonObject;
}

/** The jobs by `namespace/name`. */
export type ExpectedState = Map<string, ExpectedJob>;

/** Thrown where a subject did not do its work; the message names the resource and the field. */
export class NotDone extends Error {
  override readonly name = 'NotDone';
}

/** The first `size` jobs in their first version. */
export function firstState(size: number, phase: Phase): ExpectedState {
  return new Map(Array.from({ length: size }, (_, index) => expectedJob(index, phase, 1)));
}

/** One entry of an expected state. */
export function expectedJob(index: number, phase: Phase, version: number): readonly [string, ExpectedJob] {
  const job = benchJob(index);
  return [keyOf(job), { job, phase, body: bodyOf(job, phase, version) }];
}

/** Throws NotDone when a resource is missing, or any mirrored field, generation or condition is not as expected. */
export function verify(expected: ExpectedState, stored: ReadonlyMap<string, unknown>): void {
  for (const [key, job] of expected) {
    const problem = stored.has(key) ? differenceOf(job, stored.get(key)) : 'is missing';
    if (problem !== undefined) throw new NotDone(`LegacyRestoreJob ${key} ${problem}`);
  }
  if (stored.size !== expected.size)
    throw new NotDone(`there are ${stored.size} resources instead of ${expected.size}`);
}

export const keyOf = ({ namespace, name }: BenchJob): string => `${namespace}/${name}`;

const Stored = z.object({
  metadata: z.object({ generation: z.number() }),
  status: z.record(z.string(), z.unknown()),
});
const Conditions = z.array(z.looseObject({ type: z.string(), status: z.string(), reason: z.string() }));

function differenceOf({ body, phase }: ExpectedJob, object: unknown): string | undefined {
  const { data: resource, error } = Stored.safeParse(object);
  if (resource === undefined) return `cannot be read: ${z.prettifyError(error)}`;
  const { status, metadata } = resource;
  for (const field of Object.keys(RestoreJob.shape)) {
    if (!isDeepStrictEqual(status[field], body[field])) {
      return `has status.${field} ${text(status[field])}, but Atlas says ${text(body[field])}`;
    }
  }
  if (status['observedGeneration'] !== metadata.generation) {
    return `has status.observedGeneration ${text(status['observedGeneration'])} at generation ${metadata.generation}`;
  }
  const conditions = Conditions.catch([]).parse(status['conditions']);
  for (const [type, expected, reason] of expectedConditions(phase)) {
    const found = conditions.find((condition) => condition.type === type);
    if (found?.status !== expected || found.reason !== reason) {
      return `has the condition ${type} ${found?.status} ${found?.reason} instead of ${expected} ${reason}`;
    }
  }
  return undefined;
}

const text = (value: unknown): string => JSON.stringify(value) ?? 'nothing';
