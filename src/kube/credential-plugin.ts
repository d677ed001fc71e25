/**
 * Credentials from the program that a kubeconfig names (`exec`). client-node lets one that hangs run on, and makes an
 * error of nothing but what it wrote.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import * as z from 'zod';
import { printable } from '../api/printable.ts';
import { redactValues } from '../api/redaction.ts';
import { parseJson } from '../net/json.ts';
import { KubeConfigError } from './kubeconfig-error.ts';
import type { ExecEntry } from './kubeconfig-files.ts';

export interface PluginCredentials {
  readonly token?: string | undefined;
  readonly clientCertificateData?: string | undefined;
  readonly clientKeyData?: string | undefined;
}

/** The credentials, those of an earlier call until they expire. The signal ends the program; throws KubeConfigError. */
export type CredentialPlugin = (signal: AbortSignal | undefined) => Promise<PluginCredentials>;

/** How long a program may take, in milliseconds. */
export const PLUGIN_MS = 15_000;

/** `cluster`: what it is told of the cluster where the entry asks for that. */
export function createCredentialPlugin(
  entry: ExecEntry,
  cluster: Readonly<Record<string, unknown>>,
  timeoutMs = PLUGIN_MS,
): CredentialPlugin {
  let last: z.infer<typeof Status> | undefined;
  return async (signal) => {
    if (last !== undefined && !hasExpired(last.expirationTimestamp)) return last;
    last = read(entry, await runPlugin(entry, cluster, timeoutMs, signal));
    return last;
  };
}

const text = z
  .string()
  .nullish()
  .transform((value) => value || undefined);
const Status = z.object({
  token: text,
  clientCertificateData: text,
  clientKeyData: text,
  expirationTimestamp: text,
});
const ExecCredential = z.object({ status: Status });

const hasExpired = (timestamp: string | undefined): boolean =>
  timestamp !== undefined && !(Date.parse(timestamp) > Date.now());

function read(entry: ExecEntry, { stdout, stderr }: Output): z.infer<typeof Status> {
  const status = ExecCredential.safeParse(parseJson(stdout)).data?.status;
  if (status === undefined) throw pluginError(entry, 'did not print an ExecCredential', stderr);
  if (status.token === undefined && status.clientCertificateData === undefined)
    throw pluginError(entry, 'gave neither a token nor a certificate', stderr);
  return status;
}

interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/** Of each of its outputs; what is more is read and dropped. */
const MAX_OUTPUT = 1_048_576;

async function runPlugin(
  entry: ExecEntry,
  cluster: Readonly<Record<string, unknown>>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Output> {
  signal?.throwIfAborted();
  const child = spawn(entry.command, [...(entry.args ?? [])], {
    env: { ...process.env, ...environmentOf(entry, cluster) },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own: a script that hangs is mostly one whose own child hangs, which is to end too.
    detached: true,
  });
  const { promise: ended, resolve, reject } = Promise.withResolvers<Output>();
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  const output = (): Output => ({ stdout: stdout(), stderr: stderr() });
  const giveUp = (error: Error): void => {
    killGroup(child);
    reject(error);
  };
  const timer = setTimeout(
    () => giveUp(pluginError(entry, `did not end within ${timeoutMs / 1_000} s and was killed`, stderr(), stdout())),
    timeoutMs,
  );
  const onAbort = (): void => giveUp(new Error('the credential plugin was ended', { cause: signal?.reason }));
  signal?.addEventListener('abort', onAbort, { once: true });
  child.once('error', (error) => {
    const code = 'code' in error ? String(error.code) : 'unknown error';
    reject(pluginError(entry, `cannot be started (${code})`, entry.installHint ?? ''));
  });
  child.once('close', (code, killedBy) => {
    if (code === 0) resolve(output());
    else reject(pluginError(entry, `failed (${killedBy ?? `exit code ${code}`})`, stderr(), stdout()));
  });
  try {
    return await ended;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

function environmentOf(
  { apiVersion, env, provideClusterInfo }: ExecEntry,
  cluster: Readonly<Record<string, unknown>>,
): Record<string, string> {
  const info = {
    apiVersion: apiVersion ?? 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    spec: { interactive: false, ...(provideClusterInfo === true ? { cluster } : {}) },
  };
  const own = (env ?? []).map(({ name, value }): [string, string] => [name, value]);
  return { ...Object.fromEntries(own), KUBERNETES_EXEC_INFO: JSON.stringify(info) };
}

function collect(stream: NodeJS.ReadableStream): () => string {
  let collected = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    collected += chunk.slice(0, MAX_OUTPUT - collected.length);
  });
  return () => collected;
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

/** Longer than what plugins say in one sentence, shorter than a page of a proxy. */
const MAX_SAID = 500;

/** Names the program and repeats what it said, without secrets that it was given or printed. */
function pluginError(entry: ExecEntry, what: string, said: string, stdout = ''): KubeConfigError {
  const name = printable(entry.command, 200);
  const words = printable(withoutSecrets(said, entry, stdout), MAX_SAID);
  return new KubeConfigError(
    `the credential plugin ${JSON.stringify(name)} of the kubeconfig ${what}${words === '' ? '' : `: ${words}`}`,
  );
}

const SECRET_NAME = /key|secret|token|password|passwd|credential|auth|proxy/i;
const BEARER = /\b(bearer|basic)\s+\S+/gi;
const JWT = /\beyJ[\w-]+\.[\w-]+\.[\w-]*/g;
const USER_INFO = /(:\/\/)[^\s/@]+@/g;

function withoutSecrets(said: string, { env, args }: ExecEntry, stdout: string): string {
  const status = ExecCredential.safeParse(parseJson(stdout)).data?.status;
  const inherited = Object.entries(process.env).flatMap(([name, value = '']) =>
    SECRET_NAME.test(name) ? [value] : [],
  );
  const values = [
    ...(env ?? []).map(({ value }) => value),
    ...secretArguments(args ?? []),
    ...inherited,
    status?.token ?? '',
    status?.clientKeyData ?? '',
  ];
  return redactValues(said, values)
    .replace(BEARER, '$1 [redacted]')
    .replace(JWT, '[redacted]')
    .replace(USER_INFO, '$1[redacted]@');
}

/** The values of flags whose name says so, as `--client-secret x` and `--client-secret=x`. */
const secretArguments = (args: readonly string[]): readonly string[] =>
  args.flatMap((arg, index) => {
    const [flag = '', ...value] = arg.split('=');
    if (!flag.startsWith('-') || !SECRET_NAME.test(flag)) return [];
    return value.length > 0 ? [value.join('=')] : [args[index + 1] ?? ''];
  });
