/** A restore job at the simulator with a file at a download host, which Atlas tells the hash of once it was downloaded. */
import { createHash, randomBytes } from 'node:crypto';
import type { Serving } from './atlas-simulator/files.ts';
import type { JobIdentity } from './atlas-simulator/jobs.ts';
import type { JsonObject } from './atlas-simulator/json.ts';
import { atlasDate, pendingDownload } from './atlas-simulator/recorded-bodies.ts';
import type { AtlasSimulator } from './atlas-simulator/simulator.ts';
import { type DownloadFault, OTHER_CONTENT, OTHER_ORIGIN } from './download-faults.ts';
import { API_KEY, CLUSTER_NAME, GROUP_ID, newJobId } from './test-bed.ts';

/** What is in every file. */
export const FILE_CONTENT = randomBytes(300_000);
export const FILE_SHA1 = sha1Of(FILE_CONTENT);
/** What opens every file, and must be seen nowhere. */
export const FILE_HEADER = { name: 'X-Backup-Restore-Key', value: 'canary-header-value' } as const;
export const FILE_KEY = 'canary+key/of=the url';
/** What a command needs to ask for every job. */
export const WITH_KEY = {
  MONGODB_ATLAS_PUBLIC_API_KEY: API_KEY.publicKey,
  MONGODB_ATLAS_PRIVATE_API_KEY: API_KEY.privateKey,
} as const;

export interface Put {
  readonly job: JobIdentity;
  /** Of the file. */
  readonly name: string;
  /** Flags that name the job. */
  readonly ids: readonly string[];
  /** What Atlas says of the job before anybody has downloaded its file. */
  readonly body: JsonObject;
  /** Lets Atlas say something else from now on. */
  readonly says: (body: JsonObject) => void;
  /** The requests for the file in short: `200`, `206 from 100000`. */
  readonly requests: () => readonly string[];
}

export interface PutOptions extends Partial<Pick<DownloadFault, 'servings' | 'hash' | 'delivery' | 'maxDownloads'>> {
  readonly content?: Uint8Array;
  /** Told when the file is given from its first byte. */
  readonly onBegun?: () => void;
}

/** `other`: where redirects to another origin go. */
export function putDownload(
  { atlas, other = atlas }: { readonly atlas: AtlasSimulator; readonly other?: AtlasSimulator },
  options: PutOptions = {},
): Put {
  const { content = FILE_CONTENT, servings = [], hash = 'right', delivery = {}, maxDownloads = NO_LIMIT } = options;
  const job = { groupId: GROUP_ID, clusterName: CLUSTER_NAME, jobId: newJobId() };
  const name = `shard-0-1516661094-${job.jobId}.tar.gz`;
  const says = (said: JsonObject): void => atlas.putJob(job, { kind: 'fixed', body: said });
  const offer = { name, content, key: FILE_KEY, onDownloaded: () => tellHash() };
  const elsewhere = other === atlas ? '' : other.url + other.files.put(offer).path;
  const offered = atlas.files.put({
    ...offer,
    header: FILE_HEADER,
    maxDownloads,
    servings: servings.map((serving) => redirected(serving, elsewhere)),
    onBegun: (count) => {
      options.onBegun?.();
      if (count === maxDownloads) says({ ...body, delivery: { ...delivered, statusName: 'MAX_DOWNLOADS_EXCEEDED' } });
    },
  });
  const delivered = {
    expirationHours: 48,
    expires: atlasDate(Date.now() + 86_400_000),
    maxDownloads,
    methodName: 'HTTP',
    statusName: 'READY',
    url: atlas.url + offered.path,
    urlV2: atlas.url + offered.pathV2,
    authHeader: FILE_HEADER.name,
    authValue: FILE_HEADER.value,
    ...delivery,
  };
  const body = { ...pendingDownload(job), delivery: delivered };
  const told = withHash(body, name, sha1Of(hash === 'wrong' ? OTHER_CONTENT : content));
  says(hash === 'known' ? told : body);

  function tellHash(): void {
    if (hash === 'right' || hash === 'wrong') says(told);
    if (hash === 'late') atlas.putJob(job, { kind: 'timeline', steps: [body, told].map(after(200)) });
  }

  return {
    job,
    name,
    ids: [`--group-id=${job.groupId}`, `--cluster-name=${job.clusterName}`, `--job-id=${job.jobId}`],
    body,
    says,
    requests: () =>
      [...new Set([atlas, other])]
        .flatMap(({ files }) => files.requests.filter((request) => request.name === name))
        .map(({ status, range }) => `${status}${range === undefined ? '' : ` from ${range.slice(6, -1)}`}`),
  };
}

export function sha1Of(content: Uint8Array): string {
  return createHash('sha1').update(content).digest('hex');
}

/** A job of which Atlas tells the hash. */
export const withHash = (body: JsonObject, fileName: string, hash: string): JsonObject => ({
  ...body,
  hashes: [{ fileName, hash, typeName: 'SHA1' }],
});

/** Atlas's word for it. */
const NO_LIMIT = 2_147_483_647;

const after = (ms: number) => (body: JsonObject, index: number) => ({ afterMs: index * ms, body });

function redirected(serving: Serving, elsewhere: string): Serving {
  return serving.kind === 'redirect' && serving.location === OTHER_ORIGIN
    ? { ...serving, location: elsewhere }
    : serving;
}
