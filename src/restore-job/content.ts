/** The part of a status that comes from Atlas: what of a response may stand there, and in which form it can be stored. */
import type { Status } from '../api/legacy-restore-job.ts';
import { RestoreJob } from '../api/restore-job.ts';

/** What is mirrored of a restore job: Atlas's fields, and whether a URL of it is kept out of them. */
export type Content = RestoreJob & Pick<Status, 'urlWithheld'>;

/** What a status mirrors. */
export function contentOf(status: Status): Content {
  const {
    observedGeneration: _observedGeneration,
    conditions: _conditions,
    reason: _reason,
    failure: _failure,
    lastHandledReconcileAt: _lastHandledReconcileAt,
    lastChangeTime: _lastChangeTime,
    ...content
  } = status;
  return content;
}

/** The content with its download URLs or, where those may not stand in status, without them. */
export function withUrls(content: Content, allowed: boolean): Content {
  if (allowed) return content;
  const { url, urlV2, authHeader: _authHeader, ...delivery } = content.delivery ?? {};
  const withheld = url !== undefined || urlV2 !== undefined || content.urlWithheld === true;
  return {
    ...content,
    ...(content.delivery === undefined ? {} : { delivery }),
    ...(content.links === undefined ? {} : { links: content.links.filter(({ href }) => !opensData(href)) }),
    ...(withheld ? { urlWithheld: true } : {}),
  };
}

/** Whether a URL is one of a download, wherever it stands: those have the key in their path. */
export function opensData(url: string | undefined): boolean {
  const path = URL.parse(url ?? '')?.pathname ?? '';
  return path.includes('/backup/') && path.includes('/pull/');
}

/** Content that the API server stores as it is. What it changed or refused would be written again at every reconcile. */
export interface StorableContent {
  readonly content: RestoreJob;
  /** Paths of members that are too long. */
  readonly dropped: readonly string[];
}

/** Bytes of one text. */
const MAX_TEXT_BYTES = 16 * 1_024;
/** Bytes of all content: etcd takes objects of at most 1.5 MiB, and the rest of the object needs room, too. */
const MAX_CONTENT_BYTES = 512 * 1_024;

/** Drops texts that are too long, and links, then hashes, that have no room. */
export function storable(job: RestoreJob): StorableContent {
  // Nearly all content: every response comes through here, and a copy of it costs more than all else that is computed.
  if (mostStoredBytes(job) <= MAX_CONTENT_BYTES) return { content: job, dropped: [] };
  const dropped: string[] = [];
  const { links, hashes, ...rest } = RestoreJob.parse(storableMember(job, '', dropped));
  let room = MAX_CONTENT_BYTES - storedBytes(rest);
  const fitting = <T>(list: readonly T[]): T[] => {
    const firstLeftOut = list.findIndex((item) => {
      const bytes = storedBytes(item) + 1;
      if (bytes > room) return true;
      room -= bytes;
      return false;
    });
    return firstLeftOut < 0 ? [...list] : list.slice(0, firstLeftOut);
  };
  const content: RestoreJob = {
    ...rest,
    ...(links === undefined ? {} : { links: fitting(links) }),
    ...(hashes === undefined ? {} : { hashes: fitting(hashes) }),
  };
  return { content, dropped };
}

/** No less than the bytes of a value as it is stored; infinite where it has to be looked at in detail. */
function mostStoredBytes(value: unknown): number {
  if (typeof value === 'string') return isPlain(value) ? value.length * MAX_ESCAPED_BYTES + QUOTES_BYTES : Infinity;
  if (typeof value === 'number') return Object.is(value, -0) ? Infinity : MAX_SCALAR_BYTES;
  if (typeof value !== 'object' || value === null) return MAX_SCALAR_BYTES;
  let bytes = BRACKETS_BYTES;
  for (const [name, member] of Object.entries(value)) {
    bytes += name.length + NAME_BYTES + mostStoredBytes(member);
  }
  return bytes;
}

const isPlain = (text: string): boolean => text.length * MAX_ESCAPED_BYTES <= MAX_TEXT_BYTES && text.isWellFormed();

function storableMember(value: unknown, path: string, dropped: string[]): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  // JSON has a -0, which comes back as 0.
  if (typeof value === 'number') return value + 0;
  if (Array.isArray(value)) return value.map((item, index) => storableMember(item, `${path}[${index}]`, dropped));
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).flatMap(([name, member]) => {
    const memberPath = path === '' ? name : `${path}.${name}`;
    if (typeof member === 'string' && isTooLong(member)) {
      dropped.push(memberPath);
      return [];
    }
    return [[name, storableMember(member, memberPath, dropped)] as const];
  });
  return Object.fromEntries(members);
}

const isTooLong = (text: string): boolean =>
  text.length * MAX_ESCAPED_BYTES > MAX_TEXT_BYTES && storedBytes(text) - QUOTES_BYTES > MAX_TEXT_BYTES;

const QUOTES_BYTES = 2;
const BRACKETS_BYTES = 2;
/** Quotes, colon and comma. */
const NAME_BYTES = 4;
/** Of a number, a boolean or null. */
const MAX_SCALAR_BYTES = 25;
const MAX_ESCAPED_BYTES = 6;

/** As the API server stores it: its JSON escapes `<`, `>` and `&`. */
function storedBytes(value: unknown): number {
  const json = JSON.stringify(value);
  const escaped = json.match(/[<>&]/g)?.length ?? 0;
  return Buffer.byteLength(json) + escaped * (MAX_ESCAPED_BYTES - 1);
}
