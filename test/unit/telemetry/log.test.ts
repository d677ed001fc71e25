import { spawnSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import { AtlasError } from '../../../src/atlas/errors.ts';
import { KubeError } from '../../../src/kube/errors.ts';
import { errorFields } from '../../../src/telemetry/log.ts';

describe('what is logged of an error', () => {
  const canary = new Error('canary');

  test.each([
    ['KubeError', new KubeError('no such Secret', { status: 404, cause: canary }), 'no such Secret'],
    [
      'AtlasError',
      new AtlasError('not authorized', { kind: 'permanent', reason: 'Unauthorized', cause: canary }),
      'not authorized',
    ],
  ])('an expected one (%s): its message alone', (_name, error, message) => {
    expect(errorFields(error)).toEqual({ error: message });
  });

  test.each([
    ['Error', new Error('what', { cause: canary })],
    ['TypeError', new TypeError('what', { cause: canary })],
    ['ReferenceError', new ReferenceError('what', { cause: canary })],
  ])('a bug (%s): where it comes from as well, and never its cause', (_name, error) => {
    const fields = errorFields(error);
    expect(fields.error).toBe('what');
    expect(fields.stack).toContain('log.test.ts');
    expect(JSON.stringify(fields)).not.toContain('canary');
    expect(Object.keys(fields).toSorted()).toEqual(['error', 'stack']);
  });

  test('an error without a stack', () => {
    const error = new Error('what');
    delete error.stack;
    expect(errorFields(error)).toEqual({ error: 'what' });
  });

  test.each([
    ['a text', 'what', 'what'],
    ['an object', { authValue: 'canary' }, 'unknown error'],
    ['nothing', undefined, 'unknown error'],
  ])('what is no error (%s)', (_name, thrown, expected) => {
    expect(errorFields(thrown)).toEqual({ error: expected });
  });
});

describe('the log', () => {
  /** What a process writes that logs these lines, with this level and format. */
  function output(statements: string, level = 'info', format = 'json'): string {
    const source = new URL('../../../src/telemetry/log.ts', import.meta.url).href;
    const script = `
      const { createLog } = await import('${source}');
      const log = await createLog({ level: '${level}', format: '${format}', version: '1.2.3' });
      ${statements}`;
    const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
    return stdout;
  }

  test('is one line of JSON for each event: level, ISO time, version, fields, message', () => {
    const lines = output(`log.info({ namespace: 'a' }, 'hello'); log.debug('not at this level'); log.warn('ho\\nho');`);
    expect(
      lines
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        version: '1.2.3',
        namespace: 'a',
        msg: 'hello',
      },
      expect.objectContaining({ level: 'warn', msg: 'ho\nho' }),
    ]);
  });

  test('censors the names under which secrets travel, however deep within three levels an object holds them', () => {
    const names = [
      'privateApiKey',
      'privateKey',
      'clientSecret',
      'authValue',
      'authorization',
      'access_token',
      'token',
      'url',
      'urlV2',
      'data',
    ];
    const secrets = JSON.stringify(Object.fromEntries(names.map((name) => [name, 'canary'])));
    const lines = output(`
      log.info(${secrets}, 'top');
      log.info({ answer: ${secrets} }, 'one');
      log.info({ answer: { delivery: ${secrets} } }, 'two');
      log.info({ error: { answer: { delivery: ${secrets} } } }, 'three');
      log.child({ authValue: 'canary' }).info('child');`);
    expect(lines).not.toContain('canary');
    expect(lines.match(/\[redacted\]/g)?.length).toBeGreaterThanOrEqual(4 * names.length);
    expect(lines.trimEnd().split('\n')).toHaveLength(5);
  });

  test('for people is one line without braces, and censors as well', () => {
    const lines = output(`log.debug({ authValue: 'canary', namespace: 'a' }, 'hello');`, 'debug', 'pretty');
    expect(lines).toContain('hello');
    expect(lines).toContain('DEBUG');
    expect(lines).not.toContain('canary');
    expect(lines.trimEnd().split('\n')).toHaveLength(1);
    expect(() => JSON.parse(lines)).toThrow(SyntaxError);
  });
});
