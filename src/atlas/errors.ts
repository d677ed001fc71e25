/** Every way in which a request to Atlas can fail, as one error class, and the table of Atlas's error codes. */
import { REASONS, type SyncedReason } from '../api/reasons.ts';

/**
 * permanent: the same request will fail until a person changes something.
 * transient: the same request may succeed later.
 * rateLimited: it will be answered after a wait; `retryAfterMs` says how long where Atlas said so.
 */
export type AtlasErrorKind = 'permanent' | 'transient' | 'rateLimited';

interface AtlasErrorFields {
  readonly kind: AtlasErrorKind;
  readonly reason: SyncedReason;
  readonly httpStatus?: number | undefined;
  readonly errorCode?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** A request to Atlas that did not bring a restore job. The message is for people: cause and remedy, never a secret. */
export class AtlasError extends Error {
  override readonly name = 'AtlasError';
  readonly kind: AtlasErrorKind;
  readonly reason: SyncedReason;
  /** HTTP status of the answer; undefined when there was none. */
  readonly httpStatus: number | undefined;
  /** Atlas's errorCode; undefined when the answer had none. */
  readonly errorCode: string | undefined;
  /** Milliseconds that Atlas asked to wait; undefined when it did not. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, fields: AtlasErrorFields) {
    super(message, { cause: fields.cause });
    this.kind = fields.kind;
    this.reason = fields.reason;
    this.httpStatus = fields.httpStatus;
    this.errorCode = fields.errorCode;
    this.retryAfterMs = fields.retryAfterMs;
  }
}

/** What is known of an answer that is not a restore job. */
export interface ErrorAnswer {
  readonly httpStatus: number;
  readonly errorCode: string | undefined;
  /** Atlas's own words. */
  readonly detail: string | undefined;
  readonly retryAfterMs: number | undefined;
}

/** The typed error of an answer: by errorCode, else by the class of the HTTP status. */
export function errorFromAnswer(answer: ErrorAnswer): AtlasError {
  const { kind, reason } = classify(answer.httpStatus, answer.errorCode);
  // One word, whatever a gateway writes: messages are compared by it.
  const code = printable(answer.errorCode ?? '', 64).replace(/\W+/g, '_');
  const detail = printable(answer.detail ?? '', 300);
  const said = [`Atlas answered ${answer.httpStatus}`, code, detail === '' ? '' : `(${detail})`].filter(
    (part) => part !== '',
  );
  return new AtlasError(sentence(said.join(' '), reason), {
    kind,
    reason,
    httpStatus: answer.httpStatus,
    errorCode: code === '' ? undefined : code,
    retryAfterMs: answer.retryAfterMs,
  });
}

/** The answer came but is not one that Atlas gives: HTML, cut off, too large, a redirect. */
export function invalidResponse(what: string, fields: { httpStatus?: number; cause?: unknown } = {}): AtlasError {
  return new AtlasError(sentence(what, 'InvalidResponse'), { kind: 'transient', reason: 'InvalidResponse', ...fields });
}

/** No answer came: refused, reset, not resolved, or not within the deadline. */
export function unavailable(what: string, cause?: unknown): AtlasError {
  return new AtlasError(sentence(what, 'AtlasUnavailable'), { kind: 'transient', reason: 'AtlasUnavailable', cause });
}

/** Text from outside, made safe for a one-line message: control characters become spaces, the length is bounded. */
export function printable(text: string, maxLength: number): string {
  const clean = text
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')
    .trim();
  return clean.length <= maxLength ? clean : `${clean.slice(0, maxLength - 1).toWellFormed()}…`;
}

const sentence = (what: string, reason: SyncedReason): string =>
  `${what.replace(/\.$/, '')}. ${REASONS[reason].remedy}`.trim();

interface Classification {
  readonly kind: AtlasErrorKind;
  readonly reason: SyncedReason;
}

const permanent = (reason: SyncedReason): Classification => ({ kind: 'permanent', reason });
const transient = (reason: SyncedReason): Classification => ({ kind: 'transient', reason });

/** Source: the error table of Atlas's documentation; the older names are still sent by older deployments. */
const BY_CODE: Readonly<Record<string, Classification>> = {
  BACKUP_JOB_NOT_FOUND: permanent('BackupNotEnabled'),
  BACKUP_CONFIG_NOT_FOUND: permanent('BackupNotEnabled'),
  USER_UNAUTHORIZED: permanent('Unauthorized'),
  NOT_IN_GROUP: permanent('Unauthorized'),
  USER_CANNOT_ACCESS_GROUP: permanent('Unauthorized'),
  NO_CURRENT_USER: permanent('Unauthorized'),
  ACCOUNT_SUSPENDED: permanent('PaymentRequired'),
  IP_ADDRESS_NOT_ON_ACCESS_LIST: permanent('AccessListDenied'),
  IP_ADDRESS_NOT_ON_WHITELIST: permanent('AccessListDenied'),
  ORG_REQUIRES_ACCESS_LIST: permanent('AccessListDenied'),
  ORG_REQUIRES_WHITELIST: permanent('AccessListDenied'),
  RESOURCE_REQUIRES_WHITELIST: permanent('AccessListDenied'),
  INVALID_GROUP_ID: permanent('GroupNotFound'),
  GROUP_NOT_FOUND: permanent('GroupNotFound'),
  NOT_ATLAS_GROUP: permanent('GroupNotFound'),
  INVALID_ATLAS_GROUP: permanent('GroupNotFound'),
  INVALID_CLUSTER_ID: permanent('ClusterNotFound'),
  CLUSTER_NOT_FOUND: permanent('ClusterNotFound'),
  CLUSTER_NAME_NOT_FOUND: permanent('ClusterNotFound'),
  INVALID_JOB_ID: permanent('JobNotFound'),
  RESTORE_JOB_NOT_FOUND: permanent('JobNotFound'),
  RESTORE_JOB_NOT_FOUND_IN_GROUP: permanent('JobNotFound'),
  CONFIG_RESTORE_JOB_NOT_FOUND: permanent('JobNotFound'),
  VERSION_GONE: permanent('VersionGone'),
};

/** UNEXPECTED_ERROR stands in both a 401 and a 500: it says nothing, the HTTP status decides. */
const BY_STATUS: Readonly<Record<number, Classification>> = {
  401: permanent('Unauthorized'),
  402: permanent('PaymentRequired'),
  403: permanent('Forbidden'),
  404: permanent('JobNotFound'),
  408: transient('AtlasUnavailable'),
  410: permanent('VersionGone'),
  425: transient('AtlasUnavailable'),
  429: { kind: 'rateLimited', reason: 'RateLimited' },
};

function classify(httpStatus: number, errorCode: string | undefined): Classification {
  // A code that Atlas documents for a 4xx must not make an outage permanent.
  if (httpStatus >= 500) return transient('AtlasUnavailable');
  if (httpStatus === 429) return { kind: 'rateLimited', reason: 'RateLimited' };
  const byCode = errorCode !== undefined && Object.hasOwn(BY_CODE, errorCode) ? BY_CODE[errorCode] : undefined;
  return (
    byCode ?? BY_STATUS[httpStatus] ?? (httpStatus >= 400 ? permanent('BadRequest') : transient('InvalidResponse'))
  );
}
