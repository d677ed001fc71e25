/** What counts as a success of the API server: gateways and proxies answer in its place, with redirects and pages. */
import type { IncomingHttpHeaders } from 'node:http';
import { parseJson } from '../net/json.ts';
import { errorFromContent, errorFromStatus } from './errors.ts';

/** The type of an object of the API, or of a list of them. */
export interface ObjectType {
  readonly apiVersion: string;
  readonly kind: string;
}

/** What the body of a response must be. `object`: a JSON object that has no kind, such as an OpenAPI document. */
export type Expected = ObjectType | 'object';

export type JsonObject = Readonly<Record<string, unknown>>;

interface Response {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** The object in a response. Throws KubeError for an error, a redirect, and for anything but the expected object. */
export function readResponse(what: string, { status, headers, body }: Response, expected: Expected): JsonObject {
  const content = parseJson(body.toString('utf8'));
  if (status >= 400) throw errorFromStatus(what, status, content, headers);
  if (!isSuccess(status) || !isJsonObject(content) || !isOf(content, expected))
    throw errorFromContent(what, status, expected === 'object' ? 'a JSON object' : `a ${expected.kind}`);
  return content;
}

/** Whether what follows these headers can be a watch. */
export const beginsWatch = (status: number, { 'content-type': type = '' }: IncomingHttpHeaders): boolean =>
  isSuccess(status) && /^application\/json\b/i.test(type);

const isSuccess = (status: number): boolean => status >= 200 && status < 300;

const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isOf = (object: JsonObject, expected: Expected): boolean =>
  expected === 'object' || (object['apiVersion'] === expected.apiVersion && object['kind'] === expected.kind);
