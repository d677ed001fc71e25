/**
 * `npm run demo`: the operator at work on this machine, explained while it happens; it ends by itself with exit code 0,
 * or with 1 and a reason when anything did not come out as expected. `npm run demo -- --keep` leaves all up until Ctrl-C.
 */
import { once } from 'node:events';
import * as z from 'zod';
import { messageOf, readFlags, runCommand } from '../test/support/command.ts';
import { unlessAborted } from '../test/support/control-plane/abort.ts';
import { showOwnCluster, showResult, showWhatToTry } from './closing.ts';
import { type Environment, keepOperatorLog, startEnvironment } from './environment.ts';
import { findProblems } from './expectations.ts';
import { watchResources } from './resources.ts';
import { readSamples } from './samples.ts';
import { createScreen, type Screen } from './screen.ts';
import { type Demo, runScript } from './script.ts';

const { keep } = readFlags(
  'npm run demo [-- --keep]',
  { keep: { type: 'boolean', default: false } },
  z.object({ keep: z.boolean() }),
);
await runCommand('The demo', async (signal) => {
  await perform(createScreen(), signal);
  return 0;
});

/** All of it, from the start of the first process to the end of the last one. */
async function perform(screen: Screen, interrupted: AbortSignal): Promise<void> {
  await using cleanup = new AsyncDisposableStack();
  // What follows on the terminal, such as the reason of a failure, is to stand below everything else.
  cleanup.defer(() => screen.showTable(false));
  screen.print('legacy-restore-operator: a demo of about a minute, on this machine only\n\n');
  interrupted.addEventListener('abort', () => {
    screen.showTable(false);
    screen.say('ending everything');
  });
  const samples = await readSamples();
  const environment = await unlessAborted(startEnvironment(samples, screen, cleanup, interrupted), interrupted);
  // Ends the demo, however it goes on after this function.
  const ending = new AbortController();
  cleanup.defer(() => ending.abort());
  const signal = AbortSignal.any([interrupted, ending.signal]);
  const resources = watchResources(environment.controlPlane, signal, screen.show);
  const demo: Demo = { environment, samples, screen, resources, signal };
  try {
    await unlessAborted(Promise.race([runAndCheck(demo), resources.run(), operatorEnd(environment)]), interrupted);
    if (keep) {
      await showWhatToTry(demo);
      screen.showTable(true);
      if (!interrupted.aborted) await once(interrupted, 'abort');
    } else {
      await stopOperator(demo);
      showOwnCluster(demo);
    }
  } catch (error) {
    if (interrupted.aborted) throw error;
    throw await withOperatorLog(error, environment);
  }
}

async function runAndCheck(demo: Demo): Promise<void> {
  await runScript(demo);
  const problems = await findProblems(demo);
  demo.screen.showTable(false);
  await showResult(demo);
  if (problems.length > 0) throw new Error(`not everything is as expected:\n  ${problems.join('\n  ')}`);
  demo.screen.print('\n');
  demo.screen.say('every resource, event and Secret is as expected, and the operator needed no right it does not have');
}

async function stopOperator({ environment, screen }: Demo): Promise<void> {
  const exit = await environment.operator.stop('SIGTERM');
  if (exit !== 0) throw new Error(`the operator should end with exit code 0 on SIGTERM, and ended with ${exit}`);
  screen.say('SIGTERM to the operator: it has ended in order, with exit code 0');
}

/** Rejects when the operator ends. */
async function operatorEnd({ operator }: Environment): Promise<never> {
  const exit = await operator.exited;
  throw new Error(`the operator ended by itself (${exit})`);
}

async function withOperatorLog(error: unknown, environment: Environment): Promise<Error> {
  const { log, otherOutput } = environment.operator;
  const last = [...log.slice(-10).map((line) => JSON.stringify(line)), otherOutput()].join('\n').trim();
  const file = await keepOperatorLog(environment);
  return new Error(`${messageOf(error)}\n\nThe operator's log is in ${file}; its last lines:\n${last}`, {
    cause: error,
  });
}
