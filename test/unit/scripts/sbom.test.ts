import { execFileSync } from 'node:child_process';
import { beforeAll, expect, test } from '@jest/globals';
import * as z from 'zod';
import packageJson from '../../../package.json' with { type: 'json' };
import { bundleOperator } from '../../../scripts/bundle.ts';

const Sbom = z.object({
  bomFormat: z.literal('CycloneDX'),
  metadata: z.object({ component: z.object({ 'bom-ref': z.string(), name: z.string(), version: z.string() }) }),
  components: z.array(
    z.object({
      'bom-ref': z.string(),
      name: z.string(),
      version: z.string(),
      purl: z.string(),
      hashes: z.array(z.object({ alg: z.literal('SHA-512'), content: z.string().regex(/^[0-9a-f]{128}$/) })).min(1),
      licenses: z.array(z.unknown()).min(1),
      properties: z.array(z.object({ name: z.string() })),
    }),
  ),
  dependencies: z.array(z.object({ ref: z.string(), dependsOn: z.array(z.string()) })),
});

let sbom: z.infer<typeof Sbom>;
beforeAll(() => {
  sbom = Sbom.parse(JSON.parse(execFileSync(process.execPath, ['scripts/sbom.ts'], { encoding: 'utf8' })));
}, 300_000);

test('it holds every package that the licenses of the bundle name, and no other', async () => {
  const file = (await bundleOperator()).find(({ name }) => name === 'THIRD-PARTY-LICENSES');
  const licenses = Buffer.from(file?.content ?? []).toString();
  const named = licenses.split(/^-{80}$/m).map((text) => text.trim().split(' ').slice(0, 2).join('@'));
  expect(sbom.components.map(({ name, version }) => `${name}@${version}`).toSorted()).toEqual(named.toSorted());
  expect(named).toEqual(expect.arrayContaining([`undici@${packageJson.dependencies.undici}`]));
});

test('nothing in it is a development tool', () => {
  const properties = sbom.components.flatMap((component) => component.properties.map(({ name }) => name));
  expect(properties).not.toContain('cdx:npm:package:development');
});

test('it is that of the operator, and its dependencies are all in it', () => {
  const { component } = sbom.metadata;
  expect(component).toMatchObject({ name: packageJson.name, version: packageJson.version });
  const refs = new Set([component, ...sbom.components].map((each) => each['bom-ref']));
  expect(
    sbom.dependencies.flatMap(({ ref, dependsOn }) => [ref, ...dependsOn]).filter((ref) => !refs.has(ref)),
  ).toEqual([]);
});
