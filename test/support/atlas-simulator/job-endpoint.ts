import { type Answer, type AnswerHeaders, jsonAnswer } from './answer.ts';
import {
  type ApiError,
  accessListError,
  apiErrorAnswer,
  cannotAccessGroupError,
  clusterNotFoundError,
  groupNotFoundError,
  invalidClusterIdError,
  invalidGroupIdError,
  invalidJobIdError,
  invalidQueryError,
  invalidVersionError,
  jobNotFoundError,
  methodNotAllowedError,
  notInGroupError,
  resourceNotFoundError,
  suspendedError,
  tokenBucketError,
} from './api-error.ts';
import { APIS } from './apis.ts';
import { type AtlasRequest, formatOf, type Route } from './atlas-request.ts';
import type { Behavior } from './behavior.ts';
import type { Access } from './credentials.ts';
import type { Jobs } from './jobs.ts';
import type { JsonObject } from './json.ts';
import { listPage, readListQuery } from './list-page.ts';
import type { TakeToken } from './rate-limit.ts';

/** What the endpoint looks things up in. */
export interface JobEndpoint {
  readonly jobs: Jobs;
  readonly behavior: () => Behavior;
  readonly takeToken: TakeToken;
}

/** Answers an authenticated request to the API: the job, a page of the cluster's jobs, or the first error in the order in which Atlas checks. */
export function answerJobRequest(request: AtlasRequest, access: Access, endpoint: JobEndpoint): Answer {
  const { format } = formatOf(request);
  const fail = (error: ApiError, headers: AnswerHeaders = {}) => apiErrorAnswer(error, headers, format);

  if (access.accessListed === false) return fail(accessListError(request.address));
  if (access.suspended === true) return fail(suspendedError());
  const { route } = request;
  if (route.kind !== 'job' && route.kind !== 'list') return fail(resourceNotFoundError(request.target));
  if (request.method !== 'GET') return fail(methodNotAllowedError(request.method), { Allow: 'GET' });
  const limit = askRateLimit(route, endpoint);
  if (limit.kind === 'limited') return fail(limit.error, limit.headers);
  const { contentType } = APIS[route.api];
  const found = find(request, route, access, endpoint);
  if (found.kind === 'error') return fail(found.error, limit.headers);
  // An envelope does not wrap a list: `status` stands beside its members.
  const isBare = route.kind === 'list';
  const body = isBare && format.envelope !== 'none' ? { ...found.body, status: 200 } : found.body;
  const headers = { 'Content-Type': contentType, ...limit.headers };
  return jsonAnswer(200, body, headers, isBare ? { ...format, envelope: 'none' } : format);
}

type JobRoute = Extract<Route, { kind: 'job' }>;
type ListRoute = Extract<Route, { kind: 'list' }>;
type Found =
  | { readonly kind: 'found'; readonly body: JsonObject }
  | { readonly kind: 'error'; readonly error: ApiError };

function find(request: AtlasRequest, route: JobRoute | ListRoute, access: Access, endpoint: JobEndpoint): Found {
  const { jobs } = endpoint;
  if (!APIS[route.api].accepts(request.accept)) return { kind: 'error', error: invalidVersionError() };
  const list = readListQuery(request.query);
  const wrong = [...formatOf(request).invalid, ...(route.kind === 'list' ? list.invalid : [])];
  if (wrong.length > 0) return { kind: 'error', error: invalidQueryError(wrong) };
  const clusterError = checkCluster(route, access, jobs);
  if (clusterError !== undefined) return { kind: 'error', error: clusterError };
  if (route.kind === 'job') return findJob(route, jobs);
  const { api, groupId, clusterName } = route;
  const all = jobs.jobBodies(groupId, clusterName).map(APIS[api].present);
  const [path = ''] = request.target.split('?');
  return { kind: 'found', body: listPage(all, path, list.asked, endpoint.behavior()) };
}

function checkCluster(
  { api, groupId, clusterName }: JobRoute | ListRoute,
  access: Access,
  jobs: Jobs,
): ApiError | undefined {
  const groupError = checkGroup(groupId, access, jobs);
  if (groupError !== undefined) return groupError;
  if (APIS[api].clustersBy === 'id' && !isObjectId(clusterName)) return invalidClusterIdError(clusterName);
  return jobs.hasCluster(groupId, clusterName) ? undefined : clusterNotFoundError(clusterName, groupId);
}

function findJob(route: JobRoute, jobs: Jobs): Found {
  if (!isObjectId(route.jobId)) return { kind: 'error', error: invalidJobIdError(route.jobId) };
  const body = jobs.jobBody(route);
  if (body === undefined) return { kind: 'error', error: jobNotFoundError(route.jobId, route.clusterName) };
  return { kind: 'found', body: APIS[route.api].present(body) };
}

function checkGroup(groupId: string, access: Access, jobs: Jobs): ApiError | undefined {
  if (!isObjectId(groupId)) return invalidGroupIdError(groupId);
  if (access.groupIds?.includes(groupId) === false) {
    // Both codes are documented for 401; the text of NOT_IN_GROUP covers the project that does not exist.
    return jobs.hasGroup(groupId) ? cannotAccessGroupError() : notInGroupError();
  }
  return jobs.hasGroup(groupId) ? undefined : groupNotFoundError(groupId);
}

// Lower-case hex only: upper case is refused, as the pattern of the API's schema says.
function isObjectId(text: string): boolean {
  return /^[a-f0-9]{24}$/.test(text);
}

type RateLimitVerdict =
  | { readonly kind: 'allowed'; readonly headers: AnswerHeaders }
  | { readonly kind: 'limited'; readonly error: ApiError; readonly headers: AnswerHeaders };

function askRateLimit({ api, groupId }: JobRoute | ListRoute, { behavior, takeToken }: JobEndpoint): RateLimitVerdict {
  const { rateLimit } = behavior();
  const bucket = rateLimit === 'documented' ? APIS[api].bucket : rateLimit;
  if (bucket === undefined) return { kind: 'allowed', headers: {} };
  const result = takeToken(groupId, bucket);
  const limit = { 'RateLimit-Limit': String(bucket.capacity) };
  if (result.kind === 'allowed') {
    return { kind: 'allowed', headers: { ...limit, 'RateLimit-Remaining': String(result.remaining) } };
  }
  const seconds = result.retryAfterSeconds;
  const headers = { ...limit, 'RateLimit-Remaining': '0', 'Retry-After': String(seconds) };
  return { kind: 'limited', error: tokenBucketError(`api/${api}/groups`, seconds, bucket), headers };
}
