/**
 * `npm run sbom`: prints the CycloneDX SBOM of the npm packages that are in the bundle. npm knows what is installed, the
 * bundler what of it is used.
 */
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import * as z from 'zod';
import packageJson from '../package.json' with { type: 'json' };
import { packagesInBundle } from './bundle.ts';

const Component = z.looseObject({ 'bom-ref': z.string(), name: z.string(), version: z.string() });
const Sbom = z.looseObject({
  metadata: z.looseObject({ component: Component }),
  components: z.array(Component),
  dependencies: z.array(z.object({ ref: z.string(), dependsOn: z.array(z.string()) })),
});

const bundled = new Set(await packagesInBundle());
// Without --omit=dev: npm would leave out packages that development tools have as well, in another version.
const output = execFileSync('npm', ['sbom', '--sbom-format=cyclonedx', '--package-lock-only'], {
  cwd: path.join(import.meta.dirname, '..'),
  encoding: 'utf8',
  maxBuffer: 64 * 1_024 ** 2,
});
const sbom = Sbom.parse(JSON.parse(output));
const { metadata } = sbom;
// npm calls it by the folder of the checkout.
const component = { ...metadata.component, name: packageJson.name };
const components = sbom.components.filter(({ name, version }) => bundled.has(`${name}@${version}`));
const missing = bundled.difference(new Set(components.map(({ name, version }) => `${name}@${version}`)));
if (missing.size > 0) throw new Error(`npm does not list ${[...missing].join(', ')}`);

const refs = new Set([component, ...components].map((each) => each['bom-ref']));
const dependencies = sbom.dependencies
  .filter(({ ref }) => refs.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((other) => refs.has(other)) }));
const result = { ...sbom, metadata: { ...metadata, component }, components, dependencies };
console.log(JSON.stringify(result, undefined, 2));
