/** Debian packages and a private Python environment: found, or installed where that is possible and allowed. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { withFileLock } from '../support/control-plane/file-lock.ts';
import type { Context, Missing } from './peer.ts';
import { type Finished, findProgram, runUninterrupted } from './processes.ts';

/** The program of a Debian package; the package is installed when the program is missing and apt can be used. */
export async function ensureProgram(
  name: string,
  debianPackage: string,
  context: Context,
): Promise<{ readonly program: string } | Missing> {
  const found = findProgram(name);
  if (found !== undefined) return { program: found };
  const reason = await installDebianPackage(debianPackage, name, context);
  const program = findProgram(name);
  if (program !== undefined) return { program };
  return { missing: reason ?? `the Debian package ${debianPackage} brings no ${name}` };
}

/** A Python interpreter that has the packages of {@link PYTHON_PACKAGES}, in the user's cache. */
export async function ensurePython(context: Context): Promise<{ readonly python: string } | Missing> {
  const base = await ensureProgram('python3', 'python3-venv', context);
  if ('missing' in base) return base;
  const identity = await context.processes.run(base.program, ['-c', 'import sys; print(sys.prefix, sys.version)'], {
    signal: context.signal,
  });
  const folder = pythonFolder(identity.stdout);
  const python = path.join(folder, 'bin', 'python');
  const complete = path.join(folder, 'complete');
  await mkdir(path.dirname(folder), { recursive: true });
  // Two runs at once would install into the same folder.
  return withFileLock(
    `${folder}.lock`,
    async () => {
      if (existsSync(complete)) return { python };
      if (!context.mayInstall) return { missing: `${listed} from PyPI are missing, and nothing may be installed` };
      context.say(`installing ${listed} from PyPI into ${folder}`);
      const failure = await installPython(base.program, folder, python, context);
      if (failure !== undefined) return { missing: failure };
      await writeFile(complete, '');
      return { python };
    },
    { signal: context.signal, onWait: () => context.say('waiting for another process that installs from PyPI') },
  );
}

/** What the Python peers are; pinned, so that a failure is about the code and not about a release of theirs. */
const PYTHON_PACKAGES = { httpbin: '0.10.4', httpx: '0.28.1', requests: '2.34.2' };
const listed = Object.keys(PYTHON_PACKAGES).join(', ');

const INSTALL_MS = 300_000;

/** The reason why the package could not be installed; undefined when it was. */
async function installDebianPackage(name: string, wanted: string, { processes, mayInstall, say, signal }: Context) {
  const apt = findProgram('apt-get');
  if (apt === undefined) return `${wanted} is missing, and there is no apt-get to install the Debian package ${name}`;
  if (!mayInstall) return `${wanted} is missing (Debian package ${name}), and nothing may be installed`;
  if (process.getuid?.() !== 0) return `${wanted} is missing: as root, apt-get install ${name}`;
  say(`installing the Debian package ${name}`);
  const env = { DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };
  const install = (...args: readonly string[]): Promise<Finished> =>
    processes.run(apt, ['install', '--yes', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=60', ...args, name], {
      signal,
      timeoutMs: INSTALL_MS,
      env,
    });
  let fetched = await install('--download-only');
  if (fetched.exit !== 0) {
    await processes.run(apt, ['update'], { signal, timeoutMs: INSTALL_MS, env });
    fetched = await install('--download-only');
  }
  if (fetched.exit !== 0) return `the Debian package ${name} cannot be downloaded: ${lastLine(fetched.stderr)}`;
  // dpkg must not be interrupted: the packages of this machine would be left half configured.
  const installed = await runUninterrupted(apt, ['install', '--yes', '--no-install-recommends', name], env);
  for (const [, what] of installed.stdout.matchAll(/^Setting up (.*) \.\.\.$/gm)) say(`  installed ${what}`);
  return installed.exit === 0
    ? undefined
    : `the Debian package ${name} cannot be installed: ${lastLine(installed.stderr)}`;
}

function pythonFolder(identity: string): string {
  const caches = process.env['XDG_CACHE_HOME'] || path.join(homedir(), '.cache');
  const slot = createHash('sha256').update(JSON.stringify([identity, PYTHON_PACKAGES]));
  return path.join(caches, 'legacy-restore-operator', 'interop', `python-${slot.digest('hex').slice(0, 12)}`);
}

/** The reason why it could not be installed; undefined when it was. */
async function installPython(base: string, folder: string, python: string, context: Context) {
  const { processes, signal } = context;
  const options = { signal, timeoutMs: INSTALL_MS };
  // What a killed run left.
  await rm(folder, { recursive: true, force: true });
  const create = (): Promise<Finished> => processes.run(base, ['-m', 'venv', folder], options);
  if ((await create()).exit !== 0) {
    // Debian's Python comes without what makes environments.
    const reason =
      base === '/usr/bin/python3' ? await installDebianPackage('python3-venv', 'python3 -m venv', context) : undefined;
    if (reason !== undefined) return reason;
    const created = await create();
    if (created.exit !== 0) return `${base} cannot make a virtual environment: ${lastLine(created.stderr)}`;
  }
  const requirements = Object.entries(PYTHON_PACKAGES).map(([name, version]) => `${name}==${version}`);
  const pip = ['-m', 'pip', 'install', '--quiet', '--no-input', '--disable-pip-version-check'];
  const installed = await processes.run(python, [...pip, ...requirements], options);
  if (installed.exit !== 0) return `${listed} cannot be installed from PyPI: ${lastLine(installed.stderr)}`;
  return undefined;
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? '';
