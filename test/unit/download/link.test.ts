import { describe, expect, test } from '@jest/globals';
import { type LinkFields, readLink, urlProblem } from '../../../src/download/link.ts';

const V2 = { urlV2: 'https://h/v3/file', authHeader: 'X-Key', authValue: 'value' };

test.each<[string, LinkFields, object]>([
  [
    'urlV2 before url',
    { ...V2, url: 'https://h/v2/key/file' },
    { url: V2.urlV2, header: { name: 'X-Key', value: 'value' } },
  ],
  [
    'url where the value of the header is missing',
    { ...V2, authValue: undefined, url: 'https://h/f' },
    { url: 'https://h/f', header: undefined },
  ],
  ['url alone', { url: 'https://h/f' }, { url: 'https://h/f', header: undefined }],
])('takes %s', (_what, fields, link) => {
  expect(readLink(fields)).toEqual({ kind: 'link', link });
});

test('tells what is missing', () => {
  expect(readLink({})).toEqual({ kind: 'none' });
  expect(readLink({ urlV2: V2.urlV2, authHeader: 'X-Key' })).toEqual({ kind: 'headerMissing' });
  expect(readLink({ urlV2: V2.urlV2, authValue: 'value' })).toEqual({ kind: 'headerMissing' });
});

test.each<[LinkFields]>([
  [{ url: 'http://example.com/canary' }],
  [{ url: 'ftp://example.com/canary' }],
  [{ url: 'canary' }],
  [{ ...V2, authHeader: 'X Key' }],
  [{ ...V2, authHeader: 'Host' }],
  [{ ...V2, authHeader: 'Range' }],
  [{ ...V2, authValue: 'canary\r\nX-Other: 1' }],
  [{ ...V2, authValue: 'canary\u0000' }],
  [{ ...V2, authValue: 'canary\u4e2d' }],
])('refuses %j without repeating it', (fields) => {
  const read = readLink(fields);
  expect(read.kind).toBe('unusable');
  expect(JSON.stringify(read)).not.toContain('canary');
});

describe('plain http', () => {
  test.each([
    ['http://127.0.0.1:8080/f', undefined],
    ['http://localhost/f', undefined],
    ['http://[::1]:1/f', undefined],
    ['http://ops-manager:8080/f', 'is not https'],
    ['http://127.0.0.1.example.com/f', 'is not https'],
  ])('%s: %j', (url, problem) => {
    expect(urlProblem(new URL(url), undefined)).toBe(problem);
  });

  test('is allowed at the one origin that was named', () => {
    expect(urlProblem(new URL('http://ops-manager:8080/f'), 'http://ops-manager:8080')).toBeUndefined();
    expect(urlProblem(new URL('http://ops-manager:8081/f'), 'http://ops-manager:8080')).toBe('is not https');
  });
});
