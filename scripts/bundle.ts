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
export const bundleOperator = (): Promise<readonly BundleFile[]> => bundle(...OPERATOR);

/** The packages of which something is in the operator's bundle, as `name@version`. */
export async function packagesInBundle(): Promise<readonly string[]> {
  const { metafile } = await runBundler(...OPERATOR);
  const manifests = await Promise.all(packageFolders(inputsOf(metafile)).map(readManifest));
  return manifests.map(({ name, version }) => `${name}@${version}`);
}

const OPERATOR = ['src/main.ts', 'legacy-restore-operator', [packagesInParts, ownLinesInMap]] as const;

/** Bundles an entry point, given by its path in the checkout, into `<name>.cjs`, `<name>.cjs.map` and THIRD-PARTY-LICENSES. */
export async function bundle(
  entryPoint: string,
  name: string,
  plugins: readonly Plugin[] = [],
): Promise<readonly BundleFile[]> {
  const { outputFiles, metafile } = await runBundler(entryPoint, name, plugins);
  const bundled = outputFiles.map(({ path: file, contents }) => ({ name: path.basename(file), content: contents }));
  const licenses = await thirdPartyLicenses(inputsOf(metafile));
  return [...bundled, { name: 'THIRD-PARTY-LICENSES', content: new TextEncoder().encode(licenses) }];
}

const ROOT = path.join(import.meta.dirname, '..');

const runBundler = (entryPoint: string, name: string, plugins: readonly Plugin[]) =>
  build({
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
    // debug takes it where it is installed, which only development tools do.
    external: ['supports-color'],
    plugins: [clientNodeWithoutSideEffects, ...plugins],
    logLevel: 'warning',
  });

/** What is really in the bundle, without inputs whose code was dropped completely. */
function inputsOf({ outputs }: Metafile): readonly string[] {
  return Object.values(outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([input, { bytesInOutput }]) => (bytesInOutput > 0 ? [input] : [])),
  );
}

/** Folders of the packages of the inputs, relative to the checkout. */
const packageFolders = (inputs: readonly string[]): readonly string[] =>
  [...new Set(inputs.flatMap((input) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input) ?? []))].sort();

/** The license texts of the packages of the inputs: most licenses require that every copy includes them. */
async function thirdPartyLicenses(inputs: readonly string[]): Promise<string> {
  const texts = await Promise.all(packageFolders(inputs).map(licenseOf));
  return texts.join(`\n${'-'.repeat(80)}\n\n`);
}

async function licenseOf(folder: string): Promise<string> {
  const { name, version, license } = await readManifest(folder);
  const directory = path.join(ROOT, folder);
  const files = (await readdir(directory)).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file)).sort();
  const texts = await Promise.all(files.map((file) => readFile(path.join(directory, file), 'utf8')));
  return [`${name} ${version} (${license})\n`, ...texts].join('\n');
}

interface PackageManifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
}

async function readManifest(folder: string): Promise<PackageManifest> {
  const manifest: unknown = JSON.parse(await readFile(path.join(ROOT, folder, 'package.json'), 'utf8'));
  const member = (key: string): string => {
    const value = typeof manifest === 'object' && manifest !== null ? Reflect.get(manifest, key) : undefined;
    return typeof value === 'string' ? value : 'unknown';
  };
  return { name: member('name'), version: member('version'), license: member('license') };
}
