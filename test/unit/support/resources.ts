import { type Condition, type LegacyRestoreJob, type Spec, Status } from '../../../src/api/legacy-restore-job.ts';
import type { RestoreJobResponse } from '../../../src/api/restore-job.ts';
import { AtlasError } from '../../../src/atlas/errors.ts';
import { readRestoreJobResponse } from '../../../src/atlas/response.ts';
import type { JsonObject } from '../../support/atlas-simulator/json.ts';
import { PUBLISHED_EXAMPLE_JOB } from '../../support/atlas-simulator/recorded-bodies.ts';

export const SPEC: Spec = { ...PUBLISHED_EXAMPLE_JOB, credentialsSecretRef: { name: 'atlas-key' } };

/** A resource as it is cached: fresh from `kubectl apply`, unless told otherwise. */
export function resource(overrides: Partial<LegacyRestoreJob> = {}): LegacyRestoreJob {
  const namespace = overrides.namespace ?? 'payments';
  const name = overrides.name ?? 'cluster0-friday';
  return {
    key: `${namespace}/${name}`,
    namespace,
    name,
    uid: 'uid-1',
    resourceVersion: '100',
    generation: 1,
    spec: SPEC,
    status: { observedGeneration: -1 },
    requestedAt: undefined,
    deleting: false,
    ...overrides,
  };
}

/** What the client makes of a 200 with this body. */
export function responseOf(body: JsonObject): RestoreJobResponse {
  const response = readRestoreJobResponse(200, JSON.stringify(body), undefined);
  if (response instanceof AtlasError) throw response;
  return response;
}

/** The status as it comes back from the API server. */
export const stored = (status: Status): Status => Status.parse(JSON.parse(JSON.stringify(status)));

/** The resource after a status write, if there was one. */
export const written = (job: LegacyRestoreJob, status: Status | undefined): LegacyRestoreJob =>
  status === undefined
    ? job
    : { ...job, status: stored(status), resourceVersion: String(Number(job.resourceVersion) + 1) };

export const conditionOf = (status: Status | undefined, type: Condition['type']): Condition | undefined =>
  status?.conditions?.find((condition) => condition.type === type);

/**
 * What kstatus makes of a resource, written from its documentation: the checks in its order, for a kind that it
 * has no rules of its own for.
 */
export function kstatus({ generation, status }: LegacyRestoreJob): 'Current' | 'InProgress' | 'Failed' {
  const is = (type: string, value: string): boolean =>
    (status.conditions ?? []).some((condition) => condition.type === type && condition.status === value);
  if (status.observedGeneration !== undefined && status.observedGeneration !== generation) return 'InProgress';
  if (is('Stalled', 'True')) return 'Failed';
  if (is('Reconciling', 'True')) return 'InProgress';
  if (is('Ready', 'False') || is('Ready', 'Unknown')) return 'InProgress';
  return 'Current';
}
