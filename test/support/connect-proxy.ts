/** An HTTP proxy that opens tunnels (CONNECT), sends plain requests on, and remembers to where. */
import { once } from 'node:events';
import { createServer, request as sendOn } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { listen } from './listen.ts';

export interface ConnectProxy {
  readonly url: string;
  /** `host:port` of every tunnel that was asked for. */
  readonly tunnels: readonly string[];
  /** The URL of every request that was to be sent on. */
  readonly forwarded: readonly string[];
  readonly stop: () => Promise<void>;
}

interface ConnectProxyOptions {
  /** The status with which it refuses everything. */
  readonly refuseWith?: number;
}

/** Names below `.test` are this machine, for the proxy alone. */
export async function startConnectProxy({ refuseWith }: ConnectProxyOptions = {}): Promise<ConnectProxy> {
  const tunnels: string[] = [];
  const forwarded: string[] = [];
  const sockets = new Set<Duplex>();
  const server = createServer((request, response) => {
    const target = new URL(request.url ?? '');
    forwarded.push(target.href);
    if (refuseWith !== undefined) {
      response.writeHead(refuseWith).end('refused');
      return;
    }
    const { hostname, port, pathname, search } = target;
    const { method, headers } = request;
    const upstream = sendOn({ host: addressOf(hostname), port, path: pathname + search, method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    upstream.on('error', () => response.destroy());
    request.pipe(upstream);
  });
  server.on('connect', (request, client: Duplex, head: Buffer) => {
    const target = request.url ?? '';
    tunnels.push(target);
    if (refuseWith !== undefined) {
      client.end(`HTTP/1.1 ${refuseWith} Refused\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const { hostname, port } = new URL(`http://${target}`);
    const upstream = connect(Number(port || 80), addressOf(hostname), () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      upstream.write(head);
      upstream.pipe(client).pipe(upstream);
    });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
    }
  });
  const port = await listen(server);
  return {
    url: `http://127.0.0.1:${port}`,
    tunnels,
    forwarded,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const addressOf = (hostname: string): string => (hostname.endsWith('.test') ? '127.0.0.1' : hostname);
