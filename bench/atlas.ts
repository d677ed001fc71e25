/** The bench's end of the simulator process. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import * as z from 'zod';
import type { AtlasAnswer, AtlasQuestion } from './atlas-process.ts';
import type { ExpectedJob } from './expected-state.ts';

export interface Atlas {
  readonly url: string;
  readonly pid: number;
  /** Answers with these bodies from now on. */
  readonly put: (jobs: Iterable<ExpectedJob>) => Promise<void>;
  /** What has been asked since the last reset. */
  readonly counts: () => Promise<AtlasAnswer>;
  readonly reset: () => Promise<void>;
  readonly stop: () => void;
}

const Answer = z.object({
  url: z.string(),
  requests: z.number(),
  byStatus: z.record(z.coerce.number(), z.number()),
  firstRequestAt: z.number(),
});

export async function startAtlas(): Promise<Atlas> {
  const child = fork(path.join(import.meta.dirname, 'atlas-process.ts'));
  const answers: Array<(answer: AtlasAnswer) => void> = [];
  child.on('message', (message) => answers.shift()?.(Answer.parse(message)));
  const next = (): Promise<AtlasAnswer> => {
    const { promise, resolve } = Promise.withResolvers<AtlasAnswer>();
    answers.push(resolve);
    return promise;
  };
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the Atlas simulator ended (${String(code)})`);
  });
  ended.catch(() => {});

  function ask(question: AtlasQuestion): Promise<AtlasAnswer> {
    const answer = next();
    child.send(question);
    return Promise.race([answer, ended]);
  }

  const { url } = await Promise.race([next(), ended]);
  if (child.pid === undefined) throw new Error('the Atlas simulator has no process id');
  return {
    url,
    pid: child.pid,
    put: async (jobs) => {
      await ask({ kind: 'put', jobs: Array.from(jobs, ({ job: { identity }, body }) => ({ identity, body })) });
    },
    counts: () => ask({ kind: 'counts' }),
    reset: async () => {
      await ask({ kind: 'reset' });
    },
    stop: () => child.disconnect(),
  };
}
