/**
 * `node:timers/promises` on jest's clock, which stands still for the real one. To be used with
 * `jest.unstable_mockModule('node:timers/promises', fakeTimersPromises)` before the import of what sleeps.
 */
export const fakeTimersPromises = () => ({
  setTimeout: (ms: number, value: unknown, options?: { readonly signal?: AbortSignal }): Promise<unknown> => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const signal = options?.signal;
    const aborted = (): void => reject(new Error('aborted'));
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', awake);
      resolve(value);
    }, ms);
    const awake = (): void => {
      clearTimeout(timer);
      aborted();
    };
    if (signal?.aborted) awake();
    else signal?.addEventListener('abort', awake, { once: true });
    return promise;
  },
});
