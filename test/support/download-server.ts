/** The server that restore files come from: as Atlas's, it gives a file only to who has its key. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { listen } from './listen.ts';

export interface DownloadServer {
  /** Needs the header. */
  readonly urlV2: string;
  /** Has the key in its path. */
  readonly url: string;
  readonly sha1: string;
  /** Paths that a file was given for. */
  readonly downloads: readonly string[];
  /** Resolves when the next file has been sent. */
  readonly next: () => Promise<void>;
  /** Resolves when it no longer listens. */
  readonly stop: () => Promise<void>;
}

export interface DownloadServerOptions {
  readonly content: Uint8Array;
  readonly header: string;
  readonly key: string;
}

/** Listens on a free port of the loopback interface. */
export async function startDownloadServer({ content, header, key }: DownloadServerOptions): Promise<DownloadServer> {
  const downloads: string[] = [];
  const waiting: (() => void)[] = [];
  const server = createServer((request, response) => {
    const { url = '', headers } = request;
    const allowed =
      url === `/v1/${key}/file.tar.gz` || (url === '/v2/file.tar.gz' && headers[header.toLowerCase()] === key);
    if (!allowed) {
      response.writeHead(403).end('the key is missing\n');
      return;
    }
    response.on('finish', () => {
      downloads.push(url);
      for (const resolve of waiting.splice(0)) resolve();
    });
    response.writeHead(200, { 'content-length': content.length }).end(content);
  });
  const port = await listen(server);
  return {
    urlV2: `http://127.0.0.1:${port}/v2/file.tar.gz`,
    url: `http://127.0.0.1:${port}/v1/${key}/file.tar.gz`,
    sha1: createHash('sha1').update(content).digest('hex'),
    downloads,
    next: () => new Promise((resolve) => waiting.push(resolve)),
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
