import { access, constants, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { withFileLock } from './file-lock.ts';
import type { Progress } from './progress.ts';

/** What {@link fromCache} and the sources behind it share. */
export interface ObtainOptions {
  readonly signal?: AbortSignal;
  readonly progress?: Progress;
}

/** One way to obtain programs: puts an executable of each name into `folder`, or rejects with the reason why not. */
export interface Source {
  readonly name: string;
  readonly obtain: (names: readonly string[], folder: string, options: ObtainOptions) => Promise<void>;
}

/** Where the programs are, and the name of the source that had those which were missing (`cache`: none was). */
export interface Cached<N extends string> {
  readonly path: (name: N) => string;
  readonly from: string;
}

/** No source had what is missing: `reasons` says why, by the source's name. */
export interface Unobtainable {
  readonly missing: readonly string[];
  readonly reasons: ReadonlyMap<string, string>;
}

/**
 * Finds executables in a folder, and lets the first source that can put those which are missing there. Of several
 * processes that miss something, one obtains it while the others wait. What a killed process left is removed by the next.
 */
export async function fromCache<N extends string>(
  folder: string,
  names: readonly N[],
  sources: readonly Source[],
  options: ObtainOptions = {},
): Promise<Cached<N> | Unobtainable> {
  const found = (from: string): Cached<N> => ({ path: (name) => path.join(folder, name), from });
  if ((await missingIn(folder, names)).length === 0) return found('cache');
  await mkdir(folder, { recursive: true });
  return withFileLock<Cached<N> | Unobtainable>(
    path.join(folder, '.lock'),
    async () => {
      const missing = await missingIn(folder, names);
      if (missing.length === 0) return found('cache');
      const reasons = new Map<string, string>();
      try {
        for (const source of sources) {
          try {
            await install(source, missing, folder, options);
            return found(source.name);
          } catch (error) {
            options.signal?.throwIfAborted();
            reasons.set(source.name, reasonOf(error));
          }
        }
        return { missing, reasons };
      } finally {
        await removeUnfinished(folder);
      }
    },
    {
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      onWait: () => {
        options.progress?.({ stage: `waiting for another process that obtains ${names.join(', ')}`, final: true });
      },
    },
  );
}

const UNFINISHED = '.unfinished-';

/** The programs appear in the cache one rename each, so that a name which is there is a whole program. */
async function install(
  source: Source,
  names: readonly string[],
  folder: string,
  options: ObtainOptions,
): Promise<void> {
  const unfinished = await mkdtemp(path.join(folder, UNFINISHED));
  await source.obtain(names, unfinished, options);
  const absent = await missingIn(unfinished, names);
  if (absent.length > 0) throw new Error(`it brought no ${absent.join(', ')}`);
  for (const name of names) await rename(path.join(unfinished, name), path.join(folder, name));
}

async function removeUnfinished(folder: string): Promise<void> {
  for (const entry of await readdir(folder)) {
    if (!entry.startsWith(UNFINISHED)) continue;
    try {
      await rm(path.join(folder, entry), { recursive: true, force: true });
    } catch {
      // A compiler that outlived its killed owner may be writing there still; nobody looks there, and the next removes it.
    }
  }
}

async function missingIn(folder: string, names: readonly string[]): Promise<string[]> {
  const missing: string[] = [];
  for (const name of names) {
    try {
      await access(path.join(folder, name), constants.X_OK);
    } catch {
      missing.push(name);
    }
  }
  return missing;
}

/** `fetch failed` and its like say nothing; the innermost cause does. */
function reasonOf(error: unknown): string {
  let innermost = error;
  while (Error.isError(innermost) && innermost.cause !== undefined) innermost = innermost.cause;
  return Error.isError(innermost) ? innermost.message : String(innermost);
}
