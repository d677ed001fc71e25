/** What a reconcile found: pure data. reconcile-result.ts alone turns it into conditions, events, log line and requeue. */
import type { ApiError } from '../api/api-error.ts';
import type { RestoreJobResponse } from '../api/restore-job.ts';
import type { Failure } from './failure.ts';

export type Outcome =
  | { readonly kind: 'suspended' }
  /** Waits for a request of its budget or for the list of its cluster, which adds the key to the work queue in time. */
  | { readonly kind: 'waiting'; readonly pause: Pause | undefined }
  | Fetched
  /** `grace`: it is expected to pass, see `graceRetryMs` of the reasons. */
  | { readonly kind: 'failed'; readonly failure: Failure; readonly grace: boolean }
  /** The API server failed in the middle of the reconcile: that says nothing about the resource. */
  | { readonly kind: 'interrupted'; readonly error: unknown };

export interface Fetched {
  readonly kind: 'fetched';
  readonly response: RestoreJobResponse;
  /** When Atlas was asked, in milliseconds since the epoch: what became later is not in the response. */
  readonly asOf: number;
  /** Why the delivery Secret could not be written; undefined where it could or there is nothing to write. */
  readonly deliveryFailure: Failure | undefined;
}

/** Atlas asked a budget to wait. */
export interface Pause {
  /** Milliseconds since the first response that asked to wait, without a success since. */
  readonly forMs: number;
  /** The error of the newest such response, as Atlas described it. */
  readonly apiError: ApiError | undefined;
}
