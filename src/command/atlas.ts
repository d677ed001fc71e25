/** The Atlas client of a command: nobody else uses it, so that it waits only where Atlas asks for it. */
import { printable } from '../api/printable.ts';
import { type AtlasClient, createAtlasClient } from '../atlas/client.ts';
import { type CommandProcess, note } from './command.ts';

/** The client, and when a request is reserved for whoever waits for one. */
export interface CommandAtlas {
  readonly client: AtlasClient;
  readonly reserved: () => Promise<void>;
}

interface ConnectOptions {
  readonly atlasBaseUrl: string;
  /** Milliseconds. */
  readonly atlasTimeout: number;
  readonly envelope?: boolean;
  readonly pretty?: boolean;
}

/** How long the end waits for a token to be given back, in milliseconds. */
const CLOSE_MS = 1_000;

/** Closes the client when the work is done, however that ends. */
export async function withAtlas<T>(
  options: ConnectOptions,
  own: CommandProcess,
  work: (atlas: CommandAtlas) => Promise<T>,
): Promise<T> {
  const lifetime = new AbortController();
  const atlas = connect(options, own, lifetime.signal);
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

function connect(options: ConnectOptions, own: CommandProcess, signal: AbortSignal): CommandAtlas {
  const { atlasBaseUrl, atlasTimeout, envelope = false, pretty = false } = options;
  let reserved = Promise.withResolvers<void>();
  const client = createAtlasClient({
    baseUrl: atlasBaseUrl,
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
        note(own, `Atlas marks this version of its API as deprecated${until}`);
      },
    },
  });
  return { client, reserved: () => reserved.promise };
}
