/**
 * `npm run soak`: 3 minutes of faults and changes, then a table; `-- --minutes 30 --seed 7 --resources 500` for others,
 * `--without Atlas` without the kinds of fault that have this in their names.
 * Exit code 0: in the end every resource was equal to Atlas and nothing else was wrong. 1: something was. 2: usage.
 */
import { randomInt } from 'node:crypto';
import * as z from 'zod';
import { readFlags, runCommand } from '../support/command.ts';
import { FAULTS } from './faults.ts';
import { describeUnequal, isGood, type SoakResult, soak } from './soak.ts';
import { toTable } from './table.ts';

const {
  minutes,
  seed,
  resources,
  without,
  'log-level': logLevel,
} = readFlags(
  'npm run soak [-- --minutes <n> --seed <n> --resources <n> --without <part of names> --log-level <level>]',
  {
    minutes: { type: 'string', default: '3' },
    seed: { type: 'string', default: String(randomInt(2 ** 32)) },
    resources: { type: 'string', default: '300' },
    without: { type: 'string' },
    'log-level': { type: 'string', default: 'info' },
  },
  z.object({
    minutes: z.coerce.number().positive().max(10_000),
    seed: z.coerce
      .number()
      .int()
      .min(0)
      .max(2 ** 32 - 1),
    resources: z.coerce.number().int().min(1).max(10_000),
    without: z.string().min(1).optional(),
    'log-level': z.enum(['debug', 'info', 'warn', 'error']),
  }),
);
await runCommand('The soak', async (signal) => {
  console.log(`a soak of ${minutes} minutes with ${resources} resources; --seed ${seed} repeats it`);
  const faults = FAULTS.filter(({ name }) => without === undefined || !name.includes(without));
  const options = { seed, resources, faults, logLevel, signal, disturbMs: minutes * 60_000 };
  const result = await soak({ ...options, say: (line) => console.log(line) });
  report(result);
  return isGood(result) ? 0 : 1;
});

function report(result: SoakResult): void {
  console.log(`\n${toTable(result)}`);
  if (result.lost.length > 0) console.error(`\nnot equal to Atlas:\n${describeUnequal(result.lost)}`);
  if (result.problems.length > 0) console.error(`\nnot explained by any fault:\n  ${result.problems.join('\n  ')}`);
  if (!isGood(result)) console.error(`\nthe operators' logs are in ${result.logFolder}`);
}
