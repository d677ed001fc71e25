/** The Atlas client of a command: nobody else uses it, so that it waits only where Atlas asks for it. */
import { type AtlasApi, serverName } from '../api/atlas-api.ts';
import { printable } from '../api/printable.ts';
import type { RestoreJobResponse } from '../api/restore-job.ts';
import { type AtlasClient, createAtlasClient } from '../atlas/client.ts';
import type { AtlasCredentials } from '../atlas/credentials.ts';
import type { RestoreJobRef } from '../atlas/urls.ts';
import { type CommandProcess, note, openKubeClient, unlessStopped } from './command.ts';
import { CommandError } from './command-error.ts';
import { type CredentialsSource, readCredentials } from './credentials.ts';
import { EXIT_CODES } from './exit-codes.ts';

/** The client with the credentials for it, and when a request is reserved for whoever waits for one. */
export interface CommandAtlas {
  readonly client: AtlasClient;
  readonly credentials: AtlasCredentials;
  readonly reserved: () => Promise<void>;
}

/** What a command is told of Atlas. */
export interface AtlasOptions {
  readonly credentials: CredentialsSource;
  readonly atlasBaseUrl: string;
  readonly atlasApi: AtlasApi;
  /** Milliseconds. */
  readonly atlasTimeout: number;
  readonly envelope?: boolean;
  readonly pretty?: boolean;
}

/** How long the end waits for a token to be given back, in milliseconds. */
const CLOSE_MS = 1_000;

/**
 * Reads the credentials, and closes the client when the work is done, however that ends. Throws CommandError where the
 * credentials cannot be used, KubeConfigError and KubeError where their Secret cannot be asked for.
 */
export async function withAtlas<T>(
  options: AtlasOptions,
  own: CommandProcess,
  work: (atlas: CommandAtlas) => Promise<T>,
): Promise<T> {
  const credentials = await credentialsOf(options.credentials, own);
  const lifetime = new AbortController();
  const atlas = { ...connect(options, own, lifetime.signal), credentials };
  try {
    return await work(atlas);
  } finally {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      lifetime.abort(new Error('the command has ended'));
      late.resolve();
    }, CLOSE_MS);
    // Closing waits for requests under way: one that nobody answers would hold up Ctrl-C until its deadline.
    await Promise.race([atlas.client.close(), late.promise]);
    clearTimeout(timer);
  }
}

/** Waits first where Atlas asked to wait: nobody else uses this client, so there is no other reason. Rejects as a fetch does. */
export async function fetchJob(
  { client, credentials, reserved }: CommandAtlas,
  ref: RestoreJobRef,
): Promise<RestoreJobResponse> {
  for (;;) {
    const fetching = client.fetch(ref, credentials, 'command');
    if (fetching.kind === 'fetching') return fetching.response;
    await reserved();
  }
}

async function credentialsOf(source: CredentialsSource, own: CommandProcess): Promise<AtlasCredentials> {
  const { stop } = own;
  const found = await unlessStopped(
    stop,
    readCredentials(source, () => openKubeClient(own), stop),
  );
  if (found.ok) return found.credentials;
  throw new CommandError(found.problem, EXIT_CODES.usage.code);
}

function connect(
  options: AtlasOptions,
  own: CommandProcess,
  signal: AbortSignal,
): Pick<CommandAtlas, 'client' | 'reserved'> {
  const { atlasBaseUrl, atlasApi, atlasTimeout, envelope = false, pretty = false } = options;
  let reserved = Promise.withResolvers<void>();
  const client = createAtlasClient({
    baseUrl: atlasBaseUrl,
    api: atlasApi,
    timeoutMs: atlasTimeout,
    envelope,
    pretty,
    requestsPerMinute: 0,
    version: own.version,
    signal,
    onReserved: () => {
      reserved.resolve();
      reserved = Promise.withResolvers<void>();
    },
    observer: {
      deprecation: ({ sunset }) => {
        const until = sunset === undefined ? '' : ` and ends it on ${printable(sunset, 64)}`;
        note(own, `${serverName(atlasApi)} marks this version of its API as deprecated${until}`);
      },
    },
  });
  return { client, reserved: () => reserved.promise };
}
