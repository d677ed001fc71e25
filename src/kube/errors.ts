/** Every way in which a request to the API server can fail, as one error class. */
import * as z from 'zod';

/**
 * A request to the API server that failed. `status` is the HTTP status, or 0 when no answer came (refused, reset, not
 * within the deadline). Messages name the request, never a header or a body that we sent.
 */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  readonly status: number;
  /** The reason of the answer's Status object, such as AlreadyExists; empty when it had none. */
  readonly reason: string;
  /** Milliseconds that the API server asked to wait; undefined when it did not. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    fields: { status: number; reason?: string; retryAfterMs?: number | undefined; cause?: unknown },
  ) {
    super(message, { cause: fields.cause });
    this.status = fields.status;
    this.reason = fields.reason ?? '';
    this.retryAfterMs = fields.retryAfterMs;
  }
}

/** Whether the error is one of these HTTP statuses. */
export const hasStatus = (error: unknown, ...statuses: readonly number[]): error is KubeError =>
  error instanceof KubeError && statuses.includes(error.status);

const StatusObject = z.object({
  message: z.string().catch(''),
  reason: z.string().catch(''),
  code: z.number().catch(0),
  details: z
    .object({ retryAfterSeconds: z.number().optional().catch(undefined) })
    .optional()
    .catch(undefined),
});

/** The error of a Status object, as an answer's body or an ERROR event carries it. */
export function errorFromStatus(what: string, httpStatus: number, body: unknown, retryAfter?: string): KubeError {
  const status = StatusObject.safeParse(body).data;
  const seconds =
    retryAfter !== undefined && /^\d+$/.test(retryAfter) ? Number(retryAfter) : status?.details?.retryAfterSeconds;
  const code = httpStatus === 0 ? (status?.code ?? 0) : httpStatus;
  const message = status?.message ? `: ${status.message}` : '';
  return new KubeError(`${what}: the API server answered ${code}${message}`, {
    status: code,
    reason: status?.reason ?? '',
    retryAfterMs: seconds === undefined ? undefined : seconds * 1_000,
  });
}

/** The error of a request that got no answer. */
export function errorFromNetwork(what: string, cause: unknown): KubeError {
  const code = Error.isError(cause) && 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
  const words = code ?? (Error.isError(cause) ? cause.message : 'unknown error');
  return new KubeError(`${what}: the API server cannot be reached (${words})`, { status: 0, cause });
}
