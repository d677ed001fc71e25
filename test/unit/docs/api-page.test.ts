import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { loadAll } from 'js-yaml';
import * as z from 'zod';

const page = readFileSync('docs/api.md', 'utf8');
const [definition] = loadAll(readFileSync('crds/atlasrestore.dev_legacyrestorejobs.yaml', 'utf8'));

/** Read from the CRD as it is applied, not with the code that writes the page. */
const Node = z.looseObject({ description: z.string().optional() });
function paths(schema: unknown, prefix: string): string[] {
  const { properties, items } = z
    .object({ properties: z.record(z.string(), Node).optional(), items: Node.optional() })
    .parse(schema);
  if (items !== undefined) return paths(items, prefix.replace(/\.$/, '[].'));
  return Object.entries(properties ?? {}).flatMap(([name, property]) => [
    `${prefix}${name}`,
    ...paths(property, `${prefix}${name}.`),
  ]);
}
const Definition = z.object({
  spec: z.object({
    versions: z.tuple([
      z.object({
        schema: z.object({ openAPIV3Schema: z.object({ properties: z.object({ spec: Node, status: Node }) }) }),
        additionalPrinterColumns: z.array(z.object({ name: z.string() })),
        selectableFields: z.array(z.object({ jsonPath: z.string() })),
      }),
    ]),
  }),
});
const [version] = Definition.parse(definition).spec.versions;
const { spec, status } = version.schema.openAPIV3Schema.properties;

test.each([
  ['spec', spec, 8],
  ['status', status, 40],
] as const)('every field of %s has its row, and no other has', (name, schema, atLeast) => {
  const rows = [
    ...(page
      .split(`\n## ${name}\n`)[1]
      ?.split('\n## ')[0]
      ?.matchAll(/^\| `([^`]+)` \|/gm) ?? []),
  ];
  expect(rows.map(([, path]) => path)).toEqual(paths(schema, ''));
  expect(rows.length).toBeGreaterThanOrEqual(atLeast);
});

test('constraints are told in words', () => {
  expect(page).toMatch(/\| `groupId` \| string \| required; immutable; pattern `/);
  expect(page).toMatch(/\| `interval` \| string \| interval must be a duration from 10s to 24h/);
});

test('every column and every field selector is named', () => {
  for (const { name } of version.additionalPrinterColumns) expect(page).toContain(`\n| ${name} |`);
  for (const { jsonPath } of version.selectableFields) expect(page).toContain(`\`${jsonPath.slice(1)}\``);
});
