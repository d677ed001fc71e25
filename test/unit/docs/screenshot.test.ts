import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { customResourceDefinition } from '../../../src/api/crd.ts';

test('docs/demo.svg has the columns that `kubectl get lrj` has, and is small', () => {
  const svg = readFileSync('docs/demo.svg', 'utf8');
  const columns = customResourceDefinition().spec.versions.flatMap((version) => version.additionalPrinterColumns);
  const shown = columns.filter(({ priority }) => priority === undefined).map(({ name }) => name);
  const [, head = ''] = /class="head"[^>]*>([^<]*)</.exec(svg) ?? [];
  expect(head.split(/ {2,}/)).toEqual(['NAME', ...shown]);
  expect(svg.length).toBeLessThan(50_000);
});
