/** The LegacyRestoreJobs of the demo, as the API server has them, and what of them is shown: not those of other namespaces. */
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import type { ConditionType } from '../src/api/legacy-restore-job.ts';
import { API_VERSION, PLURAL, Status } from '../src/api/legacy-restore-job.ts';
import type { ControlPlane } from '../test/support/control-plane/control-plane.ts';

export type Resource = z.infer<typeof Resource>;
const Resource = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({ clusterName: z.string() }),
  status: Status.default({}),
});
const ResourceList = z.object({ items: z.array(Resource) });

/** What the table shows of a resource; empty where there is nothing yet. */
export interface Row {
  readonly name: string;
  readonly cluster: string;
  readonly status: string;
  readonly delivery: string;
  readonly expires: string;
  readonly ready: string;
  readonly synced: string;
  readonly reason: string;
  /** Not in the table. */
  readonly hashes: number;
}

export interface Resources {
  readonly get: (name: string) => Resource | undefined;
  /** Waits for something about a resource, and rejects with what it is instead when that does not come. */
  readonly until: (name: string, what: string, condition: (resource: Resource) => boolean) => Promise<Resource>;
  /** Reads them again and again; rejects when they cannot be read, and when the signal is aborted. */
  readonly run: () => Promise<never>;
}

/** Longer than anything in the demo takes. */
const PATIENCE_MS = 60_000;
const PERIOD_MS = 500;

export function watchResources(
  controlPlane: ControlPlane,
  signal: AbortSignal,
  onRead: (rows: readonly Row[]) => void,
): Resources {
  let current = new Map<string, Resource>();

  async function read(): Promise<void> {
    const { status, body } = await controlPlane.request('GET', `/apis/${API_VERSION}/namespaces/default/${PLURAL}`);
    if (status !== 200) throw new Error(`listing ${PLURAL} was answered with ${status}: ${JSON.stringify(body)}`);
    const { items } = ResourceList.parse(body);
    current = new Map(items.map((resource) => [resource.metadata.name, resource]));
    onRead(items.map(rowOf));
  }

  return {
    get: (name) => current.get(name),
    until: async (name, what, condition) => {
      const deadline = performance.now() + PATIENCE_MS;
      for (;;) {
        const resource = current.get(name);
        if (resource !== undefined && condition(resource)) return resource;
        if (performance.now() > deadline) {
          const is = resource === undefined ? 'it does not exist' : `its status is ${JSON.stringify(resource.status)}`;
          throw new Error(`${name}: ${what}: not within ${PATIENCE_MS / 1_000} s; ${is}`);
        }
        await delay(100, undefined, { signal });
      }
    },
    run: async () => {
      for (;;) {
        await read();
        await delay(PERIOD_MS, undefined, { signal });
      }
    },
  };
}

/** A condition in short, such as `True JobFinished`; `absent` when there is none. */
export function conditionOf({ status }: Resource, type: ConditionType): string {
  const condition = findCondition(status, type);
  return condition === undefined ? 'absent' : `${condition.status} ${condition.reason}`;
}

function rowOf({ metadata, spec, status }: Resource): Row {
  const ready = findCondition(status, 'Ready');
  return {
    name: metadata.name,
    cluster: spec.clusterName,
    status: status.statusName ?? '',
    delivery: status.delivery?.statusName ?? '',
    expires: status.delivery?.expires ?? '',
    ready: ready?.status ?? '',
    synced: findCondition(status, 'Synced')?.status ?? '',
    reason: status.reason ?? '',
    hashes: status.hashes?.length ?? 0,
  };
}

const findCondition = ({ conditions }: Status, type: ConditionType) =>
  conditions?.find((condition) => condition.type === type);
