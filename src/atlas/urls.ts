/** The URLs of what is asked of Atlas. */
import type { AtlasApi } from '../api/atlas-api.ts';
import { ITEMS_PER_PAGE } from './list.ts';

/** What names a cluster at Atlas. */
export interface ClusterRef {
  readonly groupId: string;
  /** With `public/v1.0` the id of the cluster. */
  readonly clusterName: string;
}

/** What names a restore job at Atlas. */
export interface RestoreJobRef extends ClusterRef {
  readonly jobId: string;
}

/** The restore jobs of a cluster, or those of one sharded restore. */
export interface RestoreJobListRef extends ClusterRef {
  readonly batchId?: string | undefined;
}

/** What a request asks for. */
export type Endpoint = 'restoreJob' | 'restoreJobs' | 'token' | 'revoke';

/** Which API is asked, and where. */
export interface ApiAddress {
  /** Without a trailing slash. */
  readonly baseUrl: string;
  readonly api: AtlasApi;
}

interface UrlOptions extends ApiAddress {
  readonly envelope: boolean;
  readonly pretty: boolean;
}

export function restoreJobUrl(options: UrlOptions, ref: RestoreJobRef): string {
  const url = new URL(`${restoreJobsPath(options, ref)}/${pathSegment(ref.jobId)}`);
  if (options.envelope) url.searchParams.set('envelope', 'true');
  if (options.pretty) url.searchParams.set('pretty', 'true');
  return url.href;
}

/** Without an envelope, whatever the settings say: it does not wrap lists as it wraps single jobs. */
export function restoreJobsUrl(address: ApiAddress, ref: RestoreJobListRef, pageNum: number): string {
  const url = new URL(restoreJobsPath(address, ref));
  url.searchParams.set('pageNum', String(pageNum));
  url.searchParams.set('itemsPerPage', String(ITEMS_PER_PAGE));
  if (ref.batchId !== undefined) url.searchParams.set('batchId', ref.batchId);
  return url.href;
}

export function endpointOf(url: string): Endpoint {
  const { pathname } = new URL(url);
  if (pathname.endsWith('/api/oauth/token')) return 'token';
  if (pathname.endsWith('/api/oauth/revoke')) return 'revoke';
  return pathname.endsWith('/restoreJobs') ? 'restoreJobs' : 'restoreJob';
}

function restoreJobsPath({ baseUrl, api }: ApiAddress, { groupId, clusterName }: ClusterRef): string {
  const segments = ['groups', groupId, 'clusters', clusterName, 'restoreJobs'];
  return `${baseUrl}/api/${api}/${segments.map(pathSegment).join('/')}`;
}

/** `.` and `..` leave their segment whatever their encoding; encoded twice they are a name that nothing at Atlas has. */
const pathSegment = (text: string): string =>
  encodeURIComponent(/^\.\.?$/.test(text) ? text.replaceAll('.', '%2E') : text);
