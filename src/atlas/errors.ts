/** Every way in which a request to Atlas can fail, as one error class, and the table of Atlas's error codes. */
import { printable } from '../api/printable.ts';
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
  const { kind, reason, remedy } = classify(answer.httpStatus, answer.errorCode);
  // One word, whatever a gateway writes: messages are compared by it.
  const code = printable(answer.errorCode ?? '', 64).replace(/\W+/g, '_');
  const detail = printable(answer.detail ?? '', 300);
  const said = [`Atlas answered ${answer.httpStatus}`, code, detail === '' ? '' : `(${detail})`].filter(
    (part) => part !== '',
  );
  return new AtlasError(sentence(said.join(' '), reason, remedy), {
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

const sentence = (what: string, reason: SyncedReason, remedy: string = REASONS[reason].remedy): string =>
  `${what.replace(/\.$/, '')}. ${remedy}`.trim();

interface Classification {
  readonly kind: AtlasErrorKind;
  readonly reason: SyncedReason;
  readonly remedy?: string;
}

const permanent = (reason: SyncedReason): Classification => ({ kind: 'permanent', reason });
const transient = (reason: SyncedReason): Classification => ({ kind: 'transient', reason });

/** One error code that Atlas documents for this endpoint or for its API at large. */
export interface ErrorCodeEntry {
  readonly errorCode: string;
  /** The HTTP status that it comes with. */
  readonly httpStatus: number;
  readonly kind: AtlasErrorKind;
  readonly reason: SyncedReason;
  /** What a person does about it, where the remedy of the reason is not exact enough. */
  readonly remedy?: string;
}

const ACCESS_LIST_REQUIRED =
  "The organisation demands an access list: give the API key or service account one that holds the cluster's egress address.";
const NOT_ON_ACCESS_LIST =
  "Add the cluster's egress address to the access list of the API key or service account in Atlas, or use a credential without one.";
const NO_LEGACY_BACKUP =
  "The project's plan or the cluster's configuration has no legacy backups; check spec.clusterName.";
const NOT_IN_PROJECT =
  'Give the API key or service account the role Project Read Only on the project, or check spec.groupId.';

const row = (
  httpStatus: number,
  errorCode: string,
  reason: SyncedReason,
  remedy?: string,
  kind: AtlasErrorKind = 'permanent',
): ErrorCodeEntry => ({ httpStatus, errorCode, kind, reason, ...(remedy === undefined ? {} : { remedy }) });

/**
 * All error codes that Atlas documents, with older names that older deployments still send. UNEXPECTED_ERROR is not among
 * them: it stands in both a 401 and a 500 and says nothing, so the HTTP status decides, as for every code nobody knows.
 */
export const ERROR_CODES: readonly ErrorCodeEntry[] = [
  row(400, 'BACKUP_JOB_NOT_FOUND', 'BackupNotEnabled'),
  row(400, 'ATLAS_GENERAL_ERROR', 'BadRequest'),
  row(400, 'VALIDATION_ERROR', 'BadRequest'),
  row(401, 'USER_UNAUTHORIZED', 'Unauthorized'),
  row(401, 'NOT_IN_GROUP', 'Unauthorized', NOT_IN_PROJECT),
  row(401, 'USER_CANNOT_ACCESS_GROUP', 'Unauthorized', NOT_IN_PROJECT),
  row(401, 'NO_CURRENT_USER', 'Unauthorized'),
  row(402, 'ACCOUNT_SUSPENDED', 'PaymentRequired'),
  row(403, 'IP_ADDRESS_NOT_ON_ACCESS_LIST', 'AccessListDenied', NOT_ON_ACCESS_LIST),
  row(403, 'IP_ADDRESS_NOT_ON_WHITELIST', 'AccessListDenied', NOT_ON_ACCESS_LIST),
  row(403, 'ORG_REQUIRES_ACCESS_LIST', 'AccessListDenied', ACCESS_LIST_REQUIRED),
  row(403, 'ORG_REQUIRES_WHITELIST', 'AccessListDenied', ACCESS_LIST_REQUIRED),
  row(403, 'RESOURCE_REQUIRES_WHITELIST', 'AccessListDenied', ACCESS_LIST_REQUIRED),
  row(403, 'ACCESS_FORBIDDEN', 'Forbidden'),
  row(403, 'FEATURE_UNSUPPORTED', 'Forbidden', NO_LEGACY_BACKUP),
  row(403, 'UNSUPPORTED_FOR_CURRENT_PLAN', 'Forbidden', NO_LEGACY_BACKUP),
  row(403, 'UNSUPPORTED_FOR_CURRENT_CONFIG', 'Forbidden', NO_LEGACY_BACKUP),
  // Of the token endpoint; Atlas allows a service account 100 live tokens.
  row(
    403,
    'access_denied',
    'Forbidden',
    'The service account may have too many live tokens: they end within an hour, or when other users of it revoke theirs.',
  ),
  row(404, 'INVALID_GROUP_ID', 'GroupNotFound'),
  row(404, 'GROUP_NOT_FOUND', 'GroupNotFound'),
  row(404, 'NOT_ATLAS_GROUP', 'GroupNotFound'),
  row(404, 'INVALID_ATLAS_GROUP', 'GroupNotFound'),
  row(404, 'INVALID_CLUSTER_ID', 'ClusterNotFound'),
  row(404, 'CLUSTER_NOT_FOUND', 'ClusterNotFound'),
  row(404, 'CLUSTER_NAME_NOT_FOUND', 'ClusterNotFound'),
  row(404, 'INVALID_JOB_ID', 'JobNotFound'),
  row(404, 'RESTORE_JOB_NOT_FOUND', 'JobNotFound'),
  row(404, 'RESTORE_JOB_NOT_FOUND_IN_GROUP', 'JobNotFound'),
  row(404, 'CONFIG_RESTORE_JOB_NOT_FOUND', 'JobNotFound'),
  row(404, 'RESOURCE_NOT_FOUND', 'JobNotFound'),
  row(404, 'BACKUP_CONFIG_NOT_FOUND', 'BackupNotEnabled'),
  row(410, 'VERSION_GONE', 'VersionGone'),
  row(429, 'RATE_LIMITED', 'RateLimited', undefined, 'rateLimited'),
  row(429, 'RATE_LIMITED_TOKEN_BUCKET', 'RateLimited', undefined, 'rateLimited'),
];
const BY_CODE: ReadonlyMap<string, ErrorCodeEntry> = new Map(ERROR_CODES.map((entry) => [entry.errorCode, entry]));

/** The class of an answer without a code that is known. */
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
  return (
    BY_CODE.get(errorCode ?? '') ??
    BY_STATUS[httpStatus] ??
    (httpStatus >= 400 ? permanent('BadRequest') : transient('InvalidResponse'))
  );
}
