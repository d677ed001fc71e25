import { createHash } from 'node:crypto';
import { glob, readFile, rename } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { executableOf, type GoProgram, goBuild } from './go-build.ts';
import { terminalProgress } from './progress.ts';
import { type Cached, fromCache, type ObtainOptions, type Source, type Unobtainable } from './tool-cache.ts';

/** A program that can be built from the Go module in `tools/`. */
export type ToolName = keyof ReturnType<typeof programs>;

/** Options of {@link ensureTools}; without `progress` it is shown on standard error. */
export interface EnsureToolsOptions extends ObtainOptions {
  /** What is tried before building. */
  readonly sources?: readonly Source[];
  /** What else than installing Go would help, for the message when nothing can be obtained. */
  readonly alternative?: string;
}

/**
 * Finds programs in the user's cache, or builds them from `tools/` into it. The cache is kept by what they are made of
 * and for which platform: `~/.cache/legacy-restore-operator/tools/<version of Kubernetes>-<hash>-<platform>`.
 */
export async function ensureTools<N extends ToolName>(
  names: readonly N[],
  { sources = [], alternative, signal, progress = terminalProgress() }: EnsureToolsOptions = {},
): Promise<Cached<N>> {
  const pins = await readPins();
  const table = programs(pins.kubernetes);
  const build: Source = {
    name: 'build',
    obtain: async (missing, folder, options) => {
      const wanted = entries(table).filter(([name]) => missing.includes(name));
      await goBuild(
        MODULE,
        wanted.map(([, program]) => program),
        folder,
        options,
      );
      for (const [name, program] of wanted) {
        await rename(path.join(folder, executableOf(program)), path.join(folder, name));
      }
    },
  };
  const folder = await cacheFolder(pins, table);
  const found = await fromCache(folder, names, [...sources, build], {
    progress,
    ...(signal === undefined ? {} : { signal }),
  });
  if ('path' in found) return found;
  throw new Error(sentence(found, pins, alternative));
}

/** The version of Kubernetes that `tools/` pins, as `v1.37.2`. */
export async function pinnedKubernetes(): Promise<string> {
  return (await readPins()).kubernetes;
}

/** To add a tool: import its main package in tools/tools.go, `go mod tidy` there, and name it here. */
function programs(kubernetes: string) {
  const [, major, minor] = /^v(\d+)\.(\d+)\./.exec(kubernetes) ?? [];
  const version = 'k8s.io/component-base/version';
  // The API server derives its compatibility version from this one, and refuses to start on the default of a plain build.
  const kubernetesFlags = [
    `-X ${version}.gitVersion=${kubernetes}`,
    `-X ${version}.gitMajor=${major}`,
    `-X ${version}.gitMinor=${minor}`,
    `-X ${version}.gitTreeState=clean`,
  ];
  return {
    etcd: { package: './etcd' },
    'kube-apiserver': { package: 'k8s.io/kubernetes/cmd/kube-apiserver', ldflags: kubernetesFlags },
    kubectl: { package: 'k8s.io/kubernetes/cmd/kubectl', ldflags: kubernetesFlags },
    helm: { package: 'helm.sh/helm/v4/cmd/helm' },
    kubeconform: { package: 'github.com/yannh/kubeconform/cmd/kubeconform' },
    // Without service discovery, which promtool needs for nothing that is asked of it here and which takes minutes to compile.
    promtool: { package: 'github.com/prometheus/prometheus/cmd/promtool', tags: ['remove_all_sd'] },
  } satisfies Record<string, GoProgram>;
}

const MODULE = path.join(import.meta.dirname, '../../../tools');

interface Pins {
  readonly kubernetes: string;
  readonly go: string;
}

async function readPins(): Promise<Pins> {
  const text = await readFile(path.join(MODULE, 'go.mod'), 'utf8');
  const kubernetes = /^\s*k8s\.io\/kubernetes (v\S+)/m.exec(text)?.[1];
  const go = /^go (\d+\.\d+)/m.exec(text)?.[1];
  if (kubernetes === undefined || go === undefined) throw new Error('tools/go.mod names no Kubernetes or no Go');
  return { kubernetes, go };
}

async function cacheFolder(pins: Pins, table: Readonly<Record<string, GoProgram>>): Promise<string> {
  const sources = await Array.fromAsync(glob(['go.mod', 'go.sum', '**/*.go'], { cwd: MODULE }));
  const hash = createHash('sha256').update(JSON.stringify(table));
  for (const source of sources.sort()) hash.update(`\0${source}\0`).update(await readFile(path.join(MODULE, source)));
  const caches = process.env['XDG_CACHE_HOME'] || path.join(homedir(), '.cache');
  const slot = `${pins.kubernetes}-${hash.digest('hex').slice(0, 12)}-${process.platform}-${process.arch}`;
  return path.join(caches, 'legacy-restore-operator', 'tools', slot);
}

function entries(table: Readonly<Record<string, GoProgram>>): [string, GoProgram][] {
  return Object.entries(table);
}

/** The one sentence for a machine that has neither a network nor Go. */
function sentence({ missing, reasons }: Unobtainable, pins: Pins, alternative: string | undefined): string {
  const tried = [...reasons].map(([source, reason]) => `${source}: ${reason}`).join('; ');
  const remedy = `install Go ${pins.go} or newer and let it reach a Go module proxy`;
  return (
    `Cannot get ${missing.join(', ')} (Kubernetes ${pins.kubernetes}): ` +
    `${remedy}${alternative === undefined ? '' : `, or ${alternative}`}. Tried: ${tried}`
  );
}
