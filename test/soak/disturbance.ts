/** Lets faults happen: in each place one after the other, in all places at once. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Environment } from './environment.ts';
import { FAULTS, type FaultKind, PLACES, type Place } from './faults.ts';
import type { Random } from './random.ts';

export interface DisturbanceOptions {
  readonly environment: Environment;
  readonly random: Random;
  /** Once it is aborted, operators are left to live with what goes wrong: nothing restarts them. */
  readonly calm: AbortSignal;
  /** Time is up once it is aborted. */
  readonly over: AbortSignal;
  /** Gives up at once. */
  readonly signal: AbortSignal;
  readonly kinds?: readonly FaultKind[];
  /** Told when a fault has begun. */
  readonly onBegun: (kind: FaultKind) => void;
}

/**
 * Resolves when the time is up, every kind has happened at least once, and all of them have ended. Rejects when one
 * could not be begun or ended.
 */
export async function disturb({ kinds = FAULTS, ...options }: DisturbanceOptions): Promise<void> {
  await Promise.all(
    PLACES.map((place) =>
      disturbPlace(
        place,
        kinds.filter((kind) => kind.place === place),
        options,
      ),
    ),
  );
}

/**
 * The shortest and the longest quiet time between two faults of a place, in milliseconds. Those of the operator begin
 * with waiting for a leader.
 */
const QUIET_MS: Readonly<Record<Place, readonly [number, number]>> = {
  'API server': [3_000, 10_000],
  Atlas: [1_000, 5_000],
  operator: [5_000, 12_000],
  credentials: [4_000, 10_000],
};

async function disturbPlace(
  place: Place,
  kinds: readonly FaultKind[],
  { environment, random: seed, calm, over, signal, onBegun }: Omit<DisturbanceOptions, 'kinds'>,
): Promise<void> {
  if (kinds.length === 0) return;
  const random = seed.fork(place);
  for (let round = 0; ; round++) {
    // In the first round every kind has its turn, however little time there is.
    const isFirst = round === 0;
    const rest = (range: readonly [number, number]): Promise<void> =>
      pause(random.int(...range), isFirst ? signal : AbortSignal.any([over, signal]));
    for (const kind of random.shuffled(kinds)) {
      await rest(QUIET_MS[place]);
      signal.throwIfAborted();
      if (over.aborted && !isFirst) return;
      if (kind.restarts && calm.aborted && !isFirst) continue;
      const active = await kind.begin(environment, random);
      onBegun(kind);
      await rest(kind.lastsMs);
      await active.end();
    }
  }
}

/** Rests so long, or until the signal is aborted. */
const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  delay(ms, undefined, { signal }).catch(() => undefined);
