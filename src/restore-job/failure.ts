/** What made a reconcile fail, as facts: what status.failure shows of them, and when two failures are the same. */
import type { ApiError } from '../api/api-error.ts';
import { type AtlasApi, type Sentence, sentenceFor } from '../api/atlas-api.ts';
import { conditionOf, type Status } from '../api/legacy-restore-job.ts';
import { printableBytes } from '../api/printable.ts';
import { type AtlasFailure, reasonOfAtlasFailure } from './atlas-failures.ts';
import type { FailureReason } from './reasons.ts';

export type Failure =
  | {
      readonly origin: 'atlas';
      readonly reason: FailureReason;
      /** The error as Atlas described it; undefined where it did not. */
      readonly apiError: ApiError | undefined;
      /** The Atlas client's own code of the error. */
      readonly code?: string;
      /** What happened, without anything that changes from one try to the next. */
      readonly detail: Sentence;
    }
  | {
      /** A request to the API server that it refused. */
      readonly origin: 'kubernetes';
      readonly reason: FailureReason;
      readonly verb: 'read' | 'write';
      /** Kind and name, such as `Secret payments/atlas-key`. */
      readonly object: string;
      /** The authorizer refused it: a role is missing. */
      readonly isForbidden: boolean;
      /** HTTP status code; 0 when no response came. */
      readonly code: number;
      /** Status.reason and Status.message of the response. */
      readonly statusReason: string;
      readonly statusMessage: string;
    }
  | {
      /** Something that was read and cannot be used, or an error of the operator itself. */
      readonly origin: 'content';
      readonly reason: FailureReason;
      readonly detail: string;
    };

/** The failure that a failed request to Atlas is. */
export const failureOfAtlas = (
  error: AtlasFailure & { readonly code: string; readonly sentence: Sentence },
): Failure => ({
  origin: 'atlas',
  reason: reasonOfAtlasFailure(error),
  apiError: error.apiError,
  code: error.code,
  detail: error.sentence,
});

/** What status.failure shows: bounded and printable, whatever came. `api`: which one was asked. */
export function statusFailureOf(failure: Failure, api: AtlasApi): ApiError {
  switch (failure.origin) {
    case 'atlas':
      return failure.apiError === undefined
        ? { detail: bounded(sentenceFor(api, failure.detail)) }
        : boundedApiError(failure.apiError);
    case 'kubernetes':
      return {
        ...(failure.code === 0 ? {} : { error: failure.code }),
        ...(failure.statusReason === '' ? {} : { errorCode: bounded(failure.statusReason) }),
        detail: bounded(failure.statusMessage === '' ? 'no response from the API server' : failure.statusMessage),
      };
    case 'content':
      return { detail: bounded(failure.detail) };
  }
}

/**
 * Whether a status already tells of this failure: with a response its `error` and `errorCode` identify it, without one
 * its detail. A CustomResourceDefinition without `failure` leaves the reason alone to tell failures apart.
 */
export function isSameFailure(
  status: Status,
  reason: FailureReason,
  failure: ApiError,
  failureIsStored: boolean,
): boolean {
  const synced = conditionOf(status, 'Synced');
  if (synced === undefined || synced.status === 'True' || synced.reason !== reason) return false;
  if (!failureIsStored) return true;
  const before = status.failure;
  if (before === undefined || before.error !== failure.error || before.errorCode !== failure.errorCode) return false;
  return failure.error !== undefined || before.detail === failure.detail;
}

const MAX_TEXT_BYTES = 1_024;
const MAX_PARAMETERS = 16;
const MAX_FIELDS = 32;

const bounded = (text: string): string => printableBytes(text, MAX_TEXT_BYTES);

function boundedApiError({ error, errorCode, reason, detail, parameters, badRequestDetail }: ApiError): ApiError {
  const fields = badRequestDetail?.fields?.slice(0, MAX_FIELDS).map(({ field, description }) => ({
    ...(field === undefined ? {} : { field: bounded(field) }),
    ...(description === undefined ? {} : { description: bounded(description) }),
  }));
  return {
    ...(error === undefined ? {} : { error }),
    ...(errorCode === undefined ? {} : { errorCode: bounded(errorCode) }),
    ...(reason === undefined ? {} : { reason: bounded(reason) }),
    ...(detail === undefined ? {} : { detail: bounded(detail) }),
    ...(parameters === undefined ? {} : { parameters: parameters.slice(0, MAX_PARAMETERS).map(bounded) }),
    ...(fields === undefined ? {} : { badRequestDetail: { fields } }),
  };
}
