/** Waiting for a budget as a promise, for whoever makes several requests in a row. */

export interface Turns {
  /** Fulfilled when a request is reserved for this waiter; rejects when everything ends. */
  readonly next: (waiter: string) => Promise<void>;
  /** A request is reserved; false when nobody waits here under this name. */
  readonly reserved: (waiter: string) => boolean;
  /** Ends all waiting with this reason. */
  readonly end: (reason: unknown) => void;
}

export function createTurns(): Turns {
  const waiting = new Map<string, PromiseWithResolvers<void>>();
  return {
    next: (waiter) => {
      const turn = Promise.withResolvers<void>();
      waiting.set(waiter, turn);
      return turn.promise;
    },
    reserved: (waiter) => {
      waiting.get(waiter)?.resolve();
      return waiting.delete(waiter);
    },
    end: (reason) => {
      for (const turn of waiting.values()) turn.reject(reason);
      waiting.clear();
    },
  };
}
