/** What ends with the lifetime of the operator. */
import type { KubeClient } from '../kube/client.ts';

/** A client whose requests all end when the signal is aborted, and that sends none afterwards. */
export function duringLifetime(client: KubeClient, lifetime: AbortSignal): KubeClient {
  // One listener for all requests: the listeners of a signal keep each other in memory, and this one lives long.
  const underWay = new Set<AbortController>();
  lifetime.addEventListener(
    'abort',
    () => {
      for (const request of underWay) request.abort(lifetime.reason);
    },
    { once: true },
  );
  return {
    ...client,
    request: async (request) => {
      lifetime.throwIfAborted();
      const ending = new AbortController();
      underWay.add(ending);
      try {
        const signal = request.signal === undefined ? ending.signal : AbortSignal.any([request.signal, ending.signal]);
        return await client.request({ ...request, signal });
      } finally {
        underWay.delete(ending);
      }
    },
  };
}
