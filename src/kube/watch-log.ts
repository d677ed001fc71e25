/** Says in the log what interrupts listing and watching: one warning with its cause, not hundreds. */

import { ProxyError } from '../net/connections.ts';
import { errorFields, type Logger } from '../telemetry/log.ts';
import { hasStatus, INVALID_RESPONSE, KubeError } from './errors.ts';
import { KubeConfigError } from './kubeconfig-error.ts';
import { EmptyWatchError, UnfinishedListError, type WatchCause } from './reflector.ts';
import type { ObjectType } from './response.ts';

/** What is watched, and how sentences name it. */
export interface WatchedResource extends ObjectType {
  /** Such as `legacyrestorejobs`. */
  readonly plural: string;
}

export interface WatchProblem {
  readonly sentence: string;
  /** Whether the API server does not know the resource: its CustomResourceDefinition is missing. */
  readonly isMissing: boolean;
}

export interface WatchLog {
  readonly interrupted: (cause: WatchCause, error: unknown, waitMs: number) => void;
  readonly recovered: () => void;
  /** The present problem; undefined while there is none. */
  readonly problem: () => WatchProblem | undefined;
}

/** The same trouble is mentioned again after so long; what somebody has to mend, less often: it may be meant to last. */
const REMIND_MS = { passing: 60_000, lasting: 3_600_000 };

/** `namespace`: undefined for all. */
export function createWatchLog(log: Logger, resource: WatchedResource, namespace: string | undefined): WatchLog {
  const where = namespace === undefined ? {} : { watchedNamespace: namespace };
  let warnedAt = Number.NEGATIVE_INFINITY;
  let warned: string | undefined;
  let said: string | undefined;
  let problem: WatchProblem | undefined;
  let since = 0;
  let interruptions = 0;

  /** One warning a minute at most, what changes meanwhile as information, repetitions only for whoever debugs. */
  function levelOf(cause: WatchCause, error: unknown, sentence: string): 'warn' | 'info' | 'debug' {
    const isReminder = sentence === warned && hasStatus(error, 403, 404);
    const remindMs = isReminder ? REMIND_MS.lasting : REMIND_MS.passing;
    if (cause !== 'expired' && performance.now() - warnedAt >= remindMs) return 'warn';
    return sentence === said ? 'debug' : 'info';
  }

  return {
    interrupted: (cause, error, waitMs) => {
      if (interruptions === 0) since = performance.now();
      interruptions += 1;
      const sentence = describe(resource, cause, error);
      problem = { sentence, isMissing: hasStatus(error, 404) };
      const level = levelOf(cause, error, sentence);
      if (level === 'warn') {
        warnedAt = performance.now();
        warned = sentence;
      }
      said = sentence;
      log[level]({ ...where, cause, ...errorFields(error), waitMs: Math.round(waitMs) }, sentence);
    },
    recovered: () => {
      const seconds = Math.round((performance.now() - since) / 1_000);
      if (interruptions > 0) log.info({ ...where, interruptions, seconds }, `watching ${resource.plural} again`);
      interruptions = 0;
      problem = undefined;
    },
    problem: () => problem,
  };
}

function describe({ plural, apiVersion }: WatchedResource, cause: WatchCause, error: unknown): string {
  if (error instanceof KubeConfigError) return error.message;
  if (hasStatus(error, 0) && error.cause instanceof ProxyError)
    return `the API server cannot be reached: ${error.cause.message}`;
  if (hasStatus(error, 404)) {
    return `the CustomResourceDefinition of ${plural} (${apiVersion}) is not installed: apply the file in crds/ or the output of print-crds`;
  }
  if (hasStatus(error, 403)) return `the operator may not list and watch ${plural}: check its Role or ClusterRole`;
  if (hasStatus(error, 401)) return "the API server does not accept the operator's credentials";
  if (error instanceof UnfinishedListError)
    return `lists of ${plural} by stream do not come to their end, something on the way keeps it back: from now on they are read by pages`;
  if (error instanceof EmptyWatchError)
    return `the watch of ${plural} ends at once and brings nothing, something on the way may end it: all are listed again and again instead`;
  if (error instanceof KubeError && error.reason === INVALID_RESPONSE)
    return `${plural} cannot be listed and watched: something else than the API server responds`;
  switch (cause) {
    case 'stalled':
      return `the watch of ${plural} went silent, its connection is given up`;
    case 'expired':
      return `the watch of ${plural} was too far behind, all are listed again`;
    case 'list':
      return hasStatus(error, 0) ? 'the API server cannot be reached' : `listing ${plural} failed`;
    case 'watch':
      return hasStatus(error, 0) ? 'the API server cannot be reached' : `the watch of ${plural} was interrupted`;
  }
}
