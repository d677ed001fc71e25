import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import * as z from 'zod';
import packageJson from '../../package.json' with { type: 'json' };
import { ensureBinaries } from '../support/control-plane/binaries.ts';
import { ensureGoTools } from '../support/go-tools.ts';
import { CHART, DEFAULT_RELEASE, deploymentOf, kustomize, manifestId, parseManifests } from '../support/manifests.ts';

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
    const { jobs } = Workflow.parse(load(text));
    const runs = Object.values(jobs).flatMap(({ steps }) => steps.flatMap(({ run = '' }) => run));
    const scripts = [...runs.join('\n').matchAll(/npm (?:run )?(?:--silent )?([a-z][a-z:0-9-]*)/g)].map(
      ([, script = '']) => script,
    );
    const known = new Set([...Object.keys(packageJson.scripts), 'ci', 'audit', 'publish']);
    expect(scripts.filter((script) => !known.has(script))).toEqual([]);
  });
});

describe('a release', () => {
  const DIGEST = `sha256:${'a'.repeat(64)}`;
  const REPOSITORY = packageJson.homepage.replace('https://github.com', 'ghcr.io');

  /** What the shell of the step writes to a file in the runner's temporary folder. */
  async function outputOf(step: string, file: string): Promise<string> {
    const { kubectl } = await ensureBinaries();
    const script = stepsOf('release.yml', 'publish').find(({ name }) => name === step)?.run ?? '';
    const RUNNER_TEMP = mkdtempSync(path.join(tmpdir(), 'release-test-'));
    try {
      const PATH = `${path.dirname(kubectl)}${path.delimiter}${process.env['PATH']}`;
      execFileSync('bash', ['-e', '-c', script], { env: { PATH, RUNNER_TEMP, REPOSITORY, DIGEST } });
      return readFileSync(path.join(RUNNER_TEMP, file), 'utf8');
    } finally {
      rmSync(RUNNER_TEMP, { recursive: true });
    }
  }

  test('has an install.yaml: what kustomize renders, with the image by version and digest', async () => {
    const text = await outputOf('install.yaml', 'install.yaml');
    expect(text).toMatch(/^# .*Do not kubectl delete -f it/);
    const released = parseManifests(text);
    const image = `${REPOSITORY}:${packageJson.version}`;
    expect(deploymentOf(released).spec.template.spec.containers[0].image).toBe(`${image}@${DIGEST}`);
    const base = JSON.stringify(await kustomize('deploy/base')).replace(`"${image}"`, `"${image}@${DIGEST}"`);
    expect(released).toEqual(JSON.parse(base));
    const namespaces = released.flatMap(({ metadata }) => metadata.namespace ?? []);
    expect(new Set(namespaces)).toEqual(new Set([DEFAULT_RELEASE.namespace]));
    expect(released.map(manifestId)).toContain(`Namespace/${DEFAULT_RELEASE.namespace}`);
  });

  test('is refused before anything else without a heading in the changelog', () => {
    const runs = stepsOf('release.yml', 'test').flatMap(({ run }) => run ?? []);
    expect(runs.indexOf('npm run release-notes')).toBeLessThan(runs.indexOf('npm ci'));
    expect(runs).toContain('npm run release-notes');
  });
});

test('end to end runs on the oldest Kubernetes that the chart takes, and on the newest that kind has', () => {
  const { strategy } = Workflow.parse(load(readFileSync(path.join(FOLDER, 'e2e.yml'), 'utf8'))).jobs['kind'] ?? {};
  const [oldest, newest] = z
    .tuple([z.object({ kubernetes: z.string(), image: z.string() }), z.object({ image: z.string() })])
    .parse(strategy?.matrix.include);
  expect(readFileSync(`${CHART}/Chart.yaml`, 'utf8')).toContain(`kubeVersion: ">=${oldest.kubernetes}.0-0"`);
  expect(oldest.image).toContain(`kindest/node:v${oldest.kubernetes}.`);
  expect(readFileSync('test/e2e/cluster.ts', 'utf8')).toContain(`'${newest.image}'`);
});

const Workflow = z.object({
  jobs: z.record(
    z.string(),
    z.object({
      steps: z.array(z.object({ name: z.string().optional(), run: z.string().optional() })),
      strategy: z.object({ matrix: z.object({ include: z.array(z.unknown()) }) }).optional(),
    }),
  ),
});

const stepsOf = (file: string, job: string) =>
  Workflow.parse(load(readFileSync(path.join(FOLDER, file), 'utf8'))).jobs[job]?.steps ?? [];

function lint(files: readonly string[]): { findings: string; status: number | null } {
  // Without shellcheck and pyflakes, which it runs where it finds them: the same findings on every machine.
  const { stdout, stderr, status } = spawnSync(actionlint, ['-no-color', '-shellcheck=', '-pyflakes=', ...files], {
    encoding: 'utf8',
  });
  return { findings: stdout + stderr, status };
}
