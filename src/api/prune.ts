/**
 * Checks objects of the API server against a schema and prunes them in place, as the API server itself does. It has
 * checked them already, with a schema that may be of another version: zod would copy every member, in eight times the
 * time.
 */
import * as z from 'zod';

/**
 * A check of values that are the caller's own: whether they fit a schema. Members that it does not name are removed.
 * Throws for a schema with anything but objects, lists, strings, integers, booleans and enums; what a string looks like
 * is not checked.
 */
export function pruning<S extends z.ZodType>(schema: S): (value: unknown) => value is z.output<S> {
  const fits = fitOf(schema);
  return (value): value is z.output<S> => fits(value);
}

type Fit = (value: unknown) => boolean;

function fitOf(type: z.core.$ZodType): Fit {
  if (type instanceof z.ZodObject) return fitOfObject(type);
  if (type instanceof z.ZodArray) {
    const fits = fitOf(type.element);
    return (value) => Array.isArray(value) && value.every((element) => fits(element));
  }
  if (type instanceof z.ZodString) return (value) => typeof value === 'string';
  if (type instanceof z.ZodNumber) return (value) => Number.isSafeInteger(value);
  if (type instanceof z.ZodBoolean) return (value) => typeof value === 'boolean';
  if (type instanceof z.ZodEnum) return (value) => type.options.some((option) => option === value);
  throw new Error('a schema that cannot be pruned');
}

function fitOfObject({ shape }: z.ZodObject): Fit {
  const members = new Map<string, Fit>();
  const required: string[] = [];
  for (const [name, member] of Object.entries<z.core.$ZodType>(shape)) {
    const isOptional = member instanceof z.ZodExactOptional;
    members.set(name, fitOf(isOptional ? member.unwrap() : member));
    if (!isOptional) required.push(name);
  }
  return (value) => {
    if (!isObject(value)) return false;
    for (const name of Object.keys(value)) {
      const fits = members.get(name);
      if (fits === undefined) delete value[name];
      else if (!fits(value[name])) return false;
    }
    return required.every((name) => Object.hasOwn(value, name));
  };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
