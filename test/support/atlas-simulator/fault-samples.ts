import { apiError, tokenBucketError } from './api-error.ts';
import type { Fault } from './faults.ts';
import type { JsonObject, JsonValue } from './json.ts';

/** The recorded 429 of a token bucket. `retryAfter` is the header as sent: seconds, an HTTP date, or none of the two. */
export function rateLimited(retryAfter: string | undefined, seconds = 55): Fault {
  const bucket = { capacity: 10, refill: 5, periodSeconds: 60 };
  return {
    kind: 'status',
    status: 429,
    json: tokenBucketError('api/atlas/v1.0/groups', seconds, bucket),
    headers: {
      'X-Error-Code': 'RATE_LIMITED_TOKEN_BUCKET',
      'RateLimit-Limit': String(bucket.capacity),
      'RateLimit-Remaining': '0',
      ...(retryAfter === undefined ? {} : { 'Retry-After': retryAfter }),
    },
  };
}

/** Any ApiError, with its header. */
export function failing(status: number, errorCode: string, detail = 'Scripted failure.'): Fault {
  return { kind: 'status', status, json: apiError(status, errorCode, detail), headers: { 'X-Error-Code': errorCode } };
}

/** The usual answer with the headers of a deprecated version (dates as in RFC 9745 and RFC 8594). */
export function deprecated(deprecation: string, sunset: string): Fault {
  return {
    kind: 'transform',
    transform: (answer) => ({ ...answer, headers: { ...answer.headers, Deprecation: deprecation, Sunset: sunset } }),
  };
}

/** The usual page of a list with other items. For requests that the credentials let through. */
export function otherItems(change: (items: readonly JsonObject[]) => readonly JsonValue[]): Fault {
  return {
    kind: 'transform',
    transform: (answer) => {
      const page: { readonly results?: readonly JsonObject[] } = JSON.parse(answer.body.toString());
      if (page.results === undefined) return answer;
      return { ...answer, body: JSON.stringify({ ...page, results: change(page.results) }) };
    },
  };
}

/** A 200 whose JSON ends in the middle, with a correct Content-Length. */
export function truncatedJson(body: JsonObject): Fault {
  const text = JSON.stringify(body);
  return { kind: 'body', body: text.slice(0, Math.floor(text.length / 2)) };
}

/** A 200 with a JSON text that is no UTF-8. */
export function invalidUtf8(): Fault {
  const bytes = [Buffer.from('{"id":"'), Buffer.from([0xc3, 0x28, 0xff]), Buffer.from('"}')];
  return { kind: 'body', body: Buffer.concat(bytes) };
}

/** A 200 whose Content-Length differs from the body by `difference` bytes, before the connection is closed. */
export function wrongContentLength(body: JsonObject, difference: number): Fault {
  const text = JSON.stringify(body);
  const length = Buffer.byteLength(text) + difference;
  return {
    kind: 'raw',
    bytes: `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${text}`,
  };
}

/** The body with one more member, a string of this many bytes. */
export function oversized(body: JsonObject, bytes = 5 * 1024 * 1024): Fault {
  return { kind: 'body', body: JSON.stringify({ ...body, padding: 'x'.repeat(bytes) }) };
}

/** The body with one more member, arrays inside of arrays. */
export function deeplyNested(body: JsonObject, depth = 100_000): Fault {
  // Put together as text: JSON.stringify recurses.
  const text = JSON.stringify(body).slice(0, -1);
  return { kind: 'body', body: `${text},"nested":${'['.repeat(depth)}${']'.repeat(depth)}}` };
}

/** The body with this many hashes. */
export function manyHashes(body: JsonObject, count = 10_000): Fault {
  const hashes = Array.from({ length: count }, (_, index) => ({
    fileName: `shard-${index}.tar.gz`,
    hash: index.toString(16).padStart(40, '0'),
    typeName: 'SHA1',
  }));
  return { kind: 'body', body: JSON.stringify({ ...body, hashes }) };
}
