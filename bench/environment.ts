/** What a bench runs on: a control plane with RBAC, the Atlas simulator in a process of its own, and the resources. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as z from 'zod';
import { startControlPlane } from '../test/support/control-plane/control-plane.ts';
import { createEtcdClient, type EtcdClient, RESOURCE_PREFIX } from '../test/support/etcd.ts';
import { eventually } from '../test/support/eventually.ts';
import { install, OPERATOR } from '../test/support/installation.ts';
import { type Atlas, startAtlas } from './atlas.ts';
import { type AuditLog, readAuditLog } from './audit-log.ts';
import { type ExpectedState, keyOf, verify } from './expected-state.ts';
import { API_KEY, benchJob, NAMESPACES, namespaceOf, SECRET_NAME } from './jobs.ts';
import type { Target } from './subjects.ts';

export interface Environment {
  readonly target: Target;
  readonly atlas: Atlas;
  readonly audit: AuditLog;
  /** Removes all resources and events, and puts there the resources of a state without a status, and its jobs at Atlas. */
  readonly load: (expected: ExpectedState, interval: string) => Promise<void>;
  /**
   * Changes the spec of these resources at once, as a person does who sets another interval. Resolves with when that
   * began, in milliseconds since the epoch.
   */
  readonly touch: (keys: Iterable<string>, interval: string) => Promise<number>;
  /** Throws NotDone when a status is not what Atlas says. */
  readonly verify: (expected: ExpectedState) => Promise<void>;
  /** Process ids of those whose CPU is told apart: the API server, etcd and the simulator. */
  readonly servers: Readonly<Record<'apiServer' | 'etcd' | 'atlas', number>>;
  /** Subjects write their output there. */
  readonly logFile: (name: string) => string;
}

const EVENTS = '/registry/events/';
/** Bytes: each run leaves its history until etcd has compacted it. */
const ETCD_QUOTA = String(8 * 1_024 ** 3);

/** Sets everything up; `cleanup` takes it down in reverse order. */
export async function startEnvironment(cleanup: AsyncDisposableStack, signal: AbortSignal): Promise<Environment> {
  const controlPlane = await startControlPlane({ signal, etcdFlags: { 'quota-backend-bytes': ETCD_QUOTA } });
  cleanup.defer(() => controlPlane.stop());
  const atlas = await startAtlas();
  cleanup.defer(() => atlas.stop());
  const logs = await mkdtemp(path.join(tmpdir(), 'legacy-restore-operator-bench-'));
  cleanup.defer(() => rm(logs, { recursive: true, force: true }));
  const { auditLog, etcdUrl, pids } = controlPlane;
  const kubeconfig = await install(controlPlane);

  async function create(collection: string, body: unknown): Promise<void> {
    // The discovery of a new resource takes the API server a moment.
    await eventually(`creating in ${collection}`, async () => {
      const answer = await controlPlane.request('POST', collection, body);
      if (answer.status !== 201) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
    });
  }
  for (let index = 0; index < NAMESPACES; index++) {
    const name = namespaceOf(index);
    await create('/api/v1/namespaces', { metadata: { name } });
    const stringData = { publicApiKey: API_KEY.publicKey, privateApiKey: API_KEY.privateKey };
    await create(`/api/v1/namespaces/${name}/secrets`, { metadata: { name: SECRET_NAME }, stringData });
  }

  async function untilCached(key: string, revision: string): Promise<void> {
    const [namespace = '', name = ''] = key.split('/');
    const fromCache = `${resourcesOf(namespace)}/${name}?resourceVersion=0`;
    await eventually('the API server has seen all resources', async () => {
      const { metadata } = Cached.parse((await controlPlane.request('GET', fromCache)).body);
      if (metadata.resourceVersion !== revision) throw new Error(`it has revision ${metadata.resourceVersion}`);
    });
  }

  const etcd = createEtcdClient(etcdUrl);
  const template = await createTemplate(create, etcd);
  return {
    target: { kubeconfig, atlasUrl: atlas.url },
    atlas,
    audit: readAuditLog(auditLog, OPERATOR.user),
    load: async (expected, interval) => {
      // Before anything is deleted: nothing has happened for a while, the API server is up to date.
      await etcd.compact();
      await etcd.deleteAll(RESOURCE_PREFIX);
      await etcd.deleteAll(EVENTS);
      await atlas.put(expected.values());
      const fresh = new Map(
        expected.values().map(({ job }) => {
          const { namespace, name, uid, identity } = job;
          const metadata = { ...template.metadata, namespace, name, uid };
          const spec = { ...template.spec, ...identity, interval };
          return [RESOURCE_PREFIX + keyOf(job), JSON.stringify({ ...template, metadata, spec })];
        }),
      );
      const revision = await etcd.putAll(fresh);
      // Once the API server's cache has the last one, which has a revision of its own, it has all before it.
      await untilCached([...expected.keys()].at(-1) ?? '', revision);
    },
    touch: async (keys, interval) => {
      const changed: (readonly [string, string])[] = [];
      for (const key of keys) {
        const object = Stored.parse(JSON.parse(await etcd.get(RESOURCE_PREFIX + key)));
        const metadata = { ...object.metadata, generation: object.metadata.generation + 1 };
        changed.push([
          RESOURCE_PREFIX + key,
          JSON.stringify({ ...object, metadata, spec: { ...object.spec, interval } }),
        ]);
      }
      const startedAt = Date.now();
      await Promise.all(changed.map(([key, value]) => etcd.put(key, value)));
      return startedAt;
    },
    verify: async (expected) => {
      const stored = await etcd.list(RESOURCE_PREFIX);
      verify(expected, new Map(stored.entries().map(([key, value]) => [key, JSON.parse(value)])));
    },
    servers: { apiServer: pids().apiServer, etcd: pids().etcd, atlas: atlas.pid },
    logFile: (name) => path.join(logs, `${name}.log`),
  };
}

const resourcesOf = (namespace: string): string =>
  `/apis/atlasrestore.dev/v1/namespaces/${namespace}/legacyrestorejobs`;

const Cached = z.object({ metadata: z.object({ resourceVersion: z.string() }) });
type Stored = z.infer<typeof Stored>;
const Stored = z.looseObject({
  metadata: z.looseObject({ generation: z.number() }),
  spec: z.looseObject({}),
});

/** A resource that the API server has created, as etcd holds it: with managed fields, defaults and all. */
async function createTemplate(
  create: (collection: string, body: unknown) => Promise<void>,
  etcd: EtcdClient,
): Promise<Stored> {
  const job = benchJob(0);
  const { namespace, name, identity } = job;
  const spec = { ...identity, credentialsSecretRef: { name: SECRET_NAME }, interval: '1h' };
  const body = { apiVersion: 'atlasrestore.dev/v1', kind: 'LegacyRestoreJob', metadata: { name }, spec };
  await create(resourcesOf(namespace), body);
  return Stored.parse(JSON.parse(await etcd.get(RESOURCE_PREFIX + keyOf(job))));
}
