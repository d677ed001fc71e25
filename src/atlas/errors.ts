/** Every way in which a request to Atlas can fail, as one error class with stable codes in one table. */
import type { ApiError, AtlasErrorKind } from '../api/api-error.ts';
import { type Sentence, sentenceFor } from '../api/atlas-api.ts';
import { printable } from '../api/printable.ts';

/** The codes of AtlasError, each with its kind. */
const KINDS = {
  /** Atlas answered 4xx. */
  ATLAS_REFUSED: 'refused',
  /** Atlas answered 429. */
  ATLAS_RATE_LIMITED: 'rateLimited',
  /** Atlas answered 5xx, 408 or 425. */
  ATLAS_SERVER_ERROR: 'unavailable',
  /** No complete response within the deadline. */
  ATLAS_TIMEOUT: 'unavailable',
  /** Not resolved, refused, reset, or no TLS. */
  ATLAS_UNREACHABLE: 'unavailable',
  /** The proxy on the way did not let the connection through. */
  ATLAS_PROXY_REFUSED: 'unavailable',
  /** A status below 400 that is not 200, such as a redirect. */
  ATLAS_UNEXPECTED_STATUS: 'invalidResponse',
  /** 200, but not with a restore job. */
  ATLAS_NOT_A_RESTORE_JOB: 'invalidResponse',
  /** 200, but not with a list of restore jobs. */
  ATLAS_NOT_A_LIST: 'invalidResponse',
  /** A list whose pages do not end. */
  ATLAS_LIST_ENDLESS: 'invalidResponse',
  /** 200 of the token endpoint, but not with a token. */
  ATLAS_NOT_A_TOKEN: 'invalidResponse',
  ATLAS_RESPONSE_TOO_LARGE: 'invalidResponse',
  ATLAS_RESPONSE_NOT_UTF8: 'invalidResponse',
  /** A body in an encoding that nobody asked for, such as gzip. */
  ATLAS_RESPONSE_ENCODED: 'invalidResponse',
  /** Clusters have ids there, and the name of this one is none. */
  ATLAS_CLUSTER_ID_REQUIRED: 'unsupported',
  /** There are no service accounts there. */
  ATLAS_NO_SERVICE_ACCOUNTS: 'unsupported',
  /** Atlas asks for an HTTP Digest with a hash that this Node.js does not compute, as MD5 in FIPS mode. */
  ATLAS_HASH_UNAVAILABLE: 'unsupported',
} as const satisfies Readonly<Record<string, AtlasErrorKind>>;
export type AtlasErrorCode = keyof typeof KINDS;

interface AtlasErrorFields {
  readonly httpStatus?: number | undefined;
  readonly apiError?: ApiError | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/**
 * A request to Atlas that did not bring what was asked for. The message says what happened, without a remedy, without
 * anything that changes from one try to the next, and never with a secret.
 */
export class AtlasError extends Error {
  override readonly name = 'AtlasError';
  readonly code: AtlasErrorCode;
  readonly kind: AtlasErrorKind;
  /** The message, for whichever API was asked. */
  readonly sentence: Sentence;
  /** HTTP status code of the response; undefined when there was none. */
  readonly httpStatus: number | undefined;
  /** The error as Atlas described it; undefined when the response had no description of Atlas's form. */
  readonly apiError: ApiError | undefined;
  /** Milliseconds that Atlas asked to wait, at most an hour; undefined when it did not. */
  readonly retryAfterMs: number | undefined;

  constructor(code: AtlasErrorCode, sentence: Sentence, fields: AtlasErrorFields = {}) {
    super(sentenceFor('atlas/v1.0', sentence), { cause: fields.cause });
    this.sentence = sentence;
    this.code = code;
    this.kind = KINDS[code];
    this.httpStatus = fields.httpStatus;
    this.apiError = fields.apiError;
    this.retryAfterMs = obeyed(fields.retryAfterMs);
  }
}

const LONGEST_WAIT_MS = 3_600_000;

/** No time at all, or a date that has passed by our clock, is as good as none: requests would follow without a pause. */
function obeyed(retryAfterMs: number | undefined): number | undefined {
  if (retryAfterMs === undefined || !(retryAfterMs > 0)) return undefined;
  return Math.min(retryAfterMs, LONGEST_WAIT_MS);
}

/**
 * Whether the budget pauses for it: a 429 always means to wait, an outage only when it says for how long. A refusal or a
 * redirect can have a Retry-After, too, but is about its own request.
 */
export const asksToWait = ({ kind, retryAfterMs }: AtlasError): boolean =>
  kind === 'rateLimited' || (kind === 'unavailable' && retryAfterMs !== undefined);

/** The error of a response that says that the request failed. */
export function errorFromResponse(
  httpStatus: number,
  apiError: ApiError | undefined,
  retryAfterMs: number | undefined,
): AtlasError {
  const errorCode = printable(apiError?.errorCode ?? '', 64);
  const sentence = (server: string): string => `${server} answered ${httpStatus} ${errorCode}`.trimEnd();
  return new AtlasError(codeOfStatus(httpStatus), sentence, { httpStatus, apiError, retryAfterMs });
}

function codeOfStatus(httpStatus: number): AtlasErrorCode {
  if (httpStatus === 429) return 'ATLAS_RATE_LIMITED';
  // An error code that Atlas documents for a 4xx must not make an outage permanent: the status decides first.
  if (httpStatus >= 500 || httpStatus === 408 || httpStatus === 425) return 'ATLAS_SERVER_ERROR';
  return httpStatus >= 400 ? 'ATLAS_REFUSED' : 'ATLAS_UNEXPECTED_STATUS';
}
