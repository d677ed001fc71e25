/**
 * Reads Atlas's answers leniently: a field that is missing, null, new or of another type never makes an answer
 * unusable. What cannot be mirrored is dropped and named.
 */
import * as z from 'zod';
import { RestoreJob } from '../api/restore-job.ts';
import { parseJson } from '../net/json.ts';
import { type AtlasError, errorFromAnswer, invalidResponse } from './errors.ts';

/** Status keeps this many hashes: etcd takes objects of at most 1.5 MiB. */
export const MAX_HASHES = 2_000;

/** A restore job as Atlas told it. */
export interface RestoreJobAnswer {
  readonly job: RestoreJob;
  /** The value of the header that downloads from urlV2 need: a secret, and for that reason not part of `job`. */
  readonly authValue: string | undefined;
  /** Paths of members that Atlas gave but that could not be mirrored, such as `delivery.expires`. */
  readonly dropped: readonly string[];
  /** How many hashes Atlas gave; `job.hashes` holds the first MAX_HASHES of them. */
  readonly hashCount: number;
}

/** The restore job of a body, or the error that the answer means. Envelopes are opened. */
export function readAnswer(
  httpStatus: number,
  body: string,
  retryAfterMs: number | undefined,
): RestoreJobAnswer | AtlasError {
  const opened = openEnvelope(httpStatus, parseJson(body));
  const error = ApiError.safeParse(opened.content);
  if (opened.httpStatus >= 400 || (error.success && error.data.error !== undefined)) {
    const { error: code, errorCode, detail, reason, parameters } = error.data ?? {};
    return errorFromAnswer({
      httpStatus: opened.httpStatus >= 400 ? opened.httpStatus : (code ?? opened.httpStatus),
      errorCode,
      detail: detail ?? reason,
      retryAfterMs: retryAfterMs ?? tokenBucketWait(errorCode, parameters),
    });
  }
  if (opened.httpStatus !== 200)
    return invalidResponse(`Atlas answered ${opened.httpStatus} instead of 200`, { httpStatus: opened.httpStatus });
  if (!isRestoreJob(opened.content))
    return invalidResponse('Atlas answered 200, but not with a restore job', { httpStatus: 200 });
  return readRestoreJob(opened.content);
}

/** The text of an error answer of the token endpoint, which uses both OAuth's and Atlas's own shape. */
export function readErrorBody(body: string): {
  readonly errorCode: string | undefined;
  readonly detail: string | undefined;
} {
  const content = parseJson(body);
  const oauth = OAuthError.safeParse(content);
  if (oauth.success) return { errorCode: oauth.data.error, detail: oauth.data.error_description };
  const { errorCode, detail, reason } = ApiError.safeParse(content).data ?? {};
  return { errorCode, detail: detail ?? reason };
}

const ApiError = z.object({
  error: z.int().optional().catch(undefined),
  errorCode: z.string().optional().catch(undefined),
  detail: z.string().optional().catch(undefined),
  reason: z.string().optional().catch(undefined),
  parameters: z.array(z.unknown()).optional().catch(undefined),
});
const OAuthError = z.object({ error: z.string(), error_description: z.string().optional().catch(undefined) });
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
function tokenBucketWait(
  errorCode: string | undefined,
  parameters: readonly unknown[] | undefined,
): number | undefined {
  const seconds = parameters?.[1];
  const told = errorCode === 'RATE_LIMITED_TOKEN_BUCKET' && typeof seconds === 'number' && seconds >= 0;
  return told ? seconds * 1_000 : undefined;
}

type JsonObject = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Only `delivery` is documented as required, and recorded answers lack even that: one known trait is enough. */
const isRestoreJob = (value: unknown): value is JsonObject =>
  isObject(value) && ['id', 'statusName', 'delivery'].some((name) => Object.hasOwn(value, name));

function readRestoreJob(content: JsonObject): RestoreJobAnswer {
  const hashes = Array.isArray(content['hashes']) ? content['hashes'] : [];
  const bounded = hashes.length > MAX_HASHES ? { ...content, hashes: hashes.slice(0, MAX_HASHES) } : content;
  const dropped: string[] = [];
  const strict = RestoreJob.safeParse(bounded);
  const job = strict.success ? strict.data : RestoreJob.parse(readObject(RestoreJob, bounded, '', dropped));
  return { job, authValue: readAuthValue(content['delivery'], dropped), dropped, hashCount: hashes.length };
}

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
