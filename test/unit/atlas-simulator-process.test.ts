import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { PUBLISHED_EXAMPLE, PUBLISHED_EXAMPLE_JOB, youngJob } from '../support/atlas-simulator/recorded-bodies.ts';
import { getWithKey, jobPath } from '../support/atlas-simulator/reference-client.ts';
import type { ScenarioInput } from '../support/atlas-simulator/scenario.ts';

const MAIN = path.join(import.meta.dirname, '../support/atlas-simulator/main.ts');
const KEY = { publicKey: 'publickey', privateKey: 'private-key' };
const SECOND = { ...PUBLISHED_EXAMPLE_JOB, jobId: '6b77893b80eef5354c77ee98' };
const THIRD = { ...PUBLISHED_EXAMPLE_JOB, jobId: '6b77893b80eef5354c77ee99' };

let directory: string;
let child: ChildProcess | undefined;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'atlas-simulator-'));
});

afterEach(async () => {
  child?.kill('SIGKILL');
  await rm(directory, { recursive: true });
});

async function start(scenario: unknown, ...args: readonly string[]) {
  const file = path.join(directory, 'scenario.json');
  await writeFile(file, JSON.stringify(scenario));
  const started = spawn(process.execPath, [MAIN, '--scenario', file, ...args]);
  child = started;
  return started;
}

test('serves a scenario until SIGTERM', async () => {
  const scenario: ScenarioInput = {
    behavior: { strictNc: true },
    apiKeys: [{ ...KEY, groupIds: [PUBLISHED_EXAMPLE_JOB.groupId] }],
    jobs: [
      { ...PUBLISHED_EXAMPLE_JOB, body: PUBLISHED_EXAMPLE },
      { ...SECOND, steps: [{ afterMs: 0, body: youngJob(SECOND) }] },
      { ...THIRD, download: { runningMs: 0, pendingMs: 0, readyMs: 600_000 } },
    ],
  };
  const simulator = await start(scenario);
  const [line] = await once(simulator.stdout, 'data');
  const url = /^ready (http:\/\/127\.0\.0\.1:\d+)\n$/.exec(String(line))?.[1] ?? 'none';
  const asked = async (job: typeof THIRD) => JSON.parse((await getWithKey(url, jobPath(job), KEY)).text);

  expect(await asked(PUBLISHED_EXAMPLE_JOB)).toEqual(PUBLISHED_EXAMPLE);
  expect(await asked(SECOND)).toEqual(youngJob(SECOND));
  expect(await asked(THIRD)).toMatchObject({ statusName: 'FINISHED', delivery: { statusName: 'READY' } });

  simulator.kill('SIGTERM');
  expect(await once(simulator, 'exit')).toEqual([0, null]);
});

test.each([
  ['an unknown member of the scenario', { jbos: [] }, [], 'jbos'],
  ['a wrong port', {}, ['--port', 'http'], 'number'],
  ['an unknown argument', {}, ['--prot', '1'], '--prot'],
])('refuses %s with exit code 2', async (_, scenario, args, message) => {
  const simulator = await start(scenario, ...args);
  const [stderr, exit] = await Promise.all([text(simulator.stderr), once(simulator, 'exit')]);
  expect(stderr).toContain(message);
  expect(exit).toEqual([2, null]);
});
