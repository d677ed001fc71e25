import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import { type ControlPlane, startControlPlane } from '../support/control-plane/control-plane.ts';
import { createEtcdClient } from '../support/etcd.ts';
import { eventually } from '../support/eventually.ts';
import { installCrds } from '../support/installation.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import {
  type Watched,
  type WatchOptions,
  watcherKubeconfig,
  watchResources,
  withoutWatchList,
} from '../support/watched-resources.ts';

const COLLECTION = '/apis/atlasrestore.dev/v1/namespaces/default/legacyrestorejobs';

let controlPlane: ControlPlane;
let proxy: TcpProxy;
beforeAll(async () => {
  controlPlane = await startControlPlane({
    // With the cache snapshots on, the API server continues a list of any age, and never answers 410.
    apiServerFlags: { 'feature-gates': 'ListFromCacheSnapshot=false' },
  });
  await installCrds(controlPlane);
  proxy = await startTcpProxy(Number(new URL(controlPlane.server).port));
});
afterAll(async () => {
  await proxy?.stop();
  await controlPlane?.stop();
});

const running: Watched[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((watched) => watched.end()));
  proxy.thaw();
  proxy.cutInto(0);
  proxy.resetAfter(undefined);
});

/** A reflector of all resources whose client goes through the proxy, until the test ends. */
function watchAll({
  kubeconfig,
  ...options
}: Omit<WatchOptions, 'load'> & { kubeconfig?: () => string } = {}): Watched {
  const admin = readFileSync(controlPlane.kubeconfig, 'utf8');
  const load = (): KubeConfig => {
    const config = new KubeConfig();
    config.loadFromString((kubeconfig?.() ?? admin).replaceAll(new URL(controlPlane.server).port, String(proxy.port)));
    return config;
  };
  const watched = watchResources({ load, ...options });
  running.push(watched);
  return watched;
}

const listed = ({ reflector }: Watched): Promise<void> =>
  eventually('the list is complete', () => expect(reflector.hasListed()).toBe(true));

const sees = ({ reflector }: Watched, name: string, timeoutMs = 30_000): Promise<void> =>
  eventually(`${name} is seen`, () => expect(reflector.get(`default/${name}`)).toBeDefined(), { timeoutMs });

let count = 0;
/** A fresh name; the text goes into a field that can hold any. */
async function create(text = ''): Promise<string> {
  count += 1;
  const name = `r${count}`;
  const body = {
    apiVersion: 'atlasrestore.dev/v1',
    kind: 'LegacyRestoreJob',
    metadata: { name, annotations: { 'atlasrestore.dev/requestedAt': text } },
    spec: { groupId: '5a66666887d9d61443b41645', clusterName: 'Cluster0', jobId: '6b77893b80eef5354c77ee15' },
  };
  expect((await controlPlane.request('POST', COLLECTION, body)).status).toBe(201);
  return name;
}

test('the list is streamed, and what is kept is slim', async () => {
  const name = await create('now');
  const watched = watchAll();
  await listed(watched);
  expect(watched.paths[0]).toContain('sendInitialEvents=true');
  const kept = watched.reflector.get(`default/${name}`);
  expect(kept).toMatchObject({
    key: `default/${name}`,
    generation: 1,
    requestedAt: 'now',
    status: { observedGeneration: -1 },
  });
  expect(JSON.stringify(kept)).not.toContain('managedFields');
});

test('a connection that is reset again and again: every change still arrives', async () => {
  const watched = watchAll();
  await listed(watched);
  for (let round = 0; round < 5; round++) {
    proxy.resetAll();
    await sees(watched, await create());
  }
  expect(watched.interruptions.length).toBeGreaterThan(0);
  expect(watched.paths.filter((path) => path.includes('sendInitialEvents'))).toHaveLength(1);
});

test.each([1, 7, 1_000])('lines cut into pieces of %i bytes, inside multi-byte characters too', async (bytes) => {
  proxy.cutInto(bytes);
  const watched = watchAll();
  await listed(watched);
  const text = 'Grüße, 世界 🌍 '.repeat(20);
  const name = await create(text);
  await sees(watched, name);
  expect(watched.reflector.get(`default/${name}`)?.requestedAt).toBe(text);
});

test('a connection that always dies after a few events makes progress all the same', async () => {
  const watched = watchAll();
  await listed(watched);
  proxy.resetAfter(20_000);
  proxy.resetAll();
  const names: string[] = [];
  for (let index = 0; index < 30; index++) names.push(await create('x'.repeat(1_000)));
  for (const name of names) await sees(watched, name, 60_000);
});

test('an established connection that dies silently is found with the announced end of its watch', async () => {
  const watched = watchAll();
  await listed(watched);
  await sees(watched, await create());
  proxy.freezeOpen();
  const name = await create();
  await sees(watched, name, 60_000);
  expect(watched.interruptions.map(({ cause }) => cause)).toContain('stalled');
  expect(watched.warnings).toEqual(['the watch of legacyrestorejobs went silent, its connection is given up']);
});

test('deleted and created again under one name while nobody could watch: told as deletion and creation', async () => {
  const watched = watchAll();
  await listed(watched);
  const name = await create();
  await sees(watched, name);
  const uid = watched.reflector.get(`default/${name}`)?.uid;
  proxy.blackHole();
  proxy.resetAll();
  await controlPlane.request('DELETE', `${COLLECTION}/${name}`);
  const body = {
    apiVersion: 'atlasrestore.dev/v1',
    kind: 'LegacyRestoreJob',
    metadata: { name },
    spec: { groupId: '5a66666887d9d61443b41645', clusterName: 'Cluster0', jobId: '6b77893b80eef5354c77ee15' },
  };
  await controlPlane.request('POST', COLLECTION, body);
  proxy.thaw();
  proxy.resetAll();
  await eventually('the new one is seen', () => expect(watched.reflector.get(`default/${name}`)?.uid).not.toBe(uid), {
    timeoutMs: 60_000,
  });
  const told = watched.changes.filter((change) => ('object' in change ? change.object : change.previous).name === name);
  expect(told.map(({ type }) => type)).toEqual(['added', 'deleted', 'added']);
  expect(watched.warnings).toHaveLength(1);
});

describe('lists by pages', () => {
  test('are the fallback where lists cannot be streamed', async () => {
    const watched = watchAll({ wrap: withoutWatchList });
    await listed(watched);
    expect(watched.paths.some((path) => path.includes('limit=500'))).toBe(true);
    await sees(watched, await create());
  });

  test('a real 410 in the middle of the pages: the list is complete all the same', async () => {
    const names: string[] = [];
    for (let index = 0; index < 520; index++) names.push(await create());
    let compacted = false;
    const watched = watchAll({
      wrap: (client) => {
        const paged = withoutWatchList(client);
        return {
          ...paged,
          request: async (call) => {
            if (call.path.includes('continue=') && !compacted) {
              compacted = true;
              await create();
              await createEtcdClient(controlPlane.etcdUrl).compact();
            }
            return paged.request(call);
          },
        };
      },
    });
    await listed(watched);
    expect(compacted).toBe(true);
    expect(watched.paths.some((path) => path.endsWith('?'))).toBe(true);
    for (const name of names) expect(watched.reflector.get(`default/${name}`)).toBeDefined();
  });
});

test('a handler that throws is reported and loses nothing', async () => {
  const watched = watchAll({
    change: () => {
      throw new Error('of a handler');
    },
  });
  await listed(watched);
  await sees(watched, await create());
  expect(watched.interruptions.map(({ error }) => String(error))).toContain('Error: of a handler');
});

test('an expired token is replaced by the one that the kubeconfig holds now', async () => {
  const good = await watcherKubeconfig(controlPlane);
  const { users } = Object(JSON.parse(good));
  const expired = good.replace(users[0].user.token, 'expired');
  let current = expired;
  const watched = watchAll({ kubeconfig: () => current });
  await eventually('the refusal is told', () => expect(watched.interruptions.length).toBeGreaterThan(0));
  current = good;
  await listed(watched);
});

test('stopped in any state it ends at once and calls nobody any more', async () => {
  for (const state of ['connecting', 'listing', 'watching', 'waiting'] as const) {
    if (state === 'connecting') proxy.blackHole();
    const watched = watchAll();
    if (state === 'watching') await listed(watched);
    if (state === 'waiting') {
      await listed(watched);
      proxy.resetAfter(0);
      proxy.resetAll();
      await eventually('it waits', () => expect(watched.interruptions.length).toBeGreaterThan(1));
    }
    await watched.end();
    const told = watched.changes.length;
    await create();
    expect(watched.changes).toHaveLength(told);
    proxy.thaw();
    proxy.resetAfter(undefined);
  }
});
