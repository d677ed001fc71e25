/** The flags of `download`, checked all at once before anything is read or sent, and its help. */
import * as z from 'zod';
import type { AtlasApi } from '../api/atlas-api.ts';
import { Spec } from '../api/legacy-restore-job.ts';
import type { RestoreJobRef } from '../atlas/urls.ts';
import type { AtlasOptions } from '../command/atlas.ts';
import type { OptionsResult } from '../command/command.ts';
import { type CredentialsChoice, type CredentialsSource, chooseSource } from '../command/credentials.ts';
import { listExitCodes } from '../command/exit-codes.ts';
import {
  CLUSTER_NAME_PROBLEM,
  COMMON_FLAGS,
  CREDENTIALS_FLAGS,
  detailsHelp,
  optionalIdFlag,
  switchFlag,
  valueFlag,
} from '../command/flags.ts';
import { readCommandLine } from '../command/options.ts';
import { describeFlags, type FlagDescription } from '../config/flags.ts';
import { duration, isNamespaceName, objectName } from '../config/values.ts';
import { DOWNLOAD_EXIT_CODES } from './exit-codes.ts';
import { isFileName } from './file-name.ts';

export interface DownloadOptions {
  readonly job: JobOptions;
  /** The API that the job comes from, also where its resource is read instead. */
  readonly atlasApi: AtlasApi;
  /** The one origin that may be asked without TLS; undefined: none but those of this machine. */
  readonly plainOrigin: string | undefined;
  readonly directory: string;
  /** Undefined: as the URL says. */
  readonly fileName: string | undefined;
  /** Milliseconds to wait for the download to be ready; undefined: not at all. */
  readonly waitMs: number | undefined;
  /** Milliseconds to wait for Atlas's hash; undefined: it is not compared. */
  readonly hashTimeoutMs: number | undefined;
  /** Fetches it although a file of that name is there. */
  readonly force: boolean;
  readonly output: 'text' | 'json';
}

type Texts = Readonly<Record<string, string | undefined>>;

/** Where the job comes from. */
export type JobOptions =
  | (AtlasOptions & { readonly kind: 'atlas'; readonly ref: RestoreJobRef })
  | {
      readonly kind: 'resource';
      /** Undefined: that of the pod or of the kubeconfig's context. */
      readonly namespace: string | undefined;
      readonly name: string;
    };

/** Reads the command line of `download` and those variables that belong to it. Problems never repeat a value. */
export function readDownloadOptions(args: readonly string[], environment: Texts): OptionsResult<DownloadOptions> {
  const read = readCommandLine({ table: Flags, contradictions, choose: chooseUnlessResource }, args, environment);
  if (read.kind !== 'options') return read;
  const { values, credentials } = read.options;
  const { directory, fileName, wait, timeout, noVerify, hashTimeout, force, output } = values;
  return {
    kind: 'options',
    options: {
      job: jobOptions(values, credentials),
      atlasApi: values.atlasApi,
      plainOrigin: values.atlasAllowPlainHttp ? new URL(values.atlasBaseUrl).origin : undefined,
      directory,
      fileName,
      waitMs: wait ? timeout : undefined,
      hashTimeoutMs: noVerify ? undefined : hashTimeout,
      force,
      output,
    },
  };
}

/** All flags of `download` in the order of the documentation. */
export const listDownloadFlags = (): readonly FlagDescription[] => describeFlags(Flags);

/** What `download --help` prints. */
export const downloadHelp =
  (): string => `Usage: legacy-restore-operator download --group-id=… --cluster-name=… --job-id=… [flags]
       legacy-restore-operator download --resource=[namespace/]name [flags]

Brings the file of a restore job into a directory and compares its hash with Atlas's. Run again, it goes on where it was
interrupted, and ends at once where the file is there and verified.

${detailsHelp(Flags, listExitCodes(DOWNLOAD_EXIT_CODES))}`;

const isResource = (text: string): boolean => {
  const parts = text.split('/');
  const [name = '', namespace = 'default'] = parts.toReversed();
  return parts.length <= 2 && isNamespaceName(namespace) && objectName.safeParse(name).success;
};

const MAX_WAIT_MS = 30 * 86_400_000;
const waitingTime = (fallback: string) => duration(1_000, MAX_WAIT_MS, '1s to 720h').prefault(fallback);

const Flags = z.object({
  groupId: optionalIdFlag(Spec.shape.groupId, 'Id of the Atlas project.'),
  clusterName: optionalIdFlag(
    Spec.shape.clusterName,
    'Name of the cluster whose backup is restored, its id with public/v1.0.',
    CLUSTER_NAME_PROBLEM,
  ),
  jobId: optionalIdFlag(Spec.shape.jobId, 'Id of the restore job.'),
  resource: valueFlag(z.string().refine(isResource, 'must be namespace/name or name').optional(), {
    description:
      'LegacyRestoreJob to take job and download from, instead of asking Atlas, as namespace/name or name; it is read as the service account of the pod, or with the kubeconfig.',
  }),
  ...CREDENTIALS_FLAGS,
  directory: valueFlag(z.string().min(1, 'must be the name of a directory').prefault('.'), {
    description: 'Directory for the file. It must exist.',
    fallback: '.',
  }),
  fileName: valueFlag(z.string().refine(isFileName, 'must be a name without a path, of at most 200 bytes').optional(), {
    description: 'Name of the file.',
    fallback: "the last segment of the download's URL",
  }),
  wait: switchFlag('Waits until the download is ready.', 'w'),
  timeout: valueFlag(waitingTime('2h'), {
    description: 'How long --wait waits for the download to be ready.',
    fallback: '2h',
  }),
  hashTimeout: valueFlag(waitingTime('15m'), {
    description: "How long Atlas's hash is waited for; Atlas makes it after the download.",
    fallback: '15m',
  }),
  noVerify: switchFlag("Does not wait for Atlas's hash and compares none."),
  force: switchFlag('Fetches the file again although one of its name is there.'),
  output: valueFlag(z.enum(['text', 'json'], { error: 'must be text or json' }).prefault('text'), {
    description: 'text for people, json for scripts: {"file","bytes","sha1","verified","resumed","seconds"}.',
    fallback: 'text',
    short: 'o',
  }),
  ...COMMON_FLAGS,
});

/** A resource is read with the kubeconfig, and Atlas is not asked. */
function chooseUnlessResource(given: Texts, environment: Texts): CredentialsChoice<CredentialsSource | undefined> {
  return given['resource'] === undefined ? chooseSource(given, environment) : { ok: true, source: undefined };
}

/** The ids are there where credentials are: contradictions asks for them. */
function jobOptions(
  {
    resource,
    groupId = '',
    clusterName = '',
    jobId = '',
    atlasBaseUrl,
    atlasApi,
    atlasTimeout,
  }: z.output<typeof Flags>,
  credentials: CredentialsSource | undefined,
): JobOptions {
  if (credentials === undefined) {
    const [name = '', namespace] = (resource ?? '').split('/').reverse();
    return { kind: 'resource', namespace, name };
  }
  return { kind: 'atlas', ref: { groupId, clusterName, jobId }, credentials, atlasBaseUrl, atlasApi, atlasTimeout };
}

function contradictions(given: Texts): string[] {
  const named = (...keys: readonly (keyof typeof Flags.shape)[]): string[] =>
    listDownloadFlags()
      .filter(({ key }) => keys.some((wanted) => wanted === key) && given[key] !== undefined)
      .map(({ name }) => `--${name}`);
  const ids = named('groupId', 'clusterName', 'jobId');
  const credentials = named('publicApiKeyFile', 'privateApiKeyFile', 'clientIdFile', 'clientSecretFile', 'secret');
  const foreign = given['resource'] === undefined ? [] : [...ids, ...credentials];
  return [
    ...(given['resource'] === undefined && ids.length < 3
      ? ['name the job with --group-id, --cluster-name and --job-id, or the resource with --resource']
      : []),
    ...(foreign.length > 0 ? [`--resource excludes ${foreign.join(', ')}`] : []),
    ...(given['timeout'] !== undefined && given['wait'] !== 'true' ? ['--timeout needs --wait'] : []),
    ...(given['hashTimeout'] !== undefined && given['noVerify'] === 'true'
      ? ['--hash-timeout and --no-verify exclude each other']
      : []),
  ];
}
