import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { RestoreJob, type RestoreJobResponse } from '../../../src/api/restore-job.ts';
import { AtlasError } from '../../../src/atlas/errors.ts';
import { MAX_HASHES, readRestoreJobResponse, readTokenError } from '../../../src/atlas/response.ts';
import { type AtlasErrorFacts, atlasErrorFacts } from '../../support/atlas-client.ts';
import { deeplyNested, invalidUtf8, manyHashes, truncatedJson } from '../../support/atlas-simulator/fault-samples.ts';
import type { Fault } from '../../support/atlas-simulator/faults.ts';
import type { JsonObject } from '../../support/atlas-simulator/json.ts';
import {
  automatedRestore,
  automatedRestoreInto,
  brokenJob,
  encryptedDownload,
  endedDownload,
  fetchedDownload,
  PUBLISHED_EXAMPLE_JOB as JOB,
  killedJob,
  oddTimestamp,
  openJob,
  PUBLISHED_EXAMPLE,
  pendingDownload,
  pointInTimeDownload,
  readyDownload,
  shardedBatch,
  urlV2Download,
  youngJob,
} from '../../support/atlas-simulator/recorded-bodies.ts';

const EXPIRES = '2030-01-01T00:00:00Z';
const TARGET = { groupId: '5a66666887d9d61443b41699', clusterId: '5a66689487d9d61443b46199', clusterName: 'Target' };
const BATCH = {
  ...JOB,
  batchId: '5a66783b80eef5354c77ee13',
  jobIds: ['6b77893b80eef5354c77ee01', '6b77893b80eef5354c77ee02', '6b77893b80eef5354c77ee03'] as const,
};

/** Every recorded body that can be mirrored as it is. */
const BODIES: Readonly<Record<string, JsonObject>> = {
  'the published example': PUBLISHED_EXAMPLE,
  'a young job': youngJob(JOB),
  'a job with a status that no enum lists': openJob(JOB),
  'a pending download': pendingDownload(JOB),
  'a ready download': readyDownload(JOB, EXPIRES),
  'a fetched download': fetchedDownload(JOB, EXPIRES),
  'an expired download': endedDownload(JOB, 'EXPIRED', EXPIRES),
  'an encrypted download': encryptedDownload(JOB, EXPIRES),
  'a download of a point in time': pointInTimeDownload(JOB, EXPIRES),
  'an automated restore': automatedRestore(JOB),
  'an automated restore with its target': automatedRestoreInto(JOB, TARGET),
  'a broken job': brokenJob(JOB),
  'a killed job': killedJob(JOB),
  ...Object.fromEntries(shardedBatch(BATCH, EXPIRES).map(({ body }, index) => [`job ${index} of a batch`, body])),
};

const read = (body: unknown, status = 200, retryAfterMs?: number) =>
  readRestoreJobResponse(status, JSON.stringify(body), retryAfterMs);

function jobOf(answer: RestoreJobResponse | AtlasError): RestoreJobResponse {
  if (answer instanceof AtlasError) throw new Error(`not a job: ${answer.message}`);
  return answer;
}

function errorOf(answer: RestoreJobResponse | AtlasError): AtlasErrorFacts {
  if (answer instanceof AtlasError) return atlasErrorFacts(answer);
  throw new Error('not an error');
}

function bodyOf(fault: Fault): string {
  if (fault.kind !== 'body') throw new Error('not a body');
  return typeof fault.body === 'string' ? fault.body : Buffer.from(fault.body).toString('latin1');
}

const MEMBERS: readonly string[] = (
  'id groupId clusterId clusterName batchId snapshotId deploymentJobId created statusName pointInTime ' +
  'encryptionEnabled masterKeyUUID timestamp delivery hashes links'
).split(' ');

describe('a restore job', () => {
  test.each(Object.entries(BODIES))('arrives unchanged: %s', (_, body) => {
    const { job, dropped, authValue, hashCount } = jobOf(read(body));
    expect(job).toEqual(body);
    expect([dropped, authValue]).toEqual([[], undefined]);
    expect(hashCount).toBe(job.hashes?.length ?? 0);
  });

  test('gives the secret of a download apart', () => {
    const { delivery, ...rest } = urlV2Download(JOB, EXPIRES);
    const answer = jobOf(read({ ...rest, delivery }));
    expect(answer.authValue).toBe(`key-of-${JOB.jobId}`);
    expect(answer.job.delivery).toEqual({
      authHeader: 'X-Backup-Restore-Key',
      expirationHours: 48,
      expires: EXPIRES,
      maxDownloads: 2147483647,
      methodName: 'HTTP',
      statusName: 'READY',
      url: expect.stringContaining('https://'),
      urlV2: expect.stringContaining('https://'),
    });
    expect(JSON.stringify(answer.job)).not.toContain(`key-of-${JOB.jobId}`);
    // Also when the answer is read member by member.
    const odd = jobOf(read({ ...rest, delivery, created: null }));
    expect(odd.authValue).toBe(`key-of-${JOB.jobId}`);
    expect(JSON.stringify(odd.job)).not.toContain(`key-of-${JOB.jobId}`);
  });

  test('loses null members of its timestamp, and they are named', () => {
    const { job, dropped } = jobOf(read(oddTimestamp(JOB)));
    expect(job).toEqual({ ...pendingDownload(JOB), timestamp: {} });
    expect(dropped).toEqual(['timestamp.date', 'timestamp.increment']);
  });

  test('loses every member that cannot be mirrored, and nothing else', () => {
    const delivery = {
      methodName: 'HTTP',
      statusName: 7,
      expires: null,
      expirationHours: '48',
      authValue: 9,
      url: 'u',
    };
    const body = {
      ...PUBLISHED_EXAMPLE,
      clusterName: ['Cluster0'],
      pointInTime: 'false',
      snapshotId: null,
      delivery,
      hashes: [null, { fileName: null, hash: 'h', typeName: 'SHA1', links: [] }, 'x', {}],
      links: { self: 'no' },
      timestamp: 'now',
    };
    const { job, dropped, authValue, hashCount } = jobOf(read(body));
    expect(job).toEqual({
      batchId: PUBLISHED_EXAMPLE['batchId'],
      clusterId: PUBLISHED_EXAMPLE['clusterId'],
      created: PUBLISHED_EXAMPLE['created'],
      encryptionEnabled: PUBLISHED_EXAMPLE['encryptionEnabled'],
      groupId: PUBLISHED_EXAMPLE['groupId'],
      id: PUBLISHED_EXAMPLE['id'],
      statusName: PUBLISHED_EXAMPLE['statusName'],
      delivery: { methodName: 'HTTP', url: 'u' },
      hashes: [{ hash: 'h', typeName: 'SHA1' }, {}],
    });
    expect(dropped.toSorted()).toEqual(
      [
        'clusterName',
        'delivery.authValue',
        'delivery.expirationHours',
        'delivery.expires',
        'delivery.statusName',
        'hashes[0]',
        'hashes[1].fileName',
        'hashes[2]',
        'links',
        'pointInTime',
        'snapshotId',
        'timestamp',
      ].toSorted(),
    );
    expect([authValue, hashCount]).toEqual([undefined, 4]);
  });

  test.each([1e308, 2 ** 53, -(2 ** 53), 1.5, '1', true])('loses a number that no int64 field takes: %p', (number) => {
    const { job, dropped } = jobOf(
      read({
        ...PUBLISHED_EXAMPLE,
        delivery: { maxDownloads: number, expirationHours: 1 },
        timestamp: { increment: 2 },
      }),
    );
    expect([job.delivery, job.timestamp]).toEqual([{ expirationHours: 1 }, { increment: 2 }]);
    expect(dropped).toEqual(['delivery.maxDownloads']);
  });

  test('loses a number that is larger than JavaScript has', () => {
    const answer = jobOf(readRestoreJobResponse(200, '{"id":"x","timestamp":{"increment":1e999}}', undefined));
    expect([answer.job, answer.dropped]).toEqual([{ id: 'x', timestamp: {} }, ['timestamp.increment']]);
  });

  test.each([0, -1, 1, 2147483647, Number.MAX_SAFE_INTEGER])('keeps the integer %p', (number) => {
    expect(jobOf(read({ id: 'x', timestamp: { increment: number } })).job).toEqual({
      id: 'x',
      timestamp: { increment: number },
    });
  });

  test('may have members that nobody knows: they go without a word', () => {
    const body = {
      ...PUBLISHED_EXAMPLE,
      checkpointId: 'x',
      newMember: { nested: null },
      timestamp: { date: 'd', increment: 1, time: 3 },
      delivery: { methodName: 'HTTP', newMember: 1 },
      hashes: [{ hash: 'h', links: [] }],
    };
    const { job, dropped } = jobOf(read(body));
    expect(dropped).toEqual([]);
    expect(job).toEqual({
      ...PUBLISHED_EXAMPLE,
      timestamp: { date: 'd', increment: 1 },
      delivery: { methodName: 'HTTP' },
      hashes: [{ hash: 'h' }],
    });
  });

  test('may say what nobody knows: enums, dates and ids are texts', () => {
    const body = {
      id: 'not hex',
      statusName: 'OPEN',
      created: 'yesterday',
      delivery: { methodName: 'CARRIER_PIGEON', statusName: '', expires: 'soon', url: 'no url' },
      hashes: [{ typeName: 'SHA3' }],
    };
    expect(jobOf(read(body))).toMatchObject({ job: body, dropped: [] });
  });

  test.each([{ id: 'x' }, { statusName: 'FINISHED' }, { delivery: { methodName: 'HTTP' } }])(
    'may have one trait alone: %p',
    (body) => {
      expect(jobOf(read(body)).job).toEqual(body);
    },
  );

  test('keeps so many hashes and says how many there were', () => {
    const { job, hashCount, dropped } = jobOf(
      readRestoreJobResponse(200, bodyOf(manyHashes(PUBLISHED_EXAMPLE, 10_000)), undefined),
    );
    expect([job.hashes?.length, hashCount, dropped]).toEqual([MAX_HASHES, 10_000, []]);
    expect([job.hashes?.[0]?.fileName, job.hashes?.at(-1)?.fileName]).toEqual(['shard-0.tar.gz', 'shard-1999.tar.gz']);
    const whole = jobOf(readRestoreJobResponse(200, bodyOf(manyHashes(PUBLISHED_EXAMPLE, MAX_HASHES)), undefined));
    expect([whole.job.hashes?.length, whole.hashCount]).toEqual([MAX_HASHES, MAX_HASHES]);
  });

  test('names no more ill-typed hashes than it keeps', () => {
    const { job, dropped, hashCount } = jobOf(read({ id: 'x', hashes: Array.from({ length: 10_000 }, () => null) }));
    expect([job.hashes, dropped.length, hashCount]).toEqual([[], MAX_HASHES, 10_000]);
  });

  test('may be nested without bounds', () => {
    expect(jobOf(readRestoreJobResponse(200, bodyOf(deeplyNested(PUBLISHED_EXAMPLE)), undefined)).job).toEqual(
      PUBLISHED_EXAMPLE,
    );
    const nested = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    const answer = jobOf(readRestoreJobResponse(200, `{"id":"x","delivery":${nested},"hashes":${nested}}`, undefined));
    expect(answer).toMatchObject({ job: { id: 'x', hashes: [] }, dropped: ['delivery', 'hashes[0]'] });
  });

  test('cannot reach the prototype of anything', () => {
    const evil = '{"polluted":true,"id":"evil","statusName":"evil"}';
    const body = `{"__proto__":${evil},"constructor":{"prototype":${evil}},"hasOwnProperty":1,"toString":null,
      "id":"x","created":null,"delivery":{"__proto__":${evil},"url":"u"},"hashes":[{"__proto__":${evil}}]}`;
    const { job, dropped } = jobOf(readRestoreJobResponse(200, body, undefined));
    expect(job).toStrictEqual({ id: 'x', delivery: { url: 'u' }, hashes: [{}] });
    expect(dropped).toEqual(['created']);
    expect(Object.getPrototypeOf(job)).toBe(Object.prototype);
    expect({}).not.toHaveProperty('polluted');
    // Inherited traits are none.
    expect(errorOf(readRestoreJobResponse(200, `{"__proto__":${evil}}`, undefined)).reason).toBe('InvalidResponse');
  });
});

describe('200 without a restore job', () => {
  test.each([
    ['an empty body', ''],
    ['HTML', '<html></html>'],
    ['JSON that ends in the middle', bodyOf(truncatedJson(PUBLISHED_EXAMPLE))],
    ['bytes that are no text', bodyOf(invalidUtf8()).slice(0, 4)],
    ['null', 'null'],
    ['a text', '"FINISHED"'],
    ['an array', '[{"id":"x"}]'],
    ['an empty object', '{}'],
    ['a list of jobs', '{"links":[],"results":[],"totalCount":0}'],
    ['a token', '{"access_token":"x","expires_in":3600,"token_type":"Bearer"}'],
    ['an empty envelope', '{"status":200,"content":null}'],
    ['an envelope without anything', '{"status":200}'],
  ])('%s', (_, body) => {
    expect(errorOf(readRestoreJobResponse(200, body, undefined))).toMatchObject({
      kind: 'invalidResponse',
      reason: 'InvalidResponse',
      httpStatus: 200,
      errorCode: undefined,
    });
  });

  test.each([100, 201, 204, 301, 302, 304, 307])('and %p is no answer even with one', (status) => {
    expect(errorOf(read(PUBLISHED_EXAMPLE, status))).toMatchObject({
      kind: 'invalidResponse',
      reason: 'InvalidResponse',
      httpStatus: status,
      message: expect.stringContaining(String(status)),
    });
  });
});

describe('an envelope', () => {
  test.each(['content', 'envelope'])('is opened: %s', (inner) => {
    expect(jobOf(read({ status: 200, [inner]: PUBLISHED_EXAMPLE })).job).toEqual(PUBLISHED_EXAMPLE);
    expect(errorOf(read({ status: 404, [inner]: { error: 404, errorCode: 'CLUSTER_NOT_FOUND' } }))).toMatchObject({
      kind: 'refused',
      reason: 'ClusterNotFound',
      httpStatus: 404,
    });
  });

  test('has the HTTP status that counts', () => {
    expect(errorOf(read({ status: 503, content: PUBLISHED_EXAMPLE }))).toMatchObject({
      reason: 'AtlasUnavailable',
      httpStatus: 503,
    });
    expect(errorOf(read({ status: 429, content: {} }))).toMatchObject({ kind: 'rateLimited', httpStatus: 429 });
    expect(errorOf(read({ status: 401, content: 'nonsense' }))).toMatchObject({ reason: 'Unauthorized' });
    expect(errorOf(read({ status: 204, content: PUBLISHED_EXAMPLE }))).toMatchObject({ reason: 'InvalidResponse' });
  });

  test('is known by its shape: a job with a status of its own is none', () => {
    for (const status of ['200', 99, 600, 404.5, null]) {
      expect(jobOf(read({ ...PUBLISHED_EXAMPLE, status, content: {} })).job).toEqual(PUBLISHED_EXAMPLE);
    }
    expect(jobOf(read({ ...PUBLISHED_EXAMPLE, status: 404 })).job).toEqual(PUBLISHED_EXAMPLE);
  });

  test('around anything never throws', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.integer(), fc.constantFrom('content', 'envelope'), (content, status, inner) => {
        read({ status, [inner]: content });
      }),
    );
  });
});

describe('an error', () => {
  type Expected = readonly [status: number, errorCode: string, kind: string, reason: string];
  const refused = (status: number, reason: string, ...codes: readonly string[]): readonly Expected[] =>
    codes.map((code) => [status, code, 'refused', reason]);
  const unavailable = (...statuses: readonly number[]): readonly Expected[] =>
    statuses.map((status) => [status, 'UNEXPECTED_ERROR', 'unavailable', 'AtlasUnavailable']);

  const TABLE: readonly Expected[] = [
    ...refused(400, 'BackupNotEnabled', 'BACKUP_JOB_NOT_FOUND'),
    ...refused(400, 'BadRequest', 'ATLAS_GENERAL_ERROR', 'VALIDATION_ERROR'),
    ...refused(401, 'Unauthorized', 'USER_UNAUTHORIZED', 'NOT_IN_GROUP', 'USER_CANNOT_ACCESS_GROUP'),
    ...refused(401, 'Unauthorized', 'NO_CURRENT_USER', 'UNEXPECTED_ERROR'),
    ...refused(402, 'PaymentRequired', 'ACCOUNT_SUSPENDED'),
    ...refused(403, 'AccessListDenied', 'IP_ADDRESS_NOT_ON_ACCESS_LIST', 'ORG_REQUIRES_ACCESS_LIST'),
    ...refused(403, 'AccessListDenied', 'IP_ADDRESS_NOT_ON_WHITELIST', 'RESOURCE_REQUIRES_WHITELIST'),
    ...refused(403, 'AccessListDenied', 'ORG_REQUIRES_WHITELIST'),
    ...refused(403, 'Forbidden', 'ACCESS_FORBIDDEN', 'FEATURE_UNSUPPORTED'),
    ...refused(403, 'Forbidden', 'UNSUPPORTED_FOR_CURRENT_PLAN', 'UNSUPPORTED_FOR_CURRENT_CONFIG'),
    ...refused(404, 'GroupNotFound', 'INVALID_GROUP_ID', 'GROUP_NOT_FOUND', 'NOT_ATLAS_GROUP', 'INVALID_ATLAS_GROUP'),
    ...refused(404, 'ClusterNotFound', 'INVALID_CLUSTER_ID', 'CLUSTER_NOT_FOUND', 'CLUSTER_NAME_NOT_FOUND'),
    ...refused(404, 'JobNotFound', 'INVALID_JOB_ID', 'RESTORE_JOB_NOT_FOUND', 'RESTORE_JOB_NOT_FOUND_IN_GROUP'),
    ...refused(404, 'JobNotFound', 'CONFIG_RESTORE_JOB_NOT_FOUND', 'RESOURCE_NOT_FOUND'),
    ...refused(404, 'BackupNotEnabled', 'BACKUP_CONFIG_NOT_FOUND'),
    ...refused(410, 'VersionGone', 'VERSION_GONE'),
    [429, 'RATE_LIMITED', 'rateLimited', 'RateLimited'],
    [429, 'RATE_LIMITED_TOKEN_BUCKET', 'rateLimited', 'RateLimited'],
    ...unavailable(500, 502, 503, 504),
  ];

  test.each(TABLE)('%p %s is %s: %s', (httpStatus, errorCode, kind, reason) => {
    const body = { detail: 'What Atlas says.', error: httpStatus, errorCode, parameters: [], reason: 'A reason' };
    const expected = { httpStatus, errorCode, kind, reason };
    expect(errorOf(read(body, httpStatus))).toMatchObject(expected);
    expect(errorOf(read({ status: httpStatus, content: body }))).toMatchObject(expected);
    // A gateway can answer 200 and pass the body on.
    expect(errorOf(read(body, 200))).toMatchObject(expected);
    expect(errorOf(read(body, httpStatus)).message).toBe(`Atlas answered ${httpStatus} ${errorCode}`);
  });

  test.each([
    [400, 'refused', 'BadRequest'],
    [401, 'refused', 'Unauthorized'],
    [402, 'refused', 'PaymentRequired'],
    [403, 'refused', 'Forbidden'],
    [404, 'refused', 'JobNotFound'],
    [405, 'refused', 'BadRequest'],
    [408, 'unavailable', 'AtlasUnavailable'],
    [410, 'refused', 'VersionGone'],
    [418, 'refused', 'BadRequest'],
    [425, 'unavailable', 'AtlasUnavailable'],
    [429, 'rateLimited', 'RateLimited'],
    [500, 'unavailable', 'AtlasUnavailable'],
    [599, 'unavailable', 'AtlasUnavailable'],
  ])('%p with an unknown code, or with none, is of the class of its status', (httpStatus, kind, reason) => {
    for (const body of [
      { error: httpStatus, errorCode: 'SOMETHING_NEW' },
      ...['constructor', '__proto__', 'toString'].map((errorCode) => ({ errorCode })),
      { error: 'no number', errorCode: 5, detail: null, reason: [], parameters: 'none' },
      PUBLISHED_EXAMPLE,
      null,
    ]) {
      expect(errorOf(read(body, httpStatus))).toMatchObject({ httpStatus, kind, reason });
    }
    expect(errorOf(readRestoreJobResponse(httpStatus, '', undefined))).toMatchObject({ httpStatus, kind, reason });
    expect(errorOf(readRestoreJobResponse(httpStatus, '<html>Bad gateway</html>', undefined)).message).not.toContain(
      '<',
    );
  });

  test('of the server is never a refusal, whatever its code', () => {
    for (const status of [500, 503]) {
      expect(errorOf(read({ error: 404, errorCode: 'RESTORE_JOB_NOT_FOUND' }, status)).kind).toBe('unavailable');
    }
  });

  test('of the rate limit is one, whatever its code', () => {
    expect(errorOf(read({ error: 429, errorCode: 'RESTORE_JOB_NOT_FOUND' }, 429)).kind).toBe('rateLimited');
  });

  test('inside of a 200 with a code that is no status of an error is no job', () => {
    for (const error of [0, 200, -1, 99]) {
      expect(errorOf(read({ error, errorCode: 'X' }))).toMatchObject({
        kind: 'invalidResponse',
        reason: 'InvalidResponse',
      });
    }
  });

  test('as recorded: no or wrong credentials', () => {
    const body =
      '{"error":401,"reason":"Unauthorized","detail":"You are not authorized for this resource.","errorCode":"UNEXPECTED_ERROR"}';
    expect(errorOf(readRestoreJobResponse(401, body, undefined))).toMatchObject({
      kind: 'refused',
      reason: 'Unauthorized',
    });
    expect(errorOf(readRestoreJobResponse(500, body, undefined))).toMatchObject({
      kind: 'unavailable',
      reason: 'AtlasUnavailable',
    });
  });

  test('gives the ApiError as it came, its parameters as strings', () => {
    const body = {
      error: 400,
      errorCode: 'VALIDATION_ERROR',
      reason: 'Bad Request',
      detail: 'Validation failed.',
      parameters: ['groupId', 7, { a: 1 }, null],
      badRequestDetail: { fields: [{ field: 'groupId', description: 'must be 24 digits' }, { field: 5 }], more: 1 },
      unknown: true,
    };
    const { unknown: _unknown, ...known } = body;
    expect(apiErrorOf(body)).toEqual({
      ...known,
      parameters: ['groupId', '7', '{"a":1}', 'null'],
      badRequestDetail: { fields: [{ field: 'groupId', description: 'must be 24 digits' }, {}] },
    });
    expect(apiErrorOf({ status: 400, content: body })).toEqual(apiErrorOf(body));
  });

  test('with one ill-typed member still gives the others', () => {
    for (const odd of [
      { errorCode: 5 },
      { error: '404' },
      { parameters: 'none' },
      { reason: [] },
      { badRequestDetail: 1 },
    ])
      expect(apiErrorOf({ error: 404, errorCode: 'X', detail: 'Words.', ...odd })).toMatchObject({ detail: 'Words.' });
  });

  test('without a description of Atlas has none', () => {
    for (const body of [null, [], 'text', {}, { message: 'gateway' }]) expect(apiErrorOf(body)).toBeUndefined();
    expect(apiErrorOf({ errorCode: 'X' })).toEqual({ error: 404, errorCode: 'X' });
  });

  test('is bounded, however much it says', () => {
    const long = 'x'.repeat(100_000);
    const fields = Array.from({ length: 1_000 }, () => ({ field: long, description: long }));
    const error = { errorCode: long, reason: long, detail: long, parameters: Array(1_000).fill(long) };
    const read = apiErrorOf({ ...error, badRequestDetail: { fields } });
    expect(JSON.stringify(read).length).toBeLessThan(1_000_000);
    const { apiError } = readTokenError(401, JSON.stringify({ error: long, error_description: long }), undefined);
    expect(JSON.stringify(apiError).length).toBeLessThan(10_000);
  });

  test('is read although a parameter is nested without end', () => {
    const body = `{"error":404,"errorCode":"X","parameters":["a",${'['.repeat(100_000)}${']'.repeat(100_000)}]}`;
    const error = readRestoreJobResponse(404, body, undefined);
    expect(error).toMatchObject({ apiError: { errorCode: 'X', parameters: ['a', expect.any(String)] } });
  });

  function apiErrorOf(body: unknown) {
    const error = read(body, 404);
    return error instanceof AtlasError ? error.apiError : 'no error';
  }
});

describe('the wait', () => {
  const limited = (parameters: unknown, errorCode = 'RATE_LIMITED_TOKEN_BUCKET') => ({
    error: 429,
    errorCode,
    parameters,
  });
  const wait = (body: unknown, told?: number) => errorOf(read(body, 429, told)).retryAfterMs;

  test('is the second parameter of the recorded token bucket', () => {
    expect(wait(limited(['api/atlas/v2/orgs', 55, 10, 5, 60]))).toBe(55_000);
    expect(wait({ status: 429, content: limited(['api/atlas/v2/orgs', 55, 10, 5, 60]) })).toBe(55_000);
  });

  test('is what the header says when there is one', () => {
    expect(wait(limited(['r', 55, 10, 5, 60]), 7_000)).toBe(7_000);
    expect(errorOf(read({}, 503, 7_000)).retryAfterMs).toBe(7_000);
  });

  test.each([[undefined], [null], [[]], [['r']], [['r', -1]], [['r', null]], [{ 1: 55 }]])(
    'is not told by the parameters %j',
    (parameters) => {
      expect(wait(limited(parameters))).toBeUndefined();
    },
  );

  test('is not told by another code', () => {
    expect(wait(limited(['r', 55], 'RATE_LIMITED'))).toBeUndefined();
  });
});

describe('an error of the token endpoint', () => {
  test.each([
    [
      'in the shape of OAuth',
      '{"error":"invalid_client","error_description":"Invalid credentials provided."}',
      'invalid_client',
      'Invalid credentials provided.',
    ],
    ['without a description', '{"error":"invalid_client","error_description":5}', 'invalid_client', undefined],
    ['in the shape of the API', '{"error":429,"errorCode":"RATE_LIMITED","detail":"Wait."}', 'RATE_LIMITED', 'Wait.'],
    ['with a reason alone', '{"error":429,"reason":"Too Many Requests"}', undefined, undefined],
    ['without a word', '', undefined, undefined],
    ['as HTML', '<html></html>', undefined, undefined],
    ['as something else', '[null]', undefined, undefined],
  ])('%s', (_, body, errorCode, detail) => {
    const { apiError } = readTokenError(401, body, undefined);
    expect([apiError?.errorCode, apiError?.detail]).toEqual([errorCode, detail]);
  });
});

describe('any answer', () => {
  const status = fc.oneof(fc.constant(200), fc.integer({ min: 100, max: 599 }));

  /** As it reads back from its text: without -0. */
  const json = fc.jsonValue().map((value): unknown => JSON.parse(JSON.stringify(value)));

  /** Either an error, or a job that the CRD's schema takes as it is. */
  function check(answer: RestoreJobResponse | AtlasError): void {
    if (answer instanceof AtlasError) return;
    expect(RestoreJob.parse(answer.job)).toStrictEqual(answer.job);
    expect(answer.job.delivery ?? {}).not.toHaveProperty('authValue');
    expect(answer.job.hashes?.length ?? 0).toBeLessThanOrEqual(MAX_HASHES);
  }

  test('of JSON is an error or a job', () => {
    const member = fc.constantFrom(...MEMBERS, 'error', 'errorCode', 'status', 'content', '__proto__');
    const value = fc.oneof(fc.jsonValue(), fc.dictionary(member, fc.jsonValue()));
    fc.assert(
      fc.property(value, status, (body, code) => check(read(body, code))),
      { numRuns: 1_000 },
    );
  });

  test('of text is an error or a job', () => {
    fc.assert(fc.property(fc.string(), status, (body, code) => check(readRestoreJobResponse(code, body, undefined))));
  });

  test('with one odd member keeps all others', () => {
    const body = fc.constantFrom(...Object.values(BODIES));
    fc.assert(
      fc.property(body, fc.constantFrom(...MEMBERS), json, (original, member, odd) => {
        const whole: JsonObject = { id: 'x', ...original };
        const answer = jobOf(read({ ...whole, [member]: odd }));
        check(answer);
        const { [member]: _, ...others } = whole;
        expect(answer.job).toMatchObject(others);
        for (const path of answer.dropped) expect(path.split(/[.[]/)[0]).toBe(member);
        // What is neither mirrored nor named has vanished without a word.
        if (!(member in answer.job)) expect(answer.dropped).toContain(member);
      }),
      { numRuns: 1_000 },
    );
  });

  test('with one odd member of its delivery keeps all others', () => {
    const member = fc.constantFrom('methodName', 'statusName', 'url', 'expires', 'expirationHours', 'maxDownloads');
    fc.assert(
      fc.property(member, json, (name, odd) => {
        const delivery = { ...deliveryOf(PUBLISHED_EXAMPLE), [name]: odd };
        const { job, dropped } = jobOf(read({ ...PUBLISHED_EXAMPLE, delivery }));
        const { delivery: _, ...rest } = PUBLISHED_EXAMPLE;
        expect(job).toMatchObject(rest);
        const fits = ['expirationHours', 'maxDownloads'].includes(name)
          ? Number.isSafeInteger(odd)
          : typeof odd === 'string';
        expect(dropped).toEqual(fits ? [] : [`delivery.${name}`]);
        const { [name]: __, ...others } = deliveryOf(PUBLISHED_EXAMPLE);
        expect(job.delivery).toEqual(fits ? { ...others, [name]: odd } : others);
      }),
      { numRuns: 500 },
    );
  });

  function deliveryOf({ delivery }: JsonObject): JsonObject {
    if (typeof delivery !== 'object' || delivery === null || Array.isArray(delivery)) throw new Error('no delivery');
    return Object.fromEntries(Object.entries(delivery));
  }
});
