/** The operator's own Digest client, with a record of what it sent. */
import { Agent } from 'undici';
import type { AtlasCredentials } from '../../src/atlas/credentials.ts';
import { chooseChallenge } from '../../src/atlas/digest.ts';
import { createDigestAuthentication } from '../../src/atlas/digest-authentication.ts';
import { createSend, type HttpRequest, type HttpResponse } from '../../src/atlas/http.ts';
import { same } from './peer.ts';

export interface OurClient extends AsyncDisposable {
  /** One exchange, with the requests that Digest makes of it. */
  readonly get: (url: string, headers?: Readonly<Record<string, string>>) => Promise<HttpResponse>;
  /** Sends the last request once more as it was, its nonce count too. */
  readonly replay: () => Promise<HttpResponse>;
  /** The answered requests so far, oldest first; the array grows. */
  readonly sent: readonly Sent[];
}

export interface Sent {
  readonly request: HttpRequest;
  readonly answer: HttpResponse;
}

/** A client that knows no nonce yet. */
export function createOurClient(publicKey: string, privateKey: string, signal: AbortSignal): OurClient {
  const dispatcher = new Agent();
  const send = createSend({ dispatcher, timeoutMs: 10_000, signal, userAgent: 'legacy-restore-operator/interop' });
  const authentication = createDigestAuthentication();
  const credentials: Extract<AtlasCredentials, { kind: 'apiKey' }> = { kind: 'apiKey', publicKey, privateKey };
  const sent: Sent[] = [];
  const recorded = async (request: HttpRequest): Promise<HttpResponse> => {
    const answer = await send(request);
    sent.push({ request, answer });
    return answer;
  };
  return {
    get: (url, headers = {}) =>
      authentication.authenticate(recorded, { method: 'GET', url, headers }, credentials, 'the only key'),
    replay: async () => {
      const last = sent.at(-1);
      if (last === undefined) throw new Error('there is no request to send once more');
      return recorded(last.request);
    },
    sent,
    [Symbol.asyncDispose]: () => dispatcher.destroy(),
  };
}

/** The statuses of all requests so far. */
export const statuses = ({ sent }: OurClient): readonly number[] => sent.map(({ answer }) => answer.status);

/** What the last request sent as Authorization; empty when it sent none. */
export const lastAuthorization = ({ sent }: OurClient): string => sent.at(-1)?.request.headers['authorization'] ?? '';

/** Whether the peer refused a nonce and not the key. */
export const saysStale = ({ answer }: Sent): boolean =>
  chooseChallenge(answer.headers['www-authenticate'])?.stale === true;

/** Makes exchanges, some at a time, and throws unless each is answered with 200 and no nonce count is sent twice. */
export async function exchangeMany(client: OurClient, url: string, count: number, concurrency = 1): Promise<void> {
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) same('the status', (await client.get(url)).status, 200);
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  noCountTwice(client);
}

// A server would take it for a replay. Apache issues a nonce twice when it has two challenges in one microsecond: each
// is counted from 1 then, for its client cannot know.
function noCountTwice({ sent }: OurClient): void {
  const issued = sent.map(({ answer }) => chooseChallenge(answer.headers['www-authenticate'])?.nonce);
  const used = sent
    .map(({ request }) => request.headers['authorization'])
    .filter((header) => header !== undefined)
    .map((header) => {
      const [, nonce, count] = /nonce="([^"]*)".* nc=(\w+)/.exec(header) ?? [];
      return { nonce: nonce ?? '', use: `${nonce} ${count}` };
    });
  const tooOften = used.filter(
    ({ nonce, use }) => occurrences(used, (one) => one.use === use) > occurrences(issued, (one) => one === nonce),
  );
  same('the list of nonce counts sent twice', tooOften, []);
}

const occurrences = <T>(all: readonly T[], isOne: (one: T) => boolean): number => all.filter(isOne).length;
