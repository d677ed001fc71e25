import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { dump, load } from 'js-yaml';
import * as z from 'zod';
import packageJson from '../../package.json' with { type: 'json' };
import { reasonsOf } from '../../src/restore-job/reasons.ts';
import { ensureTools } from '../support/control-plane/tools.ts';
import { ALERTS_FILE, queriesOf, ROOT, readAlerts, readDashboard } from '../support/monitoring.ts';

const alerts = await readAlerts();
const RULE_TESTS = path.join(ROOT, 'test/alerts');
const RUNBOOKS = path.join(ROOT, 'docs/runbooks');

let promtool: string;
let scratch: string;
// The first time it is built, which takes minutes.
beforeAll(async () => {
  promtool = (await ensureTools(['promtool'])).path('promtool');
  scratch = await mkdtemp(path.join(tmpdir(), 'legacy-restore-operator-alerts-'));
}, 1_200_000);
afterAll(() => rm(scratch, { recursive: true, force: true }));

/** Runs promtool; its whole output is the message of the error where it complains. */
const run = async (...args: readonly string[]): Promise<void> => {
  await promisify(execFile)(promtool, args).catch((error: { stdout: string; stderr: string }) => {
    throw new Error(`${error.stdout}\n${error.stderr}`);
  });
};

const RuleTests = z.looseObject({
  tests: z.array(
    z.looseObject({
      name: z.string(),
      alert_rule_test: z.array(
        z.strictObject({ eval_time: z.string(), alertname: z.string(), exp_alerts: z.array(z.unknown()) }),
      ),
    }),
  ),
});

test('the rules are valid and promtool has nothing to complain about', () =>
  run('check', 'rules', '--lint=all', '--lint-fatal', ALERTS_FILE));

test('names are unique', () => {
  const names = alerts.map(({ alert }) => alert);
  expect(new Set(names).size).toBe(names.length);
});

describe.each(alerts)('$alert', ({ alert, labels, annotations }) => {
  test('fires and stays quiet as its rule test says', async () => {
    const file = path.join(RULE_TESTS, `${alert}.yaml`);
    const { tests } = RuleTests.parse(load(await readFile(file, 'utf8')));
    const expectations = tests.flatMap((each) => each.alert_rule_test);
    expect(new Set(expectations.map(({ alertname }) => alertname))).toEqual(new Set([alert]));
    expect(expectations.some(({ exp_alerts }) => exp_alerts.length > 0)).toBe(true);
    expect(expectations.some(({ exp_alerts }) => exp_alerts.length === 0)).toBe(true);
    await run('test', 'rules', file);
  });

  test('has a runbook, which the alert names', async () => {
    expect(annotations.runbook_url).toBe(`${packageJson.homepage}/blob/main/docs/runbooks/${alert}.md`);
    const page = await readFile(path.join(RUNBOOKS, `${alert}.md`), 'utf8');
    const headings = page.split('\n').filter((line) => line.startsWith('#'));
    expect(headings.filter((line) => !line.startsWith('# ') || line === `# ${alert}`)).toEqual([
      `# ${alert}`,
      '## What it means',
      '## How to look',
      '## What to do',
      '## When to ignore it',
    ]);
  });

  test('stands in the index of the runbooks with its severity', async () => {
    const index = await readFile(path.join(RUNBOOKS, 'README.md'), 'utf8');
    expect(index).toContain(`\n| [${alert}](${alert}.md) | ${labels.severity} |`);
  });
});

test('there is no rule test, no runbook and no line of the index without an alert', async () => {
  const names = alerts.map(({ alert }) => alert).sort();
  expect((await readdir(RULE_TESTS)).sort()).toEqual(names.map((name) => `${name}.yaml`));
  expect((await readdir(RUNBOOKS)).sort()).toEqual([...names, 'README'].sort().map((name) => `${name}.md`));
  const index = await readFile(path.join(RUNBOOKS, 'README.md'), 'utf8');
  const linked = [...index.matchAll(/\]\((\w+)\.md\)/g)].map(([, name]) => name ?? '');
  expect([...new Set(linked)].sort()).toEqual(names);
});

test('every reason of Synced that tells of a failure is in exactly one rule', () => {
  // Told by the codes of the requests: LegacyRestoreAtlasDown.
  const elsewhere = ['JobFetched', 'Suspended', 'AtlasUnavailable'];
  const failures = reasonsOf('Synced').filter((reason) => !elsewhere.includes(reason));
  const rulesWith = (reason: string): string[] =>
    alerts.filter(({ expr }) => new RegExp(`\\b${reason}\\b`).test(expr)).map(({ alert }) => alert);
  for (const reason of failures) expect({ reason, rules: rulesWith(reason).length }).toEqual({ reason, rules: 1 });
});

test('every query of the dashboard is valid PromQL', async () => {
  const queries = queriesOf(await readDashboard());
  const file = path.join(scratch, 'dashboard.yaml');
  const rules = queries.map(({ expr }, index) => ({ record: `dashboard:query:${index}`, expr }));
  await writeFile(file, dump({ groups: [{ name: 'dashboard', rules }] }));
  await run('check', 'rules', '--lint=none', file);
});
