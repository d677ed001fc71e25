/** Python's Digest clients against our simulator. */
import path from 'node:path';
import * as z from 'zod';
import type { DigestAlgorithm } from '../support/atlas-simulator/behavior.ts';
import { counted, jobUrl, PRIVATE_KEY, PUBLIC_KEY, startOurServer } from './our-server.ts';
import { ensurePython } from './packages.ts';
import { type InteropCase, type Peer, same } from './peer.ts';

interface PythonClients {
  /** The answers' statuses. */
  readonly get: (
    client: 'httpx' | 'requests' | 'unquoted-requests',
    password: string,
    urls: readonly string[],
  ) => Promise<readonly number[]>;
}

export const pythonClients: Peer<PythonClients> = {
  name: 'Python',
  async start(context) {
    const found = await ensurePython(context);
    if ('missing' in found) return found;
    const { processes, signal } = context;
    const run = async (args: readonly string[]): Promise<string> => {
      const { exit, stdout, stderr } = await processes.run(found.python, args, { signal });
      if (exit !== 0) throw new Error(`Python ended with ${exit}: ${stderr.trim().split('\n').at(-1)}`);
      return stdout;
    };
    return {
      version: (await run(['-c', VERSIONS])).trim(),
      subject: {
        get: async (client, password, urls) =>
          Statuses.parse(JSON.parse(await run([SCRIPT, client, PUBLIC_KEY, password, ...urls]))),
      },
    };
  },
  cases: [
    accepted('httpx', 'MD5'),
    accepted('httpx', 'SHA-256'),
    // Its quotes removed, the rest of requests is worth a comparison.
    accepted('unquoted-requests', 'MD5'),
    accepted('unquoted-requests', 'SHA-256'),
    {
      name: 'httpx, wrong password: 401',
      run: async (python) => {
        await using server = await startOurServer();
        same('the list of statuses', await python.get('httpx', 'wrong', [jobUrl(server)]), [401]);
        return counted(server, { none: 1, digest: 1, byRefusal: { 'wrong-response': 1 } });
      },
    },
    {
      // RFC 7616 section 3.4: algorithm and qop MUST NOT be quoted. Our simulator is there to insist.
      name: 'requests, which quotes algorithm and qop: refused',
      run: async (python) => {
        await using server = await startOurServer();
        same('the list of statuses', await python.get('requests', PRIVATE_KEY, [jobUrl(server)]), [401]);
        return counted(server, { none: 1, digest: 1, byRefusal: { 'wrong-algorithm': 1 } });
      },
    },
  ],
};

const SCRIPT = path.join(import.meta.dirname, 'python-clients.py');
const VERSIONS =
  'import platform, httpx, requests; ' +
  'print(f"{platform.python_version()}, httpx {httpx.__version__}, requests {requests.__version__}")';
const Statuses = z.array(z.number());

function accepted(client: 'httpx' | 'unquoted-requests', algorithm: DigestAlgorithm): InteropCase<PythonClients> {
  return {
    name: `${client}, ${algorithm}: three URLs, one nonce`,
    run: async (python) => {
      await using server = await startOurServer({ algorithms: [algorithm] });
      const urls = ['', '?pretty=true', '?envelope=true&a=b,c'].map((query) => jobUrl(server, query));
      same('the list of statuses', await python.get(client, PRIVATE_KEY, urls), [200, 200, 200]);
      return counted(server, { none: 1, digest: 3 });
    },
  };
}
