/**
 * `npm run screenshot`: runs the demo and draws it as docs/demo.svg. With `-- --transcript FILE` an earlier run is drawn,
 * whose output was kept by `npm run demo > FILE`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { linesOf, svgOf } from './screenshot.ts';

const { transcript } = parseArgs({ options: { transcript: { type: 'string' } } }).values;
const recorded = transcript === undefined ? await runDemo() : await readFile(transcript, 'utf8');
await writeFile(new URL('../docs/demo.svg', import.meta.url), svgOf(linesOf(recorded)));
console.log('docs/demo.svg is written');

/** The output of a run without a terminal: one line for every change. */
async function runDemo(): Promise<string> {
  const demo = new URL('../demo/main.ts', import.meta.url);
  const child = spawn(process.execPath, [demo.pathname], { stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.pipe(process.stdout);
  const [output] = await Promise.all([text(child.stdout), once(child, 'close')]);
  if (child.exitCode !== 0) throw new Error(`the demo ended with exit code ${child.exitCode}`);
  return output;
}
