import { describe, expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import { MAX_HASHES } from '../../../src/atlas/response.ts';
import { type PrintOptions, printJob, remarks } from '../../../src/get/print.ts';
import type { JsonObject } from '../../support/atlas-simulator/json.ts';
import {
  automatedRestore,
  automatedRestoreInto,
  brokenJob,
  encryptedDownload,
  endedDownload,
  fetchedDownload,
  killedJob,
  oddTimestamp,
  openJob,
  PUBLISHED_EXAMPLE,
  pendingDownload,
  PUBLISHED_EXAMPLE_JOB as REF,
  readyDownload,
  urlV2Download,
  youngJob,
} from '../../support/atlas-simulator/recorded-bodies.ts';
import { responseOf } from '../support/resources.ts';

const NOW = Date.parse('2026-11-25T05:00:00Z');
const EXPIRES = '2026-11-26T09:12:44Z';

const USUAL = { atlasApi: 'atlas/v1.0', envelope: false, pretty: false, showUrl: false, now: NOW } as const;
const print = (body: JsonObject, options: Partial<PrintOptions> = {}): string =>
  printJob(responseOf(body), { ...USUAL, output: 'text', ...options });
const notes = (body: JsonObject, options: Partial<PrintOptions> = {}): readonly string[] =>
  remarks(responseOf(body), { ...USUAL, output: 'json', ...options });
/** The value of a line such as `  status:   FINISHED`. */
const values = (text: string, name: string): readonly string[] =>
  text
    .split('\n')
    .filter((line) => line.trim().startsWith(`${name}:`))
    .map((line) => line.slice(line.indexOf(':') + 1).trim());

describe('for a person', () => {
  test('a download that is ready', () => {
    expect(print(readyDownload(REF, EXPIRES))).toBe(`Job
  status:        FINISHED
  id:            6b77893b80eef5354c77ee15
  project:       5a66666887d9d61443b41645
  cluster:       Cluster0 (5a66689487d9d61443b46149)
  snapshot:      5a6669d9fcc178211a0d86b9
  created:       2018-01-22T23:48:11Z (8y 308d ago)
  point in time: no
  data up to:    2018-01-22T22:44:54Z (8y 308d ago), oplog entry 1 of that second
  encrypted:     no

Delivery
  status:        READY
  method:        HTTP
  expires:       2026-11-26T09:12:44Z (in 1d 4h)
  valid for:     48h once ready
  downloads:     no limit
  url:           hidden; --show-url shows it

Hashes
  hash:          not yet: Atlas tells it once the file was downloaded

Next
  Fetch and verify the file: the command download takes the same flags for the job and the credentials.
`);
  });

  test('the values are aligned, in every group', () => {
    for (const body of [youngJob(REF), urlV2Download(REF, EXPIRES), PUBLISHED_EXAMPLE]) {
      const [lines] = print(body).split('\nNext\n');
      const columns = (lines ?? '').match(/^ {2}[a-zA-Z0-9 ]+: +/gm)?.map((start) => start.length) ?? [];
      expect(columns.length).toBeGreaterThan(5);
      expect(new Set(columns).size).toBe(1);
    }
  });

  test('a young job has fewer lines and no empty group', () => {
    const text = print(youngJob(REF));
    expect(text).not.toContain('Hashes');
    expect(text).not.toContain('encrypted');
    expect(text).toContain('The same command with --watch waits');
  });

  test('urls and the value of the header are told only when asked for', () => {
    const body = urlV2Download(REF, EXPIRES);
    const hidden = print(body);
    expect(hidden).not.toContain('api-backup');
    expect(hidden).not.toContain(`key-of-${REF.jobId}`);
    expect(values(hidden, 'header')).toEqual(['X-Backup-Restore-Key']);
    const open = print(body, { showUrl: true });
    expect(values(open, 'url v2')).toEqual([
      expect.stringMatching(/^https:\/\/api-backup\.mongodb\.com\/.*\.tar\.gz$/),
    ]);
    expect(values(open, 'header value')).toEqual([`key-of-${REF.jobId}`]);
  });

  test('a hash comes with the name of its file', () => {
    const file = `Cluster0-shard-0-1516661094-${REF.jobId}.tar.gz`;
    const text = print(fetchedDownload(REF, EXPIRES));
    expect(values(text, 'SHA1')).toEqual([`86bc2f505c0874cdc0eaaa82ead2ef48aaf56d67  ${file}`]);
  });

  test.each<[string, JsonObject, string]>([
    ['broken', brokenJob(REF), 'The job will not finish. Create a new restore job in Atlas.'],
    ['killed', killedJob(REF), 'The job will not finish. Create a new restore job in Atlas.'],
    ['of a status nobody knows', openJob(REF), 'This version does not know the status of the job.'],
    ['finished, delivery pending', pendingDownload(REF), 'with --watch --for=download waits for it.'],
    ['expired', endedDownload(REF, 'EXPIRED', EXPIRES), 'The time to download the restore file is over.'],
    [
      'expired, and still READY',
      readyDownload(REF, '2026-11-25T04:59:59Z'),
      'The time to download the restore file is over.',
    ],
    ['used up', endedDownload(REF, 'MAX_DOWNLOADS_EXCEEDED', EXPIRES), 'downloaded as often as allowed'],
    ['failed', endedDownload(REF, 'FAILED', EXPIRES), 'Atlas could not provide the restore file.'],
    ['automated', automatedRestore(REF), 'There is nothing to download'],
    ['without a delivery', { id: REF.jobId, statusName: 'FINISHED' }, 'Atlas names no delivery yet.'],
  ])('what to do next: %s', (_name, body, expected) => {
    expect(print(body)).toContain(`\nNext\n  `);
    expect(print(body).split('\nNext\n')[1]).toContain(expected);
  });

  test('a restore into a cluster names it', () => {
    const target = { groupId: 'a'.repeat(24), clusterId: 'b'.repeat(24), clusterName: 'Other' };
    const text = print(automatedRestoreInto(REF, target));
    expect(values(text, 'target cluster')).toEqual([`Other (${target.clusterId})`]);
    expect(values(text, 'target project')).toEqual([target.groupId]);
  });

  test('limits, keys and odd values', () => {
    const encrypted = print(encryptedDownload(REF, EXPIRES));
    expect(values(encrypted, 'encrypted')).toEqual(['yes, with the master key 3f2b7a52-6f3c-4c0e-9a5d-6a1f0f4d2c11']);
    const limited = { ...youngJob(REF), delivery: { methodName: 'HTTP', maxDownloads: 3, expires: 'soon 5' } };
    expect(values(print(limited), 'downloads')).toEqual(['at most 3']);
    expect(values(print(limited), 'expires')).toEqual(['soon 5']);
    expect(values(print(limited), 'status')).toEqual(['IN_PROGRESS', 'not told']);
    expect(values(print(oddTimestamp(REF)), 'data up to')).toEqual([]);
  });

  test('text from Atlas cannot do anything to the terminal', () => {
    const evil = '\u001b]0;title\u0007\u009b2J\r\nx';
    const text = print(
      {
        ...fetchedDownload(REF, EXPIRES),
        clusterName: evil,
        statusName: evil,
        hashes: [{ fileName: evil, hash: evil, typeName: evil }],
        delivery: { methodName: evil, statusName: evil, url: evil, authHeader: evil, authValue: evil, expires: evil },
      },
      { showUrl: true },
    );
    expect(text).not.toMatch(/[^\P{Cc}\n]/u);
    expect(text).not.toMatch(/^x/m);
  });

  test('of many hashes the first ones', () => {
    const hashes = Array.from({ length: 50 }, (_, index) => ({ fileName: `f${index}`, hash: 'x', typeName: 'SHA1' }));
    const text = print({ ...readyDownload(REF, EXPIRES), hashes });
    expect(values(text, 'SHA1')).toHaveLength(20);
    expect(values(text, 'more')).toEqual(['30; -o json lists them']);
  });
});

test.each([
  youngJob(REF),
  openJob(REF),
  brokenJob(REF),
  pendingDownload(REF),
  readyDownload(REF, EXPIRES),
  readyDownload(REF, '2026-11-24T00:00:00Z'),
  automatedRestore(REF),
  { id: REF.jobId, statusName: 'FINISHED' },
  ...['EXPIRED', 'MAX_DOWNLOADS_EXCEEDED', 'FAILED'].map((status) => endedDownload(REF, status, EXPIRES)),
])('with public/v1.0 no sentence of ours says Atlas: %#', (body) => {
  expect(print(body)).not.toContain('Ops Manager');
  expect(print(body, { atlasApi: 'public/v1.0' })).toBe(
    print(body).replaceAll('Atlas', 'Ops Manager or Cloud Manager'),
  );
});

test('with public/v1.0 a file whose name says Atlas keeps it', () => {
  const body = fetchedDownload({ ...REF, clusterName: 'Atlas' }, EXPIRES);
  const text = print(body, { atlasApi: 'public/v1.0' });
  expect(values(text, 'SHA1')).toEqual([expect.stringMatching(/^[0-9a-f]{40} {2}Atlas-shard-0-/)]);
  expect(values(text, 'cluster')).toEqual(['Atlas (5a66689487d9d61443b46149)']);
});

describe('for scripts', () => {
  const body = urlV2Download(REF, EXPIRES);
  const { url: _url, urlV2: _urlV2, authValue: _authValue, ...harmless } = Object(body['delivery']);

  test('json is the job, on one line, without what opens the data', () => {
    const text = print(body, { output: 'json' });
    expect(text).toMatch(/^\{.*\}\n$/);
    expect(JSON.parse(text)).toEqual({ ...body, delivery: harmless });
  });

  test('with it when asked for', () => {
    expect(JSON.parse(print(body, { output: 'json', showUrl: true }))).toEqual(body);
    expect(load(print(body, { output: 'yaml', showUrl: true }))).toEqual(body);
  });

  test.each(['json', 'yaml'] as const)('%s escapes what a terminal would obey, and means the same', (output) => {
    const evil = '\u202e\u2066a\u200f\ufeff\u{e0001}\u2028\u2029\u007f\u009b2J\u001b]0;\u00ad # x';
    for (const body of [
      { ...youngJob(REF), snapshotId: evil },
      { ...youngJob(REF), snapshotId: '\u202e' },
      { ...youngJob(REF), snapshotId: `two\nlines\u202e\n` },
    ]) {
      const text = print(body, { output });
      expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u);
      expect(output === 'json' ? JSON.parse(text) : load(text)).toMatchObject({ snapshotId: body.snapshotId });
    }
    // What is printable stays as people read it.
    expect(print({ ...youngJob(REF), snapshotId: 'Jäsøn 😀' }, { output })).toContain('Jäsøn 😀');
  });

  test('an envelope, and indented', () => {
    const text = print(PUBLISHED_EXAMPLE, { output: 'json', envelope: true, pretty: true, showUrl: true });
    expect(text).toBe(`${JSON.stringify(JSON.parse(text), null, 2)}\n`);
    expect(JSON.parse(text)).toEqual({ status: 200, content: PUBLISHED_EXAMPLE });
  });

  test('yaml', () => {
    expect(load(print(body, { output: 'yaml' }))).toEqual({ ...body, delivery: harmless });
    expect(load(print(body, { output: 'yaml', envelope: true }))).toMatchObject({
      status: 200,
      content: { id: REF.jobId },
    });
  });

  test('a job without a delivery', () => {
    expect(print({ id: REF.jobId }, { output: 'json' })).toBe(`{"id":"${REF.jobId}"}\n`);
  });

  test('control characters are escaped and stay what they are', () => {
    const clusterName = 'a\u009b2Jb\u007fc\u001bd';
    const text = print({ ...body, clusterName }, { output: 'json', pretty: true });
    expect(text).not.toMatch(/[^\P{Cc}\n]/u);
    expect(JSON.parse(text)).toMatchObject({ clusterName });
  });
});

describe('remarks', () => {
  test('what is hidden, except where the text says so itself', () => {
    const hidden =
      'left out, because it opens the data: delivery.url, delivery.urlV2, delivery.authValue; --show-url shows it';
    const body = urlV2Download(REF, EXPIRES);
    expect(notes(body)).toEqual([hidden]);
    expect(notes(body, { output: 'yaml' })).toEqual([hidden]);
    expect(notes(body, { output: 'text' })).toEqual([]);
    expect(notes(body, { showUrl: true })).toEqual([]);
    expect(notes(youngJob(REF))).toEqual([]);
  });

  test('members of another type', () => {
    expect(notes(oddTimestamp(REF), { output: 'text' })).toEqual([
      'left out, because Atlas gave them in another form than it documents: timestamp.date, timestamp.increment',
    ]);
    const [many = ''] = notes({ ...youngJob(REF), hashes: Array.from({ length: 30 }, () => 1) });
    expect(many).toContain('hashes[9] and 20 more');
  });

  test('with public/v1.0 do not say Atlas', () => {
    const [note = ''] = notes(oddTimestamp(REF), { atlasApi: 'public/v1.0' });
    expect(note).toContain('because Ops Manager or Cloud Manager gave them in another form than it documents:');
  });

  test('hashes beyond the bound', () => {
    const hashes = Array.from({ length: MAX_HASHES + 1 }, () => ({ hash: 'x' }));
    expect(notes({ ...youngJob(REF), hashes })).toEqual(['only the first 2000 of 2001 hashes were read']);
  });
});
