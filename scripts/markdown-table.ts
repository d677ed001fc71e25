/** A table in Markdown. `numeric`: all columns but the first are aligned to the right. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { numeric = false } = {},
): string {
  const rule = head.map((_, column) => (numeric && column > 0 ? '---:' : '---'));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
