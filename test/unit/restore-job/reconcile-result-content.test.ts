import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { LegacyRestoreJob } from '../../../src/api/legacy-restore-job.ts';
import { RestoreJob } from '../../../src/api/restore-job.ts';
import type { Outcome } from '../../../src/restore-job/outcome.ts';
import { meaningOf } from '../../../src/restore-job/reasons.ts';
import type { ReconcileInput } from '../../../src/restore-job/reconcile-result.ts';
import type { JsonObject } from '../../support/atlas-simulator/json.ts';
import {
  atlasDate,
  automatedRestore,
  fetchedDownload,
  PUBLISHED_EXAMPLE,
  urlV2Download,
  youngJob,
} from '../../support/atlas-simulator/recorded-bodies.ts';
import {
  after,
  delivery,
  events,
  FINISHED,
  fetched,
  HOUR,
  MINUTE,
  NOW,
  next,
  PERMANENT,
  REF,
  ready,
  reconcile,
  refused,
  SECOND,
  SUSPENDED,
  shown,
  statusOf,
  TRANSIENT,
  URL_OF_READY,
} from '../support/reconciles.ts';
import { conditionOf, resource, responseOf, SPEC, written } from '../support/resources.ts';

describe('content that cannot be stored as it was sent', () => {
  const body = (members: JsonObject): JsonObject => ({ ...youngJob(REF), ...members });

  // As JSON.parse gives it.
  test.each([
    ['a lone surrogate', { masterKeyUUID: 'a\ud800b' }, { masterKeyUUID: 'a\ufffdb' }],
    ['a negative zero', { timestamp: { increment: -0 } }, { timestamp: { increment: 0 } }],
  ])('%s is stored in the form that comes back, so that nothing is written twice', (_, sent, stored) => {
    const response = { ...responseOf(youngJob(REF)), job: { ...responseOf(youngJob(REF)).job, ...sent } };
    const outcome: Outcome = { kind: 'fetched', response, asOf: NOW, deliveryFailure: undefined };
    const result = reconcile(resource(), outcome);
    // toMatchObject takes -0 and 0 for different.
    expect(result.status).toMatchObject(stored);
    expect(reconcile(written(resource(), result.status), outcome).status).toBeUndefined();
  });

  test.each([
    ['a text of 3 MB', 'x'.repeat(3 * 1_048_576), true],
    ['a text of 16 KiB', 'x'.repeat(16 * 1_024), false],
    ['a text of 16 KiB and a byte', 'x'.repeat(16 * 1_024 + 1), true],
    ['a text of 3,000 characters that are stored as six bytes each', '<'.repeat(3_000), true],
  ])('%s: is dropped and named, or kept', (_, text, isDropped) => {
    const status = statusOf(reconcile(resource(), fetched(body({ masterKeyUUID: text }))));
    expect('masterKeyUUID' in status).toBe(!isDropped);
    const message = conditionOf(status, 'Synced')?.message ?? '';
    if (isDropped) expect(message).toContain('too long or of another type than documented: masterKeyUUID.');
    else expect(message).toBe("The status equals Atlas's last response.");
  });

  test('links, then hashes are kept as far as there is room, and it is said how many', () => {
    const hashes = Array.from({ length: 2_000 }, (_, index) => ({
      fileName: `${index}`.padStart(900, 'f'),
      hash: 'h',
    }));
    const links = Array.from({ length: 10 }, () => ({ rel: 'self', href: 'x'.repeat(1_000) }));
    const { status } = reconcile(resource(), fetched(body({ hashes, links })));
    expect(status?.links).toHaveLength(10);
    const kept = status?.hashes?.length ?? 0;
    expect(kept).toBeGreaterThan(500);
    expect(kept).toBeLessThan(600);
    expect(Buffer.byteLength(JSON.stringify(status))).toBeLessThan(530 * 1_024);
    expect(conditionOf(status, 'Synced')?.message).toContain(`hashes holds ${kept} of 2000.`);
  });

  test('whatever it is, it fits and is written once', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.constantFrom('<&>'.repeat(9_000), 'ü'.repeat(9_000)),
    );
    const bodies = fc.record({
      id: fc.constant(REF.jobId),
      statusName: fc.constant('IN_PROGRESS'),
      masterKeyUUID: text,
      hashes: fc.array(fc.record({ fileName: text, hash: text }), { maxLength: 60 }),
      links: fc.array(fc.record({ href: text, rel: text }), { maxLength: 60 }),
    });
    fc.assert(
      fc.property(bodies, (sent) => {
        const first = statusOf(reconcile(resource(), fetched(sent)));
        const { conditions: _conditions, ...content } = first;
        const bytes = JSON.stringify(content).replace(/[<>&]/g, '123456');
        expect(Buffer.byteLength(bytes)).toBeLessThan(513 * 1_024);
        expect(reconcile(written(resource(), first), fetched(sent)).status).toBeUndefined();
      }),
      { numRuns: 50 },
    );
  });
});

describe('a download URL inside links', () => {
  const href = 'https://api-backup.mongodb.com/backup/restore/v2/pull/1/key/file.tar.gz';
  const body = {
    ...ready(NOW + 48 * HOUR),
    links: [
      { rel: 'self', href: 'https://cloud.mongodb.com/x' },
      { rel: 'x', href },
    ],
  };

  test('goes where URLs are kept out of status', () => {
    const { status } = reconcile(resource(), fetched(body), { deliveryUrlInStatus: false });
    expect(status?.links).toEqual([{ rel: 'self', href: 'https://cloud.mongodb.com/x' }]);
    expect(
      reconcile(written(resource(), status), fetched(body), { deliveryUrlInStatus: false }).status,
    ).toBeUndefined();
  });

  test('stays where they may stand there', () => {
    expect(reconcile(resource(), fetched(body)).status?.links).toHaveLength(2);
  });
});

describe('what could not be mirrored is named in the message of Synced', () => {
  const synced = (body: JsonObject): string =>
    conditionOf(reconcile(resource(), fetched(body)).status, 'Synced')?.message ?? '';

  test('nothing to name', () => {
    expect(synced(PUBLISHED_EXAMPLE)).toBe(meaningOf('JobFetched'));
  });

  test('ill-typed and null members', () => {
    const body = { ...delivery(FINISHED, { statusName: 'READY', expires: 5 }), created: null, hashes: [{ hash: 7 }] };
    expect(synced(body)).toContain(
      'null, too long or of another type than documented: created, delivery.expires, hashes[0].hash.',
    );
  });

  test('the eleventh and more are counted', () => {
    const hashes = Array.from({ length: 13 }, () => ({ hash: null }));
    expect(synced({ ...FINISHED, hashes })).toContain('hashes[9].hash and 3 more.');
  });

  test('2,000 hashes are kept of more', () => {
    const hashes = Array.from({ length: 2_500 }, (_, index) => ({ fileName: `${index}` }));
    const { status } = reconcile(resource(), fetched({ ...FINISHED, hashes }));
    expect(status?.hashes?.at(-1)).toEqual({ fileName: '1999' });
    expect(conditionOf(status, 'Synced')?.message).toContain('hashes holds 2000 of 2500.');
  });
});

describe('the URL kept out of status', () => {
  const V2 = urlV2Download(REF, atlasDate(NOW + 2 * HOUR));
  const secretly = resource({ spec: { ...SPEC, deliverySecretName: 'download' } });
  const ways: readonly { name: string; job: LegacyRestoreJob; more: Partial<ReconcileInput> }[] = [
    { name: 'by deliverySecretName', job: secretly, more: {} },
    { name: 'by the setting', job: resource(), more: { deliveryUrlInStatus: false } },
  ];

  test('without either it is in status, authValue never', () => {
    const { status } = reconcile(resource(), fetched(V2));
    expect(status?.delivery).toMatchObject({
      url: expect.anything(),
      urlV2: expect.anything(),
      authHeader: expect.anything(),
    });
    expect(JSON.stringify(status)).not.toContain(responseOf(V2).authValue);
  });

  test.each(ways)('$name: url, urlV2 and authHeader are absent, the rest is right', ({ job, more }) => {
    const result = reconcile(job, fetched(V2), more);
    expect(result.status?.delivery).toEqual({
      expirationHours: 48,
      maxDownloads: 2147483647,
      methodName: 'HTTP',
      statusName: 'READY',
      expires: '2030-01-01T02:00:00Z',
    });
    expect(shown(result.status)).toBe(
      'Ready=True/JobFinished Synced=True/JobFetched DownloadAvailable=True/DownloadReady Reconciling=False/JobFinished',
    );
    expect(result.status?.urlWithheld).toBe(true);
    expect(next(result)).toBe(10 * MINUTE);
  });

  test.each(ways)(
    '$name: a URL that was in status before goes with the next reconcile, whatever that finds',
    ({ job, more }) => {
      const before = { ...job, status: after([fetched(V2)], resource()).status };
      for (const outcome of [TRANSIENT, PERMANENT, SUSPENDED]) {
        const { status } = reconcile(before, outcome, more);
        expect(status?.delivery).toMatchObject({ statusName: 'READY', expires: '2030-01-01T02:00:00Z' });
        for (const name of ['url', 'urlV2', 'authHeader']) expect(status?.delivery).not.toHaveProperty(name);
        expect(conditionOf(status, 'DownloadAvailable')).toMatchObject({ status: 'True', reason: 'DownloadReady' });
      }
    },
  );

  test.each(ways)('$name: later reconciles still take it for a download', ({ job, more }) => {
    const kept = after([fetched(V2)], job, more);
    expect(reconcile(kept, fetched(V2), more).status).toBeUndefined();
    for (const outcome of [TRANSIENT, PERMANENT, SUSPENDED]) {
      const { status } = reconcile(kept, outcome, more);
      expect(conditionOf(status, 'DownloadAvailable')).toMatchObject({ status: 'True', reason: 'DownloadReady' });
    }
    expect(next(reconcile(kept, PERMANENT, more))).toBe(27 * SECOND);
  });

  test.each(ways)('$name: an automated restore is still told from a download', ({ job, more }) => {
    const result = reconcile(job, fetched(automatedRestore(REF)), more);
    expect(shown(result.status)).toBe('Ready=True/JobFinished Synced=True/JobFetched Reconciling=False/JobFinished');
    expect(result.status).not.toHaveProperty('urlWithheld');
  });

  test.each(['DeliverySecretConflict', 'DeliverySecretForbidden'] as const)(
    '%s: everything but the URL is mirrored, and Atlas is asked as the schedule says',
    (reason) => {
      const result = reconcile(secretly, fetched(V2, refused(reason)), { failures: 1 });
      expect(shown(result.status)).toBe(
        `Ready=True/JobFinished Synced=False/${reason} DownloadAvailable=True/DownloadReady Reconciling=False/JobFinished`,
      );
      expect(JSON.stringify(result.status)).not.toMatch(URL_OF_READY);
      expect(result.status).toMatchObject({ snapshotId: '5a6669d9fcc178211a0d86b9', links: V2['links'] });
      expect(result).toMatchObject({ failures: 2, result: 'error', requeueAfter: 10 * MINUTE });
      expect(events(result)).toBe(`Warning ${reason}, Normal DownloadReady`);
      const again = reconcile(written(secretly, result.status), fetched(V2, refused(reason)), { failures: 2 });
      expect(again).toMatchObject({ status: undefined, events: [], failures: 3, log: { level: 'debug' } });
    },
  );

  test('that there is one is said only where it is kept out, and no longer once it may be shown', () => {
    expect(reconcile(resource(), fetched(V2)).status).not.toHaveProperty('urlWithheld');
    const kept = after([fetched(V2)], resource(), { deliveryUrlInStatus: false });
    expect(kept.status.urlWithheld).toBe(true);
    expect(reconcile(kept, fetched(V2)).status).not.toHaveProperty('urlWithheld');
    // Nobody knows the URL while Atlas does not respond.
    expect(reconcile(kept, TRANSIENT).status?.urlWithheld).toBe(true);
  });
});

describe('fields that the installed schema lacks', () => {
  const missingFields = ['spec.suspend', 'status.hashes', 'status.delivery.url', 'status.snapshotId'];
  const body = fetchedDownload(REF, atlasDate(NOW + HOUR));

  test('are left out of status, and the rest is written', () => {
    const { hashes: _hashes, snapshotId: _snapshot, delivery: told, ...rest } = responseOf(body).job;
    const { url: _url, ...kept } = told ?? {};
    const status = statusOf(reconcile(resource(), fetched(body), { missingFields }));
    expect(RestoreJob.parse(status)).toEqual({ ...rest, delivery: kept });
    expect(shown(status)).toContain('DownloadAvailable=True/DownloadReady');
  });

  test('cause no write, no event and no new time of change at the next reconcile', () => {
    const job = after([fetched(body)], resource(), { missingFields });
    const again = reconcile(job, fetched(body), { missingFields, now: NOW + MINUTE });
    expect([again.status, again.events, next(again)]).toEqual([undefined, [], 10 * MINUTE]);
    const asked = statusOf(
      reconcile({ ...job, requestedAt: 'now' }, fetched(body), { missingFields, now: NOW + MINUTE }),
    );
    expect(asked).toEqual({ ...job.status, lastHandledReconcileAt: 'now' });
  });

  test('cause no write while the cache is of the time before a downgrade', () => {
    const job = after([fetched(body)]);
    const failing = statusOf(reconcile(job, TRANSIENT, { missingFields, now: NOW + MINUTE }));
    expect(failing.lastChangeTime).toBe(job.status.lastChangeTime);
    expect(reconcile(job, fetched(body), { missingFields, now: NOW + MINUTE }).status).toBeUndefined();
  });

  test('are filled by the next reconcile once the schema is current', () => {
    const job = after([fetched(body)], resource(), { missingFields });
    const filled = statusOf(reconcile(job, fetched(body), { now: NOW + MINUTE }));
    expect(RestoreJob.parse(filled)).toEqual(responseOf(body).job);
    expect(filled.lastChangeTime).toBe('2030-01-01T00:01:00Z');
  });

  test('also where one of them is the operator’s own', () => {
    const own = ['status.lastChangeTime', 'status.lastHandledReconcileAt'];
    const job = after([fetched(body)], resource({ requestedAt: 'now' }), { missingFields: own });
    expect(job.status).not.toHaveProperty('lastChangeTime');
    expect(reconcile(job, fetched(body), { missingFields: own, now: NOW + MINUTE }).status).toBeUndefined();
  });
});
