import { Agent, type Dispatcher } from 'undici';
import type { RestoreJobResponse } from '../../src/api/restore-job.ts';
import { type AtlasClient, type AtlasClientOptions, createAtlasClient } from '../../src/atlas/client.ts';
import type { AtlasCredentials } from '../../src/atlas/credentials.ts';
import { AtlasError } from '../../src/atlas/errors.ts';
import { createSend, type Send, type SendOptions } from '../../src/atlas/http.ts';
import type { RestoreJobRef } from '../../src/atlas/urls.ts';
import { reasonOfAtlasFailure } from '../../src/restore-job/atlas-failures.ts';
import type { FailureReason } from '../../src/restore-job/reasons.ts';

/** A client of a simulator, without a request limit unless one is given. Closed when it is disposed of. */
export function clientOf(
  atlas: { readonly url: string },
  options: Partial<AtlasClientOptions> = {},
): AtlasClient & AsyncDisposable {
  const client = createAtlasClient({
    baseUrl: atlas.url,
    api: 'atlas/v1.0',
    timeoutMs: 10_000,
    envelope: false,
    pretty: false,
    requestsPerMinute: 0,
    version: '1.2.3',
    signal: new AbortController().signal,
    onReserved: () => undefined,
    // Not the default one: the tests must not heed a proxy of the machine that they run on.
    dispatcher: new Agent(),
    ...options,
  });
  return { ...client, [Symbol.asyncDispose]: client.close };
}

/** Sending alone, on connections of its own unless a dispatcher is given. */
export function testSend(
  options: Partial<SendOptions> = {},
): { readonly send: Send; readonly dispatcher: Dispatcher } & AsyncDisposable {
  const own = new Agent();
  const { dispatcher = own } = options;
  const signal = new AbortController().signal;
  const send = createSend({ timeoutMs: 10_000, signal, userAgent: 'test/1', ...options, dispatcher });
  return { send, dispatcher, [Symbol.asyncDispose]: () => own.destroy() };
}

/** A fetch that must be admitted. */
export function fetchJob(
  client: AtlasClient,
  ref: RestoreJobRef,
  credentials: AtlasCredentials,
  waiter = ref.jobId,
): Promise<RestoreJobResponse> {
  const fetch = client.fetch(ref, credentials, waiter);
  if (fetch.kind === 'waiting') throw new Error(`${waiter} has to wait`);
  return fetch.response;
}

/** What an AtlasError tells, with the reason that the operator makes of it. */
export interface AtlasErrorFacts extends Pick<AtlasError, 'kind' | 'code' | 'message' | 'httpStatus' | 'retryAfterMs'> {
  readonly reason: FailureReason;
  readonly errorCode: string | undefined;
  readonly detail: string | undefined;
  readonly cause: unknown;
}

/** The AtlasError that a promise rejects with; throws when it does anything else. */
export async function atlasErrorOf(promise: Promise<unknown>): Promise<AtlasErrorFacts> {
  const error = await promise.then(
    () => 'nothing: it was fulfilled',
    (reason: unknown) => reason,
  );
  if (error instanceof AtlasError) return atlasErrorFacts(error);
  throw new Error(`expected an AtlasError, got ${String(error)}`, { cause: error });
}

export function atlasErrorFacts(error: AtlasError): AtlasErrorFacts {
  const { kind, code, message, httpStatus, retryAfterMs, cause, apiError } = error;
  const reason = reasonOfAtlasFailure(error);
  return { kind, code, message, httpStatus, retryAfterMs, cause, reason, ...described(apiError) };
}

const described = (apiError: AtlasError['apiError']) => ({ errorCode: apiError?.errorCode, detail: apiError?.detail });
