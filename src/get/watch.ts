/** Asks again and again until a restore job has ended. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RestoreJobAnswer } from '../atlas/answer.ts';
import { AtlasError } from '../atlas/errors.ts';
import { type JobState, jobState } from '../controller/job-state.ts';

export interface WatchOptions {
  readonly fetch: () => Promise<RestoreJobAnswer>;
  readonly intervalMs: number;
  readonly onAnswer: (answer: RestoreJobAnswer) => void;
  /** A failure that may pass; the next request is so many milliseconds away. */
  readonly onFailure: (error: AtlasError, againInMs: number) => void;
  readonly signal: AbortSignal;
}

/** The last answer. Rejects with a failure that does not pass, or once the signal is aborted. */
export async function watchJob(options: WatchOptions): Promise<RestoreJobAnswer> {
  for (;;) {
    const step = await attempt(options);
    if (step.kind === 'ended') return step.answer;
    await sleep(step.againInMs, undefined, { signal: options.signal });
  }
}

type Step =
  | { readonly kind: 'ended'; readonly answer: RestoreJobAnswer }
  | { readonly kind: 'again'; readonly againInMs: number };

const ENDED: ReadonlySet<JobState> = new Set<JobState>(['finished', 'broken', 'killed']);
/** What Atlas asks to wait is obeyed up to an hour, as the client does; a timer cannot wait for more than 24 days. */
const LONGEST_WAIT_MS = 3_600_000;

async function attempt({ fetch, intervalMs, onAnswer, onFailure, signal }: WatchOptions): Promise<Step> {
  try {
    const answer = await fetch();
    signal.throwIfAborted();
    onAnswer(answer);
    return ENDED.has(jobState(answer.job)) ? { kind: 'ended', answer } : { kind: 'again', againInMs: intervalMs };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof AtlasError) || error.kind === 'permanent') throw error;
    const againInMs = Math.max(intervalMs, Math.min(error.retryAfterMs ?? 0, LONGEST_WAIT_MS));
    onFailure(error, againInMs);
    return { kind: 'again', againInMs };
  }
}
