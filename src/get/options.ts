/** The flags of `get`, checked all at once before anything is read or sent, and its help. */
import * as z from 'zod';
import { Spec } from '../api/legacy-restore-job.ts';
import type { RestoreJobRef } from '../atlas/urls.ts';
import type { AtlasOptions } from '../command/atlas.ts';
import type { OptionsResult } from '../command/command.ts';
import { chooseSource } from '../command/credentials.ts';
import { listExitCodes } from '../command/exit-codes.ts';
import {
  CLUSTER_FLAGS,
  COMMON_FLAGS,
  CREDENTIALS_FLAGS,
  detailsHelp,
  idFlag,
  SHOW_URL_DESCRIPTION,
  switchFlag,
  valueFlag,
} from '../command/flags.ts';
import { readCommandLine } from '../command/options.ts';
import { describeFlags, type FlagDescription } from '../config/flags.ts';
import { duration } from '../config/values.ts';

export interface GetOptions extends AtlasOptions {
  readonly ref: RestoreJobRef;
  readonly envelope: boolean;
  readonly pretty: boolean;
  readonly output: 'text' | 'json' | 'yaml';
  readonly showUrl: boolean;
  readonly until: { readonly kind: 'fetched' } | WatchUntil;
}

/** What is waited for: the end of the job, or a file that can be downloaded. */
export interface WatchUntil {
  readonly kind: 'job' | 'download';
  readonly intervalMs: number;
  /** Undefined: no limit. */
  readonly timeoutMs: number | undefined;
}

/** Reads the command line of `get` and those variables that belong to it. Problems never repeat a value. */
export function readGetOptions(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): OptionsResult<GetOptions> {
  const read = readCommandLine({ table: Flags, contradictions, choose: chooseSource }, args, environment);
  if (read.kind !== 'options') return read;
  const { values, credentials } = read.options;
  const { groupId, clusterName, jobId, watch, for: kind, interval, timeout, ...rest } = values;
  return {
    kind: 'options',
    options: {
      ...rest,
      ref: { groupId, clusterName, jobId },
      credentials,
      until: watch ? { kind, intervalMs: interval, timeoutMs: timeout } : { kind: 'fetched' },
    },
  };
}

/** All flags of `get` in the order of the documentation. */
export const listGetFlags = (): readonly FlagDescription[] => describeFlags(Flags);

/** What `get --help` prints. */
export const getHelp =
  (): string => `Usage: legacy-restore-operator get --group-id=… --cluster-name=… --job-id=… [flags]

Fetches one restore job from Atlas and prints it. No cluster is needed.

${detailsHelp(Flags, listExitCodes())}`;

const Flags = z.object({
  ...CLUSTER_FLAGS,
  jobId: idFlag(Spec.shape.jobId, 'Id of the restore job. Required.'),
  ...CREDENTIALS_FLAGS,
  output: valueFlag(z.enum(['text', 'json', 'yaml'], { error: 'must be text, json or yaml' }).prefault('text'), {
    description: 'text for people, json or yaml for scripts.',
    fallback: 'text',
    short: 'o',
  }),
  envelope: switchFlag('Asks Atlas for an envelope, and prints one around json and yaml: {"status":200,"content":…}.'),
  pretty: switchFlag('Asks Atlas for indented JSON, and indents json.'),
  showUrl: switchFlag(SHOW_URL_DESCRIPTION),
  watch: switchFlag(
    'Asks again until the job has finished, broken or been killed; shows its state on standard error.',
    'w',
  ),
  for: valueFlag(z.enum(['job', 'download'], { error: 'must be job or download' }).prefault('job'), {
    description: 'What --watch waits for: the end of the job, or a file that can be downloaded.',
    fallback: 'job',
  }),
  interval: valueFlag(duration(2_000, 3_600_000, '2s to 1h').prefault('10s'), {
    description: 'How often --watch asks: from 2s to 1h.',
    fallback: '10s',
  }),
  timeout: valueFlag(duration(1_000, 604_800_000, '1s to 168h').optional(), {
    description: 'How long --watch goes on: from 1s to 168h. There is no limit unless it is given.',
  }),
  ...COMMON_FLAGS,
});

function contradictions(given: Readonly<Record<string, string | undefined>>): string[] {
  if (given['watch'] === 'true') return [];
  return ['for', 'interval', 'timeout']
    .filter((name) => given[name] !== undefined)
    .map((name) => `--${name} needs --watch`);
}
