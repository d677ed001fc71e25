/** What an API server and the way to it can do to list and watch, beyond broken connections (reflector.test.ts). */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import { loadKubeConfig } from '../../src/kube/kubeconfig.ts';
import {
  type ApiServerProxy,
  GATEWAY_RESPONSES,
  type RequestKind,
  startApiServerProxy,
} from '../support/api-server-proxy.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane/control-plane.ts';
import { base64 } from '../support/control-plane/credentials.ts';
import { createEtcdClient, RESOURCE_PREFIX } from '../support/etcd.ts';
import { eventually } from '../support/eventually.ts';
import { installCrds } from '../support/installation.ts';
import {
  type Watched,
  type WatchOptions,
  watcherKubeconfig,
  watchResources,
  withoutWatchList,
} from '../support/watched-resources.ts';

/** Of tests that say nothing else. */
const NAMESPACE = 'default';
const SLOW = 'slow';

let controlPlane: ControlPlane;
let token: string;
let proxy: ApiServerProxy;
let slowProxy: ApiServerProxy;
let slow: Promise<readonly Watched[]>;
let hungPlugin: Promise<Watched>;
let withoutEnd: Promise<Watched>;
beforeAll(async () => {
  controlPlane = await startControlPlane();
  await installCrds(controlPlane);
  await controlPlane.request('POST', '/api/v1/namespaces', { metadata: { name: SLOW } });
  token = Object(JSON.parse(await watcherKubeconfig(controlPlane))).users[0].user.token;
  proxy = await startApiServerProxy(controlPlane.server, controlPlane.caPem);
  slowProxy = await startApiServerProxy(controlPlane.server, controlPlane.caPem);
  // They take most of a minute, in which the other tests run.
  slow = overSlowLink();
  slow.catch(() => {});
  hungPlugin = withHungPlugin();
  hungPlugin.catch(() => {});
  withoutEnd = behindProxyWithoutEnd();
  withoutEnd.catch(() => {});
});

const running: Watched[] = [];
const endAll = async (): Promise<void> => {
  await Promise.all(running.splice(0).map((watched) => watched.end()));
  await eventually('all connections are closed', () => expect(proxy.openConnections()).toBe(0));
};
afterEach(endAll);
afterAll(async () => {
  await endAll();
  await slow?.then((watched) => Promise.all(watched.map(({ end }) => end())));
  await proxy?.stop();
  await slowProxy?.stop();
  await controlPlane?.stop();
});

/** A kubeconfig for a proxy that holds the CA itself. */
function kubeconfigOf({ url, caPem }: ApiServerProxy): KubeConfig {
  const config = new KubeConfig();
  const cluster = { name: 'proxy', server: url, caData: base64(caPem()), skipTLSVerify: false };
  config.loadFromClusterAndUser(cluster, { name: 'watcher', token });
  return config;
}

/** Through the proxy, until the test ends. */
function watch(options: Partial<WatchOptions> = {}): Watched {
  const watched = watchResources({ load: () => kubeconfigOf(proxy), namespace: NAMESPACE, ...options });
  running.push(watched);
  return watched;
}

/** Lists, and has its watch open. */
async function watching(options: Partial<WatchOptions> = {}): Promise<Watched> {
  const watched = watch(options);
  await listed(watched);
  await eventually('the watch is open', () => expect(proxy.openWatches()).toBe(1));
  return watched;
}

const count = (kind: RequestKind): number => proxy.requests.filter((request) => request.kind === kind).length;

const listed = ({ reflector }: Watched, timeoutMs = 30_000): Promise<void> =>
  eventually('the list is complete', () => expect(reflector.hasListed()).toBe(true), { timeoutMs });

const sees = ({ reflector }: Watched, name: string, namespace = NAMESPACE): Promise<void> =>
  eventually(`${name} is seen`, () => expect(reflector.get(`${namespace}/${name}`)).toBeDefined(), {
    timeoutMs: 90_000,
  });

const collection = (namespace: string): string => `/apis/atlasrestore.dev/v1/namespaces/${namespace}/legacyrestorejobs`;

let created = 0;
/** A fresh name; the text goes into a field that can hold any. */
async function create(text = '', namespace = NAMESPACE): Promise<string> {
  created += 1;
  const name = `r${created}`;
  const answer = await controlPlane.request('POST', collection(namespace), {
    apiVersion: 'atlasrestore.dev/v1',
    kind: 'LegacyRestoreJob',
    metadata: { name, annotations: { 'atlasrestore.dev/requestedAt': text } },
    spec: { groupId: '5a66666887d9d61443b41645', clusterName: 'Cluster0', jobId: '6b77893b80eef5354c77ee15' },
  });
  expect(answer.status).toBe(201);
  return name;
}

async function remove(name: string): Promise<void> {
  expect((await controlPlane.request('DELETE', `${collection(NAMESPACE)}/${name}`)).status).toBe(200);
}

describe('429 and 503 with Retry-After', () => {
  /** The next request of that kind is refused for two seconds, in which no other one comes. */
  async function waited(kind: RequestKind, code: number, begin: () => Promise<Watched>): Promise<Watched> {
    const earlier = count(kind);
    proxy.next(kind, () => ({ kind: 'status', code, headers: { 'retry-after': '2' } }));
    const watched = await begin();
    await eventually('it is tried again', () => expect(count(kind)).toBeGreaterThan(earlier + 1));
    const [refused, next] = proxy.requests.filter((request) => request.kind === kind).slice(earlier);
    // Without being told it would have been tried again after 1.6 s at most.
    expect((next?.at ?? 0) - (refused?.at ?? 0)).toBeGreaterThanOrEqual(2_000);
    expect(watched.interruptions).toHaveLength(1);
    return watched;
  }

  test.each([429, 503])('%i while listing: waited for as told, then the list is complete', async (code) => {
    const name = await create();
    await sees(await waited('list', code, () => Promise.resolve(watch())), name);
  });

  test.each([429, 503])('%i while listing by pages: likewise', async (code) => {
    const name = await create();
    const watched = await waited('page', code, () => Promise.resolve(watch({ wrap: withoutWatchList })));
    await sees(watched, name);
  });

  test.each([429, 503])('%i while watching: likewise, and a change made meanwhile arrives', async (code) => {
    const it = await watching();
    let name = '';
    await waited('watch', code, async () => {
      proxy.endWatches();
      name = await create();
      return it;
    });
    await sees(it, name);
    expect(it.paths.filter((each) => each.includes('sendInitialEvents'))).toHaveLength(1);
  });
});

describe('an ERROR event', () => {
  test.each([500, 504])('of code %i in a watch: it goes on where it was, and nothing is lost', async (code) => {
    const watched = await watching();
    proxy.endWatches(code);
    await sees(watched, await create());
    expect(watched.interruptions.map(({ cause }) => cause)).toEqual(['watch']);
    expect(watched.paths.filter((each) => each.includes('sendInitialEvents'))).toHaveLength(1);
  });

  test('in the stream of a list: it is listed again', async () => {
    const name = await create();
    proxy.next('list', () => ({ kind: 'error-event', code: 500 }));
    const watched = await watching();
    await sees(watched, name);
    expect(watched.interruptions.map(({ cause }) => cause)).toEqual(['list']);
  });
});

describe('410 Gone', () => {
  /** A watch is told 410; before the list that follows, one resource is made and another one goes. */
  async function relists(refuse: (it: Watched) => void): Promise<void> {
    const gone = await create();
    const it = await watching();
    let name = '';
    proxy.next('list', async () => {
      name = await create();
      await remove(gone);
      return { kind: 'forward' };
    });
    refuse(it);
    await eventually('it lists again', () => expect(name).not.toBe(''));
    await sees(it, name);
    await eventually('the deletion is seen', () => expect(it.reflector.get(`${NAMESPACE}/${gone}`)).toBeUndefined());
    expect(it.interruptions.map(({ cause }) => cause)).toEqual(['expired']);
  }

  test('as a status of a watch: all are listed again, and nothing is lost', () =>
    relists(() => {
      proxy.next('watch', () => ({ kind: 'status', code: 410 }));
      proxy.endWatches();
    }));

  test('as an event in the stream: likewise', () => relists(() => proxy.endWatches(410)));
});

describe('the CA is renewed', () => {
  test('in a pod: the file that the kubelet replaces is read again', async () => {
    const dir = await mkdtemp(path.join(tmpdir(), 'legacy-restore-operator-pod-'));
    const mount = path.join(dir, 'var/run/secrets/kubernetes.io/serviceaccount');
    await mkdir(mount, { recursive: true });
    await writeFile(path.join(mount, 'ca.crt'), proxy.caPem());
    await writeFile(path.join(mount, 'token'), token);
    const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
    try {
      process.env['KUBERNETES_SERVICE_HOST'] = '127.0.0.1';
      process.env['KUBERNETES_SERVICE_PORT'] = String(proxy.port);
      const load = (): KubeConfig => {
        const config = new KubeConfig();
        config.loadFromCluster(dir);
        return config;
      };
      await afterRenewal(load, () => writeFile(path.join(mount, 'ca.crt'), proxy.caPem()));
    } finally {
      restore('KUBERNETES_SERVICE_HOST', host);
      restore('KUBERNETES_SERVICE_PORT', port);
      await rm(dir, { recursive: true });
    }
  });

  test('with a kubeconfig that holds it: the kubeconfig is read again', async () => {
    let current = kubeconfigOf(proxy);
    await afterRenewal(
      () => current,
      () => {
        current = kubeconfigOf(proxy);
      },
    );
  });

  /** The API server has a certificate of a new CA for a while before the configuration has the CA. */
  async function afterRenewal(load: () => KubeConfig, replace: () => Promise<void> | void): Promise<void> {
    const watched = await watching({ load });
    await proxy.renewCa();
    await eventually('the new certificate is not accepted', () => {
      const messages = watched.interruptions.map(({ error }) => String(error)).join('\n');
      expect(messages).toContain('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    });
    const name = await create();
    await replace();
    await sees(watched, name);
  }

  function restore(name: string, value: string | undefined): void {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

test('a credential plugin that hangs is started again', async () => {
  const watched = await hungPlugin;
  expect(watched.reflector.hasListed()).toBe(true);
  expect(watched.interruptions.map(({ error }) => String(error)).join()).toContain(
    'did not end within 15 s and was killed',
  );
});

/** The plugin hangs when it is started for the first time. */
async function withHungPlugin(): Promise<Watched> {
  const credential = { apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status: { token } };
  const script = `mkdir "$0" 2>/dev/null && exec sleep 600; echo '${JSON.stringify(credential)}'`;
  const { server, caPem, dir } = controlPlane;
  const file = path.join(dir, 'with-plugin');
  const exec = { command: '/bin/sh', args: ['-c', script, path.join(dir, 'started')] };
  const content = {
    'current-context': 'x',
    contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
    clusters: [{ name: 'x', cluster: { server, 'certificate-authority-data': base64(caPem) } }],
    users: [{ name: 'x', user: { exec } }],
  };
  await writeFile(file, JSON.stringify(content));
  const load = (): KubeConfig => {
    process.env['KUBECONFIG'] = file;
    return loadKubeConfig();
  };
  const watched = watchResources({ load, namespace: NAMESPACE });
  await listed(watched, 60_000);
  await watched.end();
  return watched;
}

test('the end of a list by stream is kept back on the way: it is read by pages, told once', async () => {
  const { warnings, paths, reflector } = await withoutEnd;
  expect(reflector.hasListed()).toBe(true);
  expect(warnings).toEqual([expect.stringContaining('from now on they are read by pages')]);
  expect(paths.filter((each) => each.includes('sendInitialEvents'))).toHaveLength(1);
  expect(paths.some((each) => each.includes('limit=500'))).toBe(true);
});

/** Through a proxy that keeps back the bookmark with which a list by stream ends. */
async function behindProxyWithoutEnd(): Promise<Watched> {
  const keeping = await startApiServerProxy(controlPlane.server, controlPlane.caPem);
  keeping.always(({ kind }) => kind === 'list', { kind: 'forward-without', text: 'k8s.io/initial-events-end' });
  const watched = watchResources({ load: () => kubeconfigOf(keeping), namespace: NAMESPACE });
  await listed(watched, 90_000);
  await sees(watched, await create());
  await watched.end();
  await keeping.stop();
  return watched;
}

describe.each(['redirect', 'page'] as const)('a gateway that responds in place of the API server with a %s', (what) => {
  const sentence = 'legacyrestorejobs cannot be listed and watched: something else than the API server responds';

  test.each(['list', 'page'] as const)('to a %s: it is told, and nothing is taken for deleted', async (kind) => {
    const name = await create();
    const options = kind === 'page' ? { wrap: withoutWatchList } : {};
    const it = await watching(options);
    await sees(it, name);
    proxy.next(kind, () => GATEWAY_RESPONSES[what]);
    const before = count(kind);
    proxy.endWatches(410);
    await eventually('it lists again', () => expect(count(kind)).toBeGreaterThanOrEqual(before + 2));
    await sees(it, await create());
    expect(it.reflector.get(`${NAMESPACE}/${name}`)).toBeDefined();
    expect(it.changes.filter(({ type }) => type === 'deleted')).toEqual([]);
    expect(it.warnings).toEqual([sentence]);
  });

  test('to a watch: it is told, and the watch goes on where it was', async () => {
    const it = await watching();
    proxy.next('watch', () => GATEWAY_RESPONSES[what]);
    proxy.endWatches();
    await sees(it, await create());
    expect(it.warnings).toEqual([sentence]);
    expect(it.paths.filter((each) => each.includes('sendInitialEvents'))).toHaveLength(1);
  });
});

describe('a Retry-After that asks for what nobody should do', () => {
  /** The waits after so many lists that were refused with it. */
  async function waits(value: string, times: number): Promise<readonly number[]> {
    const refusal = { kind: 'status', code: 429, headers: { 'retry-after': value } } as const;
    const undo = proxy.always(({ kind }) => kind === 'list', refusal);
    const watched = watch();
    await eventually('it was refused', () => expect(watched.interruptions.length).toBeGreaterThanOrEqual(times));
    undo();
    return watched.interruptions.map(({ waitMs }) => waitMs);
  }

  test.each(['0', '-1'])('%s is no hot loop', async (value) => {
    expect(Math.min(...(await waits(value, 3)))).toBeGreaterThanOrEqual(200);
  });

  test.each(['86400', '99999999999'])('%s is a minute', async (value) => {
    expect(await waits(value, 1)).toEqual([60_000]);
  });
});

describe('a stop leaves nothing behind', () => {
  const held = (kind: RequestKind): void => proxy.next(kind, () => ({ kind: 'hold' }));

  test.each<[string, () => Promise<Watched>]>([
    ['listing', () => beforeAnswer('list')],
    ['listing by pages', () => beforeAnswer('page', { wrap: withoutWatchList })],
    ['watching', () => watching()],
    [
      'a watch that is not answered yet',
      async () => {
        const watched = await watching();
        held('watch');
        const before = count('watch');
        proxy.endWatches();
        await eventually('the next watch has come', () => expect(count('watch')).toBeGreaterThan(before));
        return watched;
      },
    ],
    [
      'waiting',
      async () => {
        const watched = await watching();
        proxy.next('watch', () => ({ kind: 'status', code: 503, headers: { 'retry-after': '3600' } }));
        proxy.endWatches();
        await eventually('it waits', () => expect(watched.interruptions).toHaveLength(1));
        return watched;
      },
    ],
  ])('in the middle of %s', async (_, begin) => {
    const watched = await begin();
    expect(proxy.openConnections()).toBeGreaterThan(0);
    const interruptions = watched.interruptions.length;
    await watched.end();
    await eventually('all connections are closed', () => expect(proxy.openConnections()).toBe(0));
    expect(watched.interruptions).toHaveLength(interruptions);
  });

  async function beforeAnswer(kind: RequestKind, options: Partial<WatchOptions> = {}): Promise<Watched> {
    held(kind);
    const before = count(kind);
    const watched = watch(options);
    await eventually('the request has come', () => expect(count(kind)).toBeGreaterThan(before));
    return watched;
  }
});

/** Bytes per second, and the size of a resource that takes longer to come than any stream may be silent. */
const SLOW_LINK = { rate: 100, bytes: 4_500 } as const;

/** Two that watch over a slow link: one gets a large event, one a large list, each in more than 45 s. */
async function overSlowLink(): Promise<readonly Watched[]> {
  const load = (): KubeConfig => kubeconfigOf(slowProxy);
  const first = watchResources({ load, namespace: SLOW });
  await listed(first);
  // Of the first seconds of a fresh API server.
  first.interruptions.splice(0);
  slowProxy.slowDown(SLOW_LINK.rate);
  const name = await create('x'.repeat(SLOW_LINK.bytes), SLOW);
  const second = watchResources({ load, namespace: SLOW });
  await sees(first, name, SLOW);
  await sees(second, name, SLOW);
  await listed(second, 60_000);
  return [first, second];
}

test('over a slow link a list and an event come byte by byte, and nobody takes the connection for dead', async () => {
  for (const { interruptions } of await slow) expect(interruptions).toEqual([]);
});

test('a real 410: the API server was away for longer than etcd remembers', async () => {
  const watched = await watching();
  const template = await create();
  await sees(watched, template);
  const etcd = createEtcdClient(controlPlane.etcdUrl);
  const key = (name: string): string => `${RESOURCE_PREFIX}${NAMESPACE}/${name}`;
  const { promise: back, resolve: isBack } = Promise.withResolvers<void>();
  proxy.next('watch', () => back.then(() => ({ kind: 'forward' })));
  await controlPlane.killApiServer('SIGKILL');
  // As another API server would have written it.
  const stored = (await etcd.get(key(template))).replaceAll(template, 'made-meanwhile');
  await etcd.putAll(new Map([[key('made-meanwhile'), stored]]));
  await etcd.compact();
  await controlPlane.startApiServer();
  await eventually('the API server answers from its cache', async () => {
    const { status } = await controlPlane.request('GET', `${collection(NAMESPACE)}?resourceVersion=0`);
    expect(status).toBe(200);
  });
  isBack();
  await sees(watched, 'made-meanwhile');
  expect(watched.interruptions.map(({ cause }) => cause)).toEqual(['watch', 'expired']);
});
