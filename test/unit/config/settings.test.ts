import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { listSettings, readSettings, type Settings } from '../../../src/config/settings.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** The settings of a command line and an environment that are right. */
function read(args: readonly string[], environment: Record<string, string | undefined> = {}): Settings {
  const result = readSettings(args, environment);
  if (!result.ok) throw new Error(result.problems.join('; '));
  return result.settings;
}

function problems(args: readonly string[], environment: Record<string, string | undefined> = {}): readonly string[] {
  const result = readSettings(args, environment);
  return result.ok ? [] : result.problems;
}

describe('the settings', () => {
  test('have the defaults of the documentation', () => {
    expect(read([])).toEqual({
      atlasBaseUrl: 'https://cloud.mongodb.com',
      atlasApi: 'atlas/v1.0',
      atlasAllowPlainHttp: false,
      atlasRequestsPerMinute: 100,
      atlasTimeout: 10 * SECOND,
      atlasEnvelope: false,
      atlasPretty: false,
      atlasList: true,
      namespaces: [],
      labelSelector: '',
      defaultInterval: MINUTE,
      concurrency: 16,
      deliveryUrlInStatus: true,
      defaultCredentialsDir: '',
      defaultCredentialsNamespaces: [],
      leaderElect: false,
      leaseName: 'legacy-restore-operator',
      leaseNamespace: '',
      httpBindAddress: { host: '', port: 8080 },
      logLevel: 'info',
      logFormat: 'json',
    });
  });

  /** Flag, variable, text, member, what it becomes. */
  const ROWS: readonly (readonly [string, string, string, Partial<Settings>])[] = [
    [
      'atlas-base-url',
      'ATLAS_BASE_URL',
      'https://cloud.mongodbgov.com/',
      { atlasBaseUrl: 'https://cloud.mongodbgov.com' },
    ],
    ['atlas-api', 'ATLAS_API', 'atlas/v2', { atlasApi: 'atlas/v2' }],
    ['atlas-requests-per-minute', 'ATLAS_REQUESTS_PER_MINUTE', '0', { atlasRequestsPerMinute: 0 }],
    ['atlas-timeout', 'ATLAS_TIMEOUT', '1m30s', { atlasTimeout: 90 * SECOND }],
    ['atlas-envelope', 'ATLAS_ENVELOPE', 'true', { atlasEnvelope: true }],
    ['atlas-pretty', 'ATLAS_PRETTY', 'true', { atlasPretty: true }],
    ['atlas-list', 'ATLAS_LIST', 'false', { atlasList: false }],
    ['namespaces', 'NAMESPACES', 'payments, shop,,payments', { namespaces: ['payments', 'shop'] }],
    ['label-selector', 'LABEL_SELECTOR', 'shard in (a, b),!canary', { labelSelector: 'shard in (a, b),!canary' }],
    ['default-interval', 'DEFAULT_INTERVAL', '10s', { defaultInterval: 10 * SECOND }],
    ['concurrency', 'CONCURRENCY', '1', { concurrency: 1 }],
    ['delivery-url-in-status', 'DELIVERY_URL_IN_STATUS', 'false', { deliveryUrlInStatus: false }],
    ['leader-elect', 'LEADER_ELECT', 'true', { leaderElect: true }],
    ['lease-name', 'LEASE_NAME', 'my-lease.v1', { leaseName: 'my-lease.v1' }],
    ['lease-namespace', 'LEASE_NAMESPACE', 'operators', { leaseNamespace: 'operators' }],
    ['http-bind-address', 'HTTP_BIND_ADDRESS', '[::1]:0', { httpBindAddress: { host: '::1', port: 0 } }],
    ['log-level', 'LOG_LEVEL', 'debug', { logLevel: 'debug' }],
    ['log-format', 'LOG_FORMAT', 'pretty', { logFormat: 'pretty' }],
  ];

  test.each(ROWS)('--%s and %s=%s', (flag, variable, text, expected) => {
    const defaults = read([]);
    expect(read([`--${flag}=${text}`])).toEqual({ ...defaults, ...expected });
    expect(read([`--${flag}`, text])).toEqual({ ...defaults, ...expected });
    expect(read([], { [variable]: text })).toEqual({ ...defaults, ...expected });
  });

  test('the default credentials, which come in pairs', () => {
    const expected = { defaultCredentialsDir: '/etc/atlas', defaultCredentialsNamespaces: ['payments'] };
    expect(read(['--default-credentials-dir=/etc/atlas', '--default-credentials-namespaces=payments'])).toMatchObject(
      expected,
    );
    const variables = { DEFAULT_CREDENTIALS_DIR: '/etc/atlas', DEFAULT_CREDENTIALS_NAMESPACES: 'payments' };
    expect(read([], variables)).toMatchObject(expected);
  });

  test('plain HTTP, of an Ops Manager alone', () => {
    const expected = { atlasBaseUrl: 'http://ops:8080', atlasApi: 'public/v1.0', atlasAllowPlainHttp: true };
    const flags = ['--atlas-base-url=http://ops:8080', '--atlas-api=public/v1.0', '--atlas-allow-plain-http=true'];
    expect(read(flags)).toMatchObject(expected);
    const variables = {
      ATLAS_BASE_URL: 'http://ops:8080/',
      ATLAS_API: 'public/v1.0',
      ATLAS_ALLOW_PLAIN_HTTP: 'true',
    };
    expect(read([], variables)).toMatchObject(expected);
  });

  test('are all in the list that documentation is made of, with a flag, a variable and a default each', () => {
    const rows = [
      '--atlas-allow-plain-http ATLAS_ALLOW_PLAIN_HTTP',
      ...ROWS.map(([flag, variable]) => `--${flag} ${variable}`),
      '--default-credentials-dir DEFAULT_CREDENTIALS_DIR',
      '--default-credentials-namespaces DEFAULT_CREDENTIALS_NAMESPACES',
    ];
    const listed = listSettings();
    expect(listed.map(({ name, variable }) => `--${name} ${variable}`).toSorted()).toEqual(rows.toSorted());
    expect(listed.map(({ key }) => key)).toEqual(Object.keys(read([])));
    for (const { description, fallback } of listed) {
      expect(description).toMatch(/^\S.*\.$/s);
      expect(fallback).not.toBe('');
    }
  });

  test('a flag wins over its variable, the last of two flags over the first', () => {
    const environment = { CONCURRENCY: '3' };
    expect(read(['--concurrency=5'], environment).concurrency).toBe(5);
    expect(read(['--concurrency=5', '--concurrency=6'], environment).concurrency).toBe(6);
    expect(read([], environment).concurrency).toBe(3);
  });

  test('a flag that is right hides a variable that is wrong', () => {
    expect(problems(['--concurrency=5'], { CONCURRENCY: 'many' })).toEqual([]);
  });

  test('an empty variable is as good as none, an empty flag is a value', () => {
    expect(read([], { CONCURRENCY: '', NAMESPACES: '', ATLAS_BASE_URL: '', LEADER_ELECT: undefined })).toEqual(
      read([]),
    );
    expect(read(['--namespaces='], { NAMESPACES: 'payments' }).namespaces).toEqual([]);
    expect(problems(['--concurrency='])).toEqual(['--concurrency must be a whole number']);
  });

  test('other variables are nobody else’s business', () => {
    expect(problems([], { PATH: '/bin', KUBECONFIG: '/x', HTTPS_PROXY: 'x' })).toEqual([]);
  });
});

describe('what is refused', () => {
  test.each([
    ['ATLAS_BASE_URL', 'cloud.mongodb.com', 'must be an https:// URL'],
    ['ATLAS_BASE_URL', 'ftp://cloud.mongodb.com', 'must be an https:// URL'],
    ['ATLAS_BASE_URL', 'http://cloud.mongodb.com', 'must be https, except for loopback hosts'],
    ['ATLAS_BASE_URL', 'http://localhost.example.org', 'must be https, except for loopback hosts'],
    ['ATLAS_BASE_URL', 'http://127.0.0.1.example.org', 'must be https, except for loopback hosts'],
    ['ATLAS_BASE_URL', 'http://10.127.0.0', 'must be https, except for loopback hosts'],
    ['ATLAS_BASE_URL', 'http://[::2]', 'must be https, except for loopback hosts'],
    ['ATLAS_BASE_URL', 'https://user@cloud.mongodb.com', 'must not contain credentials'],
    ['ATLAS_BASE_URL', 'https://:password@cloud.mongodb.com', 'must not contain credentials'],
    [
      'ATLAS_BASE_URL',
      'https://cloud.mongodb.com/api/atlas/v1.0',
      'must not contain the path of the API: use https://cloud.mongodb.com',
    ],
    [
      'ATLAS_BASE_URL',
      'https://cloud.mongodb.com//api/',
      'must not contain the path of the API: use https://cloud.mongodb.com',
    ],
    [
      'ATLAS_BASE_URL',
      'https://proxy.example.org:8443/atlas/api/public/v1.0/',
      'must not contain the path of the API: use https://proxy.example.org:8443/atlas',
    ],
    ['ATLAS_BASE_URL', 'https://cloud.mongodb.com/?a=b', 'must have neither query nor fragment'],
    ['ATLAS_BASE_URL', 'https://cloud.mongodb.com/#a', 'must have neither query nor fragment'],
    ['ATLAS_API', 'atlas/v3', 'must be atlas/v1.0, atlas/v2 or public/v1.0'],
    ['ATLAS_API', '/api/public/v1.0', 'must be atlas/v1.0, atlas/v2 or public/v1.0'],
    ['ATLAS_ALLOW_PLAIN_HTTP', 'yes', 'must be true or false'],
    ['ATLAS_ALLOW_PLAIN_HTTP', 'true', 'needs the API public/v1.0'],
    ['ATLAS_REQUESTS_PER_MINUTE', 'many', 'must be a whole number'],
    ['ATLAS_REQUESTS_PER_MINUTE', '-1', 'must be a whole number'],
    ['ATLAS_REQUESTS_PER_MINUTE', '1.5', 'must be a whole number'],
    ['ATLAS_REQUESTS_PER_MINUTE', '1000001', 'must be between 0 and 1000000'],
    ['ATLAS_TIMEOUT', '10', 'must be a duration from 100ms to 10m, such as 90s or 1h30m'],
    ['ATLAS_TIMEOUT', '99ms', 'must be a duration from 100ms to 10m, such as 90s or 1h30m'],
    ['ATLAS_TIMEOUT', '10m1s', 'must be a duration from 100ms to 10m, such as 90s or 1h30m'],
    ['ATLAS_ENVELOPE', 'yes', 'must be true or false'],
    ['ATLAS_PRETTY', 'TRUE', 'must be true or false'],
    ['NAMESPACES', 'Payments', 'must be a comma-separated list of namespace names'],
    ['NAMESPACES', 'a b', 'must be a comma-separated list of namespace names'],
    ['NAMESPACES', `a,${'b'.repeat(64)}`, 'must be a comma-separated list of namespace names'],
    ['LABEL_SELECTOR', 'shard=a b', 'must be a Kubernetes label selector, such as shard=a, shard in (a,b) or !shard'],
    ['LABEL_SELECTOR', ' ', 'must be a Kubernetes label selector, such as shard=a, shard in (a,b) or !shard'],
    ['DEFAULT_INTERVAL', '9.9s', 'must be a duration from 10s to 24h, such as 90s or 1h30m'],
    ['DEFAULT_INTERVAL', '24h1s', 'must be a duration from 10s to 24h, such as 90s or 1h30m'],
    ['CONCURRENCY', '0', 'must be between 1 and 1000'],
    ['CONCURRENCY', '1001', 'must be between 1 and 1000'],
    ['DELIVERY_URL_IN_STATUS', '1', 'must be true or false'],
    ['LEADER_ELECT', 'on', 'must be true or false'],
    ['LEASE_NAME', 'My_Lease', 'must be the name of a Kubernetes object'],
    ['LEASE_NAME', 'x'.repeat(254), 'must be at most 253 characters'],
    ['HTTP_BIND_ADDRESS', '8080', 'must be host:port or :port'],
    ['HTTP_BIND_ADDRESS', ':65536', 'must be host:port or :port'],
    ['HTTP_BIND_ADDRESS', '::1:8080', 'must be host:port or :port'],
    ['LOG_LEVEL', 'loud', 'must be trace, debug, info, warn or error'],
    ['LOG_FORMAT', 'xml', 'must be json or pretty'],
  ])('%s=%s', (variable, text, problem) => {
    expect(problems([], { [variable]: text })).toEqual([`${variable} ${problem}`]);
    const flag = `--${variable.toLowerCase().replaceAll('_', '-')}`;
    expect(problems([`${flag}=${text}`])).toEqual([`${flag} ${problem}`]);
  });

  test('a namespace of the lease that cannot be one', () => {
    expect(problems([], { LEASE_NAMESPACE: 'Operators' })).toEqual([expect.stringMatching(/^LEASE_NAMESPACE /)]);
  });

  test.each(['http://localhost:8080', 'http://127.0.0.1', 'http://127.8.9.10:1', 'http://[::1]:80/atlas/'])(
    '%s is a loopback host and not refused',
    (url) => {
      expect(read([`--atlas-base-url=${url}`]).atlasBaseUrl).toBe(url.replace(/:80\b(?!8)|\/$/g, ''));
    },
  );

  test.each([
    ['0.0.0.0:9090', { host: '0.0.0.0', port: 9090 }],
    ['localhost:65535', { host: 'localhost', port: 65_535 }],
    [':8080', { host: '', port: 8080 }],
  ])('%s is an address and not refused', (text, expected) => {
    expect(read([], { HTTP_BIND_ADDRESS: text }).httpBindAddress).toEqual(expected);
  });

  test.each([
    [
      'a directory that nobody may use',
      { DEFAULT_CREDENTIALS_DIR: '/x' },
      'DEFAULT_CREDENTIALS_DIR needs DEFAULT_CREDENTIALS_NAMESPACES: who may use them',
    ],
    [
      'namespaces that may use nothing',
      { DEFAULT_CREDENTIALS_NAMESPACES: 'a' },
      'DEFAULT_CREDENTIALS_NAMESPACES needs DEFAULT_CREDENTIALS_DIR: what they may use',
    ],
    [
      'no namespace but a comma',
      { DEFAULT_CREDENTIALS_DIR: '/x', DEFAULT_CREDENTIALS_NAMESPACES: ' ,' },
      'DEFAULT_CREDENTIALS_DIR needs DEFAULT_CREDENTIALS_NAMESPACES: who may use them',
    ],
    [
      'a share of the resources and the Lease of all others',
      { LABEL_SELECTOR: 'shard=a', LEADER_ELECT: 'true', LEASE_NAME: '' },
      'LABEL_SELECTOR with LEADER_ELECT needs LEASE_NAME: of operators that share a lease only one reconciles',
    ],
    [
      'an Ops Manager by plain HTTP without a word',
      { ATLAS_API: 'public/v1.0', ATLAS_BASE_URL: 'http://ops:8080' },
      'ATLAS_BASE_URL must be https, except for loopback hosts, unless atlas-allow-plain-http is true',
    ],
    [
      'Atlas by plain HTTP',
      { ATLAS_API: 'atlas/v2', ATLAS_BASE_URL: 'http://ops:8080', ATLAS_ALLOW_PLAIN_HTTP: 'true' },
      'ATLAS_ALLOW_PLAIN_HTTP needs the API public/v1.0',
    ],
  ])('a contradiction: %s', (_name, environment, problem) => {
    expect(problems([], environment)).toEqual([problem]);
  });

  test.each<[readonly string[], string]>([
    [
      ['--label-selector=shard=a', '--leader-elect=true'],
      '--label-selector with --leader-elect needs LEASE_NAME: of operators that share a lease only one reconciles',
    ],
    [
      ['--default-credentials-dir=/x'],
      '--default-credentials-dir needs DEFAULT_CREDENTIALS_NAMESPACES: who may use them',
    ],
    [
      ['--default-credentials-namespaces=a'],
      '--default-credentials-namespaces needs DEFAULT_CREDENTIALS_DIR: what they may use',
    ],
  ])('a contradiction is told with the flags that were given: %p', (args, problem) => {
    expect(problems(args, {})).toEqual([problem]);
  });

  test('a label selector goes with a lease of its own, and with no lease', () => {
    expect(problems([], { LABEL_SELECTOR: 'shard=a', LEADER_ELECT: 'true', LEASE_NAME: 'shard-a' })).toEqual([]);
    expect(problems([], { LABEL_SELECTOR: 'shard=a' })).toEqual([]);
  });

  test('all problems are told at once, contradictions too, each with its source', () => {
    const told = problems(['--concurrency=0', '--color', 'run', '--lease-name'], {
      CONCURRENCY: '5',
      ATLAS_BASE_URL: 'http://ops',
      LOG_LEVEL: 'loud',
      ATLAS_TIMEOUT: 'long',
      DEFAULT_CREDENTIALS_DIR: '/etc/atlas',
    });
    expect(told.toSorted()).toEqual([
      '--color is not a flag of this command',
      '--concurrency must be between 1 and 1000',
      '--lease-name needs a value',
      'ATLAS_BASE_URL must be https, except for loopback hosts',
      'ATLAS_TIMEOUT must be a duration from 100ms to 10m, such as 90s or 1h30m',
      'DEFAULT_CREDENTIALS_DIR needs DEFAULT_CREDENTIALS_NAMESPACES: who may use them',
      'LOG_LEVEL must be trace, debug, info, warn or error',
      'argument 3 is not a flag; flags are --name=value or --name value',
    ]);
  });
});

describe('the command line', () => {
  test.each<[string, string[], string]>([
    ['an unknown flag', ['--color=red'], '--color is not a flag of this command'],
    [
      'a flag that is not switched on like that',
      ['--no-leader-elect'],
      '--no-leader-elect is not a flag of this command',
    ],
    ['a flag of another spelling', ['--leaderElect=true'], '--leaderElect is not a flag of this command'],
    ['a positional', ['run'], 'argument 1 is not a flag; flags are --name=value or --name value'],
    [
      'what follows two hyphens',
      ['--', '--concurrency=1'],
      'argument 2 is not a flag; flags are --name=value or --name value',
    ],
    ['a single hyphen', ['-'], 'argument 1 is not a flag; flags are --name=value or --name value'],
    ['a short flag', ['-c'], 'argument 1 is not a flag; flags are --name=value or --name value'],
    ['a flag at the end without a value', ['--leader-elect'], '--leader-elect needs a value'],
    ['a flag before another without a value', ['--lease-name', '--concurrency=3'], '--lease-name needs a value'],
    [
      'a directory before another flag',
      ['--default-credentials-dir', '--log-level=info'],
      '--default-credentials-dir needs a value',
    ],
    [
      'a password behind a short flag',
      ['-psecret'],
      'argument 1 is not a flag; flags are --name=value or --name value',
    ],
    [
      'a value behind a colon',
      ['--atlas-base-url:https://user:secret@x'],
      'argument 1 is not a flag; flags are --name=value or --name value',
    ],
    ['no name at all', ['--=secret'], 'argument 1 is not a flag; flags are --name=value or --name value'],
  ])('%s', (_name, args, problem) => {
    expect(problems(args)).toEqual([problem]);
  });
});

test('no value is ever repeated, wherever it stands', () => {
  const CANARY = 'CANARY7x';
  const names = listSettings();
  const around = fc.string({ maxLength: 5 }).filter((text) => !text.includes('CANARY'));
  const value = fc.tuple(around, around).map(([before, after]) => `${before}${CANARY}${after}`);
  const argument = fc.oneof(
    fc.tuple(fc.constantFrom(...names), value).map(([{ name }, text]) => `--${name}=${text}`),
    fc.tuple(fc.constantFrom(...names), value).map(([{ name }, text]) => `--${name}:${text}`),
    fc.tuple(fc.constantFrom('-p', '--=', '--unknown=', ''), value).map(([flag, text]) => flag + text),
    fc.constantFrom(...names).map(({ name }) => `--${name}`),
  );
  const environment = fc
    .array(fc.tuple(fc.constantFrom(...names), value))
    .map((pairs) => Object.fromEntries(pairs.map(([{ variable }, text]) => [variable, text])));
  fc.assert(
    fc.property(fc.array(argument, { maxLength: 6 }), environment, (args, variables) => {
      const told = problems(args, variables).join('\n');
      expect(told).not.toContain(CANARY);
      // Letter by letter is repeated, too.
      expect(told).not.toMatch(/^-[A-Za-z0-9] /m);
    }),
    { numRuns: 500 },
  );
});
