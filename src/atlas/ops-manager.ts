/** What `public/v1.0`, the API of Ops Manager and Cloud Manager, does not take: told before anything is sent. */
import type { Sentence } from '../api/atlas-api.ts';
import type { AtlasCredentials } from './credentials.ts';
import { AtlasError } from './errors.ts';
import type { ApiAddress, ClusterRef } from './urls.ts';

/** Whether a request can be asked at all; the error says why not. */
export function unsupportedError(
  address: ApiAddress,
  { clusterName }: ClusterRef,
  { kind }: AtlasCredentials,
): AtlasError | undefined {
  if (address.api !== 'public/v1.0') return undefined;
  if (!isClusterId(clusterName)) {
    const sentence: Sentence = (server) => `${server} was not asked: it knows clusters by their ids, and this is none`;
    return new AtlasError('ATLAS_CLUSTER_ID_REQUIRED', sentence);
  }
  if (kind === 'apiKey' || hasServiceAccounts(address)) return undefined;
  return new AtlasError('ATLAS_NO_SERVICE_ACCOUNTS', 'Ops Manager was not asked: it has no service accounts');
}

export const isClusterId = (text: string): boolean => /^[a-f0-9]{24}$/.test(text);

/** Cloud Manager has service accounts, at its own address; every other `public/v1.0` is that of an Ops Manager. */
export const hasServiceAccounts = ({ api, baseUrl }: ApiAddress): boolean =>
  api !== 'public/v1.0' || baseUrl === 'https://cloud.mongodb.com';
