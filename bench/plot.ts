/** How CPU, memory and wall time grow with the number of resources, as an SVG: three charts side by side. */

/** One subject's curve. */
export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
}

export interface Chart {
  readonly title: string;
  readonly series: readonly Series[];
}

interface Point {
  readonly x: number;
  readonly y: number;
}

const WIDTH = 320;
const HEIGHT = 260;
const MARGIN = { left: 52, right: 16, top: 36, bottom: 40 };
const LEGEND_HEIGHT = 32;
const TICKS = 4;
const COLORS = ['#1f77b4', '#d62728', '#2ca02c', '#7f7f7f', '#9467bd'];

/** The x axis of each chart is `xTitle`; curves of one name have one color in all charts. */
export function toSvg(charts: readonly Chart[], xTitle: string): string {
  const names = [...new Set(charts.flatMap(({ series }) => series.map(({ name }) => name)))];
  const [width, height] = [WIDTH * charts.length, HEIGHT + LEGEND_HEIGHT];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">`,
    `<title>${charts.map(({ title }) => title).join('; ')} by ${xTitle}</title>`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    ...charts.map((chart, index) => drawChart(chart, index * WIDTH, names, xTitle)),
    ...names.map((name, index) => legendEntry(name, index, names)),
    '</svg>\n',
  ].join('\n');
}

const colorOf = (name: string, names: readonly string[]): string =>
  COLORS[names.indexOf(name) % COLORS.length] ?? 'black';

function drawChart({ title, series }: Chart, left: number, names: readonly string[], xTitle: string): string {
  const points = series.flatMap((each) => each.points);
  const largest = { x: niceCeiling(points.map(({ x }) => x)), y: niceCeiling(points.map(({ y }) => y)) };
  const inner = { width: WIDTH - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };
  const x = (value: number): number => round(left + MARGIN.left + (value / largest.x) * inner.width);
  const y = (value: number): number => round(MARGIN.top + inner.height - (value / largest.y) * inner.height);
  const steps = Array.from({ length: TICKS + 1 }, (_, index) => index / TICKS);
  return [
    text(x(0) + inner.width / 2, 20, title, 'middle', ' font-size="13" font-weight="bold"'),
    ...steps.flatMap((step) => [
      `<line x1="${x(0)}" y1="${y(step * largest.y)}" x2="${x(largest.x)}" y2="${y(step * largest.y)}" stroke="#ddd"/>`,
      text(x(0) - 6, y(step * largest.y) + 4, label(step * largest.y), 'end'),
      text(x(step * largest.x), y(0) + 16, label(step * largest.x), 'middle'),
    ]),
    `<polyline points="${x(0)},${y(largest.y)} ${x(0)},${y(0)} ${x(largest.x)},${y(0)}" fill="none" stroke="#333"/>`,
    text(x(0) + inner.width / 2, y(0) + 32, xTitle, 'middle'),
    ...series.flatMap((each) => drawSeries(each, colorOf(each.name, names), x, y)),
  ].join('\n');
}

function drawSeries(
  { points }: Series,
  color: string,
  x: (value: number) => number,
  y: (value: number) => number,
): readonly string[] {
  const ordered = points.toSorted((left, right) => left.x - right.x);
  const path = ordered.map((point) => `${x(point.x)},${y(point.y)}`).join(' ');
  return [
    `<polyline points="${path}" fill="none" stroke="${color}" stroke-width="2"/>`,
    ...ordered.map((point) => `<circle cx="${x(point.x)}" cy="${y(point.y)}" r="3" fill="${color}"/>`),
  ];
}

const LEGEND_ENTRY_WIDTH = 180;

function legendEntry(name: string, index: number, names: readonly string[]): string {
  const left = MARGIN.left + index * LEGEND_ENTRY_WIDTH;
  const top = HEIGHT + LEGEND_HEIGHT / 2;
  const line = `<line x1="${left}" y1="${top}" x2="${left + 24}" y2="${top}" stroke="${colorOf(name, names)}" stroke-width="2"/>`;
  return line + text(left + 30, top + 4, name, 'start');
}

const text = (x: number, y: number, content: string, anchor: 'start' | 'middle' | 'end', attributes = ''): string =>
  `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}"${attributes}>${content}</text>`;

const round = (value: number): number => Math.round(value * 10) / 10;

/** The next number of the form 1, 2, 4, 5, 8 or 10 times a power of ten. */
function niceCeiling(values: readonly number[]): number {
  const largest = Math.max(...values, Number.MIN_VALUE);
  const power = 10 ** Math.floor(Math.log10(largest));
  return ([1, 2, 4, 5, 8, 10].find((factor) => factor * power >= largest) ?? 10) * power;
}

function label(value: number): string {
  if (value >= 1_000) return `${round(value / 1_000)}k`;
  return String(round(value));
}
