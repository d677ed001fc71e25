/** What follows from how a try ended. Pure. */
import type { Limits } from './limits.ts';
import type { TryEnd } from './transfer.ts';

/** How the tries before went. */
export interface Tries {
  /** Tries in a row that brought no byte which was not there before. */
  readonly fruitless: number;
  /** The most bytes that were ever there. */
  readonly furthest: number;
}

export type NextStep =
  | { readonly kind: 'done' }
  /** `restart`: from the first byte. */
  | { readonly kind: 'again'; readonly afterMs: number; readonly restart: boolean; readonly tries: Tries }
  /** Another try makes sense only with another link. */
  | { readonly kind: 'look'; readonly tries: Tries }
  | { readonly kind: 'giveUp' };

/** `size`: bytes that are there now; `random`: from 0 to 1, for the jitter. */
export function nextStep(end: TryEnd, size: number, before: Tries, limits: Limits, random: number): NextStep {
  // A server that gives no ranges brings the same bytes again and again: those are no progress.
  const fruitless = size > before.furthest ? 0 : before.fruitless + 1;
  const tries = { fruitless, furthest: Math.max(size, before.furthest) };
  switch (end.kind) {
    case 'complete':
      return { kind: 'done' };
    case 'refused':
      return { kind: 'giveUp' };
    case 'denied':
      return fruitless > limits.fruitlessTries ? { kind: 'giveUp' } : { kind: 'look', tries };
    case 'broken':
    case 'notResumable': {
      if (fruitless > limits.fruitlessTries) return { kind: 'giveUp' };
      const asked = end.kind === 'broken' ? Math.min(end.waitMs ?? 0, limits.retryAfter) : 0;
      const afterMs = Math.max(asked, backoff(fruitless, limits, random));
      return { kind: 'again', afterMs, restart: end.kind === 'notResumable', tries };
    }
  }
}

/** Half of it at least, so that many that broke at once do not come back at once. */
export function backoff(fruitless: number, { backoff: { first, longest } }: Limits, random: number): number {
  const full = Math.min(longest, first * 2 ** fruitless);
  return full * (0.5 + random / 2);
}
