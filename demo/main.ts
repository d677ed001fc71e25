/**
 * `npm run demo`: the operator at work on this machine, explained while it happens; it ends by itself with exit code 0,
 * or with 1 and a reason when anything did not come out as expected. `npm run demo -- --keep` leaves all up until Ctrl-C.
 */

import { parseArgs } from 'node:util';
import { unlessAborted } from '../test/support/control-plane/abort.ts';
import { catchInterruption } from '../test/support/interruption.ts';
import { showOwnCluster, showResult, showWhatToTry } from './closing.ts';
import { type Environment, keepOperatorLog, startEnvironment } from './environment.ts';
import { findProblems } from './expectations.ts';
import { watchResources } from './resources.ts';
import { readSamples } from './samples.ts';
import { createScreen, type Screen } from './screen.ts';
import { type Demo, runScript } from './script.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

const keep = readArguments();
process.exit(keep === undefined ? EXIT_USAGE : await main(keep));

async function main(keepUp: boolean): Promise<number> {
  const { signal, exitCode } = catchInterruption();
  const screen = createScreen();
  try {
    await perform(screen, keepUp, signal);
    return 0;
  } catch (error) {
    // What was under way fails in many ways when it is interrupted: none of them is the reason.
    if (signal.aborted) return exitCode();
    screen.showTable(false);
    console.error(`\nThe demo failed: ${Error.isError(error) ? error.message : String(error)}`);
    return EXIT_FAILED;
  }
}

/** All of it, from the start of the first process to the end of the last one. */
async function perform(screen: Screen, keepUp: boolean, interrupted: AbortSignal): Promise<void> {
  await using cleanup = new AsyncDisposableStack();
  screen.print('legacy-restore-operator: a demo of about a minute, on this machine only\n\n');
  interrupted.addEventListener('abort', () => {
    screen.showTable(false);
    screen.say('ending everything');
  });
  const samples = await readSamples();
  const environment = await unlessAborted(startEnvironment(screen, cleanup, interrupted), interrupted);
  // Ends the demo, however it goes on after this function.
  const ending = new AbortController();
  cleanup.defer(() => ending.abort());
  const signal = AbortSignal.any([interrupted, ending.signal]);
  const resources = watchResources(environment.controlPlane, signal, screen.show);
  const demo: Demo = { environment, samples, screen, resources, signal };
  try {
    await unlessAborted(Promise.race([runAndCheck(demo), resources.run(), operatorEnd(environment)]), interrupted);
    if (keepUp) {
      showWhatToTry(demo);
      screen.showTable(true);
      await untilAborted(interrupted);
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
  const reason = Error.isError(error) ? error.message : String(error);
  const last = [...log.slice(-10).map((line) => JSON.stringify(line)), otherOutput()].join('\n').trim();
  const file = await keepOperatorLog(environment);
  return new Error(`${reason}\n\nThe operator's log is in ${file}; its last lines:\n${last}`, { cause: error });
}

/** Whether `--keep` was given; undefined after a complaint about anything else. */
function readArguments(): boolean | undefined {
  try {
    return parseArgs({ options: { keep: { type: 'boolean' } } }).values.keep ?? false;
  } catch (error) {
    console.error(Error.isError(error) ? error.message : String(error));
    console.error('usage: npm run demo [-- --keep]');
    return undefined;
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  else signal.addEventListener('abort', () => resolve(), { once: true });
  return promise;
}
