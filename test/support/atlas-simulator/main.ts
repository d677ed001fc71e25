/**
 * The simulator as a process of its own:
 *
 *     node test/support/atlas-simulator/main.ts [--scenario <file.json>] [--port <n>] [--host <address>]
 *
 * The scenario is a JSON file (its form: scenario.ts). Once it listens, it prints `ready <url>`, one line. SIGTERM and SIGINT end it with
 * exit code 0. A wrong argument or scenario ends it with exit code 2 and a sentence on stderr.
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { applyScenario, type Scenario, scenarioSchema } from './scenario.ts';
import { type AtlasSimulator, startAtlasSimulator } from './simulator.ts';

try {
  const { values } = parseArgs({
    options: { scenario: { type: 'string' }, port: { type: 'string' }, host: { type: 'string' } },
  });
  const scenario = await readScenario(values.scenario);
  const port = z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .parse(values.port ?? 0);
  const simulator = await startAtlasSimulator({ port, host: values.host ?? '127.0.0.1' });
  stopOnSignal(simulator);
  applyScenario(scenario, simulator);
  console.log(`ready ${simulator.url}`);
} catch (error) {
  console.error(error instanceof z.ZodError ? z.prettifyError(error) : String(error));
  process.exit(2);
}

async function readScenario(file: string | undefined): Promise<Scenario> {
  const content: unknown = file === undefined ? {} : JSON.parse(await readFile(file, 'utf8'));
  return scenarioSchema.parse(content);
}

function stopOnSignal(simulator: AtlasSimulator): void {
  const stop = () => void simulator.stop().then(() => process.exit(0));
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}
