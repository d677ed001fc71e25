import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { PUBLISHED_EXAMPLE, PUBLISHED_EXAMPLE_JOB } from '../support/atlas-simulator/recorded-bodies.ts';
import {
  askForNonce,
  type DigestInput,
  type DigestParameters,
  digestAuthorization,
  get,
  jobPath,
} from '../support/atlas-simulator/reference-client.ts';
import { type AtlasSimulator, startAtlasSimulator } from '../support/atlas-simulator/simulator.ts';

const KEY = { publicKey: 'publickey', privateKey: 'private-key' };
const URI = jobPath(PUBLISHED_EXAMPLE_JOB, '?pretty=true');
const CHALLENGE =
  /^Digest realm="MMS Public API", domain="", nonce="[A-Za-z0-9+/]{32}", algorithm=MD5, qop="auth", stale=(true|false)$/;

let atlas: AtlasSimulator;
let clock: number;

beforeEach(async () => {
  clock = Date.parse('2030-01-01T00:00:00Z');
  atlas = await startAtlasSimulator({ now: () => clock });
  atlas.addApiKey(KEY);
  atlas.putJob(PUBLISHED_EXAMPLE_JOB, { kind: 'fixed', body: PUBLISHED_EXAMPLE });
});

afterEach(() => atlas.stop());

function ask(
  input: Pick<DigestInput, 'nonce'> & Partial<DigestInput>,
  tamper?: (p: DigestParameters) => DigestParameters,
) {
  return get(atlas.url + URI, digestAuthorization({ ...KEY, uri: URI, ...input }, tamper));
}

function without(name: string) {
  return (parameters: DigestParameters) =>
    Object.fromEntries(Object.entries(parameters).filter(([key]) => key !== name));
}

function staleness(answer: Awaited<ReturnType<typeof ask>>): string | undefined {
  return CHALLENGE.exec(String(answer.headers['www-authenticate']))?.[1];
}

function refusals() {
  return Object.keys(atlas.requests.counts().byRefusal);
}

test('the challenge has the recorded form and the recorded body', async () => {
  const answer = await get(atlas.url + URI);
  expect(answer.status).toBe(401);
  expect(answer.headers['www-authenticate']).toMatch(CHALLENGE);
  expect(staleness(answer)).toBe('false');
  expect(answer.headers['x-error-code']).toBe('UNEXPECTED_ERROR');
  expect(JSON.parse(answer.text)).toEqual({
    error: 401,
    reason: 'Unauthorized',
    detail: 'You are not authorized for this resource.',
    errorCode: 'UNEXPECTED_ERROR',
  });
});

describe('an answer is refused with a new challenge', () => {
  const set = (change: DigestParameters) => (parameters: DigestParameters) => ({ ...parameters, ...change });

  test.each([
    ['a wrong response', set({ response: `"${'0'.repeat(32)}"` }), 'wrong-response'],
    ['a response in upper case', set({ response: '"ABC"' }), 'wrong-response'],
    ['a uri without the query', set({ uri: `"${URI.split('?')[0]}"` }), 'wrong-uri'],
    ['an absolute uri', set({ uri: `"http://127.0.0.1${URI}"` }), 'wrong-uri'],
    ['an unknown user', set({ username: '"nobody"' }), 'unknown-key'],
    ['another realm', set({ realm: '"Public API"' }), 'wrong-realm'],
    ['no cnonce', without('cnonce'), 'missing-cnonce'],
    ['an empty cnonce', set({ cnonce: '""' }), 'missing-cnonce'],
    ['no qop', without('qop'), 'wrong-qop'],
    ['a quoted qop', set({ qop: '"auth"' }), 'wrong-qop'],
    ['another qop', set({ qop: 'auth-int' }), 'wrong-qop'],
    ['no nc', without('nc'), 'wrong-nc'],
    ['a short nc', set({ nc: '1' }), 'wrong-nc'],
    ['a quoted nc', set({ nc: '"00000001"' }), 'wrong-nc'],
    ['an nc in upper case', set({ nc: '0000000A' }), 'wrong-nc'],
    ['another algorithm', set({ algorithm: 'SHA-256' }), 'wrong-algorithm'],
    ['an unquoted user', set({ username: 'publickey' }), 'malformed'],
    ['an opaque that nobody gave', set({ opaque: '"x"' }), 'malformed'],
    ['no nonce', without('nonce'), 'malformed'],
    ['a nonce count that the response does not cover', set({ nc: '00000002' }), 'wrong-response'],
  ])('%s', async (_, tamper, refusal) => {
    const answer = await ask({ nonce: await askForNonce(atlas.url + URI) }, tamper);
    expect(answer.status).toBe(401);
    expect(staleness(answer)).toBe('false');
    expect(refusals()).toEqual([refusal]);
  });

  test('a parameter that is given twice', async () => {
    const nonce = await askForNonce(atlas.url + URI);
    const header = digestAuthorization({ ...KEY, uri: URI, nonce });
    expect((await get(atlas.url + URI, `${header}, realm="MMS Public API"`)).status).toBe(401);
    expect(refusals()).toEqual(['malformed']);
  });

  test('nc 0', async () => {
    const answer = await ask({ nonce: await askForNonce(atlas.url + URI), nc: 0 });
    expect([answer.status, refusals()]).toEqual([401, ['wrong-nc']]);
  });

  test('the response of another method', async () => {
    const answer = await ask({ nonce: await askForNonce(atlas.url + URI), method: 'POST' });
    expect([answer.status, refusals()]).toEqual([401, ['wrong-response']]);
  });

  test.each([
    'Digest',
    'Digest ',
    'Digest ,,,,',
    'Digest username',
    'Digest username="open',
    'Digest nc=00000001, nc=00000001',
    'Digest "=";',
    'Basic cHVibGlja2V5OnByaXZhdGUta2V5',
    'Basic !',
    'Bearer',
    'Negotiate abc',
  ])('the header %s', async (header) => {
    const answer = await get(atlas.url + URI, header);
    expect(answer.status).toBe(401);
    expect(staleness(answer)).toBe('false');
  });
});

describe('a nonce', () => {
  test('can be used again with a rising count, and never twice with the same', async () => {
    const nonce = await askForNonce(atlas.url + URI);
    const statuses: number[] = [];
    for (const nc of [1, 2, 3, 2, 3, 4]) statuses.push((await ask({ nonce, nc })).status);
    expect(statuses).toEqual([200, 200, 200, 401, 401, 200]);
    expect(atlas.requests.counts().byRefusal).toEqual({ 'replayed-nc': 2 });
  });

  test('accepts counts out of order, each once', async () => {
    const nonce = await askForNonce(atlas.url + URI);
    const statuses: number[] = [];
    for (const nc of [3, 3, 1, 2, 3, 1, 4]) statuses.push((await ask({ nonce, nc })).status);
    expect(statuses).toEqual([200, 401, 200, 200, 401, 401, 200]);
  });

  test('accepts rising counts alone with strictNc', async () => {
    atlas.configure({ strictNc: true });
    const nonce = await askForNonce(atlas.url + URI);
    const statuses: number[] = [];
    for (const nc of [1, 3, 2, 4]) statuses.push((await ask({ nonce, nc })).status);
    expect(statuses).toEqual([200, 200, 401, 200]);
    expect(refusals()).toEqual(['nc-not-rising']);
  });

  test('is not used up by a wrong answer', async () => {
    const nonce = await askForNonce(atlas.url + URI);
    expect((await ask({ nonce, privateKey: 'wrong' })).status).toBe(401);
    expect((await ask({ nonce })).status).toBe(200);
  });

  test('gets stale=true when it has expired and the answer is right, stale=false when the answer is wrong', async () => {
    const nonce = await askForNonce(atlas.url + URI);
    clock += 60_000;
    const right = await ask({ nonce });
    expect([right.status, staleness(right)]).toEqual([401, 'true']);
    const wrong = await ask({ nonce, privateKey: 'wrong' });
    expect([wrong.status, staleness(wrong)]).toEqual([401, 'false']);
    expect(refusals()).toEqual(['stale-nonce', 'wrong-response']);
  });

  test('lives as long as configured, also when it was issued before', async () => {
    const nonce = await askForNonce(atlas.url + URI);
    clock += 60_000;
    atlas.configure({ nonceLifetimeMs: 60_001 });
    expect((await ask({ nonce })).status).toBe(200);
    atlas.configure({ nonceLifetimeMs: 60_000 });
    expect(staleness(await ask({ nonce, nc: 2 }))).toBe('true');
    // A challenge makes the server forget the counts of what has expired: now it must stay expired.
    atlas.configure({ nonceLifetimeMs: 60_001 });
    expect(staleness(await ask({ nonce, nc: 1 }))).toBe('true');
  });

  test('expires at once with expireNonces, the next one does not', async () => {
    const nonce = await askForNonce(atlas.url + URI);
    atlas.expireNonces();
    expect(staleness(await ask({ nonce }))).toBe('true');
    expect((await ask({ nonce: await askForNonce(atlas.url + URI) })).status).toBe(200);
  });

  test('of another server is stale', async () => {
    await using other = await startAtlasSimulator({ now: () => clock });
    const nonce = await askForNonce(other.url + URI);
    expect(staleness(await ask({ nonce }))).toBe('true');
  });
});

test('a removed key is refused, a rotated one needs its new private key', async () => {
  const nonce = await askForNonce(atlas.url + URI);
  atlas.addApiKey({ ...KEY, privateKey: 'rotated' });
  expect((await ask({ nonce })).status).toBe(401);
  expect((await ask({ nonce, privateKey: 'rotated' })).status).toBe(200);
  atlas.removeApiKey(KEY.publicKey);
  expect((await ask({ nonce, privateKey: 'rotated', nc: 2 })).status).toBe(401);
});

describe('several algorithms', () => {
  test('are offered in one header line each', async () => {
    atlas.configure({ algorithms: ['SHA-256', 'MD5'] });
    const { headers } = await get(atlas.url + URI);
    expect(headers['www-authenticate']).toEqual([
      expect.stringContaining('algorithm=SHA-256,'),
      expect.stringContaining('algorithm=MD5,'),
    ]);
  });

  test('are offered in a combined line', async () => {
    atlas.configure({ algorithms: ['SHA-256', 'MD5'], challengeLayout: 'combined' });
    const { headers } = await get(atlas.url + URI);
    expect(headers['www-authenticate']).toMatch(/^Digest .*algorithm=SHA-256.*, Digest .*algorithm=MD5/);
  });

  test.each(['SHA-256', 'MD5'] as const)('accept %s', async (algorithm) => {
    atlas.configure({ algorithms: ['SHA-256', 'MD5'] });
    expect((await ask({ nonce: await askForNonce(atlas.url + URI), algorithm })).status).toBe(200);
  });

  test('accept an answer without algorithm as MD5 alone', async () => {
    const silent = without('algorithm');
    expect((await ask({ nonce: await askForNonce(atlas.url + URI) }, silent)).status).toBe(200);
    atlas.configure({ algorithms: ['SHA-256'] });
    const input = { nonce: await askForNonce(atlas.url + URI), algorithm: 'SHA-256' } as const;
    expect((await ask(input, silent)).status).toBe(401);
  });
});

describe('curl --digest', () => {
  const run = promisify(execFile);
  const curl = (...urls: readonly string[]) =>
    run('curl', [
      '--silent',
      '--show-error',
      '--digest',
      '--user',
      `${KEY.publicKey}:${KEY.privateKey}`,
      '--write-out',
      '%{stderr}%{http_code} ',
      ...urls,
    ]);

  async function withCurl(check: () => Promise<void>): Promise<void> {
    const missing = await run('curl', ['--version']).then(
      () => false,
      () => true,
    );
    if (missing) console.warn('Skipped: curl is not installed.');
    else await check();
  }

  test.each([
    ['MD5', {}],
    ['MD5 and strict counts', { strictNc: true }],
    ['SHA-256', { algorithms: ['SHA-256'] }],
    ['both in two lines', { algorithms: ['SHA-256', 'MD5'] }],
  ] as const)('is accepted with %s', (_, change) =>
    withCurl(async () => {
      atlas.configure(change);
      const { stdout, stderr } = await curl(atlas.url + URI, atlas.url + URI, atlas.url + URI);
      expect(stderr.trim()).toBe('200 200 200');
      expect(stdout).toContain('"statusName": "FINISHED"');
      expect(refusals()).toEqual([]);
    }),
  );
});
