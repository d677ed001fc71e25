/** docs/api.md: every field of the resource, from the CustomResourceDefinition. */
import * as z from 'zod';
import { customResourceDefinition } from '../src/api/crd.ts';
import { API_VERSION, KIND, REQUESTED_AT } from '../src/api/legacy-restore-job.ts';
import { markdownTable } from './markdown-table.ts';
import { generatedPage } from './pages.ts';

/** docs/api.md */
export function apiPage(): string {
  const { names, versions } = customResourceDefinition().spec;
  const [version] = versions;
  if (version === undefined) throw new Error('the CustomResourceDefinition has no version');
  const { spec, status } = Root.parse(version.schema.openAPIV3Schema).properties;
  const columns = version.additionalPrinterColumns;
  return generatedPage(
    'API reference',
    `\`${KIND}\` of \`${API_VERSION}\`: plural \`${names.plural}\`, short name \`${names.shortNames.join(', ')}\`, category \`${names.categories.join(', ')}\`, namespaced, with the subresource status. \`kubectl explain lrj.spec\` and \`kubectl explain lrj.status\` print the same information.`,
    '## spec',
    `${spec.description ?? ''} The API server rejects values that violate a constraint.`,
    fieldTable(spec),
    '## status',
    `${status.description ?? ''} Only the operator writes it. The fields of Atlas have no constraints: the operator mirrors whatever Atlas sends, and fields that Atlas omits are absent.`,
    fieldTable(status),
    '[Conditions and their reasons](conditions.md) lists all conditions and reasons.',
    '## Annotations',
    markdownTable(
      ['annotation', 'meaning'],
      [
        [
          `\`${REQUESTED_AT}\``,
          'Any new value requests a reconcile now, even for a finished job. `status.lastHandledReconcileAt` shows the value once the operator has handled it.',
        ],
      ],
    ),
    '## Columns',
    markdownTable(
      ['column', 'shown', 'value', 'meaning'],
      columns.map(({ name, jsonPath, description, priority }) => [
        name,
        priority === undefined ? 'always' : 'with `-o wide`',
        `\`${jsonPath}\``,
        `${description}.`,
      ]),
    ),
    '## Field selectors',
    `\`kubectl get lrj --field-selector …\` takes \`metadata.name\`, \`metadata.namespace\` and ${version.selectableFields.map(({ jsonPath }) => `\`${jsonPath.slice(1)}\``).join(', ')}.`,
  );
}

interface Schema {
  readonly type: string;
  readonly description?: string | undefined;
  readonly format?: string | undefined;
  readonly enum?: readonly string[] | undefined;
  readonly pattern?: string | undefined;
  readonly minLength?: number | undefined;
  readonly maxLength?: number | undefined;
  readonly required?: readonly string[] | undefined;
  readonly properties?: Readonly<Record<string, Schema>> | undefined;
  readonly items?: Schema | undefined;
  readonly default?: unknown;
  readonly 'x-kubernetes-validations'?: readonly { readonly rule: string; readonly message: string }[] | undefined;
  readonly 'x-kubernetes-list-type'?: string | undefined;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[] | undefined;
}
/** Strict: a keyword that this page would omit must not go unnoticed. */
const Schema: z.ZodType<Schema> = z.lazy(() =>
  z.strictObject({
    type: z.string(),
    description: z.string().optional(),
    format: z.string().optional(),
    enum: z.array(z.string()).optional(),
    pattern: z.string().optional(),
    minLength: z.number().optional(),
    maxLength: z.number().optional(),
    required: z.array(z.string()).optional(),
    properties: z.record(z.string(), Schema).optional(),
    items: Schema.optional(),
    default: z.unknown().optional(),
    'x-kubernetes-validations': z.array(z.object({ rule: z.string(), message: z.string() })).optional(),
    'x-kubernetes-list-type': z.string().optional(),
    'x-kubernetes-list-map-keys': z.array(z.string()).optional(),
  }),
);
const Root = z.object({ properties: z.object({ spec: Schema, status: Schema }) });

const fieldTable = (of: Schema): string =>
  markdownTable(
    ['field', 'type', 'constraints', 'meaning'],
    fieldsOf(of, '').map(({ path, schema, required }) => [
      `\`${path}\``,
      typeOf(schema),
      constraintsOf(schema, required).join('; '),
      schema.description ?? '',
    ]),
  );

interface Field {
  readonly path: string;
  readonly schema: Schema;
  readonly required: boolean;
}

/** Every field below a schema, as `delivery.url` and `hashes[].hash`. */
function fieldsOf({ properties = {}, required = [] }: Schema, prefix: string): Field[] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const path = `${prefix}${name}`;
    const below = schema.items === undefined ? fieldsOf(schema, `${path}.`) : fieldsOf(schema.items, `${path}[].`);
    return [{ path, schema, required: required.includes(name) }, ...below];
  });
}

const typeOf = ({ type, items, format }: Schema): string =>
  items === undefined ? [type, ...(format === undefined ? [] : [format])].join(', ') : `list of ${items.type}`;

function constraintsOf(schema: Schema, required: boolean): string[] {
  const rules = schema['x-kubernetes-validations'] ?? [];
  const { pattern, minLength, maxLength } = schema;
  const keys = schema['x-kubernetes-list-map-keys'];
  return [
    ...(required ? ['required'] : []),
    ...(schema.enum === undefined ? [] : [`one of ${schema.enum.map((value) => `\`${value}\``).join(', ')}`]),
    ...rules.map(({ rule, message }) => (rule === 'self == oldSelf' ? 'immutable' : message)),
    ...(pattern === undefined ? [] : [`pattern \`${pattern.replaceAll('|', '\\|')}\``]),
    ...(minLength === undefined ? [] : [`at least ${minLength} character${minLength === 1 ? '' : 's'}`]),
    ...(maxLength === undefined ? [] : [`at most ${maxLength} characters`]),
    ...(keys === undefined ? [] : [`one for each \`${keys.join(', ')}\``]),
  ];
}
