/**
 * The files of a kubeconfig, merged as kubectl merges them. client-node lets the last current-context win, refuses files
 * that are missing and entries that are there twice, knows no `tokenFile` and no group to impersonate, and prints the
 * lines around a fault, tokens among them.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { load, YAMLException } from 'js-yaml';
import * as z from 'zod';
import { KubeConfigError } from './kubeconfig-error.ts';

/** What several files say together. Paths in it are absolute. */
export interface KubeConfigEntries {
  readonly currentContext: string;
  readonly contexts: ReadonlyMap<string, ContextEntry>;
  readonly clusters: ReadonlyMap<string, ClusterEntry>;
  readonly users: ReadonlyMap<string, UserEntry>;
}

export type ContextEntry = z.infer<typeof ContextEntry>;
export type ClusterEntry = z.infer<typeof ClusterEntry>;
export type UserEntry = z.infer<typeof UserEntry>;
/** A program that gives credentials. */
export type ExecEntry = NonNullable<UserEntry['exec']>;

/** Reads those of the files that exist; undefined: none does. What comes first wins. Throws KubeConfigError. */
export function readKubeConfigFiles(files: readonly string[]): KubeConfigEntries | undefined {
  const read = files.flatMap((file) => {
    const text = readIfThere(file);
    return text === undefined ? [] : [parse(file, text)];
  });
  if (read.length === 0) return undefined;
  return {
    currentContext: read.map((content) => content['current-context'] ?? '').find((name) => name !== '') ?? '',
    contexts: firstOfEach(
      read.flatMap(({ contexts }) => contexts ?? []),
      ({ context }) => context,
    ),
    clusters: firstOfEach(
      read.flatMap(({ clusters }) => clusters ?? []),
      ({ cluster }) => cluster,
    ),
    users: firstOfEach(
      read.flatMap(({ users }) => users ?? []),
      ({ user }) => user,
    ),
  };
}

const text = z.string().nullish();
const ContextEntry = z.object({ cluster: text, user: text, namespace: text });
const ClusterEntry = z.object({
  server: text,
  'certificate-authority': text,
  'certificate-authority-data': text,
  'insecure-skip-tls-verify': z.boolean().nullish(),
  'tls-server-name': text,
  'proxy-url': text,
});
const UserEntry = z.object({
  token: text,
  tokenFile: text,
  username: text,
  password: text,
  'client-certificate': text,
  'client-certificate-data': text,
  'client-key': text,
  'client-key-data': text,
  as: text,
  'as-uid': text,
  'as-groups': z.array(z.string()).nullish(),
  'as-user-extra': z.record(z.string(), z.array(z.string())).nullish(),
  'auth-provider': z.object({ name: z.string(), config: z.record(z.string(), z.unknown()).nullish() }).nullish(),
  exec: z
    .object({
      apiVersion: text,
      command: z.string(),
      args: z.array(z.string()).nullish(),
      env: z.array(z.object({ name: z.string(), value: z.string() })).nullish(),
      installHint: text,
      provideClusterInfo: z.boolean().nullish(),
    })
    .nullish(),
});
const Content = z
  .object({
    'current-context': text,
    contexts: z.array(z.object({ name: z.string(), context: ContextEntry.nullish() })).nullish(),
    clusters: z.array(z.object({ name: z.string(), cluster: ClusterEntry.nullish() })).nullish(),
    users: z.array(z.object({ name: z.string(), user: UserEntry.nullish() })).nullish(),
  })
  .nullish();
type Content = NonNullable<z.infer<typeof Content>>;

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const code = Error.isError(cause) && 'code' in cause ? String(cause.code) : 'unknown error';
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new KubeConfigError(`the kubeconfig ${file} cannot be read (${code})`, { cause });
  }
}

function parse(file: string, content: string): Content {
  const result = Content.safeParse(loadYaml(file, content));
  if (result.success) return withAbsolutePaths(path.dirname(path.resolve(file)), result.data ?? {});
  const [issue] = result.error.issues;
  // Without zod's words for the value, whatever they are: only what stands where.
  const wanted = issue?.code === 'invalid_type' ? `: it must be of type ${issue.expected}` : '';
  throw new KubeConfigError(`the kubeconfig ${file} is wrong at ${pathOf(issue?.path ?? [])}${wanted}`);
}

/** The names of entries stay out: only the words of the format are printed. */
const pathOf = (steps: readonly PropertyKey[]): string =>
  steps.length === 0
    ? 'its top'
    : steps.map((step) => (typeof step === 'number' ? `[${step}]` : String(step))).join('.');

function loadYaml(file: string, content: string): unknown {
  try {
    return content.trim() === '' ? undefined : load(content);
  } catch (cause) {
    // Neither its message, which has the lines around the fault, nor its reason, which can name an alias or a tag.
    const mark = cause instanceof YAMLException ? cause.mark : undefined;
    const where = mark === undefined ? '' : ` at line ${mark.line + 1}, column ${mark.column + 1}`;
    throw new KubeConfigError(`the kubeconfig ${file} is no valid YAML${where}`);
  }
}

function withAbsolutePaths(folder: string, content: Content): Content {
  const absolute = (file: string | null | undefined) => (file ? path.resolve(folder, file) : file);
  const program = (command: string) => (command.includes(path.sep) ? path.resolve(folder, command) : command);
  return {
    ...content,
    clusters: content.clusters?.map(({ name, cluster }) => ({
      name,
      cluster: cluster && { ...cluster, 'certificate-authority': absolute(cluster['certificate-authority']) },
    })),
    users: content.users?.map(({ name, user }) => ({
      name,
      user: user && {
        ...user,
        tokenFile: absolute(user.tokenFile),
        'client-certificate': absolute(user['client-certificate']),
        'client-key': absolute(user['client-key']),
        exec: user.exec && { ...user.exec, command: program(user.exec.command) },
      },
    })),
  };
}

function firstOfEach<E extends { readonly name: string }, T>(
  entries: readonly E[],
  contentOf: (entry: E) => T | null | undefined,
): ReadonlyMap<string, T> {
  const first = new Map<string, T>();
  for (const entry of entries) {
    const value = contentOf(entry);
    if (value !== undefined && value !== null && !first.has(entry.name)) first.set(entry.name, value);
  }
  return first;
}
