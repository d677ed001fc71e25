import { describe, expect, test } from '@jest/globals';
import { type GetOptions, listGetFlags, readGetOptions } from '../../../src/get/options.ts';

const IDS = ['--group-id=5a66666887d9d61443b41645', '--cluster-name=Cluster0', '--job-id=6b77893b80eef5354c77ee15'];
const API_KEY = { MONGODB_ATLAS_PUBLIC_API_KEY: 'abcdefgh', MONGODB_ATLAS_PRIVATE_API_KEY: 'canary-private' };
const ACCOUNT = { MONGODB_ATLAS_CLIENT_ID: 'mdb_sa_id_1', MONGODB_ATLAS_CLIENT_SECRET: 'canary-secret' };

/** The options of a command line and an environment that are right. */
function read(args: readonly string[], environment: Readonly<Record<string, string>> = {}): GetOptions {
  const result = readGetOptions(args, environment);
  if (result.kind !== 'options') throw new Error(JSON.stringify(result));
  return result.options;
}

function problems(args: readonly string[], environment: Readonly<Record<string, string>> = {}): readonly string[] {
  const result = readGetOptions(args, environment);
  return result.kind === 'problems' ? result.problems : [];
}

test('what applies where nothing else is said', () => {
  expect(read(IDS, API_KEY)).toMatchObject({
    ref: { groupId: '5a66666887d9d61443b41645', clusterName: 'Cluster0', jobId: '6b77893b80eef5354c77ee15' },
    atlasBaseUrl: 'https://cloud.mongodb.com',
    atlasApi: 'atlas/v1.0',
    atlasTimeout: 10_000,
    envelope: false,
    pretty: false,
    output: 'text',
    showUrl: false,
    until: { kind: 'fetched' },
  });
});

test.each<[readonly string[], Partial<GetOptions>]>([
  [['-o', 'json'], { output: 'json' }],
  [['-oyaml'], { output: 'yaml' }],
  [['--output=json', '--envelope', '--pretty', '--show-url'], { envelope: true, pretty: true, showUrl: true }],
  [['--envelope=false'], { envelope: false }],
  [['--watch'], { until: { kind: 'job', intervalMs: 10_000, timeoutMs: undefined } }],
  [['-w', '--interval=2s'], { until: { kind: 'job', intervalMs: 2_000, timeoutMs: undefined } }],
  [
    ['-w', '--for', 'download', '--timeout', '2h'],
    { until: { kind: 'download', intervalMs: 10_000, timeoutMs: 7_200_000 } },
  ],
  [['--atlas-base-url=https://cloud.mongodbgov.com/'], { atlasBaseUrl: 'https://cloud.mongodbgov.com' }],
  [['--atlas-timeout', '3s'], { atlasTimeout: 3_000 }],
])('%j', (args, expected) => {
  expect(read([...IDS, ...args], API_KEY)).toMatchObject(expected);
});

test('the address and the deadline have the variables that `run` has; a flag wins', () => {
  const environment = { ...API_KEY, ATLAS_BASE_URL: 'http://127.0.0.1:1', ATLAS_TIMEOUT: '4s' };
  expect(read(IDS, environment)).toMatchObject({ atlasBaseUrl: 'http://127.0.0.1:1', atlasTimeout: 4_000 });
  expect(read([...IDS, '--atlas-timeout=5s'], environment)).toMatchObject({ atlasTimeout: 5_000 });
});

test('no other flag has a variable', () => {
  const environment = { ...API_KEY, OUTPUT: 'yaml', SECRET: 'a/b', WATCH: 'true', GROUP_ID: 'x', SHOW_URL: 'true' };
  expect(read(IDS, environment)).toEqual(read(IDS, API_KEY));
});

test.each([['--help'], ['-h'], ['--help', '--color=red']])('%j asks for help, whatever else is wrong', (...args) => {
  expect(readGetOptions(args, {})).toEqual({ kind: 'help' });
});

describe('credentials come from', () => {
  const source = (args: readonly string[], environment: Readonly<Record<string, string>> = {}) =>
    read([...IDS, ...args], environment).credentials;

  test('the environment', () => {
    const apiKey = { kind: 'apiKey', publicKey: 'abcdefgh', privateKey: 'canary-private' };
    const account = { kind: 'serviceAccount', clientId: 'mdb_sa_id_1', clientSecret: 'canary-secret' };
    expect(source([], API_KEY)).toEqual({ kind: 'given', credentials: apiKey });
    expect(source([], ACCOUNT)).toEqual({ kind: 'given', credentials: account });
    expect(source([], { ...ACCOUNT, MONGODB_ATLAS_PUBLIC_API_KEY: '' })).toMatchObject({ credentials: account });
  });

  test('files, whatever the environment has', () => {
    const apiKey = ['--public-api-key-file=/a', '--private-api-key-file=/b'];
    expect(source(apiKey, ACCOUNT)).toMatchObject({
      kind: 'files',
      pair: { kind: 'apiKey' },
      nameFile: '/a',
      secretFile: '/b',
    });
    expect(source(['--client-id-file', '/a', '--client-secret-file', '/b'], API_KEY)).toMatchObject({
      kind: 'files',
      pair: { kind: 'serviceAccount' },
      nameFile: '/a',
      secretFile: '/b',
    });
  });

  test('a Secret, whatever the environment has', () => {
    const expected = { kind: 'secret', namespace: 'payments', name: 'atlas-key.v1' };
    expect(source(['--secret=payments/atlas-key.v1'], API_KEY)).toEqual(expected);
  });
});

describe('what is refused', () => {
  const HEX = 'must be 24 digits of 0-9 and a-f, in lower case';

  test.each<[readonly string[], string]>([
    [['--group-id=5A66666887d9d61443b41645'], `--group-id ${HEX}`],
    [['--group-id='], `--group-id ${HEX}`],
    [['--job-id', '6b77893b80eef5354c77ee1'], `--job-id ${HEX}`],
    [['--job-id=6b77893b80eef5354c77ee15\n'], `--job-id ${HEX}`],
    [
      ['--cluster-name=-Cluster0'],
      '--cluster-name must consist of letters, digits and hyphens and begin with a letter or digit',
    ],
    [
      ['--cluster-name=../x'],
      '--cluster-name must consist of letters, digits and hyphens and begin with a letter or digit',
    ],
    [['-o', 'xml'], '--output must be text, json or yaml'],
    [['--watch=yes'], '--watch must be true or false'],
    [['--interval=5s'], '--interval needs --watch'],
    [['--timeout=5s'], '--timeout needs --watch'],
    [['--for=job'], '--for needs --watch'],
    [['--watch', '--for=READY'], '--for must be job or download'],
    [['--watch', '--timeout=0s'], '--timeout must be a duration from 1s to 168h, such as 90s or 1h30m'],
    [['--watch', '--interval=1s'], '--interval must be a duration from 2s to 1h, such as 90s or 1h30m'],
    [['--atlas-base-url=http://cloud.mongodb.com'], '--atlas-base-url must be https, except for loopback hosts'],
    [['--atlas-timeout=10'], '--atlas-timeout must be a duration from 100ms to 10m, such as 90s or 1h30m'],
    [['--atlas-api=v2'], '--atlas-api must be atlas/v1.0, atlas/v2 or public/v1.0'],
    [['--atlas-allow-plain-http=true'], '--atlas-allow-plain-http needs the API public/v1.0'],
    [
      ['--atlas-api=public/v1.0'],
      '--cluster-name must be the id of the cluster with public/v1.0: 24 digits of 0-9 and a-f',
    ],
    [['--secret=atlas-key'], '--secret must be namespace/name'],
    [['--secret=a/b/c'], '--secret must be namespace/name'],
    [['--secret=Payments/atlas-key'], '--secret must be namespace/name'],
    [['--secret=payments/../x'], '--secret must be namespace/name'],
    [['--private-api-key=canary'], '--private-api-key is not a flag of this command'],
    [['-pcanary'], 'argument 4 is not a flag; flags are --name=value or --name value'],
    [['canary'], 'argument 4 is not a flag; flags are --name=value or --name value'],
  ])('%j', (args, problem) => {
    expect(problems([...IDS, ...args], API_KEY)).toEqual([problem]);
  });

  test.each<[string, readonly string[], Readonly<Record<string, string>>, string]>([
    [
      'half of the files',
      ['--private-api-key-file=/canary'],
      API_KEY,
      'the command line lacks the flag --public-api-key-file',
    ],
    [
      'files of two kinds',
      ['--private-api-key-file=/canary', '--client-id-file=/canary'],
      {},
      'the command line holds two kinds of credentials (--private-api-key-file, --client-id-file)',
    ],
    [
      'a file and a Secret',
      ['--private-api-key-file=/canary', '--secret=a/b'],
      {},
      '--secret and --private-api-key-file exclude each other',
    ],
    [
      'half of the environment',
      [],
      { MONGODB_ATLAS_CLIENT_SECRET: 'canary' },
      'the environment lacks the variable MONGODB_ATLAS_CLIENT_ID',
    ],
    [
      'an environment of two kinds',
      [],
      { ...API_KEY, MONGODB_ATLAS_CLIENT_ID: 'canary' },
      'the environment holds two kinds of credentials (MONGODB_ATLAS_PUBLIC_API_KEY, MONGODB_ATLAS_PRIVATE_API_KEY, MONGODB_ATLAS_CLIENT_ID)',
    ],
    [
      'a blank variable',
      [],
      { ...API_KEY, MONGODB_ATLAS_PRIVATE_API_KEY: ' ' },
      'the environment has an empty MONGODB_ATLAS_PRIVATE_API_KEY',
    ],
  ])('%s', (_name, args, environment, problem) => {
    expect(problems([...IDS, ...args], environment)).toEqual([problem]);
  });

  test('a service account where there is none, from the environment and from files, and whatever else is wrong', () => {
    const atOpsManager = ['--atlas-api=public/v1.0', '--atlas-base-url=http://ops:8080'];
    const expected = [
      '--atlas-base-url must be https, except for loopback hosts, unless atlas-allow-plain-http is true',
      '--cluster-name must be the id of the cluster with public/v1.0: 24 digits of 0-9 and a-f',
      'Ops Manager has no service accounts: an API key is needed',
    ];
    expect(problems([...IDS, ...atOpsManager], ACCOUNT)).toEqual(expected);
    const files = ['--client-id-file=/a', '--client-secret-file=/b'];
    expect(problems([...IDS, ...atOpsManager, ...files])).toEqual(expected);
  });

  test('a service account of Cloud Manager is not refused, nor is a Secret before it is read', () => {
    const [groupId = '', , jobId = ''] = IDS;
    const args = [groupId, jobId, '--cluster-name=5a66689487d9d61443b46149'];
    const environment = { ...ACCOUNT, ATLAS_API: 'public/v1.0' };
    expect(read(args, environment)).toMatchObject({ atlasApi: 'public/v1.0', credentials: { kind: 'given' } });
    const atOpsManager = ['--secret=a/b', '--atlas-base-url=http://ops:8080', '--atlas-allow-plain-http=true'];
    expect(read([...args, ...atOpsManager], environment)).toMatchObject({ credentials: { kind: 'secret' } });
  });

  test('no credentials: all ways to give them are told', () => {
    const [problem = ''] = problems(IDS);
    for (const { name } of listGetFlags().filter((flag) => /-file$|^secret$/.test(flag.name))) {
      expect(problem).toContain(`--${name}`);
    }
    for (const variable of [...Object.keys(API_KEY), ...Object.keys(ACCOUNT)]) expect(problem).toContain(variable);
  });

  test('everything at once, and no value', () => {
    const told = problems(['--group-id=canary', '--color=canary', '--secret=canary', '-o', 'canary'], {
      ATLAS_TIMEOUT: 'canary',
    });
    expect(told).toEqual([
      '--color is not a flag of this command',
      expect.stringMatching(/^--group-id must/),
      '--cluster-name is missing',
      '--job-id is missing',
      '--secret must be namespace/name',
      '--output must be text, json or yaml',
      expect.stringMatching(/^ATLAS_TIMEOUT must/),
    ]);
    expect(told.join()).not.toContain('canary');
  });
});
