import { STATUS_CODES } from 'node:http';
import { type Answer, type AnswerFormat, type AnswerHeaders, jsonAnswer, PLAIN } from './answer.ts';
import type { JsonObject, JsonValue } from './json.ts';

/**
 * An error of the Atlas Administration API. The recorded bodies are kept verbatim; the texts of the others are those of the
 * published list of error codes.
 */
export interface ApiError extends JsonObject {
  /** The HTTP status code. */
  readonly error: number;
  readonly errorCode: string;
}

/** The recorded answer to missing or wrong credentials. Its errorCode is UNEXPECTED_ERROR though nothing unexpected happened. */
export const UNAUTHORIZED: ApiError = {
  error: 401,
  reason: 'Unauthorized',
  detail: 'You are not authorized for this resource.',
  errorCode: 'UNEXPECTED_ERROR',
};

/** Builds an ApiError with the members and their order of the recorded ones. */
export function apiError(
  status: number,
  errorCode: string,
  detail: string,
  parameters: readonly JsonValue[] = [],
): ApiError {
  return { detail, error: status, errorCode, parameters, reason: STATUS_CODES[status] ?? 'Unknown' };
}

/** An ApiError as an HTTP answer; `X-Error-Code` repeats the code, as on Atlas. */
export function apiErrorAnswer(error: ApiError, headers: AnswerHeaders = {}, format: AnswerFormat = PLAIN): Answer {
  return jsonAnswer(error.error, error, { 'X-Error-Code': error.errorCode, ...headers }, format);
}

export function accessListError(address: string): ApiError {
  const detail = `IP address ${address} is not allowed to access this resource.`;
  return apiError(403, 'IP_ADDRESS_NOT_ON_ACCESS_LIST', detail, [address]);
}

export function suspendedError(): ApiError {
  return apiError(402, 'ACCOUNT_SUSPENDED', 'Organization has an unpaid invoice that is more than 30 days old.');
}

/** A query parameter that the API's schema does not allow. */
export interface InvalidParameter extends JsonObject {
  readonly field: string;
  readonly description: string;
}

export function invalidQueryError(fields: readonly InvalidParameter[]): ApiError {
  const names = fields.map(({ field }) => field).join(', ');
  return {
    ...apiError(400, 'VALIDATION_ERROR', `Invalid query parameter: ${names}.`),
    badRequestDetail: { fields },
  };
}

export function invalidGroupIdError(groupId: string): ApiError {
  return apiError(404, 'INVALID_GROUP_ID', `An invalid group ID ${groupId} was specified.`, [groupId]);
}

export function groupNotFoundError(groupId: string): ApiError {
  return apiError(404, 'GROUP_NOT_FOUND', `No group with ID ${groupId} exists.`, [groupId]);
}

export function notInGroupError(): ApiError {
  return apiError(401, 'NOT_IN_GROUP', 'The current user is not in the group, or the group does not exist.');
}

export function cannotAccessGroupError(): ApiError {
  return apiError(401, 'USER_CANNOT_ACCESS_GROUP', 'User cannot access this group.');
}

export function clusterNotFoundError(clusterName: string, groupId: string): ApiError {
  const detail = `No cluster named ${clusterName} exists in group ${groupId}.`;
  return apiError(404, 'CLUSTER_NOT_FOUND', detail, [clusterName, groupId]);
}

export function invalidClusterIdError(clusterId: string): ApiError {
  return apiError(404, 'INVALID_CLUSTER_ID', `An invalid cluster ID ${clusterId} was specified.`, [clusterId]);
}

export function invalidJobIdError(jobId: string): ApiError {
  return apiError(404, 'INVALID_JOB_ID', `An invalid restore job ID ${jobId} was specified.`, [jobId]);
}

export function jobNotFoundError(jobId: string, clusterName: string): ApiError {
  const detail = `No restore job with ID ${jobId} exists for cluster ${clusterName}.`;
  return apiError(404, 'RESTORE_JOB_NOT_FOUND', detail, [jobId, clusterName]);
}

export function resourceNotFoundError(target: string): ApiError {
  return apiError(404, 'RESOURCE_NOT_FOUND', `Cannot find resource ${target}.`, [target]);
}

export function methodNotAllowedError(method: string): ApiError {
  return apiError(405, 'METHOD_NOT_ALLOWED', `Method ${method} is not allowed on this resource.`, [method]);
}

export function invalidVersionError(): ApiError {
  return apiError(406, 'INVALID_VERSION_DATE', 'Invalid accept header or version date.');
}

/** The token endpoint's refusal: an ApiError, although its other errors have the OAuth shape. */
export function tokenRateLimitError(seconds: number): ApiError {
  return apiError(429, 'RATE_LIMITED', `Too many requests. Please retry after ${seconds} seconds.`, [seconds]);
}

/** The recorded refusal of a token bucket; parameters: resource, seconds to wait, capacity, refill, period in seconds. */
export function tokenBucketError(
  resource: string,
  seconds: number,
  bucket: { readonly capacity: number; readonly refill: number; readonly periodSeconds: number },
): ApiError {
  return apiError(
    429,
    'RATE_LIMITED_TOKEN_BUCKET',
    `Rate limit exceeded for ${resource}. Please retry after ${seconds} seconds.`,
    [resource, seconds, bucket.capacity, bucket.refill, bucket.periodSeconds],
  );
}

/** A failure of the simulator itself; a test that sees this status unasked has found a bug in it. */
export function internalError(): ApiError {
  return apiError(500, 'UNEXPECTED_ERROR', 'Unexpected error.');
}
