import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type AtlasCredentials, credentialsKey } from '../../../src/atlas/credentials.ts';

const text = fc.string({ minLength: 1, unit: 'binary' });
const credentials: fc.Arbitrary<AtlasCredentials> = fc.oneof(
  fc.record({ kind: fc.constant('apiKey'), publicKey: text, privateKey: text }),
  fc.record({ kind: fc.constant('serviceAccount'), clientId: text, clientSecret: text }),
);
const values = (one: AtlasCredentials): readonly [string, string, string] =>
  one.kind === 'apiKey' ? [one.kind, one.publicKey, one.privateKey] : [one.kind, one.clientId, one.clientSecret];

test('equal credentials have the same key, in whatever order they are written', () => {
  fc.assert(
    fc.property(credentials, (one) => {
      const reversed = Object.entries(one).toReversed();
      expect(credentialsKey({ ...one, ...Object.fromEntries(reversed) })).toBe(credentialsKey({ ...one }));
    }),
  );
  // Pinned: a change would only cost a restart's worth of nonces, but should not come by accident.
  expect(credentialsKey({ kind: 'apiKey', publicKey: 'public', privateKey: 'private' })).toMatch(/^[\w-]{43}$/);
});

test('different credentials have different keys', () => {
  fc.assert(
    fc.property(credentials, credentials, (one, other) => {
      const same = JSON.stringify(values(one)) === JSON.stringify(values(other));
      expect(credentialsKey(one) === credentialsKey(other)).toBe(same);
    }),
  );
});

test('no two ways to divide the same text collide, nor do the two kinds', () => {
  const divided = ['', 'a', 'ab', 'a"', 'a","b'].flatMap((publicKey) =>
    ['bc', 'c', 'abc', '"b', 'b","c'].flatMap((privateKey) => [
      credentialsKey({ kind: 'apiKey', publicKey, privateKey }),
      credentialsKey({ kind: 'serviceAccount', clientId: publicKey, clientSecret: privateKey }),
    ]),
  );
  expect(new Set(divided).size).toBe(50);
});

test('the key reveals nothing: it has one length and no part of a value', () => {
  const longText = fc.stringMatching(/^[\w-]{6,30}$/);
  fc.assert(
    fc.property(longText, longText, (publicKey, privateKey) => {
      const key = credentialsKey({ kind: 'apiKey', publicKey, privateKey });
      expect(key).toHaveLength(43);
      expect(key).not.toContain(publicKey);
      expect(key).not.toContain(privateKey);
      for (const encoding of ['hex', 'base64url'] as const) {
        expect(key).not.toContain(Buffer.from(privateKey).toString(encoding));
      }
    }),
  );
});
