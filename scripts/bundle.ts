/**
 * Bundles a program into one CommonJS file, with a source map and the licenses of its packages. The same sources produce
 * the same bytes, regardless of the path of the checkout and the working directory of the build.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { build, type Metafile, type Plugin } from 'esbuild';
import { clientNodeWithoutSideEffects, ownLinesInMap, packagesInParts } from './trimmed-packages.ts';

/** A file of a bundle: its name without a directory. */
export interface BundleFile {
  readonly name: string;
  readonly content: Uint8Array;
}

/** The operator, as it ships. */
export const bundleOperator = (): Promise<readonly BundleFile[]> =>
  bundle('src/main.ts', 'legacy-restore-operator', [packagesInParts, ownLinesInMap]);

/** Bundles an entry point, given by its path in the checkout, into `<name>.cjs`, `<name>.cjs.map` and THIRD-PARTY-LICENSES. */
export async function bundle(
  entryPoint: string,
  name: string,
  plugins: readonly Plugin[] = [],
): Promise<readonly BundleFile[]> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [entryPoint],
    // Nothing is written there, but the map names its sources relative to it.
    outfile: `dist/${name}.cjs`,
    write: false,
    metafile: true,
    bundle: true,
    platform: 'node',
    target: 'node24',
    // ESM output dies with `Dynamic require of "node:assert" is not supported`.
    format: 'cjs',
    // Names are kept: stack traces are readable without the map, and shorter names would not start faster (measured).
    minifySyntax: true,
    minifyWhitespace: true,
    sourcemap: true,
    sourcesContent: false,
    // THIRD-PARTY-LICENSES contains them in full.
    legalComments: 'none',
    banner: { js: '#!/usr/bin/env node' },
    plugins: [clientNodeWithoutSideEffects, ...plugins],
    logLevel: 'warning',
  });
  const bundled = outputFiles.map(({ path: file, contents }) => ({ name: path.basename(file), content: contents }));
  const licenses = await thirdPartyLicenses(inputsOf(metafile));
  return [...bundled, { name: 'THIRD-PARTY-LICENSES', content: new TextEncoder().encode(licenses) }];
}

const ROOT = path.join(import.meta.dirname, '..');

/** What is really in the bundle, without inputs whose code was dropped completely. */
function inputsOf({ outputs }: Metafile): readonly string[] {
  return Object.values(outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([input, { bytesInOutput }]) => (bytesInOutput > 0 ? [input] : [])),
  );
}

/** The license texts of the packages of the inputs: most licenses require that every copy includes them. */
async function thirdPartyLicenses(inputs: readonly string[]): Promise<string> {
  const folders = new Set(inputs.flatMap((input) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input) ?? []));
  const texts = await Promise.all([...folders].sort().map(licenseOf));
  return texts.join(`\n${'-'.repeat(80)}\n\n`);
}

async function licenseOf(folder: string): Promise<string> {
  const directory = path.join(ROOT, folder);
  const manifest: unknown = JSON.parse(await readFile(path.join(directory, 'package.json'), 'utf8'));
  const member = (key: string): string => {
    const value = typeof manifest === 'object' && manifest !== null ? Reflect.get(manifest, key) : undefined;
    return typeof value === 'string' ? value : 'unknown';
  };
  const files = (await readdir(directory)).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file)).sort();
  const texts = await Promise.all(files.map((file) => readFile(path.join(directory, file), 'utf8')));
  return [`${member('name')} ${member('version')} (${member('license')})\n`, ...texts].join('\n');
}
