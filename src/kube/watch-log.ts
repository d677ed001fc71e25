/** Says in the log what interrupts listing and watching: one warning with its cause, not hundreds. */

import { ProxyError } from '../net/connections.ts';
import { errorFields, type Logger } from '../telemetry/log.ts';
import { hasStatus } from './errors.ts';
import { KubeConfigError } from './kubeconfig-error.ts';
import type { WatchCause } from './reflector.ts';

/** How sentences name what is watched. */
export interface WatchedResource {
  /** Such as `atlasrestore.dev/v1`. */
  readonly apiVersion: string;
  /** Such as `legacyrestorejobs`. */
  readonly plural: string;
}

export interface WatchLog {
  readonly interrupted: (cause: WatchCause, error: unknown, waitMs: number) => void;
  readonly recovered: () => void;
  /** The present problem in one sentence; undefined while there is none. */
  readonly problem: () => string | undefined;
}

/** The same trouble is mentioned again after so long. */
const REMIND_MS = 60_000;

/** `namespace`: undefined for all. */
export function createWatchLog(log: Logger, resource: WatchedResource, namespace: string | undefined): WatchLog {
  const where = namespace === undefined ? {} : { watchedNamespace: namespace };
  let warnedAt = Number.NEGATIVE_INFINITY;
  let said: string | undefined;
  let problem: string | undefined;
  let since = 0;
  let interruptions = 0;

  /** One warning a minute at most, what changes meanwhile as information, repetitions only for whoever debugs. */
  function levelOf(cause: WatchCause, sentence: string): 'warn' | 'info' | 'debug' {
    if (cause !== 'expired' && performance.now() - warnedAt >= REMIND_MS) return 'warn';
    return sentence === said ? 'debug' : 'info';
  }

  return {
    interrupted: (cause, error, waitMs) => {
      if (interruptions === 0) since = performance.now();
      interruptions += 1;
      problem = describe(resource, cause, error);
      const level = levelOf(cause, problem);
      if (level === 'warn') warnedAt = performance.now();
      said = problem;
      log[level]({ ...where, cause, ...errorFields(error), waitMs: Math.round(waitMs) }, problem);
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
