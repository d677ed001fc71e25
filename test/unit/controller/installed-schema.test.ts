import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { pino } from 'pino';
import { neededSchema } from '../../../src/api/schema-fields.ts';
import { KubeError } from '../../../src/kube/errors.ts';
import { fakeClient } from '../support/fake-client.ts';
import { fakeTimersPromises } from '../support/fake-sleep.ts';

jest.unstable_mockModule('node:timers/promises', fakeTimersPromises);
const { createSchemaCheck } = await import('../../../src/controller/installed-schema.ts');

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

const pass = (ms = 0): Promise<void> => jest.advanceTimersByTimeAsync(ms);
const notFound = new KubeError('the API server answered 404', { status: 404 });

/** The OpenAPI document of the group, as the API server publishes it. */
function documentWithout(...fields: readonly string[]) {
  const { spec, status } = neededSchema().properties ?? {};
  const properties = Object.entries(status?.properties ?? {}).filter(([name]) => !fields.includes(name));
  const schema = {
    type: 'object',
    properties: { spec, status: { type: 'object', properties: Object.fromEntries(properties) } },
    'x-kubernetes-group-version-kind': [{ group: 'atlasrestore.dev', kind: 'LegacyRestoreJob', version: 'v1' }],
  };
  const list = { 'x-kubernetes-group-version-kind': [{ ...schema['x-kubernetes-group-version-kind'][0], kind: 'X' }] };
  return { openapi: '3.0.0', components: { schemas: { list, job: schema, 'io.k8s.Time': { type: 'string' } } } };
}

function checking(first: unknown) {
  const lines: Record<string, unknown>[] = [];
  const it = {
    /** What the API server answers; an error is thrown. */
    answer: first,
    lines,
    said: (level: string) => lines.filter((line) => line['level'] === level).map(({ msg }) => String(msg)),
    stop: new AbortController(),
    checked: false,
    ended: false,
  };
  const client = fakeClient({
    request: () => {
      if (it.answer instanceof Error) throw it.answer;
      return it.answer;
    },
  });
  const log = pino(
    { level: 'trace', formatters: { level: (level) => ({ level }) } },
    { write: (line) => lines.push(JSON.parse(line)) },
  );
  const check = createSchemaCheck({ client, log, version: '1.2.3', random: () => 0.5 });
  void check.checked.then(() => {
    it.checked = true;
  });
  void check.run(it.stop.signal).then(() => {
    it.ended = true;
  });
  return Object.assign(it, { check, client });
}

test('a current schema is no news, and is read now and then', async () => {
  const it = checking(documentWithout());
  await pass();
  expect([it.checked, it.lines, it.check.problems(), it.check.missingFields()]).toEqual([true, [], [], []]);
  const path = '/openapi/v3/apis/atlasrestore.dev/v1';
  // The document is made when it is asked for: that it takes its time must not end the watches.
  expect(it.client.requests).toMatchObject([{ method: 'GET', path, mayBeSlow: true }]);
  await pass(10 * MINUTE);
  expect(it.client.requests).toHaveLength(2);
  it.stop.abort();
  await pass();
  expect([it.ended, jest.getTimerCount()]).toEqual([true, 0]);
});

test('an older schema is one warning that names the fields and what to run, until it changes', async () => {
  const it = checking(documentWithout('hashes', 'links'));
  await pass(60 * MINUTE);
  expect(it.said('warn')).toHaveLength(1);
  expect(it.lines).toMatchObject([{ level: 'warn', missing: ['status.hashes', 'status.links'] }]);
  expect(it.check.missingFields()).toEqual(['status.hashes', 'status.links']);
  for (const text of [it.said('warn')[0], it.check.problems()[0]]) {
    expect(text).toMatch(/helm upgrade to the chart of version 1\.2\.3, or with kubectl apply -f crds\//);
  }
  expect(it.check.problems()[0]).toContain('status.hashes, status.links');

  it.answer = documentWithout('hashes');
  await pass(11 * MINUTE);
  expect(it.lines[1]).toMatchObject({ level: 'warn', missing: ['status.hashes'] });

  it.answer = documentWithout();
  await pass(60 * MINUTE);
  expect(it.lines).toHaveLength(3);
  expect(it.said('info')[0]).toContain(
    'kubectl annotate lrj --all --all-namespaces atlasrestore.dev/requestedAt=$(date +%s) --overwrite',
  );
  expect([it.check.problems(), it.check.missingFields()]).toEqual([[], []]);
});

describe('a schema that cannot be read', () => {
  test.each([
    ['no CRD', notFound],
    ['no answer', new KubeError('the API server cannot be reached', { status: 0 })],
    ['a document without the kind', { components: { schemas: {} } }],
    ['something else', 'not a document'],
  ])('%s: nothing is known of it, and it is tried again soon', async (_, answer) => {
    const it = checking(answer);
    await pass();
    expect([it.checked, it.check.problems(), it.said('debug').length]).toEqual([true, [], 1]);
    it.answer = documentWithout('hashes');
    await pass(10 * SECOND);
    expect(it.check.missingFields()).toEqual(['status.hashes']);
    expect(it.said('warn')).toHaveLength(1);
  });

  test('changes nothing of what was known', async () => {
    const it = checking(documentWithout('hashes'));
    await pass();
    it.answer = notFound;
    await pass(60 * MINUTE);
    expect(it.check.missingFields()).toEqual(['status.hashes']);
    it.answer = documentWithout('hashes');
    await pass(60 * MINUTE);
    expect(it.said('warn')).toHaveLength(1);
  });

  test('is asked for less and less often', async () => {
    const it = checking(notFound);
    await pass(24 * 60 * MINUTE);
    expect(it.client.requests.length).toBeLessThan(160);
  });
});

describe('when something happened that a change of the CRD could have caused', () => {
  test('it is checked at once', async () => {
    const it = checking(documentWithout('hashes'));
    await pass(MINUTE);
    it.answer = documentWithout();
    it.check.checkSoon();
    await pass();
    expect([it.check.missingFields(), it.client.requests.length]).toEqual([[], 2]);
  });

  test('also when that is during a check or right after it, and not for each of many watches', async () => {
    const it = checking(documentWithout('hashes'));
    for (let time = 0; time < 100; time++) it.check.checkSoon();
    await pass(SECOND);
    it.check.checkSoon();
    it.answer = documentWithout();
    await pass(4 * SECOND);
    expect([it.check.missingFields(), it.client.requests.length]).toEqual([[], 2]);
    await pass(5 * MINUTE);
    expect(it.client.requests).toHaveLength(2);
  });
});

test('the stop ends a check that is under way, in silence', async () => {
  const it = checking(new Promise(() => {}));
  it.stop.abort();
  it.answer = new Error('aborted');
  await pass();
  expect(it.lines).toEqual([]);
});
