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
import * as z from 'zod';
import { markdownTable } from '../../scripts/markdown-table.ts';
import { readFlags, runCommand } from '../support/command.ts';
import { apache } from './apache.ts';
import { curl } from './curl.ts';
import { httpbin } from './httpbin.ts';
import { type Context, type Row, tryPeer } from './peer.ts';
import { superviseProcesses } from './processes.ts';
import { pythonClients } from './python-clients.ts';

const MARKS: Readonly<Record<Row['outcome'], string>> = { passed: 'ok', failed: 'FAILED', 'not run': 'not run' };

const { 'no-install': noInstall, 'require-all': requireAll } = readFlags(
  'npm run interop [-- [--no-install] [--require-all]]',
  { 'no-install': { type: 'boolean', default: false }, 'require-all': { type: 'boolean', default: false } },
  z.object({ 'no-install': z.boolean(), 'require-all': z.boolean() }),
);
await runCommand('The run', async (signal) => {
  const start = performance.now();
  const rows = await tryAll(!noInstall, signal);
  console.log(toTable(rows));
  const count = (outcome: Row['outcome']): number => rows.filter((row) => row.outcome === outcome).length;
  const seconds = ((performance.now() - start) / 1_000).toFixed(1);
  console.log(`\n${count('passed')} passed, ${count('failed')} failed, ${count('not run')} not run, in ${seconds} s`);
  return count('failed') > 0 || (requireAll && count('not run') > 0) ? 1 : 0;
});

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

function toTable(rows: readonly Row[]): string {
  return markdownTable(
    ['peer', 'case', 'result'],
    rows.map(({ peer, name, outcome, detail }) => [peer, name, `${MARKS[outcome]}: ${detail}`]),
  );
}
