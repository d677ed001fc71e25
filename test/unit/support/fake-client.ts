import type { KubeClient, KubeRequest } from '../../../src/kube/client.ts';

export interface FakeClient extends KubeClient {
  /** Every request so far, in order. */
  readonly requests: readonly KubeRequest[];
  /** The paths of the streams so far, in order. */
  readonly streams: readonly string[];
  /** How often its connections were given up. */
  readonly abandoned: () => number;
}

export interface FakeClientOptions {
  /** Answers a request; what it throws is what the request throws. */
  readonly request?: (request: KubeRequest) => unknown;
  readonly stream?: (path: string, signal: AbortSignal) => AsyncIterable<Uint8Array>;
}

/** A client that no API server stands behind. Requests that nobody answers reject. */
export function fakeClient({ request, stream }: FakeClientOptions = {}): FakeClient {
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
