import type { ServerResponse } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { Answer } from './answer.ts';

/** What goes over the wire for one request. All but `answer` break HTTP on purpose. */
export type Reply =
  | { readonly kind: 'answer'; readonly answer: Answer }
  /** These bytes are the whole HTTP message; then the connection is closed. */
  | { readonly kind: 'raw'; readonly bytes: string | Uint8Array }
  /** The connection is cut: with a TCP reset before anything was sent, or in the middle of the body. */
  | { readonly kind: 'reset'; readonly phase: 'before-answer' | 'mid-body'; readonly answer: Answer }
  /** The connection stays and nothing more is sent: from the start, in the middle of the headers, or of the body. */
  | { readonly kind: 'stall'; readonly phase: 'accept' | 'headers' | 'body'; readonly answer: Answer };

/** The status that the client gets to see, if any. */
export function statusOf(reply: Reply): number | undefined {
  return reply.kind === 'answer' ? reply.answer.status : undefined;
}

/** Writes a reply. Does nothing when the client has gone. */
export function send(reply: Reply, response: ServerResponse): void {
  const { socket } = response;
  if (socket === null || socket.destroyed) return;
  switch (reply.kind) {
    case 'answer':
      writeHead(reply.answer, response);
      response.end(reply.answer.body);
      return;
    case 'raw':
      socket.end(reply.bytes);
      return;
    case 'reset':
      if (reply.phase === 'mid-body') writeHalf(reply.answer, response, () => socket.destroy());
      // A TLS socket cannot send a TCP reset: there the client sees the connection end without an answer.
      else if (socket instanceof TLSSocket) socket.destroy();
      else socket.resetAndDestroy();
      return;
    case 'stall':
      if (reply.phase === 'headers') socket.write('HTTP/1.1 200 OK\r\nContent-Type: applica');
      if (reply.phase === 'body') writeHalf(reply.answer, response, () => undefined);
      return;
  }
}

function writeHead({ status, headers, body }: Answer, response: ServerResponse): void {
  const lines = Object.entries(headers).map(([name, value]): [string, string | string[]] => [
    name,
    typeof value === 'string' ? value : [...value],
  ]);
  response.writeHead(status, { ...Object.fromEntries(lines), 'Content-Length': Buffer.byteLength(body) });
}

function writeHalf(answer: Answer, response: ServerResponse, written: () => void): void {
  const bytes = Buffer.from(answer.body);
  writeHead({ ...answer, body: bytes }, response);
  response.write(bytes.subarray(0, Math.ceil(bytes.length / 2)), written);
}
