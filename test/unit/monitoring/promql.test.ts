import { expect, test } from '@jest/globals';
import { isSelected, selectorsOf } from '../../support/promql.ts';
import { samplesOf } from '../../support/scrape.ts';

test('selectors are found among functions, operators, label lists, durations and strings', () => {
  const expression = `
    max by (namespace, job) (rate(requests_total{code=~"5xx|none", path!="by (x)"}[15m] offset 1h))
    / on (job) group_left (version) build_info
    or absent(up) unless sum without (pod) (up{}) > 0.5`;
  expect(selectorsOf(expression)).toEqual([
    {
      name: 'requests_total',
      matchers: [
        { label: 'code', operator: '=~', value: '5xx|none' },
        { label: 'path', operator: '!=', value: 'by (x)' },
      ],
    },
    { name: 'build_info', matchers: [] },
    { name: 'up', matchers: [] },
    { name: 'up', matchers: [] },
  ]);
});

test('a selector is there when each of its alternatives is', () => {
  const samples = samplesOf('r_total{code="5xx"} 0\nr_total{code="none"} 0\n');
  const has = (expression: string) =>
    selectorsOf(expression).every((selector) => isSelected(selector, samples, ['namespace']));
  expect(has('r_total{code=~"5xx|none", namespace="any"}')).toBe(true);
  expect(has('r_total{code=~"5xx|4xx"}')).toBe(false);
  expect(has('r_total{code="4xx"}')).toBe(false);
  expect(has('r_total{code!="5xx"}')).toBe(true);
  expect(has('r_total{code!~"5xx|none"}')).toBe(false);
  expect(has('r_total{code=~".+"}')).toBe(true);
  expect(has('r_total{other="x"}')).toBe(false);
  expect(has('s_total')).toBe(false);
});
