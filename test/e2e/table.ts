/** What was proven, as a Markdown table. */

export interface Row {
  readonly name: string;
  readonly outcome: 'ok' | 'FAILED';
  readonly seconds: number;
  /** What was seen, or what is wrong. */
  readonly detail: string;
}

export function toTable(rows: readonly Row[]): string {
  const header = ['proof', 'result', 'seconds', 'seen'];
  const cells = rows.map(({ name, outcome, seconds, detail }) => [name, outcome, seconds.toFixed(1), oneLine(detail)]);
  return [header, header.map(() => '---'), ...cells].map((line) => `| ${line.join(' | ')} |`).join('\n');
}

function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').replaceAll('|', '/').trim();
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}
