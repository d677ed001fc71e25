/** The kubeconfig: finding it, and reading the server, the TLS options and the headers out of it. */
import { hash } from 'node:crypto';
import type { RequestOptions } from 'node:https';
import { homedir } from 'node:os';
import path from 'node:path';
import { type Cluster, type Context, KubeConfig, type User } from '@kubernetes/client-node';
import * as z from 'zod';
import { type ProxyAddress, ProxySettingError, proxyFor, readProxy } from '../net/proxy.ts';
import { type CredentialPlugin, createCredentialPlugin } from './credential-plugin.ts';
import { KubeConfigError } from './kubeconfig-error.ts';
import { type ClusterEntry, type KubeConfigEntries, readKubeConfigFiles, type UserEntry } from './kubeconfig-files.ts';

/** Whom to talk to, and as whom: what a kubeconfig says of its current context. */
export interface KubeCredentials {
  readonly origin: string;
  /** What all paths begin with, where the API server stands behind a gateway. */
  readonly basePath: string;
  /** That of the kubeconfig, else of the environment. */
  readonly proxy: ProxyAddress | undefined;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly tls: ReturnType<typeof tlsOptions>;
  /** Hash of the TLS options, the server and the proxy: connections are kept while it stays the same. */
  readonly identity: string;
}

/** The configuration that kubectl would use: that of the kubeconfig, and only without one the pod's own. Throws KubeConfigError. */
export function loadKubeConfig(): KubeConfig {
  const { KUBECONFIG, KUBERNETES_SERVICE_HOST } = process.env;
  const files = KUBECONFIG
    ? KUBECONFIG.split(path.delimiter).filter((file) => file !== '')
    : [path.join(homedir(), '.kube', 'config')];
  const entries = readKubeConfigFiles(files);
  if (entries !== undefined) return configOf(entries);
  if (!KUBERNETES_SERVICE_HOST) {
    const found = KUBECONFIG ? 'none of the files that KUBECONFIG names exists' : 'set KUBECONFIG';
    throw new KubeConfigError(`no kubeconfig found and not running in a pod: ${found}`);
  }
  const config = new KubeConfig();
  config.loadFromCluster();
  return config;
}

/**
 * Reads the files and runs the credential plugin that the kubeconfig names; the signal ends the plugin. Throws
 * KubeConfigError when it cannot be used, ProxySettingError when the proxy of the environment cannot.
 */
export async function readKubeCredentials(config: KubeConfig, signal?: AbortSignal): Promise<KubeCredentials> {
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new KubeConfigError('the current context of the kubeconfig names no cluster');
  const { server, proxyUrl } = cluster;
  const url = URL.parse(server);
  // Without the value: what stands in its place can hold a password.
  if (url === null || !/^https?:\/\//i.test(server))
    throw new KubeConfigError("the server of the kubeconfig's current cluster must be an http(s) URL");
  const proxy = proxyUrl ? proxyOf(proxyUrl) : proxyFor(url, process.env);
  const options: RequestOptions = signal === undefined ? {} : { signal };
  await authenticate(config, options);
  const tls = tlsOptions(options);
  const identity = hash('sha256', JSON.stringify([server, proxy, tls]));
  const { origin, pathname } = url;
  const headers = { ...authorizationHeaders(options), ...impersonationHeaders(config.getCurrentUser()) };
  return { origin, basePath: pathname.replace(/\/+$/, ''), proxy, headers, tls, identity };
}

// Making client-node's configuration

function configOf(entries: KubeConfigEntries): KubeConfig {
  const { contexts, clusters, users, currentContext } = entries;
  if (currentContext === '') throw new KubeConfigError('the kubeconfig has no current-context');
  const context = contexts.get(currentContext);
  if (context === undefined) throw new KubeConfigError('the current-context of the kubeconfig names no context');
  const cluster = clusters.get(context.cluster ?? '');
  if (cluster === undefined) throw new KubeConfigError('the current context of the kubeconfig names no cluster');
  const user = context.user ? users.get(context.user) : {};
  if (user === undefined) throw new KubeConfigError('the current context of the kubeconfig names no user');
  const config = new KubeConfig();
  const own: Context = {
    name: CURRENT,
    cluster: CURRENT,
    user: CURRENT,
    ...(context.namespace ? { namespace: context.namespace } : {}),
  };
  config.loadFromOptions({
    contexts: [own],
    clusters: [clusterOf(cluster)],
    users: [userOf(user)],
    currentContext: CURRENT,
  });
  if (user.exec) config.addAuthenticator(pluginAuthenticator(createCredentialPlugin(user.exec, clusterInfo(cluster))));
  return config;
}

/** Only the current entries are taken over, under this name. */
const CURRENT = 'current';

function clusterOf(entry: ClusterEntry): Cluster {
  const server = entry.server ?? '';
  const caData = entry['certificate-authority-data'];
  const caFile = unlessData(caData, entry['certificate-authority']);
  return {
    name: CURRENT,
    server,
    // client-node refuses plain http, which has no certificate to verify, without this.
    skipTLSVerify: entry['insecure-skip-tls-verify'] === true || /^http:/i.test(server),
    ...(caData ? { caData } : {}),
    ...(caFile ? { caFile } : {}),
    ...(entry['tls-server-name'] ? { tlsServerName: entry['tls-server-name'] } : {}),
    ...(entry['proxy-url'] ? { proxyUrl: entry['proxy-url'] } : {}),
  };
}

/** Members for the headers of an impersonation, most of which client-node does not know. */
const Impersonation = z.object({
  asUser: z.string().nullish(),
  asUid: z.string().nullish(),
  asGroups: z.array(z.string()).nullish(),
  asExtra: z.record(z.string(), z.array(z.string())).nullish(),
});

function userOf(entry: UserEntry): User & z.infer<typeof Impersonation> {
  // Data wins over a file, but a file over a token: it is renewed.
  const token = entry.tokenFile ? undefined : entry.token;
  const { 'client-certificate-data': certData, 'client-key-data': keyData } = entry;
  const certFile = unlessData(certData, entry['client-certificate']);
  const keyFile = unlessData(keyData, entry['client-key']);
  return {
    name: CURRENT,
    ...(certData ? { certData } : {}),
    ...(certFile ? { certFile } : {}),
    ...(keyData ? { keyData } : {}),
    ...(keyFile ? { keyFile } : {}),
    ...(token ? { token } : {}),
    ...(entry.username ? { username: entry.username, password: entry.password ?? '' } : {}),
    asUser: entry.as,
    asUid: entry['as-uid'],
    asGroups: entry['as-groups'],
    asExtra: entry['as-user-extra'],
    authProvider: authProviderOf(entry),
  };
}

/** `tokenFile` and `exec` as client-node calls them: each is a provider of its own. */
function authProviderOf({ tokenFile, exec, 'auth-provider': provider }: UserEntry): unknown {
  if (tokenFile) return { name: 'tokenFile', config: { tokenFile } };
  return exec ? { name: PLUGIN } : provider;
}

/** client-node prefers the file, kubectl the data. */
const unlessData = (data: string | null | undefined, file: string | null | undefined): string | undefined =>
  data ? undefined : (file ?? undefined);

/** What a plugin is told that asks for it: `spec.cluster` of ExecCredential. */
function clusterInfo(entry: ClusterEntry): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries({
      server: entry.server,
      'tls-server-name': entry['tls-server-name'],
      'insecure-skip-tls-verify': entry['insecure-skip-tls-verify'],
      'certificate-authority-data': entry['certificate-authority-data'],
      'proxy-url': entry['proxy-url'],
    }).filter(([, value]) => value !== undefined && value !== null && value !== ''),
  );
}

const PLUGIN = 'credential-plugin';

function pluginAuthenticator(plugin: CredentialPlugin): Parameters<KubeConfig['addAuthenticator']>[0] {
  return {
    isAuthProvider: ({ authProvider }) => authProvider?.name === PLUGIN,
    applyAuthentication: async (_user, options) => {
      const signal = 'signal' in options ? options.signal : undefined;
      const { token, clientCertificateData, clientKeyData } = await plugin(signal);
      if (clientCertificateData !== undefined) options.cert = clientCertificateData;
      if (clientKeyData !== undefined) options.key = clientKeyData;
      if (token !== undefined) options.headers = { Authorization: `Bearer ${token}` };
    },
  };
}

// Reading the credentials

function proxyOf(proxyUrl: string): ProxyAddress {
  try {
    return readProxy(proxyUrl, 'proxy-url of the kubeconfig');
  } catch (cause) {
    if (cause instanceof ProxySettingError) throw new KubeConfigError(cause.message);
    throw cause;
  }
}

async function authenticate(config: KubeConfig, options: RequestOptions): Promise<void> {
  try {
    await config.applyToHTTPSOptions(options);
  } catch (cause) {
    if (cause instanceof KubeConfigError || options.signal?.aborted === true) throw cause;
    // Only the code and the path: an identity provider's answer, say, can carry a token.
    const [code, file] = [textOf(cause, 'code') ?? 'unknown error', textOf(cause, 'path')];
    const where = file === undefined ? '' : `: ${file}`;
    throw new KubeConfigError(`the credentials of the kubeconfig cannot be read (${code})${where}`, { cause });
  }
}

function textOf(error: unknown, member: string): string | undefined {
  const value: unknown = Error.isError(error) ? Reflect.get(error, member) : undefined;
  return typeof value === 'string' ? value : undefined;
}

/** Only what is there: an undefined member would override undici's default. */
function tlsOptions({ ca, cert, key, pfx, passphrase, rejectUnauthorized, servername }: RequestOptions) {
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(pfx === undefined ? {} : { pfx }),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
    ...(servername === undefined ? {} : { servername }),
  };
}

function authorizationHeaders(options: RequestOptions): Record<string, string> {
  const { headers, auth } = options;
  const basic = typeof auth === 'string' ? { authorization: `Basic ${Buffer.from(auth).toString('base64')}` } : {};
  if (headers === undefined || Array.isArray(headers)) return basic;
  const others = Object.entries(headers).map(([name, value]) => [name, String(value).trim()]);
  return { ...Object.fromEntries(others), ...basic };
}

function impersonationHeaders(user: User | null): Record<string, string | string[]> {
  const { asUser, asUid, asGroups, asExtra } = Impersonation.parse(user ?? {});
  const extra = Object.entries(asExtra ?? {}).map(([name, values]): [string, string[]] => [
    `Impersonate-Extra-${encodeURIComponent(name)}`,
    values,
  ]);
  return {
    ...(asUser ? { 'Impersonate-User': asUser } : {}),
    ...(asUid ? { 'Impersonate-Uid': asUid } : {}),
    ...(asGroups && asGroups.length > 0 ? { 'Impersonate-Group': asGroups } : {}),
    ...Object.fromEntries(extra),
  };
}
