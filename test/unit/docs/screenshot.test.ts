import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { linesOf, svgOf } from '../../../scripts/screenshot.ts';
import { customResourceDefinition } from '../../../src/api/crd.ts';

const TRANSCRIPT = `
legacy-restore-operator: a demo of about a minute, on this machine only

  +0s starting etcd and kube-apiserver
  +8s kubectl apply -f deploy/samples/restore-job.yaml: ${'a restore job that Atlas is still working on '.repeat(3)}
  +8s     cluster0-friday   IN_PROGRESS  delivery NOT_STARTED
 +13s     orders-config     FINISHED  delivery READY

$ kubectl get lrj -o wide
NAME              CLUSTER    STATUS     AGE   JOB ID                     REASON
cluster0-friday   Cluster0   FINISHED   34s   6b77893b80eef5354c77ee15   A<B & "C"

$ kubectl describe lrj cluster0-friday
`;

test('the steps of one job and the table are drawn, as wide as `kubectl get lrj` prints it', () => {
  const lines = linesOf(TRANSCRIPT);
  expect(lines[0]).toBe('$ npm run demo');
  expect(lines).toContain('  +0s starting etcd and kube-apiserver');
  expect(lines).toContain('  +8s     cluster0-friday   IN_PROGRESS  delivery NOT_STARTED');
  expect(lines.join('\n')).not.toMatch(/orders-config|JOB ID|describe/);
  expect(lines.slice(-2)).toEqual([
    'NAME              CLUSTER    STATUS     AGE',
    'cluster0-friday   Cluster0   FINISHED   34s',
  ]);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(120);
});

test('a transcript of a demo that failed is refused', () => {
  expect(() => linesOf('  +0s starting\nThe demo failed')).toThrow(/did the demo fail/);
});

test('text is escaped', () => {
  expect(svgOf(['a <b> & c'])).toContain('>a &lt;b&gt; &amp; c</text>');
});

test('docs/demo.svg has the columns that `kubectl get lrj` has, and is small', () => {
  const svg = readFileSync('docs/demo.svg', 'utf8');
  const columns = customResourceDefinition().spec.versions.flatMap((version) => version.additionalPrinterColumns);
  const shown = columns.filter(({ priority }) => priority === undefined).map(({ name }) => name);
  const [, head = ''] = /class="head"[^>]*>([^<]*)</.exec(svg) ?? [];
  expect(head.split(/ {2,}/)).toEqual(['NAME', ...shown]);
  expect(svg.length).toBeLessThan(50_000);
});
