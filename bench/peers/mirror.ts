/** What the peers in TypeScript share: a lean Digest client, and the status and the event that every subject writes. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { type Dispatcher, request } from 'undici';

/** As much of a LegacyRestoreJob as the peers look at. */
export interface Resource {
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly generation: number;
  };
  readonly spec: {
    readonly groupId: string;
    readonly clusterName: string;
    readonly jobId: string;
    readonly credentialsSecretRef: { readonly name: string };
    readonly interval: string;
  };
  readonly status?: Status;
}

export interface Status extends Answer {
  readonly observedGeneration?: number;
  readonly conditions?: readonly Condition[];
}

/** Atlas's answer; members that nobody here looks at are passed on. */
export interface Answer {
  readonly statusName?: string;
  readonly delivery?: { readonly targetClusterId?: string };
  readonly [member: string]: unknown;
}

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration: number;
}

export interface ApiKey {
  readonly publicApiKey: string;
  readonly privateApiKey: string;
}

/** A value of the environment; throws when it is missing. */
export function environment(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is missing`);
  return value;
}

/** Fetches restore jobs with HTTP Digest (MD5, qop=auth); one nonce is used until Atlas gives another. */
export function createAtlas(
  baseUrl: string,
  dispatcher: Dispatcher,
): (key: ApiKey, spec: Resource['spec']) => Promise<Answer> {
  let challenge = { realm: '', nonce: '' };
  let count = 0;

  function authorization({ publicApiKey, privateApiKey }: ApiKey, uri: string): string {
    const { realm, nonce } = challenge;
    count += 1;
    const nc = count.toString(16).padStart(8, '0');
    const cnonce = randomBytes(16).toString('hex');
    const secret = md5(`${publicApiKey}:${realm}:${privateApiKey}`);
    const response = md5(`${secret}:${nonce}:${nc}:${cnonce}:auth:${md5(`GET:${uri}`)}`);
    return (
      `Digest username="${publicApiKey}", realm="${realm}", nonce="${nonce}", uri="${uri}", response="${response}", ` +
      `algorithm=MD5, qop=auth, nc=${nc}, cnonce="${cnonce}"`
    );
  }

  async function send(key: ApiKey, uri: string): Promise<Dispatcher.ResponseData> {
    const headers = {
      accept: 'application/json',
      ...(challenge.nonce === '' ? {} : { authorization: authorization(key, uri) }),
    };
    return request(baseUrl + uri, { headers, dispatcher });
  }

  return async (key, { groupId, clusterName, jobId }) => {
    const uri = `/api/atlas/v1.0/groups/${groupId}/clusters/${clusterName}/restoreJobs/${jobId}`;
    let answer = await send(key, uri);
    if (answer.statusCode === 401) {
      await answer.body.dump();
      const [, realm = '', nonce = ''] =
        /^Digest realm="([^"]+)".* nonce="([^"]+)"/.exec(String(answer.headers['www-authenticate'])) ?? [];
      challenge = { realm, nonce };
      count = 0;
      answer = await send(key, uri);
    }
    if (answer.statusCode !== 200) throw new Error(`Atlas answered ${answer.statusCode}`);
    return toAnswer(await answer.body.json());
  };
}

/** The status after an answer; conditions keep their time while their status stays. */
export function statusAfter(answer: Answer, { metadata, status }: Resource): Status {
  const { generation } = metadata;
  const conditions = [
    answer.statusName === 'FINISHED'
      ? { type: 'Ready', status: 'True', reason: 'JobFinished', message: 'Atlas finished the restore job.' }
      : { type: 'Ready', status: 'False', reason: 'JobInProgress', message: 'The restore job is running at Atlas.' },
    { type: 'Synced', status: 'True', reason: 'JobFetched', message: "The status equals Atlas's last answer." },
  ];
  const now = `${new Date().toISOString().slice(0, -5)}Z`;
  return {
    ...answer,
    observedGeneration: generation,
    conditions: conditions.map((condition) => {
      const before = status?.conditions?.find(({ type }) => type === condition.type);
      const lastTransitionTime = before?.status === condition.status ? before.lastTransitionTime : now;
      return { ...condition, lastTransitionTime, observedGeneration: generation };
    }),
  };
}

/** An event of events.k8s.io/v1 without its time, which the peers write as their libraries want it. */
export interface EventBody {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly reportingController: string;
  readonly reportingInstance: string;
  readonly action: string;
  readonly type: string;
  readonly reason: string;
  readonly note: string;
  readonly regarding: {
    readonly apiVersion: string;
    readonly kind: string;
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
  };
}

/**
 * The event that goes with a status: one where Ready has another reason than before, none of a job that had ended before
 * it was first mirrored.
 */
export function eventAfter(
  status: Status,
  { metadata, status: previous }: Resource,
  peer: string,
): EventBody | undefined {
  const [[ready], [before]] = [status.conditions ?? [], previous?.conditions ?? []];
  if (ready === undefined || ready.reason === before?.reason) return undefined;
  if (before === undefined && hasEnded(status)) return undefined;
  const { namespace, name, uid } = metadata;
  return {
    metadata: { name: `${name}.${randomUUID()}`, namespace },
    reportingController: `atlasrestore.dev/${peer}`,
    reportingInstance: 'bench',
    action: 'Mirror',
    type: 'Normal',
    reason: ready.reason,
    note: ready.message,
    regarding: { apiVersion: 'atlasrestore.dev/v1', kind: 'LegacyRestoreJob', namespace, name, uid },
  };
}

/** Nothing changes any more at Atlas: an automated restore that has finished. */
export const hasEnded = ({ statusName, delivery }: Status): boolean =>
  statusName === 'FINISHED' && delivery?.targetClusterId !== undefined;

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

function toAnswer(body: unknown): Answer {
  if (typeof body !== 'object' || body === null) throw new Error('Atlas answered with no object');
  return { ...body };
}
