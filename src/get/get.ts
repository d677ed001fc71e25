/** The command `get`: fetches one restore job from Atlas, once or until it has ended, and prints it. */
import { oneLine, printable } from '../api/printable.ts';
import type { RestoreJobResponse } from '../api/restore-job.ts';
import { type AtlasClient, createAtlasClient } from '../atlas/client.ts';
import type { AtlasCredentials } from '../atlas/credentials.ts';
import { AtlasError } from '../atlas/errors.ts';
import { createKubeClient } from '../kube/client.ts';
import { KubeError } from '../kube/errors.ts';
import { KubeConfigError } from '../kube/kubeconfig-error.ts';
import { proxyProblems } from '../net/proxy.ts';
import { trustSystemCertificates } from '../net/trusted-certificates.ts';
import { readyReasonOf } from '../restore-job/conditions.ts';
import { failureOfAtlas } from '../restore-job/failure.ts';
import { failureMessage } from '../restore-job/messages.ts';
import { readCredentials } from './credentials.ts';
import { EXIT_CODES, exitCodeOf } from './exit-codes.ts';
import { type GetOptions, getHelp, readGetOptions } from './options.ts';
import { printJob, remarks } from './print.ts';
import { createWatchDisplay, type Screen, watchJob } from './watch.ts';

/** What the command has of its process. */
interface GetProcess {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: Screen;
  readonly stderr: Screen;
  /** Ends the command. */
  readonly stop: AbortSignal;
  /** Of this program. */
  readonly version: string;
}

/** Runs the command; resolves with its exit code. */
export async function get(args: readonly string[], own: GetProcess): Promise<number> {
  const result = readGetOptions(args, own.env);
  switch (result.kind) {
    case 'help':
      own.stdout.write(getHelp());
      return 0;
    case 'problems':
      return complainOfUsage(own, [...result.problems, ...proxyProblems(own.env)]);
    case 'options': {
      const problems = proxyProblems(own.env);
      return problems.length > 0 ? complainOfUsage(own, problems) : fetchAndPrint(result.options, own);
    }
  }
}

function complainOfUsage({ stderr }: GetProcess, problems: readonly string[]): number {
  stderr.write(`Wrong usage, see get --help:\n${problems.map((problem) => `  ${problem}\n`).join('')}`);
  return EXIT_CODES.usage.code;
}

/** How long the end waits for a token to be given back, in milliseconds. */
const CLOSE_MS = 1_000;

async function fetchAndPrint(options: GetOptions, own: GetProcess): Promise<number> {
  const { stop, version } = own;
  for (const problem of trustSystemCertificates(own.env)) own.stderr.write(`note: ${oneLine(problem)}\n`);
  try {
    const openClient = () => createKubeClient({ userAgent: `legacy-restore-operator/${version}` });
    const found = await unlessStopped(stop, readCredentials(options.credentials, openClient, stop));
    if (!found.ok) return complain(own, found.problem, EXIT_CODES.usage.code);
    const response = await fetchJob(options, found.credentials, own);
    const printOptions = { ...options, now: Date.now() };
    own.stdout.write(printJob(response, printOptions));
    for (const remark of remarks(response, printOptions)) own.stderr.write(`note: ${oneLine(remark)}\n`);
    return exitCodeOf(readyReasonOf(response.job));
  } catch (error) {
    if (stop.aborted) return complain(own, 'interrupted', EXIT_CODES.interrupted.code);
    if (error instanceof AtlasError) {
      const failure = failureOfAtlas(error);
      return complain(own, failureMessage(failure, 'command'), exitCodeOf(failure.reason));
    }
    if (error instanceof KubeConfigError) return complain(own, error.message, EXIT_CODES.usage.code);
    if (error instanceof KubeError) return complain(own, printable(error.message, 1_000), EXIT_CODES.other.code);
    throw error;
  }
}

function complain({ stderr }: GetProcess, message: string, exitCode: number): number {
  stderr.write(`${oneLine(message)}\n`);
  return exitCode;
}

async function fetchJob(
  options: GetOptions,
  credentials: AtlasCredentials,
  own: GetProcess,
): Promise<RestoreJobResponse> {
  const lifetime = new AbortController();
  const { client, fetch } = connect(options, credentials, own, lifetime.signal);
  try {
    return await (options.until.kind === 'fetched'
      ? unlessStopped(own.stop, fetch())
      : watch(fetch, options.until, own));
  } finally {
    const late = setTimeout(() => lifetime.abort(new Error('the command has ended')), CLOSE_MS);
    await client.close();
    clearTimeout(late);
  }
}

async function watch(
  fetch: () => Promise<RestoreJobResponse>,
  { intervalMs }: Extract<GetOptions['until'], { kind: 'ended' }>,
  { stderr, stop }: GetProcess,
): Promise<RestoreJobResponse> {
  const display = createWatchDisplay(stderr);
  try {
    return await unlessStopped(stop, watchJob({ ...display, fetch, intervalMs, signal: stop }));
  } finally {
    display.close();
  }
}

function connect(
  { ref, atlasBaseUrl, atlasTimeout, envelope, pretty }: GetOptions,
  credentials: AtlasCredentials,
  { stderr, version }: GetProcess,
  signal: AbortSignal,
): { readonly client: AtlasClient; readonly fetch: () => Promise<RestoreJobResponse> } {
  let reserved = Promise.withResolvers<void>();
  const client = createAtlasClient({
    baseUrl: atlasBaseUrl,
    timeoutMs: atlasTimeout,
    envelope,
    pretty,
    requestsPerMinute: 0,
    version,
    signal,
    onReserved: () => reserved.resolve(),
    observer: {
      deprecation: ({ sunset }) => {
        const until = sunset === undefined ? '' : ` and ends it on ${printable(sunset, 64)}`;
        stderr.write(`note: Atlas marks this version of its API as deprecated${until}\n`);
      },
    },
  });
  /** Waits first where Atlas asked to wait: nobody else uses this client, so there is no other reason. */
  async function fetch(): Promise<RestoreJobResponse> {
    for (;;) {
      reserved = Promise.withResolvers<void>();
      const fetching = client.fetch(ref, credentials, 'get');
      if (fetching.kind === 'fetching') return fetching.response;
      await reserved.promise;
    }
  }
  return { client, fetch };
}

/** Rejects as soon as the signal is aborted, whatever becomes of the work. */
function unlessStopped<T>(stop: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(new Error('stopped', { cause: stop.reason }));
  if (stop.aborted) onAbort();
  stop.addEventListener('abort', onAbort, { once: true });
  return Promise.race([work, stopped]).finally(() => stop.removeEventListener('abort', onAbort));
}
