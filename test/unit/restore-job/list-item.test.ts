import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ATLAS_APIS, type AtlasApi } from '../../../src/api/atlas-api.ts';
import type { LegacyRestoreJob } from '../../../src/api/legacy-restore-job.ts';
import type { RestoreJobResponse } from '../../../src/api/restore-job.ts';
import { isListable, saysWhatIsMirrored } from '../../../src/restore-job/list-item.ts';
import { reconcileResult } from '../../../src/restore-job/reconcile-result.ts';
import type { JsonObject } from '../../support/atlas-simulator/json.ts';
import {
  automatedRestoreInto,
  brokenJob,
  oddTimestamp,
  openJob,
  pendingDownload,
  readyDownload,
  urlV2Download,
  youngJob,
} from '../../support/atlas-simulator/recorded-bodies.ts';
import { resource, responseOf, SPEC, written } from '../support/resources.ts';

const NOW = Date.parse('2030-01-01T00:00:00Z');
const TOMORROW = '2030-01-02T00:00:00Z';

/** The status that follows from a response, or undefined where the resource has it. */
const statusAfter = (
  job: LegacyRestoreJob,
  response: RestoreJobResponse,
  deliveryUrlInStatus = true,
  atlasApi: AtlasApi = 'atlas/v1.0',
) =>
  reconcileResult({
    job,
    requestedAt: job.requestedAt,
    outcome: { kind: 'fetched', response, asOf: NOW, deliveryFailure: undefined },
    failures: 0,
    atlasApi,
    defaultInterval: 60_000,
    deliveryUrlInStatus,
    missingFields: [],
    now: NOW,
    random: Math.random,
  }).status;

/** A resource whose job said this. */
const mirrored = (
  body: JsonObject,
  overrides: Partial<LegacyRestoreJob> = {},
  urlInStatus = true,
  atlasApi: AtlasApi = 'atlas/v1.0',
): LegacyRestoreJob => {
  const job = resource(overrides);
  return written(job, statusAfter(job, responseOf(body), urlInStatus, atlasApi));
};

const says = (
  job: LegacyRestoreJob,
  body: JsonObject,
  deliveryUrlInStatus = true,
  atlasApi: AtlasApi = 'atlas/v1.0',
): boolean =>
  saysWhatIsMirrored(responseOf(body), { job, atlasApi, deliveryUrlInStatus, missingFields: [], now: NOW + 60_000 });

test.each(ATLAS_APIS)('an item says what is mirrored, in the words of its API: %s', (api) => {
  const job = mirrored(pendingDownload(SPEC), {}, true, api);
  expect(says(job, pendingDownload(SPEC), true, api)).toBe(true);
  expect(says(job, readyDownload(SPEC, TOMORROW), true, api)).toBe(false);
});

describe('a list can answer for', () => {
  test.each<[string, JsonObject]>([
    ['running', youngJob(SPEC)],
    ['of a status that nobody knows', openJob(SPEC)],
    ['finished, with a delivery that is being prepared', pendingDownload(SPEC)],
  ])('a job that is %s', (_, body) => {
    expect(isListable(mirrored(body))).toBe(true);
  });

  test.each<[string, JsonObject]>([
    ['is broken', brokenJob(SPEC)],
    ['has a download', readyDownload(SPEC, TOMORROW)],
    [
      'is an automated restore',
      {
        ...pendingDownload(SPEC),
        delivery: { methodName: 'AUTOMATED_RESTORE', statusName: 'IN_PROGRESS' },
      },
    ],
    ['names its target', automatedRestoreInto(SPEC, { ...SPEC, clusterId: '5'.repeat(24) })],
  ])('no job that %s', (_, body) => {
    expect(isListable(mirrored(body))).toBe(false);
  });

  const running = mirrored(youngJob(SPEC));
  test.each<[string, LegacyRestoreJob]>([
    ['new', resource()],
    ['changed', { ...running, generation: 2 }],
    ['asked about', { ...running, requestedAt: 'now' }],
    ['suspended', { ...running, spec: { ...SPEC, suspend: true } }],
    ['being deleted', { ...running, deleting: true }],
    [
      'not as Atlas last said',
      {
        ...running,
        status: {
          ...running.status,
          conditions: (running.status.conditions ?? []).map((condition) =>
            condition.type === 'Synced' ? { ...condition, status: 'Unknown', reason: 'AtlasUnavailable' } : condition,
          ),
        },
      },
    ],
  ])('no resource that is %s', (_, job) => {
    expect(isListable(job)).toBe(false);
  });

  test('no job whose URL goes into a Secret, which status does not show', () => {
    const body = { ...urlV2Download(SPEC, TOMORROW), statusName: 'IN_PROGRESS' };
    expect(isListable(mirrored(body, { spec: { ...SPEC, deliverySecretName: 'download' } }))).toBe(false);
    expect(isListable(mirrored(youngJob(SPEC), { spec: { ...SPEC, deliverySecretName: 'download' } }))).toBe(true);
  });
});

describe('an item', () => {
  const bodies = [youngJob, openJob, pendingDownload, oddTimestamp].map((body) => body(SPEC));

  test.each(bodies)('that is as the response says what is mirrored, also with fewer links: %#', (body) => {
    expect(says(mirrored(body), body)).toBe(true);
    expect(says(mirrored(body), { ...body, links: [] })).toBe(true);
    const { links: _, ...unlinked } = body;
    expect(says(mirrored(body), unlinked)).toBe(true);
  });

  test.each<[string, JsonObject]>([
    ['statusName', { statusName: 'FINISHED' }],
    ['a member of delivery', { delivery: { methodName: 'HTTP', statusName: 'PENDING' } }],
    ['a member that was not there', { masterKeyUUID: 'x' }],
    ['a member of another type, which is named', { encryptionEnabled: 'no' }],
    ['hashes', { hashes: [{ hash: 'a' }] }],
  ])('with another %s does not', (_, change) => {
    expect(says(mirrored(youngJob(SPEC)), { ...youngJob(SPEC), ...change })).toBe(false);
  });

  test('need not tell of a URL that is kept out of status, but that there is one', () => {
    const delivery = { methodName: 'HTTP', statusName: 'PENDING' };
    const withUrl = (url: string): JsonObject => ({ ...youngJob(SPEC), delivery: { ...delivery, url } });
    const job = mirrored(withUrl('https://example.com/one'), {}, false);
    expect(says(job, withUrl('https://example.com/another'), false)).toBe(true);
    expect(says(job, { ...youngJob(SPEC), delivery }, false)).toBe(false);
  });

  test('is read as the response is: what cannot be stored as it is makes no difference', () => {
    const odd = {
      ...youngJob(SPEC),
      clusterId: '\uD800',
      snapshotId: 'x'.repeat(20_000),
      timestamp: { increment: -0 },
    };
    expect(says(mirrored(odd), odd)).toBe(true);
  });

  test('says what is mirrored exactly where the response would change nothing, links apart', () => {
    const value = fc.oneof(
      fc.constantFrom(null, true, 7, '', 'IN_PROGRESS', 'OPEN', 'x'),
      fc.string({ unit: 'binary' }),
    );
    const member = fc.constantFrom('statusName', 'batchId', 'pointInTime', 'created', 'unheardOf');
    const change = fc.dictionary(member, value);
    fc.assert(
      fc.property(change, change, (before, after) => {
        const job = mirrored({ ...youngJob(SPEC), ...before });
        const now = { ...youngJob(SPEC), ...after };
        expect(says(job, { ...now, links: [{ rel: 'self' }] })).toBe(statusAfter(job, responseOf(now)) === undefined);
      }),
    );
  });
});
