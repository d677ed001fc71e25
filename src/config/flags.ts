/**
 * Flags and environment variables, read against one table: a zod object whose members say how they are called. The
 * flag is the member's name in kebab case, the variable the same in upper case with underscores.
 */
import { parseArgs } from 'node:util';
import * as z from 'zod';

/** What a table says of a flag besides what its text can be. */
export interface FlagDetails {
  readonly description: string;
  /** How the documentation names the default; empty if there is none. */
  readonly fallback?: string;
  /** One letter. */
  readonly short?: string;
  /** `switch`: the flag alone means true. */
  readonly takes: 'value' | 'switch';
  /** Whether the environment is read if the flag is not given. */
  readonly variable: boolean;
}

/** One flag as documentation and `--help` print it. */
export interface FlagDescription {
  readonly key: string;
  readonly name: string;
  /** Undefined where only the flag counts. */
  readonly variable: string | undefined;
  readonly short: string | undefined;
  readonly takes: 'value' | 'switch';
  readonly fallback: string;
  readonly description: string;
}

/** The texts that were given, checked or not, by the keys of a table. */
export interface GivenFlags {
  readonly given: Readonly<Record<string, string | undefined>>;
  /** What problems call a member: the flag or the variable that it comes from. */
  readonly sourceOf: (key: string) => string;
}

interface FlagsRead<Shape extends z.ZodRawShape> extends GivenFlags {
  /** Undefined when a value is wrong or missing. */
  readonly values: z.output<z.ZodObject<Shape>> | undefined;
  /** One for each wrong flag, variable or argument; none repeats a value. */
  readonly problems: readonly string[];
}

const details = z.registry<FlagDetails>();

/** A member of a table. */
export function flag<T extends z.ZodType>(schema: T, described: FlagDetails): T {
  details.add(schema, described);
  return schema;
}

/** All flags of a table, in its order. */
export function describeFlags(table: z.ZodObject): readonly FlagDescription[] {
  return Object.entries<z.core.$ZodType>(table.shape).map(([key, schema]) => {
    const { description, fallback = '', short, takes, variable } = detailsOf(key, schema);
    const name = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const variableName = variable ? name.toUpperCase().replaceAll('-', '_') : undefined;
    return { key, name, variable: variableName, short, takes, fallback, description };
  });
}

/**
 * Reads all flags and variables of a table; a flag wins over its variable, and an empty variable counts as absent. All
 * problems are reported at once, each naming the flag or the variable, never the value: a secret pasted into the wrong
 * place must not reach a log.
 */
export function readFlags<Shape extends z.ZodRawShape>(
  table: z.ZodObject<Shape>,
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): FlagsRead<Shape> {
  const described = describeFlags(table);
  const { flags, problems } = parse(described, args);
  const given: Record<string, string | undefined> = {};
  for (const { key, name, variable } of described)
    given[key] = flags.get(name) ?? ((variable === undefined ? undefined : environment[variable]) || undefined);
  const sourceOf = (key: string): string => sourceIn(described, key, flags);
  const result = table.safeParse(given);
  if (!result.success)
    problems.push(...result.error.issues.map((issue) => `${sourceOf(String(issue.path[0]))} ${issue.message}`));
  return { values: result.data, given, sourceOf, problems };
}

function detailsOf(key: string, schema: z.core.$ZodType): FlagDetails {
  const found = details.get(schema);
  if (found === undefined) throw new Error(`the table does not describe ${key}`);
  return found;
}

function sourceIn(described: readonly FlagDescription[], key: string, flags: ReadonlyMap<string, string>): string {
  const found = described.find((entry) => entry.key === key);
  if (found === undefined) return key;
  return flags.has(found.name) || found.variable === undefined ? `--${found.name}` : found.variable;
}

function parse(
  described: readonly FlagDescription[],
  args: readonly string[],
): { flags: ReadonlyMap<string, string>; problems: string[] } {
  const options = Object.fromEntries(
    described.map(({ name, short, takes }) => [
      name,
      {
        type: takes === 'value' ? ('string' as const) : ('boolean' as const),
        ...(short === undefined ? {} : { short }),
      },
    ]),
  );
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true, allowPositionals: true });
  const flags = new Map<string, string>();
  /** One for each argument: of `-psecret` every letter would be one. */
  const problems = new Map<number, string>();
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    const problem = problemOf(token);
    if (problem !== undefined) problems.set(token.index, problem);
    else if (token.kind === 'option') flags.set(token.name, token.value ?? 'true');
  }
  return { flags, problems: [...problems.values()] };

  function problemOf(token: Exclude<(typeof tokens)[number], { kind: 'option-terminator' }>): string | undefined {
    const noFlag = `argument ${token.index + 1} is not a flag; flags are --name=value or --name value`;
    if (token.kind === 'positional') return noFlag;
    const type = Object.hasOwn(options, token.name) ? options[token.name]?.type : undefined;
    // Only what looks like a name is repeated: the rest of `-psecret` and `--name:secret` could be a secret.
    if (type === undefined)
      return /^--[a-z][a-z-]*$/i.test(token.rawName) ? `${token.rawName} is not a flag of this command` : noFlag;
    const swallowed = token.inlineValue === false && token.value.startsWith('--');
    return type === 'string' && (token.value === undefined || swallowed) ? `${token.rawName} needs a value` : undefined;
  }
}
