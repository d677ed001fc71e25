import type { Http2ServerResponse } from 'node:http2';
import type { Answer } from './answer.ts';
import type { Reply } from './reply.ts';

/** Writes a reply to an HTTP/2 stream. Does nothing when the client has gone. */
export function sendOverHttp2(reply: Reply, response: Http2ServerResponse): void {
  if (response.stream.destroyed) return;
  switch (reply.kind) {
    case 'answer':
      writeHead(reply.answer, response);
      response.end(reply.answer.body);
      return;
    // Bytes of HTTP/1.1 mean nothing here: like a reset, the end of the connection.
    case 'raw':
      cut(response);
      return;
    case 'reset':
      if (reply.phase === 'mid-body') writeHalf(reply.answer, response, () => cut(response));
      else cut(response);
      return;
    case 'stall':
      // The headers are one frame: there is no middle of them.
      if (reply.phase === 'body') writeHalf(reply.answer, response, () => undefined);
      return;
  }
}

/** Of the connection, with all other streams on it. */
const cut = ({ stream }: Http2ServerResponse): void => stream.session?.destroy();

function writeHead({ status, headers, body }: Answer, response: Http2ServerResponse): void {
  const lines = Object.entries(headers).map(([name, value]): [string, string | string[]] => [
    name,
    typeof value === 'string' ? value : [...value],
  ]);
  response.writeHead(status, { ...Object.fromEntries(lines), 'Content-Length': Buffer.byteLength(body) });
}

function writeHalf(answer: Answer, response: Http2ServerResponse, written: () => void): void {
  const bytes = Buffer.from(answer.body);
  writeHead({ ...answer, body: bytes }, response);
  response.write(bytes.subarray(0, Math.ceil(bytes.length / 2)), 'utf8', written);
}
