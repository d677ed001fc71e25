import { access, constants } from 'node:fs/promises';
import path from 'node:path';
import { releaseDownload } from './release-download.ts';
import type { ObtainOptions } from './tool-cache.ts';
import { ensureTools, pinnedKubernetes } from './tools.ts';

/** The programs of a control plane and where they came from: `KUBEBUILDER_ASSETS`, `cache`, `download` or `build`. */
export interface Binaries {
  readonly etcd: string;
  readonly kubeApiserver: string;
  readonly kubectl: string;
  readonly from: string;
}

/**
 * Finds the programs of a control plane. The first that works: the folder that `KUBEBUILDER_ASSETS` names, the cache,
 * the published release binaries, building them from `tools/`. Progress is shown on standard error unless given.
 */
export async function ensureBinaries(options: ObtainOptions = {}): Promise<Binaries> {
  const assets = process.env['KUBEBUILDER_ASSETS'];
  if (assets !== undefined && assets !== '') return fromAssets(path.resolve(assets));
  const { path: of, from } = await ensureTools(NAMES, {
    ...options,
    sources: [releaseDownload(await pinnedKubernetes())],
    alternative: `set KUBEBUILDER_ASSETS to a folder with ${NAMES.join(', ')}`,
  });
  return { etcd: of('etcd'), kubeApiserver: of('kube-apiserver'), kubectl: of('kubectl'), from };
}

const NAMES = ['etcd', 'kube-apiserver', 'kubectl'] as const;

/** A folder that was named is used or complained about: to build for minutes instead would hide a mistyped path. */
async function fromAssets(folder: string): Promise<Binaries> {
  for (const name of NAMES) {
    try {
      await access(path.join(folder, name), constants.X_OK);
    } catch (cause) {
      throw new Error(`KUBEBUILDER_ASSETS is ${folder}, which has no executable ${name}`, { cause });
    }
  }
  return {
    etcd: path.join(folder, 'etcd'),
    kubeApiserver: path.join(folder, 'kube-apiserver'),
    kubectl: path.join(folder, 'kubectl'),
    from: 'KUBEBUILDER_ASSETS',
  };
}
