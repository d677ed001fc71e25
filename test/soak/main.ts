/**
 * `npm run soak`: 3 minutes of faults and changes, then a table; `-- --minutes 30 --seed 7 --resources 500` for others.
 * Exit code 0: in the end every resource was equal to Atlas and nothing else was wrong. 1: something was. 2: usage.
 */

import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { catchInterruption } from '../support/interruption.ts';
import { describeUnequal, isGood, type SoakResult, soak } from './soak.ts';
import { toTable } from './table.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const USAGE = 'usage: npm run soak [-- --minutes <n> --seed <n> --resources <n> --log-level <level>]';

type Flags = z.infer<typeof Flags>;
const Flags = z.object({
  minutes: z.coerce.number().positive().max(10_000),
  seed: z.coerce
    .number()
    .int()
    .min(0)
    .max(2 ** 32 - 1),
  resources: z.coerce.number().int().min(1).max(10_000),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']),
});

const flags = readFlags();
process.exit(flags === undefined ? EXIT_USAGE : await main(flags));

async function main({ minutes, seed, resources, logLevel }: Flags): Promise<number> {
  const { signal, exitCode } = catchInterruption();
  console.log(`a soak of ${minutes} minutes with ${resources} resources; --seed ${seed} repeats it`);
  try {
    const options = { seed, resources, logLevel, signal, disturbMs: minutes * 60_000 };
    const result = await soak({ ...options, say: (line) => console.log(line) });
    report(result);
    return isGood(result) ? 0 : EXIT_FAILED;
  } catch (error) {
    // What was under way fails in many ways when it is interrupted: none of them is the reason.
    if (signal.aborted) return exitCode();
    console.error(`\nThe soak failed: ${Error.isError(error) ? error.message : String(error)}`);
    return EXIT_FAILED;
  }
}

function report(result: SoakResult): void {
  console.log(`\n${toTable(result)}`);
  if (result.lost.length > 0) console.error(`\nnot equal to Atlas:\n${describeUnequal(result.lost)}`);
  if (result.problems.length > 0) console.error(`\nnot explained by any fault:\n  ${result.problems.join('\n  ')}`);
  if (!isGood(result)) console.error(`\nthe operators' logs are in ${result.logFolder}`);
}

/** Undefined after a complaint. */
function readFlags(): Flags | undefined {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: 'string', default: '3' },
        seed: { type: 'string', default: String(randomInt(2 ** 32)) },
        resources: { type: 'string', default: '300' },
        'log-level': { type: 'string', default: 'info' },
      },
    });
    return Flags.parse({ ...values, logLevel: values['log-level'] });
  } catch (error) {
    console.error(error instanceof z.ZodError ? z.prettifyError(error) : String(error));
    console.error(USAGE);
    return undefined;
  }
}
