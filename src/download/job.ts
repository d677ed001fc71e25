/** What a restore job says of its download: whether there is a file, where, and which hash it has. Pure. */
import { type AtlasApi, serverName } from '../api/atlas-api.ts';
import { printable } from '../api/printable.ts';
import type { RestoreJob } from '../api/restore-job.ts';
import type { Content } from '../restore-job/content.ts';
import { explain } from '../restore-job/messages.ts';
import type { DownloadReason } from '../restore-job/reasons.ts';
import { deliveryState, expiresAt, isDownload, jobState } from '../restore-job/state.ts';
import { DownloadError } from './errors.ts';
import type { Link } from './link.ts';

/** A restore job as one look at it found it. */
export interface JobView {
  readonly groupId: string;
  readonly jobId: string;
  readonly content: Content;
  /** What is known of it, whatever the delivery has come to. */
  readonly link: JobLink;
  /** Why the content may be old, or the link missing; undefined where there is nothing to say. */
  readonly remark?: string | undefined;
}

export type JobLink =
  | { readonly kind: 'link'; readonly link: Link }
  /** There is none yet. */
  | { readonly kind: 'none' }
  /** There is none that this command can use; it may come. */
  | { readonly kind: 'missing'; readonly error: DownloadError }
  /** There is none that this command can use, until a person changes something. */
  | { readonly kind: 'refused'; readonly error: DownloadError };

export type DownloadState =
  | { readonly kind: 'ready'; readonly link: Link }
  /** It may be ready later. The error is how the command ends that does not wait. */
  | { readonly kind: 'pending'; readonly error: DownloadError }
  /** There is no file any more, or never was one. */
  | { readonly kind: 'ended'; readonly error: DownloadError };

/** `now`: milliseconds since the epoch; `api`: the one that the job comes from. */
export function downloadState(view: JobView, now: number, api: AtlasApi): DownloadState {
  const { content, link, remark } = view;
  const state = jobState(content);
  if (state === 'broken' || state === 'killed') {
    const reason = state === 'broken' ? 'JobBroken' : 'JobKilled';
    return ended('JOB_FAILED', explain(reason, 'command', api));
  }
  const { delivery } = content;
  if (delivery === undefined) return pending(content, remark);
  if (!isDownload(content))
    return ended(
      'NOTHING_TO_DOWNLOAD',
      `There is nothing to download: ${serverName(api)} brings the data to its target itself, or gives no URL.`,
    );
  switch (deliveryState(delivery)) {
    case 'expired':
      return over('DownloadExpired', api);
    case 'exhausted':
      return over('MaxDownloadsExceeded', api);
    case 'failed':
      return over('DownloadFailed', api);
    case 'ready':
      if ((expiresAt(delivery) ?? Number.POSITIVE_INFINITY) <= now) return over('DownloadExpired', api);
      return ready(link, content, remark);
    case 'absent':
    case 'pending':
    case 'unknown':
      return pending(content, remark);
  }
}

/**
 * Atlas's hash of the file that Atlas calls `fileName`: that of the entry of this name, else the only one there is. In
 * lower case; undefined while Atlas has none.
 */
export function hashOf({ hashes = [] }: Pick<RestoreJob, 'hashes'>, fileName: string | undefined): string | undefined {
  const known = hashes.flatMap(({ fileName: name, hash = '', typeName = 'SHA1' }) =>
    /^SHA-?1$/i.test(typeName) && /^[0-9a-f]{40}$/i.test(hash) ? [{ name, hash: hash.toLowerCase() }] : [],
  );
  const named = known.find(({ name }) => name !== undefined && name === fileName);
  return (named ?? (known.length === 1 ? known[0] : undefined))?.hash;
}

/** `IN_PROGRESS, delivery NOT_STARTED` */
export function stateText({ statusName, delivery }: RestoreJob): string {
  const status = printable(statusName ?? 'no status', MAX_NAME);
  return delivery?.statusName === undefined
    ? status
    : `${status}, delivery ${printable(delivery.statusName, MAX_NAME)}`;
}

const MAX_NAME = 64;

function ready(link: JobLink, content: Content, remark: string | undefined): DownloadState {
  switch (link.kind) {
    case 'link':
      return { kind: 'ready', link: link.link };
    case 'missing':
      return { kind: 'pending', error: link.error };
    case 'refused':
      return { kind: 'ended', error: link.error };
    case 'none':
      return pending(content, remark);
  }
}

const ended = (code: 'JOB_FAILED' | 'NOTHING_TO_DOWNLOAD', message: string): DownloadState => ({
  kind: 'ended',
  error: new DownloadError(code, message),
});

const over = (reason: DownloadReason, api: AtlasApi): DownloadState =>
  ended('NOTHING_TO_DOWNLOAD', explain(reason, 'command', api));

function pending(content: Content, remark: string | undefined): DownloadState {
  const more = remark === undefined ? '' : ` ${remark}`;
  const message = `The download is not ready (${stateText(content)}).${more} --wait waits for it.`;
  return { kind: 'pending', error: new DownloadError('NOT_READY', message) };
}
