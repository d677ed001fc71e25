/** Which reason a failed request to Atlas leads to, as the table of reasons says. */
import type { ApiError, AtlasErrorKind } from '../api/api-error.ts';
import { type AtlasErrorCode, entryOf, type FailureReason, failureReasons } from './reasons.ts';

/** A failed request to Atlas, reduced to what tells its reason. */
export interface AtlasFailure {
  readonly kind: AtlasErrorKind;
  /** The Atlas client's own code. */
  readonly code?: string;
  /** HTTP status code of the response; undefined where there was none. */
  readonly httpStatus?: number | undefined;
  /** The error as Atlas described it; undefined where it did not. */
  readonly apiError?: ApiError | undefined;
}

/** The reason that a failed request to Atlas leads to: by its error code, else by its HTTP status code. */
export function reasonOfAtlasFailure({ kind, code = '', httpStatus = 0, apiError }: AtlasFailure): FailureReason {
  switch (kind) {
    case 'rateLimited':
      return 'RateLimited';
    case 'unavailable':
      return 'AtlasUnavailable';
    case 'invalidResponse':
      return 'InvalidResponse';
    case 'unsupported':
      return BY_UNSUPPORTED_CODE.get(code) ?? 'Unauthorized';
    case 'refused':
      return BY_ERROR_CODE.get(apiError?.errorCode ?? '') ?? BY_HTTP_STATUS.get(httpStatus) ?? 'BadRequest';
  }
}

/** Every error code of the table with the reason that it leads to, by HTTP status code. */
export const atlasErrorCodes = (): ReadonlyArray<AtlasErrorCode & { readonly reason: FailureReason }> =>
  failureReasons()
    .flatMap((reason) => (entryOf(reason).errorCodes ?? []).map((errorCode) => ({ ...errorCode, reason })))
    .sort((a, b) => a.httpStatus - b.httpStatus);

/**
 * UNEXPECTED_ERROR is not in the table: Atlas sends it with 401 and with 500, so it says nothing and the HTTP status code
 * decides, as for every code that nobody knows.
 */
const BY_ERROR_CODE: ReadonlyMap<string, FailureReason> = new Map(
  failureReasons().flatMap((reason) =>
    (entryOf(reason).errorCodes ?? []).map(({ errorCode }) => [errorCode, reason] as const),
  ),
);
const BY_UNSUPPORTED_CODE: ReadonlyMap<string, FailureReason> = new Map(
  failureReasons().flatMap((reason) =>
    (entryOf(reason).unsupported ?? []).map((unsupported) => [unsupported.code, reason] as const),
  ),
);
const BY_HTTP_STATUS: ReadonlyMap<number, FailureReason> = new Map(
  failureReasons().flatMap((reason) =>
    (entryOf(reason).httpStatuses ?? []).map((httpStatus) => [httpStatus, reason] as const),
  ),
);
