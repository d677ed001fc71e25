/** docs/demo.svg: a run of the demo, drawn as a terminal. */

/** Matches the lines about the batch and one other job; the others are only in the table at the end. */
const SHOWN = /cluster0-friday|restore-job\.yaml|sharded cluster|resource of each|batch is complete|download fetches/;
const COLUMNS = 124;
const INDENT = 6;

/** The lines to draw of a transcript of `npm run demo` without a terminal. Throws if it is not such a transcript. */
export function linesOf(transcript: string): readonly string[] {
  const lines = transcript.split('\n').map((line) => line.trimEnd());
  const table = lines.indexOf('$ kubectl get lrj -o wide');
  if (table === -1) throw new Error('the transcript has no table of the resources: did the demo fail?');
  const shown = lines.slice(0, table).filter(createFilter());
  const rows = lines.slice(table + 1, lines.indexOf('', table));
  return ['$ npm run demo', ...shown.flatMap(wrapped), '', '$ kubectl get lrj', ...withoutWideColumns(rows)];
}

/** What begins the demo, what is shown of its jobs, and the commands with their output. */
function createFilter(): (line: string) => boolean {
  let hasApplied = false;
  let isOutput = false;
  return (line) => {
    hasApplied ||= line.includes('deploy/samples/');
    isOutput = line.startsWith('$ ') || (isOutput && line !== '');
    return isOutput || (/^ *\+\d+s /.test(line) && (!hasApplied || SHOWN.test(line)));
  };
}

/** The lines as an SVG without fonts, scripts or links. */
export function svgOf(lines: readonly string[]): string {
  const width = Math.round(2 * MARGIN + COLUMNS * CHARACTER);
  const height = Math.round(2 * MARGIN + TITLE + lines.length * LINE);
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="A run of npm run demo">`,
    `<style>text{font:${FONT}px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre;fill:#1f2328}.command{font-weight:bold}.clock{fill:#6e7781}.change{fill:#0550ae}.head{fill:#6e7781;font-weight:bold}</style>`,
    `<rect width="${width}" height="${height}" rx="8" fill="#ffffff" stroke="#d0d7de"/>`,
    ...['#ff5f57', '#febc2e', '#28c840'].map(
      (fill, index) => `<circle cx="${20 + 20 * index}" cy="18" r="6" fill="${fill}"/>`,
    ),
    ...lines.flatMap((line, index) => drawn(line, Math.round(MARGIN + TITLE + index * LINE + FONT))),
    '</svg>',
  ].join('\n')}\n`;
}

const FONT = 13;
const CHARACTER = 7.8;
const LINE = 18;
const MARGIN = 14;
const TITLE = 22;

/** What `kubectl get` prints without `-o wide`: the columns up to AGE. */
function withoutWideColumns(rows: readonly string[]): readonly string[] {
  const wide = rows[0]?.search(/\bJOB\b/) ?? -1;
  if (wide === -1) throw new Error('the table has no column JOB');
  return rows.map((row) => row.slice(0, wide).trimEnd());
}

/** Lines of at most COLUMNS characters, broken at spaces; only the first one has the clock. */
function wrapped(line: string): string[] {
  if (line.length <= COLUMNS) return [line];
  const at = line.lastIndexOf(' ', COLUMNS);
  return [line.slice(0, at), ...wrapped(`${' '.repeat(INDENT)}${line.slice(at + 1)}`)];
}

/** The clock has its own color; columns stay aligned with any font. */
function drawn(line: string, y: number): string[] {
  const [clock = ''] = /^ *\+\d+s /.exec(line) ?? [];
  const rest = line.slice(clock.length);
  return [piece(clock, 0, y, 'clock'), piece(rest, clock.length, y, classOf(rest))].filter((part) => part !== '');
}

function classOf(text: string): string {
  if (text.startsWith('$ ')) return 'command';
  if (text.startsWith('NAME ')) return 'head';
  return /^ {4}\S/.test(text) ? 'change' : '';
}

function piece(text: string, column: number, y: number, style: string): string {
  const shown = text.trim();
  if (shown === '') return '';
  const x = MARGIN + (column + text.indexOf(shown)) * CHARACTER;
  const attributes = `x="${x.toFixed(1)}" y="${y}" textLength="${(shown.length * CHARACTER).toFixed(1)}"`;
  return `<text ${attributes}${style === '' ? '' : ` class="${style}"`} xml:space="preserve">${escaped(shown)}</text>`;
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
