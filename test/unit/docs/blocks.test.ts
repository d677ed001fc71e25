import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { loadAll } from 'js-yaml';
import * as z from 'zod';
import packageJson from '../../../package.json' with { type: 'json' };
import { API_VERSION, KIND, Spec } from '../../../src/api/legacy-restore-job.ts';
import { readCredentialsData } from '../../../src/atlas/credentials-data.ts';
import { readPages, SHELL, yamlOf } from '../../support/markdown.ts';

const PAGES = readPages();
const SHELL_BLOCKS = PAGES.flatMap(({ blocks }) => blocks).filter(({ language }) => SHELL.has(language));
const MANIFESTS = PAGES.flatMap((page) => yamlOf(page));
/** Parts of a kustomization: what a resource lacks, another file adds. */
const PARTS = /^docs\/gitops\.md:/;

test.each(SHELL_BLOCKS)('$where: bash can read it', ({ text }) => {
  expect(spawnSync('bash', ['-n'], { input: text, encoding: 'utf8' })).toMatchObject({ stderr: '', status: 0 });
});

test('only shell blocks are marked as runnable', () => {
  const marked = PAGES.flatMap(({ blocks }) => blocks).filter(({ runnable }) => runnable);
  expect(marked.filter(({ language }) => !SHELL.has(language))).toEqual([]);
  expect(marked.length).toBeGreaterThan(10);
});

const Job = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal(KIND),
  metadata: z.object({ name: z.string() }),
  spec: z.strictObject(Spec.shape),
});
const Secret = z.object({
  apiVersion: z.literal('v1'),
  kind: z.literal('Secret'),
  stringData: z
    .record(z.string(), z.string())
    .refine((data) => readCredentialsData(data).ok, 'must hold one kind of credentials')
    .optional(),
});
const Kind = z.object({ kind: z.string().optional() });
const SCHEMAS: Readonly<Record<string, z.ZodType>> = { [KIND]: Job, Secret };
const PartialJob = Job.extend({ spec: Job.shape.spec.partial() });

test.each(MANIFESTS)(
  '$where: it is YAML, and resources and Secrets are as the operator wants them',
  ({ where, text }) => {
    const documents = loadAll(text);
    expect(documents.length).toBeGreaterThan(0);
    for (const document of documents) {
      const { kind = '' } = Kind.safeParse(document).data ?? {};
      const schema = kind === KIND && PARTS.test(where) ? PartialJob : (SCHEMAS[kind] ?? z.unknown());
      expect(schema.safeParse(document).error?.issues ?? []).toEqual([]);
    }
  },
);

test('programs that are run in the container are those of the image', () => {
  const entrypoint = /^ENTRYPOINT (.*)$/m.exec(readFileSync('Dockerfile', 'utf8'))?.[1] ?? '';
  const programs = SHELL_BLOCKS.flatMap(({ text }) => [...text.matchAll(/(?<=\s)\/(?:nodejs|app)\/\S+/g)]).map(String);
  expect(programs).toContain('/app/legacy-restore-operator.cjs');
  expect(programs.filter((program) => !entrypoint.includes(`"${program}"`))).toEqual([]);
});

test('image, chart and repository are called as package.json says', () => {
  const { name, homepage, version } = packageJson;
  const [, owner] = /^https:\/\/github\.com\/([^/]+)\//.exec(homepage) ?? [];
  expect(homepage).toBe(`https://github.com/${owner}/${name}`);
  const refs = PAGES.flatMap(({ text }) => [...text.matchAll(/\?ref=(\S+)/g)].map(([, ref]) => ref));
  expect(refs.filter((ref) => ref !== `v${version}`)).toEqual([]);
  const tags = PAGES.flatMap(({ text }) => [...text.matchAll(/ghcr\.io\/\S+:(\d\S*)/g)].map(([, tag]) => tag));
  expect(new Set(tags)).toEqual(new Set([version]));
  const known = new RegExp(
    `^(ghcr\\.io/${owner}/${name}|ghcr\\.io/${owner}/charts(/${name}|$)|github\\.com/${owner}/${name})\\b(?!-)`,
  );
  const named = PAGES.flatMap(({ file, text }) =>
    [...text.matchAll(/\b(ghcr\.io\/[^\s)`"']+|github\.com\/[^\s)`"']+)/g)].map(([, place = '']) => ({ file, place })),
  ).filter(({ place }) => place.startsWith('ghcr.io/') || /legacy-restore|atlasrestore/.test(place));
  expect(named.filter(({ place }) => !known.test(place))).toEqual([]);
  expect(named.map(({ file }) => file)).toEqual(expect.arrayContaining(['README.md', 'docs/install.md']));
});
