/** A gateway in front of the API server, which now and then wants somebody to sign in. */
import {
  GATEWAY_RESPONSES,
  type ProxiedRequest,
  type ProxyAction,
  startApiServerProxy,
} from '../support/api-server-proxy.ts';
import type { ControlPlane } from '../support/control-plane/control-plane.ts';

export interface Gateway {
  readonly port: number;
  /** Of the CA that signed its certificate. */
  readonly caPem: string;
  /** From now on it answers requests that match itself, until what it returns is called. */
  readonly answer: (matches: (request: ProxiedRequest) => boolean, how: keyof typeof RESPONSES) => () => void;
  /** Requests that it has answered itself. */
  readonly answered: () => number;
  readonly stop: () => Promise<void>;
}

const RESPONSES = {
  ...GATEWAY_RESPONSES,
  forbidden: { kind: 'status', code: 403 },
} as const satisfies Readonly<Record<string, ProxyAction>>;

export async function startGateway({ server, caPem }: ControlPlane): Promise<Gateway> {
  const proxy = await startApiServerProxy(server, caPem);
  let answered = 0;
  return {
    port: proxy.port,
    caPem: proxy.caPem(),
    answer: (matches, how) => {
      const count = (request: ProxiedRequest): boolean => {
        const isMatch = matches(request);
        if (isMatch) answered += 1;
        return isMatch;
      };
      return proxy.always(count, RESPONSES[how]);
    },
    answered: () => answered,
    stop: proxy.stop,
  };
}
