/** What must not happen at the same time, one after the other. */
export interface Exclusion {
  /** Resolves when all who entered before have left, with the way to leave. */
  readonly enter: () => Promise<() => void>;
}

export function createExclusion(): Exclusion {
  let last: Promise<void> = Promise.resolve();
  return {
    enter: async () => {
      const before = last;
      const { promise, resolve } = Promise.withResolvers<void>();
      last = promise;
      await before;
      return resolve;
    },
  };
}
