/** How often the operators wrote a status, by the API server's own account. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import * as z from 'zod';
import type { StatusHistory } from './status-history.ts';

/** Successful writes of the status of each resource, by `namespace/name`, that `user` sent. */
export async function countStatusWrites(auditLog: string, user: string): Promise<ReadonlyMap<string, number>> {
  const writes = new Map<string, number>();
  for await (const line of createInterface(createReadStream(auditLog))) {
    const key = writtenStatus(line, user);
    if (key !== undefined) writes.set(key, (writes.get(key) ?? 0) + 1);
  }
  return writes;
}

/**
 * Writes that the API server accepted and that changed nothing: for each resource, the accepted status patches less the
 * changes of its status. A patch that equals what is there is accepted and leaves no trace in etcd, hence the two
 * sources. An API server that is killed can have stored a change without having written its line: such a change hides
 * at most one useless write of the same resource.
 */
export function countDuplicateWrites(writes: ReadonlyMap<string, number>, history: StatusHistory): number {
  return [...writes].reduce((sum, [key, count]) => sum + Math.max(0, count - history.changesOf(key)), 0);
}

const AuditEvent = z.object({
  verb: z.literal('patch'),
  user: z.object({ username: z.string() }),
  objectRef: z.object({
    resource: z.literal('legacyrestorejobs'),
    subresource: z.literal('status'),
    namespace: z.string(),
    name: z.string(),
  }),
  responseStatus: z.object({ code: z.int().min(200).max(299) }),
});

function writtenStatus(line: string, user: string): string | undefined {
  // Most lines are of other requests.
  if (!line.includes('"subresource":"status"')) return undefined;
  const event = AuditEvent.safeParse(parse(line)).data;
  if (event === undefined || event.user.username !== user) return undefined;
  return `${event.objectRef.namespace}/${event.objectRef.name}`;
}

/** A killed API server leaves half a line behind. */
function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
