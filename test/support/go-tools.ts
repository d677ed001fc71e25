import { createHash } from 'node:crypto';
import { glob, readFile, rename } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { executableOf, type GoProgram, goBuild } from './control-plane/go-build.ts';
import { terminalProgress } from './control-plane/progress.ts';
import { type Cached, fromCache, type ObtainOptions, type Source } from './control-plane/tool-cache.ts';

/**
 * Finds programs in the user's cache, or builds them from a Go module of this checkout into it: small modules, apart from
 * `tools/`, whose programs need no version stamped in. Rejects with a sentence that says what is missing.
 */
export async function ensureGoTools<N extends string>(
  moduleDir: string,
  programs: Readonly<Record<N, GoProgram>>,
  { signal, progress = terminalProgress() }: ObtainOptions = {},
): Promise<Cached<N>> {
  const names = keys(programs);
  const build: Source = {
    name: 'build',
    obtain: async (missing, folder, options) => {
      const wanted = names.filter((name) => missing.includes(name));
      await goBuild(
        moduleDir,
        wanted.map((name) => programs[name]),
        folder,
        options,
      );
      for (const name of wanted) await rename(path.join(folder, executableOf(programs[name])), path.join(folder, name));
    },
  };
  const options = { progress, ...(signal === undefined ? {} : { signal }) };
  const found = await fromCache(await cacheFolder(moduleDir), names, [build], options);
  if ('path' in found) return found;
  throw new Error(
    `Cannot get ${found.missing.join(', ')}: install Go 1.26 or newer and let it reach a Go module proxy. ` +
      `Tried: ${[...found.reasons].map(([source, reason]) => `${source}: ${reason}`).join('; ')}`,
  );
}

/** As the cache of `tools/`: kept by what the programs are made of and for which platform. */
async function cacheFolder(moduleDir: string): Promise<string> {
  const hash = createHash('sha256');
  const sources = await Array.fromAsync(glob(['go.mod', 'go.sum', '**/*.go'], { cwd: moduleDir }));
  for (const source of sources.sort())
    hash.update(`\0${source}\0`).update(await readFile(path.join(moduleDir, source)));
  const caches = process.env['XDG_CACHE_HOME'] || path.join(homedir(), '.cache');
  const slot = `${path.basename(moduleDir)}-${hash.digest('hex').slice(0, 12)}-${process.platform}-${process.arch}`;
  return path.join(caches, 'legacy-restore-operator', slot);
}

function keys<N extends string>(record: Readonly<Record<N, unknown>>): readonly N[] {
  const found: N[] = [];
  for (const name in record) found.push(name);
  return found;
}
