/**
 * Reads Atlas's responses leniently: a field that is missing, null, new or of another type never makes a response
 * unusable. What cannot be mirrored is dropped and named.
 */
import * as z from 'zod';
import type { ApiError } from '../api/api-error.ts';
import type { Sentence } from '../api/atlas-api.ts';
import { RestoreJob, type RestoreJobResponse } from '../api/restore-job.ts';
import { parseJson } from '../net/json.ts';
import { AtlasError, errorFromResponse } from './errors.ts';

/** Status keeps this many hashes: etcd takes objects of at most 1.5 MiB. */
export const MAX_HASHES = 2_000;

/** The restore job of a response body, or the error that the response means. */
export function readRestoreJobResponse(
  httpStatus: number,
  body: string,
  retryAfterMs: number | undefined,
): RestoreJobResponse | AtlasError {
  const content = readContent(httpStatus, body, retryAfterMs);
  if (content instanceof AtlasError) return content;
  return (
    readRestoreJob(content) ??
    new AtlasError('ATLAS_NOT_A_RESTORE_JOB', (server) => `${server} answered 200, but not with a restore job`, {
      httpStatus: 200,
    })
  );
}

/** The JSON of a response with 200, or the error that the response means. Envelopes are opened. */
export function readContent(httpStatus: number, body: string, retryAfterMs: number | undefined): unknown {
  const opened = openEnvelope(httpStatus, parseJson(body));
  // An ApiError with 200 comes from gateways that hide the HTTP status.
  if (opened.httpStatus >= 400 || hasErrorStatus(opened.content)) {
    const apiError = readApiError(opened.httpStatus, opened.content);
    const failedStatus = opened.httpStatus >= 400 ? opened.httpStatus : (apiError?.error ?? opened.httpStatus);
    return errorFromResponse(failedStatus, apiError, retryAfterMs ?? tokenBucketWait(apiError));
  }
  if (opened.httpStatus !== 200) {
    const sentence: Sentence = (server) => `${server} answered ${opened.httpStatus} instead of 200`;
    return new AtlasError('ATLAS_UNEXPECTED_STATUS', sentence, { httpStatus: opened.httpStatus });
  }
  return opened.content;
}

/** A restore job as it stands in a response or in a list; undefined where the value is none. */
export function readRestoreJob(content: unknown): RestoreJobResponse | undefined {
  if (!isRestoreJob(content)) return undefined;
  const hashes = Array.isArray(content['hashes']) ? content['hashes'] : [];
  const bounded = hashes.length > MAX_HASHES ? { ...content, hashes: hashes.slice(0, MAX_HASHES) } : content;
  const dropped: string[] = [];
  const strict = RestoreJob.safeParse(bounded);
  const job = strict.success ? strict.data : RestoreJob.parse(readObject(RestoreJob, bounded, '', dropped));
  return { job, authValue: readAuthValue(content['delivery'], dropped), dropped, hashCount: hashes.length };
}

/** The error of a response of the token endpoint, which uses both OAuth's own form (RFC 6749 section 5.2) and Atlas's. */
export function readTokenError(httpStatus: number, body: string, retryAfterMs: number | undefined): AtlasError {
  const content = parseJson(body);
  const { error, error_description } = OAuthError.safeParse(content).data ?? {};
  const apiError =
    error === undefined
      ? readApiError(httpStatus, content)
      : defined({ error: httpStatus, errorCode: error, detail: error_description });
  return errorFromResponse(httpStatus, apiError, retryAfterMs ?? tokenBucketWait(apiError));
}

/** What of Atlas's ApiError is there and of the documented type; undefined where nothing is. */
function readApiError(httpStatus: number, content: unknown): ApiError | undefined {
  const { error, badRequestDetail, ...read } = SentApiError.safeParse(content).data ?? {};
  const fields = badRequestDetail?.fields?.map(({ field, description }) => defined({ field, description }));
  const described = defined({ ...read, badRequestDetail: fields === undefined ? undefined : { fields } });
  if (error === undefined && Object.keys(described).length === 0) return undefined;
  return { error: error ?? httpStatus, ...described };
}

/** An error stays in memory as long as the pause or the refusal that it caused: more than this is never shown of it. */
const MAX_TEXT = 4_096;
const MAX_LISTED = 64;

/** A copy, because a slice keeps the whole text in memory. */
const bounded = (value: string): string =>
  value.length <= MAX_TEXT ? value : Buffer.from(value.slice(0, MAX_TEXT).toWellFormed()).toString();

/** JSON.stringify of an older Node.js recurses: what is nested too deeply is named instead. */
function asText(value: unknown): string {
  if (typeof value === 'string') return value;
  try {
    return JSON.stringify(value);
  } catch {
    return 'nested too deeply';
  }
}

const text = z.string().transform(bounded).optional().catch(undefined);
const SentApiError = z.object({
  error: z.int().optional().catch(undefined),
  errorCode: text,
  reason: text,
  detail: text,
  // Strings, numbers or objects (recorded).
  parameters: z
    .array(z.unknown())
    .transform((values) => values.slice(0, MAX_LISTED).map((value) => bounded(asText(value))))
    .optional()
    .catch(undefined),
  badRequestDetail: z
    .object({
      fields: z
        .array(z.object({ field: text, description: text }))
        .transform((fields) => fields.slice(0, MAX_LISTED))
        .optional()
        .catch(undefined),
    })
    .optional()
    .catch(undefined),
});
const OAuthError = z.object({ error: z.string().transform(bounded), error_description: text });
const Envelope = z.union([
  z.object({ status: z.int().min(100).max(599), content: z.unknown() }),
  // Older pages call the inner field so.
  z
    .object({ status: z.int().min(100).max(599), envelope: z.unknown() })
    .transform(({ status, envelope }) => ({ status, content: envelope })),
]);

/** An envelope is known by its shape, not by the setting: a gateway can add one too. It carries the real HTTP status. */
function openEnvelope(httpStatus: number, value: unknown): { readonly httpStatus: number; readonly content: unknown } {
  if (!isObject(value) || typeof value['status'] !== 'number') return { httpStatus, content: value };
  const envelope = Envelope.safeParse(value).data;
  return envelope?.content === undefined
    ? { httpStatus, content: value }
    : { httpStatus: envelope.status, content: envelope.content };
}

/** Seconds to wait are the second parameter of RATE_LIMITED_TOKEN_BUCKET (recorded). */
function tokenBucketWait(apiError: ApiError | undefined): number | undefined {
  if (apiError?.errorCode !== 'RATE_LIMITED_TOKEN_BUCKET') return undefined;
  const seconds = apiError.parameters?.[1] ?? '';
  return /^\d+(\.\d+)?$/.test(seconds) ? Number(seconds) * 1_000 : undefined;
}

/** The object without its undefined members. */
function defined<T extends object>(object: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const result: { [K in keyof T]?: Exclude<T[K], undefined> } = {};
  return Object.assign(result, Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)));
}

type JsonObject = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const hasErrorStatus = (value: unknown): boolean => isObject(value) && Number.isSafeInteger(value['error']);

/** Only `delivery` is documented as required, and recorded responses lack even that: one known trait is enough. */
const isRestoreJob = (value: unknown): value is JsonObject =>
  isObject(value) && ['id', 'statusName', 'delivery'].some((name) => Object.hasOwn(value, name));

function readAuthValue(delivery: unknown, dropped: string[]): string | undefined {
  const value = isObject(delivery) ? delivery['authValue'] : undefined;
  if (value === undefined || typeof value === 'string') return value;
  dropped.push('delivery.authValue');
  return undefined;
}

/** The members of an object that fit the schema; the paths of the others go to `dropped`. */
function readObject(schema: z.ZodObject, value: JsonObject, path: string, dropped: string[]): JsonObject {
  const result: Record<string, unknown> = {};
  for (const [name, type] of Object.entries<z.core.$ZodType>(schema.shape)) {
    if (!Object.hasOwn(value, name)) continue;
    const read = readMember(type, value[name], `${path}${name}`, dropped);
    if (read !== undefined) result[name] = read;
  }
  return result;
}

function readMember(type: z.core.$ZodType, value: unknown, path: string, dropped: string[]): unknown {
  if (type instanceof z.ZodExactOptional) return readMember(type.unwrap(), value, path, dropped);
  if (type instanceof z.ZodObject && isObject(value)) return readObject(type, value, `${path}.`, dropped);
  if (type instanceof z.ZodArray && Array.isArray(value)) {
    return value
      .map((element, index) => readMember(type.element, element, `${path}[${index}]`, dropped))
      .filter((element) => element !== undefined);
  }
  const result = z.safeParse(type, value);
  if (result.success) return result.data;
  dropped.push(path);
  return undefined;
}
