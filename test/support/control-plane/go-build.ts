import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { ObtainOptions } from './tool-cache.ts';

/** A program of a Go module: its main package as `go build` takes it, linker flags without the common `-s -w`, and build tags. */
export interface GoProgram {
  readonly package: string;
  readonly ldflags?: readonly string[];
  readonly tags?: readonly string[];
}

/** Builds programs of the Go module in `moduleDir` into `folder`, each named as Go names it: see {@link executableOf}. */
export async function goBuild(
  moduleDir: string,
  programs: readonly GoProgram[],
  folder: string,
  { signal, progress }: ObtainOptions,
): Promise<void> {
  const names = programs.map(executableOf).join(', ');
  const packages = programs.map((program) => program.package);
  // One command for all: they share most packages. A `-X` of a package that a program does not contain does nothing.
  const ldflags = [...new Set(['-s', '-w', ...programs.flatMap((program) => program.ldflags ?? [])])].join(' ');
  const tags = [...new Set(programs.flatMap((program) => program.tags ?? []))].join(',');
  const flags = ['-mod=readonly', '-buildvcs=false', '-trimpath', `-ldflags=${ldflags}`, `-tags=${tags}`];
  const env = {
    ...process.env,
    CGO_ENABLED: '0',
    // The machine's own workspace or cross-compilation is none of this module's business.
    GOWORK: 'off',
    GOOS: '',
    GOARCH: '',
    // What a killed linker leaves is then removed along with the folder.
    GOTMPDIR: folder,
  };
  const run = async (args: readonly string[], onError: (line: string) => void): Promise<string[]> =>
    go(args, { cwd: moduleDir, env, onError, ...(signal === undefined ? {} : { signal }) });

  let fetched = 0;
  const onFetch = (line: string): void => {
    if (!line.startsWith(DOWNLOADING)) return;
    fetched += 1;
    progress?.({ stage: `fetching Go modules for ${names}`, detail: `${fetched} modules` });
  };
  try {
    progress?.({ stage: `looking what ${names} need` });
    // `go build -v` names the packages that it compiles, and not those in Go's own cache: exactly the stale ones here.
    // A main package counts as stale until its program is linked, whether or not it is still to be compiled.
    const stale = new Set(await run(['list', '-deps', '-f', STALE_PACKAGES, ...flags, ...packages], onFetch));
    let built = 0;
    const tell = (): void => {
      const fraction = stale.size === 0 ? 1 : built / stale.size;
      const detail = `${built}/${stale.size} packages`;
      progress?.({ stage: fraction < 1 ? `building ${names}` : `linking ${names}`, detail, fraction });
    };
    tell();
    await run(['build', '-v', '-o', folder + path.sep, ...flags, ...packages], (line) => {
      onFetch(line);
      if (!stale.has(line)) return;
      built += 1;
      tell();
    });
    progress?.({ stage: `built ${names}`, final: true });
  } catch (error) {
    progress?.({ stage: `could not build ${names}`, final: true });
    throw error;
  }
}

/** The file name that `go build` gives a program: the last element of its path that is not a major version. */
export function executableOf(program: GoProgram): string {
  return path.posix.basename(program.package.replace(/\/v\d+$/, ''));
}

const STALE_PACKAGES = '{{if and .Stale (ne .Name "main")}}{{.ImportPath}}{{end}}';
const DOWNLOADING = 'go: downloading ';

interface GoOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
  readonly onError: (line: string) => void;
}

/** Runs `go`, resolves with the lines of its output and rejects with the last line of its complaint. */
async function go(args: readonly string[], { cwd, env, signal, onError }: GoOptions): Promise<string[]> {
  signal?.throwIfAborted();
  const child = spawn('go', args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  // SIGINT is what go cleans up after; of SIGTERM it just dies, leaving compilers behind.
  const interrupt = (): void => void child.kill('SIGINT');
  signal?.addEventListener('abort', interrupt, { once: true });
  const lines: string[] = [];
  let complaint = '';
  createInterface(child.stdout).on('line', (line) => {
    if (line !== '') lines.push(line);
  });
  createInterface(child.stderr).on('line', (line) => {
    if (line.trim() !== '' && !line.startsWith(DOWNLOADING)) complaint = line.trim();
    onError(line);
  });
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once('error', (error) => {
    const missing = 'code' in error && error.code === 'ENOENT';
    reject(missing ? new Error('no `go` on PATH') : error);
  });
  child.once('close', resolve);
  try {
    const code = await promise;
    signal?.throwIfAborted();
    if (code !== 0) throw new Error(complaint === '' ? `go ${args[0]} ended with ${code}` : complaint);
    return lines;
  } finally {
    signal?.removeEventListener('abort', interrupt);
  }
}
