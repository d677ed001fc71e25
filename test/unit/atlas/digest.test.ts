import { hash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { chooseChallenge, type DigestRequest, digestAuthorization } from '../../../src/atlas/digest.ts';

/** The parameters of an Authorization header as written, quotes included: RFC 7616 says which must have them. */
function parametersOf(authorization: string): Readonly<Record<string, string>> {
  expect(authorization).toMatch(/^Digest /);
  const pairs = authorization.slice('Digest '.length).matchAll(/([a-z*]+)=("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/g);
  return Object.fromEntries([...pairs].map(([, name = '', value = '']) => [name, value]));
}

/** The answer to the challenges of a server, as the example of an RFC gives it. */
function answer(challenge: string | readonly string[], request: Omit<DigestRequest, 'challenge'>) {
  const chosen = chooseChallenge(challenge);
  if (chosen === undefined) throw new Error('no challenge was understood');
  return parametersOf(digestAuthorization({ ...request, challenge: chosen }));
}

const GET_INDEX = { method: 'GET', uri: '/dir/index.html', nonceCount: 1 };

describe('published examples', () => {
  const RFC_7616 = {
    ...GET_INDEX,
    username: 'Mufasa',
    password: 'Circle of Life',
    cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
  };
  const challengeWith = (algorithm: string) =>
    'Digest realm="http-auth@example.org", qop="auth, auth-int", ' +
    `algorithm=${algorithm}, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", ` +
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"';

  test.each([
    ['MD5', '8ca523f5e9506fed4657c9700eebdbec'],
    ['SHA-256', '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'],
  ])('RFC 7616 section 3.9.1 with %s', (algorithm, response) => {
    expect(answer(challengeWith(algorithm), RFC_7616)).toEqual({
      username: '"Mufasa"',
      realm: '"http-auth@example.org"',
      uri: '"/dir/index.html"',
      algorithm,
      nonce: '"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"',
      nc: '00000001',
      cnonce: '"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"',
      qop: 'auth',
      response: `"${response}"`,
      opaque: '"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"',
    });
  });

  test('RFC 7616 section 3.9.1: of the two challenges SHA-256 is answered, in whatever order they come', () => {
    const challenges = [challengeWith('MD5'), challengeWith('SHA-256')];
    expect(answer(challenges, RFC_7616)['algorithm']).toBe('SHA-256');
    expect(answer(challenges.toReversed(), RFC_7616)['algorithm']).toBe('SHA-256');
  });

  // The digests printed in the RFC are those of SHA-512 cut to 256 bits, which is not SHA-512/256: erratum 4897.
  test('RFC 7616 section 3.9.2, with the digests of its erratum', () => {
    const realm = 'api@example.org';
    const nonce = '5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK';
    const cnonce = 'NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v';
    const challenge =
      `Digest realm="${realm}", qop="auth", algorithm=SHA-512-256, nonce="${nonce}", ` +
      'opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", charset=UTF-8, userhash=true';
    const request = { ...GET_INDEX, uri: '/doe.json', username: 'Jäsøn Doe', password: 'Secret, or not?', cnonce };
    const written = answer(challenge, request);
    expect(written).toEqual({
      username: '"793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"',
      realm: `"${realm}"`,
      uri: '"/doe.json"',
      algorithm: 'SHA-512-256',
      nonce: `"${nonce}"`,
      nc: '00000001',
      cnonce: `"${cnonce}"`,
      qop: 'auth',
      response: '"3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"',
      opaque: '"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS"',
      userhash: 'true',
    });
    // What the RFC prints instead comes from the cut hash: these inputs are those of the RFC, and its digests are at fault.
    const cut = (...parts: readonly string[]) => hash('sha512', parts.join(':'), 'hex').slice(0, 64);
    expect(cut('Jäsøn Doe', realm)).toBe('488869477bf257147b804c45308cd62ac4e25eb717b12b298c79e62dcea254ec');
    const secret = cut('Jäsøn Doe', realm, 'Secret, or not?');
    expect(cut(secret, nonce, '00000001', cnonce, 'auth', cut('GET', '/doe.json'))).toBe(
      'ae66e67d6b427bd3f120414a82e4acff38e8ecd9101d6c861229025f607a79dd',
    );
  });

  test('RFC 2617 section 3.5', () => {
    const challenge =
      'Digest realm="testrealm@host.com", qop="auth,auth-int", ' +
      'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"';
    const request = { ...GET_INDEX, username: 'Mufasa', password: 'Circle Of Life', cnonce: '0a4f113b' };
    expect(answer(challenge, request)).toEqual({
      username: '"Mufasa"',
      realm: '"testrealm@host.com"',
      nonce: '"dcd98b7102dd2f0e8b11d0f600bfb0c093"',
      uri: '"/dir/index.html"',
      qop: 'auth',
      nc: '00000001',
      cnonce: '"0a4f113b"',
      response: '"6629fae49393a05397450978507c4ef1"',
      opaque: '"5ccc069c403ebaf9f0171e9517f40e41"',
    });
  });

  // The response printed in RFC 2069 is not that of its own inputs; this is the one of its erratum.
  test('RFC 2069 section 2.4: without qop there is neither nc nor cnonce', () => {
    const challenge =
      'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", ' +
      'opaque="5ccc069c403ebaf9f0171e9517f40e41"';
    const request = { ...GET_INDEX, username: 'Mufasa', password: 'CircleOfLife', cnonce: 'unused' };
    expect(answer(challenge, request)).toEqual({
      username: '"Mufasa"',
      realm: '"testrealm@host.com"',
      nonce: '"dcd98b7102dd2f0e8b11d0f600bfb0c093"',
      uri: '"/dir/index.html"',
      response: '"1949323746fe6a43ef61f9606e7febea"',
      opaque: '"5ccc069c403ebaf9f0171e9517f40e41"',
    });
  });
});

describe('the response', () => {
  const HASHES = { MD5: 'md5', 'SHA-256': 'sha256', 'SHA-512-256': 'sha512-256' } as const;

  /** RFC 7616 section 3.4.1, from the header alone, as a server checks it. */
  function expectedResponse(
    algorithm: keyof typeof HASHES,
    session: boolean,
    written: Readonly<Record<string, string>>,
    { username, password, method }: DigestRequest,
    realm: string,
    nonce: string,
  ): string {
    const bare = (name: string) => (written[name] ?? '').replace(/^"|"$/g, '');
    const H = (...parts: readonly string[]) => hash(HASHES[algorithm], Buffer.from(parts.join(':'), 'utf8'), 'hex');
    const A1: [string, ...string[]] = session
      ? [H(username, realm, password), nonce, bare('cnonce')]
      : [username, realm, password];
    const rest = 'qop' in written ? [bare('nc'), bare('cnonce'), bare('qop')] : [];
    return H(H(...A1), nonce, ...rest, H(method, bare('uri')));
  }

  test('is the one that a server computes, for every algorithm, -sess or not, with qop or without', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 20 });
    const plain = fc.stringMatching(/^[A-Za-z0-9+/=]{1,40}$/);
    fc.assert(
      fc.property(
        fc.constantFrom('MD5', 'SHA-256', 'SHA-512-256'),
        fc.boolean(),
        fc.boolean(),
        fc.record({ username: plain, password: text, method: fc.constantFrom('GET', 'POST'), cnonce: plain }),
        fc.record({ realm: fc.string(), nonce: plain }),
        fc.stringMatching(/^\/[a-z/?=&%0-9]{0,40}$/),
        fc.integer({ min: 1, max: 0xffff_ffff }),
        (hashName, session, qopAuth, who, { realm, nonce }, uri, nonceCount) => {
          const algorithm = session ? `${hashName}-sess` : hashName;
          const challenge = {
            realm,
            nonce,
            opaque: undefined,
            hash: hashName,
            session,
            algorithm,
            qopAuth,
            stale: false,
            userhash: false,
          };
          const request = { ...who, challenge, uri, nonceCount };
          const written = parametersOf(digestAuthorization(request));
          const response = expectedResponse(hashName, session, written, request, realm, nonce);
          expect(written['response']).toBe(`"${response}"`);
          expect(written['algorithm']).toBe(algorithm);
          expect('nc' in written).toBe(qopAuth);
          // The server cannot compute a session key without it.
          expect('cnonce' in written).toBe(qopAuth || session);
        },
      ),
    );
  });

  const CHALLENGE = chooseChallenge('Digest realm="r", nonce="n", qop="auth", algorithm=MD5');
  const REQUEST = { ...GET_INDEX, username: 'u', password: 'p', cnonce: 'c' };
  const written = (change: Partial<DigestRequest>) => {
    if (CHALLENGE === undefined) throw new Error('no challenge was understood');
    return parametersOf(digestAuthorization({ ...REQUEST, challenge: CHALLENGE, ...change }));
  };

  test('depends on everything that it protects', () => {
    const variants = [
      {},
      { username: 'U' },
      { password: 'P' },
      { method: 'POST' },
      { uri: '/dir/index.html?x' },
      { nonceCount: 2 },
      { cnonce: 'C' },
    ].map((change) => written(change)['response']);
    expect(new Set(variants).size).toBe(variants.length);
  });

  test('counts in eight lower-case hexadecimal digits', () => {
    expect(written({ nonceCount: 0x1a2b })['nc']).toBe('00001a2b');
  });

  test('escapes quotes and backslashes, so that no value ends its parameter', () => {
    const { username } = written({ username: 'a"b\\c, response="0"' });
    expect(username).toBe('"a\\"b\\\\c, response=\\"0\\""');
  });

  test('writes a name that is not ASCII in the form of RFC 8187', () => {
    const { username, 'username*': extended } = written({ username: "Jäsøn (Doe)*'" });
    expect([username, extended]).toEqual([undefined, "UTF-8''J%C3%A4s%C3%B8n%20%28Doe%29%2A%27"]);
  });

  test('has no opaque where the challenge had none, and no algorithm where it named none', () => {
    expect(written({})).not.toHaveProperty('opaque');
    const none = chooseChallenge('Digest realm="r", nonce="n", qop="auth"');
    if (none === undefined) throw new Error('no challenge was understood');
    const { algorithm, response } = written({ challenge: none });
    expect(algorithm).toBeUndefined();
    expect(response).toBe(written({})['response']);
  });
});
