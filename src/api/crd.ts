/** Builds the CustomResourceDefinition from the zod types. */
import * as z from 'zod';
import { GROUP, KIND, PLURAL, Spec, Status, VERSION } from './legacy-restore-job.ts';

/** The CustomResourceDefinition of LegacyRestoreJob (apiextensions.k8s.io/v1), ready to be applied. */
export function customResourceDefinition() {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${PLURAL}.${GROUP}` },
    spec: {
      group: GROUP,
      names: {
        kind: KIND,
        listKind: `${KIND}List`,
        plural: PLURAL,
        singular: KIND.toLowerCase(),
        shortNames: ['lrj'],
        categories: ['atlas'],
      },
      scope: 'Namespaced',
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: PRINTER_COLUMNS,
          selectableFields: SELECTABLE_FIELDS.map((jsonPath) => ({ jsonPath })),
          schema: { openAPIV3Schema: openApiSchema() },
        },
      ],
    },
  };
}

/** Without `priority` it is always shown. The API server drops a 0: written down, it would be a lasting difference. */
interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'date';
  readonly jsonPath: string;
  readonly description: string;
  readonly priority?: 1;
}

const column = (name: string, jsonPath: string, description: string): PrinterColumn => ({
  name,
  type: 'string',
  jsonPath,
  description,
});
const wideColumn = (...args: Parameters<typeof column>): PrinterColumn => ({ ...column(...args), priority: 1 });
const conditionField = (type: string, field: string) => `.status.conditions[?(@.type=="${type}")].${field}`;

const PRINTER_COLUMNS: readonly PrinterColumn[] = [
  column('CLUSTER', '.spec.clusterName', 'Atlas cluster'),
  column('STATUS', '.status.statusName', 'State of the restore job at Atlas'),
  column('DELIVERY', '.status.delivery.statusName', 'State of the delivery'),
  // Not of type date: kubectl prints <invalid> for a date in the future.
  column('EXPIRES', '.status.delivery.expires', 'When the download expires'),
  column('READY', conditionField('Ready', 'status'), 'Whether the restore job has finished'),
  column('REASON', '.status.reason', 'What to look at first: the reason of Synced while it is not True, else of Ready'),
  {
    name: 'AGE',
    type: 'date',
    jsonPath: '.metadata.creationTimestamp',
    description: 'Age of the resource',
  },
  wideColumn('JOB', '.spec.jobId', 'Id of the restore job'),
  wideColumn('METHOD', '.status.delivery.methodName', 'How the data is delivered'),
  wideColumn('BATCH', '.status.batchId', 'Id shared by the jobs of a sharded restore'),
  wideColumn('SYNCED', conditionField('Synced', 'status'), "Whether the status equals Atlas's last response"),
  wideColumn('SNAPSHOT', '.status.snapshotId', 'Snapshot that is restored'),
];

const SELECTABLE_FIELDS = [
  '.spec.groupId',
  '.spec.clusterName',
  '.spec.jobId',
  '.status.statusName',
  '.status.batchId',
];

/** The schema of the resource, as the CustomResourceDefinition has it. */
export function openApiSchema() {
  return {
    type: 'object',
    description:
      'LegacyRestoreJob mirrors one restore job of a MongoDB Atlas legacy backup: the operator fetches the job that spec names and keeps status equal to it.',
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string', description: 'Version of the schema of this object.' },
      kind: { type: 'string', description: 'Kind of the object.' },
      metadata: { type: 'object' },
      spec: structural(Spec),
      // kstatus takes a resource without observedGeneration for current: a fresh one must not look finished.
      status: { ...structural(Status), default: { observedGeneration: -1 } },
    },
  };
}

/** The structural schema that the API server accepts for a zod object. */
function structural(schema: z.ZodType): Record<string, unknown> {
  return z.toJSONSchema(schema, {
    target: 'openapi-3.0',
    io: 'input',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      // z.int() bounds integers to what a double can hold; the API server holds an int64.
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
}
