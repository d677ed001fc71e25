import { createServer, type IncomingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';
import { listen } from './listen.ts';

/** A request as it arrived, its target untouched. */
export interface RecordedRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface ScriptedAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
}

export interface RecordingServer extends AsyncDisposable {
  readonly url: string;
  readonly requests: readonly RecordedRequest[];
}

/** A server that keeps every request and answers as told: for what the Atlas simulator does not keep. */
export async function startRecordingServer(
  answer: (request: RecordedRequest) => ScriptedAnswer,
): Promise<RecordingServer> {
  const requests: RecordedRequest[] = [];
  const server = createServer();
  server.on('request', (message, response) => {
    void text(message).then((body) => {
      const { method = '', url: target = '', headers } = message;
      const request = { method, target, headers, body };
      requests.push(request);
      const { status, headers: answered = {}, body: content = '' } = answer(request);
      for (const [name, value] of Object.entries(answered)) {
        response.setHeader(name, typeof value === 'string' ? value : [...value]);
      }
      response.writeHead(status).end(content);
    });
  });
  const port = await listen(server);
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
