/** `curl --digest` against our simulator. */
import type { AtlasSimulatorOptions } from '../support/atlas-simulator/simulator.ts';
import { counted, JOB_ID, jobUrl, MAIL_USER, PRIVATE_KEY, PUBLIC_KEY, startOurServer } from './our-server.ts';
import { ensureProgram } from './packages.ts';
import { type Context, type InteropCase, type Peer, same } from './peer.ts';

interface Curl {
  /** The answers' statuses and bodies, of one process. */
  readonly get: (user: string, urls: readonly string[]) => Promise<readonly CurlAnswer[]>;
}

interface CurlAnswer {
  readonly status: number;
  readonly body: string;
}

const RIGHT = `${PUBLIC_KEY}:${PRIVATE_KEY}`;

export const curl: Peer<Curl> = {
  name: 'curl',
  async start(context) {
    const found = await ensureProgram('curl', 'curl', context);
    if ('missing' in found) return found;
    const version = await context.processes.run(found.program, ['--version'], { signal: context.signal });
    return {
      version: /^curl (\S+)/.exec(version.stdout)?.[1] ?? '(unknown version)',
      subject: { get: (user, urls) => get(found.program, user, urls, context) },
    };
  },
  cases: [
    accepted('MD5', {}),
    accepted('SHA-256', { algorithms: ['SHA-256'] }),
    accepted('a choice of SHA-256 and MD5', { algorithms: ['SHA-256', 'MD5'] }),
    accepted('an e-mail address as the user name', {}, `${MAIL_USER}:${PRIVATE_KEY}`),
    {
      // Each URL costs two requests: the command line tool forgets the nonce between them.
      name: 'five URLs over one connection',
      run: async (client) => {
        await using server = await startOurServer();
        const urls = ['', '?pretty=true', '?envelope=true', '?a=b,c%22', '?'].map((query) => jobUrl(server, query));
        const answers = await client.get(RIGHT, urls);
        same(
          'the list of statuses',
          answers.map(({ status }) => status),
          [200, 200, 200, 200, 200],
        );
        return counted(server, { none: 5, digest: 5 });
      },
    },
    {
      name: 'a nonce that is stale at its first use: stale=true',
      run: async (client) => {
        const arrived = { count: () => 0 };
        // An hour passes on the simulator's clock between the first and the second request.
        const now = (): number => Date.UTC(2026, 0) + (arrived.count() < 2 ? 0 : 3_600_000);
        await using server = await startOurServer({ now });
        arrived.count = () => server.requests.counts().total;
        const [answer] = await client.get(RIGHT, [jobUrl(server)]);
        same('the status', answer?.status, 200);
        return counted(server, { none: 1, digest: 2, byRefusal: { 'stale-nonce': 1 } });
      },
    },
    refused('wrong password', `${PUBLIC_KEY}:wrong`, 'wrong-response'),
    refused('unknown user', `nobody:${PRIVATE_KEY}`, 'unknown-key'),
  ],
};

function accepted(name: string, options: AtlasSimulatorOptions, user = RIGHT): InteropCase<Curl> {
  return {
    name,
    run: async (client) => {
      await using server = await startOurServer(options);
      const [answer] = await client.get(user, [jobUrl(server)]);
      same('the status', answer?.status, 200);
      same('whether the job is in the answer', answer?.body.includes(JOB_ID), true);
      return counted(server, { none: 1, digest: 1 });
    },
  };
}

function refused(name: string, user: string, refusal: string): InteropCase<Curl> {
  return {
    name: `${name}: 401`,
    run: async (client) => {
      await using server = await startOurServer();
      const [answer] = await client.get(user, [jobUrl(server)]);
      same('the status', answer?.status, 401);
      return counted(server, { none: 1, digest: 1, byRefusal: { [refusal]: 1 } });
    },
  };
}

async function get(
  program: string,
  user: string,
  urls: readonly string[],
  { processes, signal }: Context,
): Promise<readonly CurlAnswer[]> {
  // --disable: a .curlrc of this machine's user could add anything. The line after each body tells its status.
  const options = ['--disable', '--noproxy', '*', '--silent', '--show-error', '--max-time', '20', '--globoff'];
  const args = [...options, '--digest', '--user', user, '--write-out', `\n${STATUS}%{http_code}\n`, ...urls];
  const { exit, stdout, stderr } = await processes.run(program, args, { signal });
  if (exit !== 0) throw new Error(`curl ended with ${exit}: ${stderr.trim()}`);
  return [...stdout.matchAll(ANSWER)].map(([, body = '', status]) => ({ status: Number(status), body }));
}

const STATUS = 'interop-status: ';
const ANSWER = new RegExp(`([^]*?)\\n${STATUS}(\\d+)\\n`, 'g');
