/** What an installed schema lacks of the one that this version needs, and a status without those fields. */
import * as z from 'zod';
import { Spec, Status } from './legacy-restore-job.ts';

/** A schema as a CustomResourceDefinition has it, reduced to what tells which fields the API server keeps. */
export type Schema = z.infer<typeof Schema>;
export const Schema = z.object({
  get properties() {
    return z.record(z.string(), Schema).exactOptional();
  },
  get items() {
    return Schema.exactOptional();
  },
  'x-kubernetes-preserve-unknown-fields': z.boolean().exactOptional(),
});

/** The schema that this version needs. Every start computes it, which from a CustomResourceDefinition would take 30 ms. */
export const neededSchema = (): Schema => ({ properties: { spec: fieldsOf(Spec), status: fieldsOf(Status) } });

/**
 * The paths of spec and status fields that `needed` has and `installed` lacks, as `status.delivery.urlV2` or
 * `status.hashes[].typeName`, sorted. Of a whole object that is missing only its own path is named.
 */
export function missingFields(needed: Schema, installed: Schema): readonly string[] {
  return ROOTS.flatMap((root) => missingBelow(root, needed.properties?.[root], installed.properties?.[root])).sort();
}

/** The status without these fields (paths of `missingFields`): what the API server would keep of it. */
export function withoutFields(status: Status, missing: readonly string[]): Status {
  if (missing.length === 0) return status;
  const kept = Status.safeParse(without(status, 'status', new Set(missing)));
  // The members of a condition are all required: a schema without one of them cannot hold our status in any form.
  return kept.data ?? status;
}

function fieldsOf(type: z.core.$ZodType): Schema {
  if (type instanceof z.ZodExactOptional) return fieldsOf(type.unwrap());
  if (type instanceof z.ZodArray) return { items: fieldsOf(type.element) };
  if (!(type instanceof z.ZodObject)) return {};
  const fields = Object.entries<z.core.$ZodType>(type.shape);
  return { properties: Object.fromEntries(fields.map(([name, field]) => [name, fieldsOf(field)])) };
}

/** What people fill in and what the operator writes; the rest of an object is the API server's own. */
const ROOTS = ['spec', 'status'] as const;

function missingBelow(path: string, needed: Schema | undefined, installed: Schema | undefined): string[] {
  if (needed === undefined) return [];
  if (installed === undefined) return [path];
  // Nothing is pruned there.
  if (installed['x-kubernetes-preserve-unknown-fields'] === true) return [];
  const properties = Object.entries(needed.properties ?? {}).flatMap(([name, field]) =>
    missingBelow(`${path}.${name}`, field, installed.properties?.[name]),
  );
  return [...properties, ...missingBelow(`${path}[]`, needed.items, installed.items)];
}

function without(value: unknown, path: string, missing: ReadonlySet<string>): unknown {
  if (Array.isArray(value)) return value.map((item) => without(item, `${path}[]`, missing));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !missing.has(`${path}.${name}`))
      .map(([name, member]) => [name, without(member, `${path}.${name}`, missing)]),
  );
}
