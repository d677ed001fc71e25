/** A restore job in the form that was asked for. */
import { dump } from 'js-yaml';
import type { RestoreJobResponse } from '../api/restore-job.ts';
import type { GetOptions } from './options.ts';
import { jobText } from './text.ts';

export type PrintOptions = Pick<GetOptions, 'output' | 'envelope' | 'pretty' | 'showUrl'> & {
  /** Milliseconds since the epoch. */
  readonly now: number;
};

/** The whole text for standard output. */
export function printJob(response: RestoreJobResponse, options: PrintOptions): string {
  const content = visibleJob(response, options.showUrl);
  const value = options.envelope ? { status: 200, content } : content;
  switch (options.output) {
    case 'text':
      return jobText(response, options);
    case 'json':
      return `${escapeControls(JSON.stringify(value, null, options.pretty ? 2 : 0))}\n`;
    case 'yaml':
      return dump(value, { lineWidth: -1, noRefs: true });
  }
}

/** What is not in that text, for standard error: one sentence each. */
export function remarks(response: RestoreJobResponse, { output, showUrl }: PrintOptions): readonly string[] {
  const { job, dropped, hashCount } = response;
  const read = job.hashes?.length ?? 0;
  const hidden = hiddenMembers(response);
  return [
    ...(dropped.length > 0
      ? [`left out, because Atlas gave them in another form than it documents: ${list(dropped)}`]
      : []),
    ...(read < hashCount ? [`only the first ${read} of ${hashCount} hashes were read`] : []),
    ...(output !== 'text' && !showUrl && hidden.length > 0
      ? [`left out, because it opens the data: ${list(hidden)}; --show-url shows it`]
      : []),
  ];
}

/** The job with those members that the reader may see. */
function visibleJob({ job, authValue }: RestoreJobResponse, showUrl: boolean) {
  if (job.delivery === undefined) return job;
  if (showUrl) return { ...job, delivery: { ...job.delivery, ...(authValue === undefined ? {} : { authValue }) } };
  const { url: _url, urlV2: _urlV2, ...delivery } = job.delivery;
  return { ...job, delivery };
}

function hiddenMembers({ job: { delivery }, authValue }: RestoreJobResponse): readonly string[] {
  const members = { url: delivery?.url, urlV2: delivery?.urlV2, authValue };
  return Object.entries(members).flatMap(([name, value]) => (value === undefined ? [] : [`delivery.${name}`]));
}

const MOST_LISTED = 10;
const list = (names: readonly string[]): string =>
  names.length <= MOST_LISTED
    ? names.join(', ')
    : `${names.slice(0, MOST_LISTED).join(', ')} and ${names.length - MOST_LISTED} more`;

/** JSON leaves these as they are, and a terminal would obey them; escaped, the text means the same. */
const escapeControls = (json: string): string =>
  json.replace(/[\u007f-\u009f]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
