/** The command `get`: fetches one restore job from Atlas, once or until it has ended, and prints it. */
import { printable } from '../api/printable.ts';
import type { RestoreJobAnswer } from '../atlas/answer.ts';
import { type AtlasClient, createAtlasClient } from '../atlas/client.ts';
import type { AtlasCredentials } from '../atlas/credentials.ts';
import { AtlasError } from '../atlas/errors.ts';
import { jobState } from '../controller/job-state.ts';
import { createKubeClient } from '../kube/client.ts';
import { KubeError } from '../kube/errors.ts';
import { KubeConfigError } from '../kube/kubeconfig.ts';
import { readCredentials } from './credentials.ts';
import { EXIT_CODES, type Exit, exitOfReason, exitOfState } from './exit-codes.ts';
import { getHelp } from './help.ts';
import { type GetOptions, readGetOptions } from './options.ts';
import { printJob, remarks } from './print.ts';
import { watchJob } from './watch.ts';
import { createWatchDisplay, type Screen } from './watch-display.ts';
import { forCommandLine } from './wording.ts';

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
      own.stderr.write(`Wrong usage, see get --help:\n${result.problems.map((problem) => `  ${problem}\n`).join('')}`);
      return EXIT_CODES.usage.code;
    case 'options':
      return EXIT_CODES[await fetchAndPrint(result.options, own)].code;
  }
}

/** How long the end waits for a token to be given back, in milliseconds. */
const CLOSE_MS = 1_000;

async function fetchAndPrint(options: GetOptions, own: GetProcess): Promise<Exit> {
  const { stop, version } = own;
  try {
    const openClient = () => createKubeClient({ userAgent: `legacy-restore-operator/${version}` });
    const found = await unlessStopped(stop, readCredentials(options.credentials, openClient));
    if (!found.ok) return complain(own, found.problem, 'usage');
    const answer = await fetchJob(options, found.credentials, own);
    const printOptions = { ...options, now: Date.now() };
    own.stdout.write(printJob(answer, printOptions));
    for (const remark of remarks(answer, printOptions)) own.stderr.write(`note: ${remark}\n`);
    return exitOfState(jobState(answer.job));
  } catch (error) {
    if (stop.aborted) return complain(own, 'interrupted', 'interrupted');
    if (error instanceof AtlasError) return complain(own, forCommandLine(error.message), exitOfReason(error.reason));
    if (error instanceof KubeConfigError) return complain(own, error.message, 'usage');
    if (error instanceof KubeError) return complain(own, printable(error.message, 1_000), 'other');
    throw error;
  }
}

function complain({ stderr }: GetProcess, message: string, exit: Exit): Exit {
  stderr.write(`${message}\n`);
  return exit;
}

async function fetchJob(
  options: GetOptions,
  credentials: AtlasCredentials,
  own: GetProcess,
): Promise<RestoreJobAnswer> {
  const lifetime = new AbortController();
  const { client, fetch } = connect(options, credentials, own, lifetime.signal);
  try {
    return await (options.until.kind === 'answered'
      ? unlessStopped(own.stop, fetch())
      : watch(fetch, options.until, own));
  } finally {
    const late = setTimeout(() => lifetime.abort(new Error('the command has ended')), CLOSE_MS);
    await client.close();
    clearTimeout(late);
  }
}

async function watch(
  fetch: () => Promise<RestoreJobAnswer>,
  { intervalMs }: Extract<GetOptions['until'], { kind: 'ended' }>,
  { stderr, stop }: GetProcess,
): Promise<RestoreJobAnswer> {
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
): { readonly client: AtlasClient; readonly fetch: () => Promise<RestoreJobAnswer> } {
  let turn = Promise.withResolvers<void>();
  const client = createAtlasClient({
    baseUrl: atlasBaseUrl,
    timeoutMs: atlasTimeout,
    envelope,
    pretty,
    requestsPerMinute: 0,
    version,
    signal,
    onTurn: () => turn.resolve(),
    onDeprecation: ({ sunset }) => {
      const until = sunset === undefined ? '' : ` and ends it on ${printable(sunset, 64)}`;
      stderr.write(`note: Atlas marks this version of its API as deprecated${until}\n`);
    },
  });
  /** Waits first where Atlas asked to wait: nobody else uses this client, so there is no other reason. */
  async function fetch(): Promise<RestoreJobAnswer> {
    for (;;) {
      turn = Promise.withResolvers<void>();
      const fetching = client.fetch(ref, credentials, 'get');
      if (fetching.kind === 'fetching') return fetching.answer;
      await turn.promise;
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
