import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { chooseChallenge, parseChallenges } from '../../../src/atlas/digest.ts';

const RECORDED =
  'Digest realm="MMS Public API", domain="", nonce="89FU+zZ06zgKynmobMhdFzhWpORw6cYM", algorithm=MD5, qop="auth", stale=false';

describe('a challenge', () => {
  test('as recorded from Atlas', () => {
    expect(chooseChallenge(RECORDED)).toEqual({
      realm: 'MMS Public API',
      nonce: '89FU+zZ06zgKynmobMhdFzhWpORw6cYM',
      opaque: undefined,
      hash: 'MD5',
      session: false,
      algorithm: 'MD5',
      qopAuth: true,
      stale: false,
      userhash: false,
    });
  });

  test.each([
    ['stale=true', 'stale=true', { stale: true }],
    ['stale=TRUE', 'stale=TRUE', { stale: true }],
    ['stale in quotes', 'stale="true"', { stale: true }],
    ['stale with another value', 'stale=yes', { stale: false }],
    ['userhash', 'userhash=True', { userhash: true }],
    ['an opaque', 'opaque="a,b"', { opaque: 'a,b' }],
    ['a lower-case algorithm, sent back as it came', 'algorithm=sha-256', { hash: 'SHA-256', algorithm: 'sha-256' }],
    ['a quoted algorithm', 'algorithm="SHA-256"', { hash: 'SHA-256', algorithm: 'SHA-256' }],
    ['a session algorithm', 'algorithm=SHA-512-256-SESS', { hash: 'SHA-512-256', session: true }],
    ['no algorithm, which means MD5', 'x=y', { hash: 'MD5', algorithm: undefined }],
    ['qop with auth among others', 'qop="auth-int, Auth"', { qopAuth: true }],
    ['an unquoted qop', 'qop=auth', { qopAuth: true }],
    ['no qop, as in RFC 2069', 'x=y', { qopAuth: false }],
    ['a parameter in upper case', 'QOP="auth"', { qopAuth: true }],
  ])('with %s', (_, parameter, expected) => {
    expect(chooseChallenge(`Digest realm="r", nonce="n", ${parameter}`)).toMatchObject(expected);
    expect(chooseChallenge(`Digest ${parameter}, nonce="n", realm="r"`)).toMatchObject(expected);
  });

  test.each([
    ['no header', undefined],
    ['no line', []],
    ['an empty line', ''],
    ['spaces and commas', ' ,, , '],
    ['the scheme alone', 'Digest'],
    ['no realm', 'Digest nonce="n"'],
    ['no nonce', 'Digest realm="r"'],
    ['an unknown algorithm', 'Digest realm="r", nonce="n", algorithm=SHA3-256'],
    ['an algorithm that is only a suffix', 'Digest realm="r", nonce="n", algorithm="-sess"'],
    ['the integrity of the body alone', 'Digest realm="r", nonce="n", qop="auth-int"'],
    ['an empty qop', 'Digest realm="r", nonce="n", qop=""'],
    ['another scheme', 'Basic realm="r", nonce="n"'],
    ['a scheme whose name only begins so', 'DigestX realm="r", nonce="n"'],
    ['an unterminated quote', 'Digest realm="r", nonce="n'],
    ['parameters without a scheme', 'realm="r", nonce="n"'],
  ])('is not there with %s', (_, header) => {
    expect(chooseChallenge(header)).toBeUndefined();
  });
});

describe('of several challenges', () => {
  const of = (algorithm: string, more = '') =>
    `Digest realm="r", nonce="nonce of ${algorithm}", qop="auth", algorithm=${algorithm}${more}`;
  const chosen = (...lines: readonly string[]) => chooseChallenge(lines)?.algorithm;

  test('the strongest is chosen, in one line or in several, in any order', () => {
    const challenges = [of('SHA-256'), of('SHA-512-256'), of('MD5')];
    for (const order of [challenges, challenges.toReversed()]) {
      expect(chosen(...order)).toBe('SHA-512-256');
      expect(chosen(order.join(', '))).toBe('SHA-512-256');
      expect(chosen(order.join(','))).toBe('SHA-512-256');
    }
    expect(chosen(of('MD5'), of('SHA-256'))).toBe('SHA-256');
    expect(chosen(`${of('MD5')}, ${of('SHA-256')}`, of('MD5'))).toBe('SHA-256');
  });

  test('its own parameters stay with it', () => {
    const line = `${of('MD5', ', stale=true')}, ${of('SHA-256', ', opaque="o"')}`;
    expect(chooseChallenge(line)).toMatchObject({ nonce: 'nonce of SHA-256', opaque: 'o', stale: false });
  });

  test('unknown algorithms and auth-int alone are passed over', () => {
    expect(chosen(of('SHA3-512'), of('MD5'))).toBe('MD5');
    expect(chosen(`${of('SHA3-512')}, ${of('MD5')}`)).toBe('MD5');
    expect(chosen('Digest realm="r", nonce="n", qop="auth-int", algorithm=SHA-256', of('MD5'))).toBe('MD5');
  });

  test('of equally strong ones the first is chosen', () => {
    const line = 'Digest realm="a", nonce="n", Digest realm="b", nonce="n"';
    expect(chooseChallenge(line)?.realm).toBe('a');
  });

  test.each([
    'Basic realm="x"',
    'Basic realm="a, Digest realm=\\"no\\", nonce=\\"no\\""',
    'Basic realm="x", charset="UTF-8"',
    'Bearer',
    'Bearer realm="x", error="invalid_token", scope="a b"',
    'Negotiate',
    'Negotiate YII',
    'Negotiate YII=',
    'Negotiate YIIabc+/._~-==',
    'NTLM TlRMTVNTUAAC',
  ])('another scheme neither hides it nor lends it parameters: %s', (other) => {
    for (const separator of [', ', ',', ' , ,\t']) {
      expect(chooseChallenge(other + separator + RECORDED)).toEqual(chooseChallenge(RECORDED));
      expect(chooseChallenge(RECORDED + separator + other)).toEqual(chooseChallenge(RECORDED));
      expect(chooseChallenge([other, RECORDED, other])).toEqual(chooseChallenge(RECORDED));
    }
  });
});

describe('the syntax of a header line', () => {
  const parsed = (line: string) =>
    parseChallenges(line).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

  test('the example of RFC 9110 section 11.6.1', () => {
    const line = 'Basic realm="simple", Newauth realm="apps", type=1, title="Login to \\"apps\\""';
    expect(parsed(line)).toEqual([
      ['basic', { realm: 'simple' }],
      ['newauth', { realm: 'apps', type: '1', title: 'Login to "apps"' }],
    ]);
  });

  test.each([
    ['escapes', String.raw`Digest a="q\"b\\c\d"`, { a: 'q"b\\cd' }],
    ['commas and equal signs inside quotes', 'Digest a="x, y=z, Basic w", b=c', { a: 'x, y=z, Basic w', b: 'c' }],
    ['whitespace around everything', '\t Digest\t a = "x" \t,  b\t=\ty ,, c=z, ', { a: 'x', b: 'y', c: 'z' }],
    ['no whitespace at all', 'Digest a="x",b=y', { a: 'x', b: 'y' }],
    ['an empty quoted value', 'Digest a="", b=c', { a: '', b: 'c' }],
    ['a repeated parameter, of which the first counts', 'Digest a=1, A=2, b="3", b=4', { a: '1', b: '3' }],
  ])('%s', (_, line, expected) => {
    expect(parsed(line)).toEqual([['digest', expected]]);
  });

  test('names that objects have by themselves', () => {
    expect(parseChallenges('Digest __proto__=1, constructor=2')[0]?.parameters).toEqual(
      new Map([
        ['__proto__', '1'],
        ['constructor', '2'],
      ]),
    );
  });

  test.each([
    ['an unterminated quote', 'Digest a=b, c="d, e=f', { a: 'b' }],
    ['a value without a name', 'Digest a=b, ="c", d=e', { a: 'b' }],
    ['a name without a value', 'Digest a=b, c=, d=e', { a: 'b' }],
    ['a name without a value, in spaces', 'Digest a=b, c = , d=e', { a: 'b' }],
    ['text after a quoted value', 'Digest a=b, c="d"e, f=g', { a: 'b' }],
  ])('%s ends the list', (_, line, expected) => {
    expect(parsed(line)).toEqual([['digest', expected]]);
  });
});

describe('any header', () => {
  const gap = fc.constantFrom('', ' ', '\t', '  ');
  const comma = fc.tuple(gap, fc.constantFrom(',', ',,', ', ,'), gap).map((parts) => parts.join(''));
  const cased = (text: string) =>
    fc.constantFrom(
      text,
      text.toUpperCase(),
      text.replace(/^./, (first) => first.toUpperCase()),
    );
  /** With quotes, backslashes and commas more often than chance would have it. */
  const value = fc.string({
    unit: fc.oneof(fc.constantFrom('"', '\\', ',', '=', ' ', '\n', 'a'), fc.string({ maxLength: 1 })),
  });
  const isToken = (text: string) => /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text);

  const written = (name: string, text: string) =>
    fc
      .tuple(cased(name), gap, gap, fc.constantFrom('token', 'quoted', 'escaped'))
      .map(([spelt, before, after, form]) => {
        const token = form === 'token' && isToken(text);
        const inner = form === 'escaped' ? text.replace(/./gs, '\\$&') : text.replace(/["\\]/g, '\\$&');
        return `${spelt}${before}=${after}${token ? text : `"${inner}"`}`;
      });

  const other = fc.constantFrom('Basic realm="a, b"', 'Bearer', 'Negotiate dG9rZW4=', 'Negotiate YQ', 'X y=z');

  const challenge = fc
    .record({ realm: value, nonce: value, opaque: fc.option(value, { nil: undefined }), stale: fc.boolean() })
    .chain((fields) =>
      fc.record({
        fields: fc.constant(fields),
        scheme: cased('digest'),
        parameters: fc
          .tuple(
            written('realm', fields.realm),
            written('nonce', fields.nonce),
            written('qop', 'auth'),
            written('stale', String(fields.stale)),
            ...(fields.opaque === undefined ? [] : [written('opaque', fields.opaque)]),
          )
          .chain((list) => fc.shuffledSubarray(list, { minLength: list.length })),
        separators: fc.array(comma, { minLength: 5, maxLength: 5 }),
        before: fc.array(other, { maxLength: 2 }),
        after: fc.array(other, { maxLength: 2 }),
      }),
    );

  test('with a well-formed challenge gives back what the server meant', () => {
    fc.assert(
      fc.property(challenge, ({ fields, scheme, parameters, separators, before, after }) => {
        const own = parameters.map((parameter, index) => (index === 0 ? '' : (separators[index] ?? ',')) + parameter);
        const line = [...before, `${scheme} ${own.join('')}`, ...after].join(', ');
        expect(chooseChallenge(line)).toEqual({
          ...fields,
          hash: 'MD5',
          session: false,
          algorithm: undefined,
          qopAuth: true,
          userhash: false,
        });
        expect(parseChallenges(line)).toHaveLength(before.length + 1 + after.length);
      }),
      { numRuns: 1_000 },
    );
  });

  test('never throws', () => {
    const fragment = fc.constantFrom('Digest', 'Basic', ' ', ',', '=', '"', '\\', 'realm="', 'nonce=', 'a', '==', '\n');
    const line = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(fragment, { maxLength: 30 }).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 3 }), (lines) => {
        chooseChallenge(lines);
      }),
      { numRuns: 2_000 },
    );
  });

  // Linear work on these takes milliseconds; the square of their length would take minutes.
  test.each([
    ['spaces', ' '.repeat(100_000)],
    ['commas', ','.repeat(100_000)],
    ['spaces and commas', ' ,'.repeat(50_000)],
    ['spaces after the scheme', `Digest${' '.repeat(100_000)}`],
    ['spaces before a bad parameter', `Digest${' '.repeat(100_000)}=`],
    ['spaces after a name', `Digest a${' '.repeat(100_000)}b`],
    ['spaces after an equal sign', `Digest a=${' '.repeat(100_000)},`],
    ['spaces after a token68', `Negotiate a${' '.repeat(100_000)}b`],
    ['one long token', 'a'.repeat(100_000)],
    ['one long name', `Digest ${'a'.repeat(100_000)}=`],
    ['one long value', `Digest a=${'a'.repeat(100_000)}(`],
    ['one long token68', `Negotiate ${'a'.repeat(100_000)}(`],
    ['equal signs', `Negotiate ${'='.repeat(100_000)}`],
    ['equal signs after a token68', `Negotiate a${'='.repeat(100_000)}(`],
    ['an unterminated quote', `Digest a="${'b'.repeat(100_000)}`],
    ['an unterminated quote of escapes', `Digest a="${'\\"'.repeat(50_000)}`],
    ['many unterminated quotes', 'Digest a="'.repeat(10_000)],
    ['text after a long quoted value', `Digest a="${'b'.repeat(100_000)}"c`],
    ['many schemes', 'a,'.repeat(50_000)],
    ['many schemes with a token68', 'a b,'.repeat(25_000)],
    ['many schemes without a comma', 'a '.repeat(50_000)],
    ['many parameters', `Digest ${'a=b,'.repeat(25_000)}`],
    ['many different parameters', `Digest ${Array.from({ length: 15_000 }, (_, index) => `p${index}=1`).join()}`],
    ['many quotes', `Digest ${'a="",'.repeat(20_000)}`],
  ])('of 100 kB is read in no time: %s', (_, line) => {
    const start = performance.now();
    chooseChallenge(line);
    expect(performance.now() - start).toBeLessThan(2_000);
  });
});
