import { describe, expect, test } from '@jest/globals';
import type { LegacyRestoreJob } from '../../../src/api/legacy-restore-job.ts';
import type { AtlasClient, Fetch, Waiting } from '../../../src/atlas/client.ts';
import type { AtlasCredentials } from '../../../src/atlas/credentials.ts';
import { AtlasError, errorFromResponse } from '../../../src/atlas/errors.ts';
import type { CredentialsReader, CredentialsResult, CredentialsSource } from '../../../src/controller/credentials.ts';
import { observe } from '../../../src/controller/observe.ts';
import { KubeError } from '../../../src/kube/errors.ts';
import type { Outcome } from '../../../src/restore-job/outcome.ts';
import { pendingDownload } from '../../support/atlas-simulator/recorded-bodies.ts';
import { resource, responseOf, SPEC } from '../support/resources.ts';

const OLD: AtlasCredentials = { kind: 'apiKey', publicKey: 'public', privateKey: 'old' };
const NEW: AtlasCredentials = { kind: 'apiKey', publicKey: 'public', privateKey: 'new' };
const RESPONSE = responseOf(pendingDownload(SPEC));
const BEGUN = 1_893_456_000_000;
const PAUSE = { forMs: 17, apiError: undefined };
const SOURCE: CredentialsSource = {
  kind: 'secret',
  id: 'payments/atlas-key',
  namespace: 'payments',
  name: 'atlas-key',
};

const good = (version: string, credentials: AtlasCredentials): CredentialsResult => ({
  version,
  ok: true,
  credentials,
});
const bad = (version: string): CredentialsResult => ({
  version,
  ok: false,
  failure: {
    origin: 'content',
    reason: 'SecretInvalid',
    detail: 'Secret payments/atlas-key lacks the key clientId',
  },
});
const answered = (httpStatus: number, errorCode?: string) =>
  errorFromResponse(httpStatus, errorCode === undefined ? undefined : { error: httpStatus, errorCode }, undefined);

interface Result {
  readonly outcome: Outcome;
  readonly secretVersion: string | undefined;
  /** Credentials of each fetch. */
  readonly fetches: readonly AtlasCredentials[];
  /** What was said to the watch of credentials, in order. */
  readonly watched: readonly string[];
  readonly reads: readonly string[];
  readonly queue: readonly string[];
  /** Which fetches would do, of each fetch. */
  readonly begun: readonly ('any' | 'now' | undefined)[];
}

interface Given {
  readonly again?: boolean;
  readonly job?: LegacyRestoreJob;
  /** What `read` finds, then what `readAgain` finds. */
  readonly found?: readonly (CredentialsResult | Error)[];
  /** A list that is going to answer for the job. */
  readonly list?: Waiting;
  readonly atlas: (credentials: AtlasCredentials) => Fetch | Error;
}

async function observing({
  job = resource(),
  found = [good('1', OLD)],
  again = false,
  list,
  atlas,
}: Given): Promise<Result> {
  const fetches: AtlasCredentials[] = [];
  const watched: string[] = [];
  const reads: string[] = [];
  const queue: string[] = [];
  const begun: ('any' | 'now' | undefined)[] = [];
  const results = [...found];
  const take = (how: string): Promise<CredentialsResult> => {
    reads.push(how);
    const result = results.length > 1 ? results.shift() : results[0];
    if (result === undefined) throw new Error('nothing is to be found');
    return result instanceof Error ? Promise.reject(result) : Promise.resolve(result);
  };
  const credentials: CredentialsReader = {
    sourceOf: () => SOURCE,
    read: () => take('read'),
    readAgain: () => take('readAgain'),
  };
  const atlasClient: Pick<AtlasClient, 'fetch' | 'wait' | 'forget'> = {
    fetch: (_ref, given, _waiter, options) => {
      fetches.push(given);
      begun.push(options?.begun);
      const fetch = atlas(given);
      return fetch instanceof Error ? { kind: 'fetching', response: Promise.reject(fetch), begunAt: BEGUN } : fetch;
    },
    wait: (_ref, _credentials, waiter) => {
      queue.push(`wait ${waiter}`);
      return { kind: 'waiting', pause: PAUSE };
    },
    forget: (waiter) => queue.push(`forget ${waiter}`),
  };
  const { outcome, secretVersion } = await observe(
    {
      atlas: {
        ...atlasClient,
        list: () => Promise.reject(new Error('nobody lists')),
        listPage: () => Promise.reject(new Error('nobody lists')),
        pauseOf: () => undefined,
        budgets: () => ({ paused: 0, waiting: 0, remaining: undefined }),
        close: () => Promise.resolve(),
      },
      lists: {
        wait: () => list,
        leave: (key) => queue.push(`leave ${key}`),
      },
      credentials,
      credentialsWatch: {
        await: (key, source, version) => watched.push(`await ${key} ${source.id} ${version}`),
        forget: (key) => watched.push(`forget ${key}`),
        stop: () => {},
      },
    },
    { job, requestId: 'request-1', readSecretAgain: again },
  );
  return { outcome, secretVersion, fetches, watched, reads, queue, begun };
}

const fetching = (): Fetch => ({ kind: 'fetching', response: Promise.resolve(RESPONSE), begunAt: BEGUN });
const KEY = 'payments/cluster0-friday';

test('a response is fetched with the credentials, and nobody looks at them any more', async () => {
  const { outcome, fetches, watched } = await observing({ atlas: fetching });
  expect(outcome).toEqual({ kind: 'fetched', response: RESPONSE, asOf: BEGUN, deliveryFailure: undefined });
  expect(fetches).toEqual([OLD]);
  expect(watched.at(-1)).toBe(`forget ${KEY}`);
});

test.each([
  ['was asked for', 'second', 'first', 'now'],
  ['was asked for for the first time', 'first', undefined, 'now'],
  ['was asked for and has been made', 'first', 'first', 'any'],
  ['was never asked for', undefined, undefined, 'any'],
] as const)('a reconcile that %s: which fetches will do', async (_, requestedAt, lastHandledReconcileAt, wanted) => {
  const status = lastHandledReconcileAt === undefined ? {} : { lastHandledReconcileAt };
  const { begun } = await observing({ job: resource({ requestedAt, status }), atlas: fetching });
  expect(begun).toEqual([wanted]);
});

test('suspended: nobody is asked, and a place in the queue is given up', async () => {
  const job = resource({ spec: { ...SPEC, suspend: true } });
  const { outcome, fetches, reads, watched, queue } = await observing({ job, atlas: fetching });
  expect([outcome, fetches, reads]).toEqual([{ kind: 'suspended' }, [], []]);
  expect([watched, queue]).toEqual([[`forget ${KEY}`], [`leave ${KEY}`, `forget ${KEY}`]]);
});

test('a list is going to answer: nobody is asked, and a place in the queue of the budget is given up', async () => {
  const list: Waiting = { kind: 'waiting', pause: PAUSE };
  const { outcome, fetches, queue } = await observing({ list, atlas: fetching });
  expect([outcome, fetches, queue]).toEqual([list, [], [`leave ${KEY}`, `forget ${KEY}`]]);
});

test('credentials that cannot be used: Atlas is not asked, and they are looked at', async () => {
  const { outcome, fetches, watched } = await observing({ found: [bad('3')], atlas: fetching });
  const unusable = bad('3');
  if (unusable.ok) throw new Error('not unusable');
  expect(outcome).toEqual({ kind: 'failed', failure: unusable.failure, grace: false });
  expect([fetches, watched.at(-1)]).toEqual([[], `await ${KEY} payments/atlas-key 3`]);
});

describe('Atlas says 401', () => {
  const unauthorized = (credentials: AtlasCredentials): Fetch | Error =>
    credentials === OLD ? answered(401, 'USER_UNAUTHORIZED') : fetching();

  test('and the Secret is the same: that was it, and it is looked at', async () => {
    const { outcome, fetches, watched, reads } = await observing({ atlas: unauthorized });
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: { reason: 'Unauthorized', apiError: { error: 401, errorCode: 'USER_UNAUTHORIZED' } },
    });
    expect([fetches, reads, watched.at(-1)]).toEqual([
      [OLD],
      ['read', 'readAgain'],
      `await ${KEY} payments/atlas-key 1`,
    ]);
  });

  test('and the Secret was rotated: the new credentials are tried at once, and nobody looks at them any more', async () => {
    const { outcome, fetches, watched } = await observing({
      found: [good('1', OLD), good('2', NEW)],
      atlas: unauthorized,
    });
    expect(outcome).toMatchObject({ kind: 'fetched' });
    expect([fetches, watched.at(-1)]).toEqual([[OLD, NEW], `forget ${KEY}`]);
  });

  test('to the new credentials as well: they are looked at', async () => {
    const { outcome, fetches, watched } = await observing({
      found: [good('1', OLD), good('2', NEW)],
      atlas: () => answered(401),
    });
    expect(outcome).toMatchObject({ failure: { reason: 'Unauthorized' } });
    expect([fetches, watched.at(-1)]).toEqual([[OLD, NEW], `await ${KEY} payments/atlas-key 2`]);
  });

  test('and the Secret is gone: that is the problem', async () => {
    const { outcome, watched } = await observing({ found: [good('1', OLD), bad('absent')], atlas: unauthorized });
    expect(outcome).toMatchObject({ failure: { reason: 'SecretInvalid' } });
    expect(watched.at(-1)).toBe(`await ${KEY} payments/atlas-key absent`);
  });
});

test('a kind of credentials that the server does not have: they are looked at', async () => {
  const error = new AtlasError('ATLAS_NO_SERVICE_ACCOUNTS', 'Ops Manager was not asked');
  const { outcome, watched } = await observing({ atlas: () => error });
  expect(outcome).toMatchObject({ failure: { reason: 'SecretInvalid', code: 'ATLAS_NO_SERVICE_ACCOUNTS' } });
  expect(watched.at(-1)).toBe(`await ${KEY} payments/atlas-key 1`);
});

test('without credentials nothing stays reserved for a fetch', async () => {
  const { outcome, fetches, queue } = await observing({ found: [bad('absent')], atlas: fetching });
  expect(outcome).toMatchObject({ kind: 'failed' });
  expect([fetches, queue]).toEqual([[], [`leave ${KEY}`, `forget ${KEY}`]]);
});

describe('other failures', () => {
  test.each([
    ['permanent', answered(404, 'RESTORE_JOB_NOT_FOUND'), 'JobNotFound'],
    ['transient', answered(503), 'AtlasUnavailable'],
    ['no response', new AtlasError('ATLAS_UNREACHABLE', 'Atlas cannot be reached'), 'AtlasUnavailable'],
  ])('%s: nobody looks at the credentials', async (_name, error, reason) => {
    const { outcome, fetches, watched, reads } = await observing({ atlas: () => error });
    const { apiError, code, sentence: detail } = error;
    const failure = { origin: 'atlas', reason, apiError, code, detail };
    expect(outcome).toEqual({ kind: 'failed', failure, grace: false });
    expect([fetches.length, reads, watched.at(-1)]).toEqual([1, ['read'], `forget ${KEY}`]);
  });

  test('a 429 takes a place in the queue', async () => {
    const { outcome, queue } = await observing({ atlas: () => answered(429, 'RATE_LIMITED') });
    expect([outcome, queue]).toEqual([{ kind: 'waiting', pause: PAUSE }, [`leave ${KEY}`, `wait ${KEY}`]]);
  });

  test('no request is left in the budget: the place in the queue is the outcome', async () => {
    const { outcome } = await observing({ atlas: () => ({ kind: 'waiting', pause: undefined }) });
    expect(outcome).toEqual({ kind: 'waiting', pause: undefined });
  });

  test.each([
    ['the API server cannot tell the Secret', { found: [new KubeError('x', { status: 500 })], atlas: fetching }],
    [
      'the Secret cannot be read again',
      { found: [good('1', OLD), new KubeError('x', { status: 0 })], atlas: () => answered(401) },
    ],
  ] satisfies [string, Given][])('%s: the reconcile is interrupted', async (_name, given) => {
    const { outcome } = await observing(given);
    expect(outcome).toMatchObject({ kind: 'interrupted', error: expect.any(Error) });
  });
});

test('what is no error of Atlas and none of the API server is not taken for one', async () => {
  await expect(observing({ atlas: () => new TypeError('a bug') })).rejects.toThrow(TypeError);
});

describe('the version of the credentials', () => {
  test('is that of those that the outcome was found with', async () => {
    expect((await observing({ found: [good('7', OLD)], atlas: fetching })).secretVersion).toBe('7');
  });

  test('is not known while nobody can read them', async () => {
    const failure = { ...unreadable, version: 'unreadable' };
    expect((await observing({ found: [failure], atlas: fetching })).secretVersion).toBeUndefined();
  });
});

test('a Secret that is expected to come is read again, however short ago somebody read it', async () => {
  expect((await observing({ again: true, atlas: fetching })).reads).toEqual(['readAgain']);
});

const unreadable: CredentialsResult = {
  version: 'unreadable',
  ok: false,
  failure: { origin: 'content', reason: 'SecretUnreadable', detail: '' },
};
