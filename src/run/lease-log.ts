/** Says in the log that the lease cannot be read or written: every replica tries it every two seconds. */
import { errorFields, type Logger } from '../telemetry/log.ts';

export interface LeaseLog {
  /** An attempt failed. */
  readonly failed: (error: unknown) => void;
  /** One works again. */
  readonly recovered: () => void;
}

/** The same trouble is mentioned again after so long. */
const REMIND_MS = 60_000;

/** One warning when it begins and one a minute at most, and one line when it is over. `lease`: as sentences name it. */
export function createLeaseLog(log: Logger, lease: string): LeaseLog {
  let warnedAt = Number.NEGATIVE_INFINITY;
  let since: number | undefined;
  let failures = 0;
  return {
    failed: (error) => {
      since ??= performance.now();
      failures += 1;
      const level = performance.now() - warnedAt >= REMIND_MS ? 'warn' : 'debug';
      if (level === 'warn') warnedAt = performance.now();
      log[level]({ lease, ...errorFields(error) }, 'the lease could not be read or written');
    },
    recovered: () => {
      if (since === undefined) return;
      const seconds = Math.round((performance.now() - since) / 1_000);
      log.info({ lease, failures, seconds }, 'the lease can be read and written again');
      since = undefined;
      failures = 0;
    },
  };
}
