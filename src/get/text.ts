/** A restore job as a person reads it, and what to do next. */
import { type AtlasApi, serverName } from '../api/atlas-api.ts';
import { printable } from '../api/printable.ts';
import type { RestoreDelivery, RestoreJob, RestoreJobResponse } from '../api/restore-job.ts';
import { fromNow, shown } from '../command/readable.ts';
import { explain } from '../restore-job/messages.ts';
import { meaningOf } from '../restore-job/reasons.ts';
import { deliveryState, expiresAt, hasUrl, isDownload, jobState, timeOf } from '../restore-job/state.ts';

interface TextOptions {
  readonly atlasApi: AtlasApi;
  readonly showUrl: boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Groups of aligned lines, and what to do next. */
export function jobText(response: RestoreJobResponse, options: TextOptions): string {
  const { job } = response;
  const groups: readonly Group[] = [
    { title: 'Job', rows: jobRows(job, options) },
    { title: 'Delivery', rows: job.delivery === undefined ? [] : deliveryRows(job.delivery, response, options) },
    { title: 'Hashes', rows: hashRows(response, options) },
  ];
  const filled = groups.filter(({ rows }) => rows.length > 0);
  const width = Math.max(...filled.flatMap(({ rows }) => rows.map(([name]) => name.length)));
  const paragraphs = filled.map(({ title, rows }) => [title, ...rows.map((row) => line(row, width))]);
  const next = ['Next', ...nextSteps(response, options).map((step) => `  ${step}`)];
  return `${[...paragraphs, next].map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

type Row = readonly [name: string, value: string];
interface Group {
  readonly title: string;
  readonly rows: readonly Row[];
}

/** Lines of Atlas's that a person can read at once; json and yaml have them all. */
const MOST_HASHES = 20;
/** Every line is as wide as the longest name. */
const LONGEST_NAME = 20;
/** Atlas's word for no limit. */
const NO_LIMIT = 2_147_483_647;
const HIDDEN = 'hidden; --show-url shows it';

const line = ([name, value]: Row, width: number): string => `  ${`${name}:`.padEnd(width + 1)} ${value}`;

/** A row, unless Atlas told nothing. */
const row = (name: string, value: string | undefined): readonly Row[] =>
  value === undefined ? [] : [[name, shown(value)]];

function jobRows(job: RestoreJob, { now }: TextOptions): readonly Row[] {
  return [
    ['status', shown(job.statusName ?? 'not told')],
    ...row('id', job.id),
    ...row('project', job.groupId),
    ...row('cluster', withId(job.clusterName, job.clusterId)),
    ...row('batch', job.batchId),
    ...row('snapshot', job.snapshotId),
    ...row('deployment job', job.deploymentJobId),
    ...row('created', moment(job.created, now)),
    ...row('point in time', yesNo(job.pointInTime)),
    ...row('data up to', dataUpTo(job, now)),
    ...row('encrypted', encryption(job)),
  ];
}

function deliveryRows(
  delivery: RestoreDelivery,
  { authValue }: RestoreJobResponse,
  { showUrl, now }: TextOptions,
): readonly Row[] {
  const secret = (value: string | undefined): string | undefined => (value === undefined || showUrl ? value : HIDDEN);
  return [
    ['status', shown(delivery.statusName ?? 'not told')],
    ...row('method', delivery.methodName),
    ...row('target cluster', withId(delivery.targetClusterName, delivery.targetClusterId)),
    ...row('target project', delivery.targetGroupId),
    ...row('expires', moment(delivery.expires, now)),
    ...row('valid for', delivery.expirationHours === undefined ? undefined : `${delivery.expirationHours}h once ready`),
    ...row('downloads', downloads(delivery.maxDownloads)),
    ...row('url', secret(delivery.url)),
    ...row('url v2', secret(delivery.urlV2)),
    ...row('header', delivery.authHeader),
    ...row('header value', secret(authValue)),
  ];
}

function hashRows({ job }: RestoreJobResponse, { atlasApi }: TextOptions): readonly Row[] {
  const hashes = job.hashes ?? [];
  if (hashes.length === 0)
    return isDownload(job) && hasUrl(job)
      ? [['hash', `not yet: ${serverName(atlasApi)} tells it once the file was downloaded`]]
      : [];
  const rows = hashes
    .slice(0, MOST_HASHES)
    .flatMap(({ typeName = 'hash', hash = 'not told', fileName = '' }) =>
      row(printable(typeName, LONGEST_NAME), `${hash}  ${fileName}`),
    );
  const more = hashes.length - MOST_HASHES;
  return more > 0 ? [...rows, ['more', `${more}; -o json lists them`]] : rows;
}

function withId(name: string | undefined, id: string | undefined): string | undefined {
  if (name === undefined || id === undefined) return name ?? id;
  return `${name} (${id})`;
}

function moment(date: string | undefined, now: number): string | undefined {
  const time = date === undefined ? undefined : timeOf(date);
  return time === undefined ? date : `${date} (${fromNow(time, now)})`;
}

function yesNo(value: boolean | undefined): string | undefined {
  if (value === undefined) return undefined;
  return value ? 'yes' : 'no';
}

function dataUpTo({ timestamp }: RestoreJob, now: number): string | undefined {
  const date = moment(timestamp?.date, now);
  if (date === undefined || timestamp?.increment === undefined) return date;
  return `${date}, oplog entry ${timestamp.increment} of that second`;
}

function encryption({ encryptionEnabled, masterKeyUUID }: RestoreJob): string | undefined {
  if (masterKeyUUID === undefined) return yesNo(encryptionEnabled);
  return `${yesNo(encryptionEnabled) ?? 'not told'}, with the master key ${masterKeyUUID}`;
}

function downloads(most: number | undefined): string | undefined {
  if (most === undefined) return undefined;
  return most >= NO_LIMIT ? 'no limit' : `at most ${most}`;
}

// What to do next

/** Lines of text; some are commands. */
function nextSteps(response: RestoreJobResponse, options: TextOptions): readonly string[] {
  const { atlasApi } = options;
  switch (jobState(response.job)) {
    case 'running':
      return ['The job is running. The same command with --watch waits until it has finished.'];
    case 'broken':
    case 'killed':
      return [`The job will not finish. Create a new restore job in ${serverName(atlasApi)}.`];
    case 'unknown':
      return [`This version does not know the status of the job. Look at the job in ${serverName(atlasApi)}.`];
    case 'finished':
      return afterFinish(response, options);
  }
}

function afterFinish(response: RestoreJobResponse, options: TextOptions): readonly string[] {
  const { job } = response;
  const { delivery } = job;
  const { atlasApi } = options;
  if (delivery === undefined) return [`${serverName(atlasApi)} names no delivery yet. Ask again later.`];
  if (!isDownload(job)) return [nothingToDownload(serverName(atlasApi))];
  switch (deliveryState(delivery)) {
    case 'ready':
      return (expiresAt(delivery) ?? Number.POSITIVE_INFINITY) <= options.now
        ? [explain('DownloadExpired', 'command', atlasApi)]
        : ['Fetch and verify the file: the command download takes the same flags for the job and the credentials.'];
    case 'expired':
      return [explain('DownloadExpired', 'command', atlasApi)];
    case 'exhausted':
      return [explain('MaxDownloadsExceeded', 'command', atlasApi)];
    case 'failed':
      return [explain('DownloadFailed', 'command', atlasApi)];
    case 'pending':
    case 'absent':
    case 'unknown':
      return [`${meaningOf('DownloadPending')} The same command with --watch --for=download waits for it.`];
  }
}

/** An automated restore has finished once it is handed over: agents bring the data to the cluster later. */
const nothingToDownload = (server: string): string =>
  `There is nothing to download: ${server} brings the data to its target itself, which goes on after the job has finished.`;
