/** The chart refuses every setting that the operator would refuse at startup. No cluster is needed. */
import { describe, expect, test } from '@jest/globals';
import { listSettings, readSettings } from '../../src/config/settings.ts';
import { environmentOf, helmTemplate } from '../support/manifests.ts';

const variableOf = (key: string): string => listSettings().find((setting) => setting.key === key)?.variable ?? '';

describe('what helm accepts, the operator takes', () => {
  const words = (...lines: readonly string[]): readonly string[] => lines.flatMap((line) => line.split(' '));
  const BASE_URLS = [
    ...words(
      'https://atlas.example.com https://a_b.example.com./ https://10.0.0.1:8443/ops https://[fd00::1]/a//b/',
      'http://localhost:8080 http://127.0.0.1 http://[::1]:1 https://x/apis/v1 https://x/api/v1 https://x:65535',
      'http://atlas http://localhost.example.com http://127.example.com http://127.0.0.256 ftp://x x https://',
      'https://x:65536 https://256.1.1.1 https://1.2.3.4.5 https://x.5 https://[:::] https://[1:2:3:4:5:6:7:8]',
      'https://user:key@x https://user@x https://x?a=b https://x/? https://x/#a',
      'https://x/api https://x//api/ https://x/api/atlas/v1.0 https://x/ops/api/public https://x/api//oauth',
      String.raw`https://x/a/../api https://x/./api https://x/%2e/api https://x\api`,
    ),
    'https://x y',
    'https://x\n',
  ];
  const DURATIONS = words(
    '1ns 99ms 99.9ms 100ms 99999us 100000µs 0.1s 5s 9s999ms 9s1000ms 9999ms 10s 1m 10m 10m1ns 10m1ms 600s1ms',
    '0.5h 24h 23h60m 24h1ms 1440m0.001s 25h 1e3s -1s 10',
  );
  const NUMBERS = [-1, 0, 0.5, 1, 1000, 1001, 1_000_000, 1_000_001];
  const PROBES: readonly (readonly [string, string | number])[] = [
    ...BASE_URLS.map((value) => ['atlasBaseUrl', value] as const),
    ...['atlasTimeout', 'defaultInterval'].flatMap((key) => DURATIONS.map((value) => [key, value] as const)),
    ...['atlasRequestsPerMinute', 'concurrency'].flatMap((key) => NUMBERS.map((value) => [key, value] as const)),
  ];
  /** What the schema refuses although the operator would take it: harmless, and simpler to describe. */
  const STRICTER = new Set(['https://x/?', 'https://x/#a', 'https://x\n']);

  test.each(PROBES)('settings.%s=%j: both or neither', async (key, value) => {
    const accepted = await helmTemplate({ settings: { [key]: value } }).then(
      (manifests) => readSettings([], environmentOf(manifests)).ok,
      () => 'refused',
    );
    const isTaken = readSettings([], { [variableOf(key)]: String(value) }).ok;
    expect(accepted).toBe(isTaken && !STRICTER.has(String(value)) ? true : 'refused');
  });

  test.each([
    ...words(
      'shard shard=a shard==a shard!=a shard= !shard a,b=c,!d example.com/shard=a x_Y.z=x_Y.z weight>5 weight<5',
      'in notin=in shard=a, ,shard=a shard=-a Example.com/shard=a /shard shard/ a/b/c !shard=a shard=(a) weight>a',
      'shard(a) shard>=5 weight>-5 shard=a=b !!shard shard===a shard~a shard=a&limit=1 shard=a|b shard="a"',
    ),
    '',
    ' ',
    ' shard = a , ! canary ',
    'shard\n=\ta',
    'shard in (a,b)',
    'shard notin(a)',
    'in in (in)',
    'shard in ()',
    'shard in (,a)',
    'shard in',
    'shard in a',
    'shard in (a b)',
    'shard in (a',
    'shard on (a)',
    'shard a',
    'x'.repeat(63),
    'x'.repeat(64),
    `shard=${'x'.repeat(63)}`,
    `shard=${'x'.repeat(64)}`,
  ])('labelSelector=%j: both or neither', async (labelSelector) => {
    const accepted = await helmTemplate({ labelSelector }).then(
      (manifests) => readSettings([], environmentOf(manifests)).ok,
      () => 'refused',
    );
    expect(accepted).toBe(readSettings([`--label-selector=${labelSelector}`], {}).ok || 'refused');
  });

  test.each<Readonly<Record<string, string | boolean>>>(
    ['atlas/v1.0', 'atlas/v2', 'public/v1.0', 'public/v2'].flatMap((atlasApi) =>
      [false, true].flatMap((atlasAllowPlainHttp) =>
        words('http://ops:8080 http://10.0.0.1 http://127.0.0.1:1 http://127.0.0.1.x http://[::1]/a https://ops').map(
          (atlasBaseUrl) => ({ atlasApi, atlasAllowPlainHttp, atlasBaseUrl }),
        ),
      ),
    ),
  )('which API is asked and where: %j, both or neither', async (settings) => {
    const environment = Object.entries(settings).map(([key, value]) => [variableOf(key), String(value)] as const);
    const accepted = await helmTemplate({ settings }).then(
      () => true,
      () => false,
    );
    expect(accepted).toBe(readSettings([], Object.fromEntries(environment)).ok);
  });

  test('which API is asked and where can come from elsewhere', async () => {
    const settings = { atlasApi: null, atlasAllowPlainHttp: null, atlasBaseUrl: 'http://ops:8080' };
    expect(environmentOf(await helmTemplate({ settings }))).toMatchObject({ ATLAS_BASE_URL: 'http://ops:8080' });
  });

  test('a refusal names the setting and what to write', async () => {
    await expect(helmTemplate({ settings: { defaultInterval: '5s' } })).rejects.toThrow(
      'settings.defaultInterval must be a duration from 10s to 24h, such as 90s or 1h30m',
    );
    await expect(helmTemplate({ labelSelector: 'shard=a b' })).rejects.toThrow(
      'labelSelector must be a Kubernetes label selector, such as shard=a, shard in (a,b) or !shard',
    );
    await expect(helmTemplate({ settings: { atlasBaseUrl: 'https://x/api/atlas/v1.0' } })).rejects.toThrow(
      'settings.atlasBaseUrl must not contain the path of the API',
    );
  });
});
