/** What the person sees: sentences, and the resources below them. */
import type { Row } from './resources.ts';

export interface Screen {
  /** A sentence about what happens now. */
  readonly say: (sentence: string) => void;
  /** The resources as they are now. */
  readonly show: (rows: readonly Row[]) => void;
  /** Text as it is, such as the output of a program. */
  readonly print: (text: string) => void;
  /** Takes the table away, or puts it back below everything else. It is there at first. */
  readonly showTable: (visible: boolean) => void;
}

/** What a screen needs of a stream; `process.stdout` has it. */
export interface ScreenStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

/** On a terminal a table that refreshes in place, elsewhere a line for every change. */
export function createScreen(stream: ScreenStream = process.stdout): Screen {
  const started = performance.now();
  const clock = (): string => `+${Math.round((performance.now() - started) / 1_000)}s`.padStart(5);
  return stream.isTTY === true ? terminalScreen(stream, clock) : lineScreen(stream, clock);
}

// Elsewhere than on a terminal

/** As long as `orders-5c1e0a9f80eef5354c2b6a11`. */
const NAME_WIDTH = 31;

function lineScreen(stream: ScreenStream, clock: () => string): Screen {
  const shown = new Map<string, Row>();
  return {
    say: (sentence) => stream.write(`${clock()} ${sentence}\n`),
    show: (rows) => {
      for (const row of rows) {
        const changes = changesOf(shown.get(row.name), row);
        if (changes.length > 0)
          stream.write(`${clock()}     ${[row.name.padEnd(NAME_WIDTH), ...changes].join('  ')}\n`);
        shown.set(row.name, row);
      }
    },
    print: (text) => stream.write(text),
    showTable: () => {},
  };
}

function changesOf(before: Row | undefined, now: Row): string[] {
  const changed = (key: keyof Row): boolean => (before?.[key] || '') !== (now[key] || '');
  const fromTo = (key: 'status' | 'delivery'): string =>
    before === undefined || before[key] === '' ? now[key] : `${before[key]} → ${now[key] || 'gone'}`;
  return [
    ...(changed('status') ? [fromTo('status')] : []),
    ...(changed('delivery') ? [`delivery ${fromTo('delivery')}`] : []),
    ...(changed('hashes') ? [`hashes ${now.hashes}`] : []),
    ...(changed('ready') ? [`ready ${now.ready}`] : []),
    ...(changed('reason') ? [`reason ${now.reason}`] : []),
  ];
}

// On a terminal

type Column = Exclude<keyof Row, 'hashes'>;
const COLUMNS: readonly Column[] = ['name', 'cluster', 'status', 'delivery', 'expires', 'ready', 'synced', 'reason'];
/** Left out in this order where the terminal is too narrow for all. */
const DISPENSABLE: readonly Column[] = ['synced', 'cluster', 'expires'];
/** How long a row that changed is emphasized, in milliseconds. */
const EMPHASIS_MS = 2_500;

const BOLD = '\x1b[1m';
const DIM = '\x1b[2m';
const PLAIN = '\x1b[0m';
/** From the cursor to the end of its line, and to the end of the screen. */
const CLEAR_LINE = '\x1b[K';
const CLEAR_TO_END = '\x1b[J';

function terminalScreen(stream: ScreenStream, clock: () => string): Screen {
  const styled = !process.env['NO_COLOR'];
  const style = (code: string, text: string): string => (styled ? `${code}${text}${PLAIN}` : text);
  const changedAt = new Map<string, { readonly row: string; readonly at: number }>();
  let rows: readonly Row[] = [];
  let visible = true;
  /** Lines of the table that stand on the screen. */
  let drawn = 0;

  const width = (): number => (stream.columns ?? 80) - 1;

  function table(): string[] {
    if (!visible || rows.length === 0) return [];
    const [head = '', ...body] = layOut(rows, width());
    const now = performance.now();
    const lines = body.map((text, index) => (isFresh(rows[index], now) ? style(BOLD, text) : text));
    // Lines that scrolled out at the top could not be reached to be erased.
    const room = Math.max(1, (stream.rows ?? 24) - 4);
    return ['', style(DIM, head), ...lines.slice(0, room), style(DIM, `${clock()}  Ctrl-C ends it`.slice(0, width()))];
  }

  function isFresh(row: Row | undefined, now: number): boolean {
    return now - (changedAt.get(row?.name ?? '')?.at ?? Number.NEGATIVE_INFINITY) < EMPHASIS_MS;
  }

  /**
   * Writes the text over the table, and the table below it, all at once: nothing flickers. Line by line, because a
   * terminal that is cleared as a whole can move its content into the scrollback.
   */
  function redraw(text = ''): void {
    const lines = table();
    const up = drawn === 0 ? '' : `\x1b[${drawn}A`;
    const over = `${text}${lines.map((line) => `${line}\n`).join('')}`.replaceAll('\n', `${CLEAR_LINE}\n`);
    // From the start of the line: a terminal may have echoed ^C there.
    stream.write(`\r${up}${over}${CLEAR_TO_END}`);
    drawn = lines.length;
  }

  return {
    say: (sentence) => redraw(`${style(DIM, clock())} ${wrapped(sentence, width() - 6).join('\n      ')}\n`),
    show: (next) => {
      for (const row of next) {
        const text = JSON.stringify(row);
        if (changedAt.get(row.name)?.row !== text) changedAt.set(row.name, { row: text, at: performance.now() });
      }
      rows = next;
      redraw();
    },
    print: (text) => {
      // Where there is nothing to write over, a line as wide as the terminal keeps its last character.
      if (drawn === 0) stream.write(text);
      else redraw(text);
    },
    showTable: (wanted) => {
      visible = wanted;
      redraw();
    },
  };
}

/** The head and a line for each row, none wider than `width`. */
function layOut(rows: readonly Row[], width: number): string[] {
  const widthOf = (column: Column): number => Math.max(column.length, ...rows.map((row) => row[column].length));
  let columns = COLUMNS;
  const total = (): number => columns.reduce((sum, column) => sum + widthOf(column) + 2, -2);
  for (const column of DISPENSABLE) {
    if (total() > width) columns = columns.filter((other) => other !== column);
  }
  const line = (cell: (column: Column) => string): string =>
    columns
      .map((column) => cell(column).padEnd(widthOf(column)))
      .join('  ')
      .trimEnd()
      .slice(0, width);
  return [line((column) => column.toUpperCase()), ...rows.map((row) => line((column) => row[column]))];
}

/** The text in lines of at most `width` characters, broken at spaces. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
