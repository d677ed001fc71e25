import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import type { RestoreDelivery } from '../../../src/api/restore-job.ts';
import { type Finding, findConditions, type Sync } from '../../../src/restore-job/conditions.ts';
import type { Content } from '../../../src/restore-job/content.ts';
import type { Failure } from '../../../src/restore-job/failure.ts';

const NOW = Date.parse('2026-11-24T09:00:00Z');
const URL = 'https://example.invalid/file.tar.gz';

type Row = Readonly<
  Record<'situation' | 'STATUS' | 'DELIVERY' | 'Ready' | 'Synced' | 'DownloadAvailable' | 'and', string>
>;

const page = readFileSync('docs/concepts.md', 'utf8');
const [, body = ''] = /^\| situation \| STATUS .*\n\| ---.*\n((?:\|.*\n)+)/m.exec(page) ?? [];
const ROWS: readonly Row[] = body
  .trim()
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, situation = '', STATUS = '', DELIVERY = '', Ready = '', Synced = '', DownloadAvailable = '', and = '']) => ({
    situation,
    STATUS,
    DELIVERY,
    Ready,
    Synced,
    DownloadAvailable,
    and,
  }));

/** What is mirrored where a row has these columns. */
function contentOf({ STATUS, DELIVERY, situation }: Row): Content {
  if (STATUS === '') return {};
  const download = DELIVERY !== 'NOT_STARTED' && DELIVERY !== 'PENDING' && !situation.includes('another cluster');
  const soon = situation.includes('less than an hour') ? { expires: '2026-11-24T09:30:00Z' } : {};
  const url = download ? { url: URL, ...soon } : {};
  const delivery: RestoreDelivery = { methodName: 'HTTP', statusName: DELIVERY, ...url };
  return { statusName: STATUS, delivery };
}

const failed = (reason: Failure['reason']): Sync => ({
  kind: 'failed',
  failure: { origin: 'atlas', reason, apiError: undefined, detail: 'The detail.' },
  grace: false,
});

function syncOf({ situation }: Row, job: Content): Sync {
  if (situation.startsWith('wrong credentials')) return failed('Unauthorized');
  if (situation.startsWith('Atlas is down')) return failed('AtlasUnavailable');
  if (situation.startsWith('suspended')) return { kind: 'suspended' };
  const response = { job, authValue: undefined, dropped: [], hashCount: 0 };
  return { kind: 'fetched', response, deliveryFailure: undefined };
}

/** The conditions that the operator would set. */
function conditionsFor(row: Row): readonly Finding[] {
  if (row.situation === 'not reconciled yet') return [];
  const content = contentOf(row);
  return findConditions({ content, sync: syncOf(row, content), at: NOW });
}

test('the table of situations is there', () => {
  expect(ROWS.length).toBeGreaterThanOrEqual(15);
});

test.each(ROWS)('$situation: the conditions are those of the operator', (row) => {
  const conditions = conditionsFor(row);
  const told = (type: string): string => {
    const found = conditions.find((condition) => condition.type === type);
    return found === undefined ? '' : `${found.status} ${found.reason}`;
  };
  const progress = conditions
    .filter(({ type, status }) => (type === 'Reconciling' || type === 'Stalled') && status === 'True')
    .map(({ type }) => type);
  expect({ ...row, and: progress.join(', ') }).toEqual({
    ...row,
    Ready: told('Ready'),
    Synced: told('Synced'),
    DownloadAvailable: told('DownloadAvailable'),
    and: row.and,
  });
});
