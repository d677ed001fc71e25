/** A peer: an independent server or client, and what is tried with it. */
import { isDeepStrictEqual } from 'node:util';
import { messageOf } from '../support/command.ts';
import { unlessAborted } from '../support/control-plane/abort.ts';
import type { Processes } from './processes.ts';

/** What the peers of one run share. */
export interface Context {
  readonly processes: Processes;
  /** A folder of this run, removed at its end; any user can enter it. */
  readonly folder: string;
  /** Whether packages may be installed. */
  readonly mayInstall: boolean;
  /** Tells what takes long, or changes this machine. */
  readonly say: (text: string) => void;
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal;
}

/** Why something cannot be tried on this machine, in one sentence. */
export interface Missing {
  readonly missing: string;
}

export interface InteropCase<Subject> {
  readonly name: string;
  /** Resolves with what was seen. Rejects when that is wrong. */
  readonly run: (subject: Subject, signal: AbortSignal) => Promise<string | Missing>;
}

export interface Peer<Subject> {
  readonly name: string;
  /** Starts what the cases need, and leaves its end to `cleanup`. */
  readonly start: (
    context: Context,
    cleanup: AsyncDisposableStack,
  ) => Promise<{ readonly version: string; readonly subject: Subject } | Missing>;
  readonly cases: readonly InteropCase<Subject>[];
}

/** A row of the table. */
export interface Row {
  readonly peer: string;
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'not run';
  readonly detail: string;
}

/** Tries all cases of a peer, one after the other. Rejects only when the run is interrupted. */
export async function tryPeer<Subject>(peer: Peer<Subject>, context: Context): Promise<readonly Row[]> {
  const all = (outcome: Row['outcome'], detail: string): Row[] =>
    peer.cases.map(({ name }) => ({ peer: peer.name, name, outcome, detail }));
  context.say(`trying ${peer.name}`);
  await using cleanup = new AsyncDisposableStack();
  try {
    const started = await peer.start(context, cleanup);
    if ('missing' in started) return all('not run', started.missing);
    const rows: Row[] = [];
    for (const interopCase of peer.cases) {
      rows.push({ peer: `${peer.name} ${started.version}`, ...(await tryCase(interopCase, started.subject, context)) });
    }
    return rows;
  } catch (error) {
    context.signal.throwIfAborted();
    return all('failed', `cannot be started: ${lineOf(error)}`);
  }
}

/** Throws unless both are the same. `what` begins the sentence: `status is 401 instead of 200`. */
export function same(what: string, actual: unknown, expected: unknown): void {
  if (isDeepStrictEqual(actual, expected)) return;
  throw new Error(`${what} is ${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`);
}

/** No case waits for longer than a few seconds, where nothing is broken. */
const CASE_TIMEOUT_MS = 30_000;

async function tryCase<Subject>(
  { name, run }: InteropCase<Subject>,
  subject: Subject,
  { signal }: Context,
): Promise<Omit<Row, 'peer'>> {
  const timeout = AbortSignal.timeout(CASE_TIMEOUT_MS);
  const either = AbortSignal.any([signal, timeout]);
  try {
    const seen = await unlessAborted(run(subject, either), either);
    return typeof seen === 'string'
      ? { name, outcome: 'passed', detail: seen }
      : { name, outcome: 'not run', detail: seen.missing };
  } catch (error) {
    signal.throwIfAborted();
    const detail = timeout.aborted ? `not done within ${CASE_TIMEOUT_MS / 1_000} s` : lineOf(error);
    return { name, outcome: 'failed', detail };
  }
}

/** In one line, for the table. */
const lineOf = (error: unknown): string => messageOf(error).replaceAll(/\s+/g, ' ').trim();
