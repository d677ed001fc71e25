import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import packageJson from '../../package.json' with { type: 'json' };
import { ensureGoTools } from '../support/go-tools.ts';

const FOLDER = '.github/workflows';
const WORKFLOWS = readdirSync(FOLDER).map((name) => path.join(FOLDER, name));

let actionlint: string;

beforeAll(async () => {
  const tools = await ensureGoTools(path.resolve('tools-actionlint'), {
    actionlint: { package: 'github.com/rhysd/actionlint/cmd/actionlint' },
  });
  actionlint = tools.path('actionlint');
}, 600_000);

describe('actionlint', () => {
  test('finds nothing in the workflows', () => {
    expect(lint(WORKFLOWS)).toEqual({ findings: '', status: 0 });
  });

  test('finds a mistake that is made on purpose', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'workflows-test-'));
    try {
      const file = path.join(folder, '.github/workflows/ci.yml');
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, readFileSync(path.join(FOLDER, 'ci.yml'), 'utf8').replace('runner.os', 'runner.system'));
      expect(lint([file])).toEqual({
        findings: expect.stringContaining('property "system" is not defined'),
        status: 1,
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe.each(WORKFLOWS)('%s', (file) => {
  const text = readFileSync(file, 'utf8');

  test('pins every action by commit and says which version that is', () => {
    const uses = [...text.matchAll(/uses: (.*)/g)].map(([, used = '']) => used);
    expect(uses).not.toEqual([]);
    expect(uses.filter((used) => !/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(used))).toEqual([]);
  });

  test('may only read, unless a job asks for more', () => {
    expect(text).toMatch(/^permissions:\n {2}contents: read\n\n/m);
  });

  test('runs npm scripts that exist', () => {
    const scripts = [...text.matchAll(/run: npm (?:run )?([a-z][a-z:0-9-]*)/g)].map(([, script = '']) => script);
    const known = new Set([...Object.keys(packageJson.scripts), 'ci', 'audit', 'publish']);
    expect(scripts.filter((script) => !known.has(script))).toEqual([]);
  });
});

function lint(files: readonly string[]): { findings: string; status: number | null } {
  // Without shellcheck and pyflakes, which it runs where it finds them: the same findings on every machine.
  const { stdout, stderr, status } = spawnSync(actionlint, ['-no-color', '-shellcheck=', '-pyflakes=', ...files], {
    encoding: 'utf8',
  });
  return { findings: stdout + stderr, status };
}
