/** What of a restore job may be shown: whoever holds a URL of its download can read the data. */
import type { RestoreJobResponse } from '../api/restore-job.ts';
import { opensData } from '../restore-job/content.ts';

/** The job with those members that the reader may see. */
export function visibleJob({ job, authValue }: RestoreJobResponse, showUrl: boolean) {
  if (showUrl) {
    const secret = authValue === undefined ? {} : { authValue };
    return job.delivery === undefined ? job : { ...job, delivery: { ...job.delivery, ...secret } };
  }
  const { url: _url, urlV2: _urlV2, ...delivery } = job.delivery ?? {};
  return {
    ...job,
    ...(job.delivery === undefined ? {} : { delivery }),
    ...(job.links === undefined ? {} : { links: job.links.filter(({ href }) => !opensData(href)) }),
  };
}

/** The paths of what only `--show-url` shows. */
export function hiddenMembers({ job: { delivery, links }, authValue }: RestoreJobResponse): readonly string[] {
  const members = { url: delivery?.url, urlV2: delivery?.urlV2, authValue };
  const hidden = Object.entries(members).flatMap(([name, value]) => (value === undefined ? [] : [`delivery.${name}`]));
  return links?.some(({ href }) => opensData(href)) === true ? [...hidden, 'links'] : hidden;
}

/** Why members are not in the output, before their names. */
export const otherForm = (server: string): string =>
  `left out, because ${server} gave them in another form than it documents`;

const MOST_LISTED = 10;

/** Names of members in a sentence: the first of many. */
export const listed = (names: readonly string[]): string =>
  names.length <= MOST_LISTED
    ? names.join(', ')
    : `${names.slice(0, MOST_LISTED).join(', ')} and ${names.length - MOST_LISTED} more`;
