/**
 * A download host as a process of its own: GET /<bytes> sends so many bytes in chunks, the same at every run. Told over
 * the IPC channel nothing, it tells its port.
 */
import { createServer, type ServerResponse } from 'node:http';
import { listen } from '../test/support/listen.ts';
import { BLOCK } from './file-content.ts';

const server = createServer(({ url = '' }, response) => {
  send(response, Number(url.slice(url.lastIndexOf('-') + 1)));
});
process.send?.({ port: await listen(server) });
process.once('disconnect', () => process.exit(0));

function send(response: ServerResponse, bytes: number): void {
  let rest = bytes;
  const more = (): void => {
    while (rest > 0) {
      const chunk = rest >= BLOCK.byteLength ? BLOCK : BLOCK.subarray(0, rest);
      rest -= chunk.byteLength;
      if (!response.write(chunk)) {
        response.once('drain', more);
        return;
      }
    }
    response.end();
  };
  more();
}
