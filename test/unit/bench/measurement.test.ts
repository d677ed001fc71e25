import { describe, expect, test } from '@jest/globals';
import { addMeasurement, type Results, summarize } from '../../../bench/measurement.ts';
import { toSvg } from '../../../bench/plot.ts';
import { toMarkdown } from '../../../bench/table.ts';

describe('summaries', () => {
  test('are least, middle and most, in whatever order the runs came', () => {
    const runs = [{ cpuSeconds: 10 }, { cpuSeconds: 9 }, { cpuSeconds: 100 }];
    expect(summarize(runs, 'cpuSeconds')).toEqual({ min: 9, median: 10, max: 100 });
    expect(summarize(runs.slice(0, 2), 'cpuSeconds')).toEqual({ min: 9, median: 9.5, max: 10 });
  });

  test('are absent where nobody measured', () => {
    expect(summarize([{ cpuSeconds: 1 }, {}], 'peakMiB')).toBeUndefined();
    expect(summarize([], 'peakMiB')).toBeUndefined();
  });
});

describe('the table', () => {
  test('holds median, least and most, and ratios between medians', () => {
    const results: Results = new Map();
    for (const cpuSeconds of [3, 1, 2]) addMeasurement(results, 'first sync of 10', 'operator', { cpuSeconds });
    addMeasurement(results, 'first sync of 10', 'controller-runtime', { cpuSeconds: 4 });
    addMeasurement(results, 'first sync of 10', 'floor', { cpuSeconds: 1 });
    expect(toMarkdown(results)).toBe(
      [
        '### First sync of 10',
        '',
        '| subject (runs) | CPU s | × controller-runtime | × floor |',
        '| --- | ---: | ---: | ---: |',
        '| operator (3) | 2.00 (1.00–3.00) | 0.50 | 2.00 |',
        '| controller-runtime (1) | 4.00 | 1.00 | 4.00 |',
        '| floor (1) | 1.00 | 0.25 | 1.00 |',
        '',
      ].join('\n'),
    );
  });
});

describe('the plot', () => {
  test('puts the largest value of a round axis to its end, and each curve in one color', () => {
    const points = [
      { x: 20_000, y: 100 },
      { x: 0, y: 0 },
    ];
    const svg = toSvg([{ title: 'CPU', series: [{ name: 'operator', points }] }], 'resources');
    // Left and bottom end of the axes, then right and top end: sorted by x.
    expect(svg).toContain('points="52,220 304,36"');
    expect(svg).toContain('>20k</text>');
    expect(svg.match(/#1f77b4/g)).toHaveLength(4);
  });
});
