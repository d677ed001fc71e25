import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import packageJson from '../../../package.json' with { type: 'json' };
import { listSettings } from '../../../src/config/settings.ts';

const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...readdirSync('docs').map((name) => join('docs', name)),
].filter((name) => name.endsWith('.md'));

describe.each(PAGES)('%s', (page) => {
  const text = readFileSync(page, 'utf8');

  test('the npm scripts that it names exist', () => {
    const scripts = [...text.matchAll(/npm run ([a-z0-9:-]+)/g)].map(([, script = '']) => script);
    expect(scripts.filter((script) => !Object.hasOwn(packageJson.scripts, script))).toEqual([]);
  });

  test('the settings that it names exist', () => {
    const known = new Set(listSettings().flatMap(({ name, variable }) => [name, variable]));
    const flags = [...text.matchAll(/`--([a-z]+(?:-[a-z]+)+)`/g)].map(([, flag = '']) => flag);
    // Flags of kubectl, Node.js and of other commands than run are not settings.
    const foreign =
      /^(field-selector|show-url|group-id|cluster-name|job-id|batch-id|credentials-secret|delivery-secrets|hash-timeout|no-verify|file-name|for|all|use-system-ca|experimental-vm-modules)|-file$/;
    expect(flags.filter((flag) => !known.has(flag) && !foreign.test(flag))).toEqual([]);
  });
});

test('every setting stands on the settings page', () => {
  const page = readFileSync('docs/settings.md', 'utf8');
  for (const { name, variable } of listSettings()) expect(page).toContain(`| \`--${name}\` | \`${variable}\` |`);
});

test('every runtime dependency has its reason in the architecture page', () => {
  const page = readFileSync('docs/architecture.md', 'utf8');
  const table = page.slice(page.indexOf('## Runtime dependencies'));
  for (const name of Object.keys(packageJson.dependencies)) expect(table).toContain(name);
});

test('the folders that the architecture page lists are there, and no other ones', () => {
  const page = readFileSync('docs/architecture.md', 'utf8');
  const named = [...page.matchAll(/^\| `([a-z/-]+)\/` \|/gm)].map(([, folder = '']) => folder);
  expect(named.filter((folder) => !existsSync(folder))).toEqual([]);
  const packages = readdirSync('src', { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `src/${name}`);
  expect(packages.filter((name) => !named.includes(name))).toEqual([]);
});
