import { describe, expect, test } from '@jest/globals';
import { Agent } from 'undici';
import { sendRequest } from '../../../src/net/http-request.ts';
import { retryAfterMs } from '../../../src/net/retry-after.ts';
import { startRecordingServer } from '../../support/recording-server.ts';

describe('Retry-After', () => {
  const NOW = Date.parse('2030-01-01T00:00:00Z');
  const told = (value: string) => retryAfterMs({ 'retry-after': value }, NOW);

  test.each([
    ['0', 0],
    ['55', 55_000],
    [' 55 ', 55_000],
    ['1.5', 1_500],
    ['Tue, 01 Jan 2030 00:01:30 GMT', 90_000],
    ['Tuesday, 01-Jan-30 00:01:30 GMT', 90_000],
    ['Tue Jan  1 00:01:30 2030', 90_000],
    ['Tue, 01 Jan 2030 00:01:30', 90_000],
    ['Tue, 01 Jan 2030 00:01:30 UTC', 90_000],
    ['Tue, 01 Jan 2030 00:01:30 +0000', 90_000],
    ['Tue, 01 Jan 2030 02:01:30 +0200', 90_000],
    ['Mon, 31 Dec 2029 23:00:00 GMT', 0],
    ['Sun, 06 Nov 1994 08:49:37 GMT', 0],
    ['Sunday', undefined],
  ])('%p', (value, expected) => {
    expect(told(value)).toBe(expected);
  });

  test.each(['', ' ', 'soon', '-5', '+5', '1e3', '5s', '0x10', '5, 6', 'in 2050', 'soon 5', 'NaN', 'Infinity', 'null'])(
    'says nothing as %p',
    (value) => {
      expect(told(value)).toBeUndefined();
    },
  );

  test('is not there', () => {
    expect(retryAfterMs({}, NOW)).toBeUndefined();
  });

  test('of several headers the first counts', async () => {
    await using server = await startRecordingServer(() => ({ status: 503, headers: { 'Retry-After': ['5', '7'] } }));
    const agent = new Agent();
    const { headers } = await sendRequest(agent, {
      method: 'GET',
      origin: server.url,
      path: '/',
      headers: {},
      body: null,
      timeoutMs: 5_000,
      maxBytes: 1_000,
    });
    await agent.close();
    expect(retryAfterMs(headers, NOW)).toBe(5_000);
  });
});
