/** FIPS mode cannot be switched on in every Node.js: node:crypto is replaced by one that refuses as it does then. */
import * as crypto from 'node:crypto';
import { expect, jest, test } from '@jest/globals';

const REFUSED = ['md5', 'sha512-256'];
jest.unstable_mockModule('node:crypto', () => ({
  ...crypto,
  hash: (algorithm: string, data: string, encoding: 'hex' | 'base64url') => {
    if (REFUSED.includes(algorithm)) throw new Error('error:0308010C:digital envelope routines::unsupported');
    return crypto.hash(algorithm, data, encoding);
  },
}));
const { chooseChallenge } = await import('../../../src/atlas/digest.ts');
const { AtlasError } = await import('../../../src/atlas/errors.ts');
const { failureOfAtlas, statusFailureOf } = await import('../../../src/restore-job/failure.ts');
const { failureMessage } = await import('../../../src/restore-job/messages.ts');
const { clientOf, fetchJob } = await import('../../support/atlas-client.ts');
const { PUBLISHED_EXAMPLE, PUBLISHED_EXAMPLE_JOB } = await import('../../support/atlas-simulator/recorded-bodies.ts');
const { startAtlasSimulator } = await import('../../support/atlas-simulator/simulator.ts');

const KEY = { kind: 'apiKey', publicKey: 'publickey', privateKey: 'private-key' } as const;

test('an API key cannot be used: a failure that says what to use instead', async () => {
  await using atlas = await startAtlasSimulator();
  atlas.addApiKey(KEY);
  atlas.putJob(PUBLISHED_EXAMPLE_JOB, { kind: 'fixed', body: PUBLISHED_EXAMPLE });
  await using client = clientOf(atlas);
  const error = await fetchJob(client, PUBLISHED_EXAMPLE_JOB, KEY).catch((reason: unknown) => reason);
  if (!(error instanceof AtlasError)) throw error;
  expect(error).toMatchObject({ kind: 'unsupported', code: 'ATLAS_HASH_UNAVAILABLE' });
  const failure = failureOfAtlas(error);
  expect(failure.reason).toBe('Unauthorized');
  expect(statusFailureOf(failure, 'atlas/v1.0')).toEqual({
    detail: 'MD5 is not available in this Node.js (FIPS mode)',
  });
  expect(failureMessage(failure, 'resource', 'atlas/v1.0')).toBe(
    'MD5 is not available in this Node.js (FIPS mode). Use a service account: put clientId and clientSecret into the Secret instead of the API key. Ops Manager, which has none, needs Node.js without FIPS mode.',
  );
  expect(failureMessage(failure, 'command', 'atlas/v1.0')).toContain('Use a service account');
});

test('a service account needs none of it', async () => {
  await using atlas = await startAtlasSimulator();
  const account = { kind: 'serviceAccount', clientId: 'mdb_sa_id_1', clientSecret: 'mdb_sa_sk_1' } as const;
  atlas.addServiceAccount(account);
  atlas.putJob(PUBLISHED_EXAMPLE_JOB, { kind: 'fixed', body: PUBLISHED_EXAMPLE });
  await using client = clientOf(atlas);
  expect((await fetchJob(client, PUBLISHED_EXAMPLE_JOB, account)).job.id).toBe(PUBLISHED_EXAMPLE_JOB.jobId);
});

test('of several challenges the strongest that can be computed is answered, also when a stronger one stands first', () => {
  const challenge = (algorithm: string): string => `Digest realm="r", nonce="n", qop="auth", algorithm=${algorithm}`;
  const all = ['SHA-512-256', 'MD5', 'SHA-256'].map(challenge);
  expect(chooseChallenge(all)?.hash).toBe('SHA-256');
  expect(chooseChallenge(all.slice(0, 2))?.hash).toBe('SHA-512-256');
});
