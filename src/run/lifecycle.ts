/** The lifecycle of the process: which state it is in, and the lines of the log that tell of it. */
import type { Logger } from '../telemetry/log.ts';

/**
 *   starting ──address bound──▶ syncing ──all lists complete, schema checked──▶ standby ──lease acquired──▶ running
 *                                  └──the same, without leader election──────────────────────────────────▶ running
 *   any ──SIGTERM, SIGINT──▶ stopping: no further reconcile begins, those that run end, the lease is released ──▶ stopped
 *   any ──lease lost──▶ stopping: nothing more is written ──▶ stopped
 */
export type Lifecycle =
  | { readonly kind: 'starting' }
  | { readonly kind: 'syncing' }
  | { readonly kind: 'standby' }
  /** `resources`: how many there were when the workers started. */
  | { readonly kind: 'running'; readonly resources: number }
  /** `reconciles`: how many ran when the stop began. */
  | { readonly kind: 'stopping'; readonly cause: StopCause; readonly reconciles: number }
  | { readonly kind: 'stopped'; readonly cause: StopCause };

/** What began a stop. After a lost lease another replica may be the leader already. */
export type StopCause = 'signal' | 'leaseLost';

export interface LifecycleVariable {
  readonly get: () => Lifecycle;
  /** False when there is no way back to that state: a stop goes on to its end. */
  readonly enter: (next: Lifecycle) => boolean;
}

/** Begins with `starting`. */
export function createLifecycle(log: Logger): LifecycleVariable {
  let state: Lifecycle = { kind: 'starting' };
  return {
    get: () => state,
    enter: (next) => {
      if (ORDER.indexOf(next.kind) <= ORDER.indexOf(state.kind)) return false;
      state = next;
      tell(log, next);
      return true;
    },
  };
}

const ORDER: readonly Lifecycle['kind'][] = ['starting', 'syncing', 'standby', 'running', 'stopping', 'stopped'];

function tell(log: Logger, state: Lifecycle): void {
  switch (state.kind) {
    case 'running':
      log.info({ resources: state.resources }, 'starting workers');
      break;
    case 'stopping':
      // Who lost the lease has said so.
      if (state.cause === 'signal')
        log.info({ reconciles: state.reconciles }, 'stopping: running reconciles are finished, no further ones begin');
      break;
    case 'stopped':
      log.info(state.cause === 'signal' ? 'stopped' : 'lease lost: stopped without releasing it');
      break;
    default:
      log.debug({ state: state.kind }, 'the state of the operator changed');
  }
}
