import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { isReason, REASONS } from '../../../src/restore-job/reasons.ts';

const page = readFileSync('docs/troubleshooting.md', 'utf8');
const [, byReason = ''] = page.split(/^## By reason$/m);
const [section = ''] = byReason.split(/^## /m);

test('every reason that needs somebody has its section, in the order of the table, and nothing else has', () => {
  const headings = [...section.matchAll(/^### (.*)$/gm)].map(([, heading]) => heading);
  const reasons = Object.entries(REASONS).filter(([, { remedy }]) => remedy !== '');
  expect(headings).toEqual(reasons.map(([reason]) => reason));
});

test('every section says something', () => {
  const texts = section.split(/^### .*$/m).slice(1);
  expect(texts.filter((text) => text.trim().length < 20)).toEqual([]);
});

test('nothing on the page names a reason that does not exist', () => {
  const named = [...page.matchAll(/`((?:Job|Secret|Delivery|Download)[A-Z][A-Za-z]+)`/g)].map(([, name = '']) => name);
  const foreign = new Set(['DownloadAvailable']);
  expect(named.filter((name) => !isReason(name) && !foreign.has(name))).toEqual([]);
});
