/** Counts at the API server what one user did: the audit log has a line for each answered request. */
import { open } from 'node:fs/promises';
import * as z from 'zod';

/** What the API server has answered to one user since a beginning. */
export interface ApiCounts {
  readonly statusWrites: number;
  readonly eventWrites: number;
  /** Answers other than 2xx. */
  readonly refused: number;
  readonly requests: number;
  /** Milliseconds since the epoch of the last status write; 0 when there was none. */
  readonly lastStatusWriteAt: number;
  /** Milliseconds since the epoch at which the API server first began to answer a watch; 0 when it did not. */
  readonly firstWatchAt: number;
}

export interface AuditLog {
  /** Counts what has been logged since the last `reset`. */
  readonly read: () => Promise<ApiCounts>;
  /** Begins again at the present end of the log. */
  readonly reset: () => Promise<void>;
}

const Entry = z.object({
  stage: z.string(),
  verb: z.string(),
  user: z.object({ username: z.string() }),
  objectRef: z.object({ resource: z.string().optional(), subresource: z.string().optional() }).optional(),
  responseStatus: z.object({ code: z.number() }).optional(),
  stageTimestamp: z.string(),
});

const NOTHING: ApiCounts = {
  statusWrites: 0,
  eventWrites: 0,
  refused: 0,
  requests: 0,
  lastStatusWriteAt: 0,
  firstWatchAt: 0,
};

/** `user`: the name of the service account whose requests count. */
export function readAuditLog(file: string, user: string): AuditLog {
  let offset = 0;
  let rest = '';
  let counts = NOTHING;

  async function read(): Promise<ApiCounts> {
    const handle = await open(file);
    try {
      const { size } = await handle.stat();
      const { buffer } = await handle.read(Buffer.alloc(size - offset), 0, size - offset, offset);
      offset = size;
      const lines = (rest + buffer.toString('utf8')).split('\n');
      rest = lines.pop() ?? '';
      // Most lines are of others: they are not worth parsing.
      for (const line of lines) if (line.includes(user)) counts = add(counts, Entry.parse(JSON.parse(line)));
    } finally {
      await handle.close();
    }
    return counts;
  }

  return {
    read,
    reset: async () => {
      await read();
      counts = NOTHING;
    },
  };
}

function add(counts: ApiCounts, { stage, verb, objectRef, responseStatus, stageTimestamp }: z.infer<typeof Entry>) {
  const at = Date.parse(stageTimestamp);
  if (stage === 'ResponseStarted') {
    return verb === 'watch' && counts.firstWatchAt === 0 ? { ...counts, firstWatchAt: at } : counts;
  }
  const ok = (responseStatus?.code ?? 0) < 300;
  const statusWrite = ok && verb === 'patch' && objectRef?.subresource === 'status';
  return {
    ...counts,
    requests: counts.requests + 1,
    refused: counts.refused + (ok ? 0 : 1),
    statusWrites: counts.statusWrites + (statusWrite ? 1 : 0),
    lastStatusWriteAt: statusWrite ? at : counts.lastStatusWriteAt,
    eventWrites: counts.eventWrites + (ok && objectRef?.resource === 'events' ? 1 : 0),
  };
}
