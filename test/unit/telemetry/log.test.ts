import { spawnSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import { AtlasError } from '../../../src/atlas/errors.ts';
import { KubeError } from '../../../src/kube/errors.ts';
import { errorFields } from '../../../src/telemetry/log.ts';

describe('what is logged of an error', () => {
  const canary = new Error('canary');

  test.each([
    ['KubeError', new KubeError('no such Secret', { status: 404, cause: canary }), 'no such Secret'],
    ['AtlasError', new AtlasError('ATLAS_REFUSED', 'not authorized', { cause: canary }), 'not authorized'],
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

  test('censors at any depth, in lists and in what an object says of itself for JSON', () => {
    const lines = output(`
      log.info({ a: { b: { c: { d: { url: 'canary' } } } } }, 'deep');
      log.info({ answers: [{ delivery: { url: 'canary' } }] }, 'list');
      log.info({ answer: { toJSON: () => ({ token: 'canary' }) } }, 'JSON');
      log.info({ at: new Date(0), zero: 0, nothing: null, no: undefined }, 'plain');`);
    expect(lines).not.toContain('canary');
    expect(lines.match(/\[redacted\]/g)).toHaveLength(3);
    expect(lines).toContain('"at":"1970-01-01T00:00:00.000Z","zero":0,"nothing":null,"msg"');
  });

  test('takes an object that contains itself, and one without end, for a line', () => {
    const lines = output(`
      const self = { authValue: 'canary' };
      self.self = self;
      log.info({ self }, 'circular');
      log.info({ answer: { get answer() { return this; }, url: 'canary' } }, 'endless');`);
    expect(lines.trimEnd().split('\n')).toHaveLength(2);
    expect(lines).toContain('[Object]');
    expect(lines).not.toContain('canary');
  });

  describe('for people', () => {
    const pretty = (statements: string, level = 'info') => output(statements, level, 'pretty').trimEnd().split('\n');
    const TIME = /^\d\d:\d\d:\d\d /;

    test('is a line with time, level, resource, message and few fields', () => {
      const [line = '', ...more] = pretty(`log.warn({
        namespace: 'payments', name: 'cluster0-friday', uid: 'u-1', jobId: 'j-1', requestId: 'r-1',
        reason: 'JobFinished', statusName: 'FINISHED', delivery: '', words: 'two words', durationMs: 41,
      }, 'status changed');`);
      expect(line).toMatch(TIME);
      expect(line.replace(TIME, '')).toBe(
        'WARN: payments/cluster0-friday: status changed reason=JobFinished statusName=FINISHED words="two words" durationMs=41',
      );
      expect(more).toEqual([]);
    });

    test('is one without a resource too', () => {
      expect(pretty(`log.info({ resources: 3 }, 'working');`).map((line) => line.replace(TIME, ''))).toEqual([
        'INFO: working resources=3',
      ]);
    });

    test('shows where a bug comes from below its line', () => {
      const [line = '', second = ''] = pretty(
        `log.error({ error: 'what', stack: 'Error: what\\n    at there' }, 'failed');`,
      );
      expect(line).toMatch(/ERROR: failed$/);
      expect(second.trim()).toBe('Error: what');
    });

    test('censors as well, and lets nobody begin a line or move the cursor', () => {
      const lines = pretty(
        `log.debug({ authValue: 'canary', answer: { url: 'canary' }, text: 'a\\nb\\u001b[2J' }, 'one\\ntwo\\u001b[31m');`,
        'debug',
      );
      expect(lines).toHaveLength(1);
      expect(lines[0]).toContain('DEBUG: one two [31m');
      expect(lines[0]).toContain('[redacted]');
      expect(lines[0]).not.toContain('canary');
      expect(lines[0]).not.toContain('\u001b[2J');
    });
  });
});

describe('SIGUSR2', () => {
  /** The messages of a process that gets the signal twice and logs at all levels before, between and after. */
  function levels(configured: string, format: string): string[] {
    const module = (name: string): string => new URL(`../../../src/telemetry/${name}.ts`, import.meta.url).href;
    const script = `
      import { createLevelSwitch } from '${module('level-switch')}';
      import { createLog } from '${module('log')}';
      const signal = async () => {
        process.kill(process.pid, 'SIGUSR2');
        for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
      };
      const levels = createLevelSwitch();
      await signal();
      const log = await createLog({ level: '${configured}', format: '${format}', version: '1' });
      levels.attach(log, '${configured}');
      const all = (when) => { for (const level of ['error', 'info', 'debug', 'trace']) log[level](when + ' ' + level); };
      all('before'); await signal(); all('between'); await signal(); all('after');`;
    const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
    const lines = stdout.trimEnd().split('\n');
    return format === 'json'
      ? lines.map((line) => `${JSON.parse(line).level}: ${JSON.parse(line).msg}`)
      : lines.map((line) => line.replace(/^\S+ \w+: /, (head) => head.slice(9).toLowerCase()));
  }

  test.each(['json', 'pretty'])(
    'switches to debug and back, and says so at the level that holds then (%s)',
    (format) => {
      expect(levels('info', format)).toEqual([
        'error: before error',
        'info: before info',
        'debug: the log level is debug now',
        'error: between error',
        'info: between info',
        'debug: between debug',
        'info: the log level is info now',
        'error: after error',
        'info: after info',
      ]);
    },
  );

  test('is told at a configured level that hides most', () => {
    expect(levels('error', 'json').filter((line) => line.includes('log level'))).toEqual([
      'debug: the log level is debug now',
      'error: the log level is error now',
    ]);
  });

  test('leaves a configured debug as it is', () => {
    expect(levels('debug', 'json').filter((line) => line.includes('log level'))).toEqual([
      'debug: the log level is debug now',
      'debug: the log level is debug now',
    ]);
  });
});
