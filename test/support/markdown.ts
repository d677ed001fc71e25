/** The Markdown pages of the repository, as tests read them: headings, links and blocks of code. */
import { globSync, readFileSync } from 'node:fs';

export interface Page {
  /** Relative to the root of the repository. */
  readonly file: string;
  readonly text: string;
  /** What `#…` of a link can name, as GitHub makes it from the headings. */
  readonly anchors: ReadonlySet<string>;
  /** Targets of links and images, without those in code. */
  readonly links: readonly string[];
  readonly blocks: readonly CodeBlock[];
}

export interface CodeBlock {
  /** As `docs/recipes.md:12`: the line of its opening fence. */
  readonly where: string;
  /** The word after the fence; empty for output and the like. */
  readonly language: string;
  readonly text: string;
  /** Whether `<!-- runnable -->` stands before it. */
  readonly runnable: boolean;
}

/** Every page, but for those of dependencies. */
export function readPages(): readonly Page[] {
  const files = globSync('**/*.md', { exclude: ['**/node_modules/**', 'dist/**', 'coverage/**'] });
  return files.toSorted().map((file) => readPage(file, readFileSync(file, 'utf8')));
}

export function readPage(file: string, text: string): Page {
  const lines = text.split('\n');
  const blocks: CodeBlock[] = [];
  const prose: string[] = [];
  for (let index = 0; index < lines.length; index += 1) {
    const opening = FENCE.exec(lines[index] ?? '');
    if (opening === null) {
      prose.push(lines[index] ?? '');
      continue;
    }
    const [, indent = '', language = ''] = opening;
    const end = lines.findIndex((line, other) => other > index && line.trim() === '```');
    if (end === -1) throw new Error(`${file}:${index + 1}: the block is never closed`);
    blocks.push({
      where: `${file}:${index + 1}`,
      language,
      text: lines
        .slice(index + 1, end)
        .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line))
        .join('\n'),
      runnable: prose.findLast((line) => line.trim() !== '')?.trim() === RUNNABLE,
    });
    // Else a marker that was used would count for the next block, too.
    prose.push('(code)');
    index = end;
  }
  return { file, text, anchors: anchorsOf(prose), links: linksOf(prose), blocks };
}

/** The YAML documents in a page: blocks of YAML, and what shell blocks feed to a program by `<<YAML`. */
export function yamlOf({ blocks }: Page): readonly { readonly where: string; readonly text: string }[] {
  return blocks.flatMap(({ where, language, text }) => {
    if (language === 'yaml') return [{ where, text }];
    if (!SHELL.has(language)) return [];
    return [...text.matchAll(/<<'?YAML'?\n(.*?)\nYAML$/gms)].map(([, inside = '']) => ({ where, text: inside }));
  });
}

export const SHELL: ReadonlySet<string> = new Set(['sh', 'bash', 'shell']);

const FENCE = /^(\s*)```(\w*)/;
const RUNNABLE = '<!-- runnable -->';

function anchorsOf(prose: readonly string[]): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const line of prose) {
    const [, heading] = /^#{1,6}\s+(.*)$/.exec(line) ?? [];
    if (heading === undefined) continue;
    const base = slug(heading);
    let anchor = base;
    for (let again = 1; anchors.has(anchor); again += 1) anchor = `${base}-${again}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** As GitHub does it: in lower case, without punctuation, with hyphens for spaces. */
const slug = (heading: string): string =>
  heading
    .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-');

function linksOf(prose: readonly string[]): readonly string[] {
  const text = prose.join('\n').replaceAll(/`[^`\n]*`/g, '');
  const found = [
    ...text.matchAll(/\]\(\s*<?([^)\s>]+)/g),
    ...text.matchAll(/^\s*\[[^\]]+\]:\s+(\S+)/gm),
    ...text.matchAll(/\b(?:src|href)="([^"]+)"/g),
  ];
  return found.map(([, target = '']) => target);
}
