import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { FAULTS } from '../../soak/faults.ts';

const ROOT = path.join(import.meta.dirname, '../../..');
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');

/** Each row that names tests: the files, and the tests that follow the name of their file. */
const rows = read('docs/reliability.md')
  .split('\n')
  .filter((line) => line.includes('.test.ts`: *'));

test('every fault names its test', () => {
  const table = read('docs/reliability.md').split('## What happens when')[1]?.split('## ')[0] ?? '';
  const faults = table.split('\n').filter((line) => line.startsWith('| '));
  // Except for the heading and the line below it.
  expect(rows).toEqual(faults.slice(2));
});

test('the tests that it names exist where it says', () => {
  const missing = rows.flatMap((row) => {
    const cell = row.split(' | ').at(-1) ?? '';
    const parts = [...cell.matchAll(/`(test\/[^`]+)`: ((?:\*[^*]+\*|[^`])+)/g)];
    return parts.flatMap(([, file = '', names = '']) =>
      [...names.matchAll(/\*([^*]+)\*/g)]
        .map(([, name = '']) => `${file}: ${name}`)
        .filter((named) => !read(file).includes(named.slice(file.length + 2))),
    );
  });
  expect(missing).toEqual([]);
});

test('the soak has as many kinds of fault as it says', () => {
  expect(read('docs/reliability.md')).toContain(`faults of all ${FAULTS.length} kinds`);
});
