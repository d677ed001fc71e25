/** What the programs of tests and benchmarks have in common: their flags, Ctrl-C, and how they end. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import * as z from 'zod';
import { catchInterruption } from './interruption.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** The flags on the command line. Ends the process with exit code 2 and the usage when they are not as the schema says. */
export function readFlags<T>(usage: string, options: NonNullable<ParseArgsConfig['options']>, schema: z.ZodType<T>): T {
  try {
    return schema.parse(parseArgs({ options }).values);
  } catch (error) {
    console.error(error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error));
    console.error(`usage: ${usage}`);
    process.exit(EXIT_USAGE);
  }
}

/** Runs `work` and ends the process with the exit code that it resolves with, with 1 when it rejects. */
export async function runCommand(what: string, work: (signal: AbortSignal) => Promise<number>): Promise<never> {
  const { signal, exitCode } = catchInterruption();
  try {
    process.exit(await work(signal));
  } catch (error) {
    // What was under way fails in many ways when it is interrupted: none of them is the reason.
    if (signal.aborted) process.exit(exitCode());
    console.error(`\n${what} failed: ${messageOf(error)}`);
    process.exit(EXIT_FAILED);
  }
}

/** What an error says; anything else that was thrown as text. */
export const messageOf = (error: unknown): string => (Error.isError(error) ? error.message : String(error));
