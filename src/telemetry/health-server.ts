/** /livez, /readyz and /metrics. */
import { createServer, type Server, type ServerResponse } from 'node:http';

/** What keeps a probe from succeeding, one sentence each; none means that it succeeds. */
type Probe = () => readonly string[];

export interface HealthServerOptions {
  readonly address: { readonly host: string; readonly port: number };
  readonly live: Probe;
  readonly ready: Probe;
  /** What needs attention without keeping the operator from being ready, one sentence each. */
  readonly notes: () => readonly string[];
  /** Text in Prometheus's exposition format, and its content type. */
  readonly metrics: () => Promise<{ readonly body: string; readonly contentType: string }>;
}

/** Listens; rejects when the address cannot be bound. */
export async function startHealthServer({
  address,
  live,
  ready,
  notes,
  metrics,
}: HealthServerOptions): Promise<Server> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') answer(response, 405, 'method not allowed\n');
    else if (path === '/livez') answerProbe(response, live(), []);
    else if (path === '/readyz') answerProbe(response, ready(), notes());
    else if (path === '/metrics') {
      metrics().then(
        ({ body, contentType }) => answer(response, 200, body, contentType),
        () => answer(response, 500, 'metrics are not available\n'),
      );
    } else answer(response, 404, 'not found: try /livez, /readyz or /metrics\n');
  });
  // A client that never ends its request must not hold a connection open.
  server.requestTimeout = 10_000;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen({ port: address.port, ...(address.host === '' ? {} : { host: address.host }) }, resolve);
  await promise;
  return server;
}

function answerProbe(response: ServerResponse, problems: readonly string[], notes: readonly string[]): void {
  if (problems.length === 0) answer(response, 200, lines(['ok', ...notes]));
  else answer(response, 503, lines([...problems, ...notes]));
}

const lines = (sentences: readonly string[]): string => sentences.map((sentence) => `${sentence}\n`).join('');

function answer(
  response: ServerResponse,
  status: number,
  body: string,
  contentType = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, { 'content-type': contentType, 'x-content-type-options': 'nosniff' });
  response.end(body);
}
