/** The part of a status that comes from Atlas, and what of a response may stand there. */
import type * as z from 'zod';
import { Status } from '../api/legacy-restore-job.ts';
import { RestoreJob } from '../api/restore-job.ts';

const Content = RestoreJob.extend({ urlWithheld: Status.shape.urlWithheld });
/** What is mirrored of a restore job: Atlas's fields, and whether a URL of it is kept out of them. */
export type Content = Readonly<z.infer<typeof Content>>;

/** What a status mirrors. */
export const contentOf = (status: Status): Content => Content.parse(status);

/** The content with its download URLs or, where those may not stand in status, without them. */
export function withUrls(content: Content, allowed: boolean): Content {
  if (allowed || content.delivery === undefined) return content;
  const { url, urlV2, authHeader: _authHeader, ...delivery } = content.delivery;
  const withheld = url !== undefined || urlV2 !== undefined || content.urlWithheld === true;
  return { ...content, delivery, ...(withheld ? { urlWithheld: true } : {}) };
}
