/** LegacyRestoreJob resources for listed restore jobs, as `kubectl apply` takes them. */
import { API_VERSION, KIND, type Spec } from '../api/legacy-restore-job.ts';
import { safeYaml } from '../command/structured.ts';
import type { ListOptions } from './options.ts';

type ManifestOptions = Pick<ListOptions, 'ref' | 'credentialsSecret' | 'deliverySecrets'>;

/** One YAML document for each job. The ids must be such of Atlas: they become parts of names. */
export const manifests = (jobIds: readonly string[], options: ManifestOptions): string =>
  jobIds.map((jobId) => `---\n${safeYaml(manifest(jobId, options))}`).join('');

/** The name of the resource of a job. */
export const manifestName = (clusterName: string, jobId: string): string => `${clusterName.toLowerCase()}-${jobId}`;

/** Project and cluster as they were given: Atlas can leave them out, and write them differently. */
function manifest(jobId: string, { ref, credentialsSecret, deliverySecrets }: ManifestOptions) {
  const { groupId, clusterName } = ref;
  const name = manifestName(clusterName, jobId);
  const spec: Spec = {
    groupId,
    clusterName,
    jobId,
    ...(credentialsSecret === undefined ? {} : { credentialsSecretRef: { name: credentialsSecret } }),
    ...(deliverySecrets ? { deliverySecretName: `${name}-download` } : {}),
  };
  return { apiVersion: API_VERSION, kind: KIND, metadata: { name }, spec };
}
