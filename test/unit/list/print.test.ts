import { describe, expect, test } from '@jest/globals';
import { load, loadAll } from 'js-yaml';
import { Spec } from '../../../src/api/legacy-restore-job.ts';
import type { RestoreJob } from '../../../src/api/restore-job.ts';
import type { ListedJob } from '../../../src/atlas/list-response.ts';
import { type ListPrintOptions, listRemarks, printJobs } from '../../../src/list/print.ts';
import { selectJobs } from '../../../src/list/select.ts';

const GROUP_ID = '5a66666887d9d61443b41645';
const idOf = (digit: string): string => digit.repeat(24);
const DOWNLOAD = 'https://api-backup.mongodb.com/backup/restore/v2/pull/6b77/canary-key/Cluster0.tar.gz';

function jobOf(id: string, job: RestoreJob = {}, more: Partial<ListedJob> = {}): ListedJob {
  return { id, job: { id, ...job }, authValue: undefined, dropped: [], hashCount: job.hashes?.length ?? 0, ...more };
}

const optionsOf = (options: Partial<ListPrintOptions>): ListPrintOptions => ({
  atlasApi: 'atlas/v1.0',
  ref: { groupId: GROUP_ID, clusterName: 'Cluster0' },
  status: undefined,
  output: 'text',
  showUrl: false,
  credentialsSecret: undefined,
  deliverySecrets: false,
  ...options,
});

const remarksOf = (jobs: readonly ListedJob[], options: Partial<ListPrintOptions>, unreadable = 0) =>
  listRemarks(jobs, { all: jobs.length, unreadable }, optionsOf(options));

describe('the selection', () => {
  const created = (id: string, date: string | undefined, statusName = 'FINISHED'): ListedJob =>
    jobOf(id, date === undefined ? { statusName } : { created: date, statusName });
  const jobs = [
    created('old', '2018-01-22T23:48:11Z'),
    created('undated', undefined),
    created('new', '2026-11-20T01:00:00Z', 'OPEN'),
    created('odd', 'not a date'),
    created('newest', '2026-11-20T09:30:00+08:00'),
  ];
  const ids = (list: readonly ListedJob[]): readonly string[] => list.map(({ id }) => id);

  test('is newest first, as the dates are meant; what has none is last, in the order of Atlas', () => {
    expect(ids(selectJobs(jobs, undefined))).toEqual(['newest', 'new', 'old', 'undated', 'odd']);
  });

  test('has those with one of the statuses', () => {
    expect(ids(selectJobs(jobs, new Set(['OPEN', 'BROKEN'])))).toEqual(['new']);
    expect(selectJobs([jobOf('x')], new Set(['FINISHED']))).toEqual([]);
  });
});

describe('manifests', () => {
  const manifests = (options: Partial<ListPrintOptions>, ...jobs: readonly ListedJob[]): readonly unknown[] =>
    loadAll(printJobs(jobs, optionsOf({ output: 'manifests', ...options })));

  test('are one document for each job, named after cluster and job', () => {
    const documents = manifests(
      { ref: { groupId: GROUP_ID, clusterName: 'Shop-EU' } },
      jobOf(idOf('a'), { groupId: 'elsewhere', clusterName: 'shop-eu' }),
      jobOf(idOf('b')),
    );
    expect(documents).toEqual(
      ['a', 'b'].map((digit) => ({
        apiVersion: 'atlasrestore.dev/v1',
        kind: 'LegacyRestoreJob',
        metadata: { name: `shop-eu-${idOf(digit)}` },
        spec: { groupId: GROUP_ID, clusterName: 'Shop-EU', jobId: idOf(digit) },
      })),
    );
  });

  test('name the Secrets that are asked for', () => {
    const [document] = manifests({ credentialsSecret: 'atlas-key', deliverySecrets: true }, jobOf(idOf('a')));
    expect(document).toMatchObject({
      spec: {
        credentialsSecretRef: { name: 'atlas-key' },
        deliverySecretName: `cluster0-${idOf('a')}-download`,
      },
    });
  });

  test('have texts where a number could be read, and fit the longest name', () => {
    const clusterName = `1${'0'.repeat(63)}`;
    const options = { ref: { groupId: idOf('1'), clusterName }, credentialsSecret: '1', deliverySecrets: true };
    const [document] = manifests(options, jobOf(idOf('2')));
    expect(document).toMatchObject({ spec: { groupId: idOf('1'), clusterName, jobId: idOf('2') } });
    const spec = typeof document === 'object' && document !== null && 'spec' in document ? document.spec : undefined;
    expect(Spec.safeParse(spec).success).toBe(true);
  });

  test.each(['0X1F', '0B11', '0O7', '017', '1E5', 'NO'])(
    'have a text where kubectl would read a value: %s',
    (clusterName) => {
      const options = optionsOf({ output: 'manifests', ref: { groupId: GROUP_ID, clusterName } });
      expect(printJobs([jobOf(idOf('a'))], options)).toContain(`clusterName: '${clusterName}'\n`);
    },
  );
});

describe('what is left out', () => {
  const SECRET = jobOf(
    idOf('a'),
    { delivery: { url: DOWNLOAD, statusName: 'READY' }, links: [{ href: DOWNLOAD, rel: 'self' }, { rel: 'x' }] },
    { authValue: 'canary-value' },
  );

  test.each(['text', 'json', 'yaml', 'name', 'manifests'] as const)('%s has no URL, wherever it stands', (output) => {
    const printed = [printJobs([SECRET], optionsOf({ output })), ...remarksOf([SECRET], { output })].join('\n');
    expect(printed).not.toContain('canary');
    expect(printed.includes('delivery.url, delivery.authValue, links; --show-url shows it')).toBe(
      /json|yaml/.test(output),
    );
  });

  test('is there on --show-url', () => {
    const options = { output: 'yaml', showUrl: true } as const;
    expect(load(printJobs([SECRET], optionsOf(options)))).toEqual([
      { ...SECRET.job, delivery: { ...SECRET.job.delivery, authValue: 'canary-value' } },
    ]);
    expect(remarksOf([SECRET], options)).toEqual([]);
  });

  test('is told: odd members, hashes, entries, ids', () => {
    const odd = jobOf(idOf('b'), {}, { dropped: ['created', 'delivery.expires'], hashCount: 3_000 });
    expect(remarksOf([odd], { output: 'json' }, 2)).toEqual([
      'left out, because they are no restore jobs or have no id: 2 entries',
      `left out, because Atlas gave them in another form than it documents: created of ${odd.id}, delivery.expires of ${odd.id}`,
      `only the first hashes were read of ${odd.id}`,
    ]);
    expect(remarksOf([odd, jobOf('--all')], { output: 'name' })).toEqual([
      'left out, because their ids are not 24 digits of 0-9 and a-f: 1 jobs',
    ]);
    expect(printJobs([odd, jobOf('--all')], optionsOf({ output: 'name' }))).toBe(`${odd.id}\n`);
  });
});

test('with public/v1.0 no remark says Atlas, but for the names of others', () => {
  const odd = jobOf(idOf('a'), {}, { dropped: ['Atlas'] });
  const options = { atlasApi: 'public/v1.0', output: 'json' } as const;
  expect(remarksOf([odd], options)).toEqual([
    `left out, because Ops Manager or Cloud Manager gave them in another form than it documents: Atlas of ${idOf('a')}`,
  ]);
  expect(remarksOf([], options)).toEqual(['Ops Manager or Cloud Manager lists no restore job of this cluster']);
  expect(listRemarks([], { all: 2, unreadable: 0 }, optionsOf({ ...options, status: new Set(['BROKEN']) }))).toEqual([
    'no restore job of this cluster has the status BROKEN; Ops Manager or Cloud Manager lists 2 with other ones',
  ]);
});

test('the table is as wide as its texts, which are bounded and printable', () => {
  const long = jobOf('x'.repeat(100), { statusName: '\u001b[2J\nKILLED' });
  const table = printJobs([long, jobOf(idOf('a'), { batchId: idOf('b') })], optionsOf({}));
  expect(table).toBe(
    [
      `${'JOB'.padEnd(40)}   CREATED   STATUS       DELIVERY   EXPIRES   BATCH`,
      `${'x'.repeat(39)}…   -         [2J KILLED   -          -         -`,
      `${idOf('a').padEnd(40)}   -         -            -          -         ${idOf('b')}`,
      '',
    ].join('\n'),
  );
});
