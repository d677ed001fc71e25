/** Restore jobs as a table for people. */
import { printable } from '../api/printable.ts';
import type { ListedJob } from '../atlas/list-response.ts';

/** A line for each job, below the names of the columns; nothing where there are none. */
export function jobTable(jobs: readonly ListedJob[]): string {
  if (jobs.length === 0) return '';
  const lines = [COLUMNS, ...jobs.map(cellsOf)];
  const widths = COLUMNS.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)));
  return lines
    .map((cells) => `${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(GAP)}`.trimEnd())
    .map((line) => `${line}\n`)
    .join('');
}

const COLUMNS = ['JOB', 'CREATED', 'STATUS', 'DELIVERY', 'EXPIRES', 'BATCH'];
const GAP = '   ';
/** Every line is as wide as the longest text. */
const LONGEST_TEXT = 40;

const cellsOf = ({ id, job: { created, statusName, delivery, batchId } }: ListedJob): string[] =>
  [id, created, statusName, delivery?.statusName, delivery?.expires, batchId].map((text = '') => {
    const cell = printable(text, LONGEST_TEXT);
    return cell === '' ? '-' : cell;
  });
