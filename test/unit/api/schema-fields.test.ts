import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { openApiSchema } from '../../../src/api/crd.ts';
import { Status } from '../../../src/api/legacy-restore-job.ts';
import { missingFields, neededSchema, Schema, withoutFields } from '../../../src/api/schema-fields.ts';
import { atlasDate, encryptedDownload, urlV2Download } from '../../support/atlas-simulator/recorded-bodies.ts';
import { responseOf, SPEC } from '../support/resources.ts';

const NEEDED = neededSchema();
const PATHS = ['spec', 'status'].flatMap((root) => pathsBelow(root, NEEDED.properties?.[root]));

function pathsBelow(path: string, schema: Schema | undefined): readonly string[] {
  if (schema === undefined) return [];
  const properties = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => [
    `${path}.${name}`,
    ...pathsBelow(`${path}.${name}`, field),
  ]);
  return [...properties, ...pathsBelow(`${path}[]`, schema.items)];
}

/** The needed schema as it was before these fields were added. */
function older(removed: readonly string[]): Schema {
  const copy = structuredClone(NEEDED);
  for (const path of removed) {
    const names = path.split('.');
    const last = names.pop() ?? '';
    const parent = names.reduce<Schema | undefined>((schema, name) => {
      const field = schema?.properties?.[name.replace('[]', '')];
      return name.endsWith('[]') ? field?.items : field;
    }, copy);
    delete parent?.properties?.[last];
  }
  return copy;
}

const isBelow = (path: string, other: string): boolean => path.startsWith(`${other}.`) || path.startsWith(`${other}[]`);
const topmost = (paths: readonly string[]): readonly string[] =>
  paths.filter((path) => !paths.some((other) => isBelow(path, other))).sort();

describe('what an installed schema lacks', () => {
  test('is nothing where it is the CustomResourceDefinition of this version, which has nothing else', () => {
    const installed = Schema.parse(openApiSchema());
    expect(missingFields(NEEDED, installed)).toEqual([]);
    expect(missingFields(installed, NEEDED)).toEqual([]);
  });

  test('is nothing where it is the same, or newer', () => {
    expect(missingFields(NEEDED, NEEDED)).toEqual([]);
    expect(missingFields(older(['status.hashes', 'spec.suspend']), NEEDED)).toEqual([]);
  });

  test('is exactly what was removed, whatever that is', () => {
    expect(PATHS.length).toBeGreaterThan(45);
    fc.assert(
      fc.property(fc.subarray(PATHS), (removed) => {
        expect(missingFields(NEEDED, older(removed))).toEqual(topmost(removed));
      }),
    );
  });

  test('is named by its path', () => {
    const removed = ['spec.credentialsSecretRef.name', 'status.delivery.urlV2', 'status.hashes[].typeName'];
    expect(missingFields(NEEDED, older(removed))).toEqual(removed);
    expect(missingFields(NEEDED, Schema.parse({}))).toEqual(['spec', 'status']);
  });

  test('is nothing where the API server prunes nothing', () => {
    const open = Schema.parse({
      properties: {
        spec: NEEDED.properties?.['spec'],
        status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      },
    });
    expect(missingFields(NEEDED, open)).toEqual([]);
  });
});

describe('a status without the missing fields', () => {
  const job = { ...responseOf(urlV2Download(SPEC, atlasDate(0))).job, ...responseOf(encryptedDownload(SPEC, '')).job };
  const condition = {
    type: 'Ready',
    status: 'True',
    reason: 'JobFinished',
    message: 'done',
    lastTransitionTime: '2030-01-01T00:00:00Z',
    observedGeneration: 1,
  } as const;
  const hashes = [{ fileName: 'a', hash: 'b', typeName: 'SHA1' }];
  const STATUS: Status = {
    ...job,
    hashes,
    observedGeneration: 1,
    conditions: [condition],
    lastChangeTime: '2030-01-01T00:00:00Z',
  };

  test('is the status itself where none is missing', () => {
    expect(withoutFields(STATUS, [])).toBe(STATUS);
    expect(withoutFields(STATUS, ['spec.suspend'])).toEqual(STATUS);
  });

  test('lacks them on every level, and nothing else', () => {
    const { masterKeyUUID: _key, lastChangeTime: _time, delivery, ...rest } = STATUS;
    const { url: _url, ...kept } = delivery ?? {};
    const missing = [
      'status.masterKeyUUID',
      'status.lastChangeTime',
      'status.delivery.url',
      'status.hashes[].typeName',
    ];
    expect(withoutFields(STATUS, missing)).toEqual({
      ...rest,
      delivery: kept,
      hashes: [{ fileName: 'a', hash: 'b' }],
    });
  });

  test('stays as it is where a condition could not be written at all', () => {
    expect(withoutFields(STATUS, ['status.conditions[].message'])).toBe(STATUS);
  });

  test('is what a schema without them would keep', () => {
    fc.assert(
      fc.property(fc.subarray(PATHS.filter((path) => !path.startsWith('status.conditions'))), (missing) => {
        const pruned = withoutFields(STATUS, missing);
        expect(Status.parse(pruned)).toEqual(pruned);
        expect(pathsOf(pruned, 'status')).toEqual(
          pathsOf(STATUS, 'status').filter((path) => !missing.some((lost) => path === lost || isBelow(path, lost))),
        );
      }),
    );
  });

  function pathsOf(value: unknown, path: string): readonly string[] {
    if (Array.isArray(value)) return value.flatMap((item) => pathsOf(item, `${path}[]`));
    if (typeof value !== 'object' || value === null) return [];
    return Object.entries(value)
      .flatMap(([name, member]) => [`${path}.${name}`, ...pathsOf(member, `${path}.${name}`)])
      .sort();
  }
});
