import { createServer, IncomingMessage, ServerResponse } from 'node:http';
import { createSecureServer, type Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Server, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { apiErrorAnswer, internalError } from './api-error.ts';
import { createAtlas } from './atlas.ts';
import { type AtlasRequest, readTarget } from './atlas-request.ts';
import { parseAuthorization } from './authorization.ts';
import { type Behavior, DEFAULT_BEHAVIOR } from './behavior.ts';
import type { Credentials } from './credentials.ts';
import type { Faults } from './faults.ts';
import { createFiles, FILES_PATH, type FileRequest, type Files } from './files.ts';
import { sendOverHttp2 } from './http2-reply.ts';
import type { Jobs } from './jobs.ts';
import { type Reply, send, statusOf } from './reply.ts';
import type { RequestLog } from './request-log.ts';

/** How a simulator starts. What is not given is as in `DEFAULT_BEHAVIOR`. */
export interface AtlasSimulatorOptions extends Partial<Behavior> {
  /** Address to listen on; default 127.0.0.1. */
  readonly host?: string;
  /** Default: a free one. */
  readonly port?: number;
  /** PEM texts; with them the simulator speaks TLS and, as Atlas does, HTTP/2 with whoever offers it, else HTTP/1.1. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** The clock, in milliseconds since the epoch: tests can let lifetimes pass without waiting. Delays use the real clock. */
  readonly now?: () => number;
  /** Told of every request as it has arrived, before it is answered. */
  readonly onRequest?: (request: AtlasRequest) => void;
  /** Told of every request for a file as it is answered. */
  readonly onFileRequest?: (request: FileRequest) => void;
}

/** A running simulator: Atlas's endpoints of legacy restore jobs and their authentication, over HTTP. */
export interface AtlasSimulator
  extends AsyncDisposable,
    Pick<Credentials, 'addApiKey' | 'removeApiKey' | 'addServiceAccount' | 'removeServiceAccount'>,
    Pick<Jobs, 'addCluster' | 'putJob' | 'setBody' | 'advance' | 'removeJob'> {
  /** Base URL without a slash at the end. */
  readonly url: string;
  readonly requests: RequestLog;
  readonly faults: Faults;
  /** What is served from paths below `/backup/restore/`, as the download hosts of Atlas do. */
  readonly files: Files;
  /** Ends every access token of a service account. */
  revokeAllTokens(clientId: string): void;
  /** Makes every Digest nonce issued so far stale. */
  expireNonces(): void;
  /** Changes what is given and leaves the rest, from the next request on. */
  configure(changes: Partial<Behavior>): void;
  /** Cuts all connections, stalled ones too, and stops listening. */
  stop(): Promise<void>;
}

/** Starts a simulator that knows no credentials and no jobs yet. Rejects when it cannot listen. */
export async function startAtlasSimulator(options: AtlasSimulatorOptions = {}): Promise<AtlasSimulator> {
  const { host = '127.0.0.1', port = 0, tls, now = () => Date.now(), onRequest, onFileRequest, ...changed } = options;
  let behavior: Behavior = { ...DEFAULT_BEHAVIOR, ...changed };
  const atlas = createAtlas(() => behavior, now);
  const { files, serve: serveFile } = createFiles(onFileRequest);
  const stopping = new AbortController();

  async function serve(message: Message, response: Response): Promise<void> {
    const request = await readRequest(message);
    onRequest?.(request);
    const reply = await atlas.reply(request, stopping.signal);
    // Counted before it is sent: a client that has its answer finds it in the counters.
    atlas.recorder.answered(statusOf(reply));
    sendOver(response, reply);
  }

  function listener(message: Message, response: Response): void {
    const isFile = message.url?.startsWith(FILES_PATH) === true;
    // Atlas's download hosts are others than its API's. HTTP/1.1 is enough to be one.
    if (isFile && message instanceof IncomingMessage && response instanceof ServerResponse) {
      serveFile(message, response);
      return;
    }
    serve(message, response).catch((error: unknown) => {
      // Neither a client that left in the middle of its request nor the stop of the simulator is a failure.
      if (message.socket.destroyed || stopping.signal.aborted) return;
      console.error('The Atlas simulator failed:', error);
      sendOver(response, INTERNAL_ERROR);
    });
  }

  const server =
    tls === undefined ? createServer(listener) : createSecureServer({ ...tls, allowHTTP1: true }, listener);
  const sockets = trackSockets(server);
  const url = `${tls === undefined ? 'http' : 'https'}://${host}:${await listen(server, port, host)}`;

  async function stop(): Promise<void> {
    stopping.abort();
    const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
    // Not server.closeAllConnections(): it overlooks a socket in the middle of its TLS handshake.
    for (const socket of sockets) socket.destroy();
    atlas.recorder.close();
    await closed;
  }

  return {
    ...atlas.credentials,
    ...atlas.jobs,
    url,
    requests: atlas.recorder.log,
    faults: atlas.faults,
    files,
    revokeAllTokens: (clientId) => atlas.revokeAllTokens(clientId),
    expireNonces: () => atlas.expireNonces(),
    configure(changes) {
      behavior = { ...behavior, ...changes };
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

type Message = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

function sendOver(response: Response, reply: Reply): void {
  if (response instanceof Http2ServerResponse) sendOverHttp2(reply, response);
  else send(reply, response);
}

const INTERNAL_ERROR: Reply = { kind: 'answer', answer: apiErrorAnswer(internalError()) };

async function readRequest(message: Message): Promise<AtlasRequest> {
  const { method = '', url: target = '', headers, rawHeaders, socket } = message;
  return {
    method,
    target,
    ...readTarget(target),
    // Joined, so that two of them are malformed; `headers` would silently keep the first.
    authorization: parseAuthorization(joinedHeader(rawHeaders, 'authorization')),
    accept: joinedHeader(rawHeaders, 'accept') ?? '',
    contentType: headers['content-type'] ?? '',
    body: await text(message),
    address: socket.remoteAddress ?? '',
  };
}

/** All values of a header; undefined where there is none. */
function joinedHeader(rawHeaders: readonly string[], name: string): string | undefined {
  const values = rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name);
  return values.length === 0 ? undefined : values.join();
}

function trackSockets(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
}

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}
