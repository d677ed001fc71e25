/** A restore job in the form that was asked for. */
import { dump, SCALAR_STYLE, visit } from 'js-yaml';
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
      return `${escapeJson(JSON.stringify(value, null, options.pretty ? 2 : 0))}\n`;
    case 'yaml':
      return escapedYaml(value);
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

/** What a terminal would obey: control and format characters, bidi controls among them, and separators of lines. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\u2028\u2029]/u;
/** Escaped within its text, each means the same. The other controls are escaped already, and line feeds divide the lines. */
const UNESCAPED = /[\u007f-\u009f\p{Cf}\u2028\u2029]/gu;

const hex = (code: number, digits: number): string => code.toString(16).padStart(digits, '0');

/** JSON knows units of UTF-16 only. */
const escapeJson = (json: string): string =>
  json.replace(UNESCAPED, (character) =>
    character
      .split('')
      .map((unit) => `\\u${hex(unit.charCodeAt(0), 4)}`)
      .join(''),
  );

/** js-yaml leaves format characters as they are, and only a text in double quotes can have escapes. */
function escapedYaml(value: unknown): string {
  const yaml = dump(value, {
    lineWidth: -1,
    noRefs: true,
    transform: (documents) =>
      visit(documents, (node) => {
        if (node.kind === 'scalar' && UNPRINTABLE.test(node.value)) node.style = SCALAR_STYLE.DOUBLE_QUOTED;
      }),
  });
  return yaml.replace(UNESCAPED, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code > 0xff_ff ? `\\U${hex(code, 8)}` : `\\u${hex(code, 4)}`;
  });
}
