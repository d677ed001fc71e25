/** A TCP proxy that does to connections what networks do to them. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Transform, type TransformCallback } from 'node:stream';
import { listen } from './listen.ts';

export interface TcpProxy {
  readonly port: number;
  /** Connections that are open. */
  readonly open: () => number;
  /** Connections that were opened since the start. */
  readonly opened: () => number;
  /** Ends every connection with a TCP reset, but for those on which nothing passes. */
  readonly resetAll: () => void;
  /** From now on nothing passes on the connections that are open, and nobody is told; new ones work. */
  readonly freezeOpen: () => void;
  /** As `freezeOpen`, and new connections are accepted but nothing passes on them either, until `thaw`. */
  readonly blackHole: () => void;
  /** New connections work again; frozen ones stay dead. */
  readonly thaw: () => void;
  /** What the server sends on new connections is cut into pieces of so many bytes; 0 passes it as it comes. */
  readonly cutInto: (bytes: number) => void;
  /** New connections are reset once the server has sent so many bytes on them; undefined lets them live. */
  readonly resetAfter: (bytes: number | undefined) => void;
  readonly stop: () => Promise<void>;
}

/** Starts a proxy on a port of the loopback interface to another one there. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  /** Pairs on which nothing passes any more, not even a reset. */
  const silent = new Set<readonly [Socket, Socket]>();
  let opened = 0;
  let holed = false;
  let pieceBytes = 0;
  let lifeBytes: number | undefined;

  const server = createServer((client) => {
    opened += 1;
    const upstream = connect(targetPort, '127.0.0.1');
    const pair = [client, upstream] as const;
    pairs.add(pair);
    const end = (): void => {
      pairs.delete(pair);
      silent.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of pair) socket.on('error', end).on('close', end);
    if (holed) {
      silent.add(pair);
      return;
    }
    client.pipe(upstream);
    upstream.pipe(cutting(pieceBytes, lifeBytes, () => client.resetAndDestroy())).pipe(client);
  });
  const port = await listen(server);

  const freezeOpen = (): void => {
    for (const pair of pairs) {
      const [client, upstream] = pair;
      silent.add(pair);
      client.unpipe();
      upstream.unpipe();
      client.pause();
      upstream.pause();
    }
  };

  return {
    port,
    open: () => pairs.size,
    opened: () => opened,
    resetAll: () => {
      for (const pair of pairs) if (!silent.has(pair)) pair[0].resetAndDestroy();
    },
    freezeOpen,
    blackHole: () => {
      holed = true;
      freezeOpen();
    },
    thaw: () => {
      holed = false;
    },
    cutInto: (bytes) => {
      pieceBytes = bytes;
    },
    resetAfter: (bytes) => {
      lifeBytes = bytes;
    },
    stop: async () => {
      for (const [client, upstream] of pairs) {
        client.destroy();
        upstream.destroy();
      }
      server.close();
      await once(server, 'close');
    },
  };
}

/** Passes bytes in small pieces, each in a turn of the event loop of its own, and calls `onEnd` after so many. */
function cutting(pieceBytes: number, lifeBytes: number | undefined, onEnd: () => void): Transform {
  let sent = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, callback: TransformCallback) {
      const size = pieceBytes === 0 ? chunk.length : pieceBytes;
      const next = (offset: number): void => {
        if (lifeBytes !== undefined && sent >= lifeBytes) {
          onEnd();
          return;
        }
        if (offset >= chunk.length) {
          callback();
          return;
        }
        const piece = chunk.subarray(offset, offset + size);
        sent += piece.length;
        this.push(piece);
        setImmediate(next, offset + size);
      };
      next(0);
    },
  });
}
