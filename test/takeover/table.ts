/** Figures as a Markdown table. */

export interface Row {
  readonly name: string;
  /** Milliseconds of each run, one for each column. */
  readonly measured: readonly (readonly number[])[];
}

/** A row for each thing that was measured; `until` names what each figure of a run waited for. */
export function toTable(title: string, until: readonly string[], rows: readonly Row[]): string {
  const header = [title, 'runs', ...until.map((event) => `seconds until ${event}: min / median / max`)];
  const lines = rows.map(({ name, measured }) => [
    name,
    String(measured.length),
    ...until.map((_, column) => summary(measured.map((run) => run[column] ?? Number.NaN))),
  ]);
  return [header, header.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function summary(milliseconds: readonly number[]): string {
  const sorted = milliseconds.toSorted((left, right) => left - right);
  const middle = sorted[Math.floor((sorted.length - 1) / 2)];
  return [sorted[0], middle, sorted.at(-1)].map((ms) => ((ms ?? Number.NaN) / 1_000).toFixed(1)).join(' / ');
}
