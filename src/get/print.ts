/** A restore job in the form that was asked for. */
import { serverName } from '../api/atlas-api.ts';
import type { RestoreJobResponse } from '../api/restore-job.ts';
import { safeJson, safeYaml } from '../command/structured.ts';
import { hiddenMembers, listed, otherForm, visibleJob } from '../command/visible-job.ts';
import type { GetOptions } from './options.ts';
import { jobText } from './text.ts';

export type PrintOptions = Pick<GetOptions, 'atlasApi' | 'output' | 'envelope' | 'pretty' | 'showUrl'> & {
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
      return safeJson(value, options.pretty);
    case 'yaml':
      return safeYaml(value);
  }
}

/** What is not in that text, for standard error: one sentence each. */
export function remarks(response: RestoreJobResponse, { atlasApi, output, showUrl }: PrintOptions): readonly string[] {
  const { job, dropped, hashCount } = response;
  const read = job.hashes?.length ?? 0;
  const hidden = hiddenMembers(response);
  return [
    ...(dropped.length > 0 ? [`${otherForm(serverName(atlasApi))}: ${listed(dropped)}`] : []),
    ...(read < hashCount ? [`only the first ${read} of ${hashCount} hashes were read`] : []),
    ...(output !== 'text' && !showUrl && hidden.length > 0
      ? [`left out, because it opens the data: ${listed(hidden)}; --show-url shows it`]
      : []),
  ];
}
