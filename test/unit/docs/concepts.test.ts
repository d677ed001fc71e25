import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import type { Status } from '../../../src/api/legacy-restore-job.ts';
import type { RestoreDelivery } from '../../../src/api/restore-job.ts';
import {
  conditionsAfterAnswer,
  conditionsAfterFailure,
  conditionsAfterSuspend,
  type Verdict,
} from '../../../src/controller/conditions.ts';
import type { Failure } from '../../../src/controller/outcome.ts';

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
function contentOf({ STATUS, DELIVERY, situation }: Row): Status {
  if (STATUS === '') return {};
  const download = DELIVERY !== 'NOT_STARTED' && DELIVERY !== 'PENDING' && !situation.includes('another cluster');
  const delivery: RestoreDelivery = { methodName: 'HTTP', statusName: DELIVERY, ...(download ? { url: URL } : {}) };
  return { statusName: STATUS, delivery };
}

const failure = (kind: Failure['kind'], reason: Failure['reason']): Failure => ({
  kind,
  reason,
  message: 'The message.',
  identity: '',
});

/** The conditions that the operator would set. */
function conditionsFor(row: Row): readonly Verdict[] {
  const content = contentOf(row);
  if (row.situation === 'not reconciled yet') return [];
  if (row.situation.startsWith('wrong credentials'))
    return conditionsAfterFailure(content, failure('permanent', 'Unauthorized'), NOW);
  if (row.situation.startsWith('Atlas is down'))
    return conditionsAfterFailure(content, failure('transient', 'AtlasUnavailable'), NOW);
  if (row.situation.startsWith('suspended')) return conditionsAfterSuspend(content, NOW);
  const answer = { job: content, authValue: undefined, dropped: [], hashCount: 0 };
  return conditionsAfterAnswer(content, answer, { kind: 'none' }, NOW);
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
  const progress = conditions.map(({ type }) => type).filter((type) => type === 'Reconciling' || type === 'Stalled');
  expect({ ...row, and: progress.join(', ') }).toEqual({
    ...row,
    Ready: told('Ready'),
    Synced: told('Synced'),
    DownloadAvailable: told('DownloadAvailable'),
    and: row.and,
  });
});
