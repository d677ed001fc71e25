/**
 * The Atlas simulator as a process of its own, so that its CPU counts for nobody; told over the IPC channel what to
 * answer. It is the one of the tests: it checks every digest.
 */
import * as z from 'zod';
import type { JsonObject, JsonValue } from '../test/support/atlas-simulator/json.ts';
import { type AtlasSimulator, startAtlasSimulator } from '../test/support/atlas-simulator/simulator.ts';
import { API_KEY } from './jobs.ts';

/** What the bench asks of this process; each question gets one answer, in order. */
export type AtlasQuestion = z.infer<typeof Question>;

export interface AtlasAnswer {
  readonly url: string;
  readonly requests: number;
  readonly byStatus: Readonly<Record<number, number>>;
  /** Milliseconds since the epoch at which the first request since the last reset came; 0 when none did. */
  readonly firstRequestAt: number;
}

const json: z.ZodType<JsonValue> = z.lazy(() =>
  z.union([z.null(), z.boolean(), z.number(), z.string(), z.array(json), z.record(z.string(), json)]),
);
const body: z.ZodType<JsonObject> = z.record(z.string(), json);
const Question = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('counts') }),
  z.object({ kind: z.literal('reset') }),
  z.object({
    kind: z.literal('put'),
    jobs: z.array(
      z.object({
        identity: z.object({ groupId: z.string(), clusterName: z.string(), jobId: z.string() }),
        body,
      }),
    ),
  }),
]);

const simulator = await startAtlasSimulator();
simulator.addApiKey(API_KEY);
let firstRequestAt = 0;
noteFirstRequest();
process.on('message', (message) => answer(Question.parse(message)));
process.on('disconnect', () => process.exit(0));
answer({ kind: 'counts' });

function answer(question: AtlasQuestion): void {
  if (question.kind === 'put') {
    for (const { identity, body } of question.jobs) simulator.putJob(identity, { kind: 'fixed', body });
  }
  if (question.kind === 'reset') {
    simulator.requests.reset();
    firstRequestAt = 0;
    noteFirstRequest();
  }
  process.send?.(countsOf(simulator));
}

function noteFirstRequest(): void {
  void simulator.requests
    .until(({ total }) => total > 0)
    .then(() => {
      firstRequestAt = Date.now();
    });
}

function countsOf({ url, requests }: AtlasSimulator): AtlasAnswer {
  const { total, byStatus } = requests.counts();
  return { url, requests: total, byStatus, firstRequestAt };
}
