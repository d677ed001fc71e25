import { expect, test } from '@jest/globals';
import type { Row } from '../../../demo/resources.ts';
import { createScreen, type ScreenStream } from '../../../demo/screen.ts';

const EMPTY = { status: '', delivery: '', expires: '', ready: '', synced: '', reason: '', hashes: 0 };
const RUNNING: Row = { ...EMPTY, name: 'friday', cluster: 'Cluster0', status: 'IN_PROGRESS', ready: 'False' };
const FINISHED: Row = { ...RUNNING, status: 'FINISHED', delivery: 'READY', ready: 'True', hashes: 1 };

function recorded(stream: Omit<ScreenStream, 'write'>) {
  const written: string[] = [];
  return { written, screen: createScreen({ ...stream, write: (text) => written.push(text) }) };
}

const ESCAPE = '\x1b';
const SEQUENCE_OR_TEXT = new RegExp(`${ESCAPE}\\[\\d*[A-Zm]|\n|\r|[^${ESCAPE}\n\r]+`, 'g');

/** What a terminal shows that understands the few sequences in use. */
function rendered(written: readonly string[]): string[] {
  const lines = [''];
  let [row, column] = [0, 0];
  for (const [part] of written.join('').matchAll(SEQUENCE_OR_TEXT)) {
    const line = lines[row] ?? '';
    if (part === '\n') [row, column] = [row + 1, 0];
    else if (part === '\r') column = 0;
    else if (part === `${ESCAPE}[K` || part === `${ESCAPE}[J`) lines[row] = line.slice(0, column);
    else if (part.startsWith(ESCAPE) && part.endsWith('A')) row -= Number(part.slice(2, -1));
    else if (!part.startsWith(ESCAPE)) {
      lines[row] = line.slice(0, column) + part + line.slice(column + part.length);
      column += part.length;
    }
    if (part === `${ESCAPE}[J`) lines.length = row + 1;
  }
  return lines;
}

test('elsewhere than on a terminal there is a line for every change, and none for none', () => {
  const { written, screen } = recorded({});
  screen.say('it begins');
  for (const row of [RUNNING, RUNNING, FINISHED, FINISHED]) screen.show([row]);
  expect(
    written.map((line) =>
      line
        .replace(/^ *\+\d+s/, '')
        .trim()
        .replace(/ {3,}/, '  '),
    ),
  ).toEqual([
    'it begins',
    'friday  IN_PROGRESS  ready False',
    'friday  IN_PROGRESS → FINISHED  delivery READY  hashes 1  ready True',
  ]);
});

test('on a terminal the table stays below what is said, and is drawn over itself', () => {
  const { written, screen } = recorded({ isTTY: true, columns: 120, rows: 40 });
  screen.show([RUNNING]);
  screen.say('Atlas works');
  screen.show([FINISHED]);
  screen.say('Atlas has finished');
  const shown = rendered(written);
  expect(shown.filter((line) => line.startsWith('friday'))).toEqual([
    'friday  Cluster0  FINISHED  READY              True',
  ]);
  expect(shown.findIndex((line) => line.includes('has finished'))).toBeLessThan(
    shown.findIndex((line) => line.startsWith('NAME')),
  );
  screen.showTable(false);
  expect(rendered(written).some((line) => line.startsWith('friday'))).toBe(false);
});

test.each([200, 80, 40, 10])('no line of the table is wider than a terminal of %i columns', (columns) => {
  const { written, screen } = recorded({ isTTY: true, columns, rows: 40 });
  screen.show([
    { ...FINISHED, name: 'a-resource-with-a-long-name', expires: '2026-11-26T09:12:44Z', reason: 'JobFinished' },
  ]);
  for (const line of rendered(written)) expect(line.length).toBeLessThan(columns);
});
