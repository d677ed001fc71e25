import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { kubeTime } from '../../../src/api/time.ts';
import { kubeMicroTime } from '../../../src/kube/time.ts';

test('a time is written to the second, a micro-time with six digits: the API server refuses others', () => {
  const time = Date.parse('2026-01-31T09:30:00.987Z');
  expect(kubeTime(time)).toBe('2026-01-31T09:30:00Z');
  expect(kubeMicroTime(time)).toBe('2026-01-31T09:30:00.987000Z');
});

test('whenever it is', () => {
  fc.assert(
    fc.property(fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-12-31T23:59:59Z') }), (date) => {
      expect(kubeTime(date.getTime())).toMatch(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/);
      expect(kubeMicroTime(date.getTime())).toMatch(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$/);
      expect(Date.parse(kubeMicroTime(date.getTime()))).toBe(date.getTime());
    }),
  );
});
