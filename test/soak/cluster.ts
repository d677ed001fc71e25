/** Writing to an API server that comes and goes: every write is repeated until it has certainly been carried out. */
import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import type { ApiAnswer, ControlPlane } from '../support/control-plane/control-plane.ts';

export interface Cluster {
  /** It counts as done when there is one of that name already: an answer may have been lost. */
  readonly create: (collection: string, object: NamedObject) => Promise<void>;
  /** Merge-patches. Throws when there is none of that name. */
  readonly patch: (collection: string, name: string, patch: unknown) => Promise<void>;
  /** It counts as done when there is none of that name. */
  readonly delete: (collection: string, name: string, options?: unknown) => Promise<void>;
  /** The items of a collection; throws when the API server cannot answer right now. */
  readonly list: (path: string) => Promise<readonly unknown[]>;
}

export interface NamedObject {
  readonly metadata: { readonly name: string; readonly [member: string]: unknown };
  readonly [member: string]: unknown;
}

export const RESOURCES = '/apis/atlasrestore.dev/v1/legacyrestorejobs';
export const resourcesOf = (namespace: string): string =>
  `/apis/atlasrestore.dev/v1/namespaces/${namespace}/legacyrestorejobs`;
export const secretsOf = (namespace: string): string => `/api/v1/namespaces/${namespace}/secrets`;

/** A killed API server is back within this, even on a busy machine. */
const PATIENCE_MS = 180_000;
const PAUSE_MS = 300;
const TIMEOUT_MS = 20_000;

/** Goes past the proxy that the operators use. */
export function createCluster({ request }: ControlPlane, signal: AbortSignal): Cluster {
  /** The answer, or undefined when none came. */
  const send = (...args: Parameters<typeof request>): Promise<ApiAnswer | undefined> =>
    Promise.race([
      request(...args).catch(() => undefined),
      delay(TIMEOUT_MS, undefined, { signal, ref: false }).catch(() => undefined),
    ]);

  async function persist(name: string, done: readonly number[], ...args: Parameters<typeof request>): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      signal.throwIfAborted();
      const answer = await send(...args);
      const answered = answer !== undefined && isFinal(answer, name);
      if (answered && done.includes(answer.status)) return;
      if (answered) throw new Error(`${args[0]} ${args[1]}: ${answer.status} ${JSON.stringify(answer.body)}`);
      if (performance.now() > deadline) throw new Error(`${args[0]} ${args[1]} could not be carried out`);
      await delay(PAUSE_MS, undefined, { signal });
    }
  }

  return {
    create: (collection, object) => persist(object.metadata.name, [201, 409], 'POST', collection, object),
    patch: (collection, name, patch) => persist(name, [200], 'PATCH', `${collection}/${name}`, patch),
    delete: (collection, name, options) => persist(name, [200, 404], 'DELETE', `${collection}/${name}`, options),
    list: async (path) => {
      const answer = await send('GET', path);
      if (answer?.status !== 200) throw new Error(`GET ${path}: ${answer?.status ?? 'no answer'}`);
      return List.parse(answer.body).items;
    },
  };
}

const List = z.object({ items: z.array(z.unknown()) });
const NotFound = z.object({ kind: z.literal('Status'), details: z.object({ name: z.string() }) });

/** An API server that is only just starting has answers, too: 404 without saying what was not found, 429, 503. */
function isFinal({ status, body }: ApiAnswer, name: string): boolean {
  if (status === 404) return NotFound.safeParse(body).data?.details.name === name;
  return status < 500 && status !== 429;
}
