import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Asked, meaningOf, rangeHeaders, readContentRange, strongEtag } from '../../../src/download/response.ts';

const NOW = Date.UTC(2026, 10, 27);
const WHOLE: Asked = { offset: 0, etag: undefined, length: undefined };
const REST: Asked = { offset: 100, etag: '"v1"', length: 300 };
const meaning = (status: number, headers: Readonly<Record<string, string>> = {}, asked: Asked = WHOLE) =>
  meaningOf({ status, headers }, asked, NOW);

describe('a whole file', () => {
  test('in chunks, with a length, or until the connection ends', () => {
    const body = { kind: 'body', offset: 0, confirmed: true };
    expect(meaning(200, { 'transfer-encoding': 'chunked', etag: '"v1"' })).toEqual({
      ...body,
      facts: { etag: '"v1"', length: undefined },
      framed: true,
    });
    expect(meaning(200, { 'content-length': '300', etag: 'W/"v1"' })).toEqual({
      ...body,
      facts: { etag: undefined, length: 300 },
      framed: true,
    });
    expect(meaning(200)).toEqual({ ...body, facts: { etag: undefined, length: undefined }, framed: false });
  });

  test.each([{ 'content-encoding': 'gzip' }, { 'transfer-encoding': 'gzip, chunked' }])(
    'in the encoding %j, which nobody asked for, can be other bytes',
    (encoding) => {
      expect(meaning(200, encoding)).toMatchObject({ kind: 'body', confirmed: false });
    },
  );

  test('in place of the rest begins with its first byte', () => {
    expect(meaning(200, { 'content-length': '300' }, REST)).toMatchObject({ kind: 'body', offset: 0 });
  });
});

describe('the rest of a file', () => {
  const range = 'bytes 100-299/300';

  test('is confirmed by the strong ETag that it began with', () => {
    expect(meaning(206, { 'content-range': range, etag: '"v1"' }, REST)).toEqual({
      kind: 'body',
      offset: 100,
      facts: { etag: '"v1"', length: 300 },
      framed: true,
      confirmed: true,
    });
  });

  test.each<[string, Readonly<Record<string, string>>, Partial<Asked>]>([
    ['no ETag', { 'content-range': range }, {}],
    ['a weak ETag', { 'content-range': range, etag: 'W/"v1"' }, { etag: undefined }],
    ['the right ETag of an encoding', { 'content-range': range, etag: '"v1"', 'content-encoding': 'gzip' }, {}],
    ['a strong ETag, where the beginning had none', { 'content-range': range, etag: '"v1"' }, { etag: undefined }],
  ])('is not confirmed by %s', (_what, headers, asked) => {
    expect(meaning(206, headers, { ...REST, ...asked })).toMatchObject({ kind: 'body', confirmed: false });
  });

  test.each<[string, Readonly<Record<string, string>>]>([
    ['no Content-Range', {}],
    ['several ranges', { 'content-type': 'multipart/byteranges; boundary=x' }],
    ['another beginning', { 'content-range': 'bytes 99-299/300' }],
    ['another length', { 'content-range': 'bytes 100-399/400' }],
    ['another ETag', { 'content-range': range, etag: '"v2"' }],
    ['a Content-Length that is not that of the range', { 'content-range': range, 'content-length': '300' }],
  ])('is not that with %s', (_what, headers) => {
    expect(meaning(206, headers, REST)).toEqual({ kind: 'otherRange', status: 206 });
  });

  test('without the length of the whole tells no end', () => {
    const asked = { ...REST, length: undefined };
    expect(meaning(206, { 'content-range': 'bytes 100-299/*' }, asked)).toMatchObject({ framed: false });
    expect(meaning(206, { 'content-range': 'bytes 100-299/*' }, REST)).toMatchObject({ framed: true });
  });

  test('was not asked for', () => {
    expect(meaning(206, { 'content-range': 'bytes 0-299/300' })).toEqual({ kind: 'otherRange', status: 206 });
  });
});

describe('any other response', () => {
  test.each([401, 403, 404, 410])('%i: the link does not open the file', (status) => {
    expect(meaning(status, {}, REST)).toEqual({ kind: 'denied', status });
  });

  test.each([408, 425, 429, 500, 502, 503, 504, 599])('%i may pass, in the time that it asks for', (status) => {
    expect(meaning(status)).toEqual({ kind: 'unavailable', status, waitMs: undefined });
    expect(meaning(status, { 'retry-after': '7' })).toEqual({ kind: 'unavailable', status, waitMs: 7_000 });
  });

  test.each([301, 302, 303, 307, 308])('%i is a redirect', (status) => {
    expect(meaning(status, { location: '/x' })).toEqual({ kind: 'redirect', location: '/x' });
    expect(meaning(status)).toEqual({ kind: 'redirect', location: '' });
  });

  test.each([412, 416])('%i makes a request for the rest start over, and refuses one for all', (status) => {
    expect(meaning(status, {}, REST)).toEqual({ kind: 'otherRange', status });
    expect(meaning(status)).toEqual({ kind: 'refused', status });
  });

  test('416 with the length that is there already: nothing is left', () => {
    expect(meaning(416, { 'content-range': 'bytes */100' }, REST)).toEqual({ kind: 'nothingLeft', length: 100 });
    expect(meaning(416, { 'content-range': 'bytes */99' }, REST)).toEqual({ kind: 'otherRange', status: 416 });
  });

  test.each([201, 204, 300, 304, 400, 405, 407, 451])('%i is refused', (status) => {
    expect(meaning(status)).toEqual({ kind: 'refused', status });
  });
});

describe('Content-Range', () => {
  test('is read as it was written', () => {
    const range = fc
      .tuple(fc.maxSafeNat(), fc.maxSafeNat(), fc.maxSafeNat(), fc.boolean())
      .map(([a, b, more, known]) => {
        const bound = 10 ** 14;
        const [first = 0, last = 0] = [a % bound, b % bound].sort((x, y) => x - y);
        return { first, last, length: known ? last + 1 + (more % bound) : undefined };
      });
    fc.assert(
      fc.property(range, ({ first, last, length }) => {
        expect(readContentRange(`bytes ${first}-${last}/${length ?? '*'}`)).toEqual({ first, last, length });
      }),
    );
  });

  test.each([
    undefined,
    '',
    'bytes */300',
    'bytes 5-4/300',
    'bytes 5-300/300',
    'bytes -5/300',
    'bytes 1-2',
    'bytes 1-2/3/4',
    'items 1-2/3',
    ' bytes 1-2/3',
    'bytes 1.5-2/3',
    'bytes 1-2/9999999999999999',
  ])('%j is none', (value) => {
    expect(readContentRange(value)).toBeUndefined();
  });
});

test.each<[string | undefined, string | undefined]>([
  ['"v1"', '"v1"'],
  ['""', '""'],
  ['W/"v1"', undefined],
  ['v1', undefined],
  ['"a"b"', undefined],
  ['"a\nb"', undefined],
  [`"${'a'.repeat(201)}"`, undefined],
  [undefined, undefined],
])('of the ETag %j, %j is strong', (etag, expected) => {
  expect(strongEtag(etag === undefined ? {} : { etag })).toBe(expected);
});

test('If-Range goes with a Range only where there is a strong ETag', () => {
  expect(rangeHeaders(WHOLE)).toEqual({});
  expect(rangeHeaders({ ...WHOLE, etag: '"v1"' })).toEqual({});
  expect(rangeHeaders(REST)).toEqual({ range: 'bytes=100-', 'if-range': '"v1"' });
  expect(rangeHeaders({ ...REST, etag: undefined })).toEqual({ range: 'bytes=100-' });
});
