import { describe, expect, test } from '@jest/globals';
import { proxyFor, proxyProblems, readProxy } from '../../../src/net/proxy.ts';

const PROXY = 'http://proxy.corp:3128/';
const isDirect = (url: string, noProxy: string): boolean =>
  proxyFor(new URL(url), { HTTPS_PROXY: PROXY, HTTP_PROXY: PROXY, NO_PROXY: noProxy }) === undefined;

// Each line is what Go 1.26's http.ProxyFromEnvironment says.
test.each<[noProxy: string, url: string, direct: boolean]>([
  ['', 'https://10.96.0.1', false],
  ['', 'https://localhost:1', true],
  ['', 'https://127.3.4.5', true],
  ['', 'https://[::1]:4', true],
  ['', 'https://0.0.0.0:8', false],
  ['*', 'https://foo.svc', true],
  ['x, *', 'https://foo.svc', true],
  ['**', 'https://foo.svc', false],
  ['10.96.0.0/12,.cluster.local', 'https://10.96.0.1', true],
  ['10.96.0.0/12', 'https://10.112.0.1', false],
  ['10.0.0.0/33', 'https://10.0.0.1', false],
  ['fd00::/8', 'https://[fd00::1]', true],
  ['fd00::1', 'https://[fd00::1]:6443', true],
  ['[fd00::1]:443', 'https://[fd00::1]', true],
  ['[fd00::1]:443', 'https://[fd00::1]:6443', false],
  ['[fd00::1]', 'https://[fd00::1]', false],
  ['10.96.0.1', 'https://10.96.0.1:6443', true],
  ['10.96.0.1:443', 'https://10.96.0.1', true],
  ['10.96.0.1:443', 'https://10.96.0.1:6443', false],
  ['::ffff:10.96.0.1', 'https://10.96.0.1', true],
  ['.1', 'https://10.96.0.1', false],
  ['foo.svc', 'https://foo.svc', true],
  ['foo.svc', 'https://a.b.foo.svc', true],
  ['svc', 'https://xsvc', false],
  ['.svc', 'https://foo.svc', true],
  ['.svc', 'https://svc', false],
  ['*.svc', 'https://foo.svc', true],
  ['*.svc', 'https://svc', false],
  ['*svc', 'https://svc', false],
  ['*.svc:443', 'https://foo.svc', true],
  ['*.svc:443', 'https://foo.svc:6443', false],
  ['*.svc:443', 'http://foo.svc', false],
  ['a, b , FOO.SVC', 'https://foo.svc', true],
  [':443', 'https://foo.svc', false],
  ['bücher.de', 'https://xn--bcher-kva.de', true],
])('NO_PROXY=%s: %s is requested directly: %s', (noProxy, url, direct) => {
  expect(isDirect(url, noProxy)).toBe(direct);
});

test.each<[Record<string, string>, string, string | undefined, string | undefined]>([
  [{ HTTPS_PROXY: PROXY }, 'https://x', PROXY, 'HTTPS_PROXY'],
  [{ https_proxy: PROXY }, 'https://x', PROXY, 'https_proxy'],
  [{ HTTPS_PROXY: '', https_proxy: PROXY }, 'https://x', PROXY, 'https_proxy'],
  [{ HTTPS_PROXY: PROXY, https_proxy: 'http://other' }, 'https://x', PROXY, 'HTTPS_PROXY'],
  [{ HTTP_PROXY: PROXY }, 'http://x', PROXY, 'HTTP_PROXY'],
  [{ HTTP_PROXY: PROXY }, 'https://x', undefined, undefined],
  [{ HTTPS_PROXY: PROXY }, 'http://x', undefined, undefined],
  [{ HTTPS_PROXY: PROXY, NO_PROXY: '', no_proxy: 'x' }, 'https://x', undefined, undefined],
  [{ HTTPS_PROXY: 'proxy.corp:3128' }, 'https://x', PROXY, 'HTTPS_PROXY'],
  [{ HTTPS_PROXY: 'user:pw@proxy.corp:3128\n' }, 'https://x', 'http://user:pw@proxy.corp:3128/', 'HTTPS_PROXY'],
  [{}, 'https://x', undefined, undefined],
])('%j: %s', (environment, url, expected, source) => {
  const proxy = proxyFor(new URL(url), environment);
  expect([proxy?.url, proxy?.source]).toEqual([expected, source]);
});

describe('a value that is no URL of a proxy', () => {
  test.each([
    'http://user:canary@',
    'http://user:canary@host:99999',
    'http://user:can%ary@host',
    'ftp://user:canary@host',
    'socks5://user:canary@host',
    'user:canary with spaces@ho st',
  ])('%s is named by its variable, without its value', (value) => {
    const problems = proxyProblems({ HTTPS_PROXY: value, http_proxy: value });
    expect(problems).toEqual([
      expect.stringMatching(/^HTTPS_PROXY must be/),
      expect.stringMatching(/^http_proxy must be/),
    ]);
    expect(problems.join()).not.toMatch(/canary|can%ary|host/);
    expect(() => readProxy(value, 'proxy-url')).toThrow(/^proxy-url must be/);
  });

  test('is none where nothing is set', () => {
    expect(proxyProblems({ HTTPS_PROXY: '', HTTP_PROXY: PROXY })).toEqual([]);
  });
});
