/** How often the operators wrote a status or tried to, by the API server's own account. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import * as z from 'zod';
import type { StatusHistory } from './status-history.ts';

export interface StatusWrites {
  /** Successful writes of the status of each resource, by `namespace/name`. */
  readonly accepted: ReadonlyMap<string, number>;
  /** Writes that the API server did not take as they were: not authorized, against a policy, invalid. */
  readonly refused: number;
}

/** Those that `user` sent. */
export async function countStatusWrites(auditLog: string, user: string): Promise<StatusWrites> {
  const accepted = new Map<string, number>();
  let refused = 0;
  for await (const line of createInterface(createReadStream(auditLog))) {
    const write = readStatusWrite(line, user);
    if (write === undefined) continue;
    const { key, code } = write;
    if (REFUSALS.includes(code)) refused += 1;
    if (code >= 200 && code <= 299) accepted.set(key, (accepted.get(key) ?? 0) + 1);
  }
  return { accepted, refused };
}

const REFUSALS: readonly number[] = [400, 403, 413, 422];

/**
 * Writes that the API server accepted and that changed nothing: for each resource, the accepted status patches less the
 * changes of its status. A patch that equals what is there is accepted and leaves no trace in etcd, hence the two
 * sources. An API server that is killed can have stored a change without having written its line: such a change hides
 * at most one useless write of the same resource.
 */
export function countDuplicateWrites({ accepted }: StatusWrites, history: StatusHistory): number {
  return [...accepted].reduce((sum, [key, count]) => sum + Math.max(0, count - history.changesOf(key)), 0);
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
  responseStatus: z.object({ code: z.int() }),
});

function readStatusWrite(line: string, user: string): { readonly key: string; readonly code: number } | undefined {
  // Most lines are of other requests.
  if (!line.includes('"subresource":"status"')) return undefined;
  const event = AuditEvent.safeParse(parse(line)).data;
  if (event === undefined || event.user.username !== user) return undefined;
  const { objectRef, responseStatus } = event;
  return { key: `${objectRef.namespace}/${objectRef.name}`, code: responseStatus.code };
}

/** A killed API server leaves half a line behind. */
function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
