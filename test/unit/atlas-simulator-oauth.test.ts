import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import { PUBLISHED_EXAMPLE, PUBLISHED_EXAMPLE_JOB } from '../support/atlas-simulator/recorded-bodies.ts';
import { get, jobPath, postForm } from '../support/atlas-simulator/reference-client.ts';
import { type AtlasSimulator, startAtlasSimulator } from '../support/atlas-simulator/simulator.ts';

const CLIENT = { id: 'mdb_sa_id_5a66666887d9d61443b41645', secret: 'mdb_sa_sk_a:b%c+d e/ü' };
const GRANT = { grant_type: 'client_credentials' };

let atlas: AtlasSimulator;
let clock: number;

beforeEach(async () => {
  clock = Date.parse('2030-01-01T00:00:00Z');
  atlas = await startAtlasSimulator({ now: () => clock });
  atlas.addServiceAccount({ clientId: CLIENT.id, clientSecret: CLIENT.secret });
  atlas.putJob(PUBLISHED_EXAMPLE_JOB, { kind: 'fixed', body: PUBLISHED_EXAMPLE });
});

afterEach(() => atlas.stop());

async function post(endpoint: 'token' | 'revoke', form: Readonly<Record<string, string>> | string, client = CLIENT) {
  const { status, headers, text } = await postForm(`${atlas.url}/api/oauth/${endpoint}`, client, form);
  return { status, headers, json: text === '' ? undefined : JSON.parse(text) };
}

async function newToken(): Promise<string> {
  const { json } = await post('token', GRANT);
  return json.access_token;
}

async function jobStatus(token: string): Promise<number> {
  const { status } = await get(atlas.url + jobPath(PUBLISHED_EXAMPLE_JOB), `Bearer ${token}`);
  return status;
}

describe('the token endpoint', () => {
  test('gives a token that opens the API, to a secret with every kind of character', async () => {
    const { status, headers, json } = await post('token', GRANT);
    expect(status).toBe(200);
    expect(headers['cache-control']).toBe('no-store');
    expect(json).toEqual({ access_token: expect.any(String), expires_in: 3600, token_type: 'Bearer' });
    expect(await jobStatus(json.access_token)).toBe(200);
  });

  test('refuses a wrong secret and an unknown client as recorded', async () => {
    for (const client of [
      { ...CLIENT, secret: 'wrong' },
      { ...CLIENT, id: 'unknown' },
    ]) {
      const { status, headers, json } = await post('token', GRANT, client);
      expect(status).toBe(401);
      expect(json).toEqual({ error: 'invalid_client', error_description: 'Invalid credentials provided.' });
      expect(headers['www-authenticate']).toMatch(/^Basic /);
    }
    atlas.configure({ basicChallenge: false });
    const { headers } = await post('token', GRANT, { ...CLIENT, secret: 'wrong' });
    expect(headers['www-authenticate']).toBeUndefined();
  });

  test('does not decode the secret twice and does not take it undecoded', async () => {
    atlas.addServiceAccount({ clientId: 'percent', clientSecret: 'a%41' });
    const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
    const asked = async (authorization: string) => {
      const headers = { authorization, 'content-type': 'application/x-www-form-urlencoded' };
      const options = { method: 'POST', headers, body: 'grant_type=client_credentials' } as const;
      const { statusCode, body } = await request(`${atlas.url}/api/oauth/token`, options);
      await body.dump();
      return statusCode;
    };
    expect(await asked(basic('percent:a%2541'))).toBe(200);
    expect(await asked(basic('percent:a%41'))).toBe(401);
    expect(await asked(basic('percent:a%'))).toBe(401);
    expect(await asked(basic('no colon'))).toBe(401);
  });

  test.each([
    ['another grant', { grant_type: 'password' }, 'unsupported_grant_type'],
    ['no grant', {}, 'invalid_request'],
    ['a repeated parameter', 'grant_type=client_credentials&grant_type=client_credentials', 'invalid_request'],
    ['a secret in the body too', { ...GRANT, client_secret: 'x' }, 'invalid_request'],
  ])('refuses %s', async (_, form, error) => {
    const { status, json } = await post('token', form);
    expect([status, json.error]).toEqual([400, error]);
  });

  test('refuses a JSON body, and any method but POST', async () => {
    const authorization = `Basic ${Buffer.from('client:secret').toString('base64')}`;
    atlas.addServiceAccount({ clientId: 'client', clientSecret: 'secret' });
    const url = `${atlas.url}/api/oauth/token`;
    const headers = { authorization, 'content-type': 'application/json' };
    const sent = await request(url, { method: 'POST', headers, body: JSON.stringify(GRANT) });
    expect([sent.statusCode, await sent.body.json()]).toEqual([
      400,
      expect.objectContaining({ error: 'invalid_request' }),
    ]);
    const got = await request(url, { headers });
    expect([got.statusCode, got.headers['allow']]).toEqual([405, 'POST']);
    await got.body.dump();
  });

  test('lets ten requests a minute through for each client, wrong ones included', async () => {
    for (let count = 0; count < 9; count += 1) await post('token', GRANT);
    await post('token', { grant_type: 'password' });
    clock += 20_000;
    const limited = await post('token', GRANT);
    expect(limited.status).toBe(429);
    expect(limited.headers['retry-after']).toBe('40');
    expect(limited.json).toMatchObject({ error: 429, errorCode: 'RATE_LIMITED', reason: 'Too Many Requests' });
    expect((await post('token', GRANT, { ...CLIENT, id: 'other' })).status).toBe(401);
    clock += 40_000;
    expect((await post('token', GRANT)).status).toBe(200);
  });

  test('gives an account a hundred live tokens and no more', async () => {
    atlas.configure({ tokenRequestsPerMinute: 1000 });
    const first = await newToken();
    for (let count = 1; count < 100; count += 1) await newToken();
    const denied = await post('token', GRANT);
    expect([denied.status, denied.json.error]).toEqual([403, 'access_denied']);
    await post('revoke', { token: first });
    expect((await post('token', GRANT)).status).toBe(200);
    clock += 3_600_000;
    expect((await post('token', GRANT)).status).toBe(200);
  });
});

describe('a token', () => {
  test('is refused as recorded when it is unknown', async () => {
    const { status, text } = await get(atlas.url + jobPath(PUBLISHED_EXAMPLE_JOB), 'Bearer unknown');
    expect(status).toBe(401);
    expect(JSON.parse(text)).toEqual({
      error: 401,
      reason: 'Unauthorized',
      detail: 'You are not authorized for this resource.',
      errorCode: 'UNEXPECTED_ERROR',
    });
    expect(atlas.requests.counts().byRefusal).toEqual({ 'dead-token': 1 });
  });

  test('expires when it says', async () => {
    atlas.configure({ tokenLifetimeSeconds: 30 });
    const token = await newToken();
    clock += 29_999;
    expect(await jobStatus(token)).toBe(200);
    clock += 1;
    expect(await jobStatus(token)).toBe(401);
  });

  test('ends when it is revoked, by its own client alone', async () => {
    atlas.addServiceAccount({ clientId: 'other', clientSecret: 'other' });
    const token = await newToken();
    expect((await post('revoke', { token }, { id: 'other', secret: 'other' })).status).toBe(200);
    expect(await jobStatus(token)).toBe(200);
    expect((await post('revoke', { token, token_type_hint: 'access_token' })).status).toBe(200);
    expect(await jobStatus(token)).toBe(401);
    expect((await post('revoke', {})).json.error).toBe('invalid_request');
  });

  test('ends with all the others of its account, and with the account', async () => {
    const tokens = [await newToken(), await newToken()];
    atlas.revokeAllTokens(CLIENT.id);
    expect(await Promise.all(tokens.map(jobStatus))).toEqual([401, 401]);
    const token = await newToken();
    atlas.removeServiceAccount(CLIENT.id);
    expect(await jobStatus(token)).toBe(401);
    atlas.addServiceAccount({ clientId: CLIENT.id, clientSecret: CLIENT.secret });
    expect(await jobStatus(token)).toBe(401);
  });

  test('opens only the projects of its account', async () => {
    atlas.addServiceAccount({ clientId: CLIENT.id, clientSecret: CLIENT.secret, groupIds: [] });
    const answer = await get(atlas.url + jobPath(PUBLISHED_EXAMPLE_JOB), `Bearer ${await newToken()}`);
    expect([answer.status, answer.headers['x-error-code']]).toEqual([401, 'USER_CANNOT_ACCESS_GROUP']);
  });
});

test('the counters tell the endpoints apart', async () => {
  const token = await newToken();
  await jobStatus(token);
  await post('revoke', { token });
  const { byKind, byAuth } = atlas.requests.counts();
  expect(byKind).toEqual({ job: 1, list: 0, token: 1, revoke: 1, other: 0 });
  expect(byAuth).toMatchObject({ basic: 2, bearer: 1 });
});
