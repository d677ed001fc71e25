/** `npm run demo -- --keep` as a process: what a newcomer has before them. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { eventually } from './eventually.ts';
import { type Exit, exitOf } from './exit.ts';

export interface Demo {
  /** What it tells people to export. */
  readonly variables: Readonly<Record<string, string>>;
  /** Path of the kubectl that it tells people to use. */
  readonly kubectl: string;
  /** Everything that it tells people to type, but for those two. */
  readonly commands: readonly string[];
  /** As Ctrl-C does. */
  readonly interrupt: () => Promise<Exit>;
}

/** Starts it; resolves once everything is up and checked. It ends with this process. */
export async function startDemo(): Promise<Demo> {
  const main = path.join(import.meta.dirname, '../../demo/main.ts');
  const child = spawn(process.execPath, ['--import', END_WITH_PARENT, main, '--keep'], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const exited = exitOf(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  const ended = exited.then((exit) => {
    throw new Error(`the demo ended with ${exit}:\n${output}`);
  });
  const told = eventually('the demo tells what to try', () => toldIn(output), { timeoutMs: READY_MS });
  const { exports, commands } = await Promise.race([told, ended]);
  return {
    variables: Object.fromEntries(exports),
    kubectl: / alias kubectl=(.*)$/m.exec(output)?.[1] ?? '',
    commands,
    interrupt: () => {
      child.kill('SIGINT');
      return exited;
    },
  };
}

const END_WITH_PARENT = path.join(import.meta.dirname, 'end-with-parent.mjs');
/** It takes a minute; other tests run beside it. */
const READY_MS = 400_000;

function toldIn(output: string) {
  const [, text] = output.split('Everything stays up until Ctrl-C.');
  if (text === undefined || !text.includes('tail -f')) throw new Error(`it has said:\n${output}`);
  const lines = text.split('\n').flatMap((line) => /^ {2}(\w.*)$/.exec(line)?.[1] ?? []);
  const exports = lines.flatMap((line) => {
    const [, name, value] = /^export (\w+)=(.*)$/.exec(line) ?? [];
    return name === undefined || value === undefined ? [] : [[name, value] as const];
  });
  return { exports, commands: lines.filter((line) => !/^(export|alias) /.test(line)) };
}
