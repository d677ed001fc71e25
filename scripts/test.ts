/**
 * `npm test`: every check, then every jest run; all of them run even if one fails, so that one run shows every failure.
 * The last line sums the tests of all jest runs. Arguments choose parts: `npm run test:unit` passes `unit`.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const CHECKS = [
  { name: 'types', command: ['tsc'] },
  { name: 'format and style', command: ['biome', 'ci', '--error-on-warnings', '.'] },
  { name: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings'] },
  { name: 'generated files', command: ['node', 'scripts/generate.ts', '--check'] },
  { name: 'spelling', command: ['cspell', 'lint', '--no-progress', '--show-suggestions'] },
  { name: 'Markdown', command: ['markdownlint-cli2'] },
] as const;
const SUITES = ['unit', 'integration'] as const;

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const chosen = process.argv.slice(2);
const failedParts: string[] = [];
const counts: Counts[] = [];

if (chosen.length === 0 || chosen.includes('checks')) {
  for (const { name, command } of CHECKS) {
    console.log(`\n== ${name}: ${command.join(' ')}`);
    const [program, ...args] = command;
    if ((await run(program, args)) !== 0) failedParts.push(name);
  }
}
for (const suite of SUITES) {
  if (chosen.length > 0 && !chosen.includes(suite)) continue;
  console.log(`\n== ${suite} tests`);
  const { exitCode, ...suiteCounts } = await runJest(suite);
  if (exitCode !== 0) failedParts.push(`${suite} tests`);
  counts.push(suiteCounts);
}

const sum = (key: keyof Counts): number => counts.reduce((total, each) => total + each[key], 0);
if (failedParts.length > 0) {
  console.error(`\nfailed: ${failedParts.join(', ')}`);
  process.exitCode = 1;
}
if (counts.length > 0) {
  const skipped = sum('skipped') > 0 ? `, ${sum('skipped')} skipped` : '';
  console.log(`\n${sum('passed')} passed, ${sum('failed')} failed${skipped}`);
}

async function runJest(suite: string): Promise<Counts & { readonly exitCode: number }> {
  const directory = mkdtempSync(join(tmpdir(), 'legacy-restore-operator-jest-'));
  const outputFile = join(directory, 'result.json');
  try {
    const env = suite === 'integration' ? { OPERATOR_PROGRAM: await buildInto(directory) } : {};
    const jest = 'node_modules/jest/bin/jest.js';
    const flags = [`--selectProjects=${suite}`, '--json', `--outputFile=${outputFile}`];
    const exitCode = await run(
      'node',
      ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', jest, ...flags],
      {
        // jest prints the JSON to standard output, too.
        quietOutput: true,
        env,
      },
    );
    return { exitCode, ...readCounts(outputFile) };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Integration tests run the bundle that ships, which also starts in a quarter of the time. */
async function buildInto(directory: string): Promise<string> {
  if ((await run('node', ['scripts/build.ts', '--outdir', directory])) !== 0) throw new Error('the build failed');
  return join(directory, 'legacy-restore-operator.cjs');
}

/** A file that jest could not run has no failed test, so it counts as one. So does a run without a result. */
function readCounts(file: string): Counts {
  try {
    const result: unknown = JSON.parse(readFileSync(file, 'utf8'));
    const number = (name: string): number => {
      const value = typeof result === 'object' && result !== null ? Reflect.get(result, name) : undefined;
      return typeof value === 'number' ? value : 0;
    };
    return {
      passed: number('numPassedTests'),
      failed: number('numFailedTests') + number('numRuntimeErrorTestSuites'),
      skipped: number('numPendingTests') + number('numTodoTests'),
    };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

interface RunOptions {
  readonly quietOutput?: boolean;
  /** In addition to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

function run(program: string, args: readonly string[], { quietOutput = false, env }: RunOptions = {}): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const command = program === 'node' ? process.execPath : join('node_modules', '.bin', program);
  const child = spawn(command, args, {
    stdio: ['ignore', quietOutput ? 'ignore' : 'inherit', 'inherit'],
    env: { ...process.env, ...env },
  });
  child.once('error', reject);
  child.once('exit', (code) => resolve(code ?? 1));
  return promise;
}
