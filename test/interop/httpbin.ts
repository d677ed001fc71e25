/**
 * Our client against PyPI's httpbin, for SHA-256. httpbin keeps no state: a nonce is stale when the request's cookies
 * say so. Our client keeps no cookies, so the cases send those that they mean.
 */
import { eventually } from '../support/eventually.ts';
import { createOurClient, exchangeMany, lastAuthorization, saysStale, statuses } from './our-client.ts';
import { ensurePython } from './packages.ts';
import { type InteropCase, type Peer, same } from './peer.ts';

interface Httpbin {
  readonly url: string;
}

const USER = 'abcdefgh';
const PASSWORD = '0b8e4f5a-1c2d';

export const httpbin: Peer<Httpbin> = {
  name: 'httpbin',
  async start(context, cleanup) {
    const found = await ensurePython(context);
    if ('missing' in found) return found;
    const { processes, signal } = context;
    const version = await processes.run(
      found.python,
      ['-c', 'from importlib.metadata import version as v; print(v("httpbin"))'],
      { signal },
    );
    const server = await processes.start(found.python, ['-m', 'httpbin.core', '--host', '127.0.0.1', '--port', '0']);
    cleanup.use(server);
    const url = await eventually('httpbin says where it listens', () => {
      signal.throwIfAborted();
      const [, said] = /Running on (http:\S+)/.exec(server.output()) ?? [];
      if (said === undefined) throw new Error(server.output().trim());
      return said;
    });
    return { version: version.stdout.trim(), subject: { url } };
  },
  cases: [
    accepted('MD5', `auth/${USER}/${PASSWORD}/MD5`),
    accepted('SHA-256', `auth/${USER}/${PASSWORD}/SHA-256`),
    accepted('MD5, stale after: never', `auth/${USER}/${PASSWORD}/MD5/never`),
    accepted('SHA-256, stale after: never', `auth/${USER}/${PASSWORD}/SHA-256/never`),
    accepted('SHA-256, a choice of auth and auth-int', `any/${USER}/${PASSWORD}/SHA-256`),
    // httpbin takes any user name: what is right is the hash over the one it has read. In the path it would not be, for
    // httpbin hashes a decoded path; and a query string makes it fail.
    accepted('SHA-256, a user name in UTF-8 (username*)', `auth/${USER}/${PASSWORD}/SHA-256`, 'Jäger'),
    {
      name: 'SHA-256, wrong password: 401, and no further try',
      run: async ({ url }, signal) => {
        await using client = createOurClient(USER, 'wrong', signal);
        await client.get(`${url}/digest-auth/auth/${USER}/${PASSWORD}/SHA-256`);
        same('the list of statuses', statuses(client), [401, 401]);
        return '2 requests';
      },
    },
    {
      name: 'SHA-256, 16 exchanges at a time, 100 in all',
      run: async ({ url }, signal) => {
        await using client = createOurClient(USER, PASSWORD, signal);
        await exchangeMany(client, `${url}/digest-auth/auth/${USER}/${PASSWORD}/SHA-256`, 100, 16);
        return `${client.sent.length} requests`;
      },
    },
    {
      name: 'SHA-256, a stale nonce',
      run: async ({ url }, signal) => {
        await using client = createOurClient(USER, PASSWORD, signal);
        const resource = `${url}/digest-auth/auth/${USER}/${PASSWORD}/SHA-256`;
        await client.get(resource);
        const [, nonce = ''] = /nonce="([^"]*)"/.exec(lastAuthorization(client)) ?? [];
        await client.get(resource, { cookie: `last_nonce=${nonce}` });
        same('the list of statuses', statuses(client), [401, 200, 401, 200]);
        same('stale in the challenges', client.sent.map(saysStale), [false, false, true, false]);
        return '2 requests, then 2';
      },
    },
    {
      name: 'SHA-256, every nonce stale: given up',
      run: async ({ url }, signal) => {
        await using client = createOurClient(USER, PASSWORD, signal);
        await client.get(`${url}/digest-auth/auth/${USER}/${PASSWORD}/SHA-256/0`, { cookie: 'stale_after=0' });
        same('the list of statuses', statuses(client), [401, 401, 401]);
        return '3 requests';
      },
    },
    // SHA-512 is httpbin's own: RFC 7616 has SHA-512-256. Without qop=auth the body would have to be hashed.
    declined('SHA-512, which is not of RFC 7616', `auth/${USER}/${PASSWORD}/SHA-512`),
    declined('qop=auth-int alone', `auth-int/${USER}/${PASSWORD}/SHA-256`),
  ],
};

function accepted(name: string, resource: string, user = USER): InteropCase<Httpbin> {
  return {
    name,
    run: async ({ url }, signal) => {
      await using client = createOurClient(user, PASSWORD, signal);
      await exchangeMany(client, `${url}/digest-auth/${resource}`, 3);
      same('the list of statuses', statuses(client), [401, 200, 200, 200]);
      // httpbin takes an unknown algorithm for MD5: the case would then prove nothing of SHA-256.
      const [, algorithm] = /\balgorithm=([^,]*)/.exec(lastAuthorization(client)) ?? [];
      same('the algorithm', algorithm, /MD5|SHA-256/.exec(resource)?.[0]);
      return '4 requests';
    },
  };
}

/** A challenge that our client does not answer, and so does not weaken. */
function declined(name: string, resource: string): InteropCase<Httpbin> {
  return {
    name: `${name}: not answered`,
    run: async ({ url }, signal) => {
      await using client = createOurClient(USER, PASSWORD, signal);
      await client.get(`${url}/digest-auth/${resource}`);
      same('the list of statuses', statuses(client), [401]);
      return '1 request';
    },
  };
}
