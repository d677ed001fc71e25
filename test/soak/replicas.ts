/** The replicas of the operator: each is started again when it ends, as a kubelet does, and its end is judged. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Exit } from '../support/exit.ts';
import { type OperatorProcess, startOperator } from '../support/operator-process.ts';

/** A running replica. */
export interface Replica {
  /** SIGKILL: no time to release anything. */
  readonly kill: () => Promise<void>;
  /** SIGTERM; resolves when it has ended. */
  readonly tellToStop: () => Promise<void>;
  /** SIGSTOP: it does nothing, and its connections stay. */
  readonly freeze: () => Promise<void>;
  readonly thaw: () => Promise<void>;
  /** Undefined where the system does not tell, or when it has just ended. */
  readonly memory: () => Promise<Memory | undefined>;
}

/** Bytes. */
export interface Memory {
  readonly now: number;
  readonly most: number;
}

export interface Replicas {
  /** The one that leads; undefined while none does. */
  readonly leader: () => Replica | undefined;
  /** One that does not lead; undefined when there is none. */
  readonly standby: () => Replica | undefined;
  /** How often replicas have ended, by the way. */
  readonly ends: () => ReadonlyMap<string, number>;
  /** Ends and log lines that no fault explains, one sentence each. */
  readonly problems: () => readonly string[];
  /** Tells all of them to stop and waits until they have; their ends are judged, too. */
  readonly stop: () => Promise<void>;
  /** Kills all of them. */
  readonly end: () => Promise<void>;
}

export interface ReplicasOptions {
  readonly count: number;
  readonly kubeconfig: string;
  readonly env: Readonly<Record<string, string>>;
  /** Their logs are kept there. */
  readonly logFolder: string;
}

const RESTART_DELAY_MS = 1_000;
const LOST_LEASE = 'lease lost';

interface Running {
  readonly replica: Replica;
  readonly operator: OperatorProcess;
  /** What was done to it. */
  readonly done: Set<'killed' | 'told to stop'>;
  /** When it began to lead, by the monotonic clock. */
  ledSince: number | undefined;
}

export function startReplicas({ count, kubeconfig, env, logFolder }: ReplicasOptions): Replicas {
  const running = new Set<Running>();
  const ends = new Map<string, number>();
  const problems: string[] = [];
  let stopping = false;

  const leading = (): Running | undefined =>
    [...running].filter(isLeader).sort((left, right) => (right.ledSince ?? 0) - (left.ledSince ?? 0))[0];

  async function start(name: string): Promise<Running> {
    const operator = await startOperator({
      kubeconfig,
      env,
      logFile: path.join(logFolder, `${name}.log`),
    });
    const done = new Set<'killed' | 'told to stop'>();
    const entry: Running = { operator, done, replica: control(operator, done), ledSince: undefined };
    running.add(entry);
    operator
      .waitForLog(({ msg }) => msg === 'acquired the lease', LONGEST_TIMER_MS)
      .then(
        () => {
          entry.ledSince = performance.now();
        },
        // It ended before it led.
        () => {},
      );
    return entry;
  }

  function judge(name: string, { operator, done }: Running, exit: Exit): void {
    const end = meaningOf(exit, operator, done);
    ends.set(end.meaning, (ends.get(end.meaning) ?? 0) + 1);
    if (!end.expected) problems.push(`${name} ended: ${end.meaning}`);
    for (const { level, msg, ...rest } of operator.log) {
      if (level !== 'error' && level !== 'fatal') continue;
      if (!msg.startsWith(LOST_LEASE)) problems.push(`${name} logged: ${msg} ${JSON.stringify(rest)}`);
    }
    const other = operator.otherOutput().trim();
    if (other !== '') problems.push(`${name} wrote: ${other.slice(0, 1_000)}`);
  }

  async function keepRunning(name: string): Promise<void> {
    while (!stopping) {
      const entry = await start(name);
      const exit = await entry.operator.exited;
      running.delete(entry);
      judge(name, entry, exit);
      if (!stopping) await delay(RESTART_DELAY_MS);
    }
  }

  const kept = Array.from({ length: count }, (_, index) => keepRunning(`replica-${index + 1}`));
  const allEnded = Promise.all(kept);
  // Awaited by `stop` and `end`.
  allEnded.catch(() => {});

  return {
    leader: () => leading()?.replica,
    standby: () => [...running].find((entry) => entry !== leading())?.replica,
    ends: () => ends,
    problems: () => problems,
    stop: async () => {
      stopping = true;
      await Promise.all([...running].map(({ replica }) => replica.tellToStop()));
      await allEnded;
    },
    end: async () => {
      stopping = true;
      await Promise.all([...running].map(({ replica }) => replica.kill()));
    },
  };
}

/** setTimeout fires at once for more. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

const isLeader = ({ ledSince, operator }: Running): boolean =>
  ledSince !== undefined && !operator.log.some(({ msg }) => msg.startsWith(LOST_LEASE));

function control(operator: OperatorProcess, done: Set<'killed' | 'told to stop'>): Replica {
  return {
    kill: () => {
      done.add('killed');
      return operator.kill('SIGKILL');
    },
    tellToStop: async () => {
      done.add('told to stop');
      // One that does not end in time is killed, which its end tells.
      await operator.stop('SIGTERM').catch(() => undefined);
    },
    freeze: () => operator.kill('SIGSTOP'),
    thaw: () => operator.kill('SIGCONT'),
    memory: () => memoryOf(operator.process.pid),
  };
}

function meaningOf(
  exit: Exit,
  operator: OperatorProcess,
  done: ReadonlySet<'killed' | 'told to stop'>,
): { readonly meaning: string; readonly expected: boolean } {
  const lostLease = operator.log.some(({ msg }) => msg.startsWith(LOST_LEASE));
  if (exit === 1 && lostLease) return { meaning: 'lease lost', expected: true };
  if (exit === 'SIGKILL' && done.has('killed')) return { meaning: 'killed', expected: true };
  if (exit === 0 && done.has('told to stop')) return { meaning: 'told to stop', expected: true };
  return { meaning: done.has('told to stop') ? `exit ${exit} after SIGTERM` : `exit ${exit}`, expected: false };
}

async function memoryOf(pid: number | undefined): Promise<Memory | undefined> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const read = (name: string): number | undefined => {
    const kilobytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1_024;
  };
  const [now, most] = [read('VmRSS'), read('VmHWM')];
  return now === undefined || most === undefined ? undefined : { now, most };
}
