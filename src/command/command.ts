/** How a command that asks Atlas begins and ends: its options, its failures and their exit codes. */
import type { AtlasApi } from '../api/atlas-api.ts';
import { oneLine, printable } from '../api/printable.ts';
import { AtlasError } from '../atlas/errors.ts';
import { createKubeClient, type KubeClient } from '../kube/client.ts';
import { KubeError } from '../kube/errors.ts';
import { KubeConfigError } from '../kube/kubeconfig-error.ts';
import { proxyProblems } from '../net/proxy.ts';
import { trustSystemCertificates } from '../net/trusted-certificates.ts';
import { failureOfAtlas } from '../restore-job/failure.ts';
import { failureMessage } from '../restore-job/messages.ts';
import { CommandError } from './command-error.ts';
import { EXIT_CODES, exitCodeOf } from './exit-codes.ts';

/** What a command has of its process. */
export interface CommandProcess {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: Screen;
  readonly stderr: Screen;
  /** Ends the command. */
  readonly stop: AbortSignal;
  /** Of this program. */
  readonly version: string;
}

/** The part of a stream that is used. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly write: (text: string) => unknown;
}

export type OptionsResult<Options> =
  | { readonly kind: 'options'; readonly options: Options }
  | { readonly kind: 'problems'; readonly problems: readonly string[] }
  | { readonly kind: 'help' };

interface Command<Options> {
  readonly name: string;
  readonly readOptions: (args: readonly string[], env: CommandProcess['env']) => OptionsResult<Options>;
  readonly help: () => string;
  /** Resolves with the exit code. Can reject with CommandError, AtlasError, KubeConfigError or KubeError. */
  readonly work: (options: Options, own: CommandProcess) => Promise<number>;
}

/** Runs a command; resolves with its exit code. */
export async function runCommand<Options extends { readonly atlasApi: AtlasApi }>(
  command: Command<Options>,
  args: readonly string[],
  own: CommandProcess,
): Promise<number> {
  const result = command.readOptions(args, own.env);
  if (result.kind === 'help') {
    own.stdout.write(command.help());
    return 0;
  }
  const problems = [...(result.kind === 'problems' ? result.problems : []), ...proxyProblems(own.env)];
  if (result.kind === 'problems' || problems.length > 0) {
    const lines = problems.map((problem) => `  ${problem}\n`).join('');
    own.stderr.write(`Wrong usage, see ${command.name} --help:\n${lines}`);
    return EXIT_CODES.usage.code;
  }
  for (const problem of trustSystemCertificates(own.env)) note(own, problem);
  try {
    return await command.work(result.options, own);
  } catch (error) {
    return failed(error, result.options.atlasApi, own);
  }
}

/** Tells something on standard error that is no failure. */
export const note = ({ stderr }: Pick<CommandProcess, 'stderr'>, text: string): void =>
  void stderr.write(`note: ${oneLine(text)}\n`);

/** The client of the API server that the kubeconfig, or the pod, names. Throws KubeConfigError. */
export const openKubeClient = ({ version }: Pick<CommandProcess, 'version'>): KubeClient =>
  createKubeClient({ userAgent: `legacy-restore-operator/${version}` });

/** Rejects as soon as the signal is aborted, whatever becomes of the work. */
export function unlessStopped<T>(stop: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(new Error('stopped', { cause: stop.reason }));
  if (stop.aborted) onAbort();
  stop.addEventListener('abort', onAbort, { once: true });
  return Promise.race([work, stopped]).finally(() => stop.removeEventListener('abort', onAbort));
}

function failed(error: unknown, api: AtlasApi, own: CommandProcess): number {
  if (own.stop.aborted) return complain(own, 'interrupted', EXIT_CODES.interrupted.code);
  if (error instanceof CommandError) return complain(own, error.message, error.exitCode);
  if (error instanceof AtlasError) {
    const failure = failureOfAtlas(error);
    return complain(own, failureMessage(failure, 'command', api), exitCodeOf(failure.reason));
  }
  if (error instanceof KubeConfigError) return complain(own, error.message, EXIT_CODES.usage.code);
  if (error instanceof KubeError) return complain(own, printable(error.message, 1_000), EXIT_CODES.other.code);
  throw error;
}

function complain({ stderr }: CommandProcess, message: string, exitCode: number): number {
  stderr.write(`${oneLine(message)}\n`);
  return exitCode;
}
