import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';

/** Options of {@link withFileLock}. */
export interface FileLockOptions {
  readonly signal?: AbortSignal;
  /** Called once when another process has the lock. */
  readonly onWait?: () => void;
}

/**
 * Runs `fn` while no other process runs one under the same lock file, waiting for its turn.
 *
 * The lock is SQLite's lock of an (empty) database: the kernel drops it when its owner dies in whatever way, where a
 * process id in a file would have to be judged, and may be that of a stranger or of another container.
 */
export async function withFileLock<T>(
  file: string,
  fn: () => Promise<T>,
  { signal, onWait }: FileLockOptions = {},
): Promise<T> {
  // No busy timeout of SQLite's own: it would block the event loop, and with it Ctrl-C.
  using database = new DatabaseSync(file, { timeout: 0 });
  for (let tries = 0; !tryLock(database); tries += 1) {
    if (tries === 0) onWait?.();
    await delay(200, undefined, signal === undefined ? {} : { signal });
  }
  return await fn();
}

const SQLITE_BUSY = 5;

function tryLock(database: DatabaseSync): boolean {
  try {
    // Without a journal in a file, which a killed owner would leave behind.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    if (typeof error === 'object' && error !== null && 'errcode' in error && error.errcode === SQLITE_BUSY)
      return false;
    throw error;
  }
}
