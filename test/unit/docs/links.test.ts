import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { readPage, readPages } from '../../support/markdown.ts';

const PAGES = readPages();
const anchors = new Map(PAGES.map((page) => [page.file, page.anchors]));

/** What is wrong with a link of a page; undefined when it leads somewhere or is no business of this repository. */
function problem(file: string, link: string): string | undefined {
  if (/^[a-z]+:/.test(link)) return undefined;
  const [target = '', anchor] = link.split('#');
  if (target.startsWith('/')) return `${link}: absolute`;
  const found = target === '' ? file : path.join(path.dirname(file), target);
  if (found.startsWith('..')) return `${link}: leads out of the repository`;
  if (!existsSync(found)) return `${link}: there is no ${found}`;
  if (anchor === undefined) return undefined;
  if (statSync(found).isDirectory() || !found.endsWith('.md')) return `${link}: only pages have anchors`;
  return anchors.get(path.normalize(found))?.has(anchor) === true ? undefined : `${link}: no such heading`;
}

test.each(PAGES)('$file: relative links lead somewhere', ({ file, links }) => {
  expect(links.flatMap((link) => problem(file, link) ?? [])).toEqual([]);
});

test('every page of docs/ is reached from its index', () => {
  const index = PAGES.find(({ file }) => file === 'docs/README.md');
  const linked = (index?.links ?? []).map((link) => path.join('docs', link.replace(/#.*/, '')));
  const pages = PAGES.map(({ file }) => file).filter((file) => /^docs\/[^/]+\.md$/.test(file) && file !== index?.file);
  expect(pages.filter((file) => !linked.includes(file))).toEqual([]);
});

describe('the reading of a page', () => {
  const page = readPage(
    'docs/some.md',
    [
      '# A `Secret` is not found, why?',
      'See [this](other.md#there), ![that](figure.svg), `[not](code.md)` and <img src="demo.svg">.',
      '<!-- runnable -->',
      '',
      '```sh',
      'echo [no](link.md)',
      '```',
      '```yaml',
      'a: 1',
      '```',
      '# A `Secret` is not found, why?',
    ].join('\n'),
  );

  test('finds links, but not in code', () => {
    expect(page.links).toEqual(['other.md#there', 'figure.svg', 'demo.svg']);
  });

  test('makes anchors as GitHub does', () => {
    expect([...page.anchors]).toEqual(['a-secret-is-not-found-why', 'a-secret-is-not-found-why-1']);
  });

  test('finds blocks, and a marker counts for the next one only', () => {
    expect(page.blocks).toEqual([
      { where: 'docs/some.md:5', language: 'sh', text: 'echo [no](link.md)', runnable: true },
      { where: 'docs/some.md:8', language: 'yaml', text: 'a: 1', runnable: false },
    ]);
  });

  test.each([
    ['nowhere.md', 'there is no'],
    ['atlas.md#nothing', 'no such heading'],
    ['../../secrets.md', 'leads out'],
    ['/docs/atlas.md', 'absolute'],
  ])('a link to %s is refused', (link, why) => {
    expect(problem('docs/some.md', link)).toContain(why);
  });
});
