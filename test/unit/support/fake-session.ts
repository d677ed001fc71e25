import type { KubeRequest, KubeSession } from '../../../src/kube/session.ts';

export interface FakeSession extends KubeSession {
  /** Every request so far, in order. */
  readonly requests: readonly KubeRequest[];
  /** The paths of the streams so far, in order. */
  readonly streams: readonly string[];
  /** How often its connections were given up. */
  readonly abandoned: () => number;
}

export interface FakeSessionOptions {
  /** Answers a request; what it throws is what the request throws. */
  readonly request?: (request: KubeRequest) => unknown;
  readonly stream?: (path: string, signal: AbortSignal) => AsyncIterable<Uint8Array>;
}

/** A session that no API server stands behind. Requests that nobody answers reject. */
export function fakeSession({ request, stream }: FakeSessionOptions = {}): FakeSession {
  const requests: KubeRequest[] = [];
  const streams: string[] = [];
  let abandoned = 0;
  return {
    namespace: undefined,
    requests,
    streams,
    request: async (kubeRequest) => {
      requests.push(kubeRequest);
      if (request === undefined) throw new Error(`unexpected ${kubeRequest.method} ${kubeRequest.path}`);
      return await request(kubeRequest);
    },
    stream: (path, signal) =>
      new Promise((resolve) => {
        streams.push(path);
        if (stream === undefined) throw new Error(`unexpected stream ${path}`);
        resolve(stream(path, signal));
      }),
    abandoned: () => abandoned,
    abandonConnections: () => {
      abandoned += 1;
    },
    close: () => Promise.resolve(),
  };
}
