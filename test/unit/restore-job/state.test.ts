import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { Status } from '../../../src/api/legacy-restore-job.ts';
import type { RestoreDelivery } from '../../../src/api/restore-job.ts';
import type { Content } from '../../../src/restore-job/content.ts';
import {
  deliveryState,
  downloadOutlook,
  expiresAt,
  hasUrl,
  isAutomatedRestore,
  isDownload,
  isMirrored,
  jobState,
} from '../../../src/restore-job/state.ts';

describe('the state of a job', () => {
  test.each([
    ['IN_PROGRESS', 'running'],
    ['FINISHED', 'finished'],
    ['BROKEN', 'broken'],
    ['KILLED', 'killed'],
    ['OPEN', 'unknown'],
    ['finished', 'unknown'],
    ['', 'unknown'],
    ['constructor', 'unknown'],
    ['__proto__', 'unknown'],
  ])('"%s" is %s', (statusName, expected) => {
    expect(jobState({ statusName })).toBe(expected);
  });

  test('no status is unknown', () => {
    expect(jobState({})).toBe('unknown');
  });
});

describe('the state of a delivery', () => {
  test.each([
    ['NOT_STARTED', 'pending'],
    ['PENDING', 'pending'],
    ['IN_PROGRESS', 'pending'],
    ['READY', 'ready'],
    ['EXPIRED', 'expired'],
    ['MAX_DOWNLOADS_EXCEEDED', 'exhausted'],
    ['FAILED', 'failed'],
    ['INTERRUPTED', 'failed'],
    ['PAUSED', 'unknown'],
    ['toString', 'unknown'],
  ])('"%s" is %s', (statusName, expected) => {
    expect(deliveryState({ statusName })).toBe(expected);
  });

  test('no delivery is absent, no status is unknown', () => {
    expect(deliveryState(undefined)).toBe('absent');
    expect(deliveryState({ methodName: 'HTTP' })).toBe('unknown');
  });
});

describe('automated restores and downloads', () => {
  interface Row {
    readonly name: string;
    readonly delivery: RestoreDelivery;
    readonly url: boolean;
    readonly automated: boolean;
    readonly download: boolean;
  }
  const row = (
    name: string,
    delivery: RestoreDelivery,
    url: boolean,
    kind: 'automated' | 'download' | 'neither',
  ): Row => ({
    name,
    delivery,
    url,
    automated: kind === 'automated',
    download: kind === 'download',
  });
  const HTTP = { methodName: 'HTTP', statusName: 'READY' };

  test.each<Row>([
    row('by its method', { methodName: 'AUTOMATED_RESTORE' }, false, 'automated'),
    row('by its method, whatever else it says', { ...HTTP, methodName: 'AUTOMATED_RESTORE' }, true, 'automated'),
    row('by the id of its target', { ...HTTP, targetClusterId: 'x' }, true, 'automated'),
    row(
      'by the name of its target',
      { methodName: 'HTTP', statusName: 'PENDING', targetClusterName: 'x' },
      false,
      'automated',
    ),
    row('by the project of its target', { ...HTTP, targetGroupId: 'x' }, true, 'automated'),
    row('READY without a url', HTTP, false, 'neither'),
    row('READY with a url', HTTP, true, 'download'),
    row(
      'an empty target',
      { ...HTTP, targetClusterId: '', targetClusterName: '', targetGroupId: '' },
      true,
      'download',
    ),
    row('not READY yet', { methodName: 'HTTP', statusName: 'PENDING' }, false, 'download'),
    row('expired, its url gone', { methodName: 'HTTP', statusName: 'EXPIRED' }, false, 'download'),
    row('a query', { methodName: 'QUERY', statusName: 'PENDING' }, false, 'download'),
    row('no method', { statusName: 'PENDING' }, false, 'download'),
    row('pushed by SCP', { methodName: 'SCP', statusName: 'PENDING' }, false, 'neither'),
    row('pushed by SCP to a point in time', { methodName: 'CLIENT_PIT_SCP', statusName: 'PENDING' }, false, 'neither'),
    row('copied by a third party', { methodName: 'THIRD_PARTY_COPY', statusName: 'PENDING' }, false, 'neither'),
    row('pushed, but with a url', { methodName: 'SCP', statusName: 'READY' }, true, 'download'),
  ])('$name', ({ delivery, url, automated, download }) => {
    expect(isAutomatedRestore(delivery)).toBe(automated);
    // Kept out of status or not, a URL is a URL.
    const withUrl: readonly Content[] = [{ delivery, urlWithheld: true }, { delivery: { ...delivery, url: 'x' } }];
    for (const content of url ? withUrl : [{ delivery }]) expect(isDownload(content)).toBe(download);
  });

  test('no delivery is no download', () => {
    expect(isDownload({ urlWithheld: true })).toBe(false);
  });

  test.each<[string, Content, boolean]>([
    ['no delivery', {}, false],
    ['neither', { delivery: {} }, false],
    ['url', { delivery: { url: 'x' } }, true],
    ['urlV2', { delivery: { urlV2: 'x' } }, true],
    ['kept out of status', { delivery: {}, urlWithheld: true }, true],
    ['only the name of the header', { delivery: { authHeader: 'x' } }, false],
  ])('a url: %s', (_name, content, expected) => {
    expect(hasUrl(content)).toBe(expected);
  });
});

describe('when a download expires', () => {
  test.each([
    ['2018-01-22T23:49:38Z', 1_516_664_978_000],
    ['2018-01-22T23:49:38.500Z', 1_516_664_978_500],
    ['2018-01-23T01:49:38+02:00', 1_516_664_978_000],
    ['2018-01-22', 1_516_579_200_000],
    ['2018-01-22T23:49:38', 1_516_664_978_000],
    ['2018-01-22T23:49:38.5', 1_516_664_978_500],
    ['2018-01-22T23:49', 1_516_664_940_000],
    ['2018-01-22T', undefined],
    ['', undefined],
    ['soon', undefined],
    ['2018-13-22T23:49:38Z', undefined],
    // Date.parse takes these for dates.
    ['expires 3', undefined],
    ['2018', undefined],
    ['0', undefined],
  ])('"%s"', (expires, expected) => {
    expect(expiresAt({ expires })).toBe(expected);
  });

  test('without a zone it is UTC, wherever this runs', () => {
    const module = path.join(import.meta.dirname, '../../../src/restore-job/state.ts');
    const program = `import { timeOf } from ${JSON.stringify(module)}; console.log(timeOf('2018-01-22T23:49:38'))`;
    // In a process of its own: that of the tests does not change its zone.
    const output = execFileSync(process.execPath, ['--input-type=module', '--eval', program], {
      env: { TZ: 'America/New_York' },
      encoding: 'utf8',
    });
    expect(output.trim()).toBe('1516664978000');
  });

  test('not told', () => {
    expect(expiresAt({})).toBeUndefined();
  });
});

describe('what becomes of a download', () => {
  const NOW = Date.parse('2026-11-25T05:00:00Z');
  const finished = (delivery: RestoreDelivery) => ({ statusName: 'FINISHED', delivery });
  const expiring = (expires: string) => finished({ statusName: 'READY', url: 'x', expires });

  test.each<[string, Content, ReturnType<typeof downloadOutlook>]>([
    ['the job runs', { statusName: 'IN_PROGRESS', delivery: { statusName: 'NOT_STARTED' } }, 'expected'],
    ['no delivery yet', { statusName: 'FINISHED' }, 'expected'],
    ['pending', finished({ statusName: 'PENDING' }), 'expected'],
    ['a delivery that nobody knows', finished({ statusName: 'PAUSED' }), 'expected'],
    ['ready', expiring('2026-11-25T05:00:01Z'), 'available'],
    ['ready for ever', finished({ statusName: 'READY', urlV2: 'x' }), 'available'],
    ['ready, and past its time', expiring('2026-11-25T05:00:00Z'), 'never'],
    ['expired', finished({ statusName: 'EXPIRED', url: 'x' }), 'never'],
    ['used up', finished({ statusName: 'MAX_DOWNLOADS_EXCEEDED', url: 'x' }), 'never'],
    ['failed', finished({ statusName: 'FAILED' }), 'never'],
    ['broken', { statusName: 'BROKEN', delivery: { statusName: 'NOT_STARTED' } }, 'never'],
    ['killed, without a delivery', { statusName: 'KILLED' }, 'never'],
    ['into a cluster, while it runs', { statusName: 'IN_PROGRESS', delivery: { targetClusterName: 'x' } }, 'never'],
    ['ready without a url: most likely into a cluster', finished({ statusName: 'READY' }), 'never'],
  ])('%s', (_name, job, expected) => {
    expect(downloadOutlook(job, NOW)).toBe(expected);
  });
});

describe('whether anything was mirrored', () => {
  test.each<[string, Status, boolean]>([
    ['an untouched status', { observedGeneration: -1 }, false],
    ['failures only', { observedGeneration: 1, conditions: [], lastHandledReconcileAt: 'x' }, false],
    ['a status', { statusName: 'FINISHED' }, true],
    ['anything but a status', { id: '6b77893b80eef5354c77ee15', observedGeneration: 1 }, true],
    ['a field that says no', { pointInTime: false }, true],
  ])('%s', (_name, status, expected) => {
    expect(isMirrored(status)).toBe(expected);
  });
});
