/**
 * Looks again and again at credentials that did not work. Secrets are not watched, which would need list and watch on
 * all of them: those that failed are read by name, each once a round, and Atlas is not asked.
 */
import type { CredentialsReader, CredentialsSource } from './credentials.ts';

export interface CredentialsWatch {
  /** A resource failed with this version of its credentials: it is told when there is another. */
  readonly await: (key: string, source: CredentialsSource, version: string) => void;
  /** The resource no longer waits, be it that it works or that it has gone. */
  readonly forget: (key: string) => void;
  readonly stop: () => void;
}

interface CredentialsWatchOptions {
  readonly reader: CredentialsReader;
  /** Told once for each resource whose credentials have changed. */
  readonly onChanged: (key: string) => void;
  readonly periodMs?: number;
}

const PERIOD_MS = 30_000;

interface Waiting {
  readonly source: CredentialsSource;
  readonly version: string;
}

export function createCredentialsWatch({
  reader,
  onChanged,
  periodMs = PERIOD_MS,
}: CredentialsWatchOptions): CredentialsWatch {
  const waiting = new Map<string, Waiting>();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  function arm(): void {
    if (timer !== undefined || stopped || waiting.size === 0) return;
    timer = setTimeout(() => void round(), periodMs);
  }

  async function round(): Promise<void> {
    const sources = new Map([...waiting.values()].map(({ source }) => [source.id, source]));
    for (const source of sources.values()) {
      if (stopped) return;
      // Whatever keeps a Secret from being read now, the next round tries again.
      const version = await reader.readAgain(source).then(
        (result) => result.version,
        () => undefined,
      );
      if (version !== undefined) tell(source, version);
    }
    timer = undefined;
    arm();
  }

  function tell(source: CredentialsSource, version: string): void {
    for (const [key, entry] of waiting) {
      if (entry.source.id !== source.id || entry.version === version) continue;
      waiting.delete(key);
      onChanged(key);
    }
  }

  return {
    await: (key, source, version) => {
      waiting.set(key, { source, version });
      arm();
    },
    forget: (key) => {
      waiting.delete(key);
    },
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
