/**
 * `npm run interop`: our Digest client against independent servers, and independent clients against our simulator. Not
 * a part of `npm test`, for it installs those peers: Debian packages as root only, Python packages into the user's cache.
 *
 *     npm run interop [-- --no-install] [--require-all]
 *
 * Exit code 1 when a case fails or, with --require-all, cannot be tried on this machine.
 */

import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { catchInterruption } from '../support/interruption.ts';
import { apache } from './apache.ts';
import { curl } from './curl.ts';
import { httpbin } from './httpbin.ts';
import { type Context, type Row, tryPeer } from './peer.ts';
import { superviseProcesses } from './processes.ts';
import { pythonClients } from './python-clients.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

const MARKS: Readonly<Record<Row['outcome'], string>> = { passed: 'ok', failed: 'FAILED', 'not run': 'not run' };

const options = readArguments();
process.exit(options === undefined ? EXIT_USAGE : await main(options));

interface Options {
  readonly mayInstall: boolean;
  readonly requireAll: boolean;
}

async function main({ mayInstall, requireAll }: Options): Promise<number> {
  const { signal, exitCode } = catchInterruption();
  const start = performance.now();
  try {
    const rows = await tryAll(mayInstall, signal);
    printTable(rows);
    const count = (outcome: Row['outcome']): number => rows.filter((row) => row.outcome === outcome).length;
    const seconds = ((performance.now() - start) / 1_000).toFixed(1);
    console.log(`\n${count('passed')} passed, ${count('failed')} failed, ${count('not run')} not run, in ${seconds} s`);
    return count('failed') > 0 || (requireAll && count('not run') > 0) ? EXIT_FAILED : 0;
  } catch (error) {
    // What was under way fails in many ways when it is interrupted: none of them is the reason.
    if (signal.aborted) return exitCode();
    console.error(error);
    return EXIT_FAILED;
  }
}

/** Nothing is left of it: processes, and the folder, go in every case. */
async function tryAll(mayInstall: boolean, signal: AbortSignal): Promise<readonly Row[]> {
  await using cleanup = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), 'interop-'));
  cleanup.defer(() => rm(folder, { recursive: true, force: true }));
  // Started by root, Apache serves as nobody.
  await chmod(folder, 0o755);
  const processes = cleanup.use(await superviseProcesses(folder));
  const context: Context = { processes, folder, mayInstall, signal, say: (text) => console.error(text) };
  return [
    ...(await tryPeer(apache, context)),
    ...(await tryPeer(httpbin, context)),
    ...(await tryPeer(curl, context)),
    ...(await tryPeer(pythonClients, context)),
  ];
}

function printTable(rows: readonly Row[]): void {
  const cells = rows.map(({ peer, name, outcome, detail }) => [peer, name, `${MARKS[outcome]}: ${detail}`]);
  const lines = [['peer', 'case', 'result'], ...cells];
  const widths = [0, 1].map((column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  for (const line of lines) console.log(line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
}

function readArguments(): Options | undefined {
  try {
    const { values } = parseArgs({
      options: { 'no-install': { type: 'boolean' }, 'require-all': { type: 'boolean' } },
    });
    return { mayInstall: values['no-install'] !== true, requireAll: values['require-all'] === true };
  } catch (error) {
    console.error(Error.isError(error) ? error.message : String(error));
    console.error('usage: npm run interop [-- [--no-install] [--require-all]]');
    return undefined;
  }
}
