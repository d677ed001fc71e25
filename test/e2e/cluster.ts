/** The cluster of the run, a fresh one of kind or an existing one, and kubectl and helm on it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type * as z from 'zod';
import { type CommandOptions, run } from './commands.ts';
import type { Programs } from './programs.ts';

/** The image of kind v0.33.0, by the digest of its release notes. */
const KIND_NODE_IMAGE =
  'docker.io/kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5';

export interface Cluster {
  /** How it is called in what is printed. */
  readonly name: string;
  readonly kubeconfig: string;
  /** Runs kubectl and resolves with its standard output. */
  readonly kubectl: (args: readonly string[], options?: CommandOptions) => Promise<string>;
  /** `kubectl get … -o json`, checked against a schema. */
  readonly get: <T>(schema: z.ZodType<T>, args: readonly string[]) => Promise<T>;
  /** Server-side apply of objects; as many as there are. */
  readonly apply: (objects: readonly object[]) => Promise<void>;
  readonly helm: (args: readonly string[]) => Promise<string>;
  /** Records what `kubectl get --watch` with a jsonpath prints, a line each, from now on. */
  readonly watch: (args: readonly string[], jsonpath: string) => Recording;
  /** Makes an image of the Docker engine known to the nodes. */
  readonly load: (image: string) => Promise<void>;
  /** Deletes the cluster if it was made for this run. */
  readonly remove: () => Promise<void>;
}

export interface Recording extends AsyncDisposable {
  /** The lines so far; the array grows. */
  readonly lines: readonly string[];
  readonly stop: () => Promise<void>;
}

/** Creates a cluster with kind, or takes the one of a context. `folder` gets its kubeconfig. */
export async function openCluster(
  programs: Programs,
  context: string | undefined,
  folder: string,
  signal: AbortSignal,
): Promise<Cluster> {
  const kubeconfig = path.join(folder, 'kubeconfig');
  if (context !== undefined) {
    const view = ['config', 'view', '--minify', '--flatten', '--raw', `--context=${context}`];
    await writeFile(kubeconfig, await run(programs.kubectl, view, { signal }), { mode: 0o600 });
    const kindName = /^kind-(.+)$/.exec(context)?.[1];
    return clusterOf(programs, context, kubeconfig, signal, {
      load: (image) => (kindName === undefined ? Promise.resolve() : loadIntoKind(programs, kindName, image)),
      remove: () => Promise.resolve(),
    });
  }
  const kind = programs.kind ?? 'kind';
  const name = `legacy-restore-e2e-${process.pid}`;
  const remove = async (): Promise<void> => {
    await run(kind, ['delete', 'cluster', '--name', name, '--kubeconfig', kubeconfig]);
  };
  const image = process.env['KIND_NODE_IMAGE'] || KIND_NODE_IMAGE;
  const create = ['create', 'cluster', '--name', name, '--image', image, '--kubeconfig', kubeconfig, '--wait', '180s'];
  try {
    await run(kind, create, { signal, timeoutMs: 600_000 });
  } catch (error) {
    await remove();
    throw error;
  }
  return clusterOf(programs, name, kubeconfig, signal, {
    load: (image) => loadIntoKind(programs, name, image),
    remove,
  });
}

async function loadIntoKind({ kind }: Programs, name: string, image: string): Promise<void> {
  await run(kind ?? 'kind', ['load', 'docker-image', image, '--name', name], { timeoutMs: 300_000 });
}

function clusterOf(
  { kubectl: kubectlProgram, helm }: Programs,
  name: string,
  kubeconfig: string,
  signal: AbortSignal,
  own: Pick<Cluster, 'load' | 'remove'>,
): Cluster {
  const env = { KUBECONFIG: kubeconfig };
  const kubectl = (args: readonly string[], options: CommandOptions = {}): Promise<string> =>
    run(kubectlProgram, args, { env, signal, ...options });
  return {
    name,
    kubeconfig,
    kubectl,
    get: async (schema, args) => schema.parse(JSON.parse(await kubectl(['get', '--output=json', ...args]))),
    apply: async (objects) => {
      const list = { apiVersion: 'v1', kind: 'List', items: objects };
      await kubectl(['apply', '--server-side', '--force-conflicts', '--filename=-'], {
        input: JSON.stringify(list),
        timeoutMs: 300_000,
      });
    },
    helm: (args) => run(helm, args, { env, signal, timeoutMs: 300_000 }),
    watch: (args, jsonpath) => {
      const flags = ['--watch', '--output-watch-events', `--output=jsonpath=${jsonpath}{"\\n"}`];
      return record(spawn(kubectlProgram, ['get', ...args, ...flags], { env: { ...process.env, ...env } }));
    },
    ...own,
  };
}

function record(child: ChildProcess): Recording {
  const lines: string[] = [];
  const closed = once(child, 'close');
  if (child.stdout !== null) createInterface(child.stdout).on('line', (line) => lines.push(line));
  child.stderr?.resume();
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await closed;
  };
  return { lines, stop, [Symbol.asyncDispose]: stop };
}
