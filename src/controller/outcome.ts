/** What a visit of a resource found: pure data. report.ts alone turns it into conditions, events, log and schedule. */
import type { SyncedReason } from '../api/reasons.ts';
import type { RestoreJobAnswer } from '../atlas/answer.ts';

export type Outcome =
  | { readonly kind: 'suspended' }
  /** Stands in the line of a budget and is called when its turn comes. `pausedSince`: milliseconds since the epoch. */
  | { readonly kind: 'waiting'; readonly pausedSince: number | undefined }
  | Fetched
  | { readonly kind: 'failed'; readonly failure: Failure }
  /** The API server failed in the middle of the visit: it says nothing about the resource. */
  | { readonly kind: 'interrupted'; readonly error: unknown };

export interface Fetched {
  readonly kind: 'fetched';
  readonly answer: RestoreJobAnswer;
  /** When Atlas was asked, in milliseconds since the epoch: what became later is not in the answer. */
  readonly asOf: number;
  readonly delivery: DeliverySecretResult;
}

export interface Failure {
  /** permanent: it stays until a person changes something; transient: it may pass. */
  readonly kind: 'permanent' | 'transient';
  readonly reason: SyncedReason;
  readonly message: string;
  /**
   * What tells this failure from another with the same reason: Atlas's errorCode, or the message where the cause is in
   * the cluster. Only a change of it, of reason or of kind is worth a status write.
   */
  readonly identity: string;
}

export type DeliverySecretResult =
  /** No deliverySecretName, or no URL to put there yet. */
  | { readonly kind: 'none' }
  | { readonly kind: 'current' }
  | { readonly kind: 'written' }
  | {
      readonly kind: 'refused';
      readonly reason: 'DeliverySecretConflict' | 'DeliverySecretForbidden';
      readonly message: string;
    };
