import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import * as z from 'zod';
import packageJson from '../../../package.json' with { type: 'json' };
import { chartValues } from '../../../scripts/chart.ts';
import { listSettings } from '../../../src/config/settings.ts';

const read = (file: string): string => readFileSync(`charts/legacy-restore-operator/${file}`, 'utf8');
const CHART = z
  .object({
    icon: z.string(),
    maintainers: z.array(z.object({ name: z.string() })),
    annotations: z.record(z.string(), z.string()),
  })
  .parse(load(read('Chart.yaml')));
const VALUES: unknown = load(read('values.yaml'));

interface Schema {
  readonly type?: unknown;
  readonly description?: string | undefined;
  readonly properties?: Readonly<Record<string, Schema>> | undefined;
  readonly additionalProperties?: unknown;
}
const Schema: z.ZodType<Schema> = z.lazy(() =>
  z.looseObject({ description: z.string().optional(), properties: z.record(z.string(), Schema).optional() }),
);
const SCHEMA = Schema.parse(JSON.parse(read('values.schema.json')));

test('the annotations for Artifact Hub are YAML where it expects YAML', () => {
  for (const name of ['images', 'crds', 'crdsExamples', 'links'])
    expect(load(CHART.annotations[`artifacthub.io/${name}`] ?? '')).toEqual([expect.any(Object)]);
});

test('the icon is a file of the repository, and the chart names a maintainer', () => {
  const root = `${packageJson.homepage.replace('github.com', 'raw.githubusercontent.com')}/main/`;
  expect(CHART.icon).toContain(root);
  expect(readFileSync(CHART.icon.slice(root.length), 'utf8')).toMatch(/^<svg /);
  expect(CHART.maintainers).not.toEqual([]);
});

describe('the schema', () => {
  /** Paths at which a schema and a value differ in their keys. */
  function differences(schema: Schema, value: unknown, path: string): string[] {
    if (schema.properties === undefined || schema.additionalProperties !== false) return [];
    const members = Object(value);
    const optional = /^\.enabled$|Probe\.|^\.(resources|strategy)\./;
    const missing = Object.keys(schema.properties).filter(
      (key) => !(key in members) && !optional.test(`${path}.${key}`),
    );
    const unknown = Object.keys(members).filter((key) => !(key in Object(schema.properties)));
    return [
      ...[...missing, ...unknown].map((key) => `${path}.${key}`),
      ...Object.entries(schema.properties).flatMap(([key, inner]) =>
        differences(inner, members[key], `${path}.${key}`),
      ),
    ];
  }

  test('has every value and no other one', () => {
    expect(differences(SCHEMA, VALUES, '')).toEqual([]);
  });

  test('lets no unknown value through where the chart reads single ones', () => {
    const open = (schema: Schema, path: string): string[] =>
      schema.properties === undefined
        ? []
        : [
            ...(schema.additionalProperties === false ? [] : [path]),
            ...Object.entries(schema.properties).flatMap(([key, inner]) => open(inner, `${path}.${key}`)),
          ];
    // Other charts have more global values; Kubernetes has more resources than these two.
    expect(open(SCHEMA, '')).toEqual(['.global', '.resources.requests', '.resources.limits']);
  });
});

test('the settings of values.yaml are those of the operator, with its defaults', () => {
  const { settings } = z.object({ settings: z.record(z.string(), z.unknown()) }).parse(VALUES);
  const known = Object.fromEntries(listSettings().map(({ key, fallback }) => [key, fallback]));
  expect(Object.fromEntries(Object.entries(settings).map(([key, value]) => [key, String(value)]))).toEqual(
    Object.fromEntries(Object.keys(settings).map((key) => [key, known[key]])),
  );
});

describe('what is generated from values.yaml', () => {
  const yaml =
    '# -- Number of `pods`.\nreplicas: 2\nimage:\n  # -- Tag | digest.\n  tag: ""\n# -- Both.\nprobe:\n  a: 1\n  b: 2\n';

  test('takes a comment for the value below it, and for all that is in it', () => {
    expect(chartValues(yaml)).toEqual([
      { path: ['replicas'], description: 'Number of `pods`.', fallback: 2 },
      { path: ['image', 'tag'], description: 'Tag | digest.', fallback: '' },
      { path: ['probe'], description: 'Both.', fallback: { a: 1, b: 2 } },
    ]);
  });

  test('a value without a comment is refused', () => {
    expect(() => chartValues('image:\n  tag: ""\n')).toThrow('no comment for image.tag');
  });
});
