import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import * as z from 'zod';
import { readPages } from '../../support/markdown.ts';

const Mapping = z.record(z.string(), z.unknown());
const VALUES = Mapping.parse(load(readFileSync('charts/legacy-restore-operator/values.yaml', 'utf8')));
const PAGES = readPages();

/** Whether the chart has a value at a path; what lies inside an empty one is for the user. */
function isValue(values: unknown, [name, ...rest]: readonly string[]): boolean {
  if (name === undefined) return true;
  const { data } = Mapping.safeParse(values);
  if (data === undefined || Object.keys(data).length === 0) return true;
  return Object.hasOwn(data, name) && isValue(data[name], rest);
}

function pathsOf(value: unknown): readonly (readonly string[])[] {
  const { data } = Mapping.safeParse(value);
  if (data === undefined) return [[]];
  return Object.entries(data).flatMap(([name, inside]) => pathsOf(inside).map((path) => [name, ...path]));
}

test('the values that pages name in their text and in --set are those of the chart', () => {
  const sections = Object.entries(VALUES).flatMap(([name, value]) => (Mapping.safeParse(value).success ? [name] : []));
  const named = PAGES.flatMap(({ file, text }) =>
    [...text.matchAll(/(?:`|--set )([a-z][A-Za-z]+(?:\.[a-zA-Z]+)+)(?:=|`)/g)].map(([, path = '']) => ({ file, path })),
  ).filter(({ path }) => sections.includes(path.split('.')[0] ?? ''));
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter(({ path }) => !isValue(VALUES, path.split('.')))).toEqual([]);
});

test('no page advises a change of the Deployment that the next upgrade conflicts with', () => {
  const advice = PAGES.filter(({ text }) => /kubectl (-n \S+ )?(set (env|image)|edit deploy)/.test(text));
  expect(advice.map(({ file }) => file)).toEqual([]);
});

test('the blocks of values are values of the chart', () => {
  const blocks = PAGES.filter(({ file }) => file.startsWith('docs/')).flatMap((page) => page.blocks);
  const values = blocks
    .filter(({ language }) => language === 'yaml')
    .flatMap(({ where, text }) => {
      const { data } = Mapping.safeParse(load(text.replace(/^---$[\s\S]*/m, '')));
      const first = Object.keys(data ?? {})[0] ?? '';
      return data !== undefined && Object.hasOwn(VALUES, first) ? [{ where, data }] : [];
    });
  expect(values.map(({ where }) => where.replace(/:\d+$/, ''))).toEqual(
    expect.arrayContaining(['docs/install.md', 'docs/credentials.md']),
  );
  const unknown = values.flatMap(({ where, data }) =>
    pathsOf(data)
      .filter((path) => !isValue(VALUES, path))
      .map((path) => `${where}: ${path.join('.')}`),
  );
  expect(unknown).toEqual([]);
});
