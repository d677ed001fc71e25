/** The flags that all commands have that ask Atlas, and how their help shows flags and exit codes. */
import * as z from 'zod';
import { Spec } from '../api/legacy-restore-job.ts';
import { describeFlags, type FlagDetails, flag } from '../config/flags.ts';
import { Settings } from '../config/settings.ts';
import { boolean, isNamespaceName, objectName } from '../config/values.ts';
import { FILE_FLAGS, VARIABLES } from './credentials.ts';
import type { ExitCodeDescription } from './exit-codes.ts';

/** A flag that has no variable. */
export const valueFlag = <T extends z.ZodType>(schema: T, details: Omit<FlagDetails, 'takes' | 'variable'>): T =>
  flag(schema, { ...details, takes: 'value', variable: false });

/** A flag that is on or off. */
export const switchFlag = (description: string, short?: string) =>
  flag(boolean.prefault('false'), {
    description,
    takes: 'switch',
    variable: false,
    ...(short === undefined ? {} : { short }),
  });

const HEX_PROBLEM = 'must be 24 digits of 0-9 and a-f, in lower case';

/** A required id, with a problem that people understand. */
export const idFlag = (schema: z.ZodType<string>, description: string, problem = HEX_PROBLEM) =>
  valueFlag(
    z.string({ error: 'is missing' }).refine((text) => schema.safeParse(text).success, problem),
    { description },
  );

/** An id that need not be given. */
export const optionalIdFlag = (schema: z.ZodType<string>, description: string, problem = HEX_PROBLEM) =>
  valueFlag(
    z
      .string()
      .refine((text) => schema.safeParse(text).success, problem)
      .optional(),
    { description },
  );

export const CLUSTER_NAME_PROBLEM = 'must consist of letters, digits and hyphens and begin with a letter or digit';

/** What names the cluster. */
export const CLUSTER_FLAGS = {
  groupId: idFlag(Spec.shape.groupId, 'Id of the Atlas project. Required.'),
  clusterName: idFlag(
    Spec.shape.clusterName,
    'Name of the cluster whose backup is restored, its id with public/v1.0. Required.',
    CLUSTER_NAME_PROBLEM,
  ),
};

const file = (description: string) =>
  valueFlag(z.string().min(1, 'must be the name of a file').optional(), { description });

const isSecretName = (text: string): boolean => {
  const [namespace = '', name = '', ...more] = text.split('/');
  return more.length === 0 && isNamespaceName(namespace) && objectName.safeParse(name).success;
};

/** Where the credentials come from. */
export const CREDENTIALS_FLAGS = {
  publicApiKeyFile: file('File with the public key of an API key.'),
  privateApiKeyFile: file('File with its private key.'),
  clientIdFile: file('File with the client id of a service account.'),
  clientSecretFile: file('File with its client secret.'),
  secret: valueFlag(z.string().refine(isSecretName, 'must be namespace/name').optional(), {
    description: 'Secret with the credentials, as namespace/name; it is read with the kubeconfig.',
  }),
};

/** How Atlas is reached, and `--help`. */
export const COMMON_FLAGS = {
  atlasBaseUrl: Settings.shape.atlasBaseUrl,
  atlasApi: Settings.shape.atlasApi,
  atlasAllowPlainHttp: Settings.shape.atlasAllowPlainHttp,
  atlasTimeout: Settings.shape.atlasTimeout,
  help: switchFlag('Prints this text.', 'h'),
};

export const SHOW_URL_DESCRIPTION =
  "Shows the download's URLs and the value of its header: whoever holds them can read the data.";

/** The end of a command's help: its flags, the ways to pass credentials, its exit codes. */
export const detailsHelp = (
  table: z.ZodObject,
  exitCodes: readonly ExitCodeDescription[],
): string => `Flags, as --name=value or --name value:
${flagsHelp(table)}
Credentials, of an API key or of a service account: from files (${FILE_FLAGS.publicApiKey} and
${FILE_FLAGS.privateApiKey}, or ${FILE_FLAGS.clientId} and ${FILE_FLAGS.clientSecret}), or from a Secret
(--secret), or else from the environment (${VARIABLES.publicApiKey} and
${VARIABLES.privateApiKey}, or ${VARIABLES.clientId} and ${VARIABLES.clientSecret}).

Exit codes:
${exitCodes.map(({ code, meaning }) => `  ${String(code).padStart(3)}  ${meaning}\n`).join('')}`;

const flagsHelp = (table: z.ZodObject): string =>
  describeFlags(table)
    .map(({ name, short, takes, variable, fallback, description }) => {
      const spelled = [short === undefined ? '' : `-${short}, `, `--${name}`, takes === 'value' ? '=…' : ''].join('');
      const environment = variable === undefined ? '' : `, ${variable}`;
      return `  ${spelled}${environment}${fallback === '' ? '' : ` (${fallback})`}\n      ${description}\n`;
    })
    .join('');
