/** Finds the Atlas credentials of a resource: its Secret, or the default ones where its namespace may use them. */
import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LRUCache } from 'lru-cache';
import type { LegacyRestoreJob } from '../api/legacy-restore-job.ts';
import type { AtlasCredentials } from '../atlas/credentials.ts';
import { CREDENTIAL_KEYS, OLDER_USER_KEY, readCredentialsData } from '../atlas/credentials-data.ts';
import type { KubeClient } from '../kube/client.ts';
import { hasStatus, KubeError } from '../kube/errors.ts';
import { getSecret } from '../kube/secrets.ts';
import type { Failure } from '../restore-job/failure.ts';

/** Where credentials come from. `id` is unique among all sources and safe to log. */
export type CredentialsSource =
  | { readonly kind: 'secret'; readonly id: string; readonly namespace: string; readonly name: string }
  | { readonly kind: 'directory'; readonly id: string; readonly path: string }
  /** The resource names no Secret, and its namespace may not use the default ones. */
  | { readonly kind: 'none'; readonly id: string };

export type CredentialsResult = {
  /** Changes whenever the content may have changed. */
  readonly version: string;
} & ({ readonly ok: true; readonly credentials: AtlasCredentials } | { readonly ok: false; readonly failure: Failure });

export interface CredentialsReader {
  readonly sourceOf: (job: LegacyRestoreJob) => CredentialsSource;
  /** At most `CACHE_MS` old. Throws KubeError while the API server has failed for a moment and nothing was read before. */
  readonly read: (source: CredentialsSource) => Promise<CredentialsResult>;
  /** As `read`, but not from the cache, unless somebody has just read it. */
  readonly readAgain: (source: CredentialsSource) => Promise<CredentialsResult>;
}

interface CredentialsOptions {
  readonly client: KubeClient;
  /** Empty: there are no default credentials. */
  readonly defaultDirectory: string;
  readonly defaultNamespaces: readonly string[];
}

/** Milliseconds that a Secret is not read again: many resources share one. */
const CACHE_MS = 30_000;
const JUST_READ_MS = 1_000;
/** Milliseconds for which the values that were read before may be used while the API server cannot give a Secret. */
const TOLERATED_MS = 30_000;
/** More than are read within CACHE_MS: none falls out that would still serve. */
const MAX_CACHED = 10_000;

interface Cached {
  readonly readAt: number;
  readonly result: Promise<CredentialsResult>;
}

/** What is remembered of a source while it cannot be read. */
interface Trouble {
  readonly since: number;
  /** What was read before. */
  readonly before: CredentialsResult | undefined;
}

export function createCredentialsReader(options: CredentialsOptions): CredentialsReader {
  // Deleted resources and renamed Secrets leave entries behind: those make room first.
  const cache = new LRUCache<string, Cached>({ max: MAX_CACHED });
  const lastRead = new LRUCache<string, CredentialsResult>({ max: MAX_CACHED });
  const troubles = new LRUCache<string, Trouble>({ max: MAX_CACHED });

  function sourceOf({ namespace, spec }: LegacyRestoreJob): CredentialsSource {
    const name = spec.credentialsSecretRef?.name;
    if (name !== undefined) return { kind: 'secret', id: `${namespace}/${name}`, namespace, name };
    const granted = options.defaultDirectory !== '' && options.defaultNamespaces.includes(namespace);
    return granted
      ? { kind: 'directory', id: 'default', path: options.defaultDirectory }
      : { kind: 'none', id: 'none' };
  }

  /** Single-flight: a hundred resources with one Secret read it once. */
  function readSince(source: CredentialsSource, oldest: number): Promise<CredentialsResult> {
    const cached = cache.get(source.id);
    if (cached !== undefined && cached.readAt >= oldest) return cached.result;
    const result = readTolerantly(source);
    const entry: Cached = { readAt: performance.now(), result };
    cache.set(source.id, entry);
    // What could not be read is not to be kept as long as what could.
    const drop = (): void => {
      if (cache.get(source.id) === entry) cache.delete(source.id);
    };
    result.then(() => {
      if (troubles.has(source.id)) drop();
    }, drop);
    return result;
  }

  async function readTolerantly(source: CredentialsSource): Promise<CredentialsResult> {
    try {
      const result = await readSource(options.client, source);
      troubles.delete(source.id);
      lastRead.set(source.id, result);
      return result;
    } catch (error) {
      if (!(error instanceof KubeError) || source.kind !== 'secret') throw error;
      return resultInTrouble(source, error);
    }
  }

  function resultInTrouble(
    source: Extract<CredentialsSource, { kind: 'secret' }>,
    error: KubeError,
  ): CredentialsResult {
    const trouble = troubles.get(source.id) ?? { since: performance.now(), before: lastRead.get(source.id) };
    troubles.set(source.id, trouble);
    if (performance.now() - trouble.since >= TOLERATED_MS)
      return { version: 'unreadable', ok: false, failure: unreadable(source, error) };
    if (trouble.before === undefined) throw error;
    return trouble.before;
  }

  return {
    sourceOf,
    read: (source) => readSince(source, performance.now() - CACHE_MS),
    readAgain: (source) => readSince(source, performance.now() - JUST_READ_MS),
  };
}

const unreadable = (
  { namespace, name }: { namespace: string; name: string },
  { status, reason, statusMessage }: KubeError,
): Failure => ({
  origin: 'kubernetes',
  reason: 'SecretUnreadable',
  verb: 'read',
  object: `Secret ${namespace}/${name}`,
  isForbidden: false,
  code: status,
  statusReason: reason,
  statusMessage,
});

async function readSource(client: KubeClient, source: CredentialsSource): Promise<CredentialsResult> {
  switch (source.kind) {
    case 'secret':
      return readSecret(client, source);
    case 'directory':
      return readDirectory(source.path);
    case 'none':
      return {
        version: 'none',
        ...invalid(
          'spec.credentialsSecretRef is missing, and the operator grants no default credentials to this namespace: name a Secret there',
        ),
      };
  }
}

async function readSecret(
  client: KubeClient,
  { namespace, name }: { namespace: string; name: string },
): Promise<CredentialsResult> {
  const object = `Secret ${namespace}/${name}`;
  try {
    const { uid, resourceVersion, data } = await getSecret(client, { namespace, name });
    return { version: `${uid} ${resourceVersion}`, ...toCredentials(object, data) };
  } catch (error) {
    if (!hasStatus(error, 403, 404)) throw error;
    const { status, reason, statusMessage } = error;
    const isForbidden = status === 403;
    const refusal = { verb: 'read', object, isForbidden, code: status, statusReason: reason, statusMessage } as const;
    return {
      version: status === 404 ? 'absent' : 'forbidden',
      ok: false,
      failure: { origin: 'kubernetes', reason: 'SecretNotFound', ...refusal },
    };
  }
}

async function readDirectory(path: string): Promise<CredentialsResult> {
  const data: Record<string, string> = {};
  for (const key of [...CREDENTIAL_KEYS, OLDER_USER_KEY]) {
    const value = await readFile(join(path, key), 'utf8').catch(() => undefined);
    if (value !== undefined) data[key] = value;
  }
  const version = hash('sha256', JSON.stringify(data));
  return { version, ...toCredentials('The folder of the default credentials', data) };
}

type Parsed =
  | { readonly ok: true; readonly credentials: AtlasCredentials }
  | { readonly ok: false; readonly failure: Failure };

/** Names keys, never values. */
function toCredentials(where: string, data: Readonly<Record<string, string>>): Parsed {
  const read = readCredentialsData(data);
  return read.ok ? read : invalid(`${where} ${read.problem}`);
}

const invalid = (detail: string): Extract<Parsed, { ok: false }> => ({
  ok: false,
  failure: { origin: 'content', reason: 'SecretInvalid', detail },
});
