/** The flags of `list`, checked all at once before anything is read or sent, and its help. */
import * as z from 'zod';
import { Spec } from '../api/legacy-restore-job.ts';
import type { RestoreJobListRef } from '../atlas/urls.ts';
import type { AtlasOptions } from '../command/atlas.ts';
import type { OptionsResult } from '../command/command.ts';
import { chooseSource } from '../command/credentials.ts';
import { listExitCodes } from '../command/exit-codes.ts';
import {
  CLUSTER_FLAGS,
  COMMON_FLAGS,
  CREDENTIALS_FLAGS,
  detailsHelp,
  optionalIdFlag,
  SHOW_URL_DESCRIPTION,
  switchFlag,
  valueFlag,
} from '../command/flags.ts';
import { readCommandLine } from '../command/options.ts';
import { describeFlags, type FlagDescription } from '../config/flags.ts';
import { LIST_EXIT_CODES } from './exit-codes.ts';

export interface ListOptions extends AtlasOptions {
  readonly ref: RestoreJobListRef;
  /** Values of statusName; undefined for all. */
  readonly status: ReadonlySet<string> | undefined;
  readonly output: 'text' | 'json' | 'yaml' | 'name' | 'manifests';
  readonly showUrl: boolean;
  /** What manifests name as spec.credentialsSecretRef. */
  readonly credentialsSecret: string | undefined;
  /** Whether manifests have spec.deliverySecretName. */
  readonly deliverySecrets: boolean;
}

/** Reads the command line of `list` and those variables that belong to it. Problems never repeat a value. */
export function readListOptions(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): OptionsResult<ListOptions> {
  const read = readCommandLine({ table: Flags, contradictions, choose: chooseSource }, args, environment);
  if (read.kind !== 'options') return read;
  const { values, credentials } = read.options;
  const { groupId, clusterName, batchId, credentialsSecret, status, ...rest } = values;
  return {
    kind: 'options',
    options: {
      ...rest,
      ref: { groupId, clusterName, batchId },
      status: status === undefined ? undefined : new Set(status),
      credentialsSecret,
      credentials,
    },
  };
}

/** All flags of `list` in the order of the documentation. */
export const listListFlags = (): readonly FlagDescription[] => describeFlags(Flags);

/** What `list --help` prints. */
export const listHelp = (): string => `Usage: legacy-restore-operator list --group-id=… --cluster-name=… [flags]

Prints the restore jobs of a cluster, newest first. No Kubernetes cluster is needed. To mirror them into one:

  legacy-restore-operator list --group-id=… --cluster-name=… -o manifests --credentials-secret=atlas-account | kubectl apply -f -

${detailsHelp(Flags, listExitCodes(LIST_EXIT_CODES))}`;

/** No enum: Atlas has statuses that it does not document. */
const statusNames = z.string().transform((text, context) => {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (names.length > 0 && names.every((name) => /^[A-Z][A-Z_]*$/.test(name))) return names;
  context.addIssue({ code: 'custom', message: 'must be a comma-separated list of statuses such as FINISHED,BROKEN' });
  return z.NEVER;
});

const isSecretName = (text: string): boolean =>
  text.length <= 253 && Spec.shape.deliverySecretName.safeParse(text).success;

const Flags = z.object({
  ...CLUSTER_FLAGS,
  batchId: optionalIdFlag(Spec.shape.jobId, 'Only the jobs of one restore of a sharded cluster.'),
  status: valueFlag(statusNames.optional(), {
    description: 'Only jobs with one of these statuses, separated by commas, such as FINISHED,IN_PROGRESS.',
  }),
  ...CREDENTIALS_FLAGS,
  output: valueFlag(
    z
      .enum(['text', 'json', 'yaml', 'name', 'manifests'], { error: 'must be text, json, yaml, name or manifests' })
      .prefault('text'),
    {
      description:
        'text for people, json or yaml for scripts, name for the ids alone, manifests for kubectl apply: one LegacyRestoreJob for each job.',
      fallback: 'text',
      short: 'o',
    },
  ),
  credentialsSecret: valueFlag(z.string().refine(isSecretName, 'must be the name of a Secret').optional(), {
    description: 'Secret that the manifests name as spec.credentialsSecretRef.',
  }),
  deliverySecrets: switchFlag('Gives each manifest a spec.deliverySecretName, which keeps the download out of status.'),
  showUrl: switchFlag(SHOW_URL_DESCRIPTION),
  ...COMMON_FLAGS,
});

/** What the API server allows for spec.clusterName. */
const LONGEST_CLUSTER_NAME = 64;

function contradictions(given: Readonly<Record<string, string | undefined>>): string[] {
  const { output = 'text', clusterName = '' } = given;
  const manifests = output === 'manifests';
  return [
    ...(given['credentialsSecret'] !== undefined && !manifests ? ['--credentials-secret needs -o manifests'] : []),
    ...(given['deliverySecrets'] === 'true' && !manifests ? ['--delivery-secrets needs -o manifests'] : []),
    ...(given['showUrl'] === 'true' && output !== 'json' && output !== 'yaml'
      ? ['--show-url needs -o json or -o yaml']
      : []),
    ...(manifests && clusterName.length > LONGEST_CLUSTER_NAME
      ? [`--cluster-name must have at most ${LONGEST_CLUSTER_NAME} characters with -o manifests`]
      : []),
  ];
}
