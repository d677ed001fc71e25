import { type Answer, type AnswerHeaders, jsonAnswer } from './answer.ts';
import {
  type ApiError,
  accessListError,
  apiErrorAnswer,
  cannotAccessGroupError,
  clusterNotFoundError,
  groupNotFoundError,
  invalidGroupIdError,
  invalidJobIdError,
  invalidQueryError,
  jobNotFoundError,
  methodNotAllowedError,
  notInGroupError,
  resourceNotFoundError,
  suspendedError,
  tokenBucketError,
} from './api-error.ts';
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
  const { format, invalid } = formatOf(request.query);
  const fail = (error: ApiError, headers: AnswerHeaders = {}) => apiErrorAnswer(error, headers, format);

  if (access.accessListed === false) return fail(accessListError(request.address));
  if (access.suspended === true) return fail(suspendedError());
  const { route } = request;
  if (route.kind !== 'job' && route.kind !== 'list') return fail(resourceNotFoundError(request.target));
  if (request.method !== 'GET') return fail(methodNotAllowedError(request.method), { Allow: 'GET' });
  const limit = askRateLimit(route.groupId, endpoint);
  if (limit.kind === 'limited') return fail(limit.error, limit.headers);
  const list = readListQuery(request.query);
  const wrong = route.kind === 'list' ? [...invalid, ...list.invalid] : invalid;
  if (wrong.length > 0) return fail(invalidQueryError(wrong));
  const clusterError = checkCluster(route, access, endpoint.jobs);
  if (clusterError !== undefined) return fail(clusterError);
  if (route.kind === 'list') {
    const [path = ''] = request.target.split('?');
    const page = listPage(
      endpoint.jobs.jobBodies(route.groupId, route.clusterName),
      path,
      list.asked,
      endpoint.behavior(),
    );
    // An envelope does not wrap a list: `status` stands beside its members.
    const body = format.envelope ? { ...page, status: 200 } : page;
    return jsonAnswer(200, body, limit.headers, { ...format, envelope: false });
  }
  const found = findJob(route, endpoint.jobs);
  if (found.kind === 'error') return fail(found.error);
  return jsonAnswer(200, found.body, limit.headers, format);
}

type JobRoute = Extract<Route, { kind: 'job' }>;
type Found = { readonly kind: 'job'; readonly body: JsonObject } | { readonly kind: 'error'; readonly error: ApiError };

function checkCluster(
  { groupId, clusterName }: Pick<JobRoute, 'groupId' | 'clusterName'>,
  access: Access,
  jobs: Jobs,
): ApiError | undefined {
  const groupError = checkGroup(groupId, access, jobs);
  if (groupError !== undefined) return groupError;
  return jobs.hasCluster(groupId, clusterName) ? undefined : clusterNotFoundError(clusterName, groupId);
}

function findJob(route: JobRoute, jobs: Jobs): Found {
  if (!isObjectId(route.jobId)) return { kind: 'error', error: invalidJobIdError(route.jobId) };
  const body = jobs.jobBody(route);
  if (body === undefined) return { kind: 'error', error: jobNotFoundError(route.jobId, route.clusterName) };
  return { kind: 'job', body };
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

function askRateLimit(groupId: string, { behavior, takeToken }: JobEndpoint): RateLimitVerdict {
  const bucket = behavior().rateLimit;
  if (bucket === 'off') return { kind: 'allowed', headers: {} };
  const result = takeToken(groupId, bucket);
  const limit = { 'RateLimit-Limit': String(bucket.capacity) };
  if (result.kind === 'allowed') {
    return { kind: 'allowed', headers: { ...limit, 'RateLimit-Remaining': String(result.remaining) } };
  }
  const seconds = result.retryAfterSeconds;
  const headers = { ...limit, 'RateLimit-Remaining': '0', 'Retry-After': String(seconds) };
  return { kind: 'limited', error: tokenBucketError('api/atlas/v1.0/groups', seconds, bucket), headers };
}
