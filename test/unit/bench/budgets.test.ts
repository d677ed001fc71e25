import { describe, expect, test } from '@jest/globals';
import { budgetTable, type Sizes } from '../../../bench/budgets.ts';
import { addMeasurement, type Measurement, type Results } from '../../../bench/measurement.ts';

const MIB = 1_024 ** 2;
const SIZES: Sizes = {
  firstSync: 1_000,
  running: 10_000,
  life: { resources: 10_000, idleSeconds: 30, burst: 1_000 },
  lists: [{ resources: 1_000, intervalSeconds: 60, changes: 50, intervals: 3 }],
  download: [MIB, 2_048 * MIB],
};

type Row = readonly [row: string, subject: string, measurement: Measurement];

const tableOf = (...rows: readonly Row[]): readonly string[] => {
  const results: Results = new Map();
  for (const row of rows) addMeasurement(results, ...row);
  return budgetTable(results, SIZES).split('\n').slice(2);
};

describe('the table of budgets', () => {
  test('compares medians with those of the peer, and says whether that is enough', () => {
    expect(
      tableOf(
        ['first sync of 1,000', 'operator', { cpuSeconds: 1.2 }],
        ['first sync of 1,000', 'operator', { cpuSeconds: 9 }],
        ['first sync of 1,000', 'operator', { cpuSeconds: 1 }],
        ['first sync of 1,000', 'controller-runtime', { cpuSeconds: 1 }],
        ['first sync of 10,000', 'operator', { cpuSeconds: 8, peakMiB: 100, wallSeconds: 23 }],
        ['first sync of 10,000', 'controller-runtime', { cpuSeconds: 10, peakMiB: 100, wallSeconds: 30 }],
        ['first sync of 10,000', 'floor', { cpuSeconds: 5, peakMiB: 90, wallSeconds: 20 }],
      ),
    ).toEqual([
      '| CPU, first sync of 1,000 | ≤ 1 × controller-runtime | 1.20 | no |',
      '| CPU, first sync of 10,000 | ≤ 0.8 × controller-runtime | 0.80 | yes |',
      '| peak memory, first sync of 10,000 | ≤ 1 × controller-runtime | 1.00 | yes |',
      '| wall time, first sync of 10,000 | ≤ 1.1 × floor | 1.15 | no |',
    ]);
  });

  test('counts what a change, an idle second, a cluster of open jobs, and a start take', () => {
    expect(
      tableOf(
        ['burst of 1,000 changes among 10,000', 'operator', { atlasRequests: 1_016, statusWrites: 1_001 }],
        ['10,000 idle for 30 s', 'operator', { atlasRequests: 0, cpuSeconds: 0.03 }],
        [
          '1,000 running jobs of one cluster every 60 s, 50 changing each time, for 180 s',
          'operator',
          { atlasRequests: 159 },
        ],
        ['start until the API server answers the watch', 'operator', { wallSeconds: 0.151 }],
      ),
    ).toEqual([
      '| Atlas requests, burst of 1,000 changes among 10,000 | ≤ 1.02 for each change | 1.016 | yes |',
      '| status writes, burst of 1,000 changes among 10,000 | ≤ 1 for each change | 1.001 | no |',
      '| Atlas requests, 10,000 idle for 30 s | ≤ 0 | 0.000 | yes |',
      '| CPU seconds, 10,000 idle for 30 s | ≤ 0.01 a second | 0.001 | yes |',
      '| Atlas requests, 1,000 running jobs of one cluster every 60 s, 50 changing each time, for 180 s | ≤ 158 | 159.000 | no |',
      '| seconds, start until the API server answers the watch | ≤ 0.15 | 0.151 | no |',
    ]);
  });

  test('wants no less than a share of the throughput of curl, and takes the memory of a small file as idle', () => {
    expect(
      tableOf(
        ['download of 1 MiB', 'operator', { peakMiB: 90 }],
        ['download of 2 GiB', 'operator', { peakMiB: 131, mebibytesPerSecond: 890 }],
        ['download of 2 GiB', 'curl', { mebibytesPerSecond: 1_000 }],
      ),
    ).toEqual([
      '| throughput, download of 2 GiB | ≥ 0.9 × curl | 0.89 | no |',
      '| peak memory beyond that of the download of 1 MiB, download of 2 GiB | ≤ 40 MiB | 41 | no |',
    ]);
  });

  test('is left out where nothing of it was measured', () => {
    expect(budgetTable(new Map([['first sync of 1,000', new Map([['operator', [{ cpuSeconds: 1 }]]])]]), SIZES)).toBe(
      '',
    );
  });
});
