/** The flags of `get`, checked all at once before anything is read or sent, and its help. */
import * as z from 'zod';
import { Spec } from '../api/legacy-restore-job.ts';
import type { RestoreJobRef } from '../atlas/urls.ts';
import { describeFlags, type FlagDescription, type FlagDetails, flag, readFlags } from '../config/flags.ts';
import { Settings } from '../config/settings.ts';
import { boolean, duration, isNamespaceName, objectName } from '../config/values.ts';
import { type CredentialsSource, chooseSource, FILE_FLAGS, VARIABLES } from './credentials.ts';
import { listExitCodes } from './exit-codes.ts';

export interface GetOptions {
  readonly ref: RestoreJobRef;
  readonly credentials: CredentialsSource;
  readonly atlasBaseUrl: string;
  /** Milliseconds. */
  readonly atlasTimeout: number;
  readonly envelope: boolean;
  readonly pretty: boolean;
  readonly output: 'text' | 'json' | 'yaml';
  readonly showUrl: boolean;
  readonly until: { readonly kind: 'fetched' } | { readonly kind: 'ended'; readonly intervalMs: number };
}

type GetOptionsResult =
  | { readonly kind: 'options'; readonly options: GetOptions }
  | { readonly kind: 'problems'; readonly problems: readonly string[] }
  | { readonly kind: 'help' };

/** Reads the command line of `get` and those variables that belong to it. Problems never repeat a value. */
export function readGetOptions(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): GetOptionsResult {
  const { values, given, problems } = readFlags(Flags, args, environment);
  if (given['help'] === 'true') return { kind: 'help' };
  const source = chooseSource(given, environment);
  const all = [...problems, ...contradictions(given), ...(source.ok ? [] : [source.problem])];
  if (values === undefined || !source.ok || all.length > 0) return { kind: 'problems', problems: all };
  const { groupId, clusterName, jobId, watch, interval, ...rest } = values;
  return {
    kind: 'options',
    options: {
      ...rest,
      ref: { groupId, clusterName, jobId },
      credentials: source.source,
      until: watch ? { kind: 'ended', intervalMs: interval } : { kind: 'fetched' },
    },
  };
}

/** All flags of `get` in the order of the documentation. */
export const listGetFlags = (): readonly FlagDescription[] => describeFlags(Flags);

/** What `get --help` prints. */
export const getHelp =
  (): string => `Usage: legacy-restore-operator get --group-id=… --cluster-name=… --job-id=… [flags]

Fetches one restore job from Atlas and prints it. No cluster is needed.

Flags:
${flagsHelp()}
Credentials, of an API key or of a service account: from files (${FILE_FLAGS.publicApiKey} and
${FILE_FLAGS.privateApiKey}, or ${FILE_FLAGS.clientId} and ${FILE_FLAGS.clientSecret}), or from a Secret
(--secret), or else from the environment (${VARIABLES.publicApiKey} and
${VARIABLES.privateApiKey}, or ${VARIABLES.clientId} and ${VARIABLES.clientSecret}).

Exit codes:
${exitCodesHelp()}`;

const only = (details: Omit<FlagDetails, 'takes' | 'variable'>): FlagDetails => ({
  ...details,
  takes: 'value',
  variable: false,
});

/** An id as the API has it, with a problem that people understand. */
const id = (schema: z.ZodType<string>, problem: string, description: string) =>
  flag(
    z.string({ error: 'is missing' }).refine((text) => schema.safeParse(text).success, problem),
    only({ description }),
  );
const HEX_PROBLEM = 'must be 24 digits of 0-9 and a-f, in lower case';

const file = (description: string) =>
  flag(z.string().min(1, 'must be the name of a file').optional(), only({ description }));

const onOff = (description: string, short?: string) =>
  flag(boolean.prefault('false'), {
    description,
    takes: 'switch',
    variable: false,
    ...(short === undefined ? {} : { short }),
  });

const isSecretName = (text: string): boolean => {
  const [namespace = '', name = '', ...more] = text.split('/');
  return more.length === 0 && isNamespaceName(namespace) && objectName.safeParse(name).success;
};

const Flags = z.object({
  groupId: id(Spec.shape.groupId, HEX_PROBLEM, 'Id of the Atlas project. Required.'),
  clusterName: id(
    Spec.shape.clusterName,
    'must consist of letters, digits and hyphens and begin with a letter or digit',
    'Name of the cluster whose backup is restored. Required.',
  ),
  jobId: id(Spec.shape.jobId, HEX_PROBLEM, 'Id of the restore job. Required.'),
  publicApiKeyFile: file('File with the public key of an API key.'),
  privateApiKeyFile: file('File with its private key.'),
  clientIdFile: file('File with the client id of a service account.'),
  clientSecretFile: file('File with its client secret.'),
  secret: flag(
    z.string().refine(isSecretName, 'must be namespace/name').optional(),
    only({ description: 'Secret with the credentials, as namespace/name; it is read with the kubeconfig.' }),
  ),
  output: flag(
    z.enum(['text', 'json', 'yaml'], { error: 'must be text, json or yaml' }).prefault('text'),
    only({ description: 'text for people, json or yaml for scripts.', fallback: 'text', short: 'o' }),
  ),
  envelope: onOff('Asks Atlas for an envelope, and prints one around json and yaml: {"status":200,"content":…}.'),
  pretty: onOff('Asks Atlas for indented JSON, and indents json.'),
  showUrl: onOff("Shows the download's URLs and the value of its header: whoever holds them can read the data."),
  watch: onOff('Asks again until the job has finished, broken or been killed; shows its state on standard error.', 'w'),
  interval: flag(
    duration(2_000, 3_600_000, '2s to 1h').prefault('10s'),
    only({ description: 'How often --watch asks: from 2s to 1h.', fallback: '10s' }),
  ),
  atlasBaseUrl: Settings.shape.atlasBaseUrl,
  atlasTimeout: Settings.shape.atlasTimeout,
  help: onOff('Prints this text.', 'h'),
});

function contradictions(given: Readonly<Record<string, string | undefined>>): string[] {
  return given['interval'] !== undefined && given['watch'] !== 'true' ? ['--interval needs --watch'] : [];
}

const flagsHelp = (): string =>
  listGetFlags()
    .map(({ name, short, takes, variable, fallback, description }) => {
      const spelled = [short === undefined ? '' : `-${short}, `, `--${name}`, takes === 'value' ? '=…' : ''].join('');
      const environment = variable === undefined ? '' : `, ${variable}`;
      return `  ${spelled}${environment}${fallback === '' ? '' : ` (${fallback})`}\n      ${description}\n`;
    })
    .join('');

const exitCodesHelp = (): string =>
  listExitCodes()
    .map(({ code, meaning }) => `  ${String(code).padStart(3)}  ${meaning}\n`)
    .join('');
