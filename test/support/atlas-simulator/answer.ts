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
  /** HTTP 200 around the status and, in this member, the answer: for clients that cannot see the HTTP status. */
  readonly envelope: 'none' | 'content' | 'envelope';
  readonly pretty: boolean;
}

/** The format when the query asks for nothing. */
export const PLAIN: AnswerFormat = { envelope: 'none', pretty: false };

/** A JSON answer in the wanted format. The headers stay outside of the envelope. */
export function jsonAnswer(status: number, json: JsonValue, headers: AnswerHeaders = {}, format = PLAIN): Answer {
  const isWrapped = format.envelope !== 'none';
  const content = isWrapped ? { status, [format.envelope]: json } : json;
  return {
    status: isWrapped ? 200 : status,
    headers: { 'Content-Type': 'application/json', ...headers },
    body: format.pretty ? JSON.stringify(content, null, 2) : JSON.stringify(content),
  };
}
