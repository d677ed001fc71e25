/** Our client against Apache httpd's mod_auth_digest. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Apache,
  BODY,
  type Folder,
  KEY,
  MAIL_USER,
  NONCE_LIFETIME_S,
  ODD_USER,
  SECRET,
  startApache,
  UTF8_SECRET,
  UTF8_SECRET_USER,
  UTF8_USER,
} from './apache-server.ts';
import { createOurClient, exchangeMany, lastAuthorization, type OurClient, saysStale, statuses } from './our-client.ts';
import { ensureProgram } from './packages.ts';
import { type InteropCase, type Peer, same } from './peer.ts';

export const apache: Peer<Apache> = {
  name: 'Apache httpd',
  async start(context, cleanup) {
    const found = await ensureProgram('apache2', 'apache2-bin', context);
    if ('missing' in found) return found;
    const version = await context.processes.run(found.program, ['-v'], { signal: context.signal });
    return {
      version: /Apache\/(\S+ \(\w+\))/.exec(version.stdout)?.[1] ?? '(unknown version)',
      subject: await startApache(found.program, context, cleanup),
    };
  },
  cases: [
    trial({
      name: 'right key, a cold exchange',
      act: async (client, url) => {
        const { status, body } = await client.get(url);
        same('the answer', [status, body], [200, BODY]);
      },
      statuses: [401, 200],
    }),
    trial({ name: 'wrong password: 401, and no further try', password: 'wrong', act: refused, statuses: [401, 401] }),
    trial({ name: 'unknown user: 401, and no further try', user: 'nobody', act: refused, statuses: [401, 401] }),
    trial({
      name: '200 exchanges after the cold one use its nonce',
      act: exchanges(201),
      statuses: [401, ...repeat(201, 200)],
    }),
    trial({
      name: '16 cold exchanges at once',
      act: exchanges(16, 16),
      statuses: [...repeat(16, 401), ...repeat(16, 200)],
    }),
    trial({
      name: '200 exchanges, 16 at a time, after a cold one',
      act: async (client, url) => {
        await exchangeMany(client, url, 1);
        await exchangeMany(client, url, 200, 16);
      },
      statuses: [401, ...repeat(201, 200)],
    }),
    trial({
      name: `a nonce older than its ${NONCE_LIFETIME_S} s: stale=true`,
      folder: 'short',
      act: async (client, url, signal) => {
        await exchangeMany(client, url, 2);
        await outliveNonces(signal);
        await exchangeMany(client, url, 1);
        same('stale in the challenges', client.sent.map(saysStale), [false, false, false, true, false]);
      },
      statuses: [401, 200, 200, 401, 200],
    }),
    trial({
      name: 'a stale nonce, 16 exchanges at once',
      folder: 'short',
      act: async (client, url, signal) => {
        await exchangeMany(client, url, 1);
        await outliveNonces(signal);
        await exchangeMany(client, url, 16, 16);
      },
      statuses: [401, 200, ...repeat(16, 401), ...repeat(16, 200)],
    }),
    trial({
      name: 'a query string in the uri',
      query: '?envelope=true&pretty=true&list=a,b;c&quote="%22&other=%C3%A9+\'',
    }),
    trial({ name: 'a user name with " and \\', user: ODD_USER }),
    trial({ name: 'an e-mail address as the user name', user: MAIL_USER }),
    trial({ name: 'a password in UTF-8', user: UTF8_SECRET_USER, password: UTF8_SECRET }),
    trial({
      // One after the other only: Apache wants each count to be the last one plus one and answers any other with
      // stale=false, and it keeps one count for all nonces that were issued to the same `opaque`.
      name: 'nonce counts checked (AuthDigestNcCheck), a replay at the end',
      folder: 'counted',
      act: async (client, url) => {
        await exchangeMany(client, url, 50);
        same('the status of the replay', (await client.replay()).status, 401);
      },
      statuses: [401, ...repeat(50, 200), 401],
    }),
    trial({
      name: 'nonces for one use each (AuthDigestNonceLifetime 0)',
      folder: 'once',
      act: exchanges(5),
      statuses: [...repeat(5, 401), ...repeat(5, 200)],
    }),
    trial({
      // Apache has never learned `username*` (RFC 7616 section 3.4): what counts is that the client gives up.
      name: 'a user name in UTF-8, not known to Apache: 401',
      user: UTF8_USER,
      act: async (client, url) => {
        await refused(client, url);
        same("the user's form", /username[^,]*/.exec(lastAuthorization(client))?.[0], "username*=UTF-8''J%C3%A4ger");
      },
      statuses: [401, 401],
    }),
  ],
};

type Act = (client: OurClient, url: string, signal: AbortSignal) => Promise<void>;

interface Trial {
  readonly name: string;
  /** Default: `plain`. */
  readonly folder?: Folder;
  readonly query?: string;
  readonly user?: string;
  readonly password?: string;
  /** Default: two exchanges that are answered with 200. */
  readonly act?: Act;
  /** The statuses of all requests, in any order. Default: those of two exchanges. */
  readonly statuses?: readonly number[];
}

/** A case on a path of its own, by which the access log tells its requests. */
function trial({
  name,
  folder = 'plain',
  query = '',
  user = KEY,
  password = SECRET,
  act = exchanges(2),
  statuses: expected = [401, 200, 200],
}: Trial): InteropCase<Apache> {
  const pathname = `/${folder}/${name.replaceAll(/\W+/g, '-')}`;
  return {
    name,
    run: async (server, signal) => {
      await using client = createOurClient(user, password, signal);
      await act(client, server.url + pathname + query, signal);
      same('the number of requests by status', byStatus(statuses(client)), byStatus(expected));
      const logged = await server.logged(pathname, expected.length);
      same('the number of requests in the access log', logged, expected.length);
      return `${logged} requests`;
    },
  };
}

function exchanges(count: number, concurrency = 1): Act {
  return (client, url) => exchangeMany(client, url, count, concurrency);
}

async function refused(client: OurClient, url: string): Promise<void> {
  same('the status', (await client.get(url)).status, 401);
}

function repeat(count: number, status: number): number[] {
  return Array.from({ length: count }, () => status);
}

const byStatus = (all: readonly number[]): Readonly<Record<number, number>> =>
  Object.fromEntries([...new Set(all)].map((status) => [status, all.filter((one) => one === status).length]));

const outliveNonces = (signal: AbortSignal): Promise<void> =>
  delay(NONCE_LIFETIME_S * 1_000 + 500, undefined, { signal });
