/** JSON schemas for kubeconform, from the OpenAPI documents of a running API server. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import type { ControlPlane } from './control-plane/control-plane.ts';
import { eventually } from './eventually.ts';

/** Which schema: of what objects. */
export interface SchemaOf {
  readonly apiVersion: string;
  readonly kind: string;
}

/** The file name pattern of `writeJsonSchemas`, for kubeconform's flag -schema-location. */
export const schemaLocation = (folder: string): string =>
  path.join(folder, '{{.Group}}-{{.ResourceAPIVersion}}-{{.ResourceKind}}.json');

/**
 * Writes a JSON schema for each of these kinds, those of CustomResourceDefinitions among them. The schemas are strict:
 * a member that the API server would drop is an error. Rejects when the API server does not serve a kind.
 */
export async function writeJsonSchemas(
  controlPlane: Pick<ControlPlane, 'request'>,
  folder: string,
  kinds: readonly SchemaOf[],
): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [apiVersion, wanted] of Map.groupBy(kinds, (one) => one.apiVersion)) {
    // A definition that was installed a moment ago is published a moment later.
    await eventually(
      `the OpenAPI document of ${apiVersion} has ${wanted.map(({ kind }) => kind).join(', ')}`,
      async () => {
        const { schemas } = await readOpenApi(controlPlane, apiVersion);
        for (const { kind } of wanted) {
          const file = path.join(folder, `${fileGroup(apiVersion)}-${kind.toLowerCase()}.json`);
          await writeFile(file, JSON.stringify(jsonSchemaOf(schemas, apiVersion, kind)));
        }
      },
    );
  }
}

type Schema = Readonly<Record<string, unknown>>;
const Schema = z.record(z.string(), z.unknown());
const OpenApi = z.object({ components: z.object({ schemas: z.record(z.string(), Schema) }) });
const GroupVersionKinds = z.array(z.object({ group: z.string(), version: z.string(), kind: z.string() }));

async function readOpenApi({ request }: Pick<ControlPlane, 'request'>, apiVersion: string) {
  const address = apiVersion.includes('/') ? `/openapi/v3/apis/${apiVersion}` : `/openapi/v3/api/${apiVersion}`;
  return OpenApi.parse((await request('GET', address)).body).components;
}

/** As kubeconform fills in its pattern: `Group` is the version for the core group. */
function fileGroup(apiVersion: string): string {
  const [group = '', version = group] = apiVersion.split('/');
  return `${group}-${version}`;
}

function jsonSchemaOf(schemas: Readonly<Record<string, Schema>>, apiVersion: string, kind: string): unknown {
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  const name = Object.entries(schemas).find(([, schema]) =>
    GroupVersionKinds.safeParse(schema['x-kubernetes-group-version-kind']).data?.some(
      (one) => one.group === group && one.version === version && one.kind === kind,
    ),
  )?.[0];
  if (name === undefined) throw new Error(`the API server serves no ${kind} of ${apiVersion}`);
  const definitions: Record<string, unknown> = {};
  const include = (reference: string): void => {
    if (reference in definitions) return;
    // Before its inside, which may refer to itself.
    definitions[reference] = {};
    definitions[reference] = strict(schemas[reference], include);
  };
  include(name);
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    // In this draft everything beside a $ref is ignored.
    allOf: [{ $ref: `#/definitions/${name}` }],
    definitions,
  };
}

const REFERENCE = '#/components/schemas/';

/** OpenAPI 3.0 as JSON schema that allows no unknown members; `include` is told of every schema that it refers to. */
function strict(schema: unknown, include: (name: string) => void): unknown {
  if (Array.isArray(schema)) return schema.map((inner) => strict(inner, include));
  const { data } = Schema.safeParse(schema);
  if (data === undefined) return schema;
  const { $ref, nullable, default: _default, ...rest } = data;
  if (typeof $ref === 'string') {
    const name = $ref.slice(REFERENCE.length);
    include(name);
    return { $ref: `#/definitions/${name}` };
  }
  const members = Object.fromEntries(
    Object.entries(rest).map(([key, inner]) => [key, strictMember(key, inner, include)]),
  );
  const closed =
    'properties' in rest && !('additionalProperties' in rest) && rest['x-kubernetes-preserve-unknown-fields'] !== true;
  return {
    ...members,
    ...(closed ? { additionalProperties: false } : {}),
    ...(nullable === true && typeof rest['type'] === 'string' ? { type: [rest['type'], 'null'] } : {}),
  };
}

/** Only some members of a schema hold schemas; in `properties` every name is one, also one like `default`. */
function strictMember(key: string, value: unknown, include: (name: string) => void): unknown {
  switch (key) {
    case 'properties':
      return Object.fromEntries(
        Object.entries(Schema.parse(value)).map(([name, inner]) => [name, strict(inner, include)]),
      );
    case 'items':
    case 'additionalProperties':
    case 'allOf':
    case 'anyOf':
    case 'oneOf':
    case 'not':
      return strict(value, include);
    default:
      return value;
  }
}
