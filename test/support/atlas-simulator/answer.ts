import type { JsonValue } from './json.ts';

/** Response headers; an array becomes one header line for each element. */
export type AnswerHeaders = Readonly<Record<string, string | readonly string[]>>;

/** A complete HTTP answer before it is written to the socket. `Content-Length` is added when it is written. */
export interface Answer {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly body: string | Uint8Array;
}

/** The endpoint's two query parameters. */
export interface AnswerFormat {
  /** HTTP 200 around `{status, content}`, for clients that cannot see the HTTP status. */
  readonly envelope: boolean;
  readonly pretty: boolean;
}

/** The format when the query asks for nothing. */
export const PLAIN: AnswerFormat = { envelope: false, pretty: false };

/** A JSON answer in the wanted format. The headers stay outside of the envelope. */
export function jsonAnswer(status: number, json: JsonValue, headers: AnswerHeaders = {}, format = PLAIN): Answer {
  const content = format.envelope ? { status, content: json } : json;
  return {
    status: format.envelope ? 200 : status,
    headers: { 'Content-Type': 'application/json', ...headers },
    body: format.pretty ? JSON.stringify(content, null, 2) : JSON.stringify(content),
  };
}
