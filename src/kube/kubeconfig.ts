/** The kubeconfig: finding it, and reading the server, the TLS options and the headers out of it. */
import { hash } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';

/** There is no kubeconfig and this is no pod, or the kubeconfig cannot be used. The message says what to do. */
export class KubeConfigError extends Error {
  override readonly name = 'KubeConfigError';
}

/** Whom to talk to, and as whom: what a kubeconfig says of its current context. */
export interface KubeCredentials {
  readonly origin: string;
  /** What all paths begin with, where the API server stands behind a gateway. */
  readonly basePath: string;
  readonly proxyUrl: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: ReturnType<typeof tlsOptions>;
  /** Hash of the TLS options and the server: connections are kept while it stays the same. */
  readonly identity: string;
}

/** The configuration that kubectl would use, or the pod's own. Throws KubeConfigError. */
export function loadKubeConfig(): KubeConfig {
  const { KUBECONFIG, KUBERNETES_SERVICE_HOST } = process.env;
  const hasFile = existsSync(join(homedir(), '.kube', 'config'));
  if (!KUBECONFIG && !hasFile && !KUBERNETES_SERVICE_HOST) {
    throw new KubeConfigError('no kubeconfig found and not running in a pod: set KUBECONFIG');
  }
  const config = new KubeConfig();
  try {
    if (KUBECONFIG || !KUBERNETES_SERVICE_HOST) config.loadFromDefault();
    else config.loadFromCluster();
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new KubeConfigError(`the kubeconfig cannot be read: ${message}`, { cause });
  }
  if (config.getCurrentCluster() === null)
    throw new KubeConfigError('the current context of the kubeconfig names no cluster');
  return config;
}

/** Reads the files and runs the credential plugin that the kubeconfig names. Throws KubeConfigError when it cannot be used. */
export async function readKubeCredentials(config: KubeConfig): Promise<KubeCredentials> {
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new KubeConfigError('the current context of the kubeconfig names no cluster');
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const tls = tlsOptions(options);
  const { server, proxyUrl } = cluster;
  const identity = hash('sha256', JSON.stringify([server, proxyUrl, tls]));
  if (!/^https?:/.test(server) || !URL.canParse(server))
    throw new KubeConfigError(`the server of the kubeconfig's current cluster, "${server}", must be an http(s) URL`);
  const { origin, pathname } = new URL(server);
  const basePath = pathname.replace(/\/+$/, '');
  return { origin, basePath, proxyUrl, headers: authorizationHeaders(options), tls, identity };
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
  if (typeof auth === 'string') return { authorization: `Basic ${Buffer.from(auth).toString('base64')}` };
  if (headers === undefined || Array.isArray(headers)) return {};
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value).trim()]));
}
