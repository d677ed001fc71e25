/** What stands beside a part: whose it is, what it is a part of, and a heartbeat of the process that writes it. */
import * as z from 'zod';
import { parseJson } from '../net/json.ts';
import type { FileFacts } from './response.ts';

/** Without the heartbeat. */
export interface PartInfo extends FileFacts {
  readonly groupId: string;
  readonly jobId: string;
  /** How often the whole file was asked for. */
  readonly fullTries: number;
  /**
   * Whether every byte is known to be of one file and the last one to be there: no, where it was resumed without a strong
   * ETag, or where only the end of a connection told the end of the file.
   */
  readonly proven: boolean;
  /** Whether its bytes came by more than one request. */
  readonly resumed: boolean;
  /** Whether it was fetched again because its hash was not Atlas's. */
  readonly restarted: boolean;
}

/** A new part of that job. */
export const emptyPart = ({ groupId, jobId }: Pick<PartInfo, 'groupId' | 'jobId'>): PartInfo => ({
  groupId,
  jobId,
  etag: undefined,
  length: undefined,
  fullTries: 0,
  proven: true,
  resumed: false,
  restarted: false,
});

/** Every text has this length: a write replaces the one before as a whole. */
const TEXT_BYTES = 1_024;

/** The process that writes a part. */
export interface Heartbeat {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Names the start of its machine; undefined where the system has no such name. */
  readonly boot: string | undefined;
}

/** The file beside the part. `heartbeat`: undefined where nobody writes the part. */
export function partInfoText(info: PartInfo, heartbeat: Heartbeat | undefined): string {
  const beat = heartbeat === undefined ? {} : { heartbeat: new Date(heartbeat.at).toISOString(), boot: heartbeat.boot };
  return `${JSON.stringify({ ...info, ...beat }).padEnd(TEXT_BYTES - 1)}\n`;
}

/** Undefined where the text is none, as in the moment in which the file is created. */
export function readPartInfo(
  text: string,
): { readonly info: PartInfo; readonly heartbeat: Heartbeat | undefined } | undefined {
  const read = Sent.safeParse(parseJson(text)).data;
  if (read === undefined) return undefined;
  const { heartbeat, boot, etag, length, ...info } = read;
  return {
    info: { ...info, etag, length },
    heartbeat: heartbeat === undefined ? undefined : { at: Date.parse(heartbeat), boot },
  };
}

const Sent = z.object({
  groupId: z.string(),
  jobId: z.string(),
  etag: z.string().optional(),
  length: z.int().min(0).optional(),
  fullTries: z.int().min(0),
  proven: z.boolean(),
  resumed: z.boolean(),
  restarted: z.boolean(),
  heartbeat: z.iso.datetime().optional(),
  boot: z.string().optional(),
});
