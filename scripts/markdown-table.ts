/** A Markdown table. `numeric`: all columns but the first are aligned to the right. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { numeric = false } = {},
): string {
  const rule = head.map((_, column) => (numeric && column > 0 ? '---:' : '---'));
  return [head, rule, ...rows].map(row).join('\n');
}

/** An empty cell is one space: markdownlint wants as many on both sides of a text. */
const row = (cells: readonly string[]): string =>
  `|${cells.map((cell) => (cell === '' ? ' ' : ` ${cell} `)).join('|')}|`;
