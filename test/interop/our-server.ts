/** The Atlas simulator with one key and one job: what an independent client is tried on. */
import {
  type AtlasSimulator,
  type AtlasSimulatorOptions,
  startAtlasSimulator,
} from '../support/atlas-simulator/simulator.ts';
import { same } from './peer.ts';

export const PUBLIC_KEY = 'abcdefgh';
/** A user of Ops Manager, whose personal key is PRIVATE_KEY, too. */
export const MAIL_USER = "o'neil+backup@example.com";
export const PRIVATE_KEY = '0b8e4f5a-1c2d-4e3f-8a9b-123456789abc';

/** What the simulator answers with: the id of the job is in it. */
export const JOB_ID = '6b77893b80eef5354c77ee15';

/** As strict as it can be: nonce counts must rise. */
export async function startOurServer(options: AtlasSimulatorOptions = {}): Promise<AtlasSimulator> {
  const simulator = await startAtlasSimulator({ strictNc: true, ...options });
  for (const publicKey of [PUBLIC_KEY, MAIL_USER]) simulator.addApiKey({ publicKey, privateKey: PRIVATE_KEY });
  simulator.putJob(
    { groupId: GROUP_ID, clusterName: CLUSTER_NAME, jobId: JOB_ID },
    { kind: 'fixed', body: { id: JOB_ID, statusName: 'FINISHED', delivery: { methodName: 'HTTP' } } },
  );
  return simulator;
}

/** The address of the job, with a query string of one's own. */
export function jobUrl({ url }: AtlasSimulator, query = ''): string {
  return `${url}/api/atlas/v1.0/groups/${GROUP_ID}/clusters/${CLUSTER_NAME}/restoreJobs/${JOB_ID}${query}`;
}

/**
 * Compares what the simulator counted with what must have happened: the requests without and with an answer to a
 * challenge, and why answers were refused.
 */
export function counted(
  { requests }: AtlasSimulator,
  expected: { readonly none: number; readonly digest: number; readonly byRefusal?: Readonly<Record<string, number>> },
): string {
  const { byAuth, byRefusal, total } = requests.counts();
  same('the number of requests by authentication', [byAuth.none, byAuth.digest], [expected.none, expected.digest]);
  same('the list of refusals', { ...byRefusal }, expected.byRefusal ?? {});
  return `${total} requests`;
}

const GROUP_ID = '5a66666887d9d61443b41645';
const CLUSTER_NAME = 'Cluster0';
