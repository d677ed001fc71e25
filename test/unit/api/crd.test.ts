import { describe, expect, test } from '@jest/globals';
import { customResourceDefinition } from '../../../src/api/crd.ts';
import { Condition, Spec, Status } from '../../../src/api/legacy-restore-job.ts';
import { RestoreJob } from '../../../src/api/restore-job.ts';
import { PUBLISHED_EXAMPLE } from '../../support/atlas-simulator/recorded-bodies.ts';
import { SPEC } from '../support/resources.ts';

type Schema = Readonly<Record<string, unknown>>;
const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
function schema(value: unknown): Schema {
  if (!isSchema(value)) throw new Error('not a schema');
  return value;
}

const CRD = customResourceDefinition();
const [VERSION] = CRD.spec.versions;
if (VERSION === undefined) throw new Error('no version');
const ROOT = schema(VERSION.schema.openAPIV3Schema);

/** The schema at a path such as `spec.interval`; `[]` stands for the items of a list. */
function at(path: string): Schema {
  return path.split('.').reduce((found, name) => {
    const inside = name.endsWith('[]');
    const property = schema(schema(found['properties'])[inside ? name.slice(0, -2) : name]);
    return inside ? schema(property['items']) : property;
  }, ROOT);
}

/** Every property below a schema, with its path. */
function properties(of: Schema, path: string): readonly (readonly [string, Schema])[] {
  const inside = isSchema(of['items']) ? ([of['items'], `${path}[]`] as const) : ([of, path] as const);
  const [object, prefix] = inside;
  if (!isSchema(object['properties'])) return [];
  return Object.entries(object['properties']).flatMap(([name, property]) => {
    const below = `${prefix}.${name}`;
    return [[below, schema(property)] as const, ...properties(schema(property), below)];
  });
}

const ALL = properties(ROOT, '');
const MIRRORED = ALL.filter(([path]) =>
  Object.keys(RestoreJob.shape).some((field) => path.split(/[.[]/)[2] === field && path.startsWith('.status.')),
);

describe('the definition', () => {
  test('has the names that people type', () => {
    expect(CRD).toMatchObject({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'legacyrestorejobs.atlasrestore.dev' },
      spec: {
        group: 'atlasrestore.dev',
        scope: 'Namespaced',
        names: {
          kind: 'LegacyRestoreJob',
          listKind: 'LegacyRestoreJobList',
          plural: 'legacyrestorejobs',
          singular: 'legacyrestorejob',
          shortNames: ['lrj'],
          categories: ['atlas'],
        },
      },
    });
    expect(VERSION).toMatchObject({ name: 'v1', served: true, storage: true, subresources: { status: {} } });
  });

  test('has the columns in their order; EXPIRES is no date, which would be <invalid> in the future', () => {
    const columns = VERSION.additionalPrinterColumns;
    const named = (priority?: 1) => columns.filter((one) => one.priority === priority).map(({ name }) => name);
    expect(named()).toEqual(['CLUSTER', 'STATUS', 'DELIVERY', 'EXPIRES', 'READY', 'REASON', 'AGE']);
    expect(named(1)).toEqual(['JOB', 'METHOD', 'BATCH', 'SYNCED', 'SNAPSHOT']);
    expect(columns.filter(({ type }) => type !== 'string').map(({ name }) => name)).toEqual(['AGE']);
    const paths = Object.fromEntries(columns.map(({ name, jsonPath }) => [name, jsonPath]));
    expect(paths).toMatchObject({
      READY: '.status.conditions[?(@.type=="Ready")].status',
      SYNCED: '.status.conditions[?(@.type=="Synced")].status',
      REASON: '.status.reason',
      AGE: '.metadata.creationTimestamp',
    });
    for (const { jsonPath } of columns.filter((one) => /^\.(spec|status)\.[\w.]+$/.test(one.jsonPath)))
      expect(at(jsonPath.slice(1))).toMatchObject({ type: 'string' });
  });

  test('can be selected by the three ids, the status and the batch', () => {
    const paths = VERSION.selectableFields.map(({ jsonPath }) => jsonPath);
    expect(paths).toEqual([
      '.spec.groupId',
      '.spec.clusterName',
      '.spec.jobId',
      '.status.statusName',
      '.status.batchId',
    ]);
    for (const path of paths) expect(at(path.slice(1))).toMatchObject({ type: 'string' });
  });

  test('a fresh resource looks unfinished to kstatus', () => {
    expect(at('status')['default']).toEqual({ observedGeneration: -1 });
  });
});

describe('the schema', () => {
  test('explains every field to the last', () => {
    expect(ALL.length).toBeGreaterThan(50);
    for (const [path, property] of ALL) {
      // The API server refuses anything about metadata.
      if (path === '.metadata') expect(property).toEqual({ type: 'object' });
      else expect([path, property['description']]).toEqual([path, expect.stringMatching(/^\S.*\.$/s)]);
    }
    expect(ROOT['description']).toEqual(expect.any(String));
  });

  test('uses only what a structural schema may hold, and every field has a type', () => {
    for (const [path, property] of ALL) {
      expect([path, property['type']]).toEqual([
        path,
        expect.stringMatching(/^(string|integer|boolean|object|array)$/),
      ]);
      for (const word of ['additionalProperties', 'anyOf', 'oneOf', 'allOf', '$ref', 'nullable', 'id'])
        expect([path, Object.keys(property)]).not.toEqual([path, expect.arrayContaining([word])]);
    }
  });

  test('every mirrored field is there', () => {
    const top = MIRRORED.map(([path]) => path.slice('.status.'.length)).filter((path) => !/[.[]/.test(path));
    expect(top.toSorted()).toEqual(Object.keys(RestoreJob.shape).toSorted());
    expect(top.toSorted()).toEqual([
      'batchId',
      'clusterId',
      'clusterName',
      'created',
      'delivery',
      'deploymentJobId',
      'encryptionEnabled',
      'groupId',
      'hashes',
      'id',
      'links',
      'masterKeyUUID',
      'pointInTime',
      'snapshotId',
      'statusName',
      'timestamp',
    ]);
    expect(Object.keys(schema(at('status.delivery')['properties'])).toSorted()).toEqual([
      'authHeader',
      'expirationHours',
      'expires',
      'maxDownloads',
      'methodName',
      'statusName',
      'targetClusterId',
      'targetClusterName',
      'targetGroupId',
      'url',
      'urlV2',
    ]);
  });

  test('a mirrored field takes whatever Atlas says: no enum, format, pattern, bounds, nothing required', () => {
    expect(MIRRORED.length).toBeGreaterThan(30);
    for (const [path, property] of MIRRORED) {
      const { type, format, description: _description, properties: _properties, items, ...rest } = property;
      expect([path, rest]).toEqual([path, {}]);
      expect([path, format]).toEqual([path, type === 'integer' ? 'int64' : undefined]);
      if (isSchema(items)) expect(Object.keys(items).toSorted()).toEqual(['description', 'properties', 'type']);
    }
  });

  test('what else the operator writes is bounded by nothing either: an older schema must take what a newer one writes', () => {
    const own = ALL.filter(([path]) => /^\.status\.(failure|urlWithheld|reason)\b/.test(path));
    expect(own.length).toBeGreaterThan(8);
    for (const [, property] of [...own, ['', at('status.conditions[].type')] as const])
      for (const word of ['enum', 'pattern', 'maxLength', 'required']) expect(property).not.toHaveProperty(word);
  });

  test('integers hold what Atlas sends, such as 2147483647 and more', () => {
    for (const [path, property] of ALL) {
      if (property['type'] !== 'integer') continue;
      expect([path, property['format']]).toEqual([path, 'int64']);
      expect([path, property['minimum'], property['maximum']]).toEqual([path, undefined, undefined]);
    }
  });

  test('the status has room for no secret header value', () => {
    expect(ALL.map(([path]) => path).filter((path) => /authValue/i.test(path))).toEqual([]);
  });

  test('the spec requires the three ids, and they never change', () => {
    expect(at('spec')['required']).toEqual(['groupId', 'clusterName', 'jobId']);
    for (const field of ['groupId', 'clusterName', 'jobId'])
      expect(at(`spec.${field}`)['x-kubernetes-validations']).toContainEqual(
        expect.objectContaining({ rule: 'self == oldSelf' }),
      );
    expect(ROOT['required']).toEqual(['spec']);
  });

  test('the spec has no defaults: the settings of the operator apply', () => {
    for (const [path, property] of ALL.filter(([one]) => one.startsWith('.spec')))
      expect([path, property['default']]).toEqual([path, undefined]);
  });

  test('the interval is bounded by CEL', () => {
    const rules = at('spec.interval')['x-kubernetes-validations'];
    expect(rules).toEqual([{ rule: expect.any(String), message: expect.stringContaining('10s to 24h') }]);
    expect(at('spec.interval')).not.toHaveProperty('pattern');
  });

  test('conditions are a map by type', () => {
    expect(at('status.conditions')).toMatchObject({
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
    });
    expect(schema(at('status.conditions')['items'])['required']).toEqual(Object.keys(Condition.shape));
  });
});

describe('the zod types', () => {
  test('take the published example and the default', () => {
    expect(Status.parse(PUBLISHED_EXAMPLE)).toEqual(PUBLISHED_EXAMPLE);
    expect(Status.parse({ observedGeneration: -1 })).toEqual({ observedGeneration: -1 });
  });

  test.each([
    ['groupId', 'ABCDEF666887d9d61443b416'],
    ['groupId', '5a66666887d9d61443b4164'],
    ['jobId', '6b77893b80eef5354c77ee15\n'],
    ['clusterName', '-cluster'],
    ['clusterName', 'cluster_0'],
    ['clusterName', ''],
    ['deliverySecretName', 'Download'],
    ['deliverySecretName', ''],
  ])('refuse %s "%s", as the API server does', (field, value) => {
    expect(Spec.safeParse({ ...SPEC, [field]: value }).success).toBe(false);
  });

  test('take a spec with everything', () => {
    const full = { ...SPEC, interval: '1h30m', suspend: true, deliverySecretName: 'cluster0.friday-download' };
    expect(Spec.parse(full)).toEqual(full);
  });
});
