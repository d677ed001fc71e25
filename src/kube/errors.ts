/** Every way in which a request to the API server can fail, as one error class. */
import * as z from 'zod';
import { printable } from '../api/printable.ts';
import { type RetryAfterHeaders, retryAfterMs } from '../net/retry-after.ts';

/** An admission webhook can say as much as it likes. */
const MAX_STATUS_MESSAGE = 1_024;
/** The longest path of a request, and the sentence of the API server. */
const MAX_MESSAGE = 2 * MAX_STATUS_MESSAGE;
const MAX_REASON = 128;
/** A longer wait would be a deaf operator, whoever asks for it; a shorter one a hot loop. */
const RETRY_AFTER_MS = { min: 1_000, max: 60_000 };

/** `reason` of a response that is not what the API server sends. */
export const INVALID_RESPONSE = 'InvalidResponse';

/**
 * A request to the API server that failed. `status` is the HTTP status, below 400 with the reason INVALID_RESPONSE, or 0
 * when no response came (refused, reset, not within the deadline). Messages name the request, never a header or a body
 * that we sent, and are one line of at most 2,048 characters.
 */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  readonly status: number;
  /** The reason of the response's Status object, such as AlreadyExists, or INVALID_RESPONSE; empty when it had none. */
  readonly reason: string;
  /** The Status object's own sentence, as one line of at most 1,024 characters; empty when it had none. */
  readonly statusMessage: string;
  /** Milliseconds that the API server asked to wait, between a second and a minute; undefined when it did not. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    fields: {
      readonly status: number;
      readonly reason?: string;
      readonly statusMessage?: string;
      readonly retryAfterMs?: number | undefined;
      readonly cause?: unknown;
    },
  ) {
    super(printable(message, MAX_MESSAGE), { cause: fields.cause });
    this.status = fields.status;
    this.reason = printable(fields.reason ?? '', MAX_REASON);
    this.statusMessage = printable(fields.statusMessage ?? '', MAX_STATUS_MESSAGE);
    this.retryAfterMs = boundedWait(fields.retryAfterMs);
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

/** The error of a Status object, as the body of a response or an ERROR event carries it. */
export function errorFromStatus(
  what: string,
  httpStatus: number,
  body: unknown,
  headers: RetryAfterHeaders = {},
): KubeError {
  const status = StatusObject.safeParse(body).data;
  const seconds = status?.details?.retryAfterSeconds ?? 0;
  const code = httpStatus === 0 ? (status?.code ?? 0) : httpStatus;
  const sentence = printable(status?.message ?? '', MAX_STATUS_MESSAGE);
  const message = sentence === '' ? '' : `: ${sentence}`;
  return new KubeError(`${what}: the API server answered ${code}${message}`, {
    status: code,
    reason: status?.reason ?? '',
    statusMessage: status?.message ?? '',
    retryAfterMs: boundedWait(retryAfterMs(headers, Date.now())) ?? boundedWait(seconds * 1_000),
  });
}

/** The error of a response that is a success by its status, or a redirect, but not `expected`, such as `a Lease`. */
export function errorFromContent(what: string, status: number, expected: string): KubeError {
  return new KubeError(
    `${what}: the API server's response is not ${expected} (a gateway or proxy may answer in its place)`,
    { status, reason: INVALID_RESPONSE },
  );
}

/** The error of a request that got no response. */
export function errorFromNetwork(what: string, cause: unknown): KubeError {
  const code = Error.isError(cause) && 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
  const words = code ?? (Error.isError(cause) ? cause.message : 'unknown error');
  return new KubeError(`${what}: the API server cannot be reached (${words})`, { status: 0, cause });
}

/** No time at all, or a date that has passed by our clock, counts as none: it would be asked again without end. */
function boundedWait(ms: number | undefined): number | undefined {
  return ms !== undefined && ms > 0 ? Math.min(RETRY_AFTER_MS.max, Math.max(RETRY_AFTER_MS.min, ms)) : undefined;
}
