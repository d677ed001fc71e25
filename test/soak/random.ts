/** Random numbers that a seed repeats. */

export interface Random {
  /** Uniform in [0, 1). */
  readonly next: () => number;
  /** A whole number, both bounds included. */
  readonly int: (from: number, to: number) => number;
  readonly chance: (probability: number) => boolean;
  /** Throws when there is nothing to choose from. */
  readonly pick: <T>(items: readonly T[]) => T;
  readonly shuffled: <T>(items: readonly T[]) => readonly T[];
  /** So many hexadecimal digits. */
  readonly hex: (digits: number) => string;
  /**
   * A generator of its own for what this name stands for. It depends on the seed and the name alone: what happens
   * at the same time elsewhere, in whatever order, does not change its sequence.
   */
  readonly fork: (name: string) => Random;
}

export function createRandom(seed: number): Random {
  const next = mulberry32(seed);
  const int = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1));

  function pick<T>(items: readonly T[]): T {
    const [item] = items.slice(int(0, items.length - 1));
    if (item === undefined) throw new Error('there is nothing to choose from');
    return item;
  }

  function shuffled<T>(items: readonly T[]): readonly T[] {
    return items
      .map((item) => ({ item, rank: next() }))
      .sort((left, right) => left.rank - right.rank)
      .map(({ item }) => item);
  }

  return {
    next,
    int,
    chance: (probability) => next() < probability,
    pick,
    shuffled,
    hex: (digits) => Array.from({ length: digits }, () => int(0, 15).toString(16)).join(''),
    fork: (name) => createRandom(hashed(seed, name)),
  };
}

/** Tommy Ettinger's mulberry32: 32 bits of state, and good enough to shuffle faults. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** FNV-1a. */
function hashed(seed: number, name: string): number {
  let hash = (seed ^ 0x811c9dc5) >>> 0;
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}
