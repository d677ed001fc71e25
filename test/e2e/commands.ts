/** Other programs, run to their end. */
import { execFile } from 'node:child_process';

export interface CommandOptions {
  /** Goes to standard input. */
  readonly input?: string;
  /** On top of the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: two minutes. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** A program that failed; the message has its command line and what it said last. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  /** All that it wrote to standard error. */
  readonly stderr: string;

  constructor(command: string, how: string, stderr: string) {
    super(`${command} ${how}: ${lastLines(stderr)}`);
    this.stderr = stderr;
  }
}

/** Runs a program and resolves with its standard output. Rejects with a CommandError when it fails or takes too long. */
export function run(program: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { input, env, timeoutMs = 120_000, signal } = options;
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = execFile(
    program,
    args,
    {
      env: { ...process.env, ...env },
      timeout: timeoutMs,
      maxBuffer: 256 * 1024 * 1024,
      ...(signal === undefined ? {} : { signal }),
    },
    (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else {
        const how = error.killed === true ? `did not end within ${timeoutMs / 1_000} s` : `failed (${error.code})`;
        reject(new CommandError(shown(program, args), how, stderr || stdout));
      }
    },
  );
  // A program that ends without reading its input breaks the pipe; its exit code says why.
  child.stdin?.on('error', () => {});
  child.stdin?.end(input ?? '');
  return promise;
}

/** The command line without the folder of the program, and not longer than a line. */
function shown(program: string, args: readonly string[]): string {
  const line = [program.slice(program.lastIndexOf('/') + 1), ...args].join(' ');
  return line.length > 160 ? `${line.slice(0, 160)}…` : line;
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-5).join(' | ');
}
